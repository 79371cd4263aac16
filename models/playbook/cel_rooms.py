"""Whether a condition can ever hold: what it leaves of each field's values.

Each way to fulfil it is a list of clauses; a way is closed when its clauses leave a field no value.
What is not understood (arithmetic, fields against fields) closes nothing, so the answer "never" is
right and "perhaps" may be wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil, floor, inf

from models.playbook.cel_tree import (
    Binary,
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
from models.playbook.fields import BOOL, INT, FieldKind

WAYS_MAX = 128
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
Clause = tuple[Node, bool]


class _TooManyWays(Exception):
    """Nobody can look at all of them."""


def can_hold(tree: Node, fields: Mapping[str, FieldKind]) -> bool:
    """Whether any customer and event could fulfil the condition; true when in doubt."""
    try:
        return any(_is_open(way, fields) for way in _ways(tree, True))
    except _TooManyWays:
        return True


def _ways(node: Node, wanted: bool) -> list[list[Clause]]:
    if isinstance(node, Unary) and node.sign == "!":
        return _ways(node.operand, not wanted)
    if isinstance(node, Literal) and isinstance(node.value, bool):
        return [[]] if node.value is wanted else []
    if isinstance(node, Logic):
        parts = [_ways(part, wanted) for part in node.parts]
        if (node.sign == "||") is wanted:
            return _bounded([way for ways in parts for way in ways])
        return _all_together(parts)
    if isinstance(node, Choice):
        yes = _all_together([_ways(node.condition, True), _ways(node.one, wanted)])
        no = _all_together([_ways(node.condition, False), _ways(node.other, wanted)])
        return _bounded(yes + no)
    return [[(node, wanted)]]


def _all_together(parts: list[list[list[Clause]]]) -> list[list[Clause]]:
    whole: list[list[Clause]] = [[]]
    for ways in parts:
        whole = _bounded([one + other for one in whole for other in ways])
    return whole


def _bounded(ways: list[list[Clause]]) -> list[list[Clause]]:
    if len(ways) > WAYS_MAX:
        raise _TooManyWays
    return ways


@dataclass
class _Room:
    """What is left of one field's values."""

    is_whole: bool = False
    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False
    only: set[object] | None = None
    never: set[object] = field(default_factory=set)
    holds: set[object] = field(default_factory=set)
    lacks: set[object] = field(default_factory=set)
    known: bool | None = None
    is_closed: bool = False

    def narrow(self, sign: str, value: bool | int | float | str) -> None:
        """Keep the values that compare so with this one."""
        if sign == "==":
            self.among({_plain(value)})
        elif sign == "!=":
            self.never.add(_plain(value))
        elif isinstance(value, bool | str):
            return
        elif sign in (">", ">="):
            self.low, self.low_open = max((self.low, self.low_open), (value, sign == ">"))
        elif (-value, sign == "<") > (-self.high, self.high_open):
            self.high, self.high_open = value, sign == "<"

    def among(self, values: set[object]) -> None:
        """Keep these values only."""
        self.only = values if self.only is None else self.only & values

    def is_open(self) -> bool:
        """Whether a value is left."""
        if self.is_closed or self.holds & self.lacks:
            return False
        if self.only is not None:
            return any(one not in self.never and self._fits(one) for one in self.only)
        low, high = self.low, self.high
        if self.is_whole and low > -inf and high < inf:
            first = floor(low) + 1 if self.low_open else ceil(low)
            last = ceil(high) - 1 if self.high_open else floor(high)
            return any(("number", one) not in self.never for one in _few(first, last))
        if low == high:
            return not (self.low_open or self.high_open or ("number", low) in self.never)
        return low < high

    def _fits(self, value: object) -> bool:
        if not (isinstance(value, tuple) and value[0] == "number"):
            return True
        number = value[1]
        if self.is_whole and number != floor(number):
            return False
        above = number > self.low or (number == self.low and not self.low_open)
        return bool(above and (number < self.high or (number == self.high and not self.high_open)))


def _few(first: int, last: int) -> Iterator[int]:
    """Some of the whole numbers between two: enough for what can be forbidden one by one."""
    yield from range(first, min(last, first + 4_000) + 1)


def _plain(value: bool | int | float | str) -> object:
    """A value that is equal where CEL says so: 1 is 1.0 and not true."""
    if isinstance(value, bool | str):
        return (type(value).__name__, value)
    return ("number", value)


def _is_open(way: list[Clause], fields: Mapping[str, FieldKind]) -> bool:
    rooms: dict[str, _Room] = {}
    for node, wanted in way:
        _enter(rooms, node, wanted, fields)
    return all(room.is_open() for room in rooms.values())


def _enter(
    rooms: dict[str, _Room], node: Node, wanted: bool, fields: Mapping[str, FieldKind]
) -> None:
    if isinstance(node, Field) and fields[node.name].type == BOOL:
        _room(rooms, node, fields).among({_plain(wanted)})
    elif isinstance(node, Has):
        room = _room(rooms, node.asked, fields)
        room.is_closed = room.is_closed or room.known is (not wanted)
        room.known = wanted
    elif isinstance(node, Binary) and node.sign == "in":
        _enter_membership(rooms, node, wanted, fields)
    elif isinstance(node, Binary) and node.sign in _FLIPPED:
        left, sign, right = node.left, node.sign, node.right
        if isinstance(left, Literal):
            left, sign, right = right, _FLIPPED[sign], left
        if isinstance(left, Field | Entry) and isinstance(right, Literal):
            room = _used(rooms, left, fields)
            room.narrow(sign if wanted else _OPPOSITE[sign], right.value)


def _enter_membership(
    rooms: dict[str, _Room], node: Binary, wanted: bool, fields: Mapping[str, FieldKind]
) -> None:
    left, right = node.left, node.right
    if isinstance(left, Field | Entry) and isinstance(right, Items):
        values = {_plain(one.value) for one in right.items if isinstance(one, Literal)}
        if len(right.items) != sum(isinstance(one, Literal) for one in right.items):
            return
        room = _used(rooms, left, fields)
        if wanted:
            room.among(values)
        else:
            room.never |= values
    elif isinstance(left, Literal) and isinstance(right, Field):
        room = _room(rooms, right, fields)
        (room.holds if wanted else room.lacks).add(_plain(left.value))


def _used(rooms: dict[str, _Room], node: Field | Entry, fields: Mapping[str, FieldKind]) -> _Room:
    """Room of a field whose value is needed, so that it must be known."""
    room = _room(rooms, node, fields)
    room.is_closed = room.is_closed or room.known is False
    room.known = True
    return room


def _room(rooms: dict[str, _Room], node: Field | Entry, fields: Mapping[str, FieldKind]) -> _Room:
    name = node.name if isinstance(node, Field) else f"{node.field.name}\0{node.key}"
    if name not in rooms:
        rooms[name] = _Room()
        if isinstance(node, Field):
            _furnish(rooms[name], fields[node.name])
    return rooms[name]


def _furnish(room: _Room, kind: FieldKind) -> None:
    room.is_whole = kind.type == INT
    room.low = -inf if kind.low is None else kind.low
    room.high = inf if kind.high is None else kind.high
    if kind.values and kind.type == "string":
        room.only = {_plain(value) for value in kind.values}
