"""E-mail: what stands in it, and what a real SMTP server's answers mean."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from models.events import MessageChannel
from sinks.sender_email import EmailSender, SmtpServer, mail_of
from sinks.senders import Message, SendFailed, SendRefused

SERVER = SmtpServer(
    "127.0.0.1",
    0,
    "Tea House <hello@tea.example>",
    security="none",
    reply_to="desk@tea.example",
    unsubscribe_to="stop@tea.example",
)
WAY_OUT = "https://tea.example/u/" + "x" * 90


def message(**fields: Any) -> Message:
    standard: dict[str, Any] = {
        "message_id": "a" * 32,
        "action_id": "a" * 32,
        "customer": "anna",
        "rule": "thank_you",
        "channel": MessageChannel.EMAIL,
        "at_ms": 1_700_000_000_000,
        "address": "anna@example.com",
        "subject": "謝謝您的第一筆訂單 " * 5,
        "text": "Hello 您好",
        "html": "<p>Hello 您好</p>",
        "unsubscribe_url": WAY_OUT,
    }
    return Message(**{**standard, **fields})


def read(raw: bytes) -> Any:
    return message_from_bytes(raw, policy=policy.default)


class Inbox:
    """Takes mail as a real server's handler; `answer` says what it thinks of each recipient."""

    def __init__(self, answer: Callable[[str, int], str] = lambda _to, _tries: "250 OK") -> None:
        self.answer = answer
        self.taken: list[tuple[str, bytes]] = []
        self.tries: list[str] = []
        self.late_s = 0.0

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.tries.append(address)
        said = self.answer(address, self.tries.count(address) - 1)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.sleep(self.late_s)
        self.taken += [(to, envelope.original_content) for to in envelope.rcpt_tos]
        return "250 OK"


class _Plain(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, enable_SMTPUTF8=False)


@asynccontextmanager
async def running(inbox: Inbox, port: int = 0) -> AsyncIterator[SmtpServer]:
    """A real SMTP server on a free port, in a thread of its own."""
    controller = _Plain(inbox, hostname="127.0.0.1", port=port or _free_port())
    await asyncio.to_thread(controller.start)
    try:
        yield replace(SERVER, port=controller.port)
    finally:
        await asyncio.to_thread(controller.stop)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_mail_holds_text_and_page_and_says_who_and_which() -> None:
    mail = read(mail_of(message(), "k" * 32, SERVER).as_bytes())
    assert mail.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail.get_body(("plain",)).get_content() == "Hello 您好\r\n"
    assert mail.get_body(("html",)).get_content() == "<p>Hello 您好</p>\r\n"
    assert mail["From"] == "Tea House <hello@tea.example>"
    assert (mail["To"], mail["Reply-To"]) == ("anna@example.com", "desk@tea.example")
    assert mail["Message-ID"] == f"<{'k' * 32}@tea.example>"
    assert mail["Date"].datetime.timestamp() == 1_700_000_000
    assert mail["Subject"] == ("謝謝您的第一筆訂單 " * 5).strip()


def test_the_way_out_stands_as_rfc_8058_wants_it_however_long_it_is() -> None:
    raw = mail_of(message(), "k", SERVER).as_bytes()
    ways = f"<{WAY_OUT}>,\r\n <mailto:stop@tea.example?subject=unsubscribe%20{'x' * 90}>\r\n"
    assert b"List-Unsubscribe: " + ways.encode() in raw
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


def test_without_a_way_out_none_is_promised() -> None:
    raw = mail_of(message(unsubscribe_url=""), "k", SERVER).as_bytes()
    assert b"List-Unsubscribe" not in raw


@pytest.mark.parametrize("name", ["subject", "sender"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x00\n"])
def test_no_line_end_makes_a_header(name: str, end: str) -> None:
    hostile = f"Hi{end}Bcc: eve@example.com{end}{end}<b>body</b>"
    mail = read(mail_of(message(**{name: hostile}), "k", SERVER).as_bytes())
    assert mail["Bcc"] is None
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["To"] == "anna@example.com"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@",
        "@example.com",
        "anna@example.com\r\nBcc: eve@example.com",
        "anna@example.com, eve@example.com",
        "anna@example.com>\nRCPT TO:<eve@example.com",
        "Anna <anna@example.com>",
        "x" * 400 + "@example.com",
        "a b@example.com",
    ],
)
def test_what_is_no_single_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(SendRefused) as refused:
        mail_of(message(address=address), "k", SERVER)
    assert "anna" not in str(refused.value)


def test_a_domain_in_any_script_is_reached() -> None:
    mail = mail_of(message(address="anna@bücher.example"), "k", SERVER)
    assert mail["To"] == "anna@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("550 no such mailbox", SendRefused),
        ("552 too large", SendRefused),
        ("450 try again later", SendFailed),
        ("421 closing", SendFailed),
        ("535 bad account", SendFailed),
    ],
)
async def test_what_the_server_answers_says_whether_to_try_again(
    answer: str, kind: type[Exception]
) -> None:
    async with running(Inbox(lambda _to, _tries: answer)) as server:
        sender = EmailSender(server)
        with pytest.raises(kind) as said:
            await sender.send(message(), "k")
        assert answer[:3] in str(said.value)
        assert "anna" not in str(said.value)
        await sender.close()


async def test_a_failed_key_is_tried_again_and_a_sent_one_is_not() -> None:
    inbox = Inbox(lambda _to, tries: "450 later" if tries < 2 else "250 OK")
    async with running(inbox) as server:
        sender = EmailSender(server)
        for _ in range(2):
            with pytest.raises(SendFailed):
                await sender.send(message(), "k")
        for _ in range(3):
            assert (await sender.send(message(), "k")).provider_id == "k"
        assert (len(inbox.tries), len(inbox.taken)) == (3, 1)
        await sender.close()


async def test_a_server_that_went_away_is_found_again_when_it_is_back() -> None:
    inbox = Inbox()
    async with running(inbox) as server:
        sender = EmailSender(server)
        await sender.send(message(), "k1")
    with pytest.raises(SendFailed):
        await sender.send(message(), "k2")
    async with running(inbox, server.port):
        await sender.send(message(), "k2")
        await sender.close()
    assert len(inbox.taken) == 2


async def test_who_is_cut_off_by_a_slow_server_and_comes_again_sends_once() -> None:
    inbox = Inbox()
    inbox.late_s = 0.3
    async with running(inbox) as server:
        sender = EmailSender(server)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await sender.send(message(), "k")
        assert (await sender.send(message(), "k")).provider_id == "k"
        await sender.close()
    assert len(inbox.taken) == 1
