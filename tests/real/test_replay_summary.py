"""The summary of a small installation: right when all is well, and it sees when it is not."""

import asyncio
from pathlib import Path

import pytest

from sinks.clickhouse import connect
from streams.prepare import prepare
from streams.settings import Settings
from streams.sink_roles import clickhouse_address
from streams.summary import collect
from streams.summary_drain import NotDrained
from tests.real.replay_rig import Play, shop
from tests.real.rig import Crew, adopt_house_rules

pytestmark = pytest.mark.real

ROWS = (
    "1,2018-01-01 10:10,anna,hat,5.00",
    "2,2018-01-01 10:20,bo,hat,5.00",
    "3,2018-01-01 10:30,anna,tie,5.00",
    "4,soon,anna,tie,5.00",
)


def played(settings: Settings, tmp_path: Path) -> None:
    with Play.file(settings, *shop(tmp_path, *ROWS), live=False) as play:
        assert asyncio.run(play.end()) == 0, play.output


def test_the_numbers_of_a_small_shop_and_what_they_say_when_rows_go_or_come_twice(
    settings: Settings, tmp_path: Path
) -> None:
    prepare(settings)
    asyncio.run(adopt_house_rules(settings))
    with Crew(settings) as crew:
        for role in ("worker", "learner", "sinks"):
            crew.start(role)
        played(settings, tmp_path)
        summary = collect(settings, seconds=2.0)
        client = connect(clickhouse_address(settings))
        client.command(
            "INSERT INTO tier_changes SELECT * FROM tier_changes LIMIT 1",
            settings={"insert_deduplicate": 0},
        )
        client.command(
            "DELETE FROM events WHERE event_id = 'shop:order:2'", settings={"mutations_sync": 2}
        )
        damaged = collect(settings, seconds=2.0)
        client.close()
    latency_ms = summary.pop("event_to_clickhouse_p99_ms")
    rows = summary.pop("clickhouse_rows")
    seconds = summary.pop("seconds")
    assert 0 < latency_ms < 60_000
    assert rows > 10
    assert summary.pop("events_per_s") == pytest.approx(7 / seconds, abs=0.1)
    assert summary == {
        # Three orders, and the receipts of two messages.
        "events_in": 7,
        "events_folded": 7,
        "orders": 3,
        "customers": 2,
        "profiles_in_redis": 2,
        "actions": 2,
        "dead_letters": 1,
        "lost": 0,
        "duplicated": 0,
        "repurchase_rate_30d": None,
        "repurchase_rate_60d": None,
        "repurchase_rate_90d": None,
        "tiers": {"high_value": 0, "potential": 0, "regular": 0, "new": 2, "dormant": 0},
    }
    assert (damaged["lost"], damaged["duplicated"]) == (1, 2)


def test_what_is_never_drained_is_named(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    asyncio.run(adopt_house_rules(settings))
    with Crew(settings) as crew:
        crew.start("worker")
        played(settings, tmp_path)
        with pytest.raises(NotDrained, match=r"nothing moved for 20 s: .*learner read 0 of"):
            collect(settings, seconds=1.0, stuck_s=20.0)
