// One drawing a panel kind: `drawings[kind](card, rows, news)` renews the card's body.

import { bandChart, setBand, sparkline } from "./chart.js";
import { el, renew, setText } from "./dom.js";
import { TIERS, flowDrawing } from "./flow.js";
import {
  formatAgo, formatChange, formatCount, formatDecimal, formatLongDay, formatMoney, formatMs, formatSecond,
  formatShare, formatUnit, formatWeekday, formatWholeShare,
} from "./format.js";
import { say, sayOr, saySentence } from "./words.js";

const charts = new WeakMap();
const body = (card) => card.querySelector(".card-body");
const empty = (key) => el("p", { class: "empty" }, say(key));
const labels = new Map();

export function learnLabels(fresh) {
  for (const [token, label] of Object.entries(fresh)) labels.set(token, label);
}

function customerLink(token) {
  const label = labels.get(token) ?? token.slice(0, 8);
  return el("a", { href: `/customers/${token}`, title: label }, label);
}

function track(share, isNow = false) {
  const bar = el("i", { class: isNow ? "now" : null });
  bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return el("span", { class: "track", "aria-hidden": "true" }, bar);
}

function big(value, unit) {
  const text = formatUnit(value, unit);
  return el("p", { class: text.length > 9 ? "big long" : "big" }, text);
}

const ENOUGH_ORDERS = 5;

function delta(value, earlier) {
  if (!earlier.length) return el("p", { class: "delta" }, say("nothing_to_compare"));
  const mean = (name) => earlier.reduce((sum, row) => sum + row[name], 0) / earlier.length;
  if (mean("orders") < ENOUGH_ORDERS) return el("p", { class: "delta" }, say("too_early"));
  const change = value / mean("value") - 1;
  const direction = Math.abs(change) < 0.005 ? "" : change > 0 ? "up" : "down";
  const arrow = { up: "▲", down: "▼", "": "=" }[direction];
  return el("p", { class: `delta ${direction}` }, el("span", { "aria-hidden": "true" }, arrow),
    say("against_usual", { change: formatChange(change) }));
}

function compare(card, rows, { now_ms: now }) {
  const unit = card.dataset.unit;
  const value = (week) => rows.find((row) => row.week === week)?.value ?? null;
  const today = value(0) ?? 0;
  const earlier = rows.filter((row) => row.week > 0);
  const most = Math.max(today, ...earlier.map((row) => row.value), 1);
  const weekday = formatWeekday(now);
  const lines = [0, ...earlier.map((row) => row.week).sort()].flatMap((week) => [
    el("dt", {}, week ? say(week === 1 ? "last_weekday" : "weeks_ago", { weekday, n: week }) : say("today")),
    el("dd", {}, track((week ? value(week) : today) / most, week === 0)),
    el("dd", { class: "n" }, formatUnit(week ? value(week) : today, unit)),
  ]);
  renew(body(card), big(today, unit), delta(today, earlier), el("dl", { class: "weeks" }, ...lines));
}

function band(card, rows) {
  const holder = body(card);
  const unit = card.dataset.unit;
  let chart = charts.get(card);
  if (!chart) {
    const place = el("div", { class: "chart", role: "img" });
    holder.replaceChildren(place, el("p", { class: "legend" },
      el("span", {}, say(`legend_${unit}`)), el("span", { class: "l-usual" }, say("legend_usual")),
      el("span", { class: "l-band" }, say("legend_band"))));
    chart = bandChart(place, unit);
    charts.set(card, chart);
  }
  setBand(chart, rows);
  const last = rows.at(-1);
  holder.querySelector(".chart").setAttribute("aria-label", last ? say("chart_says", {
    value: formatUnit(last.value, unit), usual: formatUnit(last.usual, unit),
  }) : "");
}

function rates(card, rows) {
  const found = new Map(rows.map((row) => [row.days, row]));
  const columns = [30, 60, 90].map((days) => found.get(days) ?? { days, rate: null, eligible: 0 }).map((row) => el("div", { class: "rate" },
    el("dt", {}, say("within_days", { n: row.days })),
    el("dd", {}, el("p", { class: "big" }, row.rate === null ? "–" : formatShare(row.rate)), track(row.rate ?? 0, true),
      el("p", { class: "small" }, row.eligible
        ? say("returned_of", { returned: formatCount(row.returned), eligible: formatCount(row.eligible) })
        : say("nobody_eligible")))));
  renew(body(card), el("dl", { class: "rates-row" }, ...columns));
}

