"""Why a rule did nothing is found by asking its moment, conditions and guards one by one."""

from models.clock import DAY_MS
from models.customer import Customer
from models.events import TicketOpened
from models.playbook.rulebook import Rulebook
from models.triggers.absence import Finding, findings
from tests.builders import ANNA, START_MS, identified, make, order, step_all, view_at, viewed
from tests.models.triggers.playing import rulebook

RULES = """
holdout: {share: 0%}
segments: {buyers: {if: customer.orders > 0}}
triggers:
  silent:
    when: {silence: 30d, if: customer.orders > 3}
    then: [{message: hello}]
    guard: {tiers: high_value, segments: buyers}
  browse:
    when: {event: product_viewed, wait: 24h, if: event.category == "tea"}
    then: [{message: hello}]
  off:
    enabled: false
    when: {silence: 30d}
    then: [{message: hello}]
"""


def asked(rule: str, *events: object, text: str = RULES) -> list[Finding]:
    book: Rulebook = rulebook(text)
    customer = Customer()
    view = view_at(rulebook=book, playbook_version=1)
    step_all(customer, identified(sealed={"email": "x"}), *events, view=view)  # type: ignore[arg-type]
    return findings(ANNA, customer, book, rule, view)


def said(found: list[Finding]) -> dict[str, bool | None]:
    return {one.said: one.holds for one in found}


def test_a_rule_that_is_not_there_is_told_with_what_was_meant() -> None:
    assert asked("silet") == [
        Finding(False, "the playbook has no rule silet; did you mean silent?")
    ]


def test_a_rule_that_is_switched_off_is_told() -> None:
    assert asked("off") == [Finding(False, "the rule off is switched off")]


def test_conditions_tiers_and_segments_are_told_one_by_one() -> None:
    found = asked("silent", order())
    assert Finding(None, "its moment comes", START_MS + 30 * DAY_MS) in found
    told = said(found)
    assert told["condition 'customer.orders > 3'"] is False
    assert told["tier high_value is asked for, the customer is new"] is False
    assert told["segment buyers is asked for, the customer is in buyers"] is True


def test_a_rule_whose_event_never_came_says_which() -> None:
    told = said(asked("browse"))
    assert told["nothing waits: its moment is the event product_viewed"] is None
    assert told["condition 'event.category == \"tea\"': the event decides it"] is None


def test_a_rule_that_waits_says_about_what_and_until_when() -> None:
    text = RULES.replace(', if: event.category == "tea"', "")
    found = asked("browse", viewed("p1"), text=text)
    waits = [one for one in found if one.said.startswith("it waits")]
    assert [one.at_ms for one in waits] == [START_MS + DAY_MS]
    assert "p1" in waits[0].said


def test_guards_are_asked_up_to_the_first_that_stands_in_the_way() -> None:
    ticket = make(TicketOpened, ticket_id="t1")
    told = said(asked("silent", order(), ticket))
    assert told["in time"] is True
    assert told["muted: a complaint is open"] is False


def test_who_is_in_the_holdout_is_told_so() -> None:
    text = RULES.replace("share: 0%", "share: 100%")
    told = said(asked("silent", order(), text=text))
    assert told["the customer belongs to the holdout, who get nothing"] is False
