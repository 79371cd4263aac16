// One customer: who, how they stand, why, and what was decided about them.

import "./shell.js";
import { el, renew } from "./dom.js";
import {
  formatAgo, formatClock, formatCount, formatDay, formatDecimal, formatLongDay, formatMoney, formatShare, formatWholeShare,
} from "./format.js";
import { say, sayOr, saySentence } from "./words.js";

const PROFILE_EVERY_MS = 3000;
const STORY_EVERY_MS = 10_000;
const DAY_MS = 86_400_000;

const holder = document.getElementById("customer");
const token = holder.dataset.token;
let story = null;
let storyTrouble = "";
let profile = null;
let offers = null;

const address = (path = "") => `/v1/customers/${encodeURIComponent(token)}${path}?by=token`;
const when = (ms) => el("time", { datetime: new Date(ms).toISOString(), title: formatClock(ms) }, formatLongDay(ms));
const money = (minor) => formatMoney(minor, profile.currency);

function card(width, title, ...content) {
  return el("section", { class: `card w${width}` },
    el("header", { class: "card-head" }, el("h2", {}, title)), el("div", { class: "card-body" }, ...content));
}

const fact = (name, value, more = null) => el("div", {},
  el("dt", {}, say(name)), el("dd", {}, value, more ? el("span", { class: "small" }, more) : null));

const none = (key) => el("p", { class: "empty" }, say(key));

function head(one) {
  const name = one.personal.name
    || [one.personal.first_name, one.personal.last_name].filter(Boolean).join(" ")
    || one.id || one.token.slice(0, 8);
  document.title = `${name} · Huitou 回頭`;
  const contact = [["id", one.id], ...Object.entries(one.personal)]
    .filter(([field, text]) => text && text !== name && !["first_name", "last_name"].includes(field));
  return [
    el("div", { class: "who" },
      el("h1", {}, name),
      el("span", { class: "pill" }, el("span", { class: `swatch t-${one.tier}`, "aria-hidden": "true" }), say(`tier_${one.tier}`)),
      one.dormancy ? el("span", { class: "pill" }, say(`dormancy_${one.dormancy}`)) : null,
      one.known ? null : el("span", { class: "pill" }, say("anonymous"))),
    el("p", { class: "contact" }, ...contact.map(([field, text]) => el("span", {}, `${sayOr(`personal_${field}`, field)}: ${text}`))),
  ];
}

function expected(one) {
  const range = one.expected_next_order;
  if (!range) return "–";
  return `${formatDay(range.from_ms)} – ${formatDay(range.to_ms)}`;
}

function standing(one) {
  const overdue = one.expected_next_order && one.expected_next_order.to_ms < one.at_ms;
  return card(12, say("how_they_stand"), el("dl", { class: "facts" },
    fact("fact_orders", formatCount(one.orders), one.last_order_ms ? say("last_order_ago", { ago: formatAgo(one.last_order_ms, one.at_ms) }) : null),
    fact("fact_value", money(one.value_cents), one.mean_order_cents === null ? null : say("mean_order", { value: money(one.mean_order_cents) })),
    fact("fact_cadence", one.mean_gap_days === null ? "–" : say("every_days", { n: formatDecimal(one.mean_gap_days) }),
      one.silence_days === null ? null : say("silent_days", { n: formatCount(one.silence_days) })),
    fact("fact_expected", expected(one), overdue ? say("overdue") : one.expected_next_order ? say("half_of_chances") : null),
    fact("fact_chance", one.hazard === null ? "–" : formatWholeShare(one.hazard), say("within_days", { n: one.hazard_horizon_days })),
    fact("fact_spending", one.spending_power ? say(`spending_${one.spending_power.replace(" ", "_")}`) : "–"),
    ...[30, 90, 365].map((days) => {
      const span = one.windows[days];
      return fact("fact_window_" + days, formatCount(span.orders), money(span.value_cents));
    })));
}

