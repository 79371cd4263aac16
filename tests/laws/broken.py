"""A model small enough to be seen through, and the ways in which it can break each law.

A law that no model can break says nothing: each is shown to find its break (test_model_laws.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from math import isfinite
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.laws.laws import START_MS, Merging, Moment, Subject

KEPT = 8


@dataclass
class Toy:
    """Mean and count of all values, and the names that came last."""

    seen: int = 0
    mean: float = 0.0
    last_ms: int = 0
    names: list[str] = field(default_factory=list)
    more: list[Any] = field(default_factory=list)


@dataclass
class Said:
    """One input."""

    name: str
    at_ms: int
    value: float


def take(toy: Toy, said: Said) -> float:
    if not isfinite(said.value):
        raise ValueError(f"{said.value} is no number")
    toy.seen += 1
    toy.mean += (said.value - toy.mean) / toy.seen
    toy.last_ms = max(toy.last_ms, said.at_ms)
    if said.name not in toy.names:
        toy.names = [*toy.names, said.name][-KEPT:]
    return toy.mean


def join(mine: Toy, theirs: Toy) -> Toy:
    seen = mine.seen + theirs.seen
    mean = (mine.mean * mine.seen + theirs.mean * theirs.seen) / seen
    return Toy(seen, mean, max(mine.last_ms, theirs.last_ms))


def erase(toy: Toy) -> None:
    toy.__init__()  # type: ignore[misc]


def told(chance: Random, moment: Moment) -> Said:
    return Said(f"{moment.world}{moment.number}", moment.at_ms, chance.random())


SOUND = Subject(
    name="sound",
    modules=(),
    begin=Toy,
    take=take,
    ask=lambda toy, at_ms: (toy.mean, toy.names),
    pack=msgspec.msgpack.encode,
    unpack=msgspec.msgpack.Decoder(Toy).decode,
    told=told,
    valid=st.lists(st.builds(Said, st.text(), st.integers(1, START_MS), st.floats(-9, 9))),
    no_numbers=lambda bad, moment: [Said("a", moment.at_ms, bad)],
    merging=Merging(
        told=told,
        join=join,
        exact=lambda toy: (toy.seen, toy.last_ms),
        near=lambda toy: {"mean": toy.mean},
    ),
    erase=erase,
    events_in_ci=3_000,
)


def that(name: str, also: Callable[[Toy, Said], Any]) -> Subject:
    """The sound model, but `also` comes after each input."""

    def taken(toy: Toy, said: Said) -> Any:
        answer = take(toy, said)
        more = also(toy, said)
        return answer if more is None else more

    return replace(SOUND, name=name, take=taken)


def raising(toy: Toy, said: Said) -> None:
    if said.value < 0.0:
        raise ArithmeticError("below zero")


def set_mean(toy: Toy, mean: float) -> None:
    toy.mean = mean


def swallow(toy: Toy, said: Said) -> float:
    toy.mean = said.value
    return 0.0


def forget_all_but(*kept: str) -> Callable[[Toy], bytes]:
    def pack(toy: Toy) -> bytes:
        return msgspec.msgpack.encode({name: getattr(toy, name) for name in kept})

    return pack


def mistaken_join(**wrong: Any) -> Subject:
    def joined(mine: Toy, theirs: Toy) -> Toy:
        return replace(join(mine, theirs), **wrong)

    merging = SOUND.merging
    assert merging is not None
    return replace(SOUND, name=f"joins-{'-'.join(wrong)}", merging=replace(merging, join=joined))


def rounded(packed: bytes) -> Toy:
    toy: Toy = SOUND.unpack(packed)
    return replace(toy, mean=round(toy.mean, 12))


def half_refuse(toy: Toy, said: Said) -> float:
    toy.seen += 1
    return take(toy, said)


def named(chance: Random, moment: Moment) -> Said:
    return Said(moment.person, moment.at_ms, chance.random())


def measure_gap(toy: Toy, said: Said) -> float:
    pace = 1.0 / (said.at_ms - toy.more[0]) if toy.more else 0.0
    toy.more = [said.at_ms]
    return pace


_dice = count()
HASHING = that("hashing", lambda toy, said: list({said.name, "a", "b", "c"}))
BREAKS: list[tuple[str, Subject, type[Exception]]] = [
    (
        "the_same_history_gives_the_same_bytes",
        that("dicing", lambda toy, said: next(_dice)),
        AssertionError,
    ),
    (
        "what_is_packed_goes_on_as_if_nothing_had_happened",
        replace(SOUND, name="forgetting", pack=forget_all_but("mean", "last_ms", "names")),
        AssertionError,
    ),
    (
        "what_is_packed_goes_on_as_if_nothing_had_happened",
        replace(SOUND, name="rounding", unpack=rounded),
        AssertionError,
    ),
    ("memory_is_bounded", that("hoarding", lambda toy, said: toy.more.append(1)), AssertionError),
    (
        "memory_is_bounded",
        replace(
            that("hoarding-unpacked", lambda toy, said: toy.more.append(said.name)),
            pack=forget_all_but("seen", "mean", "last_ms", "names"),
        ),
        AssertionError,
    ),
    (
        "no_input_is_changed",
        that("scribbling", lambda toy, said: setattr(said, "name", "")),
        AssertionError,
    ),
    (
        "asking_changes_nothing",
        replace(SOUND, name="worn", ask=lambda toy, at_ms: toy.more.append(at_ms)),
        AssertionError,
    ),
    (
        "asking_changes_nothing",
        replace(SOUND, name="moody", ask=lambda toy, at_ms: next(_dice)),
        AssertionError,
    ),
    (
        "the_unseen_is_fine",
        replace(SOUND, name="helpless", ask=lambda toy, at_ms: 1 / toy.seen),
        ZeroDivisionError,
    ),
    (
        "the_unseen_is_fine",
        replace(SOUND, name="nothing-known", ask=lambda toy, at_ms: toy.mean or float("nan")),
        AssertionError,
    ),
    ("any_time_is_fine", that("hasty", measure_gap), ZeroDivisionError),
    (
        "any_time_is_fine",
        replace(SOUND, name="timeless", ask=lambda toy, at_ms: float("inf") if at_ms < 9 else 0),
        AssertionError,
    ),
    (
        "what_is_no_number_never_gets_in",
        replace(SOUND, name="swallowing", take=swallow),
        AssertionError,
    ),
    (
        "what_is_no_number_never_gets_in",
        replace(SOUND, name="half-refusing", take=half_refuse),
        AssertionError,
    ),
    ("what_is_no_number_never_gets_in", replace(SOUND, no_numbers=None), AssertionError),
    ("any_valid_history_is_learned", that("raising", raising), ArithmeticError),
    (
        "any_valid_history_is_learned",
        that("poisoned", lambda toy, said: set_mean(toy, float("nan")) if said.name else None),
        AssertionError,
    ),
    ("two_joined_are_what_one_would_have_been", mistaken_join(seen=0), AssertionError),
    ("two_joined_are_what_one_would_have_been", mistaken_join(mean=0.25), AssertionError),
    ("two_joined_are_what_one_would_have_been", replace(SOUND, merging=None), AssertionError),
    (
        "the_erased_leave_nothing",
        replace(
            that("remembering", lambda toy, said: toy.more.append(said.name)),
            erase=lambda toy: toy.names.clear(),
        ),
        AssertionError,
    ),
    (
        "the_erased_leave_nothing",
        replace(SOUND, name="naming", erase=None, told=named),
        AssertionError,
    ),
]


SUBJECTS = {one.name: one for one in (SOUND, HASHING)}
