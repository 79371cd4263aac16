"""Moments that come by themselves: a silence, a date, a holiday, a cadence, a thing used up.

Each rule of such a kind has one timer in the row, "moment", with the occasion it is about; silences
have one together, and holidays. That of silences is wound lazily: an order moves the moment, not
the timer, which asks again when it comes due (rearming a silence costs no write per event, however
many rules there are).
"""

from bisect import bisect_left, bisect_right
from typing import Any

from models import held_coupons
from models.clock import DAY_MS
from models.customer import Customer, Tier, Timer, find_timer, ref_of
from models.events import Line
from models.holidays import market_of
from models.playbook.rulebook import Rule, Rulebook
from models.playbook.when import (
    OnCadence,
    OnCouponEnding,
    OnCustomerDate,
    OnHoliday,
    OnReplenishment,
)
from models.tier import falls_ms
from models.triggers import changes, offers
from models.triggers.calendar import Due, coupon_due, next_due, refill_due, refills
from models.triggers.moment import Moment
from models.triggers.notes import MOMENT, Run, remember_said
from models.triggers.runs import RUN, begin, cancel

LOOK = "look"
ABOUT = "\x00"
REFILLS_AT_MOST = 8
SILENCES = "\x00silences"
HOLIDAYS = "\x00holidays"
OF_DATES = (OnCustomerDate,)
_TOGETHER = frozenset({SILENCES, HOLIDAYS})
_LOOKED_UP_AT_MOST = 6
_NEW = Tier.NEW.value
_ONCE_A_DAY = (OnCustomerDate, OnHoliday)
_ALL = (OnCustomerDate, OnCadence)


def arm(moment: Moment, *, is_new: bool) -> None:
    """Make a row ready for an edition: end what it has no rule for, wind what stands.

    A moment that has passed is not made up for: whoever was silent for long when a rule is written
    is not written to at once. Of a new customer the first event itself may cross lines.
    """
    notes, customer = moment.notes, moment.customer
    rules = moment.book.rules
    for run in list(notes.runs):
        rule = rules.get(run.rule)
        if rule is None:
            cancel(moment, run, "the rule is no longer there")
        elif rule.rule_print != run.rule_print:
            _change(moment, rule, run)
    customer.timers = [
        one
        for one in customer.timers
        if one.rule != MOMENT or one.item in _TOGETHER or _has_own(rules.get(_rule_name(one)))
    ]
    notes.beyond = [one for one in notes.beyond if one.removeprefix(changes.ENDED) in rules]
    wind(moment, _ALL)
    wind_holidays(moment)
    wind_silences(moment, anew=True)
    wind_coupons(moment)
    _look_again(moment)
    if not is_new:
        changes.note_sides(moment)
    notes.version = moment.view.playbook_version


def _change(moment: Moment, rule: Rule, run: Run) -> None:
    """A changed rule takes over what waits for its first step; what is in the midst of it ends."""
    if run.waits == "first":
        run.rule_print = rule.rule_print
    else:
        cancel(moment, run, "the rule was changed")


def wind(moment: Moment, kinds: tuple[type, ...]) -> None:
    """Wind the timers of rules of these kinds, but of those whose moment the next mark brings."""
    for kind in kinds:
        rules = moment.book.at(kind)
        if not rules:
            continue
        timers = {one.item: one for one in moment.customer.timers if one.rule == MOMENT}
        for rule in rules:
            timer = timers.get(rule.name)
            if not _has_come(moment, timer):
                _wind(moment, rule, timer)


def _has_come(moment: Moment, timer: Timer | None) -> bool:
    """Whether it is due and only waits for its mark: who winds it on takes its moment away."""
    return timer is not None and timer.due_ms <= moment.now_ms


def _wind(moment: Moment, rule: Rule, timer: Timer | None) -> None:
    customer, when = moment.customer, rule.trigger.when
    if isinstance(when, OnCadence):
        _wind_cadence(moment, rule, when, timer)
        return
    _set(customer, rule.name, timer, next_due(when, customer, moment.book.place, moment.now_ms))


