"""A moment of a customer: receipts name the edition, the rivals, the occasion of each step."""

from models.events import PageViewed
from models.triggers.moment import Moment, occasion_of, receipt
from models.triggers.notes import Run, key_of
from tests.builders import ANNA, START_MS, make
from tests.models.triggers.playing import Play

SEGMENTED = """
segments: {looking: {if: customer.views > 0}}
triggers: {look: {when: {enters_segment: looking}, then: [{tag: looking}]}}
"""


def run(at: int = 0) -> Run:
    return Run(key_of("rule", "o1"), "rule", "o1", "", START_MS, START_MS, 1, at=at)


def test_each_step_of_a_rule_is_an_occasion_of_its_own() -> None:
    assert occasion_of(run()) == "o1"
    assert occasion_of(run(at=3)) == "o1#3"


def test_a_receipt_names_rivals_but_not_the_rule_itself() -> None:
    play = Play(SEGMENTED)
    book = play.view.rulebook
    assert book is not None
    moment = Moment(ANNA, play.customer, play.view, book, START_MS)
    moment.wanting = ["other", "rule"]
    said = receipt(moment, run(), "capped", "enough")
    assert (said.rivals, said.verdict, said.status) == (["other"], "withheld", "capped")
    assert said.playbook_version == 1


def test_a_moment_knows_in_which_segments_the_customer_is() -> None:
    play = Play(SEGMENTED)
    play.happens(make(PageViewed))
    book = play.view.rulebook
    assert book is not None
    play.customer.views = 1
    assert Moment(ANNA, play.customer, play.view, book, START_MS).scope.segments == ("looking",)