// The chances and what is to come, as foretold when the customer was folded last.
function outlook(one) {
  const ahead = one.outlook;
  if (!ahead) return card(6, say("outlook"), none("no_outlook"));
  return card(6, say("outlook"), lines([
    ...Object.entries(ahead.hazards).map(([days, share]) => [say("chance_within", { n: days }), formatWholeShare(share)]),
    [say("alive"), formatWholeShare(ahead.alive)],
    ...Object.entries(ahead.expected).map(([days, each]) => [
      say("expected_within", { n: days }),
      say("expected_orders_value", { orders: formatDecimal(each.orders), value: money(each.value_cents) }),
    ]),
  ]));
}

// A second view beside the tier: whom the shop's own clusters put together.
function cluster(one) {
  const like = one.cluster;
  if (!like) return card(6, say("cluster"), none("no_cluster"));
  return card(6, say("cluster"),
    el("p", {}, ...like.traits.map((trait) => el("span", { class: "pill" }, say(`trait_${trait}`)))),
    el("p", { class: "small" }, say("cluster_share", { share: formatWholeShare(like.share) })),
    el("p", { class: "small" }, say("cluster_typical", {
      orders: formatDecimal(like.orders), value: money(like.value_cents), days: formatCount(Math.round(like.silence_days)),
    })));
}

function recommended() {
  if (!offers) return card(6, say("recommended"), el("p", { class: "quiet" }, say("loading")));
  if (!offers.items.length) return card(6, say("recommended"), none("no_recommended"));
  return card(6, say("recommended"),
    el("table", {}, el("tbody", {}, ...offers.items.map((each) => el("tr", {},
      el("td", {}, each.name || each.product_id, each.category ? el("span", { class: "small" }, ` · ${each.category}`) : null),
      el("td", { class: "small" }, say(`recommended_${each.reason.name}`, { item: each.reason.with || "" })),
      el("td", { class: "n" }, each.price_cents ? money(each.price_cents) : ""))))),
    el("p", { class: "small" }, offers.model_version
      ? say("recommended_version", { version: String(offers.model_version) }) : say("recommended_unlearned")));
}

const reasonText = {
  tier: (one) => saySentence(one.sentence),
  longer_than_usual: (one) => say("why_longer_than_usual", { days: formatCount(one.days), usual: formatDecimal(one.usual_days) }),
  within_usual: (one) => say("why_within_usual", { days: formatCount(one.days), usual: formatDecimal(one.usual_days) }),
  silent: (one) => say("why_silent", { days: formatCount(one.days) }),
  hazard: (one) => say("why_hazard", { share: formatShare(one.hazard), days: one.horizon_days, version: one.version }),
  hazard_unlearned: (one) => say("why_hazard_unlearned", { share: formatShare(one.hazard), days: one.horizon_days }),
  ticket_open: (one) => say("why_ticket_open", { n: formatCount(one.tickets) }),
  unsubscribed: (one) => say("why_unsubscribed", { channel: sayOr(`channel_${one.channel}`, one.channel) }),
};

function why(one) {
  const lines = one.reasons.map((reason) => el("li", {},
    el("span", { class: "small" }, `${say(`about_${reason.about}`)}: `), reasonText[reason.code](reason)));
  return card(6, say("why"), lines.length ? el("ul", { class: "why" }, ...lines) : none("nothing_known"));
}

function bars(rows) {
  return el("dl", { class: "bars" }, ...rows.flatMap(([name, share, text]) => {
    const bar = el("i", { class: "now" });
    bar.style.width = `${share * 100}%`;
    return [el("dt", { title: name }, name), el("dd", {}, el("span", { class: "track", "aria-hidden": "true" }, bar)), el("dd", { class: "small" }, text)];
  }));
}

function favourites(one) {
  const rows = one.favourite_categories.map((each) => [each.category, each.share, formatWholeShare(each.share)]);
  return card(6, say("favourites"), rows.length ? bars(rows) : none("no_favourites"));
}

