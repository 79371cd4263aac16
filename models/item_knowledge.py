"""What a shop knows of its items together: popularity, trend, what goes with what, intervals.

Learned basket by basket in O(lines), forward-decayed as the customers' memories are
(models/item_memory.py): plain columns of sums, which are changed one by one. A ranking reads a
hundred items at once from a table made of them whenever best sellers are looked for.
"""

from array import array
from math import exp, log
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from models.clock import DAY_MS
from models.item_memory import LANDMARK_DAYS, REACH_DAYS

HALF_LIFE_DAYS = 60.0
TREND_HALF_LIFE_DAYS = 10.0
_RATE, _TREND_RATE = (log(2) / days for days in (HALF_LIFE_DAYS, TREND_HALF_LIFE_DAYS))
KEPT_NEIGHBOURS = 12
# Three times as many compete, so that a newcomer has time to prove itself.
COMPETING_NEIGHBOURS = 3 * KEPT_NEIGHBOURS
PARTNERS_A_LINE = 3
POPULAR_ITEMS = 40
ITEMS_AT_MOST = 200_000
KEPT_SHARE = 0.9
USUAL_INTERVAL_DAYS = 30.0
_INTERVAL_PRIOR = 5.0
_BUYERS_PRIOR, _REPEATS_PRIOR = 2.0, 1.0
_DURABLE_BUYERS = 30
_DURABLE_SHARE = 0.02
PERHAPS_DURABLE = log(
    (_DURABLE_SHARE * _DURABLE_BUYERS + _REPEATS_PRIOR) / (_DURABLE_BUYERS + _BUYERS_PRIOR)
)
"""Whatever is durable lies under this in the table's column `regular`."""
_WANTED_WEIGHT = 0.1
# A place is looked up in a table of so many slots an item; the few that share one go the long way.
_SLOTS_AN_ITEM = 16


COLUMNS = (
    "share",
    "log_share",
    "trend",
    "interval_days",
    "regular",
    "log_price",
    "category",
    "seller",
)
"""What is known of each item, side by side, so that a ranking fetches it in one go.

`share`: of the baskets, `trend`: logarithm of the share of late over it, `regular`: logarithm of
how many times a buyer has bought it again, `seller`: its place among the best sellers,
POPULAR_ITEMS where it is none of them.
"""
SHARE, LOG_SHARE, TREND, INTERVAL, REGULAR, LOG_PRICE, CATEGORY, SELLER = range(len(COLUMNS))
# Added before a logarithm: what is as good as nothing.
LEAST_SHARE = 1e-5
LEAST_MIXTURE = 1e-4


class ItemFacts(msgspec.Struct, array_like=True, gc=False):
    """What the shop says of an item; prices in cents."""

    product_id: str
    name: str = ""
    category: str = ""
    price_cents: int = 0


UNNAMED = ItemFacts("")


class ItemRow(msgspec.Struct, array_like=True, gc=False):
    """An item as it stands on the learner's changelog; weights as of `landmark_day`."""

    facts: ItemFacts
    landmark_day: int
    popularity: float
    lately: float
    buyers: int
    repeats: int
    gap_days: float
    interval_days: float
    neighbours: list[tuple[int, float]]


class ShopRow(msgspec.Struct, array_like=True, gc=False):
    """Sums over all items, beside their rows; weights as of `landmark_day`."""

    landmark_day: int = 0
    baskets: float = 0.0
    baskets_lately: float = 0.0
    repeats: int = 0
    gap_days: float = 0.0
    lines: int = 0


class BestSellers(NamedTuple):
    """Places of the best sellers of old and of late, best first, and their rows of the table.

    `shared` is what speaks for each to whoever buys it for the first time: a row each for the
    logarithms of LEAST_MIXTURE and the share, of the share as the table has it, and of the trend.
    `listed` are the places again.
    """

    places: NDArray[np.intp]
    rows: NDArray[np.float64]
    shared: NDArray[np.float64]
    listed: list[int]


# Never sold: how it stands in the table; its interval is the usual one.
_UNSOLD = np.zeros(len(COLUMNS))
_UNSOLD[LOG_SHARE] = log(LEAST_SHARE)
_UNSOLD[REGULAR] = log(_REPEATS_PRIOR / _BUYERS_PRIOR)
_UNSOLD[SELLER] = POPULAR_ITEMS


