"""One schedule run to its end: workers and sinks as processes, faults, rest, and the oracle."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from aiokafka import TopicPartition

from models.customer import decode_row
from models.effects import DeadLetter
from models.events import ClockMark, encode
from models.hazard import HazardSnapshot
from models.partition_clock import PartitionClock
from models.tokens import PARTITION_KEY, POSITION_KEY
from sinks.runner import Feed, SinkRunner
from streams import topics
from streams.customer_fold import CustomerFold
from tests.builders import START_MS, begin_with_house_rules, house_rules, snapshot
from tests.simulation.broker import SimulatedBroker
from tests.simulation.loop import (
    PROCESS,
    ProcessEnded,
    SimulatedLoop,
    SimulatedProcess,
    Stalled,
    run,
)
from tests.simulation.oracle import Oracle
from tests.simulation.places import Place, PlacedSink
from tests.simulation.plan import PARTITIONS, SINKS, WORKERS, Fault, Plan, written
from tests.simulation.poison import Quiet
from tests.simulation.worker import GROUP, SESSION_MS, Worker

TOPICS = {
    **dict.fromkeys(
        (
            topics.EVENTS,
            topics.CUSTOMERS,
            topics.FACTS,
            topics.ACTIONS,
            topics.DEAD_LETTERS,
            topics.COUPONS,
        ),
        PARTITIONS,
    ),
    topics.LESSONS: 1,
    topics.METRICS: 1,
    topics.ALERTS: 1,
}
SNAPSHOTS: dict[int, HazardSnapshot] = {version: snapshot(version=version) for version in (1, 2)}
GUARDS = ("transaction", "fencing", "read-committed", "sink-offsets", "table-position")
RESTART_S = 0.5
FAULTS_LAST_S = 15.0
REST_WITHIN_S = 600.0
ARRIVED_S, STILL_S = 5.0, 3.0
LOG_SPEED = 20_000
LAST_MARK_MS = START_MS + 2_000 * 86_400_000
SINK_TOPICS = {"facts": topics.FACTS, "actions": topics.ACTIONS}


class Clock:
    """The log's clock: it runs with the simulated wall's, some days a minute."""

    wall_offset_ms = 0

    def __init__(self, loop: SimulatedLoop) -> None:
        self.mode = "wall"
        self._began_ms = int(loop.time() * 1_000)

    @property
    def clock(self) -> "Clock":
        return self

    def now_ms(self, wall_ms: int) -> int:
        return START_MS + (wall_ms - self._began_ms) * LOG_SPEED


class Slot:
    """A place for one process after another, as a supervisor keeps it; faults are struck here."""

    def __init__(
        self, world: "World", name: str, faults: list[Fault], main: Callable[["Slot"], Any]
    ) -> None:
        self.name = name
        self.process: SimulatedProcess | None = None
        self.stop = asyncio.Event()
        self.faults = faults
        self._world = world
        self._main = main
        self._struck_at = 0
        self._steps = 0

    def start(self) -> None:
        """Start a new process."""
        if self.process is not None and not self.process.gone:
            return
        self.stop = asyncio.Event()
        process = self.process = SimulatedProcess(self._world.loop, self.name, self._noticed)
        process.start(partial(self._run, process))

    async def _run(self, process: SimulatedProcess) -> None:
        reason = "stopped"
        try:
            await self._main(self)
        except (Exception, asyncio.CancelledError) as error:
            reason = f"failed: {error!r}"
        self.end(process, reason, RESTART_S)

    def end(self, process: SimulatedProcess, reason: str, restart_s: float) -> None:
        """Nothing of it runs any more; the next one starts in a while."""
        if process.gone:
            return
        process.kill(reason)
        self._world.ends[reason] += 1
        self._world.loop.outside_later(restart_s, self.start)

    def _noticed(self) -> None:
        self._steps += 1
        while self.faults and self._steps - self._struck_at >= self.faults[0].after_steps:
            self._struck_at = self._steps
            self._strike(self.faults.pop(0))

    def _strike(self, fault: Fault) -> None:
        process, world = self.process, self._world
        assert process is not None
        world.struck[fault.kind] += 1
        match fault.kind:
            case "kill":
                self.end(process, "killed", fault.seconds)
            case "freeze":
                process.freeze()
                world.loop.outside_later(fault.seconds, process.thaw)
            case "cut":
                process.cut()
            case "refuse":
                process.is_refused = True
            case "leave":
                self.stop.set()
            case "down":
                world.take_down(fault.seconds)
            case "forget":
                world.forget_positions(fault.seconds)


class World:
    """Everything of one schedule. `lacking`: guards that are taken away."""

    def __init__(self, plan: Plan, loop: SimulatedLoop, lacking: frozenset[str]) -> None:
        self.loop = loop
        self.ends: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self._plan = plan
        self._lacking = lacking
        self.broker = SimulatedBroker(loop, TOPICS)
        self.broker.has_transactions = not self.lacks("transaction")
        self.clock = Clock(loop)
        skips_landed = not self.lacks("sink-offsets")
        # Some places can tell how far they have come, others cannot (sinks/port.py, `resume`).
        knows_its_end = plan.seed is not None and plan.seed % 2 == 0
        self.places = {
            topic: Place(knows_its_end=knows_its_end, skips_landed=skips_landed)
            for topic in SINK_TOPICS.values()
        }
        self.slots: list[Slot] = []
        self._stood: dict[TopicPartition, int] = {}

    def lacks(self, guard: str) -> bool:
        """Whether this guard was taken away."""
        return guard in self._lacking

    def fails_now(self) -> bool:
        """Whether the broker refuses what the running process sends; once."""
        process = PROCESS.get()
        refused = process is not None and process.is_refused
        if process is not None:
            process.is_refused = False
        return refused

    def end_process(self, reason: str, error: BaseException | None) -> None:
        """What streams.exit.end_process does: it never returns."""
        process = PROCESS.get()
        if self.loop.buried or process is None:
            return
        for slot in self.slots:
            if slot.process is process:
                slot.end(process, reason.split(":", maxsplit=1)[0], RESTART_S)
        raise ProcessEnded(reason)

    def take_down(self, seconds: float) -> None:
        """No sink can land anything for a while."""
        for place in self.places.values():
            place.is_down = True
            self.loop.outside_later(seconds, partial(setattr, place, "is_down", False))

    def forget_positions(self, seconds: float) -> None:
        """The broker knows for a while where the workers stood when it forgot last, or nothing."""
        workers = self.broker.group(GROUP)
        workers.forget(seconds, self._stood)
        self._stood = dict(workers.offsets)

    async def play(self) -> None:
        """Run the schedule, let everything come to rest, and compare."""
        for name in (*WORKERS, *SINKS):
            faults = [one for one in self._plan.faults if one.target == name]
            main = self._work if name in WORKERS else self._sink
            self.slots.append(Slot(self, name, faults, main))
        for slot in self.slots:
            slot.start()
        for write in written(self._plan.story):
            await asyncio.sleep(write.gap_s)
            place = TopicPartition(topics.EVENTS, write.partition)
            self.broker.append(place, [(write.key, write.value)])
        await self._until(lambda: not any(slot.faults for slot in self.slots), FAULTS_LAST_S)
        await self._come_to_rest()
        self._compare()

    async def _work(self, slot: Slot) -> None:
        await Worker(self._fold, self.clock, slot.stop).run()

    async def _sink(self, slot: Slot) -> None:
        name = slot.name.partition("-")[0]
        topic = SINK_TOPICS[name]
        feed = Feed("", topic, f"sink-{name}", session_timeout_ms=SESSION_MS, batch_ms=300)
        runner = SinkRunner(PlacedSink(name, self.places[topic]), feed)
        runner._log = Quiet()
        await runner.run(slot.stop)

    def _fold(self, partition: int) -> CustomerFold:
        async def load(model: str, version: int) -> Any:
            known = SNAPSHOTS if model == "hazard" else {1: house_rules()}
            return await self.loop.ask(known.get, version)

        fold = CustomerFold(
            partition=partition,
            partitions=PARTITIONS,
            incarnation=1,
            topic_of=str,
            load_snapshot=load,
            seal_raw=lambda raw: f"sealed:{len(raw)}",
            coupon_key=bytes(32),
        )
        begin_with_house_rules(fold)
        return fold

    async def _until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        deadline = self.loop.time() + limit_s
        while not condition():
            if self.loop.time() > deadline:
                return False
            await asyncio.sleep(0.25)
        return True

    async def _come_to_rest(self) -> None:
        for slot in self.slots:
            slot.faults.clear()
        self.clock.mode = "replay"
        # What was on its way to the log then is there by now.
        await asyncio.sleep(ARRIVED_S)
        for partition in range(PARTITIONS):
            place = TopicPartition(topics.EVENTS, partition)
            self.broker.append(place, [(None, encode(ClockMark(at_ms=LAST_MARK_MS)))])
        if not await self._until(self._is_at_rest, REST_WITHIN_S):
            raise Stalled(f"not at rest: {self._lags()}; ends {dict(self.ends)}")
        await asyncio.sleep(STILL_S)
        if not await self._until(self._is_at_rest, REST_WITHIN_S):
            raise Stalled(f"not at rest again: {self._lags()}; ends {dict(self.ends)}")

    def _is_at_rest(self) -> bool:
        quiet = all(slot.process and not slot.process.frozen for slot in self.slots)
        return quiet and not self._lags()

    def _lags(self) -> dict[str, int]:
        """Records nobody has committed yet, by topic and partition."""
        groups = {topics.EVENTS: GROUP}
        groups |= {topic: f"sink-{name}" for name, topic in SINK_TOPICS.items()}
        lags = {}
        for topic, group in groups.items():
            offsets = self.broker.group(group).offsets
            for partition in range(PARTITIONS):
                tp = TopicPartition(topic, partition)
                log, done = self.broker.log(tp), offsets.get(tp, 0)
                left, _ = log.read(done, log.end, committed=True)
                if left or log.stable != log.end:
                    lags[f"{topic}[{partition}] at {done} of {log.stable}/{log.end}"] = len(left)
        return lags

    def _compare(self) -> None:
        """What readers see against what the oracle says."""
        oracles = [
            Oracle(partition, PARTITIONS, SNAPSHOTS).read(
                self.broker.committed(topics.EVENTS, partition)
            )
            for partition in range(PARTITIONS)
        ]
        for oracle, partition in zip(oracles, range(PARTITIONS), strict=True):
            self._compare_partition(oracle, partition)
        for topic in (topics.LESSONS, topics.METRICS):
            expected = Counter(one for oracle in oracles for one in oracle.outputs[topic])
            _same(topic, Counter(self._values(topic, 0)), expected)
        asked = Counter(one for oracle in oracles for one in oracle.outputs[topics.COUPONS])
        put = Counter(one for n in range(PARTITIONS) for one in self._values(topics.COUPONS, n))
        _same("words for the coupons", put, asked)
        said = sum((oracle.for_log for oracle in oracles), Counter())
        _same("records for the log", self._passed_on(), said)
        for topic, place in self.places.items():
            landed: dict[int, list[tuple[int, bytes]]] = {n: [] for n in range(PARTITIONS)}
            for partition, offset, value in place.rows:
                landed[partition].append((offset, value))
            for partition in range(PARTITIONS):
                there = [(r.offset, r.value) for r in self.broker.committed(topic, partition)]
                _same(f"landed {topic}[{partition}]", landed[partition], there)
        if self.loop.errors:
            raise AssertionError(f"went wrong unseen: {self.loop.errors}")

    def _compare_partition(self, oracle: Oracle, partition: int) -> None:
        for topic in (topics.FACTS, topics.ACTIONS):
            _same(f"{topic}[{partition}]", self._values(topic, partition), oracle.outputs[topic])
        rows = {
            record.key: record.value
            for record in self.broker.committed(topics.CUSTOMERS, partition)
        }
        rows.pop(POSITION_KEY, None)
        own_row = rows.pop(PARTITION_KEY, None) or msgspec.msgpack.encode(PartitionClock())
        clock = msgspec.msgpack.decode(own_row, type=PartitionClock)
        _same(f"clock[{partition}]", clock, oracle.clock)
        customers = {key.decode(): decode_row(row) for key, row in rows.items()}
        _same(f"customers[{partition}]", customers, oracle.customers)
        letters = Counter(
            msgspec.json.decode(value, type=DeadLetter).offset
            for value in self._values(topics.DEAD_LETTERS, partition)
        )
        _same(f"dead letters[{partition}]", letters, oracle.dead_letters)

    def _values(self, topic: str, partition: int) -> list[bytes]:
        return [record.value or b"" for record in self.broker.committed(topic, partition)]

    def _passed_on(self) -> Counter[bytes]:
        """What workers added to the log for other customers."""
        return Counter(
            record.value or b""
            for partition in range(PARTITIONS)
            for record in self.broker.committed(topics.EVENTS, partition)
            if record.writer_id is not None
        )


class Mismatch(AssertionError):
    """What is there is not what the oracle says."""


def _same(what: str, found: Any, expected: Any) -> None:
    if found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):
        found, expected = list(found.items()), list(expected.items())
    if isinstance(found, list):
        extra = [one for one in found if one not in expected]
        missing = [one for one in expected if one not in found]
        found = f"{len(found)}, {len(extra)} of them strange: {extra[:2]!r}"
        expected = f"{len(expected)}, {len(missing)} of them missing: {missing[:2]!r}"
    raise Mismatch(f"{what} differ:\nfound    {found}\nexpected {expected}")


def played(plan: Plan, lacking: frozenset[str] = frozenset()) -> World:
    """Play a plan to its end; raises AssertionError when anything is not as the oracle says.

    Call within `names.simulated()`.
    """
    chance = None if plan.seed is None else random.Random(plan.seed)
    loop = SimulatedLoop(chance)
    worlds: list[World] = []

    async def main() -> None:
        world = loop.world = World(plan, loop, lacking)
        worlds.append(world)
        await world.play()

    run(loop, main)
    return worlds[0]