function lines(pairs) {
  return el("dl", { class: "lines" }, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function traits(one) {
  const all = Object.values(one.channels).reduce((sum, count) => sum + count, 0);
  const channels = Object.entries(one.channels).sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${sayOr(`channel_${name}`, name)} ${formatWholeShare(count / all)}`).join(", ");
  return card(6, say("traits"), lines([
    ...Object.entries(one.traits).map(([name, value]) => [sayOr(`trait_${name}`, name), String(value)]),
    [say("channels"), channels || "–"],
    [say("first_seen"), one.first_seen_ms ? when(one.first_seen_ms) : "–"],
    [say("looked_at"), say("looked_at_counts", {
      views: formatCount(one.views), carts: formatCount(one.carts), wishes: formatCount(one.wishes), searches: formatCount(one.searches),
    })],
    [say("coupons"), say("coupon_counts", { applied: formatCount(one.coupons.applied), discount: money(one.coupons.discount_cents) })],
  ]));
}

function service(one) {
  const file = one.service;
  const counts = ["tickets_opened", "tickets_answered", "tickets_closed", "tickets_open", "returns", "reviews"];
  if (!counts.some((name) => file[name]) && file.mean_rating === null) return card(6, say("service_file"), none("no_service"));
  return card(6, say("service_file"), lines([
    ...counts.map((name) => [say(`service_${name}`), formatCount(file[name])]),
    [say("service_mean_rating"), file.mean_rating === null ? "–" : formatDecimal(file.mean_rating)],
    [say("service_mean_review"), file.mean_review === null ? "–" : formatDecimal(file.mean_review)],
    [say("service_last_complaint"), file.last_complaint_ms ? when(file.last_complaint_ms) : "–"],
  ]));
}

function recent(one) {
  if (!one.recent.length) return card(6, say("recent_events"), none("no_events"));
  return card(6, say("recent_events"), el("table", {}, el("tbody", {}, ...one.recent.map((each) => el("tr", {},
    el("td", { class: "small" }, when(each.at_ms)),
    el("td", {}, sayOr(`event_${each.type}`, each.type), each.what ? el("span", { class: "small" }, ` · ${each.what}`) : null),
    el("td", { class: "n" }, each.cents ? money(each.cents) : ""))))));
}

function messages(one) {
  const link = el("p", { class: "small" }, el("a", { href: `/mailbox?customer=${one.token}` }, say("open_mailbox")));
  if (!one.messages.length) return card(6, say("messages"), none("no_messages"));
  return card(6, say("messages"), el("table", {}, el("tbody", {}, ...one.messages.map((each) => el("tr", {},
    el("td", { class: "small" }, when(each.at_ms)),
    el("td", {}, sayOr(`rule_${each.rule}`, each.rule)),
    el("td", { class: "n" }, sayOr(`status_${each.status}`, each.status)))))), link);
}

function timers(one) {
  const rows = [...one.timers].sort((a, b) => a.due_ms - b.due_ms).map((each) => {
    const more = [each.item, each.waits ? say(`waits_${each.waits}`) : ""].filter(Boolean);
    return el("tr", {},
      el("td", { class: "small" }, when(each.due_ms)),
      el("td", {}, sayOr(`rule_${each.rule}`, each.rule),
        more.length ? el("span", { class: "small" }, ` · ${more.join(" · ")}`) : null));
  });
  return card(6, say("timers"), rows.length ? el("table", {}, el("tbody", {}, ...rows)) : none("no_timers"));
}

function decided(each) {
  const status = each.status || (each.verdict === "sent" ? "sent" : "");
  return status ? sayOr(`decided_${status}`, status) : sayOr(`verdict_${each.verdict}`, each.verdict);
}

/** What a playbook decided beside the verdict: only what was said. */
function terms(each) {
  const channel = [each.action === "message" ? "" : each.action, each.message_channel].filter(Boolean).join(" · ");
  return [
    each.held_until ? [say("receipt_held_until"), when(each.held_until)] : null,
    channel ? [say("receipt_channel"), channel] : null,
    each.offer ? [say("receipt_offer"), each.offer] : null,
    each.coupon ? [say("receipt_coupon"), each.coupon] : null,
    each.arm ? [say("receipt_arm"), `${each.arm} · ${formatShare(each.propensity)}`] : null,
    each.passed?.length ? [say("receipt_passed"), each.passed.map(saySentence).join(" · ")] : null,
    each.rivals?.length ? [say("receipt_rivals"), each.rivals.map((rule) => sayOr(`rule_${rule}`, rule)).join(" · ")] : null,
    each.playbook_version ? [say("receipt_playbook"), String(each.playbook_version)] : null,
  ].filter(Boolean);
}

function receipt(each) {
  const inputs = typeof each.inputs === "string" ? JSON.parse(each.inputs || "{}") : each.inputs;
  return el("details", { class: "receipt" },
    el("summary", {}, when(each.at), el("span", {}, sayOr(`rule_${each.rule}`, each.rule),
      each.reason ? el("span", { class: "small" }, ` · ${saySentence(each.reason)}`) : null),
    el("span", { class: each.status === "held" ? "held" : each.verdict }, decided(each))),
    lines([
      [say("receipt_occasion"), each.occasion],
      ...terms(each),
      [say("receipt_chance"), formatShare(each.hazard)],
      [say("receipt_version"), String(each.hazard_version)],
      ...Object.entries(inputs).map(([name, value]) => [sayOr(`input_${name}`, name), name === "tier" ? sayOr(`tier_${value}`, String(value)) : String(value)]),
      [say("receipt_action"), each.action_id],
    ]));
}

function decisions() {
  if (storyTrouble) return card(12, say("decisions"), el("p", { class: "trouble" }, say("panel_failed", { why: storyTrouble })));
  if (!story) return card(12, say("decisions"), el("p", { class: "quiet" }, say("loading")));
  return card(12, say("decisions"), ...(story.decisions.length ? story.decisions.map(receipt) : [none("no_decisions")]));
}

function tierPath() {
  if (!story?.tier_changes.length) return card(6, say("tier_path"), none("no_tier_changes"));
  return card(6, say("tier_path"), el("table", {}, el("tbody", {}, ...story.tier_changes.map((each) => el("tr", {},
    el("td", { class: "small" }, when(each.at)),
    el("td", {}, el("span", { class: `swatch t-${each.to_tier}`, "aria-hidden": "true" }), say(`tier_${each.to_tier}`)),
    el("td", { class: "small" }, saySentence(each.reason)))))));
}

const slots = new Map();

// A place of its own for each card, so that one that changes leaves the others alone.
function slot(name, parent) {
  if (!slots.has(name)) slots.set(name, parent.appendChild(el("div", { class: "slot" })));
  return slots.get(name);
}

function draw() {
  if (!profile) return;
  if (holder.hasAttribute("aria-busy")) {
    holder.removeAttribute("aria-busy");
    holder.replaceChildren();
  }
  renew(slot("head", holder), ...head(profile));
  const grid = holder.querySelector(".grid") ?? holder.appendChild(el("div", { class: "grid" }));
  for (const part of [standing, why, outlook, cluster, recommended, favourites, recent, messages, traits, service, timers, tierPath, decisions]) {
    renew(slot(part.name, grid), part(profile));
  }
}

async function readProfile() {
  if (document.hidden) return;
  const answer = await fetch(address()).catch(() => null);
  if (answer?.status === 404 || answer?.status === 410) location.reload();
  if (!answer?.ok) return;
  profile = await answer.json();
  draw();
}

async function readOffers() {
  if (document.hidden) return;
  const answer = await fetch(`${address("/recommendations")}&n=8`).catch(() => null);
  if (!answer?.ok) return;
  offers = await answer.json();
  draw();
}

async function readStory() {
  if (document.hidden) return;
  const answer = await fetch(address("/story")).catch(() => null);
  if (!answer) return;
  const body = await answer.json();
  storyTrouble = answer.ok ? "" : body.error;
  if (answer.ok) story = body;
  draw();
}

setInterval(readProfile, PROFILE_EVERY_MS);
setInterval(readOffers, PROFILE_EVERY_MS);
setInterval(readStory, STORY_EVERY_MS);
await readProfile();
await readOffers();
await readStory();
