// What customers would have received, as it looks on a phone.

import "./shell.js";
import { el, renew } from "./dom.js";
import { formatClock, formatLongDay } from "./format.js";
import { say, sayOr } from "./words.js";

const EVERY_MS = 5000;

const holder = document.getElementById("mailbox");
const customer = holder.dataset.customer;
const list = el("ul", { class: "letters" });
const phone = el("div", { class: "phone" });
let shown = "";

const nameOf = (letter) => `${letter.customer}/${letter.message_id}`;

function show(letter) {
  if (shown === nameOf(letter)) return;
  shown = nameOf(letter);
  for (const each of list.querySelectorAll("button")) each.setAttribute("aria-current", String(each.dataset.name === shown));
  phone.replaceChildren(
    el("div", { class: "phone-head" }, el("strong", {}, letter.subject),
      el("span", { class: "small" }, `${sayOr(`channel_${letter.channel}`, letter.channel)} · ${formatClock(letter.sent_at_ms)}`)),
    el("iframe", {
      sandbox: "", title: say("letter_of", { subject: letter.subject }), loading: "lazy",
      src: `/v1/mailbox/${encodeURIComponent(letter.customer)}/${encodeURIComponent(letter.message_id)}`,
    }));
}

function entry(letter, label) {
  return el("li", {}, el("button", {
    class: "letter", type: "button", "data-name": nameOf(letter), "aria-current": String(shown === nameOf(letter)),
  },
  el("span", { class: "row" }, el("span", {}, label),
    el("time", { class: "small", datetime: new Date(letter.sent_at_ms).toISOString(), title: formatClock(letter.sent_at_ms) }, formatLongDay(letter.sent_at_ms))),
  el("span", { class: "subject" }, letter.subject),
  el("span", { class: "small" }, `${sayOr(`rule_${letter.rule}`, letter.rule)} · ${sayOr(`status_${letter.status}`, letter.status)}`)));
}

function draw({ letters, labels }) {
  holder.removeAttribute("aria-busy");
  if (customer) {
    renew(document.getElementById("mailbox-of"),
      el("a", { href: `/customers/${customer}` }, labels[customer] ?? customer.slice(0, 8)), " · ", el("a", { href: "/mailbox" }, say("mailbox_all")));
  }
  if (!letters.length) {
    renew(holder, el("p", { class: "empty" }, say("mailbox_empty")));
    return;
  }
  if (!list.isConnected) holder.replaceChildren(list, phone);
  const known = new Map(letters.map((letter) => [nameOf(letter), letter]));
  renew(list, ...letters.map((letter) => entry(letter, labels[letter.customer] ?? letter.customer.slice(0, 8))));
  for (const button of list.querySelectorAll("button")) button.onclick = () => show(known.get(button.dataset.name));
  if (!known.has(shown)) show(letters[0]);
}

async function read() {
  if (document.hidden) return;
  const answer = await fetch(`/v1/mailbox?limit=100${customer ? `&customer=${encodeURIComponent(customer)}` : ""}`).catch(() => null);
  if (answer?.ok) draw(await answer.json());
}

setInterval(read, EVERY_MS);
await read();
