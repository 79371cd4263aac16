"""What a step does."""

import pytest

from models.clock import DAY_MS
from models.events import Tracked
from tests.builders import START_MS, make, order, viewed
from tests.models.triggers.playing import LADDER, Play


def test_steps_follow_one_another_with_waits_branches_and_arms() -> None:
    play = Play(LADDER)
    assert play.happens(make(Tracked, name="Go")) == ["ladder sent"]
    assert play.passes_to(START_MS + 2 * DAY_MS) == ["ladder sent", "ladder sent"]
    drawn, last = play.told[-2:]
    assert drawn.arm in ("call", "mail")
    assert drawn.propensity == 0.5
    assert last.action == "untag"
    names = [one.action_id for one in play.told]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("hazard_above", "offer"), [("1%", ""), ("99%", "ten")])
def test_a_sure_buyer_gets_the_message_without_the_offer(hazard_above: str, offer: str) -> None:
    play = Play(
        f"""
triggers:
  one:
    when: {{event: product_viewed}}
    then: [{{message: hello, offer: ten}}]
    guard: {{no_offer_above: {hazard_above}}}
"""
    )
    play.happens(order("o1"))
    assert play.happens(viewed("p1")) == ["one sent"]
    assert play.told[-1].offer == offer


TAGGED = """
perks: {lounge: {description: The lounge, valid_for: 2d}}
segments: {guests: {if: '"lounge" in customer.perks'}}
triggers:
  mark:
    when: {event: tracked, if: 'event.name == "Mark"'}
    then: [{tag: vip}, {grant: lounge}]
  greet:
    when: {event: tracked, if: 'event.name == "Greet" && "vip" in customer.tags'}
    then: [{tag: greeted}]
    guard: {segments: guests}
"""


def test_what_rules_gave_can_be_asked_by_other_rules_and_segments() -> None:
    play = Play(TAGGED)
    greet = {"name": "Greet"}
    assert play.happens(make(Tracked, **greet)) == []
    assert play.happens(make(Tracked, name="Mark")) == ["mark sent", "mark sent"]
    assert play.happens(make(Tracked, **greet)) == ["greet sent"]
    play.passes_to(START_MS + 2 * DAY_MS)
    assert play.happens(make(Tracked, at_ms=START_MS + 2 * DAY_MS, **greet)) == []
