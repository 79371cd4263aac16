"""Scenario values: YAML scalars as JSON would have them, and where a body's part stands.

The playbook's YAML leaves types open (models/playbook/source.py); a Segment body has them.
"""

import re
from typing import Any

from models.playbook.source import Mapping, Node, Scalar, Sequence

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,2})?")
_TRUTHS = {"true": True, "True": True, "false": False, "False": False}
_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")


def plain(node: Node) -> Any:
    """Value of a node as JSON has it; a day or a time stays the text it is."""
    if isinstance(node, Mapping):
        return {key.value: plain(value) for key, value in node.pairs}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if node.style:
        return node.value
    return None if node.is_empty else scalar(node.value)


def scalar(text: str) -> str | int | float | bool:
    """What an unquoted word is.

    >>> scalar("59.0"), scalar("007"), scalar("true"), scalar("1990-03-05"), scalar("no")
    (59.0, '007', True, '1990-03-05', 'no')
    """
    if text in _TRUTHS:
        return _TRUTHS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def part_at(node: Node, path: str) -> Node:
    """Node that a path such as `properties.products[1].price` names, or what would hold it."""
    for step in _STEP.findall(path):
        found = _inside(node, step)
        if found is None:
            return node
        node = found
    return node


def _inside(node: Node, step: str) -> Node | None:
    if isinstance(node, Sequence) and step.startswith("["):
        number = int(step[1:-1])
        return node.items[number] if number < len(node.items) else None
    pairs = node.pairs if isinstance(node, Mapping) else ()
    return next((value for key, value in pairs if key.value == step), None)


def written(node: Node) -> str:
    """Word that stands there; empty for what is more than a word."""
    return node.value if isinstance(node, Scalar) else ""
