"""Named moments in the life of a role at which it may die or freeze, inside its own process.

The driver arms one moment by a file; the role counts down the times it passes there, then sends
itself SIGKILL or SIGSTOP. Only public joints are wrapped: methods of the fold, of aiokafka's
producer, of sinks, ledger and log writer.
"""

import asyncio
import functools
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from streams.topics import CUSTOMERS

LOOK_EVERY_S = 0.02
IN_THE_MIDDLE_S = 0.002

WORKER = (
    "fold",
    "begin",
    "send",
    "effects",
    "offsets",
    "commit",
    "committed",
    "recovery",
    "rebalance",
)
SINKS = (
    "insert",
    "inserted",
    "landed",
    "profiles",
    "claimed",
    "sending",
    "sent",
    "settled",
    "receipted",
)
GATEWAY = ("admitted", "confirmed")


class Armed(msgspec.Struct):
    """What is to happen: at the `after`-th passing of `moment` from now on, send `signal`.

    Whoever wakes from a SIGSTOP dies at its next passing of `then`, if that is named.
    """

    moment: str
    after: int = 1
    signal: int = int(signal.SIGKILL)
    then: str = ""


def arm(path: Path, armed: Armed) -> None:
    """Write the order for the role that watches `path`."""
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(armed))
    draft.replace(path)


