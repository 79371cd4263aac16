"""Two names of one person under a playbook: what waits goes along, nothing is said twice."""

from models.customer import encode_row
from models.events import Absorbed
from tests.builders import ANNA, DAY, START_MS, make, named, order, viewed
from tests.models.triggers.playing import BROWSE, THANKS, Play


def absorbed(play: Play, other: Play, at_ms: int) -> list[str]:
    row = encode_row(other.customer)
    return play.happens(make(Absorbed, origin=named("phone"), row=row, at_ms=at_ms, customer=ANNA))


def test_what_the_other_name_waits_for_is_said_once_under_this_one() -> None:
    mine, theirs = Play(BROWSE), Play(BROWSE)
    theirs.happens(viewed("p1"))
    absorbed(mine, theirs, START_MS + 5)
    assert mine.passes_to(START_MS + DAY) == ["browse sent"]
    assert mine.passes_to(START_MS + 9 * DAY) == []


def test_an_order_under_one_name_answers_the_look_under_the_other() -> None:
    mine, theirs = Play(BROWSE), Play(BROWSE)
    theirs.happens(viewed("p1"))
    mine.happens(order("o1", at_ms=START_MS + 3))
    absorbed(mine, theirs, START_MS + 5)
    assert mine.passes_to(START_MS + DAY) == ["browse cancelled"]


def test_what_was_said_to_one_name_is_not_said_to_the_other() -> None:
    mine, theirs = Play(THANKS), Play(THANKS)
    theirs.happens(order("o1"))
    theirs.passes_to(START_MS + DAY)
    absorbed(mine, theirs, START_MS + 2 * DAY)
    mine.happens(order("o2", at_ms=START_MS + 3 * DAY))
    assert mine.passes_to(START_MS + 4 * DAY) == []
    assert "thanks" in mine.customer.playbook.said


def test_of_two_names_first_orders_one_is_thanked_for() -> None:
    mine, theirs = Play(THANKS), Play(THANKS)
    mine.happens(order("o2", at_ms=START_MS + 1))
    theirs.happens(order("o1"))
    absorbed(mine, theirs, START_MS + 5)
    assert mine.passes_to(START_MS + DAY).count("thanks sent") == 1


def test_thanks_that_wait_go_along_with_the_history() -> None:
    mine, theirs = Play(THANKS), Play(THANKS)
    theirs.happens(order("o1"))
    mine.happens(viewed())
    absorbed(mine, theirs, START_MS + 5)
    assert mine.passes_to(START_MS + DAY) == ["thanks sent"]
