"""The mailbox: sealed, bounded, and without those who were forgotten."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from models.events import MessageChannel
from sinks import mailbox as module
from sinks.keys import KeyDestroyed, SqliteKeyStore
from sinks.mailbox import KEPT_PER_CUSTOMER, Mailbox
from sinks.sealing import Sealer
from sinks.senders import Message

pytestmark = pytest.mark.real


@pytest.fixture
def namespace() -> str:
    return f"m-{uuid4().hex}-"


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
async def redis(request: pytest.FixtureRequest, valkey: str) -> AsyncIterator[Redis]:
    """Either kind of client: the page's may decode what the dispatcher's leaves as bytes."""
    client = Redis.from_url(valkey, decode_responses=request.param)
    yield client
    await client.aclose()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteKeyStore]:
    opened = SqliteKeyStore(tmp_path / "keys.sqlite", bytes(32))
    yield opened
    opened.close()


@pytest.fixture
def box(redis: Redis, store: SqliteKeyStore, namespace: str) -> Mailbox:
    return Mailbox(redis, Sealer(store), namespace)


def message(number: int, customer: str = "anna", at_ms: int | None = None) -> Message:
    return Message(
        message_id=f"m{number}",
        action_id=f"m{number}",
        customer=customer,
        rule="thank_you",
        channel=MessageChannel.EMAIL,
        at_ms=1_000 + number if at_ms is None else at_ms,
        subject=f"Subject {number} for Xanthippe",
        text="Dear Xanthippe",
        html="<p>Dear Xanthippe</p>",
    )


async def test_a_message_comes_out_as_it_went_in(box: Mailbox) -> None:
    assert await box.put(message(1)) is True
    assert (
        await box.of("anna")
        == await box.recent()
        == [
            {
                "message_id": "m1",
                "action_id": "m1",
                "customer": "anna",
                "rule": "thank_you",
                "channel": "email",
                "kind": "message",
                "subject": "Subject 1 for Xanthippe",
                "html": "<p>Dear Xanthippe</p>",
                "text": "Dear Xanthippe",
                "sent_at_ms": 1_001,
                "status": "delivered",
            }
        ]
    )


async def test_a_message_that_is_there_is_not_put_there_again(box: Mailbox) -> None:
    await box.put(message(1))
    await box.put(message(10))
    assert await box.put(message(1)) is False
    assert await box.put(message(1, "bert")) is True
    assert [one["message_id"] for one in await box.of("anna")] == ["m10", "m1"]


async def test_the_newest_come_first_and_no_more_than_were_asked_for(box: Mailbox) -> None:
    for number in range(6):
        await box.put(message(number, f"c{number % 3}"))
    assert [one["message_id"] for one in await box.recent(4)] == ["m5", "m4", "m3", "m2"]
    assert [one["message_id"] for one in await box.of("c0", 1)] == ["m3"]
    assert await box.of("nobody") == []


async def test_a_customers_mailbox_holds_the_last_fifty(box: Mailbox) -> None:
    for number in range(KEPT_PER_CUSTOMER + 3):
        await box.put(message(number))
    kept = [one["message_id"] for one in await box.of("anna", 100)]
    assert kept == [f"m{number}" for number in range(KEPT_PER_CUSTOMER + 2, 2, -1)]
    assert [one["message_id"] for one in await box.recent(100)] == kept


async def test_the_index_is_bounded(
    box: Mailbox, redis: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_RECENT", 5)
    for number in range(9):
        await box.put(message(number, f"c{number}"))
    assert [one["message_id"] for one in await box.recent(100)] == ["m8", "m7", "m6", "m5", "m4"]
    assert await redis.zcard(f"{namespace}mailbox:recent") == 5
    assert len(await box.of("c0")) == 1


async def test_more_than_a_page_of_the_index_is_read(box: Mailbox, store: SqliteKeyStore) -> None:
    for number in range(230):
        await box.put(message(number, f"c{number}"))
    for number in range(0, 230, 2):
        store.destroy(f"c{number}")
    expected = [f"m{number}" for number in range(229, 0, -2)]
    assert [one["message_id"] for one in await box.recent(200)] == expected
    assert [one["message_id"] for one in await box.recent(200)] == expected


async def test_nothing_personal_is_stored_in_the_clear(
    box: Mailbox, redis: Redis, namespace: str
) -> None:
    await box.put(message(1))
    [entry] = await redis.lrange(f"{namespace}mailbox:anna", 0, -1)
    assert "m1" in str(entry)
    assert "Xanthippe" not in str(entry)


async def test_a_forgotten_customers_messages_are_gone_for_good(
    box: Mailbox, redis: Redis, store: SqliteKeyStore, namespace: str
) -> None:
    await box.put(message(1))
    await box.put(message(2, "bert"))
    store.destroy("anna")
    assert [one["customer"] for one in await box.recent()] == ["bert"]
    assert await box.of("anna") == []
    assert await redis.exists(f"{namespace}mailbox:anna") == 0
    assert await redis.zcard(f"{namespace}mailbox:recent") == 1
    with pytest.raises(KeyDestroyed):
        await box.put(message(3))


async def test_two_installations_share_a_server_but_no_mailbox(
    redis: Redis, store: SqliteKeyStore, namespace: str
) -> None:
    one, other = (Mailbox(redis, Sealer(store), f"{namespace}{n}-") for n in (1, 2))
    await one.put(message(1))
    assert await other.recent() == []
