"""Signed webhooks: the same id over all tries, and what an answer says about trying again."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from models.events import MessageChannel
from sinks.dispatch_messages import call_of, task_of
from sinks.sender_webhook import RETRY_AFTER_MAX_MS, WebhookSender, body_of, retry_after_ms
from sinks.senders import Message, SendFailed, SendRefused
from tests.sinks.test_dispatch_messages import PERSONAL, action
from tests.sinks.test_sender_email import message

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_c2VjcmV0IG9mIGFub3RoZXIga2luZA=="


class Receiver:
    """A real HTTP server that verifies, as the standard's own library does, what it gets."""

    def __init__(self, answer: Callable[[str], web.Response] | None = None) -> None:
        self.answer = answer or (lambda _id: web.json_response({"id": "p-1"}))
        self.got: list[tuple[str, dict[str, object]]] = []
        self.ids: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.text()
        said = Webhook(SECRET).verify(raw, dict(request.headers))
        self.ids.append(request.headers["webhook-id"])
        answer = self.answer(request.headers["webhook-id"])
        if answer.status == 200:
            self.got.append((request.headers["webhook-id"], said))
        return answer


@asynccontextmanager
async def running(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def text_message(address: str = "+49123") -> Message:
    return message(channel=MessageChannel.SMS, address=address, html="")


async def test_a_message_arrives_signed_with_its_key_as_id() -> None:
    receiver = Receiver()
    async with running(receiver) as url:
        sender = WebhookSender(url, f"{OTHER}, {SECRET}")
        result = await sender.send(text_message(), "key-1")
        await sender.close()
    assert (result.provider_id, result.delivered) == ("p-1", False)
    [(name, said)] = receiver.got
    assert (name, said["type"]) == ("key-1", "huitou.message")
    assert said["data"]["to"] == "+49123"  # type: ignore[index]
    assert said["data"]["channel"] == "sms"  # type: ignore[index]


async def test_a_call_goes_to_its_own_address_and_a_task_to_its_owners() -> None:
    receiver = Receiver()
    async with running(receiver) as url:
        for one in (
            call_of(action(kind="webhook", address=url), PERSONAL, 5),
            task_of(action(kind="task", task="Call"), PERSONAL, 5),
        ):
            sender = WebhookSender("" if one.address else url, SECRET)
            await sender.send(one, one.message_id)
            await sender.close()
    assert [said["type"] for _, said in receiver.got] == ["huitou.action", "huitou.task"]
    assert receiver.got[0][1]["data"]["customer_id"] == "c-1"  # type: ignore[index]


@pytest.mark.parametrize("status", [400, 410, 413, 422])
async def test_what_the_receiver_will_never_take_is_refused(status: int) -> None:
    async with running(Receiver(lambda _id: web.Response(status=status))) as url:
        sender = WebhookSender(url, SECRET)
        with pytest.raises(SendRefused, match=str(status)):
            await sender.send(text_message(), "k")
        await sender.close()


@pytest.mark.parametrize("status", [302, 401, 404, 408, 500, 502, 503])
async def test_what_may_be_mended_is_tried_again_and_no_redirect_is_followed(status: int) -> None:
    headers = {"Location": "/elsewhere", "Retry-After": "7"}
    async with running(Receiver(lambda _id: web.Response(status=status, headers=headers))) as url:
        sender = WebhookSender(url, SECRET)
        with pytest.raises(SendFailed, match=str(status)) as failed:
            await sender.send(text_message(), "k")
        assert (failed.value.retry_after_ms, failed.value.is_throttled) == (7_000, False)
        await sender.close()


async def test_who_is_too_fast_is_told_for_how_long() -> None:
    answer = web.Response(status=429, headers={"Retry-After": "30"})
    async with running(Receiver(lambda _id: answer)) as url:
        sender = WebhookSender(url, SECRET)
        with pytest.raises(SendFailed) as failed:
            await sender.send(text_message(), "k")
        assert (failed.value.retry_after_ms, failed.value.is_throttled) == (30_000, True)
        await sender.close()


@pytest.mark.parametrize("raw", ["", "no json", "[1]", '{"id": 5}', '{"id": "' + "x" * 500 + '"}'])
async def test_any_answer_names_the_message_somehow(raw: str) -> None:
    async with running(Receiver(lambda _id: web.Response(text=raw))) as url:
        sender = WebhookSender(url, SECRET)
        assert 0 < len((await sender.send(text_message(), "k")).provider_id) <= 200
        await sender.close()


async def test_without_an_address_or_a_receiver_nothing_is_sent() -> None:
    sender = WebhookSender("http://127.0.0.1:9/", SECRET)
    with pytest.raises(SendRefused):
        await sender.send(text_message(""), "k")
    with pytest.raises(SendFailed) as failed:
        await sender.send(text_message(), "k")
    assert "+49123" not in str(failed.value)
    await sender.close()


def test_a_date_to_come_back_at_is_read_and_bounded() -> None:
    now_s = float(int(time.time()))
    assert retry_after_ms(formatdate(now_s + 60, usegmt=True), now_s) == 60_000
    assert retry_after_ms(formatdate(now_s - 60, usegmt=True), now_s) == 0
    assert retry_after_ms("999999999", now_s) == RETRY_AFTER_MAX_MS
    assert [retry_after_ms(one, now_s) for one in ("-5", "٣", "1e9", "9" * 30)] == [0] * 4


def test_a_body_is_json_whatever_the_words() -> None:
    said = json.loads(body_of(message(text="a\u2028</script>")))
    assert said["data"]["text"] == "a\u2028</script>"
    assert said["timestamp"] == "2023-11-14T22:13:20.000+00:00"
