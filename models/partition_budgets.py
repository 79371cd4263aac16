"""A partition's side of the offers' budgets: it spends from its slices, asks, and hears answers.

    spend (or wait) -> ask -> the purse (models/purse_desk.py) -> hear -> who waits decides again

A budget has a purse for its cents and one for its coupons, and both for each period. A partition
that is alone has all of every budget and asks nobody; the others begin with a part of their own. A
purse of a period that is over is forgotten once another has ended; what a partition still had of it
stays unspent.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from models import budget
from models.budget import Asked, Granted, Slice, Spending
from models.coupon_words import BudgetAsked, CouponWord, purse_key
from models.events import BudgetAnswered
from models.partition_clock import PartitionClock, Share
from models.playbook.offer import Budget, Offer
from models.view import View

CENTS, COUPONS = "cents", "coupons"
_BETWEEN = ":"
_PARTS_WITH_PERIOD = 4
_PERIODS_KEPT = 2
"""So that time may step back a little, and calls for returns be answered."""
_OF_SLICES = Slice.__struct_fields__


class Outcome(NamedTuple):
    """What came of an attempt to spend: for what the answer is awaited, what is to be said."""

    spending: Spending
    waits_for: str = ""
    words: tuple[CouponWord, ...] = ()


class Want(NamedTuple):
    """So much of one purse, of which there is so much in all."""

    name: str
    per_ms: int
    amount: int
    whole: int


def spend(view: View, offer: str, terms: Budget, cents: int, now_ms: int) -> Outcome:
    """Take a coupon that costs so much from an offer's budget, all of it or nothing."""
    clock, wants = view.clock, list(_wants(offer, terms, cents))
    keys = [_current(clock, want.name, want.per_ms, now_ms) for want in wants]
    shares = [
        _share(clock, key, want.whole, view.partitions)
        for key, want in zip(keys, wants, strict=True)
    ]
    if view.partitions == 1:
        found = [
            Spending.SPENT if share.spent + want.amount <= want.whole else Spending.OUT
            for share, want in zip(shares, wants, strict=True)
        ]
    else:
        found = [
            budget.judge(share, want.amount) if want.amount <= want.whole else Spending.OUT
            for share, want in zip(shares, wants, strict=True)
        ]
    if Spending.OUT in found:
        return Outcome(Spending.OUT)
    said = [*zip(keys, shares, wants, found, strict=True)]
    if Spending.WAIT in found:
        short = [one for one in said if one[3] is Spending.WAIT]
        words = [_asking(view, key, share, want.amount) for key, share, want, _ in short]
        waits_for = short[0][2].name
        return Outcome(Spending.WAIT, waits_for, tuple(one for one in words if one))
    for share, want in zip(shares, wants, strict=True):
        share.spent += want.amount
    low = [key for key, share, *_ in said if not share.scarce and budget.runs_low(share)]
    return Outcome(
        Spending.SPENT, words=tuple(_word(clock, view.partition, key, ahead=True) for key in low)
    )


def adopt(
    clock: PartitionClock, offers: Mapping[str, Offer], partition: int, partitions: int
) -> list[CouponWord]:
    """Look at the budgets of an edition; what is said of them to the purses.

    What was spent stays spent. Of a budget that was cut everything unspent goes back, so that
    nothing is given any more that the cut was meant to save.
    """
    words: list[CouponWord] = []
    if partitions == 1:
        return words
    for offer, terms in sorted(offers.items()):
        for want in _wants(offer, terms.budget, 0) if terms.budget else ():
            if want.per_ms and not clock.now_ms:
                continue
            key = _current(clock, want.name, want.per_ms, clock.now_ms)
            is_changed = key in clock.slices and clock.slices[key].budget != want.whole
            if is_changed and want.whole < clock.slices[key].budget:
                budget.release(clock.slices[key])
            share = _share(clock, key, want.whole, partitions)
            if is_changed:
                share.short = 0
            words.append(_word(clock, partition, key, ahead=is_changed))
    for key, share in clock.slices.items():
        if share.wanted > share.granted:
            _wake(clock, name_of(key))
    return words


def hear(clock: PartitionClock, partition: int, said: BudgetAnswered) -> list[CouponWord]:
    """Take an answer of a purse, and have those woken who wait for it; what is replied at once."""
    share = clock.slices.get(said.purse)
    if share is None:
        return [_unopened(clock, partition, said)] if said.recall else []
    is_outdated, has_grown = said.adoption < clock.adoptions, said.granted > share.granted
    budget.hear(share, Granted(partition, said.granted, said.number, said.short))
    if said.number:
        share.scarce = said.scarce
    if said.recall > share.called:
        share.called, share.scarce = said.recall, True
    _wake(clock, name_of(said.purse))
    if not is_outdated:
        return []
    # It was said of an edition that is no longer in use here, whose budget may be another.
    share.short = 0
    if not has_grown:
        return []
    budget.release(share)
    return [_word(clock, partition, said.purse)]


def rest(clock: PartitionClock, partition: int, name: str, *, is_idle: bool) -> list[CouponWord]:
    """Give back what is called for, after whoever waits has decided; what is said.

    `is_idle`: nobody waits for anything of the offer, so what is left is of more use elsewhere.
    """
    words = []
    for key, share in clock.slices.items():
        if name_of(key) != name:
            continue
        if share.called > share.recall:
            budget.give_back(share, partition, share.called)
            words.append(_word(clock, partition, key))
        elif share.scarce and is_idle and budget.available(share) > 0:
            # Nobody wants it back, though an earlier wish may yet be answered.
            share.returned += budget.available(share)
            words.append(_word(clock, partition, key))
    return words


