"""Sealing: what goes in comes out, for the right customer and field alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sinks.keys import KeyDestroyed, KeyMissing, SqliteKeyStore
from sinks.sealing import SealBroken, Sealer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteKeyStore]:
    opened = SqliteKeyStore(tmp_path / "keys.sqlite", bytes(32))
    yield opened
    opened.close()


@pytest.fixture
def sealer(store: SqliteKeyStore) -> Sealer:
    return Sealer(store)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)
@given(text=st.text(), field=st.text())
def test_any_text_comes_back_whole(sealer: Sealer, text: str, field: str) -> None:
    sealed = sealer.seal("anna", field, text)
    assert sealer.unseal("anna", field, sealed) == text
    assert sealed.isascii()


def test_the_text_is_not_in_the_seal_and_two_seals_differ(sealer: Sealer) -> None:
    first, second = (sealer.seal("anna", "name", "Anna Müller 🎈") for _ in range(2))
    assert first != second
    assert "Anna" not in first


def test_the_id_is_sealed_once_for_all_its_events(sealer: Sealer) -> None:
    assert sealer.seal("anna", "id", "c1") == sealer.seal("anna", "id", "c1")
    assert sealer.unseal("anna", "id", sealer.seal("anna", "id", "c1")) == "c1"


def test_several_fields_are_sealed_under_their_names(sealer: Sealer) -> None:
    sealed = sealer.seal_many("anna", {"name": "Anna", "email": "a@example.com"})
    assert sealer.unseal("anna", "email", sealed["email"]) == "a@example.com"
    assert sealer.unseal("anna", "name", sealed["name"]) == "Anna"


def test_a_seal_moved_to_another_customer_or_field_does_not_open(sealer: Sealer) -> None:
    sealed = sealer.seal("anna", "name", "Anna")
    sealer.seal("bert", "name", "Bert")
    for customer, field in (("bert", "name"), ("anna", "email")):
        with pytest.raises(SealBroken):
            sealer.unseal(customer, field, sealed)


@pytest.mark.parametrize("broken", ["", "AA", "a", "!!!!", "é", "AQ" + "A" * 60, "x" * 500])
def test_what_was_never_sealed_here_does_not_open(sealer: Sealer, broken: str) -> None:
    sealer.seal("anna", "name", "Anna")
    with pytest.raises(SealBroken):
        sealer.unseal("anna", "name", broken)


def test_a_forgotten_customers_seals_stay_shut(sealer: Sealer, store: SqliteKeyStore) -> None:
    sealed = sealer.seal("anna", "name", "Anna")
    sealer.seal("anna", "id", "c1")
    store.destroy("anna")
    with pytest.raises(KeyDestroyed):
        sealer.unseal("anna", "name", sealed)
    for field in ("name", "id"):
        with pytest.raises(KeyDestroyed):
            sealer.seal("anna", field, "text")


def test_opening_makes_no_key(sealer: Sealer) -> None:
    with pytest.raises(KeyMissing):
        sealer.unseal("nobody", "name", "AQ")


def test_bytes_of_no_customer_go_under_a_system_key(sealer: Sealer) -> None:
    sealed = sealer.seal_system("dead-letters", b"\xff\x00raw")
    assert sealer.unseal_system("dead-letters", sealed) == b"\xff\x00raw"
    with pytest.raises(KeyMissing):
        sealer.unseal_system("another", sealed)
