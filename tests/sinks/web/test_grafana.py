"""The Grafana dashboard is the page's own panels, and the committed file is current."""

import json
from pathlib import Path
from typing import Any

import yaml

from sinks.web.grafana import DATASOURCE, dashboard, grafana_sql, text
from sinks.web.panels import load_panels

GRAFANA = Path(__file__).parents[3] / "sinks" / "grafana"
COMMITTED = GRAFANA / "dashboards" / "huitou.json"


def panels() -> list[dict[str, Any]]:
    return list(dashboard(load_panels())["panels"])


def test_the_committed_dashboard_is_current() -> None:
    assert COMMITTED.read_text("utf-8") == text(), (
        "panels.yaml changed: python -m sinks.web.grafana > sinks/grafana/dashboards/huitou.json"
    )


def test_every_panel_of_the_page_is_there_with_its_words() -> None:
    assert [(one["title"], one["description"]) for one in panels()] == [
        (one.title["en"], one.definition["en"]) for one in load_panels()
    ]


def test_no_two_panels_overlap_and_none_leaves_the_grid() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_queries_keep_grafanas_macros_and_lose_ours() -> None:
    assert grafana_sql("$__money(sum(a)), $__timeFilter(at)") == (
        "(sum(a)) / ${minor_units}, $__timeFilter(at)"
    )
    assert all("$__money" not in one["targets"][0]["rawSql"] for one in panels())


def test_every_variable_a_query_uses_is_a_variable_of_the_dashboard() -> None:
    whole = dashboard(load_panels())
    named = {one["name"] for one in whole["templating"]["list"]}
    assert named == {"timezone", "currency", "minor_units"}
    for name in named:
        assert any(f"${{{name}}}" in one["targets"][0]["rawSql"] for one in whole["panels"])


def test_every_query_asks_the_provisioned_datasource() -> None:
    provisioned = yaml.safe_load((GRAFANA / "datasources" / "clickhouse.yml").read_text("utf-8"))
    [source] = provisioned["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == DATASOURCE
    for panel in json.loads(COMMITTED.read_text("utf-8"))["panels"]:
        assert panel["datasource"] == DATASOURCE
        assert panel["targets"][0]["datasource"] == DATASOURCE
