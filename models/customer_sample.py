"""Who a shop's customers are at the moment: a bounded sample of them, each as it stands now.

Which customers are in it is drawn by the hash of their names, so the same ones are, whatever the
sequence in which they come, and a customer who moved is moved in the sample. While there are fewer
than KEPT, it is all of them. Names are not kept, only their hashes.
"""

from array import array
from typing import NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

KEPT = 32_768
_ALL = 1 << 64


class Standing(NamedTuple):
    """What clusters look at: the last order's time, how many orders, and their value in cents."""

    last_order_ms: int
    orders: int
    value_cents: int


class SampledCustomers(msgspec.Struct, kw_only=True):
    """A sample for a changelog: its columns as packed arrays, sorted by reference."""

    drawn_below: int = _ALL - 1
    refs: bytes = b""
    last_orders_ms: bytes = b""
    orders: bytes = b""
    values_cents: bytes = b""


def ref_of(customer: str) -> int:
    """Name a customer in eight bytes.

    >>> 0 <= ref_of("c1") < 2**64
    True
    """
    return xxhash.xxh3_64_intdigest(customer.encode())


class CustomerSample:
    """Customers drawn by hash, at most `kept` of them."""

    def __init__(self, sampled: SampledCustomers | None = None, *, kept: int = KEPT) -> None:
        sampled = sampled or SampledCustomers()
        self._kept = kept
        self.drawn_below = sampled.drawn_below
        columns = (sampled.last_orders_ms, sampled.orders, sampled.values_cents)
        rows = zip(*(array("q", column) for column in columns), strict=True)
        self._standings = dict(
            zip(array("Q", sampled.refs), map(Standing._make, rows), strict=True)
        )

    def __len__(self) -> int:
        return len(self._standings)

    def put(self, customer: str, standing: Standing | None) -> None:
        """Say how a customer stands now; None, or no order left, forgets it."""
        ref = ref_of(customer)
        if standing is None or standing.orders <= 0:
            self._standings.pop(ref, None)
            return
        if ref > self.drawn_below:
            return
        self._standings[ref] = standing
        self._shrink()

    def join(self, other: "CustomerSample") -> None:
        """Take in a sample of other customers, such as another partition's."""
        self.drawn_below = min(self.drawn_below, other.drawn_below)
        self._standings.update(other._standings)  # noqa: SLF001
        self._draw()
        self._shrink()

    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Last orders, numbers of orders and values, in the order of the references."""
        refs = sorted(self._standings)
        rows = np.array([self._standings[ref] for ref in refs], np.int64).reshape(-1, 3)
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def dump(self) -> SampledCustomers:
        """Everything, for a changelog."""
        last_orders_ms, orders, values_cents = (column.tobytes() for column in self.columns())
        return SampledCustomers(
            drawn_below=self.drawn_below,
            refs=array("Q", sorted(self._standings)).tobytes(),
            last_orders_ms=last_orders_ms,
            orders=orders,
            values_cents=values_cents,
        )

    def _shrink(self) -> None:
        while len(self._standings) > self._kept:
            self.drawn_below >>= 1
            self._draw()

    def _draw(self) -> None:
        limit = self.drawn_below
        self._standings = {ref: one for ref, one in self._standings.items() if ref <= limit}
