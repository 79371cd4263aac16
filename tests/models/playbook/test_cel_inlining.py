"""One function for the plain parts; that it means the same is seen in test_cel_compiler.py."""

from typing import Any

import pytest

from models.playbook.cel_inlining import inlined
from models.playbook.cel_parser import parse
from models.playbook.cel_tree import Field, Node


def build(text: str, **values: Any) -> tuple[Any, list[Node]]:
    """The function of a condition over these fields of the customer, and what it asks beside."""
    asked: list[Node] = []

    def ask(node: Node) -> Any:
        asked.append(node)
        name = node.name.removeprefix("customer.") if isinstance(node, Field) else "other"
        return lambda scope: values[name]

    return inlined(parse(text), ask, lambda node: True), asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer.a > 1 && customer.b == 'x'", True),
        ("customer.a < 1 || customer.b != 'x'", False),
        ("!(customer.a >= 3) && customer.a <= 2", True),
        ("customer.b in ['x', 'y']", True),
        ("customer.b in []", False),
        ("false || true", True),
    ],
)
def test_plain_parts_are_compared_in_one_function(text: str, expected: bool) -> None:
    function, asked = build(text, a=2, b="x")
    assert function(None) is expected
    assert all(isinstance(node, Field) for node in asked)


def test_what_is_not_plain_is_asked_for_as_a_whole() -> None:
    function, asked = build("customer.a + 1 > 2 && has(customer.b)", a=2, other=3)
    assert function(None) == 3
    assert [type(node).__name__ for node in asked] == ["Binary", "Has"]


def test_what_a_person_wrote_is_never_evaluated() -> None:
    text = "customer.b == \"__import__('os').system('false')\""
    function, _ = build(text, b="__import__('os').system('false')")
    assert function(None) is True
    assert function.__code__.co_names == ("part_0",)


def test_a_part_that_decides_leaves_the_rest_unasked() -> None:
    function, _ = build("customer.a > 5 && customer.missing == 1", a=2)
    assert function(None) is False
