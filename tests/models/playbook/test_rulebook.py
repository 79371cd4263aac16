"""A playbook in the fold: an event touches its candidates, not all rules."""

from dataclasses import replace
from typing import Any

import pytest

from models.customer import RECENT_TYPES, Customer
from models.playbook.cel_parser import parse
from models.playbook.check import check
from models.playbook.event_fields import EVENT_FIELDS
from models.playbook.fields import Scope
from models.playbook.playbook import Playbook
from models.playbook.rulebook import Rulebook, compile_playbook, simple_filter
from models.playbook.when import OnEvent, OnSilence
from tests.builders import START_MS, Line, order, viewed
from tests.models.playbook.broken import HELLO, SHOP
from tests.models.playbook.test_check import STARTER

RULES = 300


def book_of(triggers: str, more: str = "") -> Playbook:
    found = check("p.yaml", f"{SHOP}triggers:\n{triggers}{HELLO}{more}".encode())
    assert found.playbook is not None, [str(one) for one in found.problems]
    return found.playbook


def rulebook(triggers: str, more: str = "") -> Rulebook:
    return compile_playbook(book_of(triggers, more))


def on_view(name: str, condition: str = "", guard: str = "{}") -> str:
    when = "event: product_viewed" + (f', if: "{condition}"' if condition else "")
    return f"  {name}: {{when: {{{when}}}, then: {{message: hello}}, guard: {guard}}}\n"


def many(count: int) -> str:
    """Rules as shops write them: each about a category, a product, a search or a tag of theirs."""
    return "".join(
        [
            on_view(f"category_{at}", f"customer.orders >= 1 && event.category == 'c{at}'")
            if at % 3 == 0
            else on_view(f"product_{at}", f"event.product_id in ['p{at}', 'q{at}']")
            if at % 3 == 1
            else f"  custom_{at}: {{when: {{event: tracked, if: \"event.name == 'Quiz {at}'\"}}, "
            "then: {message: hello}}\n"
            for at in range(count)
        ]
    )


def scope_of(event: Any, **fields: Any) -> Scope:
    return Scope(Customer(**fields), START_MS, event)


class Counting:
    """Counts how often conditions are asked."""

    def __init__(self) -> None:
        self.asked = 0

    def around(self, holds: Any) -> Any:
        def counted(scope: Scope) -> bool:
            self.asked += 1
            return bool(holds(scope))

        return counted


@pytest.mark.parametrize("count", [30, RULES])
def test_an_event_touches_its_candidates_however_many_rules_there_are(count: int) -> None:
    rules = rulebook(many(count) + on_view("every_view"))
    scope = scope_of(viewed("p4", line={"category": "c3"}), orders=2)
    counting = Counting()
    found = [
        replace(rule, begins=counting.around(rule.begins))
        for rule in rules.candidates("product_viewed", scope)
    ]
    assert [rule.name for rule in found if rule.begins(scope)] == [
        "category_3",
        "every_view",
        "product_4",
    ]
    assert counting.asked == 3
    assert len(rules.rules) == count + 1


def test_what_concerns_no_rule_touches_none() -> None:
    rules = rulebook(many(RULES))
    assert rules.candidates("product_viewed", scope_of(viewed("other"))) == []
    assert rules.candidates("order_completed", scope_of(order())) == []


def test_the_higher_priority_goes_first_and_then_the_name() -> None:
    rules = rulebook(
        on_view("low", guard="{priority: 1}")
        + on_view("b")
        + on_view("a", "event.category == 'shoes'")
        + on_view("high", "event.category == 'shoes'", "{priority: 90}")
    )
    scope = scope_of(viewed(line={"category": "shoes"}))
    found = [rule.name for rule in rules.candidates("product_viewed", scope)]
    assert found == ["high", "a", "b", "low"]


def test_rules_that_no_filter_tells_apart_are_known_without_looking_at_the_event() -> None:
    plain = rulebook(on_view("a") + on_view("b", guard="{priority: 60}"))
    found = plain.without_filter("product_viewed")
    assert found is not None
    assert [rule.name for rule in found] == ["b", "a"]
    assert plain.candidates("product_viewed", scope_of(viewed("p1"))) == found
    assert plain.without_filter("order_completed") == ()
    filtered = rulebook(on_view("a") + on_view("c", "event.category == 'shoes'"))
    assert filtered.without_filter("product_viewed") is None


def test_the_events_that_end_a_first_wait_are_known_by_their_codes_but_orders() -> None:
    text = (
        "  a:\n    when: {event: product_viewed, wait: 1d, unless: [order_completed, unsubscribed]}"
    )
    rule = rulebook(text + "\n    then: [{message: hello}]\n").rules["a"]
    assert {RECENT_TYPES[code] for code in rule.ends} == {"unsubscribed"}


