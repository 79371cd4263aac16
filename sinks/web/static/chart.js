// The course of the last hours over the band of the same hours in earlier weeks, and sparklines.

import { colour, el, setText } from "./dom.js";
import { formatCompact, formatCompactMoney, formatDay, formatHour, formatUnit, formatWeekday, isMidnight, timeZone } from "./format.js";
import { say } from "./words.js";

const DAY_S = 86400;
const AXIS_FONT = '12px ui-sans-serif, -apple-system, "Segoe UI", Arial, sans-serif';
const charts = new Set();
addEventListener("themechange", () => requestAnimationFrame(() => charts.forEach((one) => one.redraw(false))));

function keepSize(holder, chart) {
  charts.add(chart);
  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = holder;
    if (width && height && (width !== chart.width || height !== chart.height)) chart.setSize({ width, height });
  }).observe(holder);
}

function hourTick(seconds) {
  const ms = seconds * 1000;
  return isMidnight(ms) ? `${formatWeekday(ms)} ${formatDay(ms)}` : formatHour(ms);
}

function axisValue(unit) {
  const write = unit === "money" ? formatCompactMoney : formatCompact;
  return (_, ticks) => ticks.map(write);
}

function tooltip(unit) {
  const tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const head = tip.appendChild(el("div"));
  const body = tip.appendChild(el("div"));
  return {
    hooks: {
      init: [(u) => u.over.appendChild(tip)],
      setCursor: [(u) => {
        const at = u.cursor.idx;
        tip.hidden = at === null || at === undefined || u.cursor.left < 0;
        if (tip.hidden) return;
        const [times, high, low, usual, value, sofar] = u.data.map((column) => column[at]);
        const ms = times * 1000;
        setText(head, `${formatWeekday(ms)} ${formatDay(ms)}, ${formatHour(ms)}`);
        const now = value ?? sofar;
        body.replaceChildren(
          el("b", {}, formatUnit(now, unit)), value === null && sofar !== null ? ` ${say("so_far")}` : "",
          el("br"), say("usual_range", {
            usual: formatUnit(usual, unit), low: formatUnit(low, unit), high: formatUnit(high, unit),
          }),
        );
        const x = u.valToPos(times, "x");
        tip.style.top = "6px";
        tip.style.left = x > u.over.clientWidth / 2 ? "" : `${x + 14}px`;
        tip.style.right = x > u.over.clientWidth / 2 ? `${u.over.clientWidth - x + 14}px` : "";
      }],
    },
  };
}

function area(u) {
  const soft = u.ctx.createLinearGradient(0, u.bbox.top, 0, u.bbox.top + u.bbox.height);
  soft.addColorStop(0, colour("accent-soft"));
  soft.addColorStop(1, "rgba(0, 0, 0, 0)");
  return soft;
}

export function bandChart(holder, unit) {
  const uPlot = globalThis.uPlot;
  const spline = uPlot.paths.spline();
  const nothing = { stroke: "rgba(0,0,0,0)", width: 0, points: { show: false } };
  const axis = { stroke: () => colour("ink-3"), font: AXIS_FONT, ticks: { show: false } };
  const chart = new uPlot({
    width: holder.clientWidth, height: holder.clientHeight,
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timeZone),
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    padding: [8, 24, 0, 0],
    scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.08, unit === "money" ? 100 : 1)] } },
    axes: [
      {
        ...axis, grid: { show: false }, size: 28, space: 76,
        incrs: [3600 * 3, 3600 * 6, 3600 * 12, DAY_S],
        values: (_, ticks) => ticks.map(hourTick),
      },
      {
        ...axis, size: 46, gap: 6, space: 44, values: axisValue(unit),
        grid: { stroke: () => colour("line"), width: 1 },
        incrs: unit === "money" ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000],
      },
    ],
    bands: [{ series: [1, 2], fill: () => colour("band") }],
    series: [
      {},
      { ...nothing, paths: spline }, { ...nothing, paths: spline },
      { stroke: () => colour("usual"), width: 1.25, dash: [4, 4], paths: spline, points: { show: false } },
      { stroke: () => colour("accent"), width: 2.25, fill: area, paths: spline, points: { show: false } },
      {
        stroke: () => colour("accent"), width: 0, paths: () => null,
        points: { show: true, size: 8, width: 2, stroke: () => colour("accent"), fill: () => colour("card") },
      },
    ],
    plugins: [tooltip(unit)],
  }, [[], [], [], [], [], []], holder);
  keepSize(holder, chart);
  return chart;
}

// The hour that still runs is a point of its own: drawn as part of the line it would always look like a fall.
export function setBand(chart, rows) {
  const last = rows.length - 1;
  const column = (name) => rows.map((row) => row[name]);
  chart.setData([
    rows.map((row) => row.at / 1000), column("high"), column("low"), column("usual"),
    rows.map((row, at) => (at === last ? null : row.value)),
    rows.map((row, at) => (at === last ? row.value : null)),
  ]);
}

export function sparkline(holder) {
  const uPlot = globalThis.uPlot;
  const chart = new uPlot({
    width: holder.clientWidth, height: holder.clientHeight,
    legend: { show: false }, cursor: { show: false }, padding: [4, 0, 2, 0],
    scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] } },
    axes: [{ show: false }, { show: false }],
    series: [{}, { stroke: () => colour("accent"), width: 1.75, fill: area, points: { show: false } }],
  }, [[], []], holder);
  keepSize(holder, chart);
  return chart;
}
