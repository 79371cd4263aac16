"""YAML with places: text to nodes that know where they stand.

Types are left open: what a word means is decided by who reads it (`reader.py`), so `no` can be a
language and `21:00` a time of day. Tags, anchors and aliases are refused: they are for programs,
and a few of them can make a file of gigabytes.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from models.playbook.problem import Place, Problem, shown
from models.playbook.slips import NO_TAGS, complaint, named_sign, slip

BYTES_MAX = 1_000_000
DEPTH_MAX = 40
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGED = "<<"
_FOLD = re.compile(r"[ \t]*\n\s*")
_CONTINUED = re.compile(r"(?:\\\n[ \t]*)*")
_BLOCKS = ("|", ">")
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


class Unreadable(Exception):
    """The file is no YAML of ours; `is_yaml` is false where it is no text that could become one."""

    def __init__(self, problem: Problem, *, is_yaml: bool = True) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.is_yaml = is_yaml


@dataclass(frozen=True, slots=True)
class Scalar:
    """A word or a text; `start` and `end` are its characters' places in the file's text."""

    place: Place
    value: str
    style: str
    start: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written, or YAML's word for it."""
        return not self.style and self.value in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values, in the order of the file; a key may stand twice."""

    place: Place
    pairs: tuple[tuple[Scalar, "Node"], ...]


Node = Scalar | Sequence | Mapping


def compose(file: str, raw: bytes) -> tuple[Node | None, str]:
    """First document of a file and its text; None for an empty one.

    Raises Unreadable.
    """
    text = decoded(raw, file)
    events = _events(file, text)
    for event in events:
        if isinstance(event, yaml.events.DocumentStartEvent):
            break
    else:
        return None, text
    root = _node(file, next(events), events, 0)
    for event in events:
        if isinstance(event, yaml.events.DocumentStartEvent):
            place = _place(file, event)
            raise _unreadable(
                place, "a second document begins here", expected="one document a file"
            )
    return root, text


def decoded(raw: bytes, file: str = "") -> str:
    """Text of a file; raises Unreadable."""
    if len(raw) > BYTES_MAX:
        raise _unreadable(
            Place(file),
            "the file is too large",
            expected=f"{BYTES_MAX:,} bytes at most",
            is_yaml=False,
        )
    encoding = "utf-8-sig"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        return raw.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        place = Place(file, line, column)
        raise _unreadable(
            place, "this is not UTF-8 text", expected="text in UTF-8", is_yaml=False
        ) from None


def _events(file: str, text: str) -> Iterator[yaml.events.Event]:
    """Events of the parser; its own refusals as ours."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _no_yaml(file, text, error) from None
    except yaml.reader.ReaderError as error:
        raise _unreadable(
            _at(file, text, error.position),
            "this sign can't stand in YAML",
            value=named_sign(text[error.position : error.position + 1] or "\0"),
            expected="letters, digits and signs that can be seen",
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _unreadable(Place(file), "this is no YAML") from None


def _telling_mark(error: yaml.MarkedYAMLError, end: int) -> Any:
    """Where it went wrong; where it began when it goes wrong at the end of all."""
    mark = error.problem_mark or error.context_mark
    if error.context_mark and mark and mark.index >= end:
        return error.context_mark
    return mark


def _no_yaml(file: str, text: str, error: yaml.MarkedYAMLError) -> Unreadable:
    mark = _telling_mark(error, len(text.rstrip()))
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    began = error.context_mark.line + 1 if error.context_mark else place.line
    said = complaint(error.problem or "", error.context or "", began, place.line)
    slipped, expected = slip(text.split("\n"), place.line, place.column, said)
    return _unreadable(place, f"this is no YAML: {slipped}" if slipped else said, expected=expected)


def _at(file: str, text: str, offset: int) -> Place:
    before = text[:offset]
    return Place(file, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _place(file: str, event: yaml.events.Event) -> Place:
    mark = _mark(event.start_mark)
    return Place(file, mark.line + 1, mark.column + 1)


def _mark(mark: Any) -> Any:
    """A mark of the parser; every event of a text has one, which its types don't say."""
    return mark


def _unreadable(
    place: Place, message: str, *, value: str = "", expected: str = "", is_yaml: bool = True
) -> Unreadable:
    problem = Problem(place=place, message=message, value=shown(value), expected=expected)
    return Unreadable(problem, is_yaml=is_yaml)


def _node(
    file: str, event: yaml.events.Event, events: Iterator[yaml.events.Event], depth: int
) -> Node:
    place = _place(file, event)
    if depth > DEPTH_MAX:
        raise _unreadable(
            place, "this is nested too deeply", expected=f"{DEPTH_MAX} levels at most"
        )
    _refuse_machinery(place, event)
    if isinstance(event, yaml.events.ScalarEvent):
        start, end = _mark(event.start_mark).index, _mark(event.end_mark).index
        return Scalar(place, event.value, event.style or "", start, end)
    if isinstance(event, yaml.events.SequenceStartEvent):
        return Sequence(place, tuple(_until(file, events, yaml.events.SequenceEndEvent, depth)))
    nodes = iter(_until(file, events, yaml.events.MappingEndEvent, depth))
    return Mapping(place, tuple((_key(key), next(nodes)) for key in nodes))


def _until(
    file: str, events: Iterator[yaml.events.Event], last: type[yaml.events.Event], depth: int
) -> list[Node]:
    nodes = []
    while not isinstance(event := next(events), last):
        nodes.append(_node(file, event, events, depth + 1))
    return nodes


def _refuse_machinery(place: Place, event: yaml.events.Event) -> None:
    if isinstance(event, yaml.events.AliasEvent):
        name = f"*{event.anchor}"
        raise _unreadable(place, "aliases are not read", value=name, expected="the text itself")
    if anchor := getattr(event, "anchor", None):
        name = f"&{anchor}"
        raise _unreadable(place, "anchors are not read", value=name, expected="the text itself")
    if (tag := getattr(event, "tag", None)) and tag != "!":
        raise _unreadable(place, "tags are not read", value=tag, expected=NO_TAGS)


def _key(node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        raise _unreadable(node.place, "a key must be a word", expected="NAME: VALUE")
    if node.value == _MERGED and not node.style:
        raise _unreadable(node.place, "merges are not read", value="<<", expected="the text itself")
    return node


def place_inside(scalar: Scalar, text: str, offset: int) -> Place:
    """Where the character `offset` of a scalar's value stands in the file.

    YAML folds lines, drops indentation and knows escapes: value and file are walked side by side.
    """
    at = scalar.start
    if scalar.style in _BLOCKS:
        at = text.find("\n", at) + 1
    elif scalar.style:
        at += 1
    for letter in scalar.value[:offset]:
        at = _after(text, at, letter, scalar)
    if offset < len(scalar.value):
        at = _skipped(text, at, scalar.value[offset], scalar)
    return _at(scalar.place.file, text, min(at, scalar.end))


def _after(text: str, at: int, letter: str, scalar: Scalar) -> int:
    """Place behind the letter that stands at or, over white space, after `at`."""
    at = _skipped(text, at, letter, scalar)
    if scalar.style == letter == "'":
        return at + 2
    if scalar.style == '"' and text.startswith("\\", at):
        return at + 2 + _HEX_ESCAPES.get(text[at + 1 : at + 2], 0)
    if letter.isspace() and scalar.style not in _BLOCKS:
        # A fold: line ends and indentation stand for one space, or for one line end less.
        folded = _FOLD.match(text, at)
        return folded.end() if folded else at + text[at].isspace()
    return at + 1


def _skipped(text: str, at: int, letter: str, scalar: Scalar) -> int:
    if scalar.style == '"':
        at = _CONTINUED.match(text, at).end()  # type: ignore[union-attr]  # it may be empty
    while not letter.isspace() and at < scalar.end and text[at].isspace():
        at += 1
    return at
