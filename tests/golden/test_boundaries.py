"""Every boundary of the playbook, driven through the real fold: a story, and what is decided when.

A story is what stands in the log, in its order; what is expected is each decision with the log's
time at which it was made.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from models.effects import Action, Decided, Fact
from models.events import Adopted, ClockMark, MessageChannel, Tracked, Unsubscribed
from models.playbook.edition import Edition, opened
from streams.customer_fold import CustomerFold
from tests.builders import (
    cancelled,
    customer_fold,
    fold_through,
    identified,
    listed,
    make,
    named,
    on,
    order,
    records_of,
    viewed,
)

TAIPEI, NEW_YORK, BERLIN = "Asia/Taipei", "America/New_York", "Europe/Berlin"
HEAD = """
playbook: 1
shop: {name: Shop, time_zone: Asia/Taipei, currency: EUR, locale: en, country: TW}
channels: {email: {enabled: true}, sms: {enabled: true}}
offers: {ten: {percent: 10%, valid_for: 30d}}
messages:
  hello:
    consent: marketing
    words: {en: {subject: Hello, paragraphs: [Text], signature: Us, unsubscribe: Stop}}
"""
QUIET = 'quiet_hours: [{from: "21:00", to: "09:00"}]\n'
BROWSE = """
triggers:
  browse:
    when: {event: product_viewed, wait: 24h, unless: order_completed}
    then: [{message: hello, channels: email}]
"""
THANKS = """
triggers:
  thanks:
    when: {event: order_completed, if: customer.orders == 1, wait: 10m, unless: order_cancelled,
           same_item: true}
    then: [{message: hello, channels: email, offer: ten}]
    guard: {once: customer}
"""
AT_ONCE = """
triggers:
  at_once:
    when: {event: tracked}
    then: [{message: hello, channels: email}]
"""
TWO = """
triggers:
  second:
    when: {event: tracked}
    then: [{message: hello, channels: email}]
    guard: {priority: 40}
  first:
    when: {event: tracked}
    then: [{message: hello, channels: email}]
    guard: {priority: 60}
"""
BIRTHDAY = """
triggers:
  birthday:
    when: {date_of: birthday, leap_day: LEAP}
    then: [{message: hello, channels: email}]
"""
EVE = """
triggers:
  eve:
    when: {holiday: spring_festival, before: 1d}
    then: [{message: hello, channels: email}]
