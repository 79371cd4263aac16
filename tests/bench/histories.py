"""Realistic histories for the benchmarks: the invented shop's feed as it stands in the log.

A shop of some thousand people is played through the gateway's own contract (parsed, sealed) and
cut at full hours; what the product's rules then sent is answered by receipts, as a dispatcher and
its customers would. A bigger shop is many copies of it side by side: the same lives under other
tokens, hour by hour. (A copy's sealed fields don't open under its new token; the fold never opens
any.)
"""

import asyncio
import tempfile
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import xxhash

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from models.effects import Action
from models.events import (
    Adopted,
    Channel,
    ClockMark,
    Event,
    MessageClicked,
    MessageDelivered,
    MessageOpened,
    MessageSent,
    Released,
    Unsubscribed,
    decode,
    encode,
)
from models.hazard import HORIZONS_DAYS, HazardSnapshot, Head
from models.playbook.edition import Edition, opened
from models.playbook.rulebook import Rulebook
from models.snapshot import checksum, recorded
from models.tokens import PARTITION_KEY, TOKEN_CHARS, is_customer_key, partition_of
from sinks.keys import SqliteKeyStore
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import Output
from streams.playbook_packs import names, playbook_text
from streams.replay.contract import Contract
from streams.replay.simulated_shop import SOURCE, SimulatedShop
from streams.replay.slices import slices_of
from tests.builders import HOUSE_EDITION, Record, customer_fold, house_rules, listed

# A Tuesday, 00:00 UTC, in autumn.
FIRST_DAY = 19_990
SEED = 1
OPENS = 0.45
CLICKS = 0.3
LEAVES = 0.004

# As the learner left it after the demo's year, rounded.
SNAPSHOT = HazardSnapshot(
    version=1,
    trained_to_day=FIRST_DAY - 1,
    lessons=16_700,
    heads=tuple(
        Head(
            horizon_days=days,
            lessons=5_600,
            weights=(0.2, -0.3, -0.15, 0.1, 0.6, 0.1, 0.3, 0.3, -0.03, 0.4, -0.7),
            intercept=0.5 + days / 60,
        )
        for days in HORIZONS_DAYS
    ),
    edges=(0.6, 0.3, 0.07),
)
SNAPSHOT_RECORD = msgspec.json.encode(recorded("hazard", SNAPSHOT))
ADOPTION = encode(Adopted("hazard", SNAPSHOT.version, checksum(SNAPSHOT)))
# Every ready pack in its three languages, as `huitou playbook new` writes them.
PACKS = Edition(1, "playbook.yaml", {"playbook.yaml": playbook_text(names())})
PACKS_RECORD = msgspec.json.encode(recorded("playbook", PACKS))
PACKS_ADOPTION = encode(Adopted("playbook", PACKS.version, checksum(PACKS)))
# Thanks after the first order, a reminder of what was looked at: a shop that does next to nothing.
PLAIN = msgspec.structs.replace(HOUSE_EDITION, version=2)
PLAIN_RECORD = msgspec.json.encode(recorded("playbook", PLAIN))


class Told(NamedTuple):
    """An event as it stands in the log; `target` is the second customer it names, if any."""

    token: str
    value: bytes
    target: str = ""


class Hour(NamedTuple):
    """What arrived within an hour, and the mark that ends it."""

    told: list[Told]
    mark_ms: int


class Placed(NamedTuple):
    """A record of the log with its partition; marks and adoptions have no key."""

    partition: int
    key: bytes | None
    value: bytes


@cache
def packs_opened() -> Rulebook:
    """The rules of all packs, ready for a fold."""
    return opened(PACKS)


