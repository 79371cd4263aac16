"""The mailbox: what each customer would have received, kept in Redis, sealed.

Nothing personal lies here in the clear: subject and bodies are sealed under the customer's own
key. What a forgotten customer got opens no more, and is thrown away when somebody looks.
"""

import asyncio
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict

import orjson
from redis.asyncio import Redis

from models.events import MessageChannel
from sinks.keys import KeyDestroyed
from sinks.sealing import Sealer
from sinks.senders import TASKS, WEBHOOKS, Message, Senders, SendResult

KEPT_PER_CUSTOMER = 50
KEPT_RECENT = 2_000
KEPT_DAYS = 400
_PAGE = 100

# KEYS: the customer's list, the index. ARGV: how an entry of this message begins, the entry, its
# time, its name in the index, entries kept per customer, entries kept in the index, seconds kept.
_PUT = """
for _, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if string.sub(entry, 1, #ARGV[1]) == ARGV[1] then return 0 end
end
redis.call('LPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], 0, ARGV[5] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[7])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[6] - 1)
return 1
"""


class Letter(TypedDict):
    """One message as the mailbox page shows it."""

    message_id: str
    action_id: str
    customer: str
    rule: str
    channel: str
    kind: str
    subject: str
    html: str
    text: str
    sent_at_ms: int
    status: str


class Mailbox:
    """All customers' mailboxes on one Redis or Valkey."""

    def __init__(self, redis: Redis, sealer: Sealer, namespace: str = "") -> None:
        self._redis = redis
        self._sealer = sealer
        self._prefix = f"{namespace}mailbox:"
        self._index = f"{self._prefix}recent"

    async def put(self, message: Message) -> bool:
        """Keep one message; False when it is there already. Raises KeyDestroyed.

        The customer's key should be at hand, or the event loop waits for the key store.
        """
        entry = self._sealed(message)
        added = await self._redis.eval(
            _PUT,
            2,
            self._list(message.customer),
            self._index,
            _beginning(message.message_id),
            entry,
            message.at_ms,
            _member(message.customer, message.message_id),
            KEPT_PER_CUSTOMER,
            KEPT_RECENT,
            KEPT_DAYS * 86_400,
        )
        return bool(added)

    async def of(self, customer: str, limit: int = KEPT_PER_CUSTOMER) -> list[Letter]:
        """Open a customer's messages, newest first; none for a forgotten one."""
        entries: Sequence[Any] = await self._redis.lrange(self._list(customer), 0, limit - 1)
        try:
            return await asyncio.to_thread(self._open_all, customer, entries)
        except KeyDestroyed:
            await self.forget(customer)
            return []

    async def recent(self, limit: int = 50) -> list[Letter]:
        """Open the newest messages of all customers, newest first."""
        letters: dict[str, Letter] = {}
        start = 0
        while len(letters) < limit:
            page = await self._redis.zrevrange(self._index, start, start + _PAGE - 1)
            if not page:
                break
            found = await self._letters([_text(member) for member in page])
            letters.update(found)
            # What was not found has left the index and made the ranks behind it smaller.
            start += len(found)
        return list(letters.values())[:limit]

    async def forget(self, customer: str) -> None:
        """Throw away everything a customer got."""
        message_ids = [
            orjson.loads(entry)["message_id"]
            for entry in await self._redis.lrange(self._list(customer), 0, -1)
        ]
        await self._redis.delete(self._list(customer))
        if message_ids:
            await self._redis.zrem(self._index, *(_member(customer, one) for one in message_ids))

    async def _letters(self, members: list[str]) -> dict[str, Letter]:
        opened: dict[str, Letter] = {}
        for customer in dict.fromkeys(member.split(" ", 1)[0] for member in members):
            for letter in await self.of(customer):
                opened[_member(customer, letter["message_id"])] = letter
        gone = [member for member in members if member not in opened]
        if gone:
            await self._redis.zrem(self._index, *gone)
        return {member: opened[member] for member in members if member in opened}

    def _list(self, customer: str) -> str:
        return self._prefix + customer

    def _sealed(self, message: Message) -> bytes:
        private = orjson.dumps([message.subject, message.html, message.text])
        packed = b64encode(zlib.compress(private, 1)).decode()
        return orjson.dumps(
            {
                "message_id": message.message_id,
                "action_id": message.action_id,
                "rule": message.rule,
                "channel": message.channel.value,
                "kind": message.kind,
                "sent_at_ms": message.at_ms,
                "sealed": self._sealer.seal(message.customer, _field(message.message_id), packed),
            }
        )

    def _open_all(self, customer: str, entries: Sequence[Any]) -> list[Letter]:
        return [self._open(customer, orjson.loads(entry)) for entry in entries]

    def _open(self, customer: str, entry: dict[str, Any]) -> Letter:
        packed = self._sealer.unseal(customer, _field(entry["message_id"]), entry["sealed"])
        subject, html, text = orjson.loads(zlib.decompress(b64decode(packed)))
        return {
            "message_id": entry["message_id"],
            "action_id": entry["action_id"],
            "customer": customer,
            "rule": entry["rule"],
            "channel": entry["channel"],
            "kind": entry.get("kind", "message"),
            "subject": subject,
            "html": html,
            "text": text,
            "sent_at_ms": entry["sent_at_ms"],
            "status": "delivered",
        }


class MailboxSender:
    """Delivers into the mailbox: a message id that is there already is not put there twice."""

    takes_history = True

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        """Put the message into its customer's mailbox, named by the key; raises KeyDestroyed."""
        await self._mailbox.put(replace(message, message_id=idempotency_key))
        return SendResult(provider_id=idempotency_key, delivered=True)

    async def close(self) -> None:
        """Nothing: the mailbox's connection is not its own."""


def mailbox_for_all(mailbox: Mailbox) -> Senders:
    """Let every channel end in the mailbox, tasks and calls too."""
    sender = MailboxSender(mailbox)
    return dict.fromkeys([*MessageChannel, TASKS, WEBHOOKS], sender)


def _member(customer: str, message_id: str) -> str:
    return f"{customer} {message_id}"


def _field(message_id: str) -> str:
    return f"mailbox:{message_id}"


def _beginning(message_id: str) -> bytes:
    return orjson.dumps({"message_id": message_id})[:-1] + b","


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