def _has_own(rule: Rule | None) -> bool:
    return rule is not None and not isinstance(rule.trigger.when, OnHoliday)


def wind_holidays(moment: Moment) -> None:
    """Wind the timer of the next holiday that any rule is about."""
    timer = find_timer(moment.customer, MOMENT, HOLIDAYS)
    if _has_come(moment, timer):
        return
    coming = _coming_holidays(moment, moment.now_ms)
    _set(moment.customer, HOLIDAYS, timer, Due(coming[0][0].at_ms, "") if coming else None)


def _coming_holidays(moment: Moment, after_ms: int) -> list[tuple[Due, str, Rule]]:
    """What rules on holidays wait for, the next first; by their names two of a time are ordered.

    It is the same for everyone of a country in a time zone until the first of them has come.
    """
    book, customer = moment.book, moment.customer
    rules = book.at(OnHoliday)
    if not rules:
        return []
    market = market_of(customer.traits.get("country"), book.place.country)
    known = book.holidays_ahead.setdefault((book.place.of(customer).zone.name, market), [])
    for from_ms, coming in known:
        if from_ms <= after_ms < coming[0][0].at_ms:
            return coming
    dues = [(next_due(one.trigger.when, customer, book.place, after_ms), one) for one in rules]
    coming = sorted((due, one.name, one) for due, one in dues if due is not None)
    if coming:
        # One for who asks what has come, one for who asks what comes next; a few for late events.
        known[_LOOKED_UP_AT_MOST - 1 :] = []
        known.insert(0, (after_ms, coming))
    return coming


def _holidays(moment: Moment, timer: Timer) -> list[Run]:
    """Begin the rules whose holiday it is, or was since the timer was wound."""
    found = [
        _begun(moment, rule, due, {})
        for due, _, rule in _coming_holidays(moment, timer.due_ms - 1)
        if due.at_ms <= moment.now_ms
    ]
    wind_holidays(moment)
    return [run for run in found if run is not None]


def wind_silences(moment: Moment, *, anew: bool = False) -> None:
    """Wind the timer of the next silence; `anew`: even if it would come without that, later."""
    customer, silences = moment.customer, moment.book.silences
    timer = find_timer(customer, MOMENT, SILENCES)
    due = None
    if silences and customer.orders > 0:
        gone_ms = moment.now_ms - customer.last_order_ms
        at = bisect_right(silences, gone_ms, key=_length)
        if at < len(silences):
            due = Due(customer.last_order_ms + silences[at][0], "")
    if _has_come(moment, timer):
        return
    if timer is not None and due is not None and not anew and due.at_ms >= timer.due_ms:
        return
    _set(customer, SILENCES, timer, due)


def _silences(moment: Moment, timer: Timer) -> list[Run]:
    """Begin the rules whose silence is full, those of a time since the timer was wound."""
    customer, silences = moment.customer, moment.book.silences
    last_ms = customer.last_order_ms
    first = bisect_left(silences, timer.due_ms - last_ms, key=_length)
    full = silences[first : bisect_right(silences, moment.now_ms - last_ms, key=_length)]
    found = []
    for _, _, rule in full if customer.orders > 0 else ():
        due = next_due(rule.trigger.when, customer, moment.book.place, timer.due_ms - 1)
        if due is not None:
            found.append(_begun(moment, rule, due, {}))
    wind_silences(moment, anew=True)
    return [run for run in found if run is not None]


def _length(one: tuple[int, str, Rule]) -> int:
    return one[0]


def _wind_cadence(moment: Moment, rule: Rule, when: OnCadence, timer: Timer | None) -> None:
    """Keep the beat of a cadence while its condition holds; it begins when that does."""
    due = None
    if not changes.ended(moment, rule) and moment.holds(rule, rule.begins):
        since_ms = _since_ms(timer) if timer is not None else moment.now_ms
        due = next_due(when, moment.customer, moment.book.place, moment.now_ms, since_ms)
    _set(moment.customer, rule.name, timer, due)