def invented_hours(
    customers: int, days: int, seed: int = SEED, *, packs: bool = False
) -> list[Hour]:
    """Play a shop of `customers` people over `days` days, receipts included.

    `packs`: it writes to them by all packs, else by two rules.
    """
    shop = SimulatedShop(seed=seed, customers=customers, days=days, start_ms=FIRST_DAY * DAY_MS)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteKeyStore(Path(folder) / "keys.sqlite", b"k" * 32, capacity=10**7)
        contract = Contract(
            token_key=b"k" * 32, store=store, partitions=1, source=SOURCE, currency="USD"
        )
        hours = _hours(contract, shop)
        store.close()
    return with_receipts(hours, packs=packs)


def _hours(contract: Contract, shop: SimulatedShop) -> list[Hour]:
    hours: list[Hour] = []
    waiting: list[Told] = []
    for part in slices_of(shop):
        taken = contract.take(part.arrivals)
        waiting.extend(_told(record.value) for _, record in taken.events)
        if part.mark_ms:
            hours.append(Hour(waiting, part.mark_ms))
            waiting = []
    return hours


def _told(value: bytes) -> Told:
    event = decode(value)
    target = event.target if type(event) is Released else ""
    return Told(event.customer, value, target)  # type: ignore[union-attr]


def with_receipts(hours: Sequence[Hour], *, packs: bool = False) -> list[Hour]:
    """Fold the hours and put in what becomes of the messages that follow from them."""
    shop = FoldedShop(packs=packs)
    chance = Random(SEED)
    due: dict[int, list[Event]] = defaultdict(list)
    answered = []
    for hour in hours:
        receipts = due.pop(hour.mark_ms, [])
        whole = Hour([*hour.told, *(_told(encode(one)) for one in receipts)], hour.mark_ms)  # type: ignore[arg-type]
        answered.append(whole)
        for action in shop.fold(whole):
            if not action.template:
                # A coupon, a perk or a task: nothing goes out to the customer.
                continue
            for receipt in _receipts(action, hour.mark_ms, chance):
                ends_ms = receipt.occurred_at_ms // HOUR_MS * HOUR_MS + HOUR_MS
                due[ends_ms].append(receipt)
    return answered


def _receipts(action: Action, at_ms: int, chance: Random) -> Iterator[Event]:
    """What a provider reports of one message, and what its reader does."""

    def told(kind: type[Event], what: str, after_ms: int, **more: object) -> Event:
        return kind(
            id=f"{action.action_id}:{what}",
            customer=action.customer,
            occurred_at_ms=at_ms + after_ms,
            received_at_ms=at_ms + after_ms,
            channel=Channel.SERVER,
            source="dispatcher",
            anonymous=True,
            message_channel=action.message_channel,
            action_id=action.action_id,
            **more,
        )

    yield told(MessageSent, "sent", SECOND_MS, rule=action.rule)
    yield told(MessageDelivered, "delivered", 3 * SECOND_MS)
    if chance.random() < OPENS:
        after_ms = int(chance.uniform(2, 600) * MINUTE_MS)
        yield told(MessageOpened, "opened", after_ms)
        if chance.random() < CLICKS:
            yield told(MessageClicked, "clicked", after_ms + 20 * SECOND_MS)
        elif chance.random() < LEAVES:
            yield told(Unsubscribed, "unsubscribed", after_ms + 30 * SECOND_MS)


