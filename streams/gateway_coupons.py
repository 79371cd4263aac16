"""Coupons over HTTP: every request is a word on topic `coupons`, answered from the fold's verdict.

    POST /v1/coupons/{code}/redeem   {"order_id", "basket_cents" or "lines", "customer", "id", ...}
    POST /v1/coupons/{code}/revoke
    GET  /v1/coupons/{code}
    POST /v1/coupons/import          {"coupons": [rows]}, or the rows as CSV

So of two tills at once the first in the log wins, whichever gateways and workers they meet, and a
request that is sent again under the same id gets the same answer. A verdict that does not come in
time is a 504: nothing is lost by asking again.
"""

import asyncio
import csv
import hashlib
import io
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from models.coupon_codes import key_of, spelled
from models.coupon_import import Asked, BadRow, read_row
from models.coupon_words import CouponJudged, CouponTold, CouponWord, LookedAt
from models.coupons import Outcome, RedemptionAsked, Revoked, Status
from models.discounts import Basket
from models.events import Cents
from models.segment_values import Refusal, currency_of, shown
from sinks.coupon_verdicts import NotAnswered, VerdictReader
from sinks.log import LogWriter
from streams.gateway_admission import Admission
from streams.gateway_requests import (
    Refused,
    answer,
    json_of,
    read_sent,
    require_write_key,
    retry_later,
    unpacked,
)
from streams.settings import Settings

ANSWERED_WITHIN_S = 5.0
ID_CHARS_MAX = 200
CSV_TYPE = "text/csv"

_STATUS = {
    Outcome.ISSUED: 200,
    Outcome.REDEEMED: 200,
    Outcome.ALREADY_REDEEMED: 409,
    Outcome.ORDER_OVER: 409,
    Outcome.TAKEN: 409,
    Outcome.UNKNOWN: 404,
    Outcome.EXPIRED: 410,
    Outcome.REVOKED: 410,
    Outcome.NOT_YOURS: 422,
    Outcome.NOT_WITH_OTHERS: 422,
    Outcome.OTHER_CURRENCY: 422,
    Outcome.TOO_LITTLE_SPENT: 422,
    Outcome.NOTHING_TO_TAKE_OFF: 422,
}
_REVOKED_STATUS = _STATUS | {Outcome.REVOKED: 200}


class BasketLine(msgspec.Struct, frozen=True):
    """A line of a basket that the coupon is good for."""

    total_cents: Cents


class Redemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a till sends; `id` names the request, made from the body where it is left out.

    `customer` is the shop's own id, `currency` the order's (the coupon's own where none is told).
    `other_coupons`: the order has others, too.
    """

    order_id: str
    basket_cents: Cents | None = None
    lines: tuple[BasketLine, ...] | None = None
    shipping_cents: Cents = 0
    customer: str = ""
    other_coupons: bool = False
    id: str = ""
    currency: str | None = None


class CouponDoor:
    """The gateway's side of the coupons."""

    def __init__(
        self, settings: Settings, admission: Admission, writer: LogWriter, verdicts: VerdictReader
    ) -> None:
        self._settings = settings
        self._write_key = settings.write_key.get_secret_value()
        self._admission = admission
        self._writer = writer
        self._verdicts = verdicts

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the ways in."""
        router.add_post("/v1/coupons/import", self._import)
        router.add_post("/v1/coupons/{code}/redeem", self._redeem)
        router.add_post("/v1/coupons/{code}/revoke", self._revoke)
        router.add_get("/v1/coupons/{code}", self._look)

    async def _redeem(self, request: web.Request) -> web.StreamResponse:
        code, sent = _code_of(request), await self._sent(request)
        told = _redemption(json_of(sent))
        id = told.id or hashlib.blake2b(sent, digest_size=16).hexdigest()
        names = (self._token_of(told.customer),) if told.customer else ()
        event = RedemptionAsked(
            at_ms=await self._admission.now_ms(),
            id=id,
            order_id=told.order_id,
            basket=_basket(told),
            names=names,
            with_others=told.other_coupons,
            currency=_currency(told),
        )
        judged = await self._asked(CouponWord(key=code, event=event, request=f"redeem {id}"))
        return _answered(judged, _STATUS)

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        code = _code_of(request)
        await self._sent(request)
        event = Revoked(await self._admission.now_ms())
        return _answered(await self._about(code, event), _REVOKED_STATUS)

    async def _look(self, request: web.Request) -> web.StreamResponse:
        require_write_key(request, self._write_key)
        event = LookedAt(await self._admission.now_ms())
        judged = await self._about(_code_of(request), event)
        is_known = judged.status != Status.UNKNOWN.value
        return answer(_told(judged), status=200 if is_known else 404)

    async def _import(self, request: web.Request) -> web.StreamResponse:
        rows = _rows_of(request.content_type, await self._sent(request))
        limit = self._settings.max_batch_events
        if len(rows) > limit:
            raise Refused(413, f"expected at most {limit} coupons, got {len(rows)}")
        now_ms, currency = await self._admission.now_ms(), self._settings.currency
        asked = Asked(now_ms, uuid4().hex, self._token_of, currency)
        words, rejected = _read(rows, asked)
        judged = await self._judged(words)
        for index, one in zip(words, judged, strict=True):
            if one.outcome == Outcome.TAKEN.name.lower():
                rejected[index] = Outcome.TAKEN.value
        told = [{"index": index, "reason": rejected[index]} for index in sorted(rejected)]
        return answer({"accepted": len(rows) - len(told), "rejected": told})

    async def _sent(self, request: web.Request) -> bytes:
        require_write_key(request, self._write_key)
        limit = self._settings.max_body_bytes
        return unpacked(request, await read_sent(request, limit), limit)

    def _token_of(self, customer: str) -> str:
        return self._admission.token_of("customer", customer)

    async def _about(self, code: str, event: CouponTold) -> CouponJudged:
        return await self._asked(CouponWord(key=code, event=event, request=uuid4().hex))

    async def _asked(self, word: CouponWord) -> CouponJudged:
        (judged,) = await self._judged({0: word})
        return judged

    async def _judged(self, words: dict[int, CouponWord]) -> Sequence[CouponJudged]:
        """Write words and wait for the verdicts on all of them."""
        if not self._verdicts.current:
            raise retry_later(503, "the coupons' verdicts are not read yet; send it again", 1)
        awaited = [self._verdicts.expect(word) for word in words.values()]
        try:
            await self._writer.write_coupon_words(list(words.values()))
            waits = [self._verdicts.judged(one, ANSWERED_WITHIN_S) for one in awaited]
            return await asyncio.gather(*waits)
        except NotAnswered:
            raise retry_later(
                504, "no verdict in time; send the same again to learn what came of it", 1
            ) from None
        finally:
            for one in awaited:
                one.cancel()


def _code_of(request: web.Request) -> str:
    key = key_of(request.match_info["code"])
    if not key:
        raise Refused(404, "that can be no code")
    return key


def _redemption(body: Any) -> Redemption:
    try:
        told = msgspec.convert(body, Redemption)
    except msgspec.ValidationError as error:
        raise Refused(400, str(error)) from None
    for name, text in (("order_id", told.order_id), ("id", told.id)):
        if len(text) > ID_CHARS_MAX:
            raise Refused(400, f"{name}: expected at most {ID_CHARS_MAX} characters")
    if not told.order_id:
        raise Refused(400, "order_id: expected the order that redeems it")
    if (told.basket_cents is None) == (told.lines is None):
        raise Refused(400, "expected either basket_cents or lines")
    return told


def _basket(told: Redemption) -> Basket:
    goods_cents = told.basket_cents
    if goods_cents is None:
        goods_cents = sum(line.total_cents for line in told.lines or ())
    return Basket(max(0, goods_cents), max(0, told.shipping_cents))


def _currency(told: Redemption) -> str:
    if told.currency is None:
        return ""
    try:
        return currency_of(told.currency)
    except Refusal as refusal:
        got = shown(refusal.got)
        raise Refused(400, f"currency: expected {refusal.expected}, got {got}") from None


def _rows_of(content_type: str, sent: bytes) -> list[Any]:
    if content_type == CSV_TYPE:
        try:
            return list(csv.DictReader(io.StringIO(sent.decode("utf-8-sig"), newline="")))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Refused(400, f"expected CSV in UTF-8: {error}") from None
    body = json_of(sent)
    rows = body.get("coupons") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise Refused(400, 'expected an object with a list "coupons", or text/csv')
    return rows


def _read(rows: list[Any], asked: Asked) -> tuple[dict[int, CouponWord], dict[int, str]]:
    words: dict[int, CouponWord] = {}
    rejected: dict[int, str] = {}
    for index, row in enumerate(rows):
        try:
            words[index] = read_row(row, index, asked)
        except BadRow as bad:
            rejected[index] = str(bad)
    return words, rejected


def _answered(judged: CouponJudged, statuses: dict[Outcome, int]) -> web.Response:
    outcome = Outcome[judged.outcome.upper()]
    status = statuses[outcome]
    told = _told(judged)
    if status >= 400:
        told["error"] = outcome.value
    return answer(told, status=status)


def _told(judged: CouponJudged) -> dict[str, Any]:
    told: dict[str, Any] = {
        "code": judged.code,
        "spelled": spelled(judged.code),
        "outcome": judged.outcome,
        "status": judged.status,
        "offer": judged.offer,
        "repeated": judged.repeated,
        "discount_cents": judged.goods_cents,
        "shipping_discount_cents": judged.shipping_cents,
        "gift": judged.gift,
        "currency": judged.currency,
        "expires_at_ms": judged.expires_at_ms or None,
    }
    if judged.order_id:
        told["order_id"] = judged.order_id
    return told
