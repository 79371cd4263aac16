"""What each kind of dead letter becomes when it is put back, and which can't be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from models.effects import Action, DeadLetter, encode
from models.events import Adopted, ClockMark, Erased, OrderCompleted, decode
from models.events import encode as encode_event
from models.tokens import partition_of, token_of
from sinks.keys import SqliteKeyStore
from sinks.sealing import Sealer
from streams.dead_letters import ERASED, Closed, Opener
from streams.dead_letters_command import legible
from streams.dead_letters_retry import Returner, Unfit
from streams.secrets import Secrets, load_secrets, open_key_store
from streams.settings import Settings
from tests.builders import ANNA, make, order, viewed

AT_MS = 1_700_000_000_000
ORDER = {
    "type": "track",
    "event": "Order Completed",
    "userId": "anna",
    "properties": {"order_id": "o1", "total": 5},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, partitions=4)


@pytest.fixture
def secrets(settings: Settings) -> Secrets:
    return load_secrets(settings)


@pytest.fixture
def store(settings: Settings, secrets: Secrets) -> Iterator[SqliteKeyStore]:
    opened = open_key_store(settings, secrets.master_key)
    yield opened
    opened.close()


@pytest.fixture
def returner(settings: Settings, secrets: Secrets, store: SqliteKeyStore) -> Returner:
    return Returner(settings, secrets, store)


def letter_of(store: SqliteKeyStore, source: str, raw: bytes, **more: Any) -> DeadLetter:
    key = "dead_letter" if source in ("worker", "dispatcher") else "dead-letters"
    sealed = Sealer(store).seal_system(key, raw)
    return DeadLetter(source=source, reason="r", at_ms=AT_MS, sealed_raw=sealed, **more)


def test_a_record_of_the_log_goes_back_as_it_stood(
    returner: Returner, store: SqliteKeyStore
) -> None:
    raw = encode_event(order())
    [(partition, record)] = returner.records(letter_of(store, "worker", raw))
    assert (partition, record.key, record.value) == (partition_of(ANNA, 4), ANNA.encode(), raw)


@pytest.mark.parametrize("source", ["gateway", "webhook:shopify", "intake", "replay"])
def test_a_message_goes_through_the_contract_as_if_it_came_when_it_did(
    returner: Returner, store: SqliteKeyStore, secrets: Secrets, source: str
) -> None:
    letter = letter_of(store, source, orjson.dumps(ORDER))
    [(partition, record)] = returner.records(letter)
    event = decode(record.value)
    assert isinstance(event, OrderCompleted)
    assert event.customer == token_of(secrets.token_key, "customer", "anna")
    assert (record.key, partition) == (event.customer.encode(), partition_of(event.customer, 4))
    assert (event.source, event.received_at_ms, event.occurred_at_ms) == (source, AT_MS, AT_MS)
    [(_, again)] = returner.records(letter)
    assert decode(again.value).id == event.id, "so that the log knows it again"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("source", "raw", "path", "why"),
    [
        ("gateway", b"{half", "", "no JSON"),
        ("gateway", b'{"type":"track"}', "", "the contract still refuses it: userId"),
        ("replay", orjson.dumps(ORDER), "year.csv:7:total", "a row of a file"),
        ("worker", b"\xff", "", "still can't be decoded"),
        ("worker", encode_event(ClockMark(at_ms=5)), "", "timer"),
        ("worker", encode_event(Adopted("hazard", 1, "x")), "", "whole partition"),
        ("dispatcher", b"{}", "", "its rule decides anew"),
        ("learner", b"{}", "", "its own topic"),
        ("watch", b"{}", "", "its own topic"),
    ],
)
def test_what_cannot_go_back_says_why(
    returner: Returner, store: SqliteKeyStore, source: str, raw: bytes, path: str, why: str
) -> None:
    with pytest.raises(Unfit, match=why):
        returner.records(letter_of(store, source, raw, path=path))


def test_all_events_of_a_message_go_back_together(
    returner: Returner, store: SqliteKeyStore
) -> None:
    both = {"type": "identify", "userId": "anna", "anonymousId": "d1", "traits": {"age": 5}}
    kinds = [
        decode(record.value).__struct_config__.tag
        for _, record in returner.records(letter_of(store, "gateway", orjson.dumps(both)))
    ]
    assert sorted(kinds) == ["customer_identified", "released"]


@pytest.mark.parametrize("named", [{"userId": "anna"}, {"anonymousId": "anna"}])
def test_an_erased_customers_message_is_neither_shown_nor_put_back(
    returner: Returner, store: SqliteKeyStore, secrets: Secrets, named: dict[str, str]
) -> None:
    body = {name: value for name, value in ORDER.items() if name != "userId"} | named
    letter = letter_of(store, "gateway", orjson.dumps(body))
    opener = Opener(store, secrets)
    assert opener.open(letter)
    name = "anna" if "userId" in named else "anon:anna"
    store.destroy(token_of(secrets.token_key, "customer", name))
    with pytest.raises(Closed, match="was erased"):
        opener.open(letter)
    with pytest.raises(Unfit, match="was erased"):
        returner.records(letter)


def test_an_erased_customers_record_stays_where_it_is_but_the_erasure_itself_goes_back(
    returner: Returner, store: SqliteKeyStore, secrets: Secrets
) -> None:
    store.destroy(ANNA)
    with pytest.raises(Unfit) as unfit:
        returner.records(letter_of(store, "worker", encode_event(viewed())))
    assert str(unfit.value) == ERASED
    erasure = encode_event(make(Erased))
    [(_, record)] = returner.records(letter_of(store, "worker", erasure))
    assert record.value == erasure


def test_what_the_gateway_buried_of_an_erased_customer_is_empty_and_said_to_be(
    returner: Returner, store: SqliteKeyStore
) -> None:
    with pytest.raises(Unfit, match="was erased"):
        returner.records(letter_of(store, "gateway", b""))


def test_a_message_to_an_erased_customer_is_not_shown(
    store: SqliteKeyStore, secrets: Secrets
) -> None:
    action = encode(
        Action(
            action_id="a",
            customer=ANNA,
            rule="thank_you",
            occasion="o",
            message_channel="email",  # type: ignore[arg-type]
            template="t",
            decided_at_ms=1,
            expires_at_ms=2,
            sealed={},
        )
    )
    opener = Opener(store, secrets)
    assert opener.open(letter_of(store, "dispatcher", action)) == action
    store.destroy(ANNA)
    with pytest.raises(Closed, match="was erased"):
        opener.open(letter_of(store, "dispatcher", action))


def test_other_keys_open_nothing(store: SqliteKeyStore, secrets: Secrets, tmp_path: Path) -> None:
    letter = letter_of(store, "gateway", orjson.dumps(ORDER))
    other = SqliteKeyStore(tmp_path / "other.sqlite", b"o" * 32)
    with pytest.raises(Closed, match="keys don't open it"):
        Opener(other, secrets).open(letter)
    Sealer(other).seal_system("dead-letters", b"a key of the same name")
    with pytest.raises(Closed, match="keys don't open it"):
        Opener(other, secrets).open(letter)
    other.close()


def test_a_letter_without_a_copy_says_where_its_record_stands(
    store: SqliteKeyStore, secrets: Secrets
) -> None:
    letter = DeadLetter(
        source="learner", reason="r", at_ms=1, sealed_raw="", partition=0, offset=12
    )
    with pytest.raises(Closed, match="partition 0, offset 12"):
        Opener(store, secrets).open(letter)


def test_nothing_personal_is_in_the_clear_in_what_goes_back(
    returner: Returner, store: SqliteKeyStore
) -> None:
    body = {"type": "identify", "userId": "anna", "traits": {"email": "anna@example.com"}}
    [(_, record)] = returner.records(letter_of(store, "gateway", orjson.dumps(body)))
    assert b"anna" not in record.value
    assert msgspec.json.decode(record.value)["sealed"]["email"]


def test_what_a_letter_says_gives_a_terminal_no_orders() -> None:
    shown = legible(b'{"name":"\xc2\x9b2J\xe2\x80\xae","note":"\\u001b]0;x\\u0007"}')
    assert all(one.isprintable() or one == "\n" for one in shown)
    assert "2J" in shown
    assert legible(b"\xff\x00") == "\\xff\\x00"