def _since_ms(timer: Timer) -> int:
    return int(timer.note.removeprefix("every@").partition("#")[0])


def wind_refills(moment: Moment, lines: tuple[Line, ...]) -> None:
    """Wind a timer for each product of an order that will be used up (N4)."""
    customer = moment.customer
    for rule in moment.book.at(OnReplenishment):
        when: Any = rule.trigger.when
        for due in refills(when, customer, moment.book.place, lines, moment.now_ms)[
            :REFILLS_AT_MOST
        ]:
            name = f"{rule.name}{ABOUT}{due.item}"
            _set(customer, name, find_timer(customer, MOMENT, name), due)
        own = [one for one in customer.timers if _rule_name(one) == rule.name]
        for timer in sorted(own, key=lambda one: (one.due_ms, one.item))[REFILLS_AT_MOST:]:
            customer.timers.remove(timer)


def wind_coupons(moment: Moment) -> None:
    """Wind a timer for each coupon that is to be reminded of, and none for what is over."""
    customer = moment.customer
    for rule in moment.book.at(OnCouponEnding):
        when: Any = rule.trigger.when
        dues = [coupon_due(when, one, moment.now_ms) for one in customer.held_coupons]
        wanted = {f"{rule.name}{ABOUT}{due.item}": due for due in dues if due is not None}
        for timer in [one for one in customer.timers if _rule_name(one) == rule.name]:
            _set(customer, timer.item, timer, wanted.pop(timer.item, None))
        for name, due in wanted.items():
            _set(customer, name, None, due)


def _rule_name(timer: Timer) -> str:
    return timer.item.partition(ABOUT)[0] if timer.rule == MOMENT else ""


def _set(customer: Customer, name: str, timer: Timer | None, due: Due | None) -> None:
    if due is None:
        if timer is not None:
            customer.timers.remove(timer)
    elif timer is None:
        customer.timers.append(Timer(MOMENT, name, due.at_ms, due.occasion))
    else:
        timer.due_ms, timer.note = due.at_ms, due.occasion


def come(moment: Moment, timer: Timer) -> list[Run]:
    """A moment has come, if it still is one; the next is wound."""
    customer, place = moment.customer, moment.book.place
    if timer.item == SILENCES:
        customer.timers.remove(timer)
        return _silences(moment, timer)
    if timer.item == HOLIDAYS:
        customer.timers.remove(timer)
        return _holidays(moment, timer)
    name, _, product = timer.item.partition(ABOUT)
    rule = moment.book.rules.get(name)
    customer.timers.remove(timer)
    if rule is None:
        return []
    when = rule.trigger.when
    found: Run | None = None
    if isinstance(when, OnCadence):
        if not changes.ended(moment, rule) and moment.holds(rule, rule.begins):
            found = begin(moment, rule, timer.note, at_ms=timer.due_ms)
            # Its beat goes on from where it began.
            customer.timers.append(timer)
        _wind(moment, rule, find_timer(customer, MOMENT, rule.name))
    elif isinstance(when, OnReplenishment):
        still = refill_due(when, customer, place, product, timer.due_ms - 1)
        if still is not None and still.occasion == timer.note:
            found = _begun(moment, rule, still, {"product_id": product})
        elif still is not None:
            _set(customer, timer.item, None, still)
    elif isinstance(when, OnCouponEnding):
        coupon = held_coupons.find(customer.held_coupons, product)
        still = coupon_due(when, coupon, timer.due_ms - 1) if coupon is not None else None
        if coupon is not None and still is not None and still.at_ms == timer.due_ms:
            found = _begun(moment, rule, still, offers.told_of(moment, coupon))
    else:
        found = _day(moment, rule, timer)
    return [found] if found is not None else []


def _day(moment: Moment, rule: Rule, timer: Timer) -> Run | None:
    """A day has come; the next one of its kind is wound."""
    found, when, place = None, rule.trigger.when, moment.book.place
    still = next_due(when, moment.customer, place, timer.due_ms - 1)
    if still is not None and still.at_ms == timer.due_ms:
        found = _begun(moment, rule, still, {})
    if isinstance(when, OnHoliday):
        # A release before this one had a timer for each.
        wind_holidays(moment)
    else:
        _wind(moment, rule, find_timer(moment.customer, MOMENT, rule.name))
    return found


