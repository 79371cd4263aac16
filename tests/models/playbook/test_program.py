"""Steps as a flat list: places that branches and arms lead to, and a fingerprint of the rule."""

from models.playbook.program import Choose, Do, Draw, Jump, Pause, compile_steps, fingerprint
from tests.models.triggers.playing import rulebook

RULES = """
triggers:
  one:
    when: {event: page_viewed}
    then:
      - tag: a
      - wait: 1d
        unless: [order_completed, unsubscribed]
      - if: customer.orders > 0
        then: [{tag: b}]
        else: [{tag: c}, {tag: d}]
      - split:
          - {arm: x, share: 50%, then: [{tag: e}]}
          - {arm: y, share: 50%}
      - tag: f
"""


def test_branches_and_arms_become_places_and_all_meet_again() -> None:
    ops = rulebook(RULES).rules["one"].program.ops
    kinds = [type(op) for op in ops]
    assert kinds == [Do, Pause, Choose, Do, Jump, Do, Do, Draw, Do, Jump, Jump, Do]
    choose, leave, draw = ops[2], ops[4], ops[7]
    assert isinstance(choose, Choose)
    assert choose.otherwise == 5
    assert leave == Jump(7)
    assert isinstance(draw, Draw)
    assert draw.places == {"x": 8, "y": 10}
    assert ops[9] == ops[10] == Jump(11)


def test_what_may_end_a_wait_is_known_of_the_whole_rule_and_found_by_the_event() -> None:
    book = rulebook(RULES)
    assert book.rules["one"].program.stops == {"order_completed", "unsubscribed"}
    assert [rule.name for rule in book.stopped_by("unsubscribed")] == ["one"]


def test_a_rule_is_told_from_what_it_was_before() -> None:
    one, same, other = (
        fingerprint(rulebook(text).book.triggers["one"])
        for text in (RULES, RULES, RULES.replace("tag: f", "tag: g"))
    )
    assert one == same != other


def test_no_steps_are_no_places() -> None:
    assert compile_steps("one", (), lambda text: lambda scope: True) == ((), frozenset())
