"""The one path, whole: a channel's event over HTTP, to its customer, its message and its number."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from aiohttp import ClientError, ClientSession, encode_basic_auth

from models.events import ClockMark
from models.tokens import token_of
from sinks.clickhouse_migrations import migrate
from streams import topics
from streams.secrets import load_secrets
from streams.settings import Settings
from tests.real.rig import Crew, Log, adopt_house_rules, until

pytestmark = pytest.mark.real

MINUTE_MS = 60_000
DOOR = {"Authorization": encode_basic_auth("demo", "")}
PLANTED = {
    "firstName": "Ottoline",
    "lastName": "Featherstonehaugh",
    "email": "ottoline.f@planted.example",
    "phone": "+886912345678",
    "street": "17 Planted Crescent",
    "words": "my cousin Wilhelmina says the sole came off",
}


class House:
    """All roles of one installation, and its doors."""

    def __init__(
        self, settings: Settings, servers_dir: Path, log: Log, http: ClientSession
    ) -> None:
        self.settings = settings
        self.servers_dir = servers_dir
        self.log = log
        self._http = http

    async def post(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a message as a channel does."""
        url = f"http://127.0.0.1:{self.settings.gateway_port}/v1/{kind}"
        async with self._http.post(url, json=body, headers=DOOR) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            assert answer["rejected"] == []
            return answer

    async def get(self, path: str) -> Any:
        """Ask the web role."""
        url = f"http://127.0.0.1:{self.settings.web_port}{path}"
        async with self._http.get(url) as response:
            return await response.json() if response.status == 200 else None

    async def ready(self) -> bool:
        """Whether both doors are open."""
        for port, path in (
            (self.settings.gateway_port, "/readyz"),
            (self.settings.web_port, "/healthz"),
        ):
            try:
                async with self._http.get(f"http://127.0.0.1:{port}{path}") as response:
                    if response.status != 200:
                        return False
            except (OSError, ClientError):
                return False
        return True

    def count(self, query: str) -> int:
        """Ask ClickHouse for a number."""
        host, _, port = self.settings.clickhouse_url.removeprefix("http://").partition(":")
        client = clickhouse_connect.get_client(
            host=host, port=int(port), database=self.settings.clickhouse_database
        )
        try:
            return int(client.query(query).result_rows[0][0])
        finally:
            client.close()


@pytest.fixture
async def house(settings: Settings, servers_dir: Path) -> AsyncIterator[House]:
    migrate(settings.clickhouse_url, "default", "", settings.clickhouse_database)
    async with Log(settings) as log, ClientSession() as http:
        with Crew(settings) as crew:
            for role in ("gateway", "worker", "learner", "sinks", "web"):
                crew.start(role)
            house = House(settings, servers_dir, log, http)
            await until(house.ready, "gateway and page to open")
            yield house


def an_order(order_id: str, **more: Any) -> dict[str, Any]:
    return {
        "event": "Order Completed",
        "properties": {
            "order_id": order_id,
            "total": "59.90",
            "currency": "USD",
            "products": [{"product_id": "shoe-1", "name": "Shoe", "price": 59.9}],
        },
        **more,
    }


async def test_an_order_reaches_its_profile_its_message_and_its_number(house: House) -> None:
    traits = {name: PLANTED[name] for name in ("firstName", "lastName", "email", "phone")}
    traits["address"] = {"street": PLANTED["street"], "country": "TW"}
    await adopt_house_rules(house.settings)
    await house.post("identify", {"userId": "ottoline", "traits": traits})
    await house.post("track", an_order("A-1", userId="ottoline", messageId="once"))
    await house.post("track", an_order("A-1", userId="ottoline", messageId="once"))
    await house.post(
        "track",
        {
            "event": "Product Reviewed",
            "userId": "ottoline",
            "properties": {
                "product_id": "shoe-1",
                "rating": "2",
                "review_body": PLANTED["words"],
            },
        },
    )

    async def reviewed() -> bool:
        profile = await house.get("/v1/customers/ottoline")
        return profile is not None and profile["service"]["reviews"] == 1

    await until(reviewed, "the profile")
    profile = await house.get("/v1/customers/ottoline")
    assert (profile["orders"], profile["value_cents"], profile["tier"]) == (1, 5_990, "new")
    assert profile["personal"]["email"] == PLANTED["email"]
    for identifier, by in ((PLANTED["email"].upper(), "email"), (PLANTED["phone"], "phone")):
        quoted = identifier.replace("+", "%2B")
        found = await house.get(f"/v1/customers/{quoted}?by={by}")
        assert found is not None
        assert found["token"] == profile["token"], by

    # Ten minutes of silence pass in the log; the thank-you is due.
    newest = max(event["at_ms"] for event in profile["recent"])
    await house.log.append(ClockMark(at_ms=newest + 11 * MINUTE_MS))

    async def thanked() -> bool:
        again = await house.get("/v1/customers/ottoline")
        return [one["status"] for one in again["messages"]] == ["delivered"]

    await until(thanked, "the thank-you, and its receipts in the log")

    async def counted() -> bool:
        orders = await asyncio.to_thread(house.count, "SELECT count() FROM orders")
        receipts = await asyncio.to_thread(
            house.count, "SELECT count() FROM events WHERE type = 'message_delivered'"
        )
        return (orders, receipts) == (1, 1)

    await until(counted, "the order and the receipt in ClickHouse")
    await nothing_personal_lies_about(house)


