"""A new edition while rules are under way."""

from models.clock import DAY_MS
from tests.builders import START_MS, viewed
from tests.models.triggers.playing import BROWSE, THANKS, Play


def test_what_waits_for_a_removed_rule_is_cancelled_and_a_changed_one_takes_it_over() -> None:
    play = Play(BROWSE)
    play.happens(viewed("p1"))
    assert play.applies(BROWSE.replace("message: hello", "message: news")) == []
    assert play.passes_to(START_MS + DAY_MS) == ["browse sent"]
    assert play.told[-1].playbook_version == 2
    play.happens(viewed("p2", at_ms=START_MS + 2 * DAY_MS))
    assert play.applies(THANKS) == ["browse cancelled"]
    assert play.told[-1].reason == "the rule is no longer there"
