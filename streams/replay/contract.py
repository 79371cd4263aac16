"""Bodies of a history through the gateway's own contract: parsed, sealed, ready for the log."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson

from models import effects, events
from models.effects import DeadLetter
from models.events import Event
from models.segment import Door, Draft, Rejected, finish, parse
from models.tokens import partition_of, token_of
from sinks.keys import KeyDestroyed, KeyStore
from sinks.sealing import Sealer
from streams.replay.history import Arrival, BadRow
from streams.replay.history_log import MAX_BATCH_BYTES, Record

SYSTEM_KEY = "dead-letters"
_RAW_BYTES_MAX = 400_000
_RECORD_BYTES_MAX = MAX_BATCH_BYTES - 10_000
_TOKENS_KEPT = 100_000
_INDEX = re.compile(r"\[\d+\]")


class Taken(NamedTuple):
    """What a piece of a history becomes: events with their partitions, and dead letters.

    `forgotten` counts events of customers whose keys were destroyed: they are left out for good.
    """

    events: list[tuple[int, Record]]
    letters: list[bytes]
    forgotten: int


class Contract:
    """Turns arrivals into records as the gateway would, with their own time as the log's time."""

    def __init__(
        self, *, token_key: bytes, store: KeyStore, partitions: int, source: str, currency: str
    ) -> None:
        self.partitions = range(partitions)
        self.source = source
        self._currency = currency
        self._store = store
        self._sealer = Sealer(store)
        self._token_of = _remembering(token_key)

    def take(self, arrivals: Sequence[Arrival | BadRow]) -> Taken:
        """Read arrivals; keys of customers not met before are made at once for all of them."""
        drafts: list[tuple[Draft, Arrival]] = []
        letters: list[bytes] = []
        for arrival in arrivals:
            read = self._read(arrival)
            if isinstance(read, bytes):
                letters.append(read)
            else:
                drafts.extend((draft, arrival) for draft in read)  # type: ignore[misc]
        self._make_keys(drafts)
        taken = Taken([], letters, 0)
        for draft, arrival in drafts:
            taken = self._finish(draft, arrival, taken)
        return taken

    def outline(self, arrival: Arrival | BadRow) -> list[Event]:
        """Name the events an arrival becomes, as they stand in the log but for what is sealed."""
        read = self._read(arrival)
        if isinstance(read, bytes):
            return []
        return [finish(draft, self._token_of, _unsealed) for draft in read]

    def _read(self, arrival: Arrival | BadRow) -> list[Draft] | bytes:
        if isinstance(arrival, BadRow):
            column = arrival.path.rpartition(":")[2]
            return self._letter(arrival.at_ms, column, arrival.path, arrival.expected, arrival.raw)
        read = parse(arrival.body, self._door(arrival.at_ms))
        if not isinstance(read, Rejected):
            return read
        raw = orjson.dumps(arrival.body, default=str)
        where = _INDEX.sub("[]", read.path)
        return self._letter(arrival.at_ms, where, read.path, read.expected, raw)

    def _make_keys(self, drafts: Sequence[tuple[Draft, Arrival]]) -> None:
        named = {draft.customer_id for draft, _ in drafts if draft.needs_key}
        self._store.get_or_create_many([self._token_of("customer", one) for one in named])

    def _finish(self, draft: Draft, arrival: Arrival, taken: Taken) -> Taken:
        try:
            event = finish(draft, self._token_of, self._sealer.seal)
        except KeyDestroyed:
            return taken._replace(forgotten=taken.forgotten + 1)
        value = events.encode(event)  # type: ignore[arg-type]
        if len(value) > _RECORD_BYTES_MAX:
            raw = orjson.dumps(arrival.body, default=str)
            expected = f"at most {_RECORD_BYTES_MAX} bytes"
            taken.letters.append(self._letter(arrival.at_ms, "event", draft.id, expected, raw))
            return taken
        partition = partition_of(event.customer, len(self.partitions))
        taken.events.append((partition, Record(event.customer.encode(), value)))
        return taken

    def _door(self, at_ms: int) -> Door:
        return Door(received_at_ms=at_ms, currency=self._currency, source=self.source)

    def _letter(self, at_ms: int, where: str, path: str, expected: str, raw: bytes) -> bytes:
        return effects.encode(
            DeadLetter(
                source="replay",
                reason=f"{where or 'message'}: {expected}",
                at_ms=at_ms,
                sealed_raw=self._sealer.seal_system(SYSTEM_KEY, raw[:_RAW_BYTES_MAX]),
                path=path,
                expected=expected,
            )
        )


def _unsealed(_customer: str, _field: str, _text: str) -> str:
    return ""


def _remembering(token_key: bytes) -> Callable[[str, str], str]:
    @lru_cache(_TOKENS_KEPT)
    def name(kind: str, identifier: str) -> str:
        return token_of(token_key, kind, identifier)

    return name
