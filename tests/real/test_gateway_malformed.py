"""Five hundred malformed requests: each is told why, none reaches the log, none stops anything."""

import asyncio
import copy
import gzip
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from streams.settings import Settings
from tests.real.open_gateway import OpenGateway, an_open_gateway, basic

pytestmark = pytest.mark.real

REQUESTS = 500
VALID: dict[str, Any] = {
    "type": "track",
    "messageId": "malformed",
    "userId": "c1",
    "timestamp": "2018-01-01T00:00:00Z",
    "event": "Order Completed",
    "properties": {
        "order_id": "o1",
        "total": 5,
        "currency": "EUR",
        "products": [{"product_id": "p1", "price": 5, "quantity": 1}],
    },
    "context": {"ip": "10.0.0.1", "traits": {"name": "Anna"}},
}
WRONG: dict[tuple[str | int, ...], list[Any]] = {
    ("messageId",): [True, [], {}, "x" * 513, " "],
    ("userId",): [True, ["c1"], {"id": 1}, "x" * 513, "\t"],
    ("timestamp",): [5, True, [], "yesterday", "1999-01-01", "2018-13-01", "x" * 10_000],
    ("event",): [None, False, [], {}, "", "x" * 513],
    ("properties",): [5, "x", [], True],
    ("properties", "order_id"): [None, True, [], {}, "", "x" * 513],
    ("properties", "total"): [-1, -1e-9, "-5", "ten", True, [], {}, 1e300, 10**13, "1e999", "NaN"],
    ("properties", "currency"): [5, "EURO", "", "€", [], "12"],
    ("properties", "products"): [5, "p", {}, [5], [{}], [None], [[]]],
    ("properties", "products", 0, "product_id"): [True, [], {}, "x" * 513],
    ("properties", "products", 0, "price"): [-1, "x", [], {}, True, 1e15, "9" * 1000],
    ("properties", "products", 0, "quantity"): [-1, "x", [], {}, True, 1e15],
    ("context",): [5, "x", [], True],
    ("context", "traits"): [5, "x", [], True],
}


@dataclass
class Malformed:
    """A request that must not be taken, and the statuses that may be answered."""

    kind: str
    raw: bytes
    path: str = "/v1/track"
    headers: dict[str, str] = field(default_factory=basic)


def wrong_type(chance: random.Random) -> Malformed:
    place, values = chance.choice(list(WRONG.items()))
    body = copy.deepcopy(VALID)
    target: Any = body
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = chance.choice(values)
    if chance.random() < 0.5:
        return Malformed("wrong type", orjson.dumps(body))
    return Malformed("wrong type", orjson.dumps({"batch": [body] * 3}), "/v1/batch")


def fuzzed_json(chance: random.Random) -> Malformed:
    raw = bytearray(orjson.dumps(VALID))
    while True:
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(raw))
            raw[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 2))
        try:
            orjson.loads(bytes(raw))
        except orjson.JSONDecodeError:
            return Malformed("fuzzed JSON", bytes(raw), chance.choice(["/v1/track", "/v1/batch"]))


def half_a_body(chance: random.Random) -> Malformed:
    raw = orjson.dumps(VALID)
    return Malformed("half a body", raw[: chance.randrange(len(raw))])


def not_utf8(chance: random.Random) -> Malformed:
    spoiled = chance.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"])
    return Malformed("invalid UTF-8", orjson.dumps(VALID).replace(b"Anna", spoiled))


def strange_number(chance: random.Random) -> Malformed:
    number = chance.choice(
        [
            b"1e999",
            b"NaN",
            b"Infinity",
            b"-Infinity",
            b"0x10",
            b"01",
            b"1" + b"0" * 400,
            b"+5",
            b"1" * 100000,
            b"--1",
            b"1.",
            b".5",
            b"1e",
            b"1_000",
            b"-1" + b"0" * 300 + b".0",
        ]
    )
    return Malformed(
        "strange number", orjson.dumps(VALID).replace(b'"total":5', b'"total":' + number)
    )


def too_deep(chance: random.Random) -> Malformed:
    depth = chance.choice([40, 200, 1000, 1100, 50_000, 200_000])
    opened, closed = chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
    deep = opened * depth + b"1" + closed * depth
    if len(deep) > 450_000:
        deep = b"[" * depth
    place = chance.choice([b'"c1"', b'"o1"', b'{"price":5}', b'"track"'])
    raw = orjson.dumps(VALID).replace(b'{"product_id":"p1","price":5,"quantity":1}', b'{"price":5}')
    return Malformed("deep nesting", raw.replace(place, deep))


def strange_text(chance: random.Random) -> Malformed:
    text = chance.choice(
        [b'"\\ud800"', b'"\\udfff\\ud800"', b'"\\x41"', b'"a\nb"', b'"\\u12"', b"'a'"]
    )
    return Malformed("strange text", orjson.dumps(VALID).replace(b'"Anna"', text))