def test_a_filter_over_an_orders_lines_looks_each_of_them_up_once() -> None:
    when = "{event: order_completed, if: \"'shoes' in event.categories\"}"
    rules = rulebook(f"  shoes: {{when: {when}, then: {{message: hello}}}}\n")
    lines = (Line("p1", category="shoes"), Line("p2", category="shoes"), Line("p3"))
    assert len(rules.candidates("order_completed", scope_of(order(lines=lines)))) == 1
    assert rules.candidates("order_completed", scope_of(order(lines=lines[2:]))) == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("event.category == 'a'", ("event.category", {"a"})),
        ("'a' == event.category", ("event.category", {"a"})),
        ("event.category in ['a', 'b']", ("event.category", {"a", "b"})),
        ("customer.orders > 1 && event.brand == 'a' && event.sku == 'b'", ("event.brand", {"a"})),
        ("event.category == 'a' || event.category == 'b'", None),
        ("!(event.category == 'a')", None),
        ("event.category != 'a'", None),
        ("event.category == event.brand", None),
        ("customer.tier == 'new'", None),
        ("event.price == 3.0", None),
        ("event.properties.x == 'a'", None),
        ("event.category in ['a', event.brand]", None),
    ],
)
def test_only_what_must_be_so_serves_as_a_filter(condition: str, expected: Any) -> None:
    found = simple_filter(parse(condition), EVENT_FIELDS["product_viewed"])
    assert (found and (found[0], set(found[2]))) == expected


def test_filters_change_nothing_but_the_work() -> None:
    texts = [
        "event.category == 'a'",
        "event.category in ['a', 'b'] && customer.orders == 0",
        "event.category == 'a' || event.brand == 'b'",
        "event.category == '' && event.product_id == 'p1'",
    ]
    rules = rulebook("".join(on_view(f"r{at}", text) for at, text in enumerate(texts)))
    for category in ("a", "b", "", "c"):
        scope = scope_of(viewed("p1", line={"category": category, "brand": "b"}))
        found = rules.candidates("product_viewed", scope)
        holding = {rule.name for rule in found if rule.begins(scope)}
        assert holding == {name for name, rule in rules.rules.items() if rule.begins(scope)}


def test_guards_join_tiers_segments_and_conditions() -> None:
    guard = "{tiers: [new], segments: [a, b], if: customer.orders < 3}"
    segments = "segments: {a: {if: customer.views > 1}, b: {if: customer.carts > 1}}\n"
    rules = rulebook(on_view("one", guard=guard), segments)
    may_act = rules.rules["one"].may_act
    scope = scope_of(None, orders=1)
    assert may_act(scope) is False
    scope.segments = ("b",)
    assert may_act(scope) is True
    scope.customer.tier = "dormant"
    assert may_act(scope) is False
    scope.customer.tier, scope.customer.orders = "new", 3
    assert may_act(scope) is False


def test_segments_that_rest_on_others_come_after_them() -> None:
    segments = (
        "segments:\n  a: {if: \"'b' in customer.segments && customer.known\"}\n"
        "  b: {if: customer.views > 1}\n  c: {if: \"!('a' in customer.segments)\"}\n"
    )
    rules = rulebook(on_view("one"), segments)
    assert rules.segments_of(scope_of(None, views=2, known=True)) == ("b", "a")
    assert rules.segments_of(scope_of(None, views=2)) == ("b", "c")


def test_rules_are_found_by_moment_and_by_what_ends_their_waiting() -> None:
    rules = compile_playbook(starter())
    assert [rule.name for rule in rules.at(OnSilence)] == ["thirty_days_of_silence"]
    assert [rule.name for rule in rules.at(OnEvent)] == ["browse_reminder", "thank_you"]
    assert [rule.name for rule in rules.stopped_by("order_cancelled")] == ["thank_you"]
    assert [rule.name for rule in rules.stopped_by("order_completed")] == ["browse_reminder"]
    assert rules.stopped_by("page_viewed") == ()


def starter() -> Playbook:
    found = check("starter.yaml", STARTER).playbook
    assert found is not None
    return found


def test_the_starter_thanks_for_the_first_order_only() -> None:
    rules = compile_playbook(starter())
    event = order()
    (thank_you,) = rules.candidates("order_completed", scope_of(event))
    assert thank_you.begins(scope_of(event, orders=1)) is True
    assert thank_you.begins(scope_of(event, orders=2)) is False
    assert thank_you.asks == {"customer.orders"}


def test_a_rule_says_whether_the_hazard_must_be_settled_before() -> None:
    rules = rulebook(on_view("a", "customer.hazard < 0.2") + on_view("b"))
    assert rules.rules["a"].needs_foretelling
    assert not rules.rules["b"].needs_foretelling


@pytest.mark.parametrize(("currency", "expected"), [("EUR", 100), ("JPY", 1)])
def test_amounts_are_asked_in_the_shops_currency(currency: str, expected: int) -> None:
    text = SHOP.replace("EUR", currency) + f"triggers:\n{on_view('a')}{HELLO}"
    book = check("p.yaml", text.encode()).playbook
    assert book is not None
    assert compile_playbook(book).minor_units == expected


def test_a_rule_that_is_off_is_left_out() -> None:
    text = on_view("a").replace("guard: {}", "enabled: false")
    assert rulebook(text + on_view("b")).rules.keys() == {"b"}


def test_cadences_that_go_by_the_tier_are_known_for_each_tier() -> None:
    cadence = "  {0}:\n    when: {{every: 3d, while: '{1}'}}\n    then: [{{tag: t}}]\n"
    by_tier = cadence.format("a", 'customer.tier == "new"')
    also = cadence.format("b", 'customer.tier in ["new", "regular"]')
    rules = rulebook(by_tier + also)
    assert rules.beats is not None
    assert rules.beats["new"] == {"a", "b"}
    assert rules.beats["regular"] == {"b"}
    assert rules.beats["dormant"] == frozenset()
    counting = cadence.format("c", "customer.views > 3")
    assert rulebook(by_tier + counting).beats is None
    assert not rulebook(counting).is_looked_at(Customer(orders=1, tier="regular"))
