"""Editions of the playbook: read from the log, applied to it, put back through it.

Whoever applies opens the one producer for it first, which fences every other, and only then looks
which edition is the newest: of two people at once one is told of the other, and nothing is lost.
Edition, adoption in every partition and the word of who and when are one transaction.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from models.hazard import BadSnapshot
from models.playbook.edition import Edition, opened
from models.snapshot import AdoptedWord, adopted_key, read_record, recorded, refusal
from sinks.patience import Opened
from streams import topics
from streams.fold import Output
from streams.replay.history_log import read_control
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.snapshots import adoption

MODEL = "playbook"
ADOPTIONS_KEY = b"adoptions:playbook"
ADOPTIONS_KEPT = 200
SEEN_WITHIN_S = 10.0
RECORD_BYTES = 1_000_000
"""What a broker takes as it is delivered; a larger edition is refused before it is sent."""


class PlaybookTrouble(ServerError):
    """Editions can't be read or applied; the text is one sentence for whoever asked."""


class Overtaken(PlaybookTrouble):
    """Somebody else applied an edition meanwhile: `newest` is not what this one was based on."""

    def __init__(self, newest: Edition, based_on: int) -> None:
        by = f" by {newest.by}" if newest.by else ""
        super().__init__(
            f"edition {newest.version} was applied{by} meanwhile; yours is based on "
            f"{based_on or 'none'}: nothing was changed; look at `huitou playbook diff "
            f"{based_on or newest.version} {newest.version}`, then apply with "
            f"--based-on {newest.version}"
        )
        self.newest = newest


class Adoption(msgspec.Struct, frozen=True):
    """That an edition was taken into use: when, by whom, what for."""

    version: int
    at_ms: int
    by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Editions:
    """All editions, oldest first, which is in use (0: none), and the adoptions, oldest first."""

    known: tuple[Edition, ...] = ()
    in_use: int = 0
    adoptions: tuple[Adoption, ...] = ()

    @property
    def newest(self) -> int:
        """Number of the newest edition; 0 when there is none."""
        return self.known[-1].version if self.known else 0

    @property
    def current(self) -> Edition | None:
        """The edition in use."""
        return next((one for one in self.known if one.version == self.in_use), None)

    def named(self, version: int) -> Edition:
        """Give an edition; raises PlaybookTrouble when there is no such one."""
        found = next((one for one in self.known if one.version == version), None)
        if found is not None:
            return found
        there = f"there is 1 to {self.newest}" if self.known else "none was applied yet"
        raise PlaybookTrouble(f"there is no edition {version}: {there}")


async def read_editions(settings: Settings) -> Editions:
    """Read every edition; raises PlaybookTrouble when no broker answers."""
    try:
        return await _read(settings)
    except KafkaError as error:
        raise PlaybookTrouble(
            f"no broker at {settings.kafka_bootstrap} ({error!r}): start `huitou up` first"
        ) from None


async def apply_files(
    settings: Settings,
    main: str,
    files: Mapping[str, str],
    *,
    by: str,
    note: str = "",
    based_on: int | None = None,
) -> Edition:
    """Make files that were checked the next edition and take it into use; the edition.

    `based_on` is the newest edition known to whoever wrote them; None: whatever there is.
    Raises Overtaken when a newer one was applied meanwhile, and PlaybookTrouble.
    """

    def next_edition(editions: Editions) -> Edition:
        if based_on is not None and editions.newest != based_on:
            if not editions.known:
                raise PlaybookTrouble(f"there is no edition {based_on}: none was applied yet")
            raise Overtaken(editions.known[-1], based_on)
        return Edition(editions.newest + 1, main, dict(files), _now_ms(), by, note)

    return await _adopt(settings, next_edition, by=by, note=note, is_new=True)


async def roll_back(settings: Settings, version: int, *, by: str, note: str = "") -> Edition:
    """Take an earlier edition into use again; raises PlaybookTrouble for one that isn't there."""

    def wanted(editions: Editions) -> Edition:
        return editions.named(version)

    return await _adopt(settings, wanted, by=by, note=note, is_new=False)


async def _adopt(
    settings: Settings,
    choose: Callable[[Editions], Edition],
    *,
    by: str,
    note: str,
    is_new: bool,
) -> Edition:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        transactional_id=settings.named(MODEL),
        max_request_size=RECORD_BYTES + 100_000,
    )
    try:
        async with Opened(producer):
            editions = await _read(settings)
            edition = choose(editions)
            said = await asyncio.to_thread(
                _said, settings, editions, edition, by=by, note=note, is_new=is_new
            )
            async with producer.transaction():
                sent = [
                    await producer.send(one.topic, one.value, one.key, one.partition)
                    for one in said
                ]
                await asyncio.gather(*sent)
        await _seen(settings, edition, len(editions.adoptions))
        return edition
    except (ProducerFenced, IllegalOperation):
        # A fenced producer may also say that it can no longer begin or abort anything.
        raise PlaybookTrouble(
            "somebody else applied at this very moment and went first: nothing of yours was "
            "changed; look at `huitou playbook history`, then apply again"
        ) from None
    except KafkaError as error:
        raise PlaybookTrouble(
            f"the broker at {settings.kafka_bootstrap} did not take it ({error!r}): nothing was "
            "changed unless `huitou playbook history` says so"
        ) from None


async def _seen(settings: Settings, edition: Edition, before: int) -> None:
    """Wait until readers see it: a commit is answered a moment before its markers are written."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SEEN_WITHIN_S):
            while True:
                found = await _read(settings)
                if edition in found.known and len(found.adoptions) > min(
                    before, ADOPTIONS_KEPT - 1
                ):
                    return
                await asyncio.sleep(0.05)


def _said(
    settings: Settings, editions: Editions, edition: Edition, *, by: str, note: str, is_new: bool
) -> list[Output]:
    record = recorded("playbook", edition)
    try:
        reason = refusal(record)
        if not reason:
            opened(edition)
    except BadSnapshot as error:
        reason = str(error)
    value = msgspec.json.encode(record)
    if not reason and len(value) > RECORD_BYTES:
        reason = f"it holds {len(value):,} bytes, and {RECORD_BYTES:,} is the most"
    if reason:
        raise PlaybookTrouble(f"edition {edition.version} can't be used: {reason}")
    at_ms = _now_ms()
    said = adoption(record, settings.partitions, settings.named, at_ms=at_ms)
    if is_new:
        said.insert(0, Output(settings.named(topics.SNAPSHOTS), MODEL.encode(), value, 0))
    journal = (*editions.adoptions, Adoption(edition.version, at_ms, by, note))[-ADOPTIONS_KEPT:]
    word = msgspec.json.encode(journal)
    return [*said, Output(settings.named(topics.CONTROL), ADOPTIONS_KEY, word, 0)]


async def _read(settings: Settings) -> Editions:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=100,
    )
    known: list[Edition] = []
    place = TopicPartition(settings.named(topics.SNAPSHOTS), 0)
    async with Opened(consumer):
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            fetched = await consumer.getmany(place, timeout_ms=100)
            known += [
                read_record(one.value).snapshot
                for one in fetched.get(place, ())
                if one.key == MODEL.encode()
            ]
    words = await read_control(settings)
    adopted, journal = words.get(adopted_key(MODEL)), words.get(ADOPTIONS_KEY)
    return Editions(
        tuple(known),
        msgspec.json.decode(adopted, type=AdoptedWord).version if adopted else 0,
        msgspec.json.decode(journal, type=tuple[Adoption, ...]) if journal else (),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