"""
T = on("UTC", "2026-06-10", 4)
DUE = T + DAY_MS


class Said(NamedTuple):
    """A decision: when in the log's time, which rule's, what, and why where that matters."""

    at_ms: int
    rule: str
    status: str
    why: str = ""


class Case(NamedTuple):
    """One row of the table; `editions` are adopted where the story says so, the first at once."""

    name: str
    editions: tuple[str, ...]
    story: tuple[Any, ...]
    expected: tuple[Said, ...]


def mark(at_ms: int) -> ClockMark:
    return ClockMark(at_ms=at_ms, wall_offset_ms=0)


def adopt(version: int) -> Adopted:
    return Adopted(model="playbook", version=version, checksum="")


def known(who: str = "anna", at_ms: int = T - DAY_MS, **traits: Any) -> Any:
    sealed = {"email": "x", "id": "y"}
    return identified(at_ms=at_ms, customer=named(who), sealed=sealed, traits=traits or None)


def tracked(at_ms: int) -> Any:
    return make(Tracked, at_ms=at_ms, name="Go")


def unsubscribed(at_ms: int) -> Any:
    return make(Unsubscribed, at_ms=at_ms, message_channel=MessageChannel.EMAIL)


def of_order(at_ms: int, order_id: str = "o1") -> Any:
    return order(order_id, at_ms=at_ms)


def looks(*then: Any) -> tuple[Any, ...]:
    """Anna looks at something, and then."""
    return known(), viewed("p1", at_ms=T), mark(T), *then


def orders(*then: Any) -> tuple[Any, ...]:
    """Anna orders for the first time, and then."""
    return known(), of_order(T), mark(T), *then


def order_at_24_hours() -> Iterator[Case]:
    sent, stopped = Said(DUE, "browse", "sent"), "order_completed in the meantime"
    for name, at_ms in (
        ("a millisecond before 24 h", DUE - 1),
        ("exactly at 24 h, before the mark", DUE),
    ):
        story = looks(of_order(at_ms), mark(DUE))
        expected = (Said(at_ms, "browse", "cancelled", stopped),)
        yield Case(f"an order {name}", (BROWSE,), story, expected)
    story = looks(mark(DUE), of_order(DUE), mark(DUE + MINUTE_MS))
    yield Case("an order exactly at 24 h, behind the mark", (BROWSE,), story, (sent,))
    story = looks(mark(DUE - 1), mark(DUE))
    yield Case("no order, and a mark a millisecond early", (BROWSE,), story, (sent,))
    story = looks(of_order(T - 1), mark(DUE))
    yield Case("an order before the look that comes in late", (BROWSE,), story, (sent,))
    story = looks(of_order(T), mark(DUE))
    expected = (Said(T, "browse", "cancelled", stopped),)
    yield Case("an order in the millisecond of the look", (BROWSE,), story, expected)
    story = (known(), of_order(T + HOUR_MS), mark(T + HOUR_MS), viewed("p1", at_ms=T), mark(DUE))
    yield Case("a look that comes in behind its order", (BROWSE,), story, ())


def late_marks() -> Iterator[Case]:
    late_ms, expired_ms = DUE + HOUR_MS, DUE + 2 * DAY_MS
    stopped = "order_completed in the meantime"
    yield Case(
        "a mark an hour late", (BROWSE,), looks(mark(late_ms)), (Said(late_ms, "browse", "sent"),)
    )
    yield Case(
        "a mark an hour late, behind an order of that hour",
        (BROWSE,),
        looks(of_order(DUE + HOUR_MS // 2), mark(late_ms)),
        (Said(DUE + HOUR_MS // 2, "browse", "cancelled", stopped),),
    )
    yield Case(
        "48 h of outage: the backlog is read before anything is said",
        (BROWSE,),
        looks(viewed("p2", at_ms=T + HOUR_MS), of_order(T + 2 * HOUR_MS), mark(DUE + 2 * DAY_MS)),
        (
            Said(T + 2 * HOUR_MS, "browse", "cancelled", stopped),
            Said(T + 2 * HOUR_MS, "browse", "cancelled", stopped),
        ),
    )
    yield Case(
        "a mark a millisecond before the message expires",
        (BROWSE,),
        looks(mark(expired_ms - 1)),
        (Said(expired_ms - 1, "browse", "sent"),),
    )
    yield Case(
        "a mark when the message has expired",
        (BROWSE,),
        looks(mark(expired_ms)),
        (Said(expired_ms, "browse", "cancelled", "its moment has passed"),),
    )


def quiet_nights() -> Iterator[Case]:
    for zone, evening, morning, hours in (
        (TAIPEI, "2026-06-10", "2026-06-11", 12),
        # Clocks go forward in the night: 02:00 is 03:00.
        (NEW_YORK, "2026-03-07", "2026-03-08", 11),
        # And back: 02:00 is 01:00.
        (NEW_YORK, "2026-10-31", "2026-11-01", 13),
        (BERLIN, "2026-03-28", "2026-03-29", 11),
        (BERLIN, "2026-10-24", "2026-10-25", 13),
        (TAIPEI, "2026-12-31", "2027-01-01", 12),
    ):
        at_ms, until_ms = on(zone, evening, 21), on(zone, morning, 9)
        assert until_ms - at_ms == hours * HOUR_MS
        where = f"{zone}, {evening}"
        start = (known(at_ms=at_ms - DAY_MS, timezone=zone), mark(at_ms - HOUR_MS))
        sent = Said(until_ms, "at_once", "sent")
        yield Case(
            f"{where}: held from the first minute to the last",
            (QUIET + AT_ONCE,),
            (*start, tracked(at_ms), mark(at_ms), mark(until_ms - 1), mark(until_ms)),
            (Said(at_ms, "at_once", "held", "quiet hours"), sent),
        )
        yield Case(
            f"{where}: a millisecond before the night",
            (QUIET + AT_ONCE,),
            (*start, tracked(at_ms - 1), mark(at_ms), mark(until_ms)),
            (Said(at_ms - 1, "at_once", "sent"),),
        )
        yield Case(
            f"{where}: in the morning's last quiet millisecond",
            (QUIET + AT_ONCE,),
            (*start, mark(until_ms - MINUTE_MS), tracked(until_ms - 1), mark(until_ms)),
            (Said(until_ms - 1, "at_once", "held", "quiet hours"), sent),
        )
        yield Case(
            f"{where}: when the night is over",
            (QUIET + AT_ONCE,),
            (*start, mark(until_ms - MINUTE_MS), tracked(until_ms), mark(until_ms)),
            (sent,),
        )
    # An hour that comes twice: quiet until 01:30, and again from the second 01:00 to the second.
    twice = 'quiet_hours: [{from: "22:00", to: "01:30"}]\n' + AT_ONCE
    first_ms, second_ms = on("UTC", "2026-11-01", 5, 30), on("UTC", "2026-11-01", 6, 30)
    start = known(at_ms=first_ms - DAY_MS, timezone=NEW_YORK)
    yield Case(
        "quiet hours that end twice in a night",
        (twice,),
        (start, tracked(first_ms - 1), tracked(second_ms - 1), mark(first_ms), mark(second_ms)),
        (
            Said(first_ms - 1, "at_once", "held"),
            Said(second_ms - 1, "at_once", "held"),
            Said(first_ms, "at_once", "sent"),
            Said(second_ms, "at_once", "sent"),
        ),
    )


def caps_of_one_second() -> Iterator[Case]:
    one, two = "caps: [{at_most: 1, per: 1d}]\n", "caps: [{at_most: 2, per: 1d}]\n"
    yield Case(
        "two rules in one moment: the cap leaves room for the higher priority",
        (one + TWO,),
        (known(), tracked(T), mark(T)),
        (Said(T, "first", "sent"), Said(T, "second", "capped")),
    )
    yield Case(
        "two rules in one moment and room for both: one message is enough",
        (two + TWO,),
        (known(), tracked(T), mark(T)),
        (Said(T, "first", "sent"), Said(T, "second", "superseded")),
    )
    for name, apart_ms in (("one millisecond", 0), ("one second", SECOND_MS - 1)):
        yield Case(
            f"a rule twice within {name}",
            (one + AT_ONCE,),
            (known(), tracked(T), tracked(T + apart_ms), mark(T + SECOND_MS)),
            (Said(T, "at_once", "sent"), Said(T + apart_ms, "at_once", "capped")),
        )
    for name, at_ms, status in (
        ("a millisecond before its window is over", DUE - 1, "capped"),
        ("when its window is over", DUE, "sent"),
    ):
        yield Case(
            f"a cap {name}",
            (one + AT_ONCE,),
            (known(), tracked(T), mark(T), tracked(at_ms), mark(DUE)),
            (Said(T, "at_once", "sent"), Said(at_ms, "at_once", status)),
        )
    held_ms = on(TAIPEI, "2026-06-10", 22)
    until_ms = on(TAIPEI, "2026-06-11", 9)
    yield Case(
        "two that are held until one morning meet the cap there",
        (one + QUIET + AT_ONCE,),
        (known(), tracked(held_ms), tracked(held_ms + 1), mark(until_ms - 1), mark(until_ms)),
        (
            Said(held_ms, "at_once", "held"),
            Said(held_ms + 1, "at_once", "held"),
            Said(until_ms, "at_once", "sent"),
            Said(until_ms, "at_once", "capped"),
        ),
    )


def leap_days() -> Iterator[Case]:
    for leap_day, days in (
        ("feb_28", ("2026-02-28", "2027-02-28", "2028-02-29")),
        ("mar_1", ("2026-03-01", "2027-03-01", "2028-02-29")),
    ):
        start_ms = on(TAIPEI, "2026-01-01")
        moments = [on(TAIPEI, day, 10) for day in days]
        marks = [
            mark(at_ms)
            for day in range(800)
            for at_ms in (start_ms + day * DAY_MS, start_ms + day * DAY_MS + 10 * HOUR_MS)
        ]
        yield Case(
            f"a birthday on 29 February, kept on {leap_day}",
            (BIRTHDAY.replace("LEAP", leap_day),),
            (known(at_ms=start_ms, birthday="2004-02-29"), *marks),
            tuple(Said(at_ms, "birthday", "sent") for at_ms in moments),
        )


def eves() -> Iterator[Case]:
    home_ms, away_ms = on(TAIPEI, "2026-02-16", 10), on(NEW_YORK, "2026-02-16", 10)
    start_ms = on(TAIPEI, "2026-02-01")
    yield Case(
        "the eve of a holiday in two zones",
        (EVE,),
        (
            known("home", start_ms),
            known("away", start_ms, timezone=NEW_YORK),
            mark(home_ms - 1),
            mark(home_ms),
            mark(away_ms - 1),
            mark(away_ms),
            mark(away_ms + 30 * DAY_MS),
        ),
        (Said(home_ms, "eve", "sent"), Said(away_ms, "eve", "sent")),
    )
    yield Case(
        "who moves west between two eves keeps the one that was",
        (EVE,),
        (
            known("home", start_ms),
            mark(home_ms),
            known("home", home_ms + 1, timezone=NEW_YORK),
            mark(away_ms),
            mark(away_ms + 30 * DAY_MS),
        ),
        (Said(home_ms, "eve", "sent"),),
    )
    birthday_ms = on(TAIPEI, "2026-03-05", 10)
    yield Case(
        "who corrects the birthday when it was kept has it once that year",
        (BIRTHDAY.replace("LEAP", "feb_28"),),
        (
            known(at_ms=start_ms, birthday="1990-03-05"),
            mark(birthday_ms),
            known(at_ms=birthday_ms + 1, birthday="1990-03-15"),
            mark(birthday_ms + 10 * DAY_MS),
            mark(birthday_ms + 20 * DAY_MS),
        ),
        (Said(birthday_ms, "birthday", "sent"),),
    )


def cancelled_orders() -> Iterator[Case]:
    due_ms, why = T + 10 * MINUTE_MS, "order_cancelled in the meantime"
    for name, at_ms in (("a millisecond before it is due", due_ms - 1), ("as it is due", due_ms)):
        yield Case(
            f"an order cancelled {name}",
            (THANKS,),
            orders(cancelled("o1", at_ms=at_ms), mark(due_ms), mark(due_ms + DAY_MS)),
            (Said(at_ms, "thanks", "cancelled", why),),
        )
    yield Case(
        "an order cancelled behind the mark: it was said",
        (THANKS,),
        orders(mark(due_ms), cancelled("o1", at_ms=due_ms), mark(due_ms + DAY_MS)),
        (Said(due_ms, "thanks", "sent"),),
    )
    yield Case(
        "another order cancelled",
        (THANKS,),
        orders(of_order(T + 1, "o2"), cancelled("o2", at_ms=T + 2), mark(due_ms)),
        (Said(due_ms, "thanks", "sent"),),
    )
    yield Case(
        "a cancellation that came before its order",
        (THANKS,),
        (known(), cancelled("o1", at_ms=T + 1), of_order(T), mark(T), mark(due_ms)),
        (),
    )
    night_ms, until_ms = on(TAIPEI, "2026-06-10", 22), on(TAIPEI, "2026-06-11", 9)
    held_ms = night_ms + 10 * MINUTE_MS
    yield Case(
        "an order cancelled while its thank-you is held",
        (QUIET + THANKS,),
        (
            known(),
            of_order(night_ms),
            mark(held_ms),
            cancelled("o1", at_ms=until_ms - 1),
            mark(until_ms),
        ),
        (
            Said(held_ms, "thanks", "held", "quiet hours"),
            Said(until_ms - 1, "thanks", "cancelled", why),
        ),
    )


def unsubscriptions() -> Iterator[Case]:
    why = "unsubscribed from email"
    yield Case(
        "unsubscribed a millisecond before it is due",
        (BROWSE,),
        looks(unsubscribed(DUE - 1), mark(DUE)),
        (Said(DUE, "browse", "no_consent", why),),
    )
    # What is out already the dispatcher stops (tests/real/test_dispatcher.py).
    yield Case(
        "unsubscribed behind the mark",
        (BROWSE,),
        looks(mark(DUE), unsubscribed(DUE)),
        (Said(DUE, "browse", "sent"),),
    )
    night_ms, until_ms = on(TAIPEI, "2026-06-10", 22), on(TAIPEI, "2026-06-11", 9)
    yield Case(
        "unsubscribed while it is held",
        (QUIET + AT_ONCE,),
        (known(), tracked(night_ms), mark(night_ms), unsubscribed(until_ms - 1), mark(until_ms)),
        (Said(night_ms, "at_once", "held"), Said(until_ms, "at_once", "no_consent", why)),
    )


def changed_playbooks() -> Iterator[Case]:
    gone = "the rule is no longer there"
    for name, at_ms in (("before", DUE - MINUTE_MS), ("with", DUE)):
        yield Case(
            f"the rule is removed, and the mark {name} its time arms the row",
            (BROWSE, THANKS),
            looks(mark(DUE - HOUR_MS), adopt(2), mark(at_ms), mark(DUE + MINUTE_MS)),
            (Said(at_ms, "browse", "cancelled", gone),),
        )
    yield Case(
        "the rule is changed while it waits: the new words are said",
        (BROWSE, BROWSE.replace("channels: email", "channels: email, offer: ten")),
        looks(adopt(2), mark(DUE - 1), mark(DUE)),
        (Said(DUE, "browse", "sent"),),
    )
    yield Case(
        "the rule is removed and put back: what waited does not come back",
        (BROWSE, THANKS, BROWSE),
        looks(adopt(2), mark(T + 1), adopt(3), mark(DUE)),
        (Said(T + 1, "browse", "cancelled", gone),),
    )
    night_ms, until_ms = on(TAIPEI, "2026-06-10", 22), on(TAIPEI, "2026-06-11", 9)
    held = Said(night_ms, "at_once", "held", "quiet hours")
    story = (known(), tracked(night_ms), mark(night_ms), adopt(2), mark(until_ms - 1))
    for name, edition, expected in (
        ("the same rule in a new playbook", QUIET + AT_ONCE + "segments: {}\n", "sent"),
        ("a removed rule", QUIET + THANKS, "cancelled"),
        (
            "a changed rule",
            QUIET + AT_ONCE.replace("channels: email", "channels: email, offer: ten"),
            "cancelled",
        ),
    ):
        at_ms = until_ms if expected == "sent" else until_ms - 1
        yield Case(
            f"{name} while its message is held",
            (QUIET + AT_ONCE, edition),
            (*story, mark(until_ms)),
            (held, Said(at_ms, "at_once", expected)),
        )
    sooner = 'quiet_hours: [{from: "21:00", to: "07:00"}]\n' + AT_ONCE
    later = 'quiet_hours: [{from: "21:00", to: "10:00"}]\n' + AT_ONCE
    later_ms = until_ms + HOUR_MS
    yield Case(
        "the night is made longer: what is held is held again",
        (QUIET + AT_ONCE, later),
        (*story, mark(until_ms), mark(later_ms)),
        (held, Said(until_ms, "at_once", "held"), Said(later_ms, "at_once", "sent")),
    )
    yield Case(
        "the night is made shorter: what is held goes when it was told",
        (QUIET + AT_ONCE, sooner),
        (*story, mark(until_ms)),
        (held, Said(until_ms, "at_once", "sent")),
    )


CASES = [
    *order_at_24_hours(),
    *late_marks(),
    *quiet_nights(),
    *caps_of_one_second(),
    *leap_days(),
    *eves(),
    *cancelled_orders(),
    *unsubscriptions(),
    *changed_playbooks(),
]


def fold_of(editions: tuple[str, ...]) -> CustomerFold:
    books = {
        version: opened(Edition(version, "main", {"main": HEAD + text}))
        for version, text in enumerate(editions, 1)
    }
    fold = customer_fold(begins_with_rules=False)

    async def load(model: str, version: int) -> Any:
        return books.get(version) if model == "playbook" else None

    fold._load_snapshot = load
    return fold


def run(fold: CustomerFold, story: tuple[Any, ...]) -> tuple[list[Decided], list[Action]]:
    records = records_of([adopt(1), *story])
    asyncio.run(fold.prepare(records))
    for record in records:
        fold_through(fold, record, frozenset())
    outputs = listed(fold.seal().outputs)
    facts = [msgspec.json.decode(one.value, type=Fact) for one in outputs if one.topic == "facts"]
    actions = [
        msgspec.json.decode(one.value, type=Action) for one in outputs if one.topic == "actions"
    ]
    return [one for one in facts if isinstance(one, Decided)], actions


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_the_boundary_is_where_it_is_said_to_be(case: Case) -> None:
    decided, actions = run(fold_of(case.editions), case.story)
    found = [
        Said(one.at_ms, one.rule, one.status, one.reason if wanted.why else "")
        for one, wanted in zip(decided, [*case.expected, *[Said(0, "", "")] * 9], strict=False)
    ]
    assert found == list(case.expected)
    assert len(decided) == len(found)
    # What was sent was asked for once, and nothing else was.
    sent = [one.action_id for one in decided if one.status == "sent"]
    assert sorted(one.action_id for one in actions) == sorted(sent)
    assert len(set(sent)) == len(sent)


def test_the_table_has_every_boundary() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) > 50


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_a_crash_between_any_two_records_changes_nothing(case: Case) -> None:
    """The row of a fold that stopped halfway goes on elsewhere."""
    straight, _ = run(fold_of(case.editions), case.story)
    records = records_of([adopt(1), *case.story])
    found: list[bytes] = []
    rows: dict[bytes, bytes | None] = {}
    step = max(1, len(records) // 12)
    for first in range(0, len(records), step):
        fold = fold_of(case.editions)
        for key, row in rows.items():
            fold.restore(key, row)
        fold.restored()
        batch = records[first : first + step]
        asyncio.run(fold.prepare(batch))
        for record in batch:
            fold_through(fold, record, frozenset())
        sealed = fold.seal()
        rows |= dict(sealed.rows)
        found += [one.value for one in listed(sealed.outputs) if one.topic == "facts"]
    facts = [msgspec.json.decode(one, type=Fact) for one in found]
    assert [one for one in facts if isinstance(one, Decided)] == straight