def no_message(chance: random.Random) -> Malformed:
    raw = chance.choice(
        [
            b"",
            b" ",
            b"null",
            b"5",
            b'"track"',
            b"[]",
            b"{}",
            b"[[]]",
            b"\x00",
            b"\xef\xbb\xbf{}",
            b'{"userId": ""}',
            b'{"event": "Order Completed"}',
            b'{"batch": 5}',
            b"true",
        ]
    )
    path = chance.choice(["/v1/track", "/v1/identify", "/v1/alias", "/v1/page", "/v1/group"])
    return Malformed("no message", raw, path)


def wrong_wrapping(chance: random.Random) -> Malformed:
    raw = orjson.dumps(VALID)
    packed = gzip.compress(raw)
    spoiled, encoding = chance.choice(
        [
            (raw, "gzip"),
            (packed[:-5], "gzip"),
            (packed + b"x", "gzip"),
            (raw, "br"),
            (gzip.compress(b"0" * 10000000), "gzip"),
            (raw, "deflate"),
            (b"", "gzip"),
        ]
    )
    return Malformed("wrapping", spoiled, headers={**basic(), "Content-Encoding": encoding})


def wrong_door(chance: random.Random) -> Malformed:
    path, headers = chance.choice(
        [
            ("/v1/track", {}),
            ("/v1/track", basic("guess")),
            ("/v1/tracks", basic()),
            ("/v1/webhooks/shopify", basic()),
            ("/", basic()),
            ("/v1/batch/../track/..", basic()),
            ("/v1/track", {**basic(), "Host": "evil.example"}),
            ("/readyz", basic()),
        ]
    )
    return Malformed("wrong door", orjson.dumps(VALID), path, headers)


def too_much(chance: random.Random) -> Malformed:
    return chance.choice(
        [
            Malformed("too much", orjson.dumps({"batch": [{}] * 501}), "/v1/batch"),
            Malformed("too much", orjson.dumps({**VALID, "more": "x" * 500_000})),
        ]
    )


KINDS = [wrong_type, wrong_type, fuzzed_json, fuzzed_json, half_a_body, not_utf8, strange_number]
KINDS += [too_deep, strange_text, no_message, wrong_wrapping, wrong_door, too_much]


def malformed(seed: int) -> Iterator[Malformed]:
    chance = random.Random(seed)
    for number in range(REQUESTS):
        yield KINDS[number % len(KINDS)](chance)


async def send(gateway: OpenGateway, request: Malformed) -> str:
    """Send it; how it was refused ("400", "rejected", …)."""
    answer = await gateway.post(request.path, request.raw, request.headers)
    if answer.status == 200:
        assert answer.body["accepted"] == 0, (request.kind, request.raw[:300])
        assert len(answer.body["rejected"]) > 0 or request.raw == b"[]"
        assert all(len(one["got"]) <= 60 for one in answer.body["rejected"])
        return "rejected"
    assert 400 <= answer.status < 500, (request.kind, answer.status, request.raw[:300])
    assert answer.body["error"], request.kind
    return str(answer.status)


async def hang_up(gateway: OpenGateway, raw: bytes) -> None:
    """Promise a body, send half of it and go away."""
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway_port)
    head = f"POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(raw)}\r\n"
    head += f"Authorization: {basic()['Authorization']}\r\n\r\n"
    writer.write(head.encode() + raw[: len(raw) // 2])
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def not_even_http(gateway: OpenGateway, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway_port)
    writer.write(raw)
    await writer.drain()
    writer.write_eof()
    answer = await reader.read()
    assert answer == b"" or answer.split(b" ", 2)[1].startswith(b"4")
    writer.close()
    await writer.wait_closed()


async def test_malformed_requests_change_nothing(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with an_open_gateway(settings) as gateway:
        outcomes: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        requests = list(malformed(seed=7))
        for start in range(0, REQUESTS, 20):
            some = requests[start : start + 20]
            outcomes.update(await asyncio.gather(*(send(gateway, one) for one in some)))
            kinds.update(one.kind for one in some)
        assert sum(outcomes.values()) == REQUESTS
        assert {"rejected", "400", "401", "403", "404", "413", "415"} <= set(outcomes)
        for _ in range(10):
            await hang_up(gateway, orjson.dumps(VALID))
        for raw in (
            b"\x16\x03\x01\x02\x00\x01",
            b"GET\r\n\r\n",
            b"POST /v1/track HTTP/9.9\r\n\r\n",
        ):
            await not_even_http(gateway, raw)
        assert await gateway.written() == []
        buried = await gateway.buried()
        assert len(buried) > 100
        assert all(letter.reason and letter.source == "gateway" for letter, _ in buried)
        assert (await gateway.get("/readyz")).status == 200
        answer = await gateway.post("/v1/track", VALID)
        assert answer.body == {"accepted": 1, "rejected": []}
        assert len(await gateway.written()) == 2
    spoken = [one for one in caplog.records if not one.name.startswith("aiokafka")]
    assert [one.getMessage() for one in spoken if one.levelname in ("ERROR", "CRITICAL")] == []
