"""Which fields a condition may ask, and what segments it rests on."""

import pytest

from models.playbook.cel_parser import parse
from models.playbook.cel_tokens import tokens_of
from models.playbook.cel_tree import fields_in
from models.playbook.check import check
from models.playbook.conditions import check_conditions, customer_fields
from models.playbook.consistency import foundations_first, segments_asked
from models.playbook.files import gather
from models.playbook.never import never_fires
from models.playbook.playbook import Playbook
from tests.models.playbook.broken import SHOP, rule


def test_segments_can_be_asked_by_the_names_they_have() -> None:
    assert customer_fields(("a", "b"))["customer.segments"].values == ("a", "b")


def test_the_event_is_asked_in_the_moment_only() -> None:
    text = SHOP + rule(
        "{event: order_completed, if: event.total > 3}", guard="{if: event.total > 3}"
    )
    found = gather("p.yaml", text.encode(), lambda name: None)
    right, problems = check_conditions(found)
    assert list(right) == [("triggers", "one", "when", "if")]
    assert [one.place.line for one in problems] == [8]


def test_conditions_that_are_wrong_are_not_asked_whether_they_can_hold() -> None:
    found = gather("p.yaml", (SHOP + rule("{silence: 30d}")).encode(), lambda name: None)
    assert list(never_fires(Playbook(), check_conditions(found)[0])) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a' in customer.segments && !('b' in customer.segments)", {"a", "b"}),
        ("customer.orders > 1", set()),
    ],
)
def test_a_condition_rests_on_the_segments_it_names(text: str, expected: set[str]) -> None:
    assert segments_asked(parse(text)) == expected


def test_a_circle_of_segments_is_told_once_and_whole() -> None:
    text = "".join(
        f"  {a}: {{if: \"'{b}' in customer.segments\"}}\n" for a, b in ("bc", "ca", "ab")
    )
    found = check("p.yaml", f"{SHOP}segments:\n{text}".encode())
    assert [(one.place.line, one.message) for one in found.errors] == [
        (7, "segment a rests on itself: a -> b -> c -> a")
    ]


def test_a_long_row_of_segments_is_no_circle() -> None:
    trees = {"s0": parse("customer.known")} | {
        f"s{at}": parse(f"'s{at - 1}' in customer.segments") for at in range(1, 3_000)
    }
    assert foundations_first(dict(reversed(trees.items()))) == list(trees)


def test_a_condition_knows_its_fields() -> None:
    text = (
        "has(customer.hazard) ? customer.traits.city == 'a' : event.total > double(customer.orders)"
    )
    assert fields_in(parse(text)) == {
        "customer.hazard",
        "customer.traits",
        "customer.orders",
        "event.total",
    }


def test_every_word_of_a_condition_has_its_place() -> None:
    found = [(one.kind, one.at) for one in tokens_of("customer.orders>=2 // many")]
    assert found == [("word", 0), ("sign", 8), ("word", 9), ("sign", 15), ("int", 17), ("end", 26)]