function tiers(card, rows) {
  const by = new Map(rows.map((row) => [row.tier, row]));
  const all = rows.reduce((sum, row) => sum + row.customers, 0);
  if (!all) return renew(body(card), empty("no_customers"));
  const bar = el("div", { class: "tier-bar", "aria-hidden": "true" }, ...TIERS.map((tier) => {
    const part = el("i", { class: `t-${tier}` });
    part.style.flexGrow = by.get(tier)?.customers ?? 0;
    return part;
  }));
  const lines = TIERS.map((tier) => {
    const row = by.get(tier) ?? { customers: 0, entered: 0, left: 0, value: 0 };
    return el("tr", {},
      el("td", {}, el("span", { class: `swatch t-${tier}`, "aria-hidden": "true" }), say(`tier_${tier}`)),
      el("td", { class: "n" }, formatCount(row.customers)),
      el("td", { class: "n small" }, formatWholeShare(row.customers / all)),
      el("td", { class: "n small optional" }, el("span", { class: "plus" }, `+${formatCount(row.entered)}`), " ",
        el("span", { class: "minus" }, `−${formatCount(row.left)}`)),
      el("td", { class: "n" }, formatUnit(row.value, "money")));
  });
  renew(body(card), bar, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("tier")), el("th", { class: "n", scope: "col" }, say("customers")),
      el("th", { class: "n", scope: "col" }, say("share")), el("th", { class: "n optional", scope: "col" }, say("in_7_days")),
      el("th", { class: "n", scope: "col" }, say("value_total")))),
    el("tbody", {}, ...lines)));
}

function flow(card, rows) {
  if (!rows.length) return renew(body(card), empty("no_moves"));
  renew(body(card), ...flowDrawing(rows, body(card).clientWidth));
}

function sleepers(card, rows) {
  if (!rows.length) return renew(body(card), empty("nobody_falls_asleep"));
  const lines = rows.map((row) => el("tr", {},
    el("td", { class: "name" }, customerLink(row.customer)),
    el("td", { class: "n" }, say("days", { n: formatCount(row.silence_days) })),
    el("td", { class: "n optional" }, formatUnit(row.value, "money")),
    el("td", { class: "n optional" }, el("span", { class: "chance" }, track(row.hazard, true), formatWholeShare(row.hazard))),
    el("td", { class: "n" }, formatUnit(row.at_risk, "money"))));
  renew(body(card), el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("customer")), el("th", { class: "n", scope: "col" }, say("silent_for")),
      el("th", { class: "n optional", scope: "col" }, say("value_total")),
      el("th", { class: "n optional", scope: "col" }, say("chance_30")),
      el("th", { class: "n", scope: "col" }, say("value_at_risk")))),
    el("tbody", {}, ...lines)));
}

function alerts(card, rows, { now_ms: now }) {
  if (!rows.length) return renew(body(card), empty("no_alerts"));
  renew(body(card), el("ul", { class: "feed" }, ...rows.map((row) => {
    const over = row.status === "resolved";
    return el("li", { class: over ? "resolved" : null },
      el("span", { class: `sev ${row.severity}`, title: sayOr(`severity_${row.severity}`, row.severity) }),
      el("div", {}, el("strong", {}, sayOr(`alert_${row.name}`, row.name)), " ",
        el("span", { class: "small" }, over ? say("resolved") : say("firing")),
        el("p", { class: "small" }, saySentence(row.summary))),
      el("time", { datetime: new Date(row.at).toISOString(), title: formatLongDay(row.at) }, formatAgo(row.at, now)));
  })));
}

function tally(card, rows) {
  const by = new Map(rows.map((row) => [row.name, row]));
  const line = (name) => [
    el("dt", {}, say(`tally_${name}`)),
    el("dd", {}, formatCount(by.get(name)?.today ?? 0)),
    el("dd", { class: "quiet" }, formatCount(by.get(name)?.total ?? 0)),
  ];
  renew(body(card), el("dl", { class: "tally-list" },
    el("dt", { class: "head" }, ""), el("dd", { class: "head" }, say("today")), el("dd", { class: "head" }, say("so_far_all")),
    ...["decided", "withheld"].flatMap(line), el("div", { class: "part" }),
    ...["sent", "delivered", "opened", "clicked", "bounced"].flatMap(line)));
}

function eventLine(row) {
  return el("li", { "data-position": row.position },
    el("time", { datetime: new Date(row.at).toISOString(), title: formatLongDay(row.at) }, formatSecond(row.at)),
    el("span", { class: "kind" }, sayOr(`event_${row.type}`, row.type)),
    el("span", { class: "what" }, customerLink(row.customer), row.what ? ` · ${sayOr(`rule_${row.what}`, row.what)}` : ""),
    el("span", { class: "n" }, row.value === null ? "" : formatUnit(row.value, "money")));
}

