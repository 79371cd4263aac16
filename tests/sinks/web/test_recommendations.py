"""Recommendations over HTTP: the customer's last event, the shop's knowledge, reasons, bounds."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from aiokafka import AIOKafkaProducer

from models.effects import BasketLesson
from models.events import CustomerIdentified, Line, ProductWished
from models.item_knowledge import ItemFacts
from models.ranking import FEATURES, RankingSnapshot
from models.snapshot import AdoptedWord, adopted_key, recorded
from tests.builders import make, order
from tests.real.rig import until
from tests.sinks.web.shop import NOW_MS, Shop, named, served

pytestmark = pytest.mark.real

PRODUCTS = {"tea": "Green Tea", "pot": "Teapot", "cup": "Cup", "rice": "Rice"}


def basket(number: int, *names: str) -> BasketLesson:
    return BasketLesson(
        partition=0,
        day=1,
        customer=f"c{number}",
        at_ms=NOW_MS - number * 1_000,
        order_id=f"o{number}",
        items=[ItemFacts(name, PRODUCTS[name], "kitchen", 900) for name in names],
        gaps=[-1] * len(names),
    )


@pytest.fixture
async def shop(kafka: str, valkey: str, clickhouse: str, tmp_path: Path) -> AsyncIterator[Shop]:
    one = Shop(kafka, valkey, clickhouse, tmp_path)
    await one.open()
    yield one
    one.close()


async def learned(shop: Shop, *lessons: BasketLesson) -> None:
    """Write lessons as the learner's table has them while their day is open."""
    async with AIOKafkaProducer(bootstrap_servers=shop.bootstrap) as producer:
        for number, one in enumerate(lessons):
            key, value = b"lesson:%d" % number, msgspec.json.encode(one)
            await producer.send_and_wait(shop.learner_topic, value, key)


async def asked(client: ClientSession, what: str = "anna", **query: str) -> dict[str, Any]:
    async with client.get(f"/v1/customers/{what}/recommendations", params=query) as response:
        answer: dict[str, Any] = await response.json()
        return answer | {"status": response.status}


def names_in(answer: dict[str, Any]) -> list[str]:
    return [one["product_id"] for one in answer["items"]]


async def knows(client: ClientSession, count: int) -> None:
    async def all_of_them() -> bool:
        return len((await asked(client))["items"]) >= count

    await until(all_of_them, "the items to be known")


async def test_the_last_event_moves_the_answer_and_says_why(shop: Shop) -> None:
    await shop.fold(shop.identified("anna"))
    await learned(shop, *(basket(n, "tea", "pot") for n in range(9)), basket(9, "cup", "rice"))
    async with served(shop.config()) as client:
        await knows(client, 4)
        before = await asked(client)
        assert (before["slot"], before["model_version"]) == ("mixed", 0)
        assert set(names_in(before)[:2]) == {"tea", "pot"}
        assert {one["reason"]["name"] for one in before["items"]} <= {"popular", "trending"}
        wish = make(
            ProductWished, customer=named("anna"), line=Line("rice"), at_ms=NOW_MS - 60_000, id="w"
        )
        await shop.fold(wish)
        after = await asked(client)
        assert names_in(after).index("rice") < names_in(before).index("rice")
        rice = next(one for one in after["items"] if one["product_id"] == "rice")
        assert rice["reason"]["name"] == "wished"
        assert (rice["name"], rice["category"], rice["price_cents"]) == ("Rice", "kitchen", 900)


async def test_slots_exclusions_and_bounds_are_kept(shop: Shop) -> None:
    await shop.fold(
        make(
            CustomerIdentified,
            customer=named("anna"),
            at_ms=NOW_MS - 1,
            traits={"muted_categories": "garden, toys"},
        ),
        order(
            "o1", 900, NOW_MS - 90_000, customer=named("anna"), lines=(Line("tea"), Line("rice"))
        ),
    )
    await learned(shop, *(basket(n, "tea", "pot", "cup", "rice") for n in range(3)))
    async with served(shop.config()) as client:
        await knows(client, 4)
        assert set(names_in(await asked(client, slot="repeat"))) == {"tea", "rice"}
        assert set(names_in(await asked(client, slot="explore"))) == {"pot", "cup"}
        assert len(names_in(await asked(client, n="1"))) == 1
        assert "pot" not in names_in(await asked(client, out_of_stock="pot,nothing"))
        await shop.fold(
            make(
                CustomerIdentified,
                customer=named("anna"),
                at_ms=NOW_MS,
                traits={"muted_categories": "kitchen"},
                id="muted",
            )
        )
        assert names_in(await asked(client)) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"n": "0"}, "n: expected a number from 1 to 100"),
        ({"n": "101"}, "n: expected a number from 1 to 100"),
        ({"n": "ten"}, "n: expected a number from 1 to 100"),
        ({"slot": "surprise"}, "slot: expected one of mixed, repeat, explore"),
        ({"by": "name"}, "by: expected one of"),
    ],
)
async def test_what_is_asked_wrongly_is_told(shop: Shop, query: dict[str, str], said: str) -> None:
    async with served(shop.config()) as client:
        answer = await asked(client, **query)
        assert answer["status"] == 400
        assert said in answer["error"]


async def test_nobody_and_a_young_shop_are_answered(shop: Shop) -> None:
    async with served(shop.config()) as client:
        assert (await asked(client, "nobody"))["status"] == 404
        await shop.fold(shop.identified("anna"))
        assert names_in(await asked(client)) == []


async def test_the_adopted_version_ranks(shop: Shop) -> None:
    await shop.fold(shop.identified("anna"))
    made = RankingSnapshot(version=7, lessons=90, weights=(1.0,) * len(FEATURES))
    async with AIOKafkaProducer(bootstrap_servers=shop.bootstrap) as producer:
        value = msgspec.json.encode(recorded("ranking", made))
        await producer.send_and_wait(shop.snapshots_topic, value, b"ranking")
    word = msgspec.json.encode(AdoptedWord(7, NOW_MS))
    await shop.say(**{adopted_key("ranking").decode(): word})
    async with served(shop.config()) as client:

        async def in_use() -> bool:
            return bool((await asked(client))["model_version"] == 7)

        await until(in_use, "version 7")
