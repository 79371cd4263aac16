"""The article's cases at their boundaries, by the ready packs: one row is one customer's story."""

from functools import cache

import pytest

from streams import playbook_packs
from streams.rehearse.book import Book
from streams.rehearse.play import Rehearsal, play
from streams.rehearse.scenario import read_scenario

LOOK = "{event: Product Viewed, userId: c1, properties: {product_id: sku1}}"
LEAVE = "{event: Unsubscribed, userId: c1, properties: {channel: email}}"
HELD, SENT = "held", "sent"


def order(order_id: str = "o1", name: str = "Completed") -> str:
    body = f"{{order_id: {order_id}, total: 20, currency: EUR}}"
    return f"{{event: Order {name}, userId: c1, properties: {body}}}"


CANCEL = order(name="Cancelled")


@cache
def book(pack: str) -> Book:
    return Book(pack, playbook_packs.checked_pack(pack).playbook)


def rehearsed(pack: str, traits: str, story: list[tuple[str, str]], until: str) -> Rehearsal:
    lines = ["timezone: Asia/Taipei", f"until: {until}", "events:"]
    lines += [f"- {{at: {story[0][0]}, identify: {{userId: c1, traits: {{{traits}}}}}}}"]
    lines += [f"- {{at: {at}, track: {body}}}" for at, body in story]
    raw = "\n".join(lines).encode()
    one = book(pack)
    scenario = read_scenario("s.yaml", raw, time_zone=one.time_zone, currency=one.currency)
    return play(scenario, one.rulebook(scenario.time_zone), currency=one.currency)


def minutes(rehearsal: Rehearsal) -> list[tuple[str, str]]:
    """Actions as the wall shows them, without seconds and offset, with their status."""
    return [(one["at"][:16], one["status"]) for one in rehearsal.actions]


CASES = [
    pytest.param(
        "browse_24h", "", [("2026-03-02T10:00", LOOK)], [("2026-03-03T10:00", SENT)],
        id="S16 looked at, a day later the reminder",
    ),
    pytest.param(
        "browse_24h", "",
        [("2026-03-02T10:00", LOOK), ("2026-03-03T10:00", order())], [],
        id="S16 an order at exactly 24 hours comes before it",
    ),
    pytest.param(
        "browse_24h", "",
        [("2026-03-02T10:00", LOOK), ("2026-03-03T10:00:01", order())],
        [("2026-03-03T10:00", SENT)],
        id="S16 an order a second later comes too late",
    ),
    pytest.param(
        "browse_24h", "",
        [("2026-03-02T10:00", LOOK), ("2026-03-03T09:59", LEAVE)], [],
        id="S16 unsubscribed a minute before",
    ),
    pytest.param(
        "browse_24h", "",
        [("2026-03-02T22:30", LOOK)],
        [("2026-03-03T22:30", HELD), ("2026-03-04T09:00", SENT)],
        id="S16 held over midnight, sent when the quiet ends",
    ),
    pytest.param(
        "browse_24h", "timezone: Europe/Berlin",
        # 28 March 20:30 UTC is 21:30 in Berlin; in the night clocks go forward an hour.
        [("2026-03-28T04:30:00+08:00", LOOK)],
        [("2026-03-28T21:30", HELD), ("2026-03-29T09:00", SENT)],
        id="S16 held over a change to summer time, by the customer's own clock",
    ),
    pytest.param(
        "first_order_care", "", [("2026-03-02T10:00", order())],
        [("2026-03-02T10:10", SENT), ("2026-03-07T10:10", SENT)],
        id="S15 thanks after the first order, and a word five days later",
    ),
    pytest.param(
        "first_order_care", "",
        [("2026-03-02T10:00", order()), ("2026-03-02T10:09", CANCEL)], [],
        id="S15 cancelled while the thanks are waiting",
    ),
    pytest.param(
        "first_order_care", "",
        [("2026-03-02T10:00", order()), ("2026-03-04T10:00", CANCEL)],
        [("2026-03-02T10:10", SENT)],
        id="S15 cancelled between the two",
    ),
    pytest.param(
        "first_order_care", "",
        [("2026-03-02T10:00", order()), ("2026-03-03T10:00", order("o2"))],
        [("2026-03-02T10:10", SENT), ("2026-03-07T10:10", SENT)],
        id="S15 the second order is no first one",
    ),
    pytest.param(
        "silence_30d", "", [("2026-03-02T10:00", order())],
        [("2026-04-01T10:00", SENT), ("2026-04-08T10:00", SENT)],
        id="S17 once after thirty days, and once more a week later",
    ),
    pytest.param(
        "silence_30d", "",
        [("2026-03-02T10:00", order()), ("2026-04-01T10:00", order("o2"))],
        [("2026-05-01T10:00", SENT), ("2026-05-08T10:00", SENT)],
        id="S17 a purchase at the very end of the silence begins a new one",
    ),
    pytest.param(
        "birthday", "birthday: 1990-06-05", [("2026-03-02T10:00", order())],
        [("2026-06-05T10:00", SENT)],
        id="S12 on the day itself, once",
    ),
    pytest.param(
        "birthday", "birthday: 1992-02-29", [("2027-01-02T10:00", order())],
        [("2027-02-28T10:00", SENT)],
        id="S12 born on 29 February, in a year without one",
    ),
    pytest.param(
        "birthday", "birthday: 1992-02-29", [("2028-01-02T10:00", order())],
        [("2028-02-29T10:00", SENT)],
        id="S12 born on 29 February, in a leap year",
    ),
    pytest.param(
        "spring_festival", "", [("2027-01-02T10:00", order())], [("2027-02-05T10:00", SENT)],
        id="S18 the eve of a lunar holiday",
    ),
    pytest.param(
        "spring_festival", "timezone: America/New_York", [("2027-01-02T10:00", order())],
        [("2027-02-05T10:00", SENT)],
        id="S18 the same eve by another wall's clock",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("pack", "traits", "story", "expected"), CASES)
def test_a_case_at_its_boundary(
    pack: str, traits: str, story: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    known = ", ".join(filter(None, ("email: c1@example.com", traits)))
    year = story[0][0][:4]
    rehearsal = rehearsed(pack, known, story, f"{year}-08-01T00:00")
    assert minutes(rehearsal) == expected


def test_the_eve_comes_thirteen_hours_later_in_new_york() -> None:
    story = [("2027-01-02T10:00", order())]
    taipei, new_york = (
        rehearsed("spring_festival", f"email: a@b.example, timezone: {zone}", story, "2027-03-01")
        for zone in ("Asia/Taipei", "America/New_York")
    )
    assert taipei.actions[0]["at"] == "2027-02-05T10:00:00+08:00"
    assert new_york.actions[0]["at"] == "2027-02-05T10:00:00-05:00"
