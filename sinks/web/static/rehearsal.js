// A draft rehearsed: over the shop's last days or a scenario, with what it does and how that differs.

import { el, svg } from "./dom.js";
import { formatCount, formatMoney } from "./format.js";
import { language, say, sayOr, saySentence } from "./words.js";

const at = (id) => document.getElementById(id);
const spot = at("rehearsed");
const DAY = new Intl.DateTimeFormat(language, { timeZone: "UTC", month: "short", day: "numeric" });
const WIDTH = 640;
const HEIGHT = 96;

let playing = null;
let shownFor = "";

const rule = (name) => sayOr(`rule_${name}`, name);
const fate = (status) => sayOr(`decided_${status}`, status);
const plus = (n) => (n > 0 ? `+${formatCount(n)}` : formatCount(n));
const dayOf = (iso) => DAY.format(Date.parse(`${iso.slice(0, 10)}T00:00:00Z`));
const clock = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;

function table(names, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("rehearsal") }, el("table", {},
    el("thead", {}, el("tr", {}, ...names.map(([name, number]) => el("th", { scope: "col", class: number ? "n" : null }, name)))),
    el("tbody", {}, ...rows)));
}

// What keeps a message back, most often first.
function withheld(statuses) {
  const found = Object.entries(statuses).filter(([status]) => status !== "sent").sort((one, other) => other[1] - one[1]);
  return found.length ? found.map(([status, n]) => `${fate(status)} ${formatCount(n)}`).join(" · ") : "–";
}

function ruleRow(name, own, before) {
  const more = (own?.messages ?? 0) - (before?.messages ?? 0);
  return el("tr", {},
    el("th", { scope: "row" }, rule(name)),
    el("td", { class: "n" }, formatCount(own?.messages ?? 0)),
    el("td", { class: "n" }, formatCount(own?.customers ?? 0)),
    el("td", { class: "n" }, more ? el("strong", { class: `delta ${more > 0 ? "up" : "down"}` }, plus(more)) : "0"),
    el("td", {}, withheld(own?.statuses ?? {})));
}

function bars(byDay, from, until) {
  const days = [];
  for (let day = Date.parse(`${from.slice(0, 10)}T00:00:00Z`); day <= Date.parse(`${until.slice(0, 10)}T00:00:00Z`); day += 86_400_000) {
    days.push(new Date(day).toISOString().slice(0, 10));
  }
  const counts = days.map((day) => Object.values(byDay[day] ?? {}).reduce((sum, n) => sum + n, 0));
  const most = Math.max(...counts, 1);
  const step = WIDTH / days.length;
  const drawn = days.map((day, index) => {
    const height = counts[index] / most * (HEIGHT - 2);
    return svg("rect", { x: index * step, y: HEIGHT - height, width: Math.max(step - Math.min(2, step / 4), 0.5), height },
      svg("title", {}, say("rehearsal_day", { day: dayOf(day), n: formatCount(counts[index]) })));
  });
  return el("figure", { class: "by-day" },
    el("figcaption", { class: "small" }, say("rehearsal_by_day")),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": say("rehearsal_by_day") }, ...drawn),
    el("p", { class: "ends small" }, el("span", {}, dayOf(days[0])), el("span", {}, formatCount(most)), el("span", {}, dayOf(days.at(-1)))));
}

function overLog(found) {
  const { before } = found;
  const names = [...new Set([...Object.keys(found.rules), ...Object.keys(before.rules)])].sort();
  const cost = found.worst_cost_cents ? say("rehearsal_cost", { cost: formatMoney(found.worst_cost_cents, found.currency) }) : "";
  return [
    el("p", { class: "big-line" }, say("rehearsal_head", {
      messages: formatCount(found.messages), customers: formatCount(found.customers_reached), from: dayOf(found.from), until: dayOf(found.until),
    })),
    el("p", { class: "small" }, [
      found.comparison.same ? say("rehearsal_same") : say("rehearsal_before", {
        messages: formatCount(before.messages), customers: formatCount(before.customers_reached),
      }), cost,
    ].filter(Boolean).join(" ")),
    names.length ? bars(found.by_day, found.from, found.until) : null,
    names.length ? table(
      [[say("rehearsal_rule")], [say("rehearsal_messages"), true], [say("rehearsal_customers"), true], [say("rehearsal_difference"), true], [say("rehearsal_withheld")]],
      names.map((name) => ruleRow(name, found.rules[name], before.rules[name]))) : el("p", { class: "empty" }, say("rehearsal_nothing")),
  ];
}

