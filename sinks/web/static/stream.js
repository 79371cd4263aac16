// News from the server, one beat a second; quiet while nobody looks at the page.

const RETRY_MS = 3000;

export function listen({ news, state }) {
  let source = null;
  let retry = null;

  function open() {
    if (source) return;
    source = new EventSource("/api/stream");
    source.onmessage = (event) => {
      state("live");
      news(JSON.parse(event.data));
    };
    source.onerror = () => {
      state("lost");
      if (source?.readyState === EventSource.CLOSED) again();
    };
  }

  function close() {
    clearTimeout(retry);
    source?.close();
    source = null;
  }

  async function again() {
    close();
    const answer = await fetch("/api/clock").catch(() => null);
    if (answer?.status === 401) location.assign("/login");
    else retry = setTimeout(open, RETRY_MS);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  open();
}
