"""What an offer may cost, and how it is told."""

import pytest

from models import partition_budgets
from models.clock import DAY_MS
from models.coupon_words import CouponWord
from models.coupons import Issued
from models.events import BudgetAnswered, Line, ProductAdded
from models.step import wake
from tests.builders import ANNA, START_MS, make, order, viewed
from tests.models.triggers.playing import Play


def test_what_an_offer_may_cost_is_never_exceeded() -> None:
    text = """
triggers:
  give:
    when: {event: product_viewed}
    then: [{give: five}]
"""
    play = Play(text)
    said = [play.happens(viewed(f"p{at}", at_ms=START_MS + at)) for at in range(4)]
    assert said == [["give sent"], ["give sent"], ["give out_of_budget"], ["give out_of_budget"]]


def test_a_coupon_is_in_the_currency_of_the_playbooks_shop() -> None:
    play = Play("triggers: {give: {when: {event: product_viewed}, then: [{give: five}]}}")
    assert play.happens(viewed()) == ["give sent"]
    assert play.view.rulebook is not None
    shop = play.view.rulebook.book.shop
    [issued] = [one.event for one in play.effects if isinstance(one, CouponWord)]
    assert isinstance(issued, Issued)
    assert shop is not None
    assert issued.terms.currency == shop.currency != ""


PURSE = "$cents:five:2592000000"
TWO = """
triggers:
  dear:
    when: {event: product_viewed}
    then: [{message: hello, offer: five}]
    guard: {priority: 90}
  plain:
    when: {event: product_viewed}
    then: [{message: hello}]
  walks:
    when: {event: product_added}
    then: [{message: hello, offer: five}]
    guard: {if: customer.orders == 0}
"""


def answered(play: Play, *, granted: int = 0, short: int = 0) -> list[str]:
    """Have the purse answer what was asked; what was decided then."""
    view, before = play.view, len(play.told)
    [key] = view.clock.slices
    answer = BudgetAnswered(key, granted, number=1, short=short, scarce=True, adoption=0)
    partition_budgets.hear(view.clock, view.partition, answer)
    view.waited.clear()
    play.effects += wake(ANNA, play.customer, PURSE, view)
    return [f"{one.rule} {one.status}" for one in play.told[before:]]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"granted": 500}, ["dear sent", "plain superseded"]),
        ({"short": 1}, ["dear out_of_budget", "plain sent"]),
    ],
)
def test_who_gives_way_is_decided_when_the_purse_has_answered(
    answer: dict[str, int], said: list[str]
) -> None:
    play = Play(TWO, partitions=4)
    # Half of an equal share of twelve does not do for five.
    assert play.happens(viewed("p1")) == []
    assert play.view.waited == [PURSE, PURSE]
    assert [one.event.wanted for one in play.effects if isinstance(one, CouponWord)] == [500]
    assert answered(play, **answer) == said
    assert play.customer.playbook.runs == []


def test_what_does_not_hold_any_more_when_the_purse_answers_is_cancelled() -> None:
    play = Play(TWO, partitions=4)
    assert play.happens(make(ProductAdded, line=Line("p1"))) == []
    assert play.happens(order("o1", at_ms=START_MS + 1)) == []
    assert answered(play, granted=500) == ["walks cancelled"]
    assert wake(ANNA, play.customer, PURSE, play.view) == []


def test_a_moment_that_passes_before_the_purse_answers_is_over() -> None:
    play = Play(TWO, partitions=4)
    assert play.happens(make(ProductAdded, line=Line("p1"))) == []
    assert play.passes_to(START_MS + 10 * DAY_MS) == ["walks cancelled"]


def test_no_time_runs_backwards_when_a_purse_answers() -> None:
    play = Play(TWO, partitions=4)
    assert play.happens(make(ProductAdded, line=Line("p1"), at_ms=START_MS + 9_000)) == []
    assert answered(play, granted=500) == ["walks sent"]
    assert play.told[-1].at_ms == START_MS + 9_000
    assert play.view.now_ms == START_MS
