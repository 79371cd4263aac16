"""The Grafana dashboard, written from the page's own panels.

python -m sinks.web.grafana > sinks/grafana/dashboards/huitou.json
"""

import json
import sys
from typing import Any

from sinks.web.macros import replace_calls
from sinks.web.panels import Panel, load_panels

DATASOURCE = {"type": "grafana-clickhouse-datasource", "uid": "huitou-clickhouse"}
DASHBOARD_UID = "huitou"
COLUMNS = 24
MONEY = "locale"
UNITS = {"money": MONEY, "count": "short", "share": "percentunit", "ms": "ms", "per_s": "ops"}
DRAWN_AS = {"band": "timeseries", "speed": "timeseries", "compare": "barchart", "tiers": "bargauge"}
COLUMN_UNITS = {
    "rate": "percentunit",
    "hazard": "percentunit",
    "p50": "ms",
    "p99": "ms",
    "at_risk": MONEY,
    "may_cost": MONEY,
    "cost": MONEY,
}
# Their own column is an amount although the panel counts something else.
AMOUNT_OF = {"tiers": ("value",), "events": ("value",), "sleepers": ("value",)}
_TIMESERIES, _TABLE = 0, 1

Json = dict[str, Any]


def dashboard(panels: tuple[Panel, ...], language: str = "en") -> Json:
    """Build the dashboard; positions follow the page's rows of twelve columns."""
    return {
        "id": None,
        "uid": DASHBOARD_UID,
        "title": "Huitou",
        "description": (
            "The end of the range is the moment that panels speak of. Where a history was replayed "
            "the log's time is not the wall's: choose a range that ends at the log's time."
        ),
        "tags": ["huitou"],
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-48h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                _variable("timezone", "Time zone", "UTC"),
                _variable("currency", "Currency", "USD"),
                _variable("minor_units", "Minor units in one of the currency", "100"),
            ]
        },
        "panels": _placed([_panel(number, one, language) for number, one in enumerate(panels, 1)]),
    }


def grafana_sql(sql: str) -> str:
    """Query as Grafana sends it: all macros are the plugin's own but the one for amounts."""
    return replace_calls(sql, "$__money", lambda amount: f"({amount}) / ${{minor_units}}")


def _panel(number: int, panel: Panel, language: str) -> Json:
    drawn_as = DRAWN_AS.get(panel.kind, "table")
    as_series = drawn_as == "timeseries"
    return {
        "id": number,
        "type": drawn_as,
        "title": panel.title[language],
        "description": panel.definition[language],
        "datasource": DATASOURCE,
        "gridPos": {"h": panel.height, "w": panel.width * COLUMNS // 12, "x": 0, "y": 0},
        "targets": [
            {
                "refId": "A",
                "datasource": DATASOURCE,
                "editorType": "sql",
                "queryType": "timeseries" if as_series else "table",
                "format": _TIMESERIES if as_series else _TABLE,
                "rawSql": grafana_sql(panel.sql),
            }
        ],
        "fieldConfig": {
            "defaults": {"unit": UNITS[panel.unit]},
            "overrides": _overrides(panel),
        },
        "options": _options(drawn_as),
    }


def _overrides(panel: Panel) -> list[Json]:
    if panel.kind == "band":
        return [
            _override("high", ("custom.lineWidth", 0), ("custom.fillBelowTo", "low")),
            _override("low", ("custom.lineWidth", 0)),
            _override("usual", ("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})),
        ]
    units = {**COLUMN_UNITS, **dict.fromkeys(AMOUNT_OF.get(panel.kind, ()), MONEY)}
    return [_override(column, ("unit", unit)) for column, unit in sorted(units.items())]


def _override(column: str, *properties: tuple[str, Any]) -> Json:
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [{"id": name, "value": value} for name, value in properties],
    }


def _options(drawn_as: str) -> Json:
    if drawn_as == "barchart":
        return {"xField": "week", "orientation": "horizontal", "legend": {"showLegend": True}}
    if drawn_as == "bargauge":
        return {
            "orientation": "horizontal",
            "reduceOptions": {"values": True, "fields": "/^customers$/", "calcs": []},
        }
    return {}


def _placed(panels: list[Json]) -> list[Json]:
    x = y = tallest = 0
    for panel in panels:
        place = panel["gridPos"]
        if x + place["w"] > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        place.update(x=x, y=y)
        x, tallest = x + place["w"], max(tallest, place["h"])
    return panels


def _variable(name: str, label: str, value: str) -> Json:
    chosen = {"text": value, "value": value, "selected": True}
    return {
        "name": name,
        "label": label,
        "type": "textbox",
        "query": value,
        "current": chosen,
        "options": [chosen],
        "hide": 0,
    }


def text() -> str:
    """The committed file's content."""
    return json.dumps(dashboard(load_panels()), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
