"""The report of an evaluation: one page that needs nothing else, light or dark, wide or narrow."""

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from streams.evaluate.outcome import Plot

_COLOURS = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c2255c", "#868e96", "#1864ab", "#a61e4d")
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fbfaf8; --line: #d9d5cc }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9e6df; --paper: #17181a; --line: #3a3b3f } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid var(--line); padding: .3rem .2rem; overflow-wrap: anywhere }
td + td { text-align: right; font-variant-numeric: tabular-nums }
.plot { width: 100% } .u-legend { font-size: .85rem; color: var(--ink) }
"""
_SCRIPT = """
const dark = matchMedia('(prefers-color-scheme: dark)').matches;
const ink = dark ? '#a39d90' : '#6b6558', line = dark ? '#3a3b3f' : '#e4e0d8';
for (const plot of PLOTS) {
  const place = document.getElementById(plot.place);
  const axis = (label) => ({label, stroke: ink, grid: {stroke: line}, ticks: {stroke: line}});
  const chart = new uPlot({
    width: place.clientWidth, height: 280, scales: {x: {time: plot.time}},
    axes: [axis(plot.x), axis(plot.y)],
    series: [{label: plot.x}, ...plot.series.map((one) => ({
      label: one.name, stroke: one.colour, width: one.kind === 'points' ? 0 : 2, spanGaps: true,
      paths: one.kind === 'bars' ? uPlot.paths.bars({size: [.8, 60]}) : undefined,
      fill: one.kind === 'bars' ? one.colour + '55' : undefined,
      points: {show: one.kind === 'points' || plot.xs.length < 40, size: 6, fill: one.colour},
    }))],
  }, [plot.xs, ...plot.series.map((one) => one.ys)], place);
  addEventListener('resize', () => chart.setSize({width: place.clientWidth, height: 280}));
}
"""


def page(name: str, figures: dict[str, Any], plots: Sequence[Plot]) -> str:
    """Write the page: plots, then every figure."""
    static = files("sinks.web") / "static"
    sections = "".join(
        f'<h2>{html.escape(plot.title)}</h2><div class="plot" id="plot-{number}"></div>'
        for number, plot in enumerate(plots)
    )
    drawn = json.dumps([_drawn(number, plot) for number, plot in enumerate(plots)])
    title = html.escape(f"huitou evaluate {name}")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>"
        f"<style>{(static / 'uPlot.min.css').read_text()}{_STYLE}</style>"
        f"<h1>{title}</h1>{sections}<h2>Figures</h2><table>{_rows(figures)}</table>"
        f"<script>{(static / 'uPlot.iife.min.js').read_text()}</script>"
        # No text of a history may end the script.
        f"<script>const PLOTS = {drawn.replace('<', chr(92) + 'u003c')};{_SCRIPT}</script></html>"
    )


def _rows(figures: dict[str, Any], prefix: str = "") -> str:
    rows = []
    for field, value in figures.items():
        if isinstance(value, dict):
            rows.append(_rows(value, f"{prefix}{field}."))
        else:
            shown = json.dumps(value) if isinstance(value, list) else str(value)
            rows.append(
                f"<tr><td>{html.escape(prefix + field)}</td><td>{html.escape(shown)}</td></tr>"
            )
    return "".join(rows)


def _drawn(number: int, plot: Plot) -> dict[str, Any]:
    """Put all series of a plot on the same xs, as the charts want them."""
    xs = sorted({x for series in plot.series for x in series.xs})
    drawn = []
    for at, series in enumerate(plot.series):
        known = dict(zip(series.xs, series.ys, strict=True))
        drawn.append(
            {
                "name": series.name,
                "kind": series.kind,
                "colour": _COLOURS[at % len(_COLOURS)],
                "ys": [known.get(x) for x in xs],
            }
        )
    place = f"plot-{number}"
    return {
        "place": place,
        "time": plot.is_time,
        "x": plot.x_label,
        "y": plot.y_label,
        "xs": xs,
        "series": drawn,
    }
