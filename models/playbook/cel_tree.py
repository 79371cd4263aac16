"""A condition as a tree: the subset of CEL that a playbook may use.

Literals (true, false, numbers, text, lists), fields (`customer.orders`), entries of maps
(`customer.traits.city`, `customer.traits["shoe size"]`), `has(...)`, `! - * / % + -`, comparisons,
`in`, `&& ||`, `? :`, `size`, `double`, `int`, `startsWith`, `endsWith`, `contains`. `at` is where
in the text a node begins.
"""

from dataclasses import dataclass


class CelMistake(Exception):
    """The text is no condition of the subset: where, what stands there, what was expected."""

    def __init__(
        self, at: int, message: str, *, value: str = "", expected: str = "", suggestion: str = ""
    ) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.value = value
        self.expected = expected
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true or false, as it was written."""

    at: int
    value: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Field:
    """Something known of the customer or the event, by its dotted name."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a field that is a map."""

    at: int
    field: Field
    key: str


@dataclass(frozen=True, slots=True)
class Has:
    """Whether a field or an entry is known."""

    at: int
    asked: Field | Entry


@dataclass(frozen=True, slots=True)
class Items:
    """A list as it was written."""

    at: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`!` or `-` before something."""

    at: int
    sign: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """A comparison, `in`, or arithmetic; `at` is where the sign stands."""

    at: int
    sign: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Logic:
    """Parts joined by `&&` or by `||`; joining is associative, so there are as many as written."""

    at: int
    sign: str
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? one : other`."""

    at: int
    condition: "Node"
    one: "Node"
    other: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the subset, the value it is asked of first."""

    at: int
    function: str
    arguments: tuple["Node", ...]


Node = Literal | Field | Entry | Has | Items | Unary | Binary | Logic | Choice | Call


def parts_of(node: Node) -> tuple[Node, ...]:
    """Nodes a node is made of, in the order of the text."""
    match node:
        case Items(items=parts) | Logic(parts=parts) | Call(arguments=parts):
            return parts
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Choice(condition=condition, one=one, other=other):
            return (condition, one, other)
        case Entry(field=asked) | Has(asked=asked):
            return (asked,)
    return ()


def fields_in(node: Node) -> frozenset[str]:
    """Names of all fields a condition asks for."""
    found = {node.name} if isinstance(node, Field) else set()
    return frozenset(found.union(*(fields_in(part) for part in parts_of(node))))
