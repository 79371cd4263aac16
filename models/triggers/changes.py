"""Moments that no single event tells of: a tier, segment, state of sleep or line was crossed."""

from bisect import bisect_right

import msgspec

from models.customer import Customer, find_timer
from models.dormancy import Dormancy
from models.hazard import settle
from models.playbook.rulebook import Rule
from models.playbook.when import (
    OnCadence,
    OnDormancy,
    OnEnteringSegment,
    OnEnteringTier,
    OnHazard,
    OnLeavingSegment,
    OnLeavingTier,
    OnRisingHazard,
)
from models.triggers.moment import Moment
from models.triggers.notes import MOMENT, Run, key_of
from models.triggers.runs import begin
from models.triggers.steps import grant

_DEPTH = {"": 0, **{one.value: depth for depth, one in enumerate(Dormancy)}}
ENDED = "ended:"


class Was(msgspec.Struct, frozen=True, gc=False):
    """How a customer stood before something happened."""

    tier: str
    dormancy: str
    value_cents: int


NOWHERE = Was("", "", 0)


def standing(customer: Customer) -> Was:
    """Take down how a customer stands."""
    return Was(customer.tier, customer.dormancy, customer.value_cents)


def changed(moment: Moment, was: Was) -> list[Run]:
    """Begin the rules whose moment a change is."""
    customer, book = moment.customer, moment.book
    found: list[Run] = []
    if customer.tier != was.tier:
        found += _tier(moment, was)
    if customer.dormancy != was.dormancy:
        found += _sleep(moment, was)
    if book.crosses_segments:
        found += _segments(moment)
    if book.crosses_lines:
        found += _lines(moment)
    if customer.value_cents > was.value_cents:
        found += _sums(moment, was)
    return found


def note_sides(moment: Moment) -> None:
    """Take down on which side of every line the customer is, without beginning anything."""
    _segments(moment)
    _lines(moment)


def _tier(moment: Moment, was: Was) -> list[Run]:
    customer, book = moment.customer, moment.book
    since = f"@{customer.tier_since_ms}"
    found = []
    for rule in book.at(OnEnteringTier):
        if customer.tier in rule.trigger.when.enters_tier:  # type: ignore[union-attr]
            found.append(_begun(moment, rule, customer.tier + since))
    for rule in book.at(OnLeavingTier):
        if was.tier in rule.trigger.when.leaves_tier:  # type: ignore[union-attr]
            found.append(_begun(moment, rule, was.tier + since))
    perks = book.book.tiers.get(customer.tier)
    for perk in perks.perks if perks else ():
        _grant(moment, customer.tier, perk)
    return [run for run in found if run is not None]


def _grant(moment: Moment, tier: str, perk: str) -> None:
    """Give what a tier has, once: who comes back into it has it already."""
    if perk in moment.notes.perks:
        return
    rule, occasion = f"tier:{tier}", f"{perk}@{moment.customer.tier_since_ms}"
    now_ms = moment.now_ms
    grant(moment, Run(key_of(rule, occasion), rule, occasion, perk, now_ms, now_ms, 0), perk)


def _sleep(moment: Moment, was: Was) -> list[Run]:
    customer = moment.customer
    before, after = _DEPTH.get(was.dormancy, 0), _DEPTH.get(customer.dormancy, 0)
    if after <= before:
        return []
    found = []
    for rule in moment.book.at(OnDormancy):
        wanted = rule.trigger.when.dormancy  # type: ignore[union-attr]
        if before < _DEPTH[wanted] <= after:
            found.append(_begun(moment, rule, f"{wanted}@{customer.last_order_ms}"))
    return [run for run in found if run is not None]


def _segments(moment: Moment) -> list[Run]:
    book, notes = moment.book, moment.notes
    if not book.crosses_segments:
        return []
    entering, leaving = book.at(OnEnteringSegment), book.at(OnLeavingSegment)
    now, before = moment.scope.segments, frozenset(notes.segments)
    if before == frozenset(now):
        return []
    notes.segments = sorted(now)
    found = []
    for rule in entering:
        for name in rule.trigger.when.enters_segment:  # type: ignore[union-attr]
            if name in now and name not in before:
                found.append(_begun(moment, rule, f"{name}@{moment.now_ms}"))
    for rule in leaving:
        for name in rule.trigger.when.leaves_segment:  # type: ignore[union-attr]
            if name in before and name not in now:
                found.append(_begun(moment, rule, f"{name}@{moment.now_ms}"))
    return [run for run in found if run is not None]


def _lines(moment: Moment) -> list[Run]:
    customer, book, found = moment.customer, moment.book, []
    falling, rising = book.at(OnHazard), book.at(OnRisingHazard)
    if (falling or rising) and customer.orders > 0:
        settle(customer, moment.view.hazard)
        for rule in falling:
            line = rule.trigger.when.hazard_falls_below  # type: ignore[union-attr]
            found.append(_crossed(moment, rule, beyond=customer.hazard < line))
        for rule in rising:
            line = rule.trigger.when.hazard_rises_above  # type: ignore[union-attr]
            found.append(_crossed(moment, rule, beyond=customer.hazard > line))
    return [run for run in found if run is not None]


def _sums(moment: Moment, was: Was) -> list[Run]:
    """Rules whose sum lies between what was spent before and now; after a refund it may again."""
    value_cents, sums = moment.customer.value_cents, moment.book.sums
    first = bisect_right(sums, was.value_cents, key=_sum_of)
    passed = sums[first : bisect_right(sums, value_cents, key=_sum_of)]
    found = [_begun(moment, rule, f"{rule.name}@{moment.now_ms}") for _, _, rule in passed]
    return [run for run in found if run is not None]


def _sum_of(one: tuple[int, str, Rule]) -> int:
    return one[0]


def _crossed(moment: Moment, rule: Rule, *, beyond: bool) -> Run | None:
    notes = moment.notes
    if beyond == (rule.name in notes.beyond):
        return None
    if not beyond:
        notes.beyond = [one for one in notes.beyond if one != rule.name]
        return None
    notes.beyond = sorted([*notes.beyond, rule.name])
    return _begun(moment, rule, f"{rule.name}@{moment.now_ms}")


def _begun(moment: Moment, rule: Rule, occasion: str) -> Run | None:
    if not moment.holds(rule, rule.begins):
        return None
    return begin(moment, rule, occasion, at_ms=moment.now_ms)


def ended(moment: Moment, rule: Rule) -> bool:
    """Whether a cadence is over until its condition has not held for once."""
    notes, name = moment.notes, ENDED + rule.name
    if name in notes.beyond and not moment.holds(rule, rule.begins):
        notes.beyond = [one for one in notes.beyond if one != name]
    return name in notes.beyond


def end(moment: Moment, rule: Rule) -> None:
    """Have a cadence end, if it has begun."""
    has_begun = find_timer(moment.customer, MOMENT, rule.name) is not None
    if has_begun and isinstance(rule.trigger.when, OnCadence):
        moment.notes.beyond = sorted({*moment.notes.beyond, ENDED + rule.name})
