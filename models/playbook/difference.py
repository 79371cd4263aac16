"""What differs between two editions of a playbook: rule by rule, key by key, as it was written."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from models.playbook import source
from models.playbook.playbook import SECTIONS

ADDED, REMOVED, CHANGED, RENAMED = "added", "removed", "changed", "renamed"
_ABOVE_FILES = ("include", "playbook")


class KeyChange(msgspec.Struct, frozen=True):
    """A key that says something else; `old` or `new` is empty where it isn't written at all."""

    key: str
    old: str
    new: str


class Change(msgspec.Struct, frozen=True):
    """What happened to one trigger, message, offer …; a part without names has none here either.

    `before` is the old name of what was renamed and otherwise left alone.
    """

    section: str
    name: str
    kind: str
    keys: tuple[KeyChange, ...] = ()
    before: str = ""


def written(files: Mapping[str, str]) -> dict[str, Any]:
    """What stands in a playbook's files, as one, in plain dicts, lists and texts.

    For files that were checked: names are taken to be unique. Raises source.Unreadable.
    """
    whole: dict[str, Any] = {}
    for name, text in files.items():
        root, _ = source.compose(name, text.encode())
        content = _plain(root) if root is not None else None
        for key, value in content.items() if isinstance(content, dict) else ():
            if key in _ABOVE_FILES:
                continue
            known = whole.get(key)
            if isinstance(known, dict) and isinstance(value, dict):
                known.update(value)
            elif isinstance(known, list) and isinstance(value, list):
                known.extend(value)
            else:
                whole.setdefault(key, value)
    return whole


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    """Tell what differs between two playbooks, by their files; raises source.Unreadable."""
    before, after = written(old), written(new)
    changes: list[Change] = []
    sections = [*SECTIONS[::-1], *(one for one in {**before, **after} if one not in SECTIONS)]
    for section in sections:
        if section in SECTIONS:
            changes += _by_name(section, _named(before, section), _named(after, section))
        else:
            changes += _whole(section, before.get(section), after.get(section))
    return tuple(changes)


def _named(whole: Mapping[str, Any], section: str) -> dict[str, Any]:
    content = whole.get(section)
    return content if isinstance(content, dict) else {}


def _by_name(section: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    gone = {name: value for name, value in old.items() if name not in new}
    for name, value in new.items():
        if name in old:
            if old[name] != value:
                yield Change(section, name, CHANGED, _keys(old[name], value))
            continue
        before = next((one for one in gone if gone[one] == value), None)
        if before is None:
            yield Change(section, name, ADDED, _keys(None, value))
        else:
            del gone[before]
            yield Change(section, name, RENAMED, before=before)
    for name, value in gone.items():
        yield Change(section, name, REMOVED, _keys(value, None))


def _whole(section: str, old: Any, new: Any) -> Iterator[Change]:
    if old != new:
        kind = ADDED if old is None else REMOVED if new is None else CHANGED
        yield Change(section, "", kind, _keys(old, new))


def _keys(old: Any, new: Any) -> tuple[KeyChange, ...]:
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return tuple(
        KeyChange(key, before.get(key, ""), after.get(key, ""))
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        if all(isinstance(one, str) for one in value):
            yield path, ", ".join(value)
            return
        for index, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{path}[{index}]")
    elif value is not None:
        yield path, value if isinstance(value, str) else ""


def _plain(node: source.Node) -> Any:
    if isinstance(node, source.Mapping):
        return {key.value: _plain(value) for key, value in node.pairs}
    if isinstance(node, source.Sequence):
        return [_plain(one) for one in node.items]
    return node.value
