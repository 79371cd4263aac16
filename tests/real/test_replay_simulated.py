"""A simulated shop on a real broker: merged, counted once, interrupted, continued, and live."""

import asyncio
from collections import Counter

import pytest

from models.clock import HOUR_MS
from models.events import Absorbed, CustomerEvent, decode
from streams import topics
from streams.prepare import prepare
from streams.settings import Settings
from streams.simulate import find_start
from streams.summary import collect
from streams.summary_tally import read_table
from tests.real.replay_rig import Play, clock_of, is_past, progress_of
from tests.real.rig import Crew, Log, until

pytestmark = pytest.mark.real


def test_devices_and_their_customers_become_one_and_nothing_is_lost(settings: Settings) -> None:
    prepare(settings)
    with Crew(settings) as crew:
        for role in ("worker", "learner", "sinks"):
            crew.start(role)
        with Play.simulation(settings, seed=3, customers=60, days=25) as play:
            assert asyncio.run(play.end()) == 0
        summary = collect(settings, seconds=1.0)
    rows = asyncio.run(read_table(settings))
    assert (summary["lost"], summary["duplicated"], summary["dead_letters"]) == (0, 0, 0)
    assert summary["events_in"] > 1_000
    assert sum(summary["tiers"].values()) == summary["customers"]
    assert any(row.merged_into for row in rows.values())
    assert summary["clickhouse_rows"] > summary["events_in"]


async def test_an_interrupted_simulation_goes_on_and_the_next_begins_behind_it(
    settings: Settings,
) -> None:
    shop = {"seed": 5, "customers": 30, "days": 6}
    async with Log(settings) as log:
        with Crew(settings) as crew:
            with Play.simulation(settings, **shop) as first:
                await until(lambda: is_past(log, 0.1), "a day to be played")
                assert first.stop() == 130
            begun = await progress_of(log)
            crew.start("worker")
            crew.start("learner")
            await Play.simulation(settings, **shop).succeed()
            ended = await progress_of(log)
        assert begun is not None
        assert ended is not None
        assert (ended.source, ended.state) == (begun.source, "done")
        clock = await clock_of(log)
        events: list[CustomerEvent] = [
            decode(record.value)
            for record in await log.records(topics.EVENTS)
            if record.key is not None
        ]
    # Merges are the fold's own; the feed itself repeats one message in a hundred.
    sent = [event for event in events if not isinstance(event, Absorbed) and not event.via]
    assert {event.source for event in sent} == {"simulate"}
    assert max(Counter(event.id for event in sent).values()) == 2
    start_ms = await find_start(settings, "simulate:5-30-6:", 6)
    assert clock.wall_offset_ms
    assert ended.until_ms < start_ms <= ended.until_ms + 3 * HOUR_MS
    assert start_ms % HOUR_MS == 0


async def test_a_live_simulation_comes_through_the_gateway(settings: Settings) -> None:
    async with Log(settings) as log:
        with Crew(settings) as crew:
            crew.start("gateway")
            with Play.simulation(settings, seed=2, customers=3_000, days=90, live=True) as play:

                async def have_come() -> bool:
                    events = [r for r in await log.records(topics.EVENTS) if r.key is not None]
                    return len(events) > 6

                await until(have_come, "customers to come")
                assert play.stop() == 0
        events = [
            decode(record.value)
            for record in await log.records(topics.EVENTS)
            if record.key is not None
        ]
    assert all(event.id.startswith("simulate:") for event in events)
    assert (
        max(event.occurred_at_ms for event in events)
        - min(event.occurred_at_ms for event in events)
        < HOUR_MS
    )
