"""Whose an order is: remembered under tokens and seals, gone with the customer's key."""

from pathlib import Path

import pytest

from sinks.keys import KeyDestroyed, SqliteKeyStore
from sinks.order_owners import OrderOwners
from sinks.sealing import Sealer


def test_an_orders_customer_is_remembered_and_forgotten_with_the_key(tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.sqlite", bytes(32))
    path = tmp_path / "orders.sqlite"
    owners = OrderOwners(path, Sealer(store))
    owners.remember("order-token", "anna-token", "anna-4711")
    owners.remember("order-token", "bert-token", "bert")
    owners.close()
    assert b"anna-4711" not in path.read_bytes()
    again = OrderOwners(path, Sealer(store))
    assert again.owner_of("order-token") == "anna-4711"
    assert again.owner_of("another") == ""
    store.destroy("anna-token")
    with pytest.raises(KeyDestroyed):
        again.owner_of("order-token")
    again.close()
    store.close()
