// Who moved from which tier to which: a ribbon's width is the number of customers.

import { el, svg } from "./dom.js";
import { formatCount } from "./format.js";
import { say } from "./words.js";

export const TIERS = ["high_value", "potential", "regular", "new", "dormant"];
const HEIGHT = 250;
const NODE = 8;
const GAP = 12;
const LABEL_AT_MOST = 150;
const ENOUGH_FOR_TEXT = 10;

const tierName = (tier) => say(tier ? `tier_${tier}` : "tier_none");

function stack(rows, side, unit) {
  const nodes = new Map();
  let top = 3;
  for (const tier of ["", ...TIERS]) {
    const customers = rows.filter((row) => row[side] === tier).reduce((sum, row) => sum + row.customers, 0);
    if (!customers) continue;
    const height = Math.max(customers * unit, 2);
    nodes.set(tier, { tier, customers, top, height, used: 0 });
    top += Math.max(height, ENOUGH_FOR_TEXT) + GAP;
  }
  return nodes;
}

function node(one, x, anchor, textX) {
  const group = svg("g", {},
    svg("rect", { x, y: one.top, width: NODE, height: one.height, rx: 2, class: `flow-node f-${one.tier || "none"}` }));
  const label = svg("text", { x: textX, y: Math.max(one.top + one.height / 2, 8) + 4, "text-anchor": anchor });
  const count = svg("tspan", { class: "count" });
  count.append(` ${formatCount(one.customers)}`);
  label.append(tierName(one.tier), count);
  group.append(label);
  return group;
}

function link(row, from, to, unit, [x0, x1]) {
  const thick = Math.max(row.customers * unit, 1.5);
  const y0 = from.top + from.used + thick / 2;
  const y1 = to.top + to.used + thick / 2;
  from.used += thick;
  to.used += thick;
  const middle = (x0 + x1) / 2;
  const path = svg("path", {
    d: `M${x0},${y0}C${middle},${y0} ${middle},${y1} ${x1},${y1}`,
    "stroke-width": thick, class: `flow-link f-${row.to_tier || "none"}`,
  });
  const title = svg("title");
  title.append(`${tierName(row.from_tier)} → ${tierName(row.to_tier)}: ${formatCount(row.customers)}`);
  path.append(title);
  return path;
}

export function flowDrawing(rows, width) {
  const known = ["", ...TIERS];
  const sorted = rows.filter((row) => known.includes(row.from_tier) && TIERS.includes(row.to_tier))
    .sort((a, b) => known.indexOf(a.from_tier) - known.indexOf(b.from_tier)
      || known.indexOf(a.to_tier) - known.indexOf(b.to_tier));
  const all = sorted.reduce((sum, row) => sum + row.customers, 0);
  const unit = (HEIGHT - 6 * (GAP + 4)) / Math.max(all, 1);
  const left = stack(sorted, "from_tier", unit);
  const right = stack(sorted, "to_tier", unit);
  const label = Math.min(LABEL_AT_MOST, width * 0.28);
  const ends = [label + NODE, width - label - NODE];
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img",
    "aria-label": say("flow_drawing", { n: formatCount(all) }),
  });
  for (const row of sorted) drawing.append(link(row, left.get(row.from_tier), right.get(row.to_tier), unit, ends));
  for (const one of left.values()) drawing.append(node(one, label, "end", label - 10));
  for (const one of right.values()) drawing.append(node(one, ends[1], "start", ends[1] + NODE + 10));
  return [drawing, listing(sorted)];
}

// The same for those who cannot see it.
function listing(rows) {
  return el("ul", { class: "unseen" }, ...rows.map((row) => el("li", {},
    `${tierName(row.from_tier)} → ${tierName(row.to_tier)}: ${formatCount(row.customers)}`)));
}
