"""The door on a real broker: who may send, what is answered, what stands in the log afterwards."""

import asyncio
import gzip
import hashlib
import hmac
import signal
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import structlog
from aiohttp import ClientSession
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from models import events
from models.segment_values import ID_CHARS_MAX
from models.tokens import partition_of
from streams import gateway as gateway_module
from streams import gateway_admission, gateway_requests
from streams.prepare import ensure_topics
from streams.secrets import load_secrets, open_key_store
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.settings import Settings
from tests.real.open_gateway import OpenGateway, an_open_gateway, basic

pytestmark = pytest.mark.real

SHOPIFY = "hush"
STANDARD = "whsec_" + b64encode(b"another secret").decode()


@pytest.fixture
def configured(settings: Settings) -> Settings:
    secrets = {"shopify": f"old,{SHOPIFY}", "crm": STANDARD}
    return settings.model_copy(
        update={"webhook_secrets": Settings(webhook_secrets=secrets).webhook_secrets}
    )


@pytest.fixture
async def gateway(configured: Settings) -> AsyncIterator[OpenGateway]:
    async with an_open_gateway(configured) as opened:
        yield opened


def order(number: int = 1, **more: Any) -> dict[str, Any]:
    body = {"messageId": f"m{number}", "userId": f"c{number}", "event": "Order Completed"}
    return {**body, "properties": {"order_id": f"o{number}", "total": 5}, **more}


async def test_a_confirmed_event_stands_in_its_customers_partition(gateway: OpenGateway) -> None:
    answer = await gateway.post("/v1/track", order())
    assert (answer.status, answer.body) == (200, {"accepted": 1, "rejected": []})
    (event,) = await gateway.written()
    assert isinstance(event, events.OrderCompleted)
    assert event.customer == gateway.token("customer", "c1")
    assert event.source == "gateway"
    assert abs(event.received_at_ms - time.time() * 1000) < 60_000
    assert partition_of(event.customer, gateway.settings.partitions) in (0, 1)


@pytest.mark.parametrize(
    ("path", "body", "kinds"),
    [
        ("/v1/identify", {"userId": "c", "anonymousId": "d"}, ["customer_identified", "released"]),
        ("/v1/alias", {"userId": "c", "previousId": "d"}, ["released", "released"]),
        ("/v1/page", {"userId": "c", "name": "Home"}, ["page_viewed"]),
        ("/v1/screen", {"userId": "c", "name": "Home"}, ["page_viewed"]),
        ("/v1/group", {"userId": "c", "groupId": "g"}, ["tracked"]),
        ("/v1/track", {"userId": "c", "event": "Sneezed"}, ["tracked"]),
    ],
)
async def test_each_call_of_segments_api_is_taken(
    gateway: OpenGateway, path: str, body: dict[str, Any], kinds: list[str]
) -> None:
    answer = await gateway.post(path, body)
    assert answer.body == {"accepted": 1, "rejected": []}
    assert sorted(events.type_of(event) for event in await gateway.written()) == kinds  # type: ignore[arg-type]


async def test_a_batch_takes_what_is_valid_and_buries_the_rest(gateway: OpenGateway) -> None:
    wrong = {"type": "track", **order(3, properties={"order_id": "o", "total": -1})}
    batch = [{"type": "track", **order(number)} for number in (1, 2)]
    answer = await gateway.post("/v1/batch", {"batch": [batch[0], wrong, "x", batch[1]]})
    assert answer.status == 200
    assert answer.body == {
        "accepted": 2,
        "rejected": [
            {
                "index": 1,
                "path": "properties.total",
                "expected": "an amount of 0 or more",
                "got": "-1",
            },
            {"index": 2, "path": "", "expected": "a message (an object)", "got": "'x'"},
        ],
    }
    assert sorted(event.id for event in await gateway.written()) == ["m1", "m2"]
    letters = sorted(await gateway.buried(), key=lambda one: one[0].reason)
    assert [(letter.source, letter.reason, letter.path) for letter, _ in letters] == [
        ("gateway", "message: a message (an object)", ""),
        ("gateway", "properties.total: an amount of 0 or more", "properties.total"),
    ]
    assert orjson.loads(letters[1][1]) == wrong


