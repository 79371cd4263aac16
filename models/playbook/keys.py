"""How a key of the playbook is declared: what it says to people, and what may stand behind it.

The structs of `shop.py`, `copy.py`, `offer.py`, `when.py`, `then.py` and `playbook.py` are the only
definition of the language: `reader.py` reads by them and `schema.py` describes them to editors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from models.playbook.scalars import Kind


@dataclass(frozen=True)
class Key:
    """What a key means; `kind` reads its words, `names` those of the keys below it."""

    said: str
    kind: Kind | None = None
    names: Kind | None = None


@dataclass(frozen=True)
class KeySpec:
    """A key of one struct: its name in the file, its attribute, and how it is read."""

    key: str
    attribute: str
    type: Any
    declared: Key
    required: bool
    default: Any
    factory: Callable[[], Any] | None


class Part(msgspec.Struct, frozen=True):
    """What every part of a playbook is made from."""


@cache
def keys_of(part: type[Part]) -> tuple[KeySpec, ...]:
    """Keys of a struct in the order of its definition."""
    return tuple(
        KeySpec(
            one.encode_name,
            one.name,
            one.type.__origin__,
            one.type.__metadata__[0],
            one.required,
            None if one.default is msgspec.NODEFAULT else one.default,
            None if one.default_factory is msgspec.NODEFAULT else one.default_factory,
        )
        for one in msgspec.structs.fields(part)
    )


@cache
def head_of(part: type[Part]) -> str:
    """Key by which a struct is recognised among others: the first that it must have."""
    return next(spec.key for spec in keys_of(part) if spec.required)
