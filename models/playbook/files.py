"""A playbook's files: the first and those it includes, read into one."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from models.playbook.keys import keys_of
from models.playbook.playbook import LISTS, SECTIONS, SINGLE, Playbook
from models.playbook.problem import Place, Problem, shown
from models.playbook.reader import Path, Reader, Reference
from models.playbook.scalars import CURRENCY, Misread
from models.playbook.source import Mapping, Node, Scalar, Sequence, Unreadable, compose

FILES_MAX = 100
Fetch = Callable[[str], bytes | None]
"""Content of a file by its name, None where there is none."""


@dataclass
class Found:
    """All that was read: values that are right, where everything stands, and what is wrong."""

    currency: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Node] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    conditions: dict[Path, Scalar] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    names: dict[str, dict[str, Place]] = field(default_factory=dict)

    def at(self, *path: str | int) -> Place | None:
        """Place of a value; of what holds it where it is not written down."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]].place
        return None

    def written(self, *path: str | int) -> tuple[str, ...]:
        """Words that stand at a path, one or a list of them."""
        node = self.places.get(path)
        nodes = node.items if isinstance(node, Sequence) else (node,)
        return tuple(one.value for one in nodes if isinstance(one, Scalar))


def gather(file: str, raw: bytes, fetch: Fetch) -> Found:
    """Read a file and all it includes.

    Raises Unreadable for what is no YAML in the first file; in others that is a problem.
    """
    found = Found(names={section: {} for section in SECTIONS})
    root, text = compose(file, raw)
    found.currency = _currency_of(root)
    _take(file, root, text, fetch, found, ())
    if not isinstance(root, Scalar | Sequence) and ("shop",) not in found.places:
        missed = "the file is empty" if root is None else "the playbook has no shop"
        _wrong(found, Place(file), missed, "shop: with time_zone and currency")
    return found


def _currency_of(root: Node | None) -> str:
    """Take the currency before all else: amounts are read by it."""
    shop = _child(root, "shop")
    currency = _child(shop, "currency")
    try:
        return str(CURRENCY.parse(currency.value, "")) if isinstance(currency, Scalar) else "EUR"
    except Misread:
        return "EUR"


def _child(node: Node | None, name: str) -> Node | None:
    pairs = node.pairs if isinstance(node, Mapping) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _wrong(found: Found, place: Place, message: str, expected: str = "", value: str = "") -> None:
    found.problems.append(
        Problem(place=place, message=message, expected=expected, value=shown(value))
    )


def _take(
    file: str, root: Node | None, text: str, fetch: Fetch, found: Found, above: tuple[str, ...]
) -> None:
    found.texts[file] = text
    if root is None:
        return
    reader = Reader(found.currency)
    if not isinstance(root, Mapping):
        reader.read_part(Playbook, root)
        found.problems += reader.problems
        return
    reader.read_part(Playbook, _kept(root, found, is_first=not above))
    _merge(reader, found)
    _include(file, _child(root, "include"), fetch, found, (*above, file))


def _kept(root: Mapping, found: Found, *, is_first: bool) -> Mapping:
    """The file without what an earlier one says too."""
    pairs = []
    for key, value in root.pairs:
        if not is_first and key.value in SINGLE and (key.value,) in found.places:
            before = found.places[(key.value,)].place
            _wrong(
                found, key.place, f"{shown(key.value)} stands in {before} too", "it once", key.value
            )
            continue
        pairs.append((key, _new(key.value, value, found) if key.value in SECTIONS else value))
    return Mapping(root.place, tuple(pairs))


def _new(section: str, node: Node, found: Found) -> Node:
    if not isinstance(node, Mapping):
        return node
    names = found.names[section]
    pairs = []
    for key, value in node.pairs:
        before = names.setdefault(key.value, key.place)
        if before is key.place or before.file == key.place.file:
            pairs.append((key, value))
            continue
        _wrong(
            found,
            key.place,
            f"{shown(key.value)} stands in {before} too",
            "each name once",
            key.value,
        )
    return Mapping(node.place, tuple(pairs))


def _merge(reader: Reader, found: Found) -> None:
    found.problems += reader.problems
    found.references += reader.references
    shift = {key: len(found.values.get(key, ())) for key in LISTS}
    for path, node in reader.places.items():
        found.places.setdefault(_shifted(path, shift), node)
    found.conditions.update(reader.conditions)
    for key, value in reader.kept.items():
        if key in SECTIONS:
            found.values.setdefault(key, {}).update(value)
        elif key in LISTS:
            found.values[key] = found.values.get(key, ()) + value
        else:
            found.values.setdefault(key, value)


def _shifted(path: Path, shift: dict[str, int]) -> Path:
    """Path of an item behind those of the files before."""
    if len(path) > 1 and isinstance(path[1], int):
        return (path[0], path[1] + shift.get(str(path[0]), 0), *path[2:])
    return path


def _include(
    file: str, node: Node | None, fetch: Fetch, found: Found, above: tuple[str, ...]
) -> None:
    items = node.items if isinstance(node, Sequence) else (node,)
    for item in items:
        if not isinstance(item, Scalar) or item.is_empty:
            continue
        name = posixpath.normpath(posixpath.join(posixpath.dirname(file), item.value))
        home = posixpath.dirname(above[0])
        if item.value.startswith("/") or posixpath.relpath(name, home or ".").startswith(".."):
            expected = "a file beside the first one or below"
            _wrong(found, item.place, "this file lies elsewhere", expected, item.value)
        elif name in above:
            circle = " -> ".join([*above[above.index(name) :], name])
            _wrong(
                found, item.place, f"files include each other: {shown(circle)}", value=item.value
            )
        elif name in found.texts:
            _wrong(found, item.place, "this file is included twice", "each file once", item.value)
        elif len(found.texts) >= FILES_MAX:
            _wrong(found, item.place, "too many files", f"{FILES_MAX} at most", item.value)
        else:
            _fetch(name, item, fetch, found, above)


def _fetch(name: str, item: Scalar, fetch: Fetch, found: Found, above: tuple[str, ...]) -> None:
    raw = fetch(name)
    if raw is None:
        _wrong(found, item.place, "there is no such file", "a file beside this one", item.value)
        found.texts[name] = ""
        return
    try:
        root, text = compose(name, raw)
    except Unreadable as unreadable:
        found.problems.append(unreadable.problem)
        found.texts[name] = ""
        return
    _take(name, root, text, fetch, found, above)


def playbook_of(found: Found) -> Playbook:
    """The playbook that was read; only of a file without a mistake is it whole."""
    known = {spec.key for spec in keys_of(Playbook)}
    return Playbook(**{key: value for key, value in found.values.items() if key in known})