function events(card, rows) {
  if (!rows.length) return renew(body(card), empty("no_events"));
  let list = body(card).querySelector("ul");
  const first = !list;
  if (first) {
    list = el("ul", { class: "feed" });
    body(card).replaceChildren(list);
  }
  const shown = new Map([...list.children].map((line) => [line.dataset.position, line]));
  const lines = rows.map((row) => {
    const line = shown.get(row.position) ?? eventLine(row);
    if (shown.has(row.position)) setText(line.querySelector("a"), labels.get(row.customer) ?? row.customer.slice(0, 8));
    else if (!first) line.classList.add("fresh");
    return line;
  });
  list.replaceChildren(...lines);
}

function speed(card, rows) {
  const holder = body(card);
  let chart = charts.get(card);
  if (!chart) {
    const place = el("div", { class: "spark", "aria-hidden": "true" });
    holder.replaceChildren(el("p", { class: "big" }), el("p", { class: "quiet" }, say("events_per_second")), place);
    chart = sparkline(place);
    charts.set(card, chart);
  }
  setText(holder.querySelector(".big"), formatDecimal(rows.at(-1)?.value ?? 0));
  chart.setData([rows.map((row) => row.at / 1000), rows.map((row) => row.value)]);
}

const LATE = 1000;
function lag(card, rows) {
  if (!rows.length) return renew(body(card), empty("no_lag_yet"));
  const readers = [...new Set(rows.map((row) => row.topic))].sort();
  renew(body(card), el("table", {}, el("thead", {}, el("tr", {},
    el("th", { scope: "col" }, say("reader")), el("th", { class: "n", scope: "col" }, say("per_partition")))),
  el("tbody", {}, ...readers.map((reader) => el("tr", {},
    el("td", {}, sayOr(`reader_${reader}`, reader)),
    el("td", {}, el("span", { class: "cells" }, ...rows.filter((row) => row.topic === reader)
      .sort((a, b) => a.partition - b.partition)
      .map((row) => el("span", { class: row.lag > LATE ? "late" : null, title: say("partition_n", { n: row.partition }) },
        formatCount(row.lag))))))))));
}

function reasons(card, rows) {
  if (!rows.length) return renew(body(card), empty("no_dead_letters"));
  renew(body(card), el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("reason")),
    el("th", { class: "n", scope: "col" }, say("today")), el("th", { class: "n", scope: "col" }, say("so_far_all")))),
  el("tbody", {}, ...rows.map((row) => el("tr", {}, el("td", {}, row.reason),
    el("td", { class: "n" }, formatCount(row.today)), el("td", { class: "n" }, formatCount(row.total)))))));
}

function offers(card, rows) {
  if (!rows.length) return renew(body(card), empty("no_coupons"));
  const head = (key, more = "") => el("th", { class: `n ${more}`, scope: "col" }, say(key));
  const cell = (text, more = "") => el("td", { class: `n ${more}` }, text);
  const sum = (minor, elsewhere, unlimited = 0) => {
    const parts = Object.entries(elsewhere).map(([code, other]) => `${formatMoney(other, code)} ${code}`);
    if (unlimited) parts.push(say("coupons_unlimited", { n: formatCount(unlimited) }));
    return (minor || !parts.length ? [formatMoney(minor), ...parts] : parts).join(" + ");
  };
  renew(body(card), el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("offer")),
    ...["coupons_open", "coupons_may_cost", "coupons_redeemed"].map((key) => head(key)),
    ...["coupons_cost", "coupons_over"].map((key) => head(key, "roomy")))),
  el("tbody", {}, ...rows.map((row) => el("tr", {}, el("td", {}, row.offer), cell(formatCount(row.open)),
    cell(sum(row.may_cost, row.may_cost_elsewhere, row.unlimited), "wraps"), cell(formatCount(row.redeemed)),
    cell(sum(row.cost, row.cost_elsewhere), "roomy wraps"),
    cell(formatCount(row.expired + row.revoked), "roomy"))))));
}

function latency(card, rows, { arrivals }) {
  const all = [...rows, { stage: "page", p50: arrivals.p50_ms, p99: arrivals.p99_ms }];
  renew(body(card), el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("from_log_to")),
    el("th", { class: "n", scope: "col" }, "p50"), el("th", { class: "n", scope: "col" }, "p99"))),
  el("tbody", {}, ...all.map((row) => el("tr", {}, el("td", {}, sayOr(`stage_${row.stage}`, row.stage)),
    el("td", { class: "n" }, formatMs(row.p50)), el("td", { class: "n" }, formatMs(row.p99)))))));
}

export const drawings = {
  compare, band, rates, tiers, flow, sleepers, alerts, tally, events, speed, lag, reasons, latency, offers,
};
// These show something that moves although their own rows stay.
export const movesWithTheBeat = new Set(["latency", "alerts"]);
