"""The steps of a trigger as one flat list, so that a place in them is a number.

A row remembers where a rule stands by that number, and by the rule's fingerprint that it is still
the same rule.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import xxhash

from models.assignment import Arms, arms_of
from models.playbook.fields import Scope
from models.playbook.then import Branch, Split, Step, Wait

Holds = Callable[[Scope], bool]


class Do(NamedTuple):
    """Carry out a step."""

    step: Any


class Pause(NamedTuple):
    """Go on after a while, unless one of these happens."""

    wait_ms: int
    unless: frozenset[str]


class Choose(NamedTuple):
    """Go on with the next, or elsewhere where the condition does not hold."""

    holds: Holds
    otherwise: int


class Jump(NamedTuple):
    """Go on elsewhere."""

    to: int


class Draw(NamedTuple):
    """Go on where the customer's arm is."""

    arms: Arms
    places: dict[str, int]


Op = Do | Pause | Choose | Jump | Draw


class Program(NamedTuple):
    """A rule's steps; `stops` are the events that may end one of its waits."""

    ops: tuple[Op, ...]
    stops: frozenset[str]


def compile_steps(rule: str, steps: tuple[Step, ...], compiled: Callable[[str], Holds]) -> Program:
    """Flatten a rule's steps; `compiled` makes a condition ready."""
    ops: list[Op] = []
    _flatten(rule, steps, compiled, ops)
    stops = frozenset[str]().union(*(op.unless for op in ops if isinstance(op, Pause)))
    return Program(tuple(ops), stops)


def _flatten(
    rule: str, steps: tuple[Step, ...], compiled: Callable[[str], Holds], ops: list[Op]
) -> None:
    for step in steps:
        if isinstance(step, Wait):
            ops.append(Pause(step.wait_ms, frozenset(step.unless)))
        elif isinstance(step, Branch):
            _flatten_branch(rule, step, compiled, ops)
        elif isinstance(step, Split):
            _flatten_split(rule, step, compiled, ops)
        else:
            ops.append(Do(step))


def _flatten_branch(
    rule: str, step: Branch, compiled: Callable[[str], Holds], ops: list[Op]
) -> None:
    at = len(ops)
    holds = compiled(step.if_)
    ops.append(Choose(holds, 0))
    _flatten(rule, step.then, compiled, ops)
    leave = len(ops)
    ops.append(Jump(0))
    ops[at] = Choose(holds, len(ops))
    _flatten(rule, step.else_, compiled, ops)
    ops[leave] = Jump(len(ops))


def _flatten_split(rule: str, step: Split, compiled: Callable[[str], Holds], ops: list[Op]) -> None:
    at = len(ops)
    # Splits of one rule are drawn apart: who is first here is not so there, too.
    arms = arms_of(f"{rule}#{at}" if at else rule, {one.arm: one.share for one in step.split})
    places: dict[str, int] = {}
    ops.append(Jump(0))
    leaves = []
    for one in step.split:
        places[one.arm] = len(ops)
        _flatten(rule, one.then, compiled, ops)
        leaves.append(len(ops))
        ops.append(Jump(0))
    ops[at] = Draw(arms, places)
    for leave in leaves:
        ops[leave] = Jump(len(ops))


def fingerprint(trigger: Any) -> int:
    """Tell a rule from what it was before it was changed; 63 bits."""
    return xxhash.xxh3_64_intdigest(repr(trigger).encode()) >> 1
