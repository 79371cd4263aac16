"""The one path from a message to the log: read, seal, write, answer; what is invalid is buried."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
import orjson
from aiokafka.errors import KafkaError

from models.effects import DeadLetter
from models.events import Event
from models.segment import Door, Draft, Rejected, finish, parse
from models.tokens import token_of
from sinks.keys import KeyDestroyed, KeyStore
from sinks.log import EventTooLarge, LogUnreachable, LogWriter, Prepared
from sinks.log_clock import ClockUnknown, LogClockReader
from sinks.sealing import Sealer
from streams.gateway_metrics import GatewayMetrics

DEAD_LETTERS_KEY = "dead-letters"
BURIED_BYTES_MAX = 600_000
TOKENS_KEPT = 65_536
_PLACE_IN_LIST = re.compile(r"\[\d+\]")
_ERASED = Rejected("userId", "a customer who was not erased", "one who was")


@dataclass(frozen=True)
class Place:
    """Where in a topic a message stood, if it came from one."""

    partition: int = -1
    offset: int = -1


@dataclass
class Verdict:
    """What became of the messages of one request; an index is a message's place in it."""

    accepted: int = 0
    rejected: dict[int, Rejected] = field(default_factory=dict)

    def answer(self) -> dict[str, Any]:
        """Say it to the sender."""
        rejected = [
            {"index": index, "path": one.path, "expected": one.expected, "got": one.got}
            for index, one in sorted(self.rejected.items())
        ]
        return {"accepted": self.accepted, "rejected": rejected}


class Admission:
    """Admits messages of any source to the log, all of a request together."""

    def __init__(
        self,
        *,
        writer: LogWriter,
        store: KeyStore,
        clock: LogClockReader,
        token_key: bytes,
        currency: str,
        metrics: GatewayMetrics,
        awaits_history: bool = False,
    ) -> None:
        self._awaits_history = awaits_history
        self._winding = asyncio.Lock()
        self._writer = writer
        self._store = store
        self._sealer = Sealer(store)
        self._clock = clock
        self._currency = currency
        self._metrics = metrics
        self._token_of = lru_cache(maxsize=TOKENS_KEPT)(
            lambda kind, text: token_of(token_key, kind, text)
        )

    async def admit(
        self, bodies: Sequence[Any], source: str, places: Sequence[Place] = ()
    ) -> Verdict:
        """Write what is valid to the log and what is not to the dead letters.

        Returns once the broker has confirmed both. Raises LogError or ClockUnknown; then the
        sender has to send all of it again, and what was written nevertheless is recognised by
        its id.
        """
        await self._require_clock()
        verdict = Verdict()
        door = Door(self._clock.now_ms(), self._currency, source)
        drafts: dict[int, list[Draft]] = {}
        for index, body in enumerate(bodies):
            found = parse(body, door)
            if isinstance(found, Rejected):
                verdict.rejected[index] = found
            else:
                drafts[index] = found
        await self._fetch_keys(drafts)
        events = self._finish_all(drafts, verdict)
        prepared = self._prepare(events, verdict)
        letters = [
            self._letter(bodies[index], one, door, places[index] if places else Place())
            for index, one in verdict.rejected.items()
        ]
        await asyncio.gather(
            self._writer.write_prepared(prepared), self._writer.write_dead_letters(letters)
        )
        verdict.accepted = len(events)
        self._count(events, verdict, source)
        return verdict

    async def now_ms(self) -> int:
        """Log time now; raises ClockUnknown or LogError where there is none to be had."""
        await self._require_clock()
        return self._clock.now_ms()

    async def _require_clock(self) -> None:
        """See that the log has a time: its first event starts the clock, unless a history will."""
        if self._clock.clock.mode != "unset":
            return
        if self._awaits_history:
            raise ClockUnknown("a history is about to be replayed, and it brings the log's time")
        async with self._winding:
            try:
                await self._clock.wind()
            except KafkaError as error:
                raise LogUnreachable(f"the log's clock cannot be set: {error!r}") from error

    async def bury(self, raw: bytes, reason: str, source: str, place: Place = Place()) -> None:
        """Write what can't even be read to the dead letters; raises as `admit` does."""
        letter = DeadLetter(
            source=source,
            reason=reason,
            at_ms=self._clock.now_ms(),
            sealed_raw=self._sealer.seal_system(DEAD_LETTERS_KEY, raw[:BURIED_BYTES_MAX]),
            partition=place.partition,
            offset=place.offset,
        )
        await self._writer.write_dead_letters([letter])
        self._metrics.rejected.labels(source).inc()

    def token_of(self, kind: str, text: str) -> str:
        """Name a text by its keyed token."""
        return self._token_of(kind, text)

    @property
    def sealer(self) -> Sealer:
        """What seals for this door."""
        return self._sealer

    async def _fetch_keys(self, drafts: dict[int, list[Draft]]) -> None:
        """Read or make the keys that are not in memory, off the event loop."""
        needed = {
            self._token_of("customer", draft.customer_id)
            for several in drafts.values()
            for draft in several
            if draft.needs_key
        }
        absent = [token for token in needed if not self._store.holds(token)]
        if absent:
            await asyncio.to_thread(self._store.get_or_create_many, absent)

    def _finish_all(
        self, drafts: dict[int, list[Draft]], verdict: Verdict
    ) -> dict[int, list[Event]]:
        events: dict[int, list[Event]] = {}
        for index, several in drafts.items():
            try:
                events[index] = [
                    finish(draft, self._token_of, self._sealer.seal) for draft in several
                ]
            except KeyDestroyed:
                verdict.rejected[index] = _ERASED
        return events

    def _prepare(self, events: dict[int, list[Event]], verdict: Verdict) -> Prepared:
        """Encode all, without the messages whose events the log can't hold."""
        while True:
            owners = [index for index, several in events.items() for _ in several]
            try:
                return self._writer.prepared(
                    [one for several in events.values() for one in several]
                )
            except EventTooLarge as error:
                index = owners[error.index]
                verdict.rejected[index] = Rejected("", "a smaller message", str(error))
                del events[index]

    def _letter(self, body: Any, rejected: Rejected, door: Door, place: Place) -> DeadLetter:
        raw = b"" if rejected is _ERASED else _raw(body)
        return DeadLetter(
            source=door.source,
            reason=f"{_PLACE_IN_LIST.sub('[]', rejected.path) or 'message'}: {rejected.expected}",
            at_ms=door.received_at_ms,
            sealed_raw=self._sealer.seal_system(DEAD_LETTERS_KEY, raw),
            path=rejected.path,
            expected=rejected.expected,
            partition=place.partition,
            offset=place.offset,
        )

    def _count(self, events: dict[int, list[Event]], verdict: Verdict, source: str) -> None:
        written = Counter(type(one) for several in events.values() for one in several)
        for kind, number in written.items():
            self._metrics.events.labels(kind.__struct_config__.tag).inc(number)
        if verdict.rejected:
            self._metrics.rejected.labels(source).inc(len(verdict.rejected))


def _raw(body: Any) -> bytes:
    """A message's own bytes again, as far as a dead letter holds them."""
    try:
        return orjson.dumps(body)[:BURIED_BYTES_MAX]
    except TypeError:
        pass
    try:
        return msgspec.json.encode(body)[:BURIED_BYTES_MAX]
    except (RecursionError, OverflowError, TypeError, ValueError):
        return b"(nested too deep to be written down)"