class ItemKnowledge:
    """The columns; item `i` of each is the item whose ref is `refs[i]`.

    `table` is as of the last `rank_popular` or `refresh`: an item met since was never sold there.
    Of more than `items_at_most` the least popular are forgotten (`rank_popular`).
    """

    def __init__(self, items_at_most: int = ITEMS_AT_MOST) -> None:
        self.items_at_most = items_at_most
        self._begin()

    def _begin(self) -> None:
        self.shop = ShopRow()
        self.index: dict[int, int] = {}
        self.facts: list[ItemFacts] = []
        self.categories: dict[str, int] = {"": 0}
        self._partners: list[dict[int, float]] = []
        # Of those that change with a line, numpy's own would cost ten times as much to change.
        self._popularity = array("d")
        self._lately = array("d")
        self._buyers = array("d")
        self._repeats = array("d")
        self._gap_days = array("d")
        self._interval_days = array("d")
        self._changed: set[int] = set()
        self._room(1024)
        nowhere = np.zeros(0, np.intp)
        self.best_sellers = self._sellers(nowhere)
        self.is_priced = False

    def _room(self, size: int) -> None:
        old = len(self.facts)

        def longer(name: str, dtype: Any, *shape: int) -> None:
            column = np.zeros((size, *shape), dtype)
            if old:
                column[:old] = getattr(self, name)[:old]
            setattr(self, name, column)

        longer("refs", np.uint32)
        longer("table", np.float64, len(COLUMNS))
        self.marked = np.zeros(size, np.bool_)
        # Beside each other, so that one look tells the place and whose it is.
        self._slots = np.zeros((_SLOTS_AN_ITEM * size, 2), np.uint32)
        self._last_slot = np.array(len(self._slots) - 1, np.uint32)
        # Nobody's: its ref would be of another slot, as 0 is of every slot but this.
        self._slots[0, 0] = 1
        # Backwards: of two items of one slot, the one that was met first has it.
        refs = self.refs[:old][::-1]
        self._slots[refs & self._last_slot] = np.column_stack((refs, np.arange(old)[::-1]))

    refs: NDArray[np.uint32]
    table: NDArray[np.float64]
    marked: NDArray[np.bool_]
    _slots: NDArray[np.uint32]
    _last_slot: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def _counts(self) -> "tuple[array[float], ...]":
        """Columns that begin at nothing."""
        return self._popularity, self._lately, self._buyers, self._repeats, self._gap_days

    def meet(self, ref: int, facts: ItemFacts) -> int:
        """Give the item's place, a new one if it was unknown; what is said of it is kept."""
        at = self.index.get(ref)
        if at is None:
            at = len(self.facts)
            if at == len(self.refs):
                self._room(2 * at)
            self.index[ref] = at
            self.refs[at] = ref
            last_slot = len(self._slots) - 1
            slot = ref & last_slot
            if self._slots.item(slot, 0) & last_slot != slot:
                self._slots[slot] = ref, at
            self.facts.append(facts)
            self._partners.append({})
            for column in self._counts:
                column.append(0.0)
            self._interval_days.append(self.usual_days)
            self.table[at] = _UNSOLD
            self.table[at, INTERVAL] = self._interval_days[at]
            self._describe(at, facts)
        else:
            known = self.facts[at]
            if facts != known and (facts.product_id == known.product_id or known == UNNAMED):
                merged = ItemFacts(
                    facts.product_id,
                    facts.name or known.name,
                    facts.category or known.category,
                    facts.price_cents or known.price_cents,
                )
                self.facts[at] = merged
                self._describe(at, merged)
        return at

    def meet_all(self, refs: list[int], facts: list[ItemFacts]) -> list[int]:
        """Meet a basket's items; most are known, and nothing new is said of them."""
        places, place_of, facts_of = [], self.index.get, self.facts
        for ref, said in zip(refs, facts, strict=True):
            at = place_of(ref)
            places.append(self.meet(ref, said) if at is None or facts_of[at] != said else at)
        return places

    def find(self, refs: NDArray[np.uint32]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Place of each item, and, unless all were met before, which of them were."""
        if not self.facts:
            return np.full(len(refs), -1, np.intp), np.zeros(len(refs), np.bool_)
        found = self._slots.take(refs & self._last_slot, axis=0, mode="clip")
        places, strangers = found[:, 1], list[int]()
        right = (found[:, 0] == refs).tobytes()
        at = right.find(0)
        while at >= 0:
            place = self.index.get(int(refs[at]))
            if place is None:
                strangers.append(at)
            else:
                places[at] = place
            at = right.find(0, at + 1)
        if not strangers:
            return places, None
        met = np.ones(len(refs), np.bool_)
        met[strangers] = False
        return places, met

    def among(self, places: NDArray[np.intp], refs: list[int]) -> NDArray[np.bool_]:
        """Which of these places are of these items."""
        mine = [self.index[ref] for ref in refs if ref in self.index]
        self.marked[mine] = True
        found: NDArray[np.bool_] = self.marked.take(places)
        self.marked[mine] = False
        return found

    def _describe(self, at: int, facts: ItemFacts) -> None:
        category = self.categories.setdefault(facts.category, len(self.categories))
        self.table[at, CATEGORY] = category
        if facts.price_cents > 0:
            self.table[at, LOG_PRICE] = log(facts.price_cents)
            self.is_priced = True

    def scales(self, at_ms: int) -> tuple[float, float]:
        """What one basket of that time weighs, in popularity and lately."""
        days = min(at_ms / DAY_MS - self.shop.landmark_day, REACH_DAYS)
        return exp(_RATE * days), exp(_TREND_RATE * days)

    def sold(self, places: list[int], gaps: list[int], at_ms: int, seed: str) -> None:
        """Learn one basket of different items; `gaps` as models.item_memory.buy gave them."""
        if not places:
            return
        self._move_landmark(at_ms)
        slow, fast = self.scales(at_ms)
        shop = self.shop
        shop.baskets += slow
        shop.baskets_lately += fast
        shop.lines += len(places)
        self._count(places, gaps, slow, fast)
        self._changed.update(places)
        if len(places) > 1:
            self._go_together(places, slow, seed)

    def _count(self, places: list[int], gaps: list[int], slow: float, fast: float) -> None:
        popularity, lately, buyers = self._popularity, self._lately, self._buyers
        repeats, gap_days, interval_days = self._repeats, self._gap_days, self._interval_days
        usual_days, again, again_days = _INTERVAL_PRIOR * self.usual_days, 0, 0
        for place, gap in zip(places, gaps, strict=True):
            popularity[place] += slow
            lately[place] += fast
            if gap < 0:
                buyers[place] += 1.0
                continue
            repeats[place] = times = repeats[place] + 1.0
            gap_days[place] = days = gap_days[place] + gap
            interval_days[place] = (days + usual_days) / (times + _INTERVAL_PRIOR)
            again += 1
            again_days += gap
        self.shop.repeats += again
        self.shop.gap_days += again_days

    @property
    def usual_days(self) -> float:
        """Mean days between purchases of one item by one customer."""
        shop = self.shop
        return (shop.gap_days + _INTERVAL_PRIOR * USUAL_INTERVAL_DAYS) / (
            shop.repeats + _INTERVAL_PRIOR
        )

    def wanted(self, place: int, at_ms: int) -> None:
        """Learn that somebody looked at an item or wished for it: a little of a sale."""
        self._move_landmark(at_ms)
        slow, fast = self.scales(at_ms)
        self._popularity[place] += _WANTED_WEIGHT * slow
        self._lately[place] += _WANTED_WEIGHT * fast
        self._changed.add(place)

    def _go_together(self, places: list[int], weight: float, seed: str) -> None:
        """Count pairs; in a large basket each item meets some others, so far on in its ring.

        How far is drawn by the seed, each distance as likely as any other: so is each pair.
        """
        size = len(places)
        steps = list(range(1, size))
        if size > PARTNERS_A_LINE + 1:
            weight *= (size - 1) / PARTNERS_A_LINE
            first, apart = xxhash.xxh32_intdigest(seed.encode()), (size - 1) // PARTNERS_A_LINE
            steps = [(first + turn * apart) % (size - 1) + 1 for turn in range(PARTNERS_A_LINE)]
        ring, partners = places + places, self._partners
        others_of = zip(*[ring[step:] for step in steps], strict=False)
        for place, others in zip(places, others_of, strict=False):
            known = partners[place]
            for other in others:
                known[other] = known[other] + weight if other in known else weight
            if len(known) > COMPETING_NEIGHBOURS:
                partners[place] = _strongest(known)

    def goes_with(self, place: int) -> dict[int, float]:
        """What goes with an item and how heavily, not to be changed.

        First the strongest of when they were last sifted, then who came since.
        """
        return self._partners[place]

    def popularity(self, place: int) -> float:
        """What the baskets with the item weigh."""
        return self._popularity[place]

    def share_together(self, place: int, other: int) -> float:
        """Share of the orders with an item that held the other too; 0 for too few to be kept."""
        weight = self._partners[place].get(other, 0.0)
        return weight / self._popularity[place] if weight else 0.0

    def rank_popular(self) -> list[int]:
        """Look for the best sellers anew: once after many baskets, it reads every item.

        Gives the refs of items that were forgotten for want of room; then the rows of all others
        may have changed.
        """
        forgotten = self._forget_least()
        size, half = len(self), POPULAR_ITEMS // 2
        best: dict[int, None] = {}
        for column in (self._popularity, self._lately):
            worth = -np.frombuffer(column)
            few = np.argpartition(worth, half)[:half] if size > half else np.arange(size)
            best |= dict.fromkeys(few[np.lexsort((self.refs[few], worth[few]))].tolist())
        self._tabulate(slice(None))
        places = np.array(list(best), np.intp)
        self.table[self.best_sellers.places, SELLER] = POPULAR_ITEMS
        self.table[places, SELLER] = np.arange(len(places))
        self.best_sellers = self._sellers(places)
        return forgotten

    def refresh(self) -> None:
        """Let the table know of the items that were sold or wanted since it was made."""
        if self._changed:
            places = self.best_sellers.places
            is_old = self._changed.isdisjoint(places.tolist())
            self._tabulate(np.array(sorted(self._changed), np.intp))
            if not is_old:
                self.best_sellers = self._sellers(places)

    def _sellers(self, places: NDArray[np.intp]) -> BestSellers:
        rows = self.table[places]
        return BestSellers(places, rows, shared_of(rows), places.tolist())

    def _tabulate(self, places: slice | NDArray[np.intp]) -> None:
        """Make these rows of the table anew of what was learned."""
        shop, counts = self.shop, [np.frombuffer(one)[places] for one in self._counts]
        popularity, lately, buyers, repeats, _ = counts
        columns = np.empty((REGULAR + 1, len(popularity)))
        shares = columns[SHARE]
        np.divide(popularity, max(shop.baskets, 1.0), out=shares)
        np.log(shares + LEAST_SHARE, out=columns[LOG_SHARE])
        shares_lately = lately / max(shop.baskets_lately, 1.0)
        np.log(shares_lately + LEAST_SHARE, out=columns[TREND])
        columns[TREND] -= columns[LOG_SHARE]
        columns[INTERVAL] = np.frombuffer(self._interval_days)[places]
        again = (repeats + _REPEATS_PRIOR) / (buyers + _BUYERS_PRIOR)
        np.log(again, out=columns[REGULAR])
        # In one go: column by column it would walk through the whole table for each.
        self.table[: len(self)][places, : REGULAR + 1] = columns.T
        self._changed.clear()

    def _forget_least(self) -> list[int]:
        """Keep KEPT_SHARE of too many items, and the categories of those alone."""
        size, most = len(self), self.items_at_most
        if size <= most and len(self.categories) <= most:
            return []
        count = min(size, int(KEPT_SHARE * most))
        order = np.lexsort((self.refs[:size], -np.frombuffer(self._popularity)))
        kept = np.sort(order[:count]).tolist()
        refs = [int(self.refs[place]) for place in kept]
        rows = [self.row(place) for place in kept]
        known, shop, forgotten = set(refs), self.shop, set(self.index).difference(refs)
        self._begin()
        self.shop = shop
        for ref, row in zip(refs, rows, strict=True):
            self.meet(ref, row.facts)
        for ref, row in zip(refs, rows, strict=True):
            near = [one for one in row.neighbours if one[0] in known]
            self.put(ref, msgspec.structs.replace(row, neighbours=near))
        return sorted(forgotten)

    def is_durable(self, place: int) -> bool:
        """Whether hardly anybody buys the item twice, though many bought it."""
        buyers = self._buyers[place]
        return buyers >= _DURABLE_BUYERS and self._repeats[place] < _DURABLE_SHARE * buyers

    def row(self, place: int) -> ItemRow:
        """Write down one item."""
        near = [(int(self.refs[one]), weight) for one, weight in self._partners[place].items()]
        return ItemRow(
            self.facts[place],
            self.shop.landmark_day,
            self._popularity[place],
            self._lately[place],
            int(self._buyers[place]),
            int(self._repeats[place]),
            self._gap_days[place],
            self._interval_days[place],
            near,
        )

    def put(self, ref: int, row: ItemRow) -> None:
        """Take an item as it was written down."""
        self._rescale_to(row.landmark_day)
        at = self.meet(ref, row.facts)
        self.facts[at] = row.facts
        self._describe(at, row.facts)
        near = {self._place_of(one): weight for one, weight in row.neighbours}
        popularity, lately = row.popularity, row.lately
        for factor, trend_factor in _factors(row.landmark_day, self.shop.landmark_day):
            popularity *= factor
            lately *= trend_factor
            near = {one: weight * factor for one, weight in near.items()}
        self._popularity[at], self._lately[at] = popularity, lately
        self._buyers[at], self._repeats[at] = row.buyers, row.repeats
        self._gap_days[at], self._interval_days[at] = row.gap_days, row.interval_days
        self._partners[at] = near
        self._changed.add(at)

    def _place_of(self, ref: int) -> int:
        """Place of an item that may only be known as another's neighbour yet."""
        at = self.index.get(ref)
        return self.meet(ref, UNNAMED) if at is None else at

    def put_shop(self, row: ShopRow) -> None:
        """Take the sums as they were written down."""
        self._rescale_to(row.landmark_day)
        here = self.shop.landmark_day
        self.shop = shop = msgspec.structs.replace(row, landmark_day=here)
        for factor, trend_factor in _factors(row.landmark_day, here):
            shop.baskets *= factor
            shop.baskets_lately *= trend_factor

    def _move_landmark(self, at_ms: int) -> None:
        day = at_ms // DAY_MS
        self._rescale_to(day - day % LANDMARK_DAYS)

    def _rescale_to(self, landmark_day: int) -> None:
        shop = self.shop
        if landmark_day <= shop.landmark_day:
            return
        for factor, trend_factor in _factors(shop.landmark_day, landmark_day):
            shop.baskets *= factor
            shop.baskets_lately *= trend_factor
            np.frombuffer(self._popularity)[:] *= factor
            np.frombuffer(self._lately)[:] *= trend_factor
            for known in self._partners:
                for ref in known:
                    known[ref] *= factor
        shop.landmark_day = landmark_day


def shared_of(rows: NDArray[np.float64], drawn: NDArray[np.float64] | float = 0.0) -> Any:
    """Say what speaks for items that are not remembered (BestSellers); some are `drawn` in."""
    shared = np.empty((3, len(rows)))
    np.add(rows[:, SHARE], drawn, out=shared[0])
    shared[0] += LEAST_MIXTURE
    np.log(shared[0], out=shared[0])
    shared[1:] = rows.T[LOG_SHARE : TREND + 1]
    return shared


def _factors(from_day: int, to_day: int) -> list[tuple[float, float]]:
    """One pair a landmark: step by step, so that a row read late comes to the same bit.

    Nothing stands at landmark 0, where every shop begins.
    """
    if not from_day:
        return []
    steps = (to_day - from_day) // LANDMARK_DAYS
    return [(exp(-_RATE * LANDMARK_DAYS), exp(-_TREND_RATE * LANDMARK_DAYS))] * steps


def _strongest(known: dict[int, float]) -> dict[int, float]:
    """Keep KEPT_NEIGHBOURS of more; of equals those that were met first."""
    best = sorted(known, key=known.__getitem__, reverse=True)[:KEPT_NEIGHBOURS]
    return {one: known[one] for one in best}
