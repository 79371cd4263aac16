"""The dispatcher through its own senders: servers that are slow, full or gone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from models.events import MessageBounced, MessageChannel
from sinks.dispatch_delivery import Patience
from sinks.mailbox import Mailbox
from sinks.sender_choice import SenderConfig, senders_of
from sinks.sender_email import SmtpServer
from sinks.senders import Senders
from tests.real.dispatch_rig import House, bounce, pair, settings_of
from tests.sinks.test_sender_email import Inbox, read
from tests.sinks.test_sender_email import running as smtp
from tests.sinks.test_sender_webhook import SECRET, Receiver
from tests.sinks.test_sender_webhook import running as webhook

pytestmark = pytest.mark.real


@pytest.fixture
async def house(kafka: str, valkey: str, tmp_path: Path) -> AsyncIterator[House]:
    async with House(settings_of(kafka, valkey, tmp_path)) as opened:
        yield opened


def by_sms(url: str) -> Callable[[Mailbox], Senders]:
    config = SenderConfig(None, {MessageChannel.SMS: url}, secrets=SECRET)
    return lambda mailbox: senders_of(config, mailbox)


def by_mail(server: SmtpServer) -> Callable[[Mailbox], Senders]:
    return lambda mailbox: senders_of(SenderConfig(server), mailbox)


async def test_an_e_mail_goes_out_whole_with_its_way_out(house: House) -> None:
    action = house.action()
    await house.decide(action)
    inbox = Inbox()
    async with (
        smtp(inbox) as server,
        house.dispatcher(by_mail(server), public_url="https://tea.example", token_key=b"t" * 32),
    ):
        await house.drained()
    [(to, raw)] = inbox.taken
    mail = read(raw)
    assert to == "anna@example.com"
    assert mail["Message-ID"] == f"<{action.action_id}@tea.example>"
    assert "Hi Anna," in mail.get_body(("plain",)).get_content()
    assert mail["List-Unsubscribe"].startswith("<https://tea.example/u/")
    assert await house.receipt_ids() == pair(action)[:1]


async def test_a_mail_server_that_comes_back_gets_each_message_once(house: House) -> None:
    actions = [house.action(f"c{number}") for number in range(8)]
    inbox = Inbox(lambda _to, tries: "451 busy" if tries < 1 else "250 OK")
    async with smtp(inbox) as server:
        pass
    await house.decide(*actions)
    async with house.dispatcher(by_mail(server), patience=_patient()):
        await asyncio.sleep(0.5)
        async with smtp(inbox, server.port):
            await house.drained()
    ids = sorted(read(raw)["Message-ID"] for _, raw in inbox.taken)
    assert ids == sorted(f"<{one.action_id}@tea.example>" for one in actions)


def _patient() -> Patience:
    return Patience(failures_max=200, first_wait_ms=20, longest_wait_ms=100, send_limit_ms=600)


async def test_an_address_that_does_not_exist_bounces_at_once(house: House) -> None:
    action = house.action()
    await house.decide(action)
    inbox = Inbox(lambda _to, _tries: "550 no such mailbox")
    async with smtp(inbox) as server, house.dispatcher(by_mail(server)):
        await house.drained()
    [receipt] = await house.receipts()
    assert isinstance(receipt, MessageBounced)
    assert receipt.reason == "the mail server answered 550"
    assert len(inbox.tries) == 1
    assert await house.dead_letters() == []


async def test_who_is_asked_to_wait_waits_so_long_and_loses_no_try(house: House) -> None:
    moments: list[float] = []

    def full_at_first(_id: str) -> web.Response:
        moments.append(time.monotonic())
        if len(moments) < 5:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.json_response({"id": "p-1"})

    action = house.action(message_channel=MessageChannel.SMS)
    await house.decide(action)
    receiver = Receiver(full_at_first)
    async with webhook(receiver) as url, house.dispatcher(by_sms(url)):
        await house.drained()
    assert receiver.ids == [action.action_id] * 5
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(moments))
    assert await house.receipt_ids() == pair(action)[:1]
    assert (await house.ledger(action)).get("failures") is None


async def test_an_outlet_keeps_its_pace_and_holds_up_no_other(house: House) -> None:
    moments: list[float] = []

    def noted(_id: str) -> web.Response:
        moments.append(time.monotonic())
        return web.json_response({})

    texts = [house.action(f"c{n}", message_channel=MessageChannel.SMS) for n in range(6)]
    await house.decide(*texts, house.action("mail"))
    receiver = Receiver(noted)
    async with (
        webhook(receiver) as url,
        house.dispatcher(by_sms(url), per_minute={"sms": 150}),
    ):
        await house.drained()
    assert sorted(receiver.ids) == sorted(one.action_id for one in texts)
    moments.sort()
    assert moments[-1] - moments[0] >= 5 * 0.4 - 0.1
    assert len(await house.letters("mail")) == 1


async def test_a_receiver_that_answers_an_error_of_ours_bounces_what_it_refuses(
    house: House,
) -> None:
    action = house.action(message_channel=MessageChannel.SMS)
    await house.decide(action)
    receiver = Receiver(lambda _id: web.Response(status=422))
    async with webhook(receiver) as url, house.dispatcher(by_sms(url)):
        await house.drained()
    assert await house.receipt_ids() == bounce(action)
    assert len(receiver.ids) == 1
