"""Guards taken away, one by one, inside a role's own process; the product has no hooks for it.

Each name is a guard of `--sabotage`, or a mask that would hide what its absence does. What takes a
guard away must leave everything else as it is: with the guard in place the same plan ends in zeros.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


def _send_apart(role: str) -> None:
    """Rows and effects go by a plain producer, the offset alone in the transaction after them."""
    if role != "worker":
        return
    plain: dict[int, AIOKafkaProducer] = {}
    start, stop = AIOKafkaProducer.start, AIOKafkaProducer.stop
    create_batch, send_batch = AIOKafkaProducer.create_batch, AIOKafkaProducer.send_batch

    async def start_both(self: Any) -> None:
        await start(self)
        if self._txn_manager is not None and self._txn_manager.transactional_id:
            other = AIOKafkaProducer(
                bootstrap_servers=self.client._bootstrap_servers,
                enable_idempotence=True,
                max_batch_size=900_000,
                max_request_size=1_000_000,
            )
            await start(other)
            plain[id(self)] = other

    async def stop_both(self: Any) -> None:
        if id(self) in plain:
            await stop(plain.pop(id(self)))
        await stop(self)

    def create_plainly(self: Any) -> Any:
        return create_batch(plain.get(id(self), self))

    async def send_plainly(self: Any, *arguments: Any, **options: Any) -> Any:
        sent = await send_batch(plain.get(id(self), self), *arguments, **options)
        await asyncio.shield(sent)
        return sent

    AIOKafkaProducer.start = start_both
    AIOKafkaProducer.stop = stop_both
    AIOKafkaProducer.create_batch = create_plainly
    AIOKafkaProducer.send_batch = send_plainly


def _fence_nobody(role: str) -> None:
    """Every owner of a partition bears a transactional id of its own."""
    if role != "worker":
        return
    init = AIOKafkaProducer.__init__

    def init_randomly(self: Any, *arguments: Any, **options: Any) -> None:
        if options.get("transactional_id"):
            options["transactional_id"] += f"-{uuid4().hex}"
        init(self, *arguments, **options)

    AIOKafkaProducer.__init__ = init_randomly


def _read_uncommitted(role: str) -> None:
    """Sinks are given what was never committed."""
    if role != "sinks":
        return
    init = AIOKafkaConsumer.__init__

    def init_uncommitted(self: Any, *arguments: Any, **options: Any) -> None:
        options["isolation_level"] = "read_uncommitted"
        init(self, *arguments, **options)

    AIOKafkaConsumer.__init__ = init_uncommitted


def _forget_event_ids(role: str) -> None:
    """No repeat is recognised."""
    if role == "worker":
        from models import step  # noqa: PLC0415

        remember = step.seen_before

        def recognise_nothing(customer: Any, event_id: str) -> bool:
            remember(customer, event_id)
            return False

        step.seen_before = recognise_nothing


def _forget_what_landed(role: str) -> None:
    """A block is inserted whether or not it is there, and the engine is given no token."""
    if role != "sinks":
        return
    from sinks import clickhouse_sink, clickhouse_table  # noqa: PLC0415

    init = clickhouse_sink.ClickHouseSink.__init__

    def init_careless(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **{**options, "skip_landed": False})

    clickhouse_sink.ClickHouseSink.__init__ = init_careless
    clickhouse_table.INSERT_SETTINGS = {
        **clickhouse_table.INSERT_SETTINGS,
        "insert_deduplicate": 0,
        "deduplicate_blocks_in_dependent_materialized_views": 0,
    }


def _forget_keys(role: str) -> None:
    """Each try of a message bears another idempotency key."""
    if role == "sinks":
        from tests.sinks.provider import HttpSender  # noqa: PLC0415

        send = HttpSender.send

        async def send_anew(self: Any, message: Any, _key: str) -> Any:
            return await send(self, message, uuid4().hex)

        HttpSender.send = send_anew  # type: ignore[method-assign]


def _mend_no_sums(role: str) -> None:
    """A mask of `sink-offsets`: sums are brought in line with their tables at every start."""
    if role == "sinks":
        from sinks.clickhouse_sums import SumsKept  # noqa: PLC0415

        SumsKept.resume = lambda *_: None  # type: ignore[method-assign,assignment]


TAKE_AWAY: dict[str, Callable[[str], None]] = {
    "transaction": _send_apart,
    "fencing": _fence_nobody,
    "read-committed": _read_uncommitted,
    "event-ids": _forget_event_ids,
    "sink-offsets": _forget_what_landed,
    "idempotency-key": _forget_keys,
    "sums-mended": _mend_no_sums,
}
