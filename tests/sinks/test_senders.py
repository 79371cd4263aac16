"""What every sender promises, held against each: a new sender is one more row."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from models.events import MessageChannel
from sinks.keys import SqliteKeyStore
from sinks.mailbox import Mailbox, MailboxSender, mailbox_for_all
from sinks.sealing import Sealer
from sinks.sender_apprise import AppriseSender
from sinks.sender_email import EmailSender
from sinks.sender_webhook import WebhookSender
from sinks.senders import TASKS, WEBHOOKS, Message, Sender
from tests.sinks.provider import HttpSender, Provider
from tests.sinks.test_sender_apprise import Told, needs_apprise
from tests.sinks.test_sender_apprise import running as apprise
from tests.sinks.test_sender_email import Inbox, read
from tests.sinks.test_sender_email import running as smtp
from tests.sinks.test_sender_webhook import SECRET, Receiver
from tests.sinks.test_sender_webhook import running as webhook

pytestmark = pytest.mark.real


@dataclass
class Way:
    """A sender, and what reached a customer through it."""

    sender: Sender
    reached: Callable[[str], Awaitable[list[str]]]


@asynccontextmanager
async def by_mail() -> AsyncIterator[Way]:
    """A real SMTP server; its customers are told apart by their addresses."""
    inbox = Inbox()

    async def mailed(customer: str) -> list[str]:
        raws = [raw for to, raw in inbox.taken if to == f"{customer}@example.com"]
        texts = [read(raw).get_body(("plain",)).get_content() for raw in raws]
        return [one.replace("\r\n", "\n").removesuffix("\n") for one in texts]

    async with smtp(inbox) as server:
        sender = EmailSender(server)
        yield Way(sender, mailed)
        await sender.close()


@asynccontextmanager
async def by_webhook() -> AsyncIterator[Way]:
    """A real HTTP server that knows repeats by their webhook-id, as the standard asks it to."""
    receiver = Receiver()

    async def posted(customer: str) -> list[str]:
        known = dict(reversed(receiver.got)).values()
        said = [one["data"] for one in reversed(known)]
        return [one["text"] for one in said if one["customer"] == customer]  # type: ignore[index, call-overload]

    async with webhook(receiver) as url:
        sender = WebhookSender(url, SECRET)
        yield Way(sender, posted)
        await sender.close()


@asynccontextmanager
async def by_apprise() -> AsyncIterator[Way]:
    """Apprise's own json:// and a real HTTP server; its customers are told apart by the path."""
    told = Told()

    async def posted(customer: str) -> list[str]:
        return [text for to, text in told.got if to == f"{customer}@example.com"]

    async with apprise(told) as url:
        sender = AppriseSender(url)
        yield Way(sender, posted)
        await sender.close()


OPENED = {"smtp": by_mail, "webhook": by_webhook, "apprise": by_apprise}
WAYS = ["mailbox", "http", "smtp", "webhook", pytest.param("apprise", marks=needs_apprise)]


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest, valkey: str, tmp_path: Path) -> AsyncIterator[Way]:
    if request.param in OPENED:
        async with OPENED[request.param]() as opened:
            yield opened
        return
    if request.param == "http":
        async with Provider().running() as provider:

            async def posted(customer: str) -> list[str]:
                return [one["text"] for one in provider.delivered if one["customer"] == customer]

            yield Way(HttpSender(provider.url), posted)
        return
    store = SqliteKeyStore(tmp_path / "keys.sqlite", bytes(32))
    redis = Redis.from_url(valkey)
    mailbox = Mailbox(redis, Sealer(store), f"s-{uuid4().hex}-")

    async def put(customer: str) -> list[str]:
        return [one["text"] for one in reversed(await mailbox.of(customer))]

    yield Way(MailboxSender(mailbox), put)
    await redis.aclose()
    store.close()


def message(key: str, customer: str = "anna", text: str = "Hello") -> Message:
    return Message(
        message_id=key,
        action_id=key,
        customer=customer,
        rule="thank_you",
        channel=MessageChannel.EMAIL,
        at_ms=1_000,
        address=f"{customer}@example.com",
        subject="Hi",
        text=text,
    )


async def test_the_same_key_again_reaches_the_customer_once(way: Way) -> None:
    first = await way.sender.send(message("k1"), "k1")
    second = await way.sender.send(message("k1"), "k1")
    assert first.provider_id == second.provider_id != ""
    assert await way.reached("anna") == ["Hello"]


async def test_the_same_key_at_once_reaches_the_customer_once(way: Way) -> None:
    results = await asyncio.gather(*(way.sender.send(message("k1"), "k1") for _ in range(10)))
    assert len({one.provider_id for one in results}) == 1
    assert await way.reached("anna") == ["Hello"]


async def test_two_keys_are_two_messages_in_their_order(way: Way) -> None:
    await way.sender.send(message("k1", text="one"), "k1")
    await way.sender.send(message("k2", text="two"), "k2")
    assert await way.reached("anna") == ["one", "two"]


async def test_one_customer_does_not_get_anothers_message(way: Way) -> None:
    await way.sender.send(message("k1", "anna", "for Anna"), "k1")
    await way.sender.send(message("k2", "bert", "for Bert"), "k2")
    assert await way.reached("anna") == ["for Anna"]
    assert await way.reached("bert") == ["for Bert"]


@pytest.mark.parametrize("text", ["👩‍👩‍👧 謝謝您", "a\nb\u2028c", "<b>&amp;</b>", "x" * 100_000])
async def test_any_text_arrives_as_it_was(way: Way, text: str) -> None:
    await way.sender.send(message("k1", text=text), "k1")
    assert await way.reached("anna") == [text]


async def test_a_sender_that_reaches_people_takes_no_history(way: Way) -> None:
    assert way.sender.takes_history is isinstance(way.sender, MailboxSender)


def test_every_outlet_has_a_sender_in_the_mailbox(tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.sqlite", bytes(32))
    senders = mailbox_for_all(Mailbox(Redis(), Sealer(store)))
    assert set(senders) == {*MessageChannel, TASKS, WEBHOOKS}
    store.close()


def test_a_message_shows_nothing_personal_where_it_is_printed() -> None:
    shown = repr(message("k1", text="Dear Anna"))
    assert "k1" in shown
    assert "Anna" not in shown
    assert "example.com" not in shown