async def test_the_same_request_again_has_the_same_event_ids(gateway: OpenGateway) -> None:
    body = {"userId": "c1", "anonymousId": "d1", "traits": {"age": 5}}
    for _ in range(2):
        await gateway.post("/v1/identify", body)
    ids = sorted(event.id for event in await gateway.written())
    assert len(ids) == 4
    assert ids[0] == ids[1]
    assert ids[2] == ids[3]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("wrong"),
        basic(""),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": "Bearer demo"},
        {"Authorization": "Basic " + b64encode(b"\xff:").decode()},
        {"Authorization": "Basic " + b64encode(b":demo").decode()},
    ],
)
async def test_without_the_write_key_nothing_is_taken(
    gateway: OpenGateway, headers: dict[str, str]
) -> None:
    answer = await gateway.post("/v1/track", order(), headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert await gateway.written() == []
    assert await gateway.buried() == []


async def test_a_loopback_gateway_answers_to_its_own_names_only(gateway: OpenGateway) -> None:
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "",
        "[::ffff:1.2.3.4]",
    ):
        answer = await gateway.post("/v1/track", order(), {**basic(), "Host": host})
        assert answer.status in (400, 403), host
    for host in ("localhost:1", "127.0.0.1", "[::1]:8470", "127.0.0.2"):
        assert (await gateway.post("/v1/track", order(), {**basic(), "Host": host})).status == 200


async def test_other_origins_get_no_permission(gateway: OpenGateway) -> None:
    answer = await gateway.post("/v1/track", order(), {**basic(), "Origin": "https://x.example"})
    assert not [name for name in answer.headers if name.startswith("Access-Control")]
    assert answer.headers["Server"] == "huitou"


async def test_a_compressed_body_is_taken(gateway: OpenGateway) -> None:
    headers = {**basic(), "Content-Encoding": "gzip"}
    answer = await gateway.post("/v1/track", gzip.compress(orjson.dumps(order()), mtime=0), headers)
    assert answer.body["accepted"] == 1


async def test_a_bomb_of_zeros_is_not_unpacked(gateway: OpenGateway) -> None:
    headers = {**basic(), "Content-Encoding": "gzip"}
    bomb = gzip.compress(b'{"a": "' + b"0" * 100_000_000 + b'"}')
    assert len(bomb) < gateway.settings.max_body_bytes
    answer = await gateway.post("/v1/track", bomb, headers)
    assert answer.status == 413
    assert (await gateway.post("/v1/track", order())).status == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * 500_001, {}, 413),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0) + b"more", {"Content-Encoding": "gzip"}, 400),
        (b"{}", {"Content-Encoding": "br"}, 415),
        (b"", {}, 400),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    gateway: OpenGateway, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await gateway.post("/v1/track", body, {**basic(), **headers})
    assert answer.status == status
    assert answer.body["error"]


async def test_a_batch_has_at_most_so_many_messages(gateway: OpenGateway) -> None:
    full = [
        {"type": "track", **order(number)} for number in range(gateway.settings.max_batch_events)
    ]
    assert (await gateway.post("/v1/batch", {"batch": full})).body["accepted"] == len(full)
    answer = await gateway.post("/v1/batch", {"batch": [*full, full[0]]})
    assert answer.status == 413
    assert "at most 500 messages" in answer.body["error"]


async def test_a_body_that_does_not_come_is_not_waited_for_long(
    gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_requests, "READ_WITHIN_S", 0.2)
    status, _ = await half_a_request(gateway, b'{"type":', 100)
    assert status == 408


