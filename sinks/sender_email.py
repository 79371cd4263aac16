"""Sending e-mail by SMTP: text and page in one message, and a way out with one click (RFC 8058).

SMTP knows no idempotency keys (sinks/sent_keys.py): a crash between the server's word and the
ledger's sends once more, under the same Message-ID. So e-mail is at least once, and says so.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any

import aiosmtplib

from sinks.senders import Message, SendFailed, SendRefused, SendResult
from sinks.sent_keys import SentKeys

CONNECTIONS_MAX = 8
CONNECT_LIMIT_S = 8.0
# Of our own account or settings, not of the message.
MENDABLE = frozenset({530, 534, 535, 538})


@dataclass(frozen=True)
class SmtpServer:
    """Where e-mail goes; `security` is "starttls", "tls" or "none".

    `sender` is an address, with a name or without; `reply_to` and `unsubscribe_to` may be empty.
    """

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)
    security: str = "starttls"
    reply_to: str = ""
    unsubscribe_to: str = ""
    trusted: ssl.SSLContext | None = None


class _AsWritten(UniqueUnstructuredHeader):
    """A header of addresses that must not be encoded word by word, however long they are."""

    def fold(self, *, policy: Any) -> str:
        value = str(self).replace(", ", f",{policy.linesep} ")
        return f"{self.name}: {value}{policy.linesep}"  # type: ignore[attr-defined]


def _policy() -> Any:
    registry = HeaderRegistry()
    for name in ("list-unsubscribe", "list-unsubscribe-post"):
        registry.map_to_type(name, _AsWritten)  # type: ignore[arg-type]
    return SMTP.clone(header_factory=registry)


_POLICY = _policy()


class EmailSender:
    """Hands messages to one SMTP server over a few connections."""

    takes_history = False

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._idle: list[aiosmtplib.SMTP] = []
        self._gate = asyncio.Semaphore(CONNECTIONS_MAX)
        self._keys = SentKeys()

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        """Send one message; a key that is being sent, or was, is not sent beside it."""
        written = mail_of(message, idempotency_key, self._server)
        return await self._keys.send(idempotency_key, lambda: self._send(written, idempotency_key))

    async def close(self) -> None:
        """Say goodbye on every connection."""
        await self._keys.close()
        while self._idle:
            self._idle.pop().close()

    async def _send(self, written: EmailMessage, key: str) -> SendResult:
        try:
            async with self._connection() as connection:
                await connection.send_message(written)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            codes = [one.code for one in refused.recipients]
            raise _judged(codes[0] if codes else 0) from None
        except aiosmtplib.SMTPResponseException as refused:
            raise _judged(refused.code) from None
        except aiosmtplib.SMTPNotSupported:
            raise SendRefused("the server takes no such address") from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError, TimeoutError) as error:
            raise SendFailed(type(error).__name__) from None
        return SendResult(provider_id=key)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Lend a connection; one on which anything went wrong is not lent again."""
        async with self._gate:
            connection = await self._connected()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)

    async def _connected(self) -> aiosmtplib.SMTP:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.noop(timeout=CONNECT_LIMIT_S)
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                # The server has hung up meanwhile.
                connection.close()
                continue
            return connection
        server = self._server
        connection = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=server.trusted,
            timeout=CONNECT_LIMIT_S,
        )
        await connection.connect()
        return connection


def _judged(code: int) -> Exception:
    """Of the server's answer: 4xx may work later, 5xx never will."""
    if 500 <= code < 600 and code not in MENDABLE:
        return SendRefused(f"the mail server answered {code}")
    return SendFailed(f"the mail server answered {code}")


def mail_of(message: Message, key: str, server: SmtpServer) -> EmailMessage:
    """Write an e-mail; raises SendRefused for an address that is none.

    A line end in a header is refused by the library itself; here none gets so far.
    """
    name, address = parseaddr(server.sender)
    domain = address.rpartition("@")[2]
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(_one_line(message.sender) or name, addr_spec=address)
    mail["To"] = _recipient(message.address)
    if server.reply_to:
        mail["Reply-To"] = server.reply_to
    mail["Subject"] = _one_line(message.subject)
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at_ms / 1000, UTC))
    mail["Message-ID"] = f"<{key}@{domain}>"
    mail["X-Huitou-Action"] = message.action_id
    if ways := _ways_out(message, server):
        mail["List-Unsubscribe"] = ", ".join(f"<{way}>" for way in ways)
        if ways[0].startswith("https://"):
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    return mail


def _ways_out(message: Message, server: SmtpServer) -> list[str]:
    if not message.unsubscribe_url:
        return []
    ways = [message.unsubscribe_url]
    if server.unsubscribe_to:
        name = message.unsubscribe_url.rpartition("/")[2]
        ways.append(f"mailto:{server.unsubscribe_to}?subject=unsubscribe%20{name}")
    return [way for way in ways if way.isascii() and way.isprintable() and " " not in way]


def _recipient(address: str) -> Address:
    if not address:
        raise SendRefused("no address for this channel")
    try:
        if not address.isprintable() or len(address) > 320:
            raise ValueError
        local, _, domain = address.strip().rpartition("@")
        found = Address(addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (MessageError, ValueError, IndexError):
        # The address itself would be personal.
        raise SendRefused("this is no e-mail address") from None
    if not found.username or not found.domain:
        raise SendRefused("this is no e-mail address")
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
