"""What an offer may cost, and how it is told."""

from tests.builders import START_MS, viewed
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