def name_of(key: str) -> str:
    """Name what is waited for: a purse whatever its period.

    >>> name_of("$cents:ten:1000:5000"), name_of("$coupons:ten")
    ('$cents:ten:1000', '$coupons:ten')
    """
    parts = key.split(_BETWEEN)
    return _BETWEEN.join(parts[:3]) if len(parts) == _PARTS_WITH_PERIOD else key


def both_of(name: str) -> tuple[str, str]:
    """Name both purses of the offer that this is one of.

    >>> both_of("$coupons:ten")
    ('$cents:ten', '$coupons:ten')
    """
    offer = name.partition(_BETWEEN)[2]
    return purse_key(f"{CENTS}{_BETWEEN}{offer}"), purse_key(f"{COUPONS}{_BETWEEN}{offer}")


def _wants(offer: str, terms: Budget, cents: int) -> Iterator[Want]:
    per = f"{_BETWEEN}{terms.per_ms}" if terms.per_ms else ""
    for unit, amount, whole in (
        (CENTS, cents, terms.most_cents),
        (COUPONS, 1, terms.coupons),
    ):
        if whole is not None:
            name = purse_key(f"{unit}{_BETWEEN}{offer}{per}")
            yield Want(name, terms.per_ms or 0, amount, whole)


def _current(clock: PartitionClock, name: str, per_ms: int, now_ms: int) -> str:
    """Key of the purse of this period, or of the oldest that is remembered."""
    if not per_ms:
        return name
    start_ms = now_ms - now_ms % per_ms
    if _is_forgotten(clock, name, start_ms):
        start_ms = _starts_ms(clock, name)[0]
    _make_room(clock, name, start_ms)
    return f"{name}{_BETWEEN}{start_ms}"


def _starts_ms(clock: PartitionClock, name: str) -> list[int]:
    return sorted(_start_ms(key) for key in clock.slices if name_of(key) == name != key)


def _is_forgotten(clock: PartitionClock, name: str, start_ms: int) -> bool:
    """Whether a period may have been known here once; it must not be opened again."""
    known = _starts_ms(clock, name)
    return len(known) >= _PERIODS_KEPT and start_ms < known[0]


def _make_room(clock: PartitionClock, name: str, start_ms: int) -> None:
    """Forget what is older than the last periods, with that one among them."""
    known = _starts_ms(clock, name)
    for over_ms in sorted({*known, start_ms})[:-_PERIODS_KEPT]:
        del clock.slices[f"{name}{_BETWEEN}{over_ms}"]


def _share(clock: PartitionClock, key: str, whole: int, partitions: int) -> Share:
    """Give the slice of a purse; at first what a partition may begin with."""
    share = clock.slices.get(key)
    if share is None:
        alone = partitions == 1
        share = _open(clock, key, 0 if alone else budget.opening(whole, partitions))
    share.budget = whole
    return share


def _open(clock: PartitionClock, key: str, cents: int) -> Share:
    found = budget.opened(cents)
    share = clock.slices[key] = Share(**{name: getattr(found, name) for name in _OF_SLICES})
    return share


def _asking(view: View, key: str, share: Share, amount: int) -> CouponWord | None:
    """Ask for what is lacking, unless that much is asked for already."""
    before = share.wanted
    budget.ask(share, view.partition, amount)
    return _word(view.clock, view.partition, key) if share.wanted > before else None


def _start_ms(key: str) -> int:
    return int(key.rpartition(_BETWEEN)[2])


def _wake(clock: PartitionClock, name: str) -> None:
    if name not in clock.woken:
        clock.woken.append(name)


def _word(
    clock: PartitionClock,
    partition: int,
    key: str,
    *,
    ahead: bool = False,
    adoption: int | None = None,
) -> CouponWord:
    share = clock.slices[key]
    asked = Asked(
        partition, share.wanted, share.returned, share.recall, ahead=ahead, opened=share.opened
    )
    return _said(clock, key, asked, share.budget, adoption=adoption)


def _unopened(clock: PartitionClock, partition: int, said: BudgetAnswered) -> CouponWord:
    """Answer a call for what this partition has not begun to spend, or has forgotten.

    What was set apart for it goes back; of a period that is long over it counts as spent.
    """
    name = name_of(said.purse)
    if name != said.purse:
        start_ms = _start_ms(said.purse)
        if _is_forgotten(clock, name, start_ms):
            asked = Asked(partition, 0, 0, said.recall, opened=said.opening)
            return _said(clock, said.purse, asked, 0, adoption=0)
        _make_room(clock, name, start_ms)
    share = _open(clock, said.purse, said.opening)
    share.called = said.recall
    share.scarce = True
    budget.give_back(share, partition, said.recall)
    return _word(clock, partition, said.purse, adoption=0)


def _said(
    clock: PartitionClock, key: str, asked: Asked, whole: int, *, adoption: int | None = None
) -> CouponWord:
    event = BudgetAsked(
        at_ms=clock.now_ms,
        partition=asked.partition,
        budget=whole,
        adoption=clock.adoptions if adoption is None else adoption,
        wanted=asked.wanted,
        returned=asked.returned,
        recall=asked.recall,
        ahead=asked.ahead,
        opened=asked.opened,
    )
    return CouponWord(key=key, event=event)
