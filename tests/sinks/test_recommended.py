"""What a message recommends: from the profile's memory, and nothing where anything is away."""

from base64 import b64encode
from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec
import orjson
import pytest
from redis.asyncio import Redis

from models.effects import ItemReviewed
from models.item_memory import ItemMemory
from models.item_reviews import Quote
from sinks import recommended as module
from sinks.keys import KeyDestroyed
from sinks.model_shelf import ModelShelf
from sinks.recommended import Recommended, money
from tests.sinks.test_model_shelf import AT_MS, basket, lesson, shelf

pytestmark = pytest.mark.real


class ReadShelf(ModelShelf):
    """A shelf that is read as soon as it starts."""

    started = 0

    async def start(self, *, wait: bool = True) -> None:
        self.started += 1
        self._current.set()


@pytest.fixture
def namespace() -> str:
    return f"rec-{uuid4().hex}-"


@pytest.fixture
async def redis(valkey: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey)
    yield client
    await client.aclose()


def a_read_shelf() -> ReadShelf:
    one = ReadShelf("127.0.0.1:9", "learner", "snapshots", "control")
    for number in range(20):
        lesson(one, number, basket("tea", "pot", order_id=f"o{number}"))
    return one


def opened(author: str, field: str, sealed: str) -> str:
    if author == "erased":
        raise KeyDestroyed
    return f"{author} opened {field}: {sealed}"


async def known(redis: Redis, namespace: str, token: str, **profile: object) -> None:
    packed = b64encode(msgspec.msgpack.encode(ItemMemory()))
    await redis.hset(
        f"{namespace}profile:{token}", mapping={"json": orjson.dumps(profile), "items": packed}
    )


async def test_items_come_as_words_show_them(redis: Redis, namespace: str) -> None:
    await known(redis, namespace, "anna", currency="EUR", traits={})
    found = await Recommended(redis, namespace, a_read_shelf(), opened).of("anna", 5, AT_MS)
    assert sorted(one["name"] for one in found) == ["Pot", "Tea"]
    assert {one["price"] for one in found} == {"3.00 EUR"}
    assert {one["category"] for one in found} == {"food"}


async def test_a_merged_customer_is_followed_and_muted_categories_kept_out(
    redis: Redis, namespace: str
) -> None:
    await known(redis, namespace, "old", merged_into="new")
    await known(redis, namespace, "new", currency="EUR", traits={"muted_categories": "food"})
    assert await Recommended(redis, namespace, a_read_shelf(), opened).of("old", 5, AT_MS) == []


async def test_the_shops_knowledge_is_read_when_it_is_first_asked_for_and_once(
    redis: Redis, namespace: str
) -> None:
    one = a_read_shelf()
    recommended = Recommended(redis, namespace, one, opened)
    await recommended.stop()
    assert one.started == 0
    for _ in range(3):
        assert len(await recommended.of("nobody", 1, AT_MS)) == 1
    assert one.started == 1
    await recommended.stop()


async def test_where_anything_is_away_nothing_is_recommended(
    redis: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHELF_LIMIT_S", 0.05)
    unread = Recommended(redis, namespace, shelf(), opened)
    assert await unread.of("anna", 5, AT_MS) == []
    await unread.stop()
    gone = Redis.from_url("redis://127.0.0.1:9")
    assert await Recommended(gone, namespace, a_read_shelf(), opened).of("anna", 5, AT_MS) == []
    await gone.aclose()
    await redis.hset(f"{namespace}profile:odd", mapping={"json": "{}", "items": "!"})
    assert await Recommended(redis, namespace, a_read_shelf(), opened).of("odd", 5, AT_MS) == []


def review(at_ms: int, rating: float, author: str = "", product_id: str = "tea") -> ItemReviewed:
    quote = Quote(at_ms, author, "so good", rating) if author else None
    return ItemReviewed(
        partition=0,
        day=1,
        customer=author,
        at_ms=at_ms,
        product_id=product_id,
        rating=rating,
        quote=quote,
    )


async def test_of_a_product_its_name_rating_and_the_words_that_open_are_told(
    redis: Redis, namespace: str
) -> None:
    one = a_read_shelf()
    told = [review(1, 5.0, "ann"), review(2, 3.0), review(3, 4.0, "erased"), review(4, 5.0, "bob")]
    for number, said in enumerate(told, 100):
        lesson(one, number, said)
    recommended = Recommended(redis, namespace, one, opened)
    about = await recommended.about("tea", 2, "en")
    assert (about["product"], about["product_rating"], about["product_reviews"]) == ("Tea", 4.2, 4)
    assert [quote["text"] for quote in about["reviews"]] == [
        "bob opened review_body: so good",
        "ann opened review_body: so good",
    ]
    assert (await recommended.about("tea", 0, "en"))["reviews"] == []
    assert await recommended.about("pot", 2, "en") == {"product": "Pot"}
    assert await recommended.about("never seen", 2, "en") == {}


async def test_of_a_product_nothing_is_told_while_the_table_is_not_read(
    redis: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHELF_LIMIT_S", 0.05)
    unread = Recommended(redis, namespace, shelf(), opened)
    assert await unread.about("tea", 2, "en") == {}
    await unread.stop()


def test_money_reads_as_people_write_it() -> None:
    assert [money(5, "KWD"), money(-5, "EUR"), money(5, "")] == ["0.005 KWD", "", "0.05"]