async def half_a_request(gateway: OpenGateway, sent: bytes, length: int) -> tuple[int, bytes]:
    """Send part of a body and wait for the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway_port)
    head = f"POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
    head += f"Authorization: {basic()['Authorization']}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + sent)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1]), answer


async def test_too_many_requests_at_once_are_sent_away_for_a_while(
    gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "IN_FLIGHT_MAX", 1)
    monkeypatch.setattr(gateway_requests, "READ_WITHIN_S", 3)
    slow = asyncio.create_task(half_a_request(gateway, b"{", 2))
    async with asyncio.timeout(10):
        while "requests_in_flight 1.0" not in (await gateway.get("/metrics")).body:
            await asyncio.sleep(0.01)
    answer = await gateway.post("/v1/track", order())
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "1"
    assert (await slow)[0] == 408


async def test_an_erased_customer_stays_erased(gateway: OpenGateway) -> None:
    settings = gateway.settings
    await gateway.post("/v1/track", order())
    store = open_key_store(settings, load_secrets(settings).master_key)
    store.destroy(gateway.token("customer", "c1"))
    store.close()

    async def erased() -> dict[str, Any]:
        answer = await gateway.post("/v1/batch", [{"type": "track", **order(n)} for n in (1, 2)])
        return dict(answer.body)

    async with asyncio.timeout(10):
        while (body := await erased())["accepted"] == 2:
            await asyncio.sleep(0.1)
    assert [one["expected"] for one in body["rejected"]] == ["a customer who was not erased"]
    (letter, raw) = (await gateway.buried())[0]
    assert (letter.path, raw) == ("userId", b"")


async def test_the_longest_id_and_the_largest_message_are_taken(gateway: OpenGateway) -> None:
    text = "🎈" * 50_000
    review = {"product_id": "p", "rating": 5, "review_body": text}
    body = {"userId": "é" * ID_CHARS_MAX, "event": "Product Reviewed", "properties": review}
    answer = await gateway.post("/v1/track", body)
    assert answer.body == {"accepted": 1, "rejected": []}


async def test_a_message_that_grows_too_large_for_the_log_is_rejected(
    gateway: OpenGateway,
) -> None:
    settings = gateway.settings.model_copy(
        update={"max_body_bytes": 2_000_000, "gateway_port": free_port()}
    )
    large = {"ticket_id": "t", "text": "x" * 900_000}
    ticket = {"type": "track", "userId": "c", "event": "Ticket Opened", "properties": large}
    body = {"batch": [ticket, {"type": "track", **order()}]}
    async with an_open_gateway(settings, prepare=False) as larger:
        await larger.until_ready()
        answer = await larger.post("/v1/batch", body)
    assert answer.body["accepted"] == 1
    assert answer.body["rejected"][0]["index"] == 0
    assert "900000" in answer.body["rejected"][0]["got"]


# Webhooks


def shopify_headers(raw: bytes, topic: str) -> dict[str, str]:
    signature = b64encode(hmac.new(SHOPIFY.encode(), raw, hashlib.sha256).digest()).decode()
    return {
        "X-Shopify-Hmac-SHA256": signature,
        "X-Shopify-Topic": topic,
        "X-Shopify-Event-Id": "e1",
        "Host": "shop.tunnel.example",
    }


async def shopify(gateway: OpenGateway, topic: str, body: dict[str, Any]) -> Any:
    raw = orjson.dumps(body)
    answer = await gateway.post("/v1/webhooks/shopify", raw, shopify_headers(raw, topic))
    assert answer.status == 200, answer.body
    return answer.body


async def test_a_shopify_refund_finds_the_customer_of_its_order(gateway: OpenGateway) -> None:
    placed = {
        "id": 11,
        "total_price": "5.00",
        "currency": "EUR",
        "customer": {"id": 7, "first_name": "Anna"},
        "line_items": [],
    }
    refund = {
        "id": 1,
        "order_id": 11,
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "2.00", "currency": "EUR"}
        ],
    }
    early = await shopify(gateway, "refunds/create", refund)
    assert early["rejected"][0]["path"] == "userId"
    assert (await shopify(gateway, "orders/create", placed))["accepted"] == 1
    assert (await shopify(gateway, "refunds/create", refund))["accepted"] == 1
    found = {events.type_of(event): event for event in await gateway.written()}  # type: ignore[arg-type]
    assert sorted(found) == ["customer_identified", "order_completed", "order_refunded"]
    assert {event.customer for event in found.values()} == {gateway.token("customer", "7")}
    assert {event.source for event in found.values()} == {"webhook:shopify"}


async def test_a_standard_webhook_carries_segments_messages(gateway: OpenGateway) -> None:
    raw = orjson.dumps({"batch": [{"type": "track", **order(number)} for number in (1, 2)]})
    at = str(int(time.time()))
    key = b"another secret"
    signature = hmac.new(key, f"w1.{at}.".encode() + raw, hashlib.sha256).digest()
    headers = {
        "webhook-id": "w1",
        "webhook-timestamp": at,
        "webhook-signature": "v1," + b64encode(signature).decode(),
    }
    answer = await gateway.post("/v1/webhooks/crm", raw, headers)
    assert answer.body == {"accepted": 2, "rejected": []}
    stale = {**headers, "webhook-timestamp": str(int(time.time()) - 4000)}
    assert (await gateway.post("/v1/webhooks/crm", raw, stale)).status == 401


async def test_an_unsigned_or_unknown_webhook_is_refused(gateway: OpenGateway) -> None:
    assert (await gateway.post("/v1/webhooks/shopify", b"{}", {})).status == 401
    assert (await gateway.post("/v1/webhooks/nobody", b"{}", {})).status == 404
    raw = b"{half"
    answer = await gateway.post("/v1/webhooks/shopify", raw, shopify_headers(raw, "x"))
    assert answer.status == 400
    assert [(one.source, opened) for one, opened in await gateway.buried()] == [
        ("webhook:shopify", raw)
    ]


# Its own state


async def test_it_tells_how_it_is_and_what_it_did(gateway: OpenGateway) -> None:
    await gateway.post("/v1/track", order())
    await gateway.post("/v1/track", {"userId": "c"})
    assert (await gateway.get("/healthz")).status == 200
    assert (await gateway.get("/readyz")).status == 200
    assert (await gateway.get("/v1/track")).status == 405
    assert (await gateway.get("/secret")).status == 404
    page = (await gateway.get("/metrics")).body
    assert 'huitou_gateway_events_total{type="order_completed"} 1.0' in page
    assert 'huitou_gateway_rejected_total{source="gateway"} 1.0' in page
    assert 'huitou_gateway_requests_total{route="/v1/track",status="200"} 2.0' in page


async def test_an_error_of_its_own_tells_where_but_not_what(
    gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("anna@example.com")

    monkeypatch.setattr(gateway_admission, "parse", fail)
    with structlog.testing.capture_logs() as logged:
        answer = await gateway.post("/v1/track", order())
    assert (answer.status, answer.body) == (500, {"error": "internal error"})
    (record,) = [one for one in logged if one["event"] == "failed"]
    assert record["error"] == "ValueError"
    assert any(place.startswith("gateway_admission.py:") for place in record["at"])
    assert "anna" not in str(record)


async def test_the_intake_topic_goes_through_the_same_door(settings: Settings) -> None:
    await ensure_topics(settings)
    topic = f"in-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
    await producer.start()
    message = {"type": "track", **order()}
    for value in (message, {"batch": [{"type": "track", **order(2)}, {"type": "x"}]}):
        await producer.send_and_wait(topic, orjson.dumps(value))
    await producer.send_and_wait(topic, b"{half")
    await producer.send_and_wait(topic, None, key=b"k")
    with_intake = settings.model_copy(update={"intake_topic": topic})
    async with an_open_gateway(with_intake) as gateway, asyncio.timeout(30):
        while len(await gateway.buried()) < 3:
            await asyncio.sleep(0.05)
        assert sorted(event.id for event in await gateway.written()) == ["m1", "m2"]
    with_intake = with_intake.model_copy(update={"gateway_port": free_port()})
    async with an_open_gateway(with_intake) as gateway, asyncio.timeout(30):
        await producer.send_and_wait(topic, orjson.dumps({"type": "track", **order(3)}))
        while len(await gateway.written()) < 3:
            await asyncio.sleep(0.05)
        assert sorted(event.id for event in await gateway.written()) == ["m1", "m2", "m3"]
        letters = [letter for letter, _ in await gateway.buried()]
    await producer.stop()
    assert sorted((one.source, one.partition, one.offset) for one in letters) == [
        ("intake", 0, 1),
        ("intake", 0, 2),
        ("intake", 0, 3),
    ]


async def test_a_broker_that_is_away_is_said_and_waited_for(tmp_path: Path) -> None:
    server = Kafka(tmp_path, free_port(), free_port())
    settings = Settings(
        data_dir=tmp_path, kafka=server.address, partitions=2, gateway_port=free_port()
    )
    async with an_open_gateway(settings, prepare=False) as gateway:
        assert (await gateway.get("/readyz")).status == 503
        answer = await gateway.post("/v1/track", order())
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        with server.running() as child:
            await ensure_topics(settings)
            await gateway.until_ready()
            assert (await gateway.post("/v1/track", order())).status == 200
            child.signal(signal.SIGKILL)
            child.wait(5)
            assert (await gateway.post("/v1/track", order(2))).status == 503
            assert (await gateway.get("/readyz")).status == 503
            assert (await gateway.get("/healthz")).status == 200
            with server.running():
                await gateway.until_ready()
                async with asyncio.timeout(60):
                    while (await gateway.post("/v1/track", order(3))).status != 200:
                        await asyncio.sleep(0.1)
                assert {"m1", "m3"} <= {event.id for event in await gateway.written()}


async def test_sigterm_lets_what_is_in_flight_finish(settings: Settings) -> None:
    await ensure_topics(settings)
    environment = {
        "HUITOU_KAFKA": settings.kafka,
        "HUITOU_NAMESPACE": settings.namespace,
        "HUITOU_PARTITIONS": str(settings.partitions),
        "HUITOU_GATEWAY_PORT": str(settings.gateway_port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.cli", "gateway", "--data-dir", str(settings.data_dir),
        env=environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    body = orjson.dumps(order())
    head = f"POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: {basic()['Authorization']}\r\n\r\n"
    reader, writer = await until_listening(settings.gateway_port)
    writer.write(head.encode() + body[:10])
    await writer.drain()
    await until_in_flight(settings)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        while not await refuses(settings.gateway_port):
            await asyncio.sleep(0.02)
    writer.write(body[10:])
    await writer.drain()
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors


async def until_in_flight(settings: Settings) -> None:
    url = f"http://127.0.0.1:{settings.gateway_port}"
    async with ClientSession() as session, asyncio.timeout(30):
        while True:
            async with session.get(f"{url}/readyz") as ready, session.get(f"{url}/metrics") as page:
                if ready.status == 200 and "requests_in_flight 1.0" in await page.text():
                    return
            await asyncio.sleep(0.02)


async def until_listening(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(30):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)


async def refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    await writer.wait_closed()
    return False
