from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.effects import DeadLetter
from models.events import Channel, CustomerIdentified, OrderCompleted, Released, decode
from models.tokens import TOKEN_CHARS, partition_of, token_of
from sinks.keys import SqliteKeyStore
from sinks.sealing import Sealer
from streams.replay import contract as contract_module
from streams.replay.contract import SYSTEM_KEY, Contract
from streams.replay.history import Arrival, BadRow

AT_MS = 1_500_000_000_000
KEY = b"k" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteKeyStore]:
    store = SqliteKeyStore(tmp_path / "keys", b"m" * 32)
    yield store
    store.close()


@pytest.fixture
def contract(store: SqliteKeyStore) -> Contract:
    return Contract(token_key=KEY, store=store, partitions=3, source="shop", currency="EUR")


def order(customer: str = "anna", **properties: Any) -> Arrival:
    body = {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"m-{customer}",
        "userId": customer,
        "timestamp": "2017-07-14T02:39:00Z",
        "context": {"channel": "store"},
        "properties": {"order_id": "o1", "total": "12.34", **properties},
    }
    return Arrival(AT_MS, body)


def test_a_body_becomes_the_record_the_gateway_would_write(contract: Contract) -> None:
    taken = contract.take([order()])
    token = token_of(KEY, "customer", "anna")
    [(partition, record)] = taken.events
    event = decode(record.value)
    assert (partition, record.key) == (partition_of(token, 3), token.encode())
    assert isinstance(event, OrderCompleted)
    assert (event.id, event.customer, event.source) == ("m-anna", token, "shop")
    assert (event.order_id, event.total_cents, event.currency) == ("o1", 1234, "EUR")
    assert (event.occurred_at_ms, event.received_at_ms) == (AT_MS - 60_000, AT_MS)
    assert event.channel is Channel.STORE
    assert (taken.letters, taken.forgotten) == ([], 0)


def test_one_body_may_become_several_events(contract: Contract) -> None:
    body = {"type": "identify", "messageId": "m", "userId": "anna", "anonymousId": "device"}
    taken = contract.take([Arrival(AT_MS, {**body, "traits": {"email": "anna@example.com"}})])
    events = [decode(record.value) for _, record in taken.events]
    assert [type(event) for event in events] == [CustomerIdentified, Released]
    assert {len(event.customer) for event in events} == {TOKEN_CHARS}


def test_nothing_personal_is_in_the_clear(contract: Contract) -> None:
    traits = {"email": "anna@example.com", "firstName": "Annabella", "phone": "+1 555 0100 200"}
    identify = {"type": "identify", "messageId": "m", "userId": "anna@example.com"}
    taken = contract.take(
        [
            Arrival(AT_MS, {**identify, "traits": traits}),
            order(total="free", order_id="Annas-order"),
        ]
    )
    written = b"".join(record.value for _, record in taken.events) + b"".join(taken.letters)
    for personal in (b"example.com", b"Annabella", b"0100", b"Annas-order"):
        assert personal not in written


def test_an_outline_names_the_same_events_without_making_keys(
    contract: Contract, store: SqliteKeyStore
) -> None:
    outline = contract.outline(order())
    assert not store.holds(token_of(KEY, "customer", "anna"))
    [(_, record)] = contract.take([order()]).events
    event = decode(record.value)
    assert [(one.id, one.customer) for one in outline] == [(event.id, event.customer)]  # type: ignore[union-attr]
    assert contract.outline(BadRow(AT_MS, "", "", "", b"")) == []


@pytest.mark.parametrize(
    ("arrival", "reason", "path", "raw"),
    [
        (
            BadRow(AT_MS, "a.csv:7:price", "a number", "free", b'{"price":"free"}'),
            "price: a number",
            "a.csv:7:price",
            b'{"price":"free"}',
        ),
        (order(total="free"), "properties.total: a number", "properties.total", b'"free"'),
        (
            order(products=[{"product_id": "hat"}, {"price": 1}]),
            "properties.products[].product_id: the product's id",
            "properties.products[1].product_id",
            b'"hat"',
        ),
    ],
)
def test_what_cannot_be_used_becomes_a_dead_letter_by_its_reason(
    contract: Contract,
    store: SqliteKeyStore,
    arrival: Arrival | BadRow,
    reason: str,
    path: str,
    raw: bytes,
) -> None:
    [letter] = [
        msgspec.json.decode(one, type=DeadLetter) for one in contract.take([arrival]).letters
    ]
    assert (letter.source, letter.reason, letter.path) == ("replay", reason, path)
    assert letter.at_ms == AT_MS
    assert raw in Sealer(store).unseal_system(SYSTEM_KEY, letter.sealed_raw)


def test_a_record_too_large_for_the_log_becomes_a_dead_letter(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract_module, "_RECORD_BYTES_MAX", 100)
    taken = contract.take([order()])
    [letter] = [msgspec.json.decode(one, type=DeadLetter) for one in taken.letters]
    assert (taken.events, letter.reason) == ([], "event: at most 100 bytes")


def test_who_was_forgotten_stays_forgotten(contract: Contract, store: SqliteKeyStore) -> None:
    contract.take([order("anna"), order("bo")])
    store.destroy(token_of(KEY, "customer", "anna"))
    taken = contract.take([order("anna"), order("bo")])
    assert [decode(record.value).id for _, record in taken.events] == ["m-bo"]  # type: ignore[union-attr]
    assert (taken.letters, taken.forgotten) == ([], 1)
