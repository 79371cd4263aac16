"""Coupons over HTTP and by orders, on a real broker: one order has each, whatever dies."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from models.clock import LogClock
from models.coupon_words import CouponJudged, decode, decode_judged
from models.events import ClockMark, OrderCancelled, OrderCompleted
from sinks.clickhouse_queries import OfferLiability
from sinks.log_clock import CLOCK_KEY
from streams import gateway_coupons, topics
from streams.coupon_fold import LATE_MS
from streams.coupons_command import CouponTrouble, show_liability
from streams.prepare import prepare
from streams.replay.history_log import HistoryLog
from streams.replay.progress import ReplayProgress
from streams.servers.ports import free_port
from streams.settings import Settings
from tests.real.open_gateway import Answer, OpenGateway, an_open_gateway, basic
from tests.real.rig import Crew, Log, until

pytestmark = pytest.mark.real

TILLS = 100


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[OpenGateway]:
    async with an_open_gateway(settings) as opened:
        yield opened


async def issue(gateway: OpenGateway, *codes: str, **terms: Any) -> Answer:
    kind = terms or {"amount_cents": 500}
    rows = [{"code": code, "offer": "welcome", **kind} for code in codes]
    return await patient(gateway, "/v1/coupons/import", {"coupons": rows})


@asynccontextmanager
async def a_coupon_that_ends_soon(
    gateway: OpenGateway, settings: Settings
) -> AsyncIterator[tuple[Log, int]]:
    """The coupon SOON, which a worker has issued; the log, and when the coupon expires."""
    async with Log(settings) as log:
        with Crew(settings) as crew:
            crew.start("worker")
            expires_ms = int(time.time() * 1000) + 60_000
            await issue(gateway, "SOON", amount_cents=5, expires_at=expires_ms)
            yield log, expires_ms


async def redeem(gateway: OpenGateway, code: str, order: str, **more: Any) -> Answer:
    body = {"order_id": order, "basket_cents": 5_000, **more}
    return await gateway.post(f"/v1/coupons/{code}/redeem", body)


async def patient(gateway: OpenGateway, path: str, body: Any) -> Answer:
    """Send the same again until it is answered, as a till does."""
    async with asyncio.timeout(120):
        while True:
            answer = await gateway.post(path, body)
            if answer.status not in (503, 504):
                return answer
            await asyncio.sleep(0.2)


async def verdicts(log: Log) -> list[CouponJudged]:
    return [decode_judged(one.value) for one in await log.records(topics.COUPON_VERDICTS)]


async def test_a_till_redeems_and_each_other_answer_has_its_status(
    gateway: OpenGateway, settings: Settings
) -> None:
    with Crew(settings) as crew:
        crew.start("worker")
        assert (await issue(gateway, "Spring-1", "OVER", "BACK")).body == {
            "accepted": 3,
            "rejected": [],
        }
        await issue(gateway, "OLD", amount_cents=5, expires_at="2020-01-01")
        await issue(gateway, "ANNAS", percent="10%", customer="anna")
        await issue(gateway, "LARGE", percent=0.2, min_order_cents=9_000)

        first = await redeem(gateway, "spring1", "o1")
        assert (first.status, first.body["discount_cents"]) == (200, 500)
        again = await redeem(gateway, "spring1", "o1")
        assert (again.status, again.body["repeated"]) == (200, True)
        assert again.body["discount_cents"] == 500
        other = await redeem(gateway, "SPRING1", "o2")
        assert (other.status, other.body["outcome"]) == (409, "already_redeemed")
        assert (await gateway.post("/v1/coupons/OVER/revoke", b"")).status == 200
        assert (await redeem(gateway, "NONE", "o1")).status == 404
        assert (await redeem(gateway, "OLD", "o1")).status == 410
        assert (await redeem(gateway, "OVER", "o1")).status == 410
        assert (await redeem(gateway, "ANNAS", "o1")).status == 422
        assert (await redeem(gateway, "ANNAS", "o1", customer="bert")).status == 422
        annas = await redeem(gateway, "ANNAS", "o3", customer="anna")
        assert (annas.status, annas.body["discount_cents"]) == (200, 500)
        little = await redeem(gateway, "LARGE", "o4")
        assert (little.status, little.body["outcome"]) == (422, "too_little_spent")
        await issue(gateway, "EMPTY")
        for basket_cents in (0, -500):
            empty = await redeem(gateway, "EMPTY", "o5", basket_cents=basket_cents)
            assert (empty.status, empty.body["outcome"]) == (422, "nothing_to_take_off")
            assert (empty.body["status"], empty.body["discount_cents"]) == ("issued", 0)
        assert (await redeem(gateway, "EMPTY", "o5")).status == 200
        lines = {"lines": [{"total_cents": 5_000}, {"total_cents": 4_000}]}
        body = {"order_id": "o4", **lines}
        enough = await gateway.post("/v1/coupons/LARGE/redeem", body)
        assert (enough.status, enough.body["discount_cents"]) == (200, 1_800)

        looked = await gateway.get("/v1/coupons/Spring-1", basic())
        assert (looked.status, '"status":"redeemed"' in looked.body) == (200, True)
        assert (await gateway.get("/v1/coupons/NONE", basic())).status == 404
        assert (await gateway.get("/v1/coupons/SPRING1")).status == 401
        taken = await issue(gateway, "SPRING1", amount_cents=9)
        assert taken.body == {
            "accepted": 0,
            "rejected": [{"index": 0, "reason": "the code is another coupon's"}],
        }


async def test_a_till_may_name_its_orders_currency(
    gateway: OpenGateway, settings: Settings
) -> None:
    with Crew(settings) as crew:
        crew.start("worker")
        await issue(gateway, "DOLLARS")
        await issue(gateway, "TENTH", percent="10%")
        abroad = await redeem(gateway, "DOLLARS", "o6", currency="jpy")
        assert (abroad.status, abroad.body["outcome"]) == (422, "other_currency")
        assert abroad.body["error"] == "it is in another currency than the order"
        again = await redeem(gateway, "DOLLARS", "o6", currency="jpy")
        assert (again.status, again.body["repeated"]) == (422, True)
        home = await redeem(gateway, "DOLLARS", "o6", currency="usd")
        assert [home.body[name] for name in ("discount_cents", "currency")] == [500, "USD"]
        share = await redeem(gateway, "TENTH", "o6", currency="JPY")
        assert [share.body[name] for name in ("discount_cents", "currency")] == [500, "JPY"]
        nowhere = await redeem(gateway, "TENTH", "o6", currency="yen!")
        assert (nowhere.status, nowhere.body["error"]) == (
            400,
            "currency: expected a currency of three letters (ISO 4217), got 'yen!'",
        )


@pytest.mark.parametrize(
    "body",
    [
        {"basket_cents": 5},
        {"order_id": "", "basket_cents": 5},
        {"order_id": "o1"},
        {"order_id": "o1", "basket_cents": 5, "lines": []},
        {"order_id": "o1", "basket_cents": "5"},
        {"order_id": "o1", "basket_cents": 5, "basket": 5},
        {"order_id": "o" * 201, "basket_cents": 5},
        {"order_id": "o1", "basket_cents": 5, "currency": ""},
        {"order_id": "o1", "basket_cents": 5, "currency": "€€€"},
        {"order_id": "o1", "basket_cents": 5, "currency": 978},
        [],
    ],
)
async def test_what_is_no_redemption_is_refused_before_the_log(
    gateway: OpenGateway, body: Any
) -> None:
    assert (await gateway.post("/v1/coupons/CODE/redeem", body)).status == 400
    assert (await gateway.post("/v1/coupons/---/redeem", body)).status == 404
    assert (await gateway.post("/v1/coupons/CODE/redeem", body, headers={})).status == 401


async def test_codes_come_in_as_csv_and_bad_rows_are_named(
    gateway: OpenGateway, settings: Settings
) -> None:
    lines = ("code,percent,amount_cents,expires_at,currency", "A1,10%,,,", "B2,,x,,", ",5%,,,")
    rows = "\ufeff" + "\r\n".join((*lines, "D4,,70,2031-05-01,eur", "E5,,70,,euro", ""))
    with Crew(settings) as crew:
        crew.start("worker")
        headers = basic() | {"Content-Type": "text/csv"}
        async with asyncio.timeout(60):
            while True:
                answer = await gateway.post("/v1/coupons/import", rows.encode(), headers)
                if answer.status == 200:
                    break
        assert answer.body["accepted"] == 2
        assert [one["index"] for one in answer.body["rejected"]] == [1, 2, 4]
        assert answer.body["rejected"][2]["reason"] == (
            "currency: this is no currency: 'euro'; expected three letters such as EUR"
        )
        redeemed = await redeem(gateway, "D4", "o1")
        assert [redeemed.body[name] for name in ("discount_cents", "currency")] == [70, "EUR"]
    assert (await gateway.post("/v1/coupons/import", {"coupons": 3})).status == 400
    many = {"coupons": [{}] * (settings.max_batch_events + 1)}
    assert (await gateway.post("/v1/coupons/import", many)).status == 413


async def test_without_a_worker_a_till_is_told_to_ask_again(
    gateway: OpenGateway, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_coupons, "ANSWERED_WITHIN_S", 0.3)
    async with asyncio.timeout(30):
        while (answer := await redeem(gateway, "CODE", "o1")).status == 503:
            await asyncio.sleep(0.05)
    assert (answer.status, answer.headers["Retry-After"]) == (504, "1")


async def test_of_a_hundred_tills_at_once_one_wins_while_workers_are_killed(
    gateway: OpenGateway, settings: Settings
) -> None:
    codes = [f"RACE{number}" for number in range(8)]
    async with Log(settings) as log:
        with Crew(settings) as crew:
            workers = [crew.start("worker", 1), crew.start("worker", 2)]
            await issue(gateway, *codes)
            for number, code in enumerate(codes):
                path = f"/v1/coupons/{code}/redeem"
                racing = [
                    asyncio.create_task(
                        patient(gateway, path, {"order_id": f"{code} {till}", "basket_cents": 900})
                    )
                    for till in range(TILLS)
                ]
                if number % 3 == 0:
                    await asyncio.sleep(0.01 * number)
                    victim = number // 3 % 2
                    workers[victim].kill()
                    workers[victim] = crew.start("worker", victim + 1)
                answers = [await one for one in racing]
                assert sorted(one.status for one in answers) == [200] + [409] * (TILLS - 1)
                (won,) = [one.body["order_id"] for one in answers if one.status == 200]
                again = await patient(gateway, path, {"order_id": won, "basket_cents": 900})
                assert (again.status, again.body["repeated"]) == (200, True)
        judged = await verdicts(log)
    fresh = [one for one in judged if one.outcome == "redeemed" and not one.repeated]
    assert sorted(one.code for one in fresh) == sorted(codes)
    assert len({(one.partition, one.offset, one.index) for one in judged}) == len(judged)
    for moved, count in (("issued", 8), ("open", 0), ("redeemed", 8), ("redeemed_cents", 4_000)):
        assert sum(getattr(one, moved) for one in judged) == count


async def test_an_order_redeems_its_coupon_and_its_end_gives_it_back(
    gateway: OpenGateway, settings: Settings
) -> None:
    anna = gateway.token("customer", "anna")
    common: dict[str, Any] = {"customer": anna, "received_at_ms": 1_700_000_000_000}
    async with Log(settings) as log:
        with Crew(settings) as crew:
            crew.start("worker", 1)
            crew.start("worker", 2)
            await issue(gateway, "ANNAS", amount_cents=500, customer="anna", give_back=True)

            def bought(order: str, at_ms: int, currency: str = "USD") -> OrderCompleted:
                return OrderCompleted(
                    id=uuid4().hex, occurred_at_ms=at_ms, order_id=order, total_cents=2_000,
                    currency=currency, coupon="annas", discount_cents=500, **common,
                )  # fmt: skip

            await log.write([bought("o0", 1_700_000_000_000, "JPY")])
            await until(lambda: _judged(log, "other_currency", "o0"), "the order to be refused")
            await log.write([bought("o1", 1_700_000_000_000)])
            await until(lambda: _judged(log, "redeemed", "o1"), "the order to redeem it")
            told = await redeem(gateway, "ANNAS", "o1", customer="anna")
            assert (told.status, told.body["repeated"]) == (200, True)
            over = OrderCancelled(
                id=uuid4().hex, occurred_at_ms=1_700_000_100_000, order_id="o1", **common
            )
            await log.write([over])
            await until(lambda: _judged(log, "given_back", "o1"), "the coupon to be given back")
            await log.write([bought("o2", 1_700_000_200_000)])
            await until(lambda: _judged(log, "redeemed", "o2"), "the next order to redeem it")


async def test_what_nobody_redeems_is_given_up_by_the_logs_time(
    gateway: OpenGateway, settings: Settings
) -> None:
    async with a_coupon_that_ends_soon(gateway, settings) as (log, _):
        looked = await gateway.get("/v1/coupons/SOON", basic())
        assert '"status":"issued"' in looked.body
        later = LogClock(mode="wall", wall_offset_ms=LATE_MS + 60_000)
        clock = settings.named(topics.CONTROL), msgspec.json.encode(later), CLOCK_KEY
        await log.producer.send_and_wait(*clock, partition=0)
        await until(lambda: _judged(log, "expired", ""), "a mark to give the coupon up")
        assert (await redeem(gateway, "SOON", "o1")).status == 410
        marks = [decode(one.value) for one in await log.records(topics.COUPONS)]
        assert 1 <= sum(isinstance(one, ClockMark) for one in marks) < 5


async def test_in_a_replay_a_coupon_is_given_up_by_the_day_that_ended(
    gateway: OpenGateway, settings: Settings
) -> None:
    async with a_coupon_that_ends_soon(gateway, settings) as (log, expires_ms):
        over_ms = expires_ms + LATE_MS
        async with HistoryLog(settings) as history:
            for until_ms in (over_ms - 1, over_ms):
                assert not await _judged(log, "expired", "")
                clock = LogClock(mode="replay", at_ms=until_ms)
                played = ReplayProgress(source="a shop", until_ms=until_ms)
                await history.write({}, [], played, clock, coupons_ms=until_ms)
                assert (await gateway.get("/v1/coupons/SOON", basic())).status == 200
        await until(lambda: _judged(log, "expired", ""), "the mark to give the coupon up")
        marks = [decode(one.value) for one in await log.records(topics.COUPONS)]
        told = [one.at_ms for one in marks if isinstance(one, ClockMark)]
        assert sorted({*told}) == [over_ms - 1, over_ms]
        assert len(told) == 2 * settings.partitions


async def test_what_offers_may_cost_is_summed_up_from_the_verdicts(
    gateway: OpenGateway, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(prepare, settings)
    await asyncio.to_thread(show_liability, settings, as_json=False)
    with Crew(settings) as crew:
        crew.start("worker")
        crew.start("sinks")
        await issue(gateway, "A1", "B2", "C3", "D4")
        await issue(gateway, "OPEN", percent="5%", shared=True)
        await redeem(gateway, "A1", "o1", basket_cents=450)
        await gateway.post("/v1/coupons/B2/revoke", b"")
        await gateway.get("/v1/coupons/C3", basic())
        await issue(gateway, "YEN", amount_cents=9_000, currency="JPY")
        await redeem(gateway, "OPEN", "o2", currency="JPY")
        may_cost, cost = {"USD": 1_000, "JPY": 9_000}, {"USD": 450, "JPY": 250}
        welcome = OfferLiability("welcome", 7, 4, may_cost, 1, 2, cost, 0, 1)
        await until(lambda: _told(settings, capsys, [welcome]), "the verdicts to land")
    await asyncio.to_thread(show_liability, settings, as_json=False)
    first, second = capsys.readouterr().out.splitlines()[1:3]
    assert first.split() == ["welcome", "7", "4", "9,000", "JPY", "1", "2", "250", "JPY", "0", "1"]
    assert second.split() == ["1,000", "USD", "450", "USD"]
    nowhere = settings.model_copy(update={"clickhouse_url": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(CouponTrouble, match="huitou up"):
        show_liability(nowhere, as_json=True)


async def _told(
    settings: Settings, capsys: pytest.CaptureFixture[str], expected: list[OfferLiability]
) -> bool:
    capsys.readouterr()
    await asyncio.to_thread(show_liability, settings, as_json=True)
    told = json.loads(capsys.readouterr().out)
    return bool(told == [one._asdict() for one in expected])


async def _judged(log: Log, outcome: str, order: str) -> bool:
    return any(
        one.outcome == outcome and one.order_id == order and not one.repeated
        for one in await verdicts(log)
    )
