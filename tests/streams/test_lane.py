"""What is fetched around a rebalance is handed over under its own generation, or fetched again."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP

from streams.lane import NEVER, LaneConsumer, LaneRecords, as_fetched

PLACE = TP("events", 0)


class Fetching:
    """What `_drain_messages` stands on; a rebalance overtakes its first fetch."""

    consumer_stopped_errors = (ConnectionError,)
    _begin = LaneConsumer._begin
    _goes_on = LaneConsumer._goes_on

    def __init__(self, *, flow_active: bool) -> None:
        self.flow_active = flow_active
        self.should_stop = False
        self.can_resume_flow = object()
        self.app = SimpleNamespace(should_stop=False)
        self.lanes = SimpleNamespace(
            generation=1, ready=asyncio.Event(), places=self._places, is_torn=False
        )
        self.lanes.ready.set()
        self._begun = NEVER
        self._buffered_partitions: set[TP] = set()
        self.position = 0
        self.given: list[int] = []
        self.handed_over: dict[tuple[str, int], int] = {}

    def _places(self) -> dict[tuple[str, int], int]:
        return {(PLACE.topic, PLACE.partition): len(self.given)}

    async def wait(self, *_: Any) -> None:
        self.flow_active = True

    async def _wait_next_records(self, _timeout: float) -> Any:
        self.lanes.generation = 2
        self.position += 1
        self.should_stop = self.position > 3
        return {PLACE: [self.position]}, {PLACE}

    async def _hand_over(self, _tp: TP, generation: int, fetched: list[Any]) -> None:
        assert generation == self.lanes.generation
        self.given += fetched

    async def seek(self, place: TP, offset: int) -> None:
        assert place == PLACE
        self.position = offset


def records_read(key_deserializer: Any) -> list[Any]:
    """What the client makes of a batch it has fetched."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000)
    for number in range(3):
        builder.append(number, 1_000 + number, b"anna", b"%d" % number, [])
    fetched = MemoryRecords(bytes(builder.build()))
    return list(LaneRecords(PLACE, fetched, [], 0, key_deserializer, None, False, READ_COMMITTED))


def test_the_lane_gets_records_as_they_were_read_and_others_the_usual_ones() -> None:
    lane, others = records_read(as_fetched), records_read(None)
    assert {type(one) for one in others} == {ConsumerRecord}
    assert not any(isinstance(one, ConsumerRecord) for one in lane)
    read = [[(r.offset, r.timestamp, r.key, r.value) for r in some] for some in (lane, others)]
    assert read[0] == read[1] == [(n, 1_000 + n, b"anna", b"%d" % n) for n in range(3)]


@pytest.mark.parametrize("flow_active", [True, False])
async def test_no_fetch_is_lost_to_a_rebalance_that_overtakes_it(flow_active: bool) -> None:
    fetching = Fetching(flow_active=flow_active)
    await LaneConsumer._drain_messages(fetching, SimpleNamespace(should_stop=False))  # type: ignore[arg-type]
    assert fetching.given == [1, 2, 3]


async def test_without_going_back_it_is_lost() -> None:
    fetching = Fetching(flow_active=True)

    async def stay(place: TP, offset: int) -> None:
        """Read on where the client stands."""

    fetching.seek = stay  # type: ignore[method-assign]
    await LaneConsumer._drain_messages(fetching, SimpleNamespace(should_stop=False))  # type: ignore[arg-type]
    assert fetching.given == [2, 3]


async def test_where_a_batch_was_lost_reading_goes_back_without_a_rebalance() -> None:
    fetching = Fetching(flow_active=True)
    fetches = iter(([1, 2], [3], [2, 3], []))

    async def fetch(_timeout: float) -> Any:
        found = next(fetches)
        fetching.should_stop = not found
        return {PLACE: found}, {PLACE}

    async def lose_the_second(_tp: TP, _generation: int, fetched: list[int]) -> None:
        if fetched == [3]:
            fetching.lanes.is_torn = True
        else:
            fetching.given += [one for one in fetched if one > len(fetching.given)]

    fetching._wait_next_records = fetch  # type: ignore[method-assign]
    fetching._hand_over = lose_the_second  # type: ignore[method-assign]
    await LaneConsumer._drain_messages(fetching, SimpleNamespace(should_stop=False))  # type: ignore[arg-type]
    assert fetching.given == [1, 2, 3]
    assert fetching.position == 2
    assert not fetching.lanes.is_torn


@pytest.mark.parametrize(
    ("highwater", "position", "expected"),
    [(5, 5, True), (5, 4, False), (None, 5, False), (5, None, False)],
)
async def test_a_partition_is_caught_up_when_all_of_it_is_fetched(
    highwater: int | None, position: int | None, expected: bool
) -> None:
    async def position_of(_place: TP) -> int | None:
        return position

    consumer: Any = SimpleNamespace(
        highwater=lambda _place: highwater, assignment=lambda: {PLACE}, position=position_of
    )
    assert await LaneConsumer.caught_up(consumer, "events", 0) is expected


@pytest.mark.parametrize("asserts", ["highwater", "position"])
async def test_a_partition_given_away_meanwhile_is_not_caught_up(asserts: str) -> None:
    """The client asserts that a partition is assigned; a rebalance may come between questions."""

    def given_away(_place: TP) -> Any:
        raise AssertionError("Partition is not assigned")

    async def position_of(place: TP) -> int:
        return given_away(place) if asserts == "position" else 5

    consumer: Any = SimpleNamespace(
        highwater=given_away if asserts == "highwater" else lambda _place: 5,
        assignment=lambda: {PLACE},
        position=position_of,
    )
    assert await LaneConsumer.caught_up(consumer, "events", 0) is False
