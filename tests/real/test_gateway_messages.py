"""What comes back about messages, over real HTTP into a real log."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from models.events import MessageChannel, type_of
from models.unsubscribing import WayOut, key_of, named
from sinks.dispatch_ledger import Ledger
from sinks.signing import headers_of
from streams.secrets import load_secrets, open_key_store
from streams.settings import Settings
from tests.real.open_gateway import Answer, OpenGateway, an_open_gateway

pytestmark = pytest.mark.real

ACTION = "0123456789abcdef" * 2
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[OpenGateway]:
    secrets = Settings(webhook_secrets={"mail": SECRET}).webhook_secrets
    configured = settings.model_copy(update={"webhook_secrets": secrets})
    async with an_open_gateway(configured) as opened:
        yield opened


@pytest.fixture
async def sent(gateway: OpenGateway) -> str:
    """An e-mail that the dispatcher sent to Anna."""
    redis = Redis.from_url(gateway.settings.redis_address)
    ledger = Ledger(redis, gateway.settings.namespace, "me", 60_000)
    await ledger.claim(ACTION, gateway.token("customer", "anna"), "email")
    await redis.aclose()
    return ACTION


def way_out(gateway: OpenGateway, channel: MessageChannel = MessageChannel.EMAIL) -> str:
    key = key_of(load_secrets(gateway.settings).token_key)
    return "/u/" + named(WayOut(gateway.token("customer", "anna"), channel, ACTION), key)


async def report(gateway: OpenGateway, body: Any, secret: str = SECRET) -> Answer:
    raw = json.dumps(body).encode()
    headers = headers_of("w1", raw, int(time.time()), secret)
    return await gateway.post("/v1/receipts/mail", raw, headers)


def delivered(action_id: str = ACTION) -> dict[str, Any]:
    return {"type": "email.delivered", "data": {"action_id": action_id}}


async def post(gateway: OpenGateway, path: str, **more: Any) -> tuple[int, str]:
    async with (
        ClientSession() as session,
        session.post(gateway.url + path, data="List-Unsubscribe=One-Click", **more) as response,
    ):
        return response.status, await response.text()


async def test_a_signed_report_becomes_the_customers_event(gateway: OpenGateway, sent: str) -> None:
    bodies = [delivered(sent), {"type": "email.clicked", "data": {"message_id": f"<{sent}@x>"}}]
    answer = await report(gateway, bodies)
    assert (answer.status, answer.body) == (200, {"accepted": 2, "rejected": []})
    written = await gateway.written()
    assert {type_of(one) for one in written} == {"message_delivered", "message_clicked"}  # type: ignore[arg-type]
    assert {one.customer for one in written} == {gateway.token("customer", "anna")}


async def test_of_several_reports_those_that_fit_nothing_are_named(
    gateway: OpenGateway, sent: str
) -> None:
    answer = await report(gateway, [delivered("f" * 32), delivered(sent), {"type": "x"}])
    assert answer.body["accepted"] == 1
    assert [one["index"] for one in answer.body["rejected"]] == [0, 2]
    assert len(await gateway.written()) == 1


async def test_a_report_that_is_not_signed_is_not_believed(gateway: OpenGateway, sent: str) -> None:
    forged = "whsec_c2VjcmV0IG9mIGFub3RoZXIga2luZA=="
    assert (await report(gateway, delivered(sent), forged)).status == 401
    assert (await gateway.post("/v1/receipts/mail", delivered(sent), {})).status == 401
    assert (await gateway.post("/v1/receipts/nobody", delivered(sent), {})).status == 404
    assert await gateway.written() == []


async def test_looking_at_the_way_out_asks_and_changes_nothing(gateway: OpenGateway) -> None:
    answer = await gateway.get(way_out(gateway), {"Accept-Language": "zh-HK,en;q=0.5"})
    assert answer.status == 200
    assert 'method="post"' in answer.body
    assert "停止接收" in answer.body
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Type"].startswith("text/html")
    assert await gateway.written() == []


@pytest.mark.parametrize("channel", [MessageChannel.EMAIL, MessageChannel.SMS])
async def test_one_click_ends_the_channel_through_any_name_of_the_gateway(
    gateway: OpenGateway, channel: MessageChannel
) -> None:
    for _ in range(2):
        status, page = await post(
            gateway, way_out(gateway, channel), headers={"Host": "shop.example"}
        )
        assert status == 200
        assert "Done" in page
    written: list[Any] = await gateway.written()
    assert {one.id for one in written} == {f"{ACTION}:unsubscribed"}
    assert {one.message_channel for one in written} == {channel}
    assert {one.customer for one in written} == {gateway.token("customer", "anna")}
    assert written[0].action_id == ACTION


async def test_a_forged_way_out_leads_nowhere(gateway: OpenGateway) -> None:
    right = way_out(gateway)
    for wrong in (
        right[:-1] + ("A" if right[-1] != "A" else "B"),
        "/u/x",
        right.replace(".e.", ".s."),
    ):
        assert (await post(gateway, wrong))[0] == 404
        assert (await gateway.get(wrong)).status == 404
    assert await gateway.written() == []


async def test_of_an_erased_customer_nothing_is_written_anymore(
    gateway: OpenGateway, sent: str
) -> None:
    store = open_key_store(gateway.settings, load_secrets(gateway.settings).master_key)
    store.destroy(gateway.token("customer", "anna"))
    store.close()
    assert (await post(gateway, way_out(gateway)))[0] == 200
    assert (await report(gateway, delivered(sent))).body == {"accepted": 0, "rejected": []}
    assert await gateway.written() == []


async def test_a_form_that_is_no_form_is_cut_off(gateway: OpenGateway) -> None:
    answer = await gateway.post(way_out(gateway), b"x" * 20_000, {})
    assert answer.status == 413
