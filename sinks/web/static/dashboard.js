// The first page: every panel, moving while the shop does.

import "./shell.js";
import { setText } from "./dom.js";
import { formatClock, formatWholeShare } from "./format.js";
import { drawings, learnLabels, movesWithTheBeat } from "./panels.js";
import { listen } from "./stream.js";
import { say, sayOr } from "./words.js";

const cards = new Map([...document.querySelectorAll("[data-panel]")].map((card) => [card.dataset.panel, card]));
const lastRows = new Map();
const clock = document.getElementById("clock");
const dot = document.getElementById("pulse");
const replay = document.getElementById("replay");
const welcome = document.getElementById("welcome");

function showClock(news) {
  setText(clock, formatClock(news.now_ms));
  clock.dateTime = new Date(news.now_ms).toISOString();
  const running = news.clock.replay;
  replay.hidden = !running;
  if (!running) return;
  setText(document.getElementById("replay-text"),
    say("replaying", { source: sayOr(`source_${running.source.split(":")[0]}`, running.source), share: formatWholeShare(running.progress) }));
  document.getElementById("replay-bar").value = running.progress;
}

function showPanel(id, reading, news) {
  const card = cards.get(id);
  // A panel that was never answered yet is not an empty one: its card goes on saying so.
  if (!card || (!reading.at_ms && !lastRows.has(id))) return;
  const trouble = card.querySelector(".trouble");
  card.classList.toggle("troubled", Boolean(reading.error));
  trouble.hidden = !reading.error;
  setText(trouble, reading.error ? say("panel_failed", { why: reading.error }) : "");
  if (reading.error && !lastRows.has(id)) return;
  card.classList.remove("loading");
  lastRows.set(id, reading.rows);
  drawings[card.dataset.kind](card, reading.rows, news);
}

function news(message) {
  learnLabels(message.labels);
  showClock(message);
  for (const [id, reading] of Object.entries(message.panels)) showPanel(id, reading, message);
  for (const [id, rows] of lastRows) {
    const card = cards.get(id);
    if (!(id in message.panels) && movesWithTheBeat.has(card.dataset.kind)) {
      drawings[card.dataset.kind](card, rows, message);
    }
  }
  const firstEvents = lastRows.get("last_events");
  if (firstEvents) welcome.hidden = firstEvents.length > 0;
}

// A drawing that is as wide as its card is drawn anew when the card changes.
addEventListener("resize", () => {
  for (const [id, rows] of lastRows) {
    if (cards.get(id).dataset.kind === "flow") drawings.flow(cards.get(id), rows, null);
  }
});

function state(now) {
  dot.className = `dot ${now}`;
  dot.title = say(now === "live" ? "live" : "reconnecting");
}

listen({ news, state });
