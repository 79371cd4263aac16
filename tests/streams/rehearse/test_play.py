"""Scenarios are played as the live product would play them."""

import time

from streams.rehearse.play import Rehearsal, play
from streams.rehearse.scenario import read_scenario
from tests.builders import house_rules

SHOES = "properties: {product_id: sku1, category: shoes, price: 59.0}"
LOOKED = f"""
- at: 2026-02-01T10:00:00+08:00
  identify: {{userId: c1, traits: {{email: c1@example.com, timezone: Europe/Berlin}}}}
- at: 2026-02-01T10:05:00+08:00
  track: {{event: Product Viewed, userId: c1, {SHOES}}}
"""


def played(events: str, until: str = "2026-03-10T00:00:00", locale: str = "") -> Rehearsal:
    text = f"timezone: Asia/Taipei\nevents:{events}\nuntil: {until}\n"
    scenario = read_scenario("s.yaml", text.encode(), time_zone="UTC", currency="EUR")
    return play(scenario, house_rules(), currency="EUR", locale=locale)


def order(at: str, order_id: str = "o1", who: str = "userId: c1", name: str = "Completed") -> str:
    body = f"{{event: Order {name}, {who}, properties: {{order_id: {order_id}, total: 20}}}}"
    return f"- at: {at}\n  track: {body}\n"


def test_what_follows_from_silence_is_told_on_the_customers_own_clock() -> None:
    rehearsal = played(LOOKED)
    assert [(one["at"], one["customer_id"], one["rule"]) for one in rehearsal.actions] == [
        ("2026-02-02T03:05:00+01:00", "c1", "browse_reminder")
    ]
    assert rehearsal.actions[0]["status"] == "sent"
    assert (rehearsal.actions[0]["offer"], rehearsal.actions[0]["coupon"]) == (None, None)
    assert rehearsal.rejected == []
    assert rehearsal.tiers == {"c1": "new"}


def test_where_the_customers_clock_is_not_known_the_shops_counts() -> None:
    rehearsal = played("\n" + order("2026-02-01T10:00:00"))
    assert [one["at"] for one in rehearsal.actions] == ["2026-02-01T10:10:00+08:00"]


def test_an_order_at_the_very_moment_of_the_reminder_comes_before_it() -> None:
    rehearsal = played(LOOKED + order("2026-02-02T10:05:00"), until="2026-02-02T10:14:00")
    assert rehearsal.actions == []
    assert [(one["rule"], one["status"]) for one in rehearsal.rejected] == [
        ("browse_reminder", "cancelled")
    ]


def test_a_moment_later_it_comes_too_late() -> None:
    rehearsal = played(LOOKED + order("2026-02-02T10:05:00.001"), until="2026-02-02T10:14:00")
    assert [one["rule"] for one in rehearsal.actions] == ["browse_reminder"]


def test_what_is_due_when_it_ends_is_played_and_nothing_later() -> None:
    assert len(played(LOOKED, until="2026-02-02T10:05:00").actions) == 1
    assert played(LOOKED, until="2026-02-02T10:04:59").actions == []


def test_a_visitor_who_turns_out_to_be_a_customer_is_one_of_them() -> None:
    rehearsal = played(
        "\n"
        + order("2026-02-01T10:00:00", who="anonymousId: visitor")
        + "- at: 2026-02-01T10:01:00\n"
        "  identify: {userId: c1, anonymousId: visitor, traits: {email: c1@example.com}}\n"
    )
    assert [one["customer_id"] for one in rehearsal.actions] == ["c1"]
    assert set(rehearsal.tiers) == {"c1"}


def test_a_visitor_goes_by_the_anonymous_id_as_it_is_written() -> None:
    rehearsal = played("\n" + order("2026-02-01T10:00:00", who="anonymousId: visitor"))
    assert [one["customer_id"] for one in rehearsal.rejected] == ["visitor"]
    assert rehearsal.tiers == {"visitor": "dormant"}


def test_it_is_the_same_each_time_it_is_played() -> None:
    assert played(LOOKED) == played(LOOKED)


def test_a_year_takes_seconds() -> None:
    began = time.process_time()
    played(LOOKED + order("2026-02-02T11:00:00"), until="2027-02-02T00:00:00")
    assert time.process_time() - began < 2.0