def _begun(moment: Moment, rule: Rule, due: Due, variables: dict[str, Any]) -> Run | None:
    if not moment.holds(rule, rule.begins):
        return None
    if isinstance(rule.trigger.when, _ONCE_A_DAY) and not _is_news(moment, rule, due):
        return None
    return begin(moment, rule, due.occasion, item=due.item, at_ms=due.at_ms, variables=variables)


def _is_news(moment: Moment, rule: Rule, due: Due) -> bool:
    """Whether the day is another than the rule's last: a move or a correction brings none twice."""
    said, prefix = moment.notes.said, f"{rule.name}{ABOUT}day "
    name = f"{prefix}{due.occasion}"
    if name in said:
        return False
    for former in [one for one in said if one.startswith(prefix)]:
        del said[former]
    remember_said(moment.notes, name, moment.now_ms)
    return True


def look(moment: Moment) -> None:
    """Look at a customer again when time alone may bring anything the next time."""
    _look_again(moment)
    if not _is_without_beat(moment):
        wind(moment, (OnCadence,))


def _is_without_beat(moment: Moment) -> bool:
    """Whether no cadence beats for the customer, none should, and none that ended may begin."""
    book, customer = moment.book, moment.customer
    return (
        book.beats is not None
        and not book.beats[customer.tier or _NEW]
        and not moment.notes.beyond
        and is_in_step(book, customer, moment.now_ms)
    )


def keep_watch(moment: Moment, *, is_nearer: bool) -> None:
    """Begin to look at a customer as soon as time alone may bring anything, `is_nearer`: sooner."""
    book, customer = moment.book, moment.customer
    if (
        book.is_watched
        and book.is_looked_at(customer)
        and (is_nearer or find_timer(customer, LOOK) is None)
    ):
        _look_again(moment)


def follow_tier(moment: Moment) -> None:
    """Begin the cadences of a tier that time alone has brought."""
    if moment.book.beats is not None and not is_in_step(
        moment.book, moment.customer, moment.now_ms
    ):
        wind(moment, (OnCadence,))


def is_in_step(book: Rulebook, customer: Customer, now_ms: int) -> bool:
    """Whether the cadences that beat are those that should; False where that is not sure."""
    if book.beats is None:
        return False
    wanted, beating, found = book.beats[customer.tier or _NEW], book.beating, 0
    for timer in customer.timers if beating else ():
        if timer.rule == MOMENT and timer.item in beating:
            if timer.item not in wanted or timer.due_ms <= now_ms:
                return False
            found += 1
    return found == len(wanted)


def _look_again(moment: Moment) -> None:
    customer = moment.customer
    due_ms, timer = _next_look_ms(moment), find_timer(customer, LOOK)
    if due_ms is None:
        customer.timers = [one for one in customer.timers if one.rule != LOOK]
    elif timer is None:
        customer.timers.append(Timer(LOOK, "", due_ms))
    else:
        timer.due_ms = min(timer.due_ms, due_ms) if timer.due_ms > moment.now_ms else due_ms


def _next_look_ms(moment: Moment) -> int | None:
    """Once a day, each customer at another time of it; or when orders fall out of a window.

    Edges of tiers that the shop learns may move any day.
    """
    customer, book, now_ms = moment.customer, moment.book, moment.now_ms
    if not book.is_looked_at(customer):
        return None
    after_ms = now_ms
    if book.beats is not None and moment.view.segments.edges is None:
        falls = falls_ms(customer, now_ms)
        if falls is None:
            return None
        after_ms = max(now_ms, falls - 1)
    phase = ref_of(moment.token) % DAY_MS
    return after_ms + 1 + (phase - after_ms - 1) % DAY_MS


OWN_TIMERS = frozenset({RUN, MOMENT, LOOK})
"""Timers that are the playbook's."""
