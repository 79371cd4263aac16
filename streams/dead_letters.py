"""What lies in topic `dead-letters`: found, told, and opened for who holds the keys.

A letter is named PARTITION:OFFSET, its place in that topic. That it was put back is noted in topic
`control`, in the transaction that put it back (streams/dead_letters_retry.py).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from models.effects import DeadLetter
from models.events import CustomerEvent, Erased, LogRecord, decode
from models.segment import ANONYMOUS
from models.tokens import token_of
from sinks.keys import KeyDestroyed, KeyMissing, KeyStore
from sinks.patience import Opened
from sinks.sealing import SealBroken, Sealer
from streams import topics
from streams.replay.history_log import read_control
from streams.secrets import Secrets
from streams.servers.errors import ServerError
from streams.settings import Settings

NOTE_PREFIX = b"retried:"
ERASED = "the customer was erased: what the letter holds of them can't be opened any more"
# Each writer seals under one of these system keys.
_SYSTEM_KEYS = {"worker": "dead_letter", "dispatcher": "dead_letter"}
_GATEWAYS_KEY = "dead-letters"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_POLL_MS = 200

_log = structlog.get_logger(__name__)


class LetterTrouble(ServerError):
    """The dead letters can't be read or put back; the text is one sentence for the operator."""


class Closed(Exception):
    """A letter that can't be opened; the text says why."""


class RetryNote(msgspec.Struct, frozen=True):
    """Letters that were put back together, and when (wall clock)."""

    at_ms: int
    letters: list[str]


@dataclass(frozen=True)
class Found:
    """A dead letter and its name; `retried_at_ms` is 0 until it was put back."""

    name: str
    letter: DeadLetter
    retried_at_ms: int = 0


@dataclass(frozen=True)
class Wanted:
    """Which letters are meant: by name, source ("webhook" means all of them), words of the reason.

    What is empty leaves nothing out.
    """

    names: frozenset[str] = frozenset()
    source: str = ""
    reason: str = ""

    def has(self, name: str, letter: DeadLetter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.names or name in self.names)
            and (not self.source or self.source in (letter.source, letter.source.split(":")[0]))
            and self.reason.lower() in letter.reason.lower()
        )


async def retried_letters(settings: Settings) -> dict[str, int]:
    """When each letter that was put back was; by its name."""
    said = await read_control(settings)
    notes = (
        msgspec.json.decode(value, type=RetryNote)
        for key, value in said.items()
        if key is not None and key.startswith(NOTE_PREFIX)
    )
    return {name: note.at_ms for note in notes for name in note.letters}


async def letters(
    settings: Settings, wanted: Wanted, retried: dict[str, int]
) -> AsyncIterator[Found]:
    """Read what is meant, oldest first in each partition, up to the end as it was at the start."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    topic = settings.named(topics.DEAD_LETTERS)
    places = [TopicPartition(topic, number) for number in range(settings.partitions)]
    async with Opened(consumer):
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        for place in places:
            # Commit markers take offsets too: the end is a position, not a record.
            while await consumer.position(place) < ends[place]:
                fetched = await consumer.getmany(place, timeout_ms=_POLL_MS)
                for record in fetched.get(place, ()):
                    found = _found(record, retried)
                    if found is not None and wanted.has(found.name, found.letter):
                        yield found


def _found(record: Any, retried: dict[str, int]) -> Found | None:
    name = f"{record.partition}:{record.offset}"
    try:
        letter = msgspec.json.decode(record.value or b"", type=DeadLetter)
    except msgspec.DecodeError as error:
        _log.warning("no dead letter", name=name, error=str(error))
        return None
    return Found(name, letter, retried.get(name, 0))


class Opener:
    """Opens letters by the installation's keys."""

    def __init__(self, store: KeyStore, secrets: Secrets) -> None:
        self._store = store
        self._sealer = Sealer(store)
        self._token_key = secrets.token_key

    def open(self, letter: DeadLetter) -> bytes:
        """Open what was buried; Closed says why it can't be."""
        if not letter.sealed_raw:
            raise Closed(
                f"the {letter.source} keeps no copy: its record stands in its own topic, "
                f"partition {letter.partition}, offset {letter.offset}"
            )
        try:
            key = _SYSTEM_KEYS.get(letter.source, _GATEWAYS_KEY)
            raw = self._sealer.unseal_system(key, letter.sealed_raw)
        except (KeyMissing, KeyDestroyed, SealBroken) as error:
            raise Closed(f"this installation's keys don't open it: {error}") from None
        if not raw and letter.source != "worker":
            raise Closed(ERASED)
        if any(self._is_erased(token) for token in self._customers(letter, raw)):
            raise Closed(ERASED)
        return raw

    def _customers(self, letter: DeadLetter, raw: bytes) -> list[str]:
        """Tokens of the customers a letter speaks of, as far as it can be read."""
        if letter.source == "worker":
            record = record_of(raw)
            is_theirs = isinstance(record, CustomerEvent) and not isinstance(record, Erased)
            return [record.customer] if is_theirs else []  # type: ignore[union-attr]
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return []
        if type(body) is not dict:
            return []
        if letter.source == "dispatcher":
            return [str(body["customer"])] if "customer" in body else []
        said = {name: str(body[name]) for name in ("userId", "previousId") if body.get(name)}
        names = [*said.values(), *(ANONYMOUS + one for one in said.values())]
        if body.get("anonymousId"):
            names.append(f"{ANONYMOUS}{body['anonymousId']}")
        return [token_of(self._token_key, "customer", name) for name in names]

    def _is_erased(self, token: str) -> bool:
        try:
            self._store.get(token)
        except KeyDestroyed:
            return True
        except KeyMissing:
            return False
        return False


def record_of(raw: bytes) -> LogRecord | None:
    """Decode a record of the log; None when it is none."""
    try:
        return decode(raw)
    except _UNREADABLE:
        return None


def no_broker(settings: Settings, error: KafkaError) -> LetterTrouble:
    """Say that the broker does not answer."""
    return LetterTrouble(
        f"no broker at {settings.kafka_bootstrap} ({error!r}): start `huitou up` first"
    )
