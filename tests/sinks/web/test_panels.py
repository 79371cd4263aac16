"""The panels: their file, and their SQL on the real engine."""

from pathlib import Path

import pytest

from models.clock import HOUR_MS
from sinks.web.engine import Engine
from sinks.web.macros import Scope
from sinks.web.panels import COLUMNS, BadPanel, Panel, load_panels
from tests.builders import cancelled, order
from tests.contract.records import judged
from tests.sinks.web.shop import NOW_MS, Shop, named

PANELS = load_panels()


async def rows_of(shop: Shop, panel_id: str) -> list[dict[str, object]]:
    panel = next(one for one in PANELS if one.id == panel_id)
    engine = Engine(shop.clickhouse)
    scope = Scope(NOW_MS // 1000 - panel.hours * 3600, NOW_MS // 1000, "UTC", "EUR")
    try:
        return await engine.rows(panel.query(), scope.parameters(), 20_000)
    finally:
        engine.close()


def test_every_kind_of_panel_is_shown_by_one() -> None:
    assert {one.kind for one in PANELS} == set(COLUMNS)


@pytest.mark.real
@pytest.mark.parametrize("panel", PANELS, ids=[one.id for one in PANELS])
async def test_each_query_gives_the_columns_of_its_kind(shop: Shop, panel: Panel) -> None:
    rows = await rows_of(shop, panel.id)
    assert rows, "the filled shop has something for every panel"
    assert tuple(rows[0]) == COLUMNS[panel.kind]


@pytest.mark.real
@pytest.mark.parametrize("panel", PANELS, ids=[one.id for one in PANELS])
async def test_each_query_bears_a_fresh_installation(fresh_shop: Shop, panel: Panel) -> None:
    for row in await rows_of(fresh_shop, panel.id):
        assert tuple(row) == COLUMNS[panel.kind]


@pytest.mark.real
async def test_today_is_compared_with_the_same_time_of_the_same_weekday(shop: Shop) -> None:
    assert await rows_of(shop, "revenue_today") == [
        {"week": week, "value": 20_000 + week, "orders": 1} for week in range(5)
    ]


@pytest.mark.real
async def test_a_cancelled_order_is_counted_by_no_panel(empty_shop: Shop) -> None:
    shop = empty_shop
    await shop.fold(
        order("o1", cents=500, at_ms=NOW_MS - 5_000, customer=named("anna")),
        order("o2", cents=700, at_ms=NOW_MS - 4_000, customer=named("anna")),
        cancelled("o1", at_ms=NOW_MS - 3_000, customer=named("anna")),
    )
    assert await rows_of(shop, "orders_today") == [{"week": 0, "value": 1, "orders": 1}]
    assert [one["value"] for one in await rows_of(shop, "revenue_48h")][-1] == 700


@pytest.mark.real
async def test_another_currency_does_not_swell_the_revenue(empty_shop: Shop) -> None:
    await empty_shop.fold(
        order("o1", cents=500, at_ms=NOW_MS - 5_000, customer=named("anna")),
        order("o2", cents=900, at_ms=NOW_MS - 4_000, customer=named("anna"), currency="JPY"),
    )
    assert await rows_of(empty_shop, "revenue_today") == [{"week": 0, "value": 500, "orders": 1}]


@pytest.mark.real
async def test_the_band_holds_the_same_hour_of_four_weeks(shop: Shop) -> None:
    hours = await rows_of(shop, "revenue_48h")
    assert len(hours) == 49
    assert hours[-2] == {
        "at": NOW_MS // HOUR_MS * HOUR_MS - HOUR_MS,
        "value": 20_000,
        "low": 20_001,
        "usual": 20_002.5,
        "high": 20_004,
    }


@pytest.mark.real
async def test_the_repurchase_rate_is_that_of_the_published_view(shop: Shop) -> None:
    engine = Engine(shop.clickhouse)
    rows = await rows_of(shop, "repurchase")
    assert [one["days"] for one in rows] == [30, 60, 90]
    for row in rows:
        asked = f"SELECT * FROM repurchase(days = {row.pop('days')}, now_ms = {NOW_MS})"
        [view] = await engine.rows(asked, {}, 60_000)
        assert row == view
    engine.close()


@pytest.mark.real
async def test_who_falls_asleep_is_listed_with_what_is_at_risk(shop: Shop) -> None:
    [sleeper] = await rows_of(shop, "sleepers")
    assert (sleeper["customer"], sleeper["silence_days"]) == (named("bo"), 22)
    assert sleeper["at_risk"] == pytest.approx(6_000 * (1 - float(str(sleeper["hazard"]))))


@pytest.mark.real
async def test_an_offers_coupons_are_shown_with_what_they_can_cost(shop: Shop) -> None:
    found = {row["offer"]: row for row in await rows_of(shop, "coupons")}
    assert [found["welcome"][name] for name in ("open", "may_cost", "unlimited")] == [1, 500, 0]
    assert [found["spring"][name] for name in ("open", "may_cost", "unlimited")] == [1, 0, 1]


@pytest.mark.real
async def test_money_of_coupons_in_other_currencies_stands_for_itself(empty_shop: Shop) -> None:
    used = {"outcome": "redeemed", "issued": 0, "open": -1, "redeemed": 1}
    await empty_shop.coupon(judged(0, currency="EUR"))
    await empty_shop.coupon(judged(1))
    await empty_shop.coupon(judged(2, currency="JPY", open_cents=9_000))
    gone = judged(3, currency="JPY", open_cents=-9_000, redeemed_cents=9_000, **used)
    await empty_shop.coupon(gone)
    [row] = await rows_of(empty_shop, "coupons")
    assert (row["open"], row["redeemed"]) == (2, 1)
    # What knows no currency is the shop's.
    assert (row["may_cost"], row["may_cost_elsewhere"]) == (1_000, {})
    assert (row["cost"], row["cost_elsewhere"]) == (0, {"JPY": 9_000})


@pytest.mark.real
async def test_an_alert_is_shown_by_its_last_word(shop: Shop) -> None:
    [alert] = await rows_of(shop, "alerts")
    assert (alert["status"], alert["severity"]) == ("firing", "warning")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("title: {en: A, zh-TW: B}", "panel 'p': title lacks zh-CN"),
        ("kind: pie", "Invalid enum value 'pie'"),
        ("sql: SELECT $__unknown", r"\$__unknown: expected one of"),
        ("sql: SELECT '${shop}'", r"\$\{shop\}: expected one of"),
        ("colour: red", "unknown field `colour`"),
    ],
)
def test_a_wrong_panel_is_refused_with_its_place(tmp_path: Path, change: str, said: str) -> None:
    words = "{en: A, zh-TW: B, zh-CN: C}"
    panel = {"id": "p", "kind": "rates", "unit": "share", "sql": "SELECT 1", "title": words}
    panel["definition"] = words
    name, _, value = change.partition(": ")
    panel[name] = value
    file = tmp_path / "panels.yaml"
    text = "\n    ".join(f"{key}: {one}" for key, one in panel.items())
    file.write_text(f"panels:\n  - {text}\n", encoding="utf-8")
    with pytest.raises(BadPanel, match=said):
        load_panels(file)


def test_two_panels_of_one_name_are_refused(tmp_path: Path) -> None:
    words = "{en: A, zh-TW: B, zh-CN: C}"
    one = f"  - {{id: p, kind: rates, unit: share, sql: x, title: {words}, definition: {words}}}\n"
    file = tmp_path / "panels.yaml"
    file.write_text(f"panels:\n{one}{one}", encoding="utf-8")
    with pytest.raises(BadPanel, match="panel 'p' stands there twice"):
        load_panels(file)
