"""Who a shop's customers are at the moment: a bounded sample of them, each as it stands now.

Which customers are in it is drawn by the hash of their names, so the same ones are, whatever the
sequence in which they come, and a customer who moved is moved in the sample. While there are fewer
than KEPT, it is all of them. Names are not kept, only their hashes.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.customer import ref_of

KEPT = 16_384
_ALL = (1 << 64) - 1
_ROOM = 256


class Standing(NamedTuple):
    """What clusters look at: the last order's time, how many orders, and their value in cents."""

    last_order_ms: int
    orders: int
    value_cents: int


class SampledCustomers(msgspec.Struct, kw_only=True):
    """A sample for a changelog: its columns as packed arrays, sorted by reference."""

    drawn_below: int = _ALL
    refs: bytes = b""
    last_orders_ms: bytes = b""
    orders: bytes = b""
    values_cents: bytes = b""


class CustomerSample:
    """Customers drawn by hash, at most `kept` of them."""

    def __init__(self, sampled: SampledCustomers | None = None, *, kept: int = KEPT) -> None:
        sampled = sampled or SampledCustomers()
        self._kept = kept
        self.drawn_below = sampled.drawn_below
        columns = (sampled.last_orders_ms, sampled.orders, sampled.values_cents)
        refs = np.frombuffer(sampled.refs, np.uint64)
        rows = np.stack([np.frombuffer(column, np.int64) for column in columns], axis=1)
        self._take(refs, rows)

    def __len__(self) -> int:
        return len(self._places)

    def put(self, customer: str, standing: Standing | None) -> None:
        """Say how a customer stands now; None, or no order left, forgets it."""
        ref = ref_of(customer)
        if standing is None or standing.orders <= 0:
            self._forget(ref)
        elif ref <= self.drawn_below:
            place = self._places.get(ref)
            if place is None:
                place = self._add(ref)
            self._rows[place] = standing
            self._shrink()

    def join(self, other: "CustomerSample") -> None:
        """Take in a sample of other customers, such as another partition's."""
        mine, theirs = self._sorted(), other._sorted()  # noqa: SLF001
        self.drawn_below = min(self.drawn_below, other.drawn_below)
        refs = np.concatenate((mine[0], theirs[0]))
        self._take(refs, np.concatenate((mine[1], theirs[1])))
        self._draw()
        self._shrink()

    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Last orders, numbers of orders and values, in the order of the references."""
        rows = self._sorted()[1]
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def dump(self) -> SampledCustomers:
        """Everything, for a changelog."""
        refs, rows = self._sorted()
        return SampledCustomers(
            drawn_below=self.drawn_below,
            refs=refs.tobytes(),
            last_orders_ms=rows[:, 0].tobytes(),
            orders=rows[:, 1].tobytes(),
            values_cents=rows[:, 2].tobytes(),
        )

    def _take(self, refs: NDArray[np.uint64], rows: NDArray[np.int64]) -> None:
        room = max(_ROOM, 2 * len(refs))
        self._refs = np.zeros(room, np.uint64)
        self._rows = np.zeros((room, 3), np.int64)
        self._refs[: len(refs)], self._rows[: len(refs)] = refs, rows
        self._places = {ref: place for place, ref in enumerate(refs.tolist())}

    def _add(self, ref: int) -> int:
        place = len(self._places)
        if place == len(self._refs):
            self._take(self._refs, self._rows)
        self._places[ref] = place
        self._refs[place] = ref
        return place

    def _forget(self, ref: int) -> None:
        place = self._places.pop(ref, None)
        last = len(self._places)
        if place is not None and place != last:
            # The last one moves into the gap.
            self._refs[place], self._rows[place] = self._refs[last], self._rows[last]
            self._places[int(self._refs[place])] = place

    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        refs = self._refs[: len(self._places)]
        order = np.argsort(refs)
        return refs[order], self._rows[order]

    def _shrink(self) -> None:
        while len(self._places) > self._kept:
            self.drawn_below >>= 1
            self._draw()

    def _draw(self) -> None:
        refs, rows = self._sorted()
        count = int(np.searchsorted(refs, np.uint64(self.drawn_below), "right"))
        self._take(refs[:count], rows[:count])