class FoldedShop:
    """The product's own fold of one partition, fed hour by hour without a broker.

    `log` is what was folded: the hours' events and marks, and what merges added in between.
    """

    def __init__(self, hours: Iterable[Hour] = (), *, packs: bool = False) -> None:
        self._of_partition = (
            adopted_fold(PACKS, packs_opened()) if packs else adopted_fold(PLAIN, house_rules())
        )
        self._rows: dict[bytes, bytes | None] = {}
        self.log: list[Record] = []
        for hour in hours:
            self.fold(hour)

    def fold(self, hour: Hour) -> list[Action]:
        """Fold an hour and its mark; the actions that follow."""
        outputs: list[Output] = []
        for told in hour.told:
            self._fold(told.value)
        outputs.extend(self._settled())
        self._fold(encode(ClockMark(hour.mark_ms)))
        outputs.extend(self._settled())
        return [
            msgspec.json.decode(one.value, type=Action)
            for one in outputs
            if one.topic == topics.ACTIONS
        ]

    def rows(self) -> dict[bytes, bytes]:
        """Customers' rows as the changelog would have them."""
        return {
            key: row for key, row in self._rows.items() if row is not None and is_customer_key(key)
        }

    def clock_row(self) -> bytes:
        """The partition's own row."""
        return self._rows[PARTITION_KEY] or b""

    def _settled(self) -> list[Output]:
        """Seal, and fold what the fold itself added to the log, until there is no more."""
        settled: list[Output] = []
        while True:
            interval = self._of_partition.seal()
            self._rows.update(interval.rows)
            outputs = listed(interval.outputs)
            settled.extend(outputs)
            again = [one.value for one in outputs if one.topic == topics.EVENTS]
            if not again:
                return settled
            for value in again:
                self._fold(value)

    def _fold(self, value: bytes) -> None:
        record = Record(len(self.log), value)
        self.log.append(record)
        for _ in self._of_partition.fold(record, frozenset()):
            pass


def adopted_fold(edition: Edition | None = None, rulebook: Rulebook | None = None) -> CustomerFold:
    """A fold of the only partition that has the learned snapshot and decides by it.

    `edition` is in use; `rulebook`: these rules in its place.
    """
    fold = customer_fold(snapshots={SNAPSHOT.version: SNAPSHOT}, begins_with_rules=False)
    adoptions = [Record(0, ADOPTION)]
    if edition is not None:
        adopted = Adopted("playbook", edition.version, checksum(edition))
        adoptions.append(Record(0, encode(adopted)))
        fold._snapshots["playbook", edition.version] = rulebook or opened(edition)
    asyncio.run(fold.prepare(adoptions))
    for adoption in adoptions:
        for _ in fold.fold(adoption, frozenset()):
            pass
    return fold


def copied_token(token: str, copy: int) -> str:
    """Name the same life in another copy of the shop; copy 0 is the shop itself."""
    if not copy:
        return token
    digest = xxhash.xxh3_128_digest(f"{token}\x00{copy}".encode())
    return urlsafe_b64encode(digest)[:TOKEN_CHARS].decode()


def placed(
    hours: Iterable[Hour],
    partitions: int,
    copies: int = 1,
    *,
    adopts: Sequence[bytes] = (ADOPTION,),
) -> Iterator[Placed]:
    """Every record of the log in its order: what it adopts, an hour of all copies, its marks."""
    for adoption in adopts:
        yield from (Placed(one, None, adoption) for one in range(partitions))
    names: dict[tuple[str, int], tuple[int, bytes]] = {}

    def name(token: str, copy: int) -> tuple[int, bytes]:
        found = names.get((token, copy))
        if found is None:
            copied = copied_token(token, copy)
            found = names[token, copy] = partition_of(copied, partitions), copied.encode()
        return found

    for hour in hours:
        for copy in range(copies):
            for token, value, target in hour.told:
                partition, key = name(token, copy)
                copied = value.replace(token.encode(), key)
                if target:
                    copied = copied.replace(target.encode(), name(target, copy)[1])
                yield Placed(partition, key, copied)
        mark = encode(ClockMark(hour.mark_ms))
        yield from (Placed(one, None, mark) for one in range(partitions))


def placed_rows(
    rows: dict[bytes, bytes], clock_row: bytes, partitions: int, copies: int
) -> Iterator[Placed]:
    """Changelog records of that many copies of a folded shop, then each partition's own row."""
    for key, row in rows.items():
        token = key.decode()
        for copy in range(copies):
            copied = copied_token(token, copy)
            yield Placed(partition_of(copied, partitions), copied.encode(), row)
    yield from (Placed(one, PARTITION_KEY, clock_row) for one in range(partitions))