class Moments:
    """The moments of this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._armed: Armed | None = None
        self._look()
        threading.Thread(target=self._watch, daemon=True, name="moments").start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        try:
            self._armed = self._armed or msgspec.json.decode(self._path.read_bytes(), type=Armed)
        except FileNotFoundError:
            self._armed = None

    def is_armed(self, moment: str) -> bool:
        """Whether the process dies or freezes at `moment` if it passes often enough."""
        return self._armed is not None and self._armed.moment == moment

    def passed(self, moment: str) -> None:
        """Pass a moment, perhaps for the last time."""
        armed = self._armed
        if armed is None or armed.moment != moment:
            return
        armed.after -= 1
        if armed.after <= 0:
            self._armed = Armed(armed.then) if armed.then else None
            self._path.unlink(missing_ok=True)
            os.kill(os.getpid(), armed.signal)
            if armed.signal == signal.SIGKILL:
                time.sleep(0.9)  # a thread may run on for a moment


Method = Callable[..., Awaitable[Any]]


def install(moments: Moments, role: str) -> None:
    """Wrap what the role passes through."""
    _producer(moments)
    {"worker": _worker, "learner": _learner, "sinks": _sinks, "gateway": _gateway}[role](moments)


def _wrap(moments: Moments, owner: Any, name: str, *, before: str = "", after: str = "") -> None:
    method = getattr(owner, name)
    if asyncio.iscoroutinefunction(method):

        @functools.wraps(method)
        async def waiting(*arguments: Any, **options: Any) -> Any:
            if before:
                moments.passed(before)
            result = await method(*arguments, **options)
            if after:
                moments.passed(after)
            return result

        setattr(owner, name, waiting)
        return

    @functools.wraps(method)
    def calling(*arguments: Any, **options: Any) -> Any:
        if before:
            moments.passed(before)
        result = method(*arguments, **options)
        if after:
            moments.passed(after)
        return result

    setattr(owner, name, calling)


def _producer(moments: Moments) -> None:
    _wrap(moments, AIOKafkaProducer, "begin_transaction", before="begin")
    _wrap(moments, AIOKafkaProducer, "send_batch", after="send")
    send_batch = AIOKafkaProducer.send_batch
    topics: dict[int, set[str]] = {}

    async def noted(self: AIOKafkaProducer, batch: Any, topic: str, *, partition: int) -> Any:
        sent = topics.setdefault(id(self), set())
        if sent and topic not in sent and moments.is_armed("effects"):
            # The table's rows are with the broker for certain, and no effect is.
            await self.flush()
            moments.passed("effects")
        sent.add(topic)
        return await send_batch(self, batch, topic, partition=partition)

    send_offsets = AIOKafkaProducer.send_offsets_to_transaction
    commit = AIOKafkaProducer.commit_transaction

    async def offsets(self: AIOKafkaProducer, *arguments: Any, **options: Any) -> Any:
        # A transaction of a mark alone has one topic, the changelog: nothing hangs on it.
        effects = len(topics.get(id(self), ())) > 1
        if effects and moments.is_armed("offsets"):
            # What was sent is with the broker for certain, and only the offset is missing.
            await self.flush()
            moments.passed("offsets")
        return await send_offsets(self, *arguments, **options)

    async def committing(self: AIOKafkaProducer) -> None:
        if moments.is_armed("commit"):
            under_way = asyncio.ensure_future(commit(self))
            await asyncio.sleep(IN_THE_MIDDLE_S)
            moments.passed("commit")
            await under_way
        else:
            await commit(self)
        moments.passed("committed")
        if any(topic.endswith(CUSTOMERS) for topic in topics.pop(id(self), ())):
            # A worker's coupons have transactions of their own beside these.
            moments.passed("rows committed")

    AIOKafkaProducer.send_batch = noted
    AIOKafkaProducer.send_offsets_to_transaction = offsets
    AIOKafkaProducer.commit_transaction = committing


def _worker(moments: Moments) -> None:
    from models.tokens import is_customer_key  # noqa: PLC0415
    from streams.customer_fold import CustomerFold  # noqa: PLC0415
    from streams.lanes import Lanes  # noqa: PLC0415

    seal = CustomerFold.seal

    def sealing(self: CustomerFold) -> Any:
        interval = seal(self)
        # Of an interval without customers, a mark's, nothing would be seen.
        if any(is_customer_key(key) for key, _ in interval.rows):
            moments.passed("sealed")
        return interval

    CustomerFold.seal = sealing  # type: ignore[method-assign]
    _wrap(moments, CustomerFold, "fold", before="fold")
    _wrap(moments, CustomerFold, "restore", before="recovery")
    _wrap(moments, Lanes, "assign", before="rebalance")


def _learner(moments: Moments) -> None:
    from streams.lanes import Lanes  # noqa: PLC0415
    from streams.learner_fold import LearnerFold  # noqa: PLC0415

    _wrap(moments, LearnerFold, "fold", before="fold")
    _wrap(moments, LearnerFold, "restore", before="recovery")
    _wrap(moments, Lanes, "assign", before="rebalance")


def _sinks(moments: Moments) -> None:
    from sinks import clickhouse_sink  # noqa: PLC0415
    from sinks.dispatch_ledger import Ledger  # noqa: PLC0415
    from sinks.log import LogWriter  # noqa: PLC0415
    from sinks.redis_profiles import RedisProfileSink  # noqa: PLC0415
    from tests.sinks.provider import HttpSender  # noqa: PLC0415

    _wrap(moments, clickhouse_sink, "insert", before="insert", after="inserted")
    write = clickhouse_sink.ClickHouseSink.write

    async def landing(self: clickhouse_sink.ClickHouseSink, batch: Any) -> None:
        await write(self, batch)
        if self.name == "clickhouse-facts":
            moments.passed("landed")

    clickhouse_sink.ClickHouseSink.write = landing  # type: ignore[method-assign]
    _wrap(moments, RedisProfileSink, "write", after="profiles")
    _wrap(moments, Ledger, "claim", after="claimed")
    _wrap(moments, HttpSender, "send", before="sending", after="sent")
    _wrap(moments, Ledger, "settle", after="settled")
    _wrap(moments, LogWriter, "write", after="receipted")


def _gateway(moments: Moments) -> None:
    from sinks.log import LogWriter  # noqa: PLC0415

    _wrap(moments, LogWriter, "write_prepared", before="admitted", after="confirmed")