async def nothing_personal_lies_about(house: House) -> None:
    """Scan every file of the installation and of the servers, and every text in ClickHouse."""
    places = [house.settings.data_dir, house.servers_dir]
    files = [
        file
        for place in places
        for file in place.rglob("*")
        if file.is_file() and not file.is_symlink()
    ]
    assert any(file.suffix == ".log" and "events" in str(file) for file in files), "the log itself"
    assert any(file.suffix == ".aof" for file in files), "Valkey's file"
    assert any(file.suffix == ".sqlite" for file in files), "the key store"
    for file in files:
        found = await asyncio.to_thread(_planted_in, file)
        assert found == [], f"in the clear in {file}"
    for value in PLANTED.values():
        texts = await asyncio.to_thread(house.count, _count_in_clickhouse(house, value))
        assert texts == 0, f"{value} is in ClickHouse"


def _planted_in(file: Path) -> list[str]:
    """What of the planted a file holds, as it is or in base64."""
    try:
        held = b"\x00".join(_written_in(file))
    except FileNotFoundError:
        return []  # a segment that was merged away meanwhile
    return [
        value
        for value in PLANTED.values()
        if value.encode() in held or base64.b64encode(value.encode())[:-4] in held
    ]


def _written_in(file: Path) -> Iterator[bytes]:
    """What was ever written: the broker's indexes are ten megabytes of mostly holes."""
    with file.open("rb") as held:
        place, end = held.fileno(), file.stat().st_size
        at = 0
        while at < end:
            try:
                begin = os.lseek(place, at, os.SEEK_DATA)
            except OSError:
                return
            at = os.lseek(place, begin, os.SEEK_HOLE)
            yield os.pread(place, at - begin, begin)


def _count_in_clickhouse(house: House, value: str) -> str:
    tables = ("events", "orders", "order_lines", "decisions", "actions", "profile_history")
    parts = [
        f"SELECT count() AS n FROM {table} WHERE positionCaseInsensitive("
        f"toString(tuple(*)), '{value}') > 0"
        for table in tables
    ]
    return f"SELECT sum(n) FROM ({' UNION ALL '.join(parts)})"


async def test_what_a_device_did_becomes_the_customers_when_it_signs_in(house: House) -> None:
    await house.post("track", an_order("A-2", anonymousId="phone-7"))
    await house.post("identify", {"userId": "anna", "anonymousId": "phone-7", "traits": {}})
    await house.post("track", an_order("A-3", anonymousId="phone-7"))
    await house.post("track", an_order("A-4", userId="anna"))

    async def joined() -> bool:
        profile = await house.get("/v1/customers/anna")
        return profile is not None and profile["orders"] == 3

    await until(joined, "three orders in one profile")
    token = token_of(load_secrets(house.settings).token_key, "customer", "anna")
    rows = await house.log.customers()
    assert rows[token].orders == 3
    assert sum(row.orders for row in rows.values()) == 3, "nowhere twice"

    wish = {"product_id": "lace-1", "name": "Lace", "price": 4.0}
    await house.post(
        "track", {"event": "Product Added to Wishlist", "userId": "anna", "properties": wish}
    )

    async def recommended() -> bool:
        answer = await house.get("/v1/customers/anna/recommendations?n=5")
        reasons = {one["product_id"]: one["reason"] for one in answer["items"]}
        is_wished = "lace-1" in reasons and reasons["lace-1"]["name"] == "wished"
        return is_wished and reasons["shoe-1"].get("times") == 3

    await until(recommended, "what both names bought and wished for to be recommended")


async def test_first_events_start_the_clock_and_marks_follow(house: House) -> None:
    assert await house.log.records(topics.EVENTS) == [], "an empty log has no time"
    await house.post("track", an_order("A-5", userId="anna"))

    async def marked() -> bool:
        return sum(r.key is None for r in await house.log.records(topics.EVENTS)) >= 4

    await until(marked, "marks of the wall clock")
