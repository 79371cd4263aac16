"""The fold of topic `coupons`: every coupon of the codes of one partition, and what orders have.

Verdicts go to whoever asked (gateway, ClickHouse). What an order has redeemed, and its end, go
through the topic once more, under the key of the order or of the coupon, since these may lie in
different partitions. Purses of offers, asked here too, answer in the log of events. Rows stay
packed but for those that were touched since the last transaction.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from models import coupon_desk, coupon_news, coupon_orders, coupon_words, purse_desk
from models.clock import HOUR_MS
from models.coupon_desk import DeskEvent, Heard
from models.coupon_orders import OrderRow
from models.coupon_words import (
    BudgetAsked,
    CouponJudged,
    CouponWord,
    LookedAt,
    OrderHas,
    home_of,
    is_order_key,
    is_purse_key,
    kind_of,
    order_key,
    partition_of_coupon,
)
from models.coupons import (
    Coupon,
    OrderVoided,
    Outcome,
    RedemptionAsked,
    Status,
    TimePassed,
    Verdict,
    status_at,
)
from models.effects import DeadLetter, encode
from models.events import ClockMark
from models.events import encode as encode_event
from models.purse_desk import PurseRow
from models.tokens import partition_of
from streams import topics
from streams.fold import Interval, Output, PoisonError, placed

SOURCE = "coupons"
LATE_MS = HOUR_MS
"""How long an order may take to get here before a mark gives its coupon up."""
EXPIRED_PER_MARK = 1_000
UNHEARD_VOIDS_AT_MOST = 20_000
"""Orders that are over and have no coupon: remembered, should its word come later."""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_coupon_of = msgspec.msgpack.Decoder(Coupon).decode
_order_of = msgspec.msgpack.Decoder(OrderRow).decode
_purse_of = msgspec.msgpack.Decoder(PurseRow).decode
_packed = msgspec.msgpack.Encoder().encode
Row = Coupon | OrderRow | PurseRow


class CouponFold:
    """Implements streams.fold.Fold for one partition of `coupons`."""

    def __init__(
        self,
        *,
        partition: int,
        partitions: int,
        incarnation: int,
        topic_of: Callable[[str], str],
        seal_raw: Callable[[bytes], str],
    ) -> None:
        self._partition = partition
        self._partitions = partitions
        self._incarnation = incarnation
        self._topic_of = topic_of
        self._seal_raw = seal_raw
        self._rows: dict[str, bytes] = {}
        self._touched: dict[str, Row | None] = {}
        self._outputs: list[Output] = []
        self._shares: dict[str, dict[str, None]] = {}
        self._unheard: dict[str, None] = {}
        self._due: list[tuple[int, str]] = []
        self._due_at: dict[str, int] = {}
        self._is_awaited = False
        self._offset = 0
        self._index = 0

    def restore(self, key: bytes, row: bytes | None) -> None:
        """Take one row of the changelog; the newest of a key wins."""
        name = key.decode()
        # So the dictionary keeps the order in which rows were last written.
        self._rows.pop(name, None)
        if row is not None:
            self._rows[name] = row

    def restored(self) -> None:
        """Find again what expires when, and who shares a code."""
        for key in self._rows:
            self._note(key, self._row(key))

    async def prepare(self, records: list[Any]) -> None:
        """Nothing is needed from elsewhere."""

    def due_ms(self) -> int | None:
        """When the next coupon is to be given up."""
        while self._due:
            due_ms, key = self._due[0]
            if self._due_at.get(key) == due_ms:
                return due_ms
            heapq.heappop(self._due)
        return None

    def is_urgent(self) -> bool:
        """Whether somebody waits for a verdict."""
        return self._is_awaited

    def fold_many(self, records: list[Any]) -> int:
        """Leave them all to `fold`."""
        return 0

    def fold(self, record: Any, left_out: frozenset[bytes]) -> Iterator[None]:
        """Fold one word or mark."""
        if left_out:
            return iter(())
        self._offset, self._index = record.offset, 0
        try:
            word = coupon_words.decode(record.value or b"")
        except _UNREADABLE as error:
            raise PoisonError(b"", f"undecodable: {error}") from None
        try:
            self._take(word)
        except Exception as error:
            raise PoisonError(b"", f"{type(error).__name__}: {error}") from error
        return iter(())

    def _take(self, word: CouponWord | ClockMark) -> None:
        if isinstance(word, ClockMark):
            self._give_up(word.at_ms)
        elif is_order_key(word.key):
            self._hear_order(word)
        elif is_purse_key(word.key):
            self._hear_purse(word)
        elif not isinstance(word.event, OrderHas | BudgetAsked):
            self._is_awaited = self._is_awaited or bool(word.request)
            self._hear(word.key, word.event, word)

    def _give_up(self, now_ms: int) -> None:
        """Let coupons expire that are due; what is too much is left to the next mark."""
        for _ in range(EXPIRED_PER_MARK):
            due_ms = self.due_ms()
            if due_ms is None or due_ms > now_ms:
                return
            _, key = heapq.heappop(self._due)
            del self._due_at[key]
            # Whatever comes of it, a rollback must find the key to note it again.
            self._touched.setdefault(key, self._row(key))
            self._hear(key, TimePassed(now_ms), None)

    def _hear(self, key: str, event: DeskEvent, word: CouponWord | None) -> None:
        for heard in coupon_desk.hear(key, event, self._coupon, self._shares_of):
            if heard.after != heard.before:
                self._put(heard.key, heard.after)
            if heard.verdict is not None:
                self._tell(heard, heard.verdict, event, word)

    def _hear_order(self, word: CouponWord) -> None:
        found = self._row(word.key)
        row = found if isinstance(found, OrderRow) else OrderRow()
        if isinstance(word.event, OrderVoided):
            row, told = coupon_orders.void(row, word.event)
        elif isinstance(word.event, OrderHas):
            row, told = coupon_orders.add(row, word.event)
        else:
            raise ValueError(f"{kind_of(word.event)} is nothing that an order is told")
        if row != OrderRow():
            self._put(word.key, row)
        for coupon, event in told:
            self._say(CouponWord(key=coupon, event=event))
        while len(self._unheard) > UNHEARD_VOIDS_AT_MOST:
            self._put(next(iter(self._unheard)), None)

    def _hear_purse(self, word: CouponWord) -> None:
        if not isinstance(word.event, BudgetAsked):
            raise ValueError(f"{kind_of(word.event)} is nothing that a purse is asked")
        found = self._row(word.key)
        row = found if isinstance(found, PurseRow) else PurseRow()
        said = purse_desk.hear(row, word.key, word.event, self._partitions)
        self._put(word.key, row)
        self._is_awaited = self._is_awaited or bool(said)
        events = self._topic_of(topics.EVENTS)
        self._outputs += [
            Output(events, None, encode_event(one.record), one.partition) for one in said
        ]

    def _tell(
        self, heard: Heard, verdict: Verdict, event: DeskEvent, word: CouponWord | None
    ) -> None:
        is_look = isinstance(event, LookedAt)
        if verdict.outcome is Outcome.NOTHING and not is_look:
            return
        coupon, terms = heard.after, heard.after.terms
        order_id = event.order_id if isinstance(event, RedemptionAsked | OrderVoided) else ""
        taken = verdict.discount
        if is_look:
            taken = taken._replace(
                goods_cents=coupon.goods_cents, shipping_cents=coupon.shipping_cents
            )
        judged = CouponJudged(
            incarnation=self._incarnation,
            partition=self._partition,
            offset=self._offset,
            index=self._index,
            at_ms=event.at_ms,
            code=home_of(heard.key),
            asked=kind_of(event),
            outcome="looked_at" if is_look else verdict.outcome.name.lower(),
            status=status_at(coupon, event.at_ms).value,
            offer=terms.offer if terms else "",
            customer=terms.owner if terms else "",
            order_id=order_id,
            request=word.request if word else "",
            action_id=word.action_id if word else "",
            repeated=verdict.repeated,
            goods_cents=taken.goods_cents,
            shipping_cents=taken.shipping_cents,
            gift=taken.gift,
            currency=heard.currency,
            expires_at_ms=coupon.expires_ms,
            **heard.moved._asdict(),
        )
        self._index += 1
        key = judged.code.encode()
        self._outputs.append(
            Output(self._topic_of(topics.COUPON_VERDICTS), key, coupon_words.encode(judged))
        )
        self._tell_owner(judged, heard)
        if verdict.outcome is Outcome.REDEEMED and not verdict.repeated:
            has = OrderHas(event.at_ms, order_id, heard.key)
            self._say(CouponWord(key=order_key(order_id), event=has))

    def _tell_owner(self, judged: CouponJudged, heard: Heard) -> None:
        event = coupon_news.news(judged, heard.before, heard.after)
        if event is not None:
            self._outputs.append(
                Output(
                    self._topic_of(topics.EVENTS),
                    event.customer.encode(),
                    encode_event(event),  # type: ignore[arg-type]
                    partition_of(event.customer, self._partitions),
                )
            )

    def _say(self, word: CouponWord) -> None:
        self._outputs.append(
            Output(
                self._topic_of(topics.COUPONS),
                home_of(word.key).encode(),
                coupon_words.encode(word),
                partition_of_coupon(word.key, self._partitions),
            )
        )

    def _row(self, key: str) -> Row | None:
        if key in self._touched:
            return self._touched[key]
        packed = self._rows.get(key)
        if packed is None:
            return None
        if is_purse_key(key):
            return _purse_of(packed)
        return _order_of(packed) if is_order_key(key) else _coupon_of(packed)

    def _coupon(self, key: str) -> Coupon | None:
        row = self._row(key)
        return row if isinstance(row, Coupon) else None

    def _shares_of(self, code: str) -> list[str]:
        # In an order that no rollback and no recovery changes.
        return sorted(self._shares.get(code, ()))

    def _put(self, key: str, row: Row | None) -> None:
        self._touched[key] = row
        self._note(key, row)

    def _note(self, key: str, row: Row | None) -> None:
        """Keep what is only in memory as the row has it."""
        self._due_at.pop(key, None)
        if isinstance(row, Coupon):
            code = home_of(key)
            if code != key:
                self._shares.setdefault(code, {})[key] = None
            if row.status is Status.ISSUED and row.expires_ms and coupon_desk.counts(key, row):
                self._due_at[key] = due_ms = row.expires_ms + LATE_MS
                heapq.heappush(self._due, (due_ms, key))
        elif isinstance(row, OrderRow) and not row.coupons:
            self._unheard[key] = None
        else:
            self._unheard.pop(key, None)

    def seal(self) -> Interval:
        """Pack what was touched; it is what the changelog will say."""
        rows: list[tuple[bytes, bytes | None]] = []
        for key, row in self._touched.items():
            packed = None if row is None else _packed(row)
            self.restore(key.encode(), packed)
            rows.append((key.encode(), packed))
        self._touched = {}
        outputs, self._outputs = self._outputs, []
        self._is_awaited = False
        return Interval(rows, placed(outputs))

    def rollback(self) -> None:
        """Forget what was touched since the last seal, and note again what was before."""
        touched, self._touched, self._outputs = self._touched, {}, []
        self._is_awaited = False
        for key in touched:
            row = self._row(key)
            if row is None:
                self._shares.get(home_of(key), {}).pop(key, None)
            self._note(key, row)

    def dead_letter(self, record: Any, poison: PoisonError) -> Output:
        """Write down what was left out, with the sealed record and its place in the topic."""
        letter = DeadLetter(
            source=SOURCE,
            reason=poison.reason,
            at_ms=record.timestamp,
            sealed_raw=self._seal_raw(record.value or b""),
            partition=self._partition,
            offset=record.offset,
        )
        return Output(self._topic_of(topics.DEAD_LETTERS), record.key, encode(letter))

    def coupons(self) -> dict[str, Coupon]:
        """Every coupon as it stands, for whoever only looks."""
        found = {key: self._coupon(key) for key in {**self._rows, **self._touched}}
        return {key: coupon for key, coupon in found.items() if coupon is not None}
