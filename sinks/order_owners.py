"""Which customer an order is of, for deliveries that name the order alone (a Shopify refund).

Kept beside the keys, in tokens and seals: without the customer's key nobody can say whose it was.
"""

import sqlite3
import threading
from pathlib import Path

from sinks.sealing import Sealer

_BUSY_MS = 10_000
_FIELD = "order_owner"


class OrderOwners:
    """Remembers the customers of orders in an SQLite file that gateways of one machine share."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._sealer = sealer
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS owners (order_token TEXT PRIMARY KEY, "
            "customer TEXT NOT NULL, sealed TEXT NOT NULL) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def remember(self, order_token: str, customer: str, customer_id: str) -> None:
        """Remember whose an order is; the first who had it keeps it.

        Raises KeyDestroyed for a customer who was forgotten.
        """
        sealed = self._sealer.seal(customer, _FIELD, customer_id)
        with self._lock:
            self._connection.execute(
                "INSERT OR IGNORE INTO owners VALUES (?, ?, ?)", (order_token, customer, sealed)
            )

    def owner_of(self, order_token: str) -> str:
        """Say whose an order is, by the customer's own id; empty for an unknown order.

        Raises KeyDestroyed for a customer who was forgotten.
        """
        with self._lock:
            row = self._connection.execute(
                "SELECT customer, sealed FROM owners WHERE order_token = ?", (order_token,)
            ).fetchone()
        return "" if row is None else self._sealer.unseal(row[0], _FIELD, row[1])
