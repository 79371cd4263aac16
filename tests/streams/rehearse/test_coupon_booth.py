"""Coupons of a rehearsal are kept as live ones are, and the rules hear of them."""

import pytest

from models.playbook.rulebook import compile_playbook
from streams import playbook_packs
from streams.playbook_packs import check_alone
from streams.rehearse.play import Rehearsal, play
from streams.rehearse.scenario import read_scenario

BOOK = """
playbook: 1
shop: {name: Shop, time_zone: UTC, currency: EUR, locale: en}
offers: {ten: {percent: 10%, valid_for: 30d, after_refund: give_back}}
messages:
  hello:
    consent: marketing
    words: {en: {subject: "S", paragraphs: ["{{ coupon }}"], signature: U, unsubscribe: Stop,
            defaults: {coupon: none}}}
triggers:
  welcome:
    when: {event: tracked, if: 'event.name == "Joined"'}
    then: [{message: hello, offer: ten}]
  given: {when: {event: coupon_issued}, then: [{tag: has_coupon}], guard: {once: item}}
  for_ever: {when: {event: coupon_issued}, then: [{give: ten}]}
  used: {when: {event: coupon_applied}, then: [{tag: used}]}
  again: {when: {event: coupon_returned}, then: [{tag: again}]}
  over:
    when: {event: coupon_ended, if: 'event.reason == "expired"'}
    then: [{task: Ask why, for: desk, due: 1d}]
  remind:
    when: {coupon_expires: ten, before: 3d}
    then: [{message: hello}]
"""
JOINED = """
- at: 2026-03-01T10:00:00Z
  identify: {userId: c1, traits: {email: c1@example.com}}
- at: 2026-03-01T10:00:00Z
  track: {event: Joined, userId: c1}
"""


def played(events: str, book: str = BOOK) -> Rehearsal:
    checked = check_alone("b.yaml", book.encode(), lambda _: None)
    assert checked.playbook is not None, checked.errors
    text = f"timezone: UTC\nevents:{events}\nuntil: 2026-05-01T00:00:00Z\n"
    scenario = read_scenario("s.yaml", text.encode(), time_zone="UTC", currency="EUR")
    return play(scenario, compile_playbook(checked.playbook), currency="EUR")


def code_of(rehearsal: Rehearsal) -> str:
    return str(next(one["coupon"] for one in rehearsal.actions if one["rule"] == "welcome"))


def rules_of(rehearsal: Rehearsal) -> list[tuple[str, str]]:
    return [(one["rule"], str(one["at"])[:10]) for one in rehearsal.actions]


def test_a_coupon_of_the_playbooks_own_is_reminded_of_before_it_ends() -> None:
    rehearsal = played(JOINED)
    assert rules_of(rehearsal) == [
        ("welcome", "2026-03-01"),
        ("given", "2026-03-01"),
        ("remind", "2026-03-28"),
        ("over", "2026-03-31"),
    ]
    reminder = rehearsal.messages[-1].variables
    assert reminder["coupon"] == code_of(rehearsal)
    assert (reminder["coupon_until"], reminder["offer_percent"]) == ("2026-03-31", "10")


def test_one_that_an_order_redeemed_is_not_and_one_that_came_back_is() -> None:
    code = code_of(played(JOINED))
    order = f"{{order_id: o1, total: 20, coupon: {code}}}"
    ordered = f"""
- at: 2026-03-10T10:00:00Z
  track: {{event: Order Completed, userId: c1, properties: {order}}}
"""
    assert rules_of(played(JOINED + ordered))[2:] == [("used", "2026-03-10")]
    undone = """
- at: 2026-03-12T10:00:00Z
  track: {event: Order Cancelled, userId: c1, properties: {order_id: o1}}
"""
    assert rules_of(played(JOINED + ordered + undone))[2:] == [
        ("used", "2026-03-10"),
        ("again", "2026-03-12"),
        ("remind", "2026-03-28"),
        ("over", "2026-03-31"),
    ]


@pytest.mark.parametrize(("least", "used"), [("", True), (", min_order: 20", False)])
def test_an_order_in_another_currency_redeems_a_plain_share_and_no_least_spend(
    least: str, used: bool
) -> None:
    book = BOOK.replace("give_back}", f"give_back{least}}}")
    code = code_of(played(JOINED, book))
    order = f"{{order_id: o1, total: 9000, currency: JPY, coupon: {code}}}"
    ordered = f"""
- at: 2026-03-10T10:00:00Z
  track: {{event: Order Completed, userId: c1, properties: {order}}}
"""
    assert (("used", "2026-03-10") in rules_of(played(JOINED + ordered, book))) is used


def test_what_the_shop_tells_of_a_code_of_ours_is_heard_once() -> None:
    code = code_of(played(JOINED))
    told = f"""
- at: 2026-03-02T10:00:00Z
  track: {{event: Coupon Issued, userId: c1, properties: {{coupon: {code}, campaign: ten}}}}
- at: 2026-03-10T10:00:00Z
  track: {{event: Coupon Applied, userId: c1, properties: {{coupon: {code}, discount: 2}}}}
"""
    assert rules_of(played(JOINED + told)) == rules_of(played(JOINED))


def test_the_ready_packs_remind_of_each_others_coupons() -> None:
    text = playbook_packs.playbook_text(["first_order_care", "expiring_coupon"], ["en"])
    checked = check_alone("b.yaml", text.encode(), lambda _: None)
    assert checked.playbook is not None, checked.errors
    events = """
- at: 2026-03-01T10:00:00Z
  identify: {userId: c1, traits: {email: c1@example.com}}
- at: 2026-03-01T10:00:00Z
  track: {event: Order Completed, userId: c1, properties: {order_id: o1, total: 20}}
"""
    said = f"timezone: UTC\nevents:{events}\nuntil: 2026-05-01T00:00:00Z\n"
    scenario = read_scenario("s.yaml", said.encode(), time_zone="UTC", currency="EUR")
    rehearsal = play(scenario, compile_playbook(checked.playbook), currency="EUR")
    assert ("expiring_coupon", "2026-03-28") in rules_of(rehearsal)
