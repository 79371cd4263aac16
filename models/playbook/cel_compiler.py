"""From a checked condition to Python functions: no text is ever evaluated.

Semantics are CEL's. What is not known raises Unanswerable; `&&` and `||` answer without it where
the other parts decide. Where the reference library in tests and CEL's specification differ the
specification holds: `size` of a text counts characters, whole and broken numbers compare exactly,
and the smallest whole number has no negative.
"""

import operator
from collections.abc import Callable, Mapping
from math import copysign, inf, isfinite, isnan, nan
from typing import Any

from models.playbook.cel_inlining import inlined
from models.playbook.cel_tokens import INT_MAX, INT_MIN
from models.playbook.cel_tree import (
    Binary,
    Call,
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
from models.playbook.cel_types import Types
from models.playbook.fields import BOOL, DOUBLE, DYN, INT, STRING, FieldKind, Scope, Unanswerable

Ask = Callable[[Scope], Any]
Fields = Mapping[str, FieldKind]
_PLAIN = frozenset({bool, int, float, str})


def compile_condition(tree: Node, fields: Fields) -> Callable[[Scope], bool]:
    """Whether the condition holds; one that can't be answered does not."""
    surely = _as(BOOL, tree, fields)
    quickly = inlined(
        tree,
        lambda part: _as(BOOL, part, fields) if part is tree else _ask(part, fields),
        lambda part: _is_plain(part, fields),
    )

    def holds(scope: Scope) -> bool:
        try:
            return quickly(scope)  # type: ignore[no-any-return]
        except Unanswerable:
            pass
        try:
            # Another part may decide although one can't be answered.
            return surely(scope)  # type: ignore[no-any-return]
        except Unanswerable:
            return False

    return holds


def compile_value(tree: Node, fields: Fields) -> Ask:
    """Value of a checked expression; the function raises Unanswerable where there is none."""
    return _ask(tree, fields)


def _ask(node: Node, fields: Fields) -> Ask:
    match node:
        case Literal(value=value):
            return lambda scope: value
        case Field(name=name):
            return fields[name].read
        case Entry(field=field, key=key):
            return _entry(fields[field.name].read, key)
        case Has(asked=asked):
            return _has(asked, fields)
        case Items(items=items):
            return _items(items, fields)
        case Unary(sign=sign, operand=operand):
            return _unary(sign, operand, fields)
        case Logic():
            return _logic(node, fields)
        case Choice(condition=condition, one=one, other=other):
            return _choice(_as(BOOL, condition, fields), _ask(one, fields), _ask(other, fields))
        case Call():
            return _call(node, fields)
        case Binary():
            return _binary(node, fields)


def _type_of(node: Node, fields: Fields) -> str:
    return Types(fields).of(node)


def _as(type_: str, node: Node, fields: Fields) -> Ask:
    """Ask for a value of this type; only what is of any type needs a look at run time."""
    ask = _ask(node, fields)
    if _type_of(node, fields) != DYN:
        return ask
    wanted = {BOOL: bool, STRING: str}[type_]

    def checked(scope: Scope) -> Any:
        value = ask(scope)
        if type(value) is not wanted:
            raise Unanswerable
        return value

    return checked


def _entry(read: Ask, key: str) -> Ask:
    def entry(scope: Scope) -> Any:
        value = read(scope).get(key)
        # What is nested has no place in the language: as if it were not known.
        if type(value) not in _PLAIN:
            raise Unanswerable
        return value

    return entry


def _has(asked: Field | Entry, fields: Fields) -> Ask:
    ask = _ask(asked, fields)

    def has(scope: Scope) -> bool:
        try:
            ask(scope)
        except Unanswerable:
            return False
        return True

    return has


def _items(items: tuple[Node, ...], fields: Fields) -> Ask:
    if all(isinstance(item, Literal) for item in items):
        values = [item.value for item in items if isinstance(item, Literal)]
        return lambda scope: values
    asks = [_ask(item, fields) for item in items]
    return lambda scope: [ask(scope) for ask in asks]


def _unary(sign: str, operand: Node, fields: Fields) -> Ask:
    if sign == "!":
        ask = _as(BOOL, operand, fields)
        return lambda scope: not ask(scope)
    ask = _ask(operand, fields)
    if _type_of(operand, fields) == INT:
        return lambda scope: _within(-ask(scope))
    return lambda scope: -ask(scope)


def _choice(condition: Ask, one: Ask, other: Ask) -> Ask:
    return lambda scope: one(scope) if condition(scope) else other(scope)


def _logic(node: Logic, fields: Fields) -> Ask:
    """Ask one part after another; one that decides does so though another can't be answered."""
    decides = node.sign == "||"
    asks = [_as(BOOL, part, fields) for part in node.parts]

    def logic(scope: Scope) -> bool:
        is_open = False
        for ask in asks:
            try:
                if ask(scope) == decides:
                    return decides
            except Unanswerable:
                is_open = True
        if is_open:
            raise Unanswerable
        return not decides

    return logic


def _call(node: Call, fields: Fields) -> Ask:
    if node.function == "size":
        ask = _ask(node.arguments[0], fields)
        return lambda scope: len(ask(scope))
    if node.function == DOUBLE:
        ask = _ask(node.arguments[0], fields)
        return lambda scope: float(ask(scope))
    if node.function == INT:
        ask = _ask(node.arguments[0], fields)
        return lambda scope: _whole(ask(scope))
    text, part = (_as(STRING, argument, fields) for argument in node.arguments)
    if node.function == "startsWith":
        return lambda scope: text(scope).startswith(part(scope))
    if node.function == "endsWith":
        return lambda scope: text(scope).endswith(part(scope))
    return lambda scope: part(scope) in text(scope)


def _binary(node: Binary, fields: Fields) -> Ask:
    left, right = _ask(node.left, fields), _ask(node.right, fields)
    is_plain = _is_plain(node.left, fields) and _is_plain(node.right, fields)
    if node.sign == "in":
        return _membership(left, right, is_plain=is_plain)
    if node.sign in _COMPARED:
        if not is_plain:
            return _looked_at(node.sign, left, right)
        return _COMPARED[node.sign](left, right)
    if _type_of(node.left, fields) == INT:
        return _WHOLE_NUMBERS[node.sign](left, right)
    if node.sign == "/":
        return lambda scope: _divided(left(scope), right(scope))
    return _BROKEN_NUMBERS[node.sign](left, right)


def _is_plain(node: Node, fields: Fields) -> bool:
    """Whether Python compares such values as CEL does: their type is known, and none is NaN.

    What is known of customers and written in conditions is a number; NaN comes of arithmetic only.
    """
    if isinstance(node, Items):
        return all(_is_plain(item, fields) for item in node.items)
    type_ = _type_of(node, fields)
    return DYN not in type_ and (type_ != DOUBLE or isinstance(node, Field | Literal))


def _membership(left: Ask, right: Ask, *, is_plain: bool) -> Ask:
    if is_plain:
        return lambda scope: left(scope) in right(scope)

    def among(scope: Scope) -> bool:
        value = left(scope)
        return any(_same(value, item) for item in right(scope))

    return among


_COMPARED: dict[str, Callable[[Ask, Ask], Ask]] = {
    "==": lambda left, right: lambda scope: left(scope) == right(scope),
    "!=": lambda left, right: lambda scope: left(scope) != right(scope),
    "<": lambda left, right: lambda scope: left(scope) < right(scope),
    "<=": lambda left, right: lambda scope: left(scope) <= right(scope),
    ">": lambda left, right: lambda scope: left(scope) > right(scope),
    ">=": lambda left, right: lambda scope: left(scope) >= right(scope),
}
_WHOLE_NUMBERS: dict[str, Callable[[Ask, Ask], Ask]] = {
    "+": lambda left, right: lambda scope: _within(left(scope) + right(scope)),
    "-": lambda left, right: lambda scope: _within(left(scope) - right(scope)),
    "*": lambda left, right: lambda scope: _within(left(scope) * right(scope)),
    "/": lambda left, right: lambda scope: _quotient(left(scope), right(scope)),
    "%": lambda left, right: lambda scope: _remainder(left(scope), right(scope)),
}
_BROKEN_NUMBERS: dict[str, Callable[[Ask, Ask], Ask]] = {
    "+": lambda left, right: lambda scope: left(scope) + right(scope),
    "-": lambda left, right: lambda scope: left(scope) - right(scope),
    "*": lambda left, right: lambda scope: left(scope) * right(scope),
}
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _looked_at(sign: str, left: Ask, right: Ask) -> Ask:
    """Compare where types show at run time only."""
    if sign == "==":
        return lambda scope: _same(left(scope), right(scope))
    if sign == "!=":
        return lambda scope: not _same(left(scope), right(scope))
    order = _ORDERS[sign]

    def compared(scope: Scope) -> bool:
        one, other = left(scope), right(scope)
        if _family(one) != _family(other) or _family(one) == "list":
            raise Unanswerable
        if not (one < other or one >= other):
            # NaN has no place in any order.
            raise Unanswerable
        return order(one, other)

    return compared


def _family(value: Any) -> str:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | float):
        return DOUBLE
    return STRING if isinstance(value, str) else "list"


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; true is not 1, and unlike kinds are never equal."""
    if _family(one) != _family(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _within(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Unanswerable


def _quotient(one: int, other: int) -> int:
    """Whole division towards zero, as CEL has it."""
    if not other:
        raise Unanswerable
    whole = abs(one) // abs(other)
    return _within(whole if (one < 0) == (other < 0) else -whole)


def _remainder(one: int, other: int) -> int:
    if not other or (one == INT_MIN and other == -1):
        raise Unanswerable
    rest = abs(one) % abs(other)
    return -rest if one < 0 else rest


def _divided(one: float, other: float) -> float:
    if other:
        return one / other
    if one == 0 or isnan(one):
        return nan
    return copysign(inf, one) * copysign(1.0, other)


def _whole(value: float) -> int:
    if isinstance(value, float) and not isfinite(value):
        raise Unanswerable
    return _within(int(value))
