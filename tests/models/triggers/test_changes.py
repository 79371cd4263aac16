"""Moments that no single event tells of."""

from models.clock import DAY_MS
from tests.builders import START_MS, order
from tests.models.triggers.playing import Play

TIERS = """
perks: {lounge: {description: The lounge}}
tiers: {high_value: {perks: [lounge]}}
segments: {big: {if: customer.value > 100}}
triggers:
  welcome:
    when: {enters_tier: high_value}
    then: [{message: news}]
  goodbye:
    when: {leaves_tier: new}
    then: [{tag: grown}]
  big_now:
    when: {enters_segment: big}
    then: [{tag: big}]
  rich:
    when: {value_reaches: 900}
    then: [{tag: rich}]
"""


def test_tiers_segments_and_sums_are_moments() -> None:
    play = Play(TIERS)
    said = [
        one
        for day in range(6)
        for one in play.happens(order(f"o{day}", cents=30_000, at_ms=START_MS + day * DAY_MS))
    ]
    assert sorted(said) == [
        "big_now sent",
        "goodbye sent",
        "rich sent",
        "tier:high_value sent",
        "welcome sent",
    ]
    assert play.customer.playbook.perks == {"lounge": 0}
    assert sorted(play.customer.playbook.tags) == ["big", "grown", "rich"]
    assert play.happens(order("o9", cents=30_000, at_ms=START_MS + 6 * DAY_MS)) == []