function decidedRow(one) {
  const why = one.reason ? ` · ${saySentence(one.reason)}` : "";
  const what = [one.channel ? sayOr(`channel_${one.channel}`, one.channel) : null, one.offer].filter(Boolean).join(" · ");
  return el("tr", {},
    el("td", { class: "n" }, clock(one.at)),
    el("th", { scope: "row" }, one.customer_id),
    el("td", {}, rule(one.rule)),
    el("td", {}, el("strong", { class: one.status === "sent" ? "delta up" : null }, fate(one.status)), el("span", { class: "small" }, one.status === "sent" ? (what ? ` · ${what}` : "") : why)));
}

const COLUMNS = () => [[say("rehearsal_when"), true], [say("rehearsal_who")], [say("rehearsal_rule")], [say("rehearsal_fate")]];

function overScenario(found) {
  const { comparison } = found;
  const only = (side, word) => {
    const own = comparison.examples.filter((one) => one.only_in === side);
    return own.length ? [el("h3", {}, say(word)), table(COLUMNS(), own.map(decidedRow))] : [];
  };
  return [
    found.differences.length ? el("ul", { class: "problems" }, ...found.differences.map((one) => el("li", { class: "trouble" }, say("rehearsal_unlike"), ": ", one))) : null,
    found.decided.length ? table(COLUMNS(), found.decided.map(decidedRow)) : el("p", { class: "empty" }, say("rehearsal_nothing")),
    found.more ? el("p", { class: "small" }, say("rehearsal_more", { n: formatCount(found.more) })) : null,
    ...(comparison.same ? [el("p", { class: "small" }, say("rehearsal_same"))]
      : [...only("in use", "rehearsal_only_now"), ...only("draft", "rehearsal_only_new")]),
  ];
}

function problem(one) {
  return el("li", { class: "trouble" }, el("strong", {}, `${one.line}:${one.column} `), one.message,
    one.expected ? el("span", { class: "small" }, ` ${say("playbook_expected", { what: one.expected })}`) : null);
}

function draw(told) {
  if (told.stopped) return [el("p", { class: "trouble" }, say(`rehearsal_stopped_${told.stopped}`))];
  if (told.problems) return [el("ul", { class: "problems" }, ...told.problems.map(problem))];
  return told.found.decided ? overScenario(told.found) : overLog(told.found);
}

async function* lines(body) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of body) {
    rest += decoder.decode(part, { stream: true });
    const whole = rest.split("\n");
    rest = whole.pop();
    for (const line of whole) if (line) yield JSON.parse(line);
  }
}

function isPlaying(controller) {
  playing = controller;
  at("play").hidden = Boolean(controller);
  at("stop").hidden = !controller;
  at("rehearsing").hidden = !controller;
  at("rehearsing").removeAttribute("value");
}

// What is shown was played with a text that is no longer in the editor.
export function rehearsalIsOf(draft, fine) {
  at("play").disabled = !fine;
  const stale = spot.querySelector(".stale");
  if (!shownFor || !spot.firstChild) return;
  if (JSON.stringify(draft) === shownFor) stale?.remove();
  else if (!stale) spot.prepend(el("p", { class: "small stale" }, say("rehearsal_stale")));
}

export function setUpRehearsal(draft, post) {
  const over = at("over");
  let ready = null;

  over.addEventListener("change", async () => {
    const typed = over.value === "scenario";
    at("scenario").hidden = at("ready").hidden = !typed;
    if (!typed || ready) return;
    const answer = await fetch("/v1/playbook/scenarios").catch(() => null);
    ready = answer?.ok ? await answer.json() : null;
    at("ready").append(...Object.keys(ready ?? {}).map((name) => el("option", { value: name }, rule(name))));
  });
  at("ready").addEventListener("change", () => {
    if (ready?.[at("ready").value]) at("scenario").value = ready[at("ready").value];
  });
  at("stop").addEventListener("click", () => playing?.abort());

  at("rehearse").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (playing || at("play").disabled) return;
    const typed = over.value === "scenario";
    if (typed && !at("scenario").value.trim()) {
      at("scenario").focus();
      return;
    }
    const asked = draft();
    const controller = new AbortController();
    isPlaying(controller);
    spot.replaceChildren();
    try {
      const wish = typed ? { scenario: at("scenario").value } : { days: Number(over.value) };
      const answer = await post("/v1/playbook/rehearse", { ...asked, ...wish }, controller.signal);
      if (!answer.ok) {
        spot.replaceChildren(el("p", { class: "trouble" }, answer.status === 429 ? say("rehearsal_busy") : (await answer.json()).error));
        return;
      }
      let last = { stopped: "fault" };
      for await (const told of lines(answer.body)) {
        if ("progress" in told) at("rehearsing").value = told.progress;
        else last = told;
      }
      shownFor = JSON.stringify(asked);
      spot.replaceChildren(...draw(last).filter(Boolean));
      rehearsalIsOf(draft(), !at("play").disabled);
    } catch (error) {
      if (error.name !== "AbortError") spot.replaceChildren(el("p", { class: "trouble" }, say("reconnecting")));
    } finally {
      isPlaying(null);
    }
  });
}
