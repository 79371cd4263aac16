// What rules brought: customers they acted on against those left alone, with bounds.

import "./shell.js";
import { el, renew } from "./dom.js";
import { formatCount, formatDecimal, formatMoney, formatShare } from "./format.js";
import { say, sayOr } from "./words.js";

const EVERY_MS = 30_000;
const OUTCOMES = ["orders", "revenue_cents", "discount_cents", "buyers", "unsubscribed"];
const UNWANTED = new Set(["discount_cents", "unsubscribed"]);

const holder = document.getElementById("lift");
const days = document.getElementById("days");

const isMoney = (name) => name.endsWith("_cents");
const isShare = (name) => name === "buyers" || name === "unsubscribed";
const each = (name, value) => isMoney(name) ? formatMoney(value) : isShare(name) ? formatShare(value) : value.toFixed(3);
const whole = (name, value) => isMoney(name) ? formatMoney(value) : Math.abs(value) < 100 ? formatDecimal(value) : formatCount(value);
const plus = (value, text) => value > 0 ? `+${text}` : text;

function verdict(name, one) {
  if (one.low === null) return el("span", { class: "quiet" }, say("lift_too_few"));
  if (!one.clear) return el("span", { class: "quiet" }, say("lift_not_clear"));
  const good = (one.difference > 0) !== UNWANTED.has(name);
  return el("strong", { class: `delta ${good ? "up" : "down"}` }, say(one.difference > 0 ? "lift_more" : "lift_less"));
}

const bounds = (name, low, high) => low === null ? "–" : say("lift_between", { low: whole(name, low), high: whole(name, high) });

function row(name, one) {
  return el("tr", {},
    el("th", { scope: "row" }, say(`lift_${name}`)),
    el("td", { class: "n" }, each(name, one.treated)),
    el("td", { class: "n" }, each(name, one.control)),
    el("td", { class: "n" }, plus(one.total, whole(name, one.total))),
    el("td", { class: "n" }, bounds(name, one.total_low, one.total_high)),
    el("td", {}, verdict(name, one)));
}

const head = (...names) => el("thead", {}, el("tr", {}, ...names.map((name, at) => el("th", { scope: "col", class: at && at < names.length - 1 ? "n" : null }, name))));

function table(lift) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title(lift) }, el("table", { class: "lift" },
    head(say("lift_outcome"), say("lift_treated"), say("lift_control"), say("lift_brought"), say("lift_bounds"), say("lift_verdict")),
    el("tbody", {}, ...OUTCOMES.map((name) => row(name, lift.outcomes[name])))));
}

// Tiers and arms one line each: what they brought in orders and money.
function parts(lifts) {
  if (!lifts.length) return null;
  return el("details", {}, el("summary", {}, say("lift_parts")), el("div", { class: "scroll" }, el("table", { class: "lift" },
    head(say("lift_part"), say("lift_customers"), say("lift_orders"), say("lift_bounds"), say("lift_revenue_cents"), say("lift_bounds")),
    el("tbody", {}, ...lifts.map((lift) => el("tr", {},
      el("th", { scope: "row" }, part(lift)),
      el("td", { class: "n" }, say("lift_sizes", { treated: formatCount(lift.treated), control: formatCount(lift.control) })),
      ...["orders", "revenue_cents"].flatMap((name) => {
        const one = lift.outcomes[name];
        return [el("td", { class: "n" }, plus(one.total, whole(name, one.total))), el("td", { class: "n" }, bounds(name, one.total_low, one.total_high))];
      })))))));
}

const part = (lift) => [
  lift.tier ? sayOr(`tier_${lift.tier}`, lift.tier) : null, lift.arm ? say("lift_arm", { arm: lift.arm }) : null,
].filter(Boolean).join(" · ");

const title = (lift) => lift.rule ? sayOr(`rule_${lift.rule}`, lift.rule) : say("lift_all_rules");

function card(lifts, mixed) {
  const lead = lifts.find((lift) => !lift.tier && !lift.arm);
  return el("section", { class: "card w12" },
    el("header", { class: "card-head" }, el("h2", {}, title(lead))),
    el("div", { class: "card-body" },
      el("p", { class: "small" }, say("lift_sizes", { treated: formatCount(lead.treated), control: formatCount(lead.control) }),
        mixed ? ` · ${say("lift_mixed", { n: formatCount(mixed) })}` : null),
      table(lead), parts(lifts.filter((lift) => lift !== lead))));
}

function draw({ lifts, mixed }) {
  const rules = [...new Set(lifts.map((lift) => lift.rule))];
  const known = rules.map((rule) => lifts.filter((lift) => lift.rule === rule)).filter((own) => own.some((lift) => !lift.tier && !lift.arm));
  if (!known.length) return renew(holder, el("p", { class: "empty" }, say("lift_empty")));
  return renew(holder, ...known.map((own) => card(own, mixed[own[0].rule ?? "all"] ?? 0)));
}

async function read() {
  if (document.hidden) return;
  const answer = await fetch(`/v1/lift?days=${days.value}`).catch(() => null);
  holder.removeAttribute("aria-busy");
  if (answer?.ok) draw(await answer.json());
  else renew(holder, el("p", { class: "trouble" }, say("lift_unavailable")));
}

days.addEventListener("change", read);
setInterval(read, EVERY_MS);
await read();
