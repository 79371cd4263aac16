"""Types of a condition, found before it is ever asked: every mistake of it at once."""

from collections.abc import Mapping

from models.playbook.cel_tree import (
    Binary,
    Call,
    CelMistake,
    Choice,
    Entry,
    Field,
    Has,
    Items,
    Literal,
    Logic,
    Node,
    Unary,
)
from models.playbook.closeness import closest, listed
from models.playbook.fields import BOOL, DOUBLE, DYN, INT, MAP, STRING, STRINGS, FieldKind
from models.playbook.problem import shown

NUMBERS = frozenset({INT, DOUBLE})
_ORDERED = frozenset({INT, DOUBLE, STRING, BOOL, DYN})
_OF_PYTHON = {bool: BOOL, int: INT, float: DOUBLE, str: STRING}
_SAID = {
    BOOL: "true or false",
    INT: "a whole number",
    DOUBLE: "a number",
    STRING: "a text",
    STRINGS: "a list of texts",
    MAP: "a map",
    DYN: "a value of any type",
}


class Types:
    """Types of one condition over a table of fields; `mistakes` fills while it is asked."""

    def __init__(self, fields: Mapping[str, FieldKind]) -> None:
        self._fields = fields
        self.mistakes: list[CelMistake] = []

    def of(self, node: Node) -> str:
        """Type of a node; DYN where a mistake leaves it open."""
        match node:
            case Literal(value=value):
                return _OF_PYTHON[type(value)]
            case Field() | Entry():
                return self._known(node)
            case Has(asked=asked):
                self._known(asked)
                return BOOL
            case Items():
                return self._items(node)
            case Unary():
                return self._unary(node)
            case Logic(parts=parts):
                for part in parts:
                    self._expect(part, self.of(part), BOOL)
                return BOOL
            case Choice():
                return self._choice(node)
            case Call():
                return self._call(node)
            case Binary():
                return self._binary(node)

    def _known(self, node: Field | Entry) -> str:
        field = node if isinstance(node, Field) else node.field
        kind = self._fields.get(field.name)
        if kind is None:
            return self._unknown(field)
        if isinstance(node, Field):
            return kind.type
        if kind.type != MAP:
            self._wrong(node.at, f"{field.name} is {_said(kind.type)}, it has no entries", node.key)
        return DYN

    def _unknown(self, field: Field) -> str:
        root, dot, name = field.name.partition(".")
        known = [one for one in self._fields if one.startswith(f"{root}.")] or list(self._fields)
        meant = closest(field.name, known)
        if not dot:
            short = {one.partition(".")[2]: one for one in reversed(known)}
            meant = meant or short.get(closest(field.name, short), "")
        near = [one.partition(".")[2] for one in known if one.partition(".")[2][:1] == name[:1]]
        if root == "event" and dot and not any(one.startswith("event.") for one in self._fields):
            message, near = "the event is not at hand any more, or was never", []
        else:
            message = f"{field.name} is not known"
        self.mistakes.append(
            CelMistake(
                field.at,
                message,
                value=field.name,
                expected="a field of customer or event"
                + (f": {listed(f'{root}.{one}' for one in near)}" if near and not meant else ""),
                suggestion=meant,
            )
        )
        return DYN

    def _items(self, node: Items) -> str:
        types = [self.of(item) for item in node.items]
        for item, type_ in zip(node.items, types, strict=True):
            if _is_list(type_) or type_ == MAP:
                self._wrong(item.at, "a list here holds plain values only")
        plain = {type_ for type_ in types if type_ != DYN}
        if len(plain) > 1 and not plain <= NUMBERS:
            self._wrong(node.at, f"a list of {' and '.join(sorted(map(_said, plain)))} mixed")
        if len(types) == 0 or DYN in types or len(plain) != 1:
            return f"list({DYN})"
        return f"list({plain.pop()})"

    def _unary(self, node: Unary) -> str:
        type_ = self.of(node.operand)
        if node.sign == "!":
            self._expect(node.operand, type_, BOOL)
            return BOOL
        if type_ not in NUMBERS:
            self._wrong(node.at, f"- is for numbers, this is {_said(type_)}")
            return DYN
        return type_

    def _choice(self, node: Choice) -> str:
        self._expect(node.condition, self.of(node.condition), BOOL)
        one, other = self.of(node.one), self.of(node.other)
        if one != other and DYN not in (one, other):
            self._wrong(node.at, f"both answers must be alike, not {_said(one)} and {_said(other)}")
        return one if one == other else DYN

    def _call(self, node: Call) -> str:
        types = [self.of(argument) for argument in node.arguments]
        if node.function == "size":
            if types[0] not in (STRING, MAP) and not _is_list(types[0]):
                self._wrong(node.at, f"size is for texts and lists, this is {_said(types[0])}")
            return INT
        if node.function in NUMBERS:
            if types[0] not in NUMBERS:
                self._wrong(node.at, f"{node.function} is for numbers, this is {_said(types[0])}")
            return node.function
        for argument, type_ in zip(node.arguments, types, strict=True):
            self._expect(argument, type_, STRING)
        return BOOL

    def _binary(self, node: Binary) -> str:
        left, right = self.of(node.left), self.of(node.right)
        if node.sign == "in":
            self._membership(node, left, right)
        elif node.sign in ("==", "!="):
            if not _comparable(left, right):
                self._unlike(node, left, right)
            self._check_values(node.left, node.right)
            self._check_values(node.right, node.left)
        elif node.sign in ("<", "<=", ">", ">="):
            if not (_comparable(left, right) and left in _ORDERED and right in _ORDERED):
                self._unlike(node, left, right)
        else:
            return self._arithmetic(node, left, right)
        return BOOL

    def _arithmetic(self, node: Binary, left: str, right: str) -> str:
        is_fine = left == right and (
            left == INT
            or (left == DOUBLE and node.sign != "%")
            or (left == STRING and node.sign == "+")
        )
        if is_fine:
            return left
        hint = ""
        if {left, right} == NUMBERS:
            hint = "double(...) around the whole number, or .0 behind it"
        self._wrong(
            node.at,
            f"{node.sign} is not for {_said(left)} and {_said(right)}",
            node.sign,
            hint or "two numbers of one kind",
        )
        return DYN

    def _membership(self, node: Binary, left: str, right: str) -> None:
        if right == MAP:
            self._expect(node.left, left, STRING)
        elif not _is_list(right):
            self._wrong(node.at, f"in is for lists, this is {_said(right)}", "in", "a list")
        elif _is_list(left) or left == MAP or not _comparable(left, right[5:-1]):
            self._unlike(node, left, right)
        if isinstance(node.right, Items):
            for item in node.right.items:
                self._check_values(node.left, item)
        if _is_list(right):
            self._check_values(node.right, node.left)

    def _check_values(self, field: Node, literal: Node) -> None:
        """Refuse a text that the field can never be."""
        if not (isinstance(field, Field) and isinstance(literal, Literal)):
            return
        kind = self._fields.get(field.name)
        if kind is None or kind.values is None or not isinstance(literal.value, str):
            return
        if literal.value not in kind.values:
            self.mistakes.append(
                CelMistake(
                    literal.at,
                    f"{field.name} is never {shown(literal.value)!r}",
                    value=literal.value,
                    expected=f"one of {listed(kind.values) or 'none, there are no such names'}",
                    suggestion=closest(literal.value, kind.values),
                )
            )

    def _expect(self, node: Node, found: str, wanted: str) -> None:
        if found not in (wanted, DYN):
            self._wrong(node.at, f"this is {_said(found)}", expected=_said(wanted))

    def _unlike(self, node: Binary, left: str, right: str) -> None:
        self._wrong(
            node.at,
            f"{_said(left)} can't be compared with {_said(right)} by {node.sign}",
            node.sign,
            "two values of one kind",
        )

    def _wrong(self, at: int, message: str, value: str = "", expected: str = "") -> None:
        self.mistakes.append(CelMistake(at, message, value=value, expected=expected))


def mistakes_in(tree: Node, fields: Mapping[str, FieldKind]) -> list[CelMistake]:
    """All mistakes of a condition over these fields, in the order of the text."""
    types = Types(fields)
    found = types.of(tree)
    if found not in (BOOL, DYN):
        types.mistakes.append(
            CelMistake(tree.at, f"this is {_said(found)}", expected="a condition, true or false")
        )
    return sorted(types.mistakes, key=lambda one: one.at)


def _comparable(left: str, right: str) -> bool:
    if DYN in (left, right) or left == right:
        return left != MAP
    if _is_list(left) and _is_list(right):
        return _comparable(left[5:-1], right[5:-1])
    return {left, right} == NUMBERS


def _is_list(type_: str) -> bool:
    return type_.startswith("list(")


def _said(type_: str) -> str:
    return _SAID.get(type_, "a list")
