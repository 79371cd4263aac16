"""From nodes to the structs of the language: every mistake is told, whatever else is wrong.

A part with a mistake in it becomes None; what it refers to and which conditions it holds is noted
all the same, so that one look at a file finds all there is to find.
"""

import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union, get_args, get_origin

from models.playbook.closeness import closest, listed
from models.playbook.keys import Key, KeySpec, Part, head_of, keys_of
from models.playbook.problem import PROBLEMS_MAX, Problem, shown
from models.playbook.scalars import TEXT, Kind, Misread
from models.playbook.source import Mapping, Node, Scalar, Sequence

Path = tuple[str | int, ...]
_P = TypeVar("_P", bound=Part)
_WRONG: Any = object()


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that must be defined in a section."""

    section: str
    scalar: Scalar
    also: tuple[str, ...]
    path: Path


@dataclass
class Reader:
    """Reads one file; what it finds beside the values is in its attributes."""

    currency: str
    problems: list[Problem] = field(default_factory=list)
    places: dict[Path, Node] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    conditions: dict[Path, Scalar] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)

    def read_part(self, part: type[_P], node: Node, path: Path = ()) -> _P | None:
        """Read a struct; None when anything in it is wrong."""
        self.places[path] = node
        if not isinstance(node, Mapping):
            keys = listed(spec.key for spec in keys_of(part))
            self._wrong(node, "here must be keys with values", expected=f"keys such as {keys}")
            return None
        found = self._by_key(part, node)
        values = {}
        for spec in keys_of(part):
            value = self._value(spec, found.get(spec.key), node, (*path, spec.key))
            values[spec.attribute] = value
            if not path and spec.key in found and value is not _WRONG:
                self.kept[spec.key] = value
        if any(value is _WRONG for value in values.values()):
            return None
        return part(**values)

    def _by_key(self, part: type[Part], node: Mapping) -> dict[str, Node]:
        specs = {spec.key for spec in keys_of(part)}
        absent = specs - {key.value for key, _ in node.pairs}
        found: dict[str, Node] = {}
        for key, value in self._once(node):
            if key.value in specs:
                found[key.value] = value
                continue
            self._wrong(
                key,
                f"there is no key {shown(key.value)!r} here",
                expected=f"one of {listed(sorted(specs), 20)}",
                suggestion=self._meant(key.value, sorted(absent)),
            )
        return found

    def _once(self, node: Mapping) -> list[tuple[Scalar, Node]]:
        """Pairs of a mapping without those whose key stood before."""
        first: dict[str, Scalar] = {}
        return [pair for pair in node.pairs if self._is_first(pair[0], first)]

    def _is_first(self, key: Scalar, first: dict[str, Scalar]) -> bool:
        before = first.setdefault(key.value, key)
        if before is key:
            return True
        message = f"{shown(key.value)!r} stands here twice, first in line {before.place.line}"
        self._wrong(key, message, expected="each name once")
        return False

    def _value(self, spec: KeySpec, node: Node | None, parent: Node, path: Path) -> Any:
        if node is None or (isinstance(node, Scalar) and node.is_empty):
            if not spec.required:
                return _default(spec)
            where = parent if node is None else node
            message = f"{spec.key} is missing" if node is None else f"{spec.key} is empty"
            self._wrong(where, message, value="", expected=_expected(spec))
            return _WRONG
        return self._read(spec.type, spec.declared, node, path, required=spec.required)

    def _read(
        self, type_: Any, declared: Key, node: Node, path: Path, *, required: bool = False
    ) -> Any:
        self.places[path] = node
        origin, arguments = get_origin(type_), get_args(type_)
        if origin in (types.UnionType, Union):
            kept = [one for one in arguments if one is not type(None)]
            if (
                all(isinstance(one, type) and issubclass(one, Part) for one in kept)
                and len(kept) > 1
            ):
                return self._one_of(kept, node, path)
            type_ = kept[0]
            origin, arguments = get_origin(type_), get_args(type_)
        if origin is tuple:
            return self._list(arguments[0], declared, node, path, required=required)
        if origin is dict:
            return self._named(arguments[1], declared, node, path)
        if isinstance(type_, type) and issubclass(type_, Part):
            read = self.read_part(type_, node, path)
            return _WRONG if read is None else read
        return self._word(declared.kind or TEXT, node, path)

    def _one_of(self, parts: list[type[Part]], node: Node, path: Path) -> Any:
        heads = {head_of(part): part for part in parts}
        if not isinstance(node, Mapping):
            self._wrong(
                node, "here must be keys with values", expected=f"one of {listed(heads, 20)}"
            )
            return _WRONG
        named = [key for key, _ in node.pairs if key.value in heads]
        if len({key.value for key in named}) == 1:
            read = self.read_part(heads[named[0].value], node, path)
            return _WRONG if read is None else read
        if named:
            both = listed(key.value for key in named)
            self._wrong(named[1], f"{both} can't stand together", expected="one of them")
            return _WRONG
        meant = [(key, self._meant(key.value, heads)) for key, _ in node.pairs]
        key, suggestion = next((pair for pair in meant if pair[1]), (None, ""))
        there = listed(key.value for key, _ in node.pairs)
        self._wrong(
            key or node,
            f"there is no key {shown(key.value)!r} here" if key else "it is not said what this is",
            value=key.value if key else there,
            expected=f"one of {listed(heads, 20)}",
            suggestion=suggestion,
        )
        return _WRONG

    def _list(self, type_: Any, declared: Key, node: Node, path: Path, *, required: bool) -> Any:
        # One thing need not be put into a list.
        items = node.items if isinstance(node, Sequence) else (node,)
        if required and not items:
            self._wrong(node, "this list is empty", expected="at least one")
            return _WRONG
        read = [
            self._read(type_, declared, item, (*path, index)) for index, item in enumerate(items)
        ]
        return _WRONG if any(one is _WRONG for one in read) else tuple(read)

    def _named(self, type_: Any, declared: Key, node: Node, path: Path) -> Any:
        if not isinstance(node, Mapping):
            what = declared.names.expected if declared.names else "names"
            self._wrong(node, "here must be names with values", expected=f"NAME: ..., {what}")
            return _WRONG
        read = {}
        first: dict[str, Scalar] = {}
        for key, value in node.pairs:
            is_first = self._is_first(key, first)
            # What stands there twice is looked at all the same, under a name that nothing has.
            name = key.value if is_first else f"{key.value} in line {key.place.line}"
            one = self._named_value(type_, declared, key, value, (*path, name))
            read[self._word(declared.names or TEXT, key, (*path, name, "="))] = (
                one if is_first else _WRONG
            )
        right = {
            name: one for name, one in read.items() if name is not _WRONG and one is not _WRONG
        }
        if len(path) == 1:
            # Of a whole section the right ones are looked at further.
            self.kept[str(path[0])] = right
        return read if len(right) == len(read) else _WRONG

    def _named_value(self, type_: Any, declared: Key, key: Scalar, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar) and node.is_empty:
            if isinstance(type_, type) and issubclass(type_, Part):
                node = Mapping(node.place, ())
            else:
                self._wrong(key, f"{shown(key.value)} is empty", expected="a value")
                return _WRONG
        return self._read(type_, declared, node, path)

    def _word(self, kind: Kind, node: Node, path: Path) -> Any:
        if not isinstance(node, Scalar):
            found = "a list" if isinstance(node, Sequence) else "keys with values"
            self._wrong(node, f"here must be a word, not {found}", value="", expected=kind.expected)
            return _WRONG
        if node.is_empty:
            self._wrong(node, "nothing stands here", expected=kind.expected)
            return _WRONG
        if kind.refers:
            also = tuple(kind.schema.get("examples", ()))
            self.references.append(Reference(kind.refers, node, also, path))
        if kind.is_condition:
            self.conditions[path] = node
        try:
            return kind.parse(node.value, self.currency)
        except Misread as misread:
            self._wrong(
                node, misread.message, expected=misread.expected, suggestion=misread.suggestion
            )
            return _WRONG

    def _meant(self, word: str, known: Iterable[str]) -> str:
        return closest(word, known) if len(self.problems) < PROBLEMS_MAX else ""

    def _wrong(
        self,
        node: Node,
        message: str,
        *,
        value: str | None = None,
        expected: str = "",
        suggestion: str = "",
    ) -> None:
        if len(self.problems) >= PROBLEMS_MAX:
            return
        said = node.value if value is None and isinstance(node, Scalar) else value or ""
        self.problems.append(
            Problem(
                place=node.place,
                message=message,
                value=shown(said),
                expected=expected,
                suggestion=suggestion,
            )
        )


def _default(spec: KeySpec) -> Any:
    return spec.factory() if spec.factory else spec.default


def _expected(spec: KeySpec) -> str:
    if spec.declared.kind:
        return spec.declared.kind.expected
    said = spec.declared.said.rstrip(".")
    return f"{spec.key}: with {said[:1].lower()}{said[1:]}"
