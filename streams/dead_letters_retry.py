"""Putting dead letters back after a fix, each once, whatever happens meanwhile.

What a letter becomes and the note that it was put back are one transaction. A retry that is killed
leaves both or neither; run again, it passes over what is noted; a second one at the same time
fences the first. A record that fails again becomes a new letter, with a name of its own.
"""

import asyncio
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from models.effects import DeadLetter
from models.events import Adopted, BudgetAnswered, ClockMark
from models.tokens import partition_of
from sinks.keys import KeyStore
from streams import topics
from streams.dead_letters import (
    ERASED,
    NOTE_PREFIX,
    Closed,
    Found,
    LetterTrouble,
    Opener,
    RetryNote,
    Wanted,
    letters,
    record_of,
    retried_letters,
)
from streams.replay.contract import Contract
from streams.replay.history import Arrival
from streams.replay.history_log import MAX_BATCH_BYTES, Record
from streams.secrets import Secrets
from streams.settings import Settings

LETTERS_A_TRANSACTION = 200
BYTES_A_TRANSACTION = 4_000_000
TRANSACTION_TIMEOUT_MS = 60_000
_ROW_OF_A_FILE = re.compile(r".+:\d+(:.*)?", re.DOTALL)

Returned = list[tuple[int, Record]]


class Unfit(Exception):
    """A letter that can't be put back; the text says why."""


@dataclass
class Retried:
    """What became of the letters that were meant; `unfit` says why by name."""

    put_back: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    unfit: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """All of them."""
        return {*self.put_back, *self.before, *self.unfit}


class Returner:
    """Makes records of the log out of letters, as the door and the fold would have wanted them."""

    def __init__(self, settings: Settings, secrets: Secrets, store: KeyStore) -> None:
        self._settings = settings
        self._secrets = secrets
        self._store = store
        self._opener = Opener(store, secrets)
        self._contracts: dict[str, Contract] = {}

    def records(self, letter: DeadLetter) -> Returned:
        """Give the records to write, with their partitions; raises Unfit."""
        if letter.source in ("learner", "watch", "coupons"):
            raise Unfit(f"a record of the {letter.source} is read from its own topic, not put back")
        if letter.source == "dispatcher":
            raise Unfit("a message that was given up is not sent again; its rule decides anew")
        try:
            raw = self._opener.open(letter)
        except Closed as closed:
            raise Unfit(str(closed)) from None
        return self._event(raw) if letter.source == "worker" else self._message(letter, raw)

    def _event(self, raw: bytes) -> Returned:
        """A record of the log as it stood, under its customer's key: its id counts it once."""
        record = record_of(raw)
        if record is None:
            raise Unfit("it still can't be decoded")
        if isinstance(record, ClockMark):
            raise Unfit("a timer failed at a clock mark, and the log's time has passed it")
        if isinstance(record, Adopted | BudgetAnswered):
            raise Unfit("a record for the whole partition is not put back")
        partition = partition_of(record.customer, self._settings.partitions)
        return [(partition, Record(record.customer.encode(), raw))]

    def _message(self, letter: DeadLetter, raw: bytes) -> Returned:
        """A message once more through the contract, as if it arrived when it did."""
        if letter.source == "replay" and _ROW_OF_A_FILE.fullmatch(letter.path):
            raise Unfit("a row of a file, no message: mend it and send it as an event")
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise Unfit("it is no JSON (or was too long to be kept whole)") from None
        taken = self._contract(letter.source).take([Arrival(letter.at_ms, body)])
        if taken.forgotten:
            raise Unfit(ERASED)
        if taken.letters:
            again = msgspec.json.decode(taken.letters[0], type=DeadLetter)
            raise Unfit(f"the contract still refuses it: {again.reason}")
        return taken.events

    def _contract(self, source: str) -> Contract:
        if source not in self._contracts:
            self._contracts[source] = Contract(
                token_key=self._secrets.token_key,
                store=self._store,
                partitions=self._settings.partitions,
                source=source,
                currency=self._settings.currency,
            )
        return self._contracts[source]


async def retry(settings: Settings, wanted: Wanted, returner: Returner) -> Retried:
    """Put back what is meant and was not put back before.

    Raises LetterTrouble when another retry takes over, KafkaError when the broker goes away; what
    is in the log then is noted, and the same command goes on.
    """
    done = Retried()
    # First of all: it fences a retry that hangs, and ends what that one left open.
    async with _producer(settings) as producer:
        retried = await retried_letters(settings)
        parcel = _Parcel(settings, producer, done)
        try:
            async for found in letters(settings, wanted, retried):
                await _take(found, returner, parcel, done)
            await parcel.send()
        except ProducerFenced:
            raise LetterTrouble("another retry has taken over; see what it says") from None
    return done


async def _take(found: Found, returner: Returner, parcel: "_Parcel", done: Retried) -> None:
    if found.retried_at_ms:
        done.before.append(found.name)
        return
    try:
        records = returner.records(found.letter)
    except Unfit as unfit:
        done.unfit[found.name] = str(unfit)
        return
    await parcel.put(found.name, records)


def _producer(settings: Settings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        transactional_id=settings.named("dead-letters-retry"),
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_BATCH_BYTES + 100_000,
        linger_ms=0,
        retry_backoff_ms=10,
    )


class _Parcel:
    """What the next transaction takes."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer, done: Retried) -> None:
        self._events = settings.named(topics.EVENTS)
        self._control = settings.named(topics.CONTROL)
        self._producer = producer
        self._done = done
        self._names: list[str] = []
        self._records: dict[int, list[Record]] = defaultdict(list)
        self._bytes = 0

    async def put(self, name: str, records: Returned) -> None:
        self._names.append(name)
        for partition, record in records:
            self._records[partition].append(record)
            self._bytes += len(record.value)
        if len(self._names) >= LETTERS_A_TRANSACTION or self._bytes >= BYTES_A_TRANSACTION:
            await self.send()

    async def send(self) -> None:
        if not self._names:
            return
        sent = []
        try:
            async with self._producer.transaction():
                for place, records in self._with_note().items():
                    for key, value in records:
                        sent.append(await self._producer.send(place[0], value, key, place[1]))
        finally:
            # What the transaction died of is told once, not by each of its records.
            await asyncio.gather(*sent, return_exceptions=True)
        self._done.put_back += self._names
        self._names, self._bytes = [], 0
        self._records.clear()

    def _with_note(self) -> dict[tuple[str, int], list[Record]]:
        note = RetryNote(time.time_ns() // 1_000_000, self._names)
        key = NOTE_PREFIX + self._names[0].encode()
        noted = {(self._control, 0): [Record(key, msgspec.json.encode(note))]}
        return {(self._events, number): one for number, one in self._records.items()} | noted
