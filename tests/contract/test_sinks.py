"""One contract over all sinks (sinks/port.py): the same questions to every place."""

from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_migrations import migrate
from sinks.clickhouse_queries import POSITIONED
from sinks.port import Record, Sink
from tests.contract.places import CLICKHOUSE_PLACES, PLACES, ClickHousePlace, FactsPlace, Place
from tests.contract.proxy import Network
from tests.contract.records import Made

pytestmark = pytest.mark.real

FAILURES = [Network.AWAY, Network.MUTE, Network.CUT]


@pytest.fixture(scope="module")
def warehouse(clickhouse: str) -> Iterator[Client]:
    """A database for all questions, with merging stopped; each has an incarnation of its own."""
    database = f"c_{uuid4().hex}"
    migrate(clickhouse, "default", "", database)
    client = connect(ClickHouseAddress(clickhouse, database=database))
    for table in POSITIONED:
        client.command(f"SYSTEM STOP MERGES {database}.{table}")
    yield client
    client.command(f"DROP DATABASE {database}")
    client.close()


@pytest.fixture(params=PLACES)
async def place(
    request: pytest.FixtureRequest, warehouse: Client, valkey: str
) -> AsyncIterator[Place]:
    made = PLACES[request.param](warehouse, valkey)
    await made.prepare()
    yield made
    await made.clear()


@pytest.fixture
async def sink(place: Place) -> AsyncIterator[Sink]:
    made = await opened(place)
    yield made
    await made.close()


async def opened(place: Place) -> Sink:
    made = place.sink()
    await made.open()
    return made


async def assert_landed_once(place: Place, batch: Sequence[Record]) -> None:
    expected = place.expected(batch)
    assert expected
    assert sorted(await place.landed()) == expected
    if isinstance(place, FactsPlace):
        assert (place.duplicates, place.sums_apart) == (0, 0)


async def test_a_batch_lands_once_however_often_it_is_written(place: Place, sink: Sink) -> None:
    batch = place.makes(0, range(20))
    for _ in range(3):
        await sink.write(batch)
    await assert_landed_once(place, batch)


@pytest.mark.parametrize(
    "cuts",
    [
        [(0, 8), (0, 16)],
        [(0, 10), (3, 7), (5, 20)],
        [(0, 1), (0, 2), (1, 3), (0, 20)],
        [(0, 20), (10, 30), (0, 30)],
    ],
    ids=str,
)
async def test_batches_that_overlap_are_harmless(
    place: Place, sink: Sink, cuts: list[tuple[int, int]]
) -> None:
    for first, end in cuts:
        await sink.write(place.makes(0, range(first, end)))
    await assert_landed_once(place, place.makes(0, range(max(end for _, end in cuts))))


@pytest.mark.parametrize("failure", FAILURES, ids=lambda one: one.value)
async def test_a_failure_raises_and_a_retry_leaves_nothing_half_done(
    place: Place, sink: Sink, failure: Network
) -> None:
    before, batch = place.makes(0, range(5)), place.makes(0, range(5, 25))
    await sink.write(before)
    place.fail(failure)
    with pytest.raises(Exception, match=r".+"):
        await sink.write(batch)
    place.fail(Network.WHOLE)
    await sink.write(batch)
    await assert_landed_once(place, [*before, *batch])


async def test_records_of_a_partition_land_in_their_order(place: Place, sink: Sink) -> None:
    made = place.makes(0, range(24))
    for first in range(0, 24, 3):
        await sink.write(made[first : first + 3])
    landed = [one for one in await place.landed() if one[0] == 0]
    by_table: dict[object, list[object]] = {}
    for _, offset, *rest in landed:
        by_table.setdefault(rest[0] if rest else "", []).append(offset)
    assert by_table
    for offsets in by_table.values():
        assert offsets == sorted(offsets, key=int)  # type: ignore[call-overload]


async def test_partitions_land_beside_each_other(place: Place, sink: Sink) -> None:
    one, other = place.makes(0, range(10)), place.makes(1, range(4, 12))
    await sink.write([*one[:6], *other[:3]])
    await sink.write([])
    await sink.write([*other, *one])
    if place.knows_its_end:
        assert await sink.resume([0, 1]) == {0: 10, 1: 12}
    await assert_landed_once(place, [*one, *other])


async def test_a_new_instance_skips_what_is_there(place: Place, sink: Sink) -> None:
    batch = place.makes(0, range(20))
    await sink.write(batch[:12])
    await sink.close()
    later = await opened(place)
    if place.knows_its_end:
        assert await later.resume([0, 1]) == {0: 12, 1: 0}
    await later.write(batch)
    await later.close()
    await assert_landed_once(place, batch)


async def test_a_stale_writer_loses(place: Place, sink: Sink) -> None:
    stale = await opened(place)
    await stale.resume([0])
    batch = place.makes(0, range(20))
    await stale.write(batch[:4])
    await sink.resume([0])
    await sink.write(batch)
    await stale.write(batch[4:11])
    await stale.close()
    await assert_landed_once(place, batch)


async def test_a_batch_larger_than_a_chunk_lands_whole(
    place: Place, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.clickhouse_sink.CHUNK_BYTES", 10_000)
    monkeypatch.setattr("sinks.redis_profiles.CUSTOMERS_A_CALL", 2)
    monkeypatch.setattr("sinks.redis_profiles.CALLS_A_TRIP", 1)
    batch = [*place.makes(0, range(300)), *place.makes(1, range(300))]
    if not place.knows_its_end:
        batch = batch[:300]
    await sink.write(batch)
    await sink.write(batch)
    await assert_landed_once(place, batch)


@pytest.fixture(params=CLICKHOUSE_PLACES)
async def tables(
    request: pytest.FixtureRequest, warehouse: Client, valkey: str
) -> AsyncIterator[ClickHousePlace]:
    made = PLACES[request.param](warehouse, valkey)
    assert isinstance(made, ClickHousePlace)
    await made.prepare()
    yield made
    await made.clear()


async def test_rows_an_engine_lost_land_again_though_it_still_knows_their_tokens(
    tables: ClickHousePlace,
) -> None:
    sink, batch = await opened(tables), tables.makes(0, range(20))
    await sink.write(batch)
    tables.lose()
    assert await tables.landed() == []
    assert await sink.resume([0]) == {0: 0}
    await sink.write(batch)
    await sink.close()
    await assert_landed_once(tables, batch)


async def test_what_nobody_can_read_is_put_aside_and_the_others_land(
    place: Place, sink: Sink
) -> None:
    batch = place.makes(0, range(20))
    good = [one for one in batch if one.offset != 7]
    broken = [one._replace(value=place.unreadable) if one.offset == 7 else one for one in batch]
    for _ in range(2):
        await sink.write(broken)
    await assert_landed_once(place, good)


@pytest.fixture
async def unguarded(warehouse: Client) -> AsyncIterator[FactsPlace]:
    made = FactsPlace(warehouse, skip_landed=False)
    await made.prepare()
    yield made
    await made.clear()


async def test_without_its_guard_the_clickhouse_sink_would_land_rows_twice(
    unguarded: FactsPlace,
) -> None:
    """The control: the questions above can be answered wrongly."""
    sink = await opened(unguarded)
    await sink.write(unguarded.makes(0, range(10)))
    await sink.write(unguarded.makes(0, range(5, 20)))
    await sink.close()
    batch: list[Made] = unguarded.makes(0, range(20))
    assert sorted(await unguarded.landed()) != unguarded.expected(batch)
    assert unguarded.duplicates > 0
