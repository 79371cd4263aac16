"""Caps that starve a rule: what it sends by itself, and what stands before it, use the cap up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.playbook.playbook import Trigger
from models.playbook.shop import Cap
from models.playbook.then import Branch, Send, Split, Wait
from models.playbook.when import OnCadence

SENDINGS_MAX = 200


@dataclass(frozen=True)
class Sending:
    """One message of a trigger: when after its moment, and how often the moment comes."""

    trigger: str
    priority: int
    consent: str
    channels: tuple[str, ...]
    after_ms: int
    every_ms: int


def sendings_of(name: str, trigger: Trigger, consents: Mapping[str, str]) -> list[Sending]:
    """Messages a trigger sends to one customer at the most, in their order."""
    every_ms = trigger.when.every_ms if isinstance(trigger.when, OnCadence) else 0
    return [
        Sending(
            name,
            trigger.guard.priority,
            consents.get(step.message, "marketing"),
            step.channels,
            after_ms,
            every_ms,
        )
        for after_ms, step in _longest(trigger.then, 0)[0]
    ][:SENDINGS_MAX]


def _longest(steps: Sequence[Any], after_ms: int) -> tuple[list[tuple[int, Send]], int]:
    """Messages on the way with the most of them, and when it ends."""
    sent: list[tuple[int, Send]] = []
    for step in steps:
        if isinstance(step, Send):
            sent.append((after_ms, step))
        elif isinstance(step, Wait):
            after_ms += step.wait_ms
        elif isinstance(step, Branch | Split):
            ways = (
                [step.then, step.else_]
                if isinstance(step, Branch)
                else [arm.then for arm in step.split]
            )
            ahead = [_longest(way, after_ms) for way in ways]
            most, after_ms = max(ahead, key=lambda way: len(way[0]))
            sent += most
    return sent, after_ms


def starved(cap: Cap, sendings: Sequence[Sending]) -> Iterator[tuple[str, str]]:
    """Triggers, of messages that all count for the cap, which it can't let through, and why."""
    told = set()
    for name in dict.fromkeys(one.trigger for one in sendings):
        own = [one for one in sendings if one.trigger == name]
        most = _within(own, cap.per_ms)
        if most > cap.at_most:
            told.add(name)
            yield (
                name,
                (
                    f"trigger {name} sends {most:g} messages in a time in which "
                    f"{cap.at_most} may be sent"
                ),
            )
    for name in dict.fromkeys(one.trigger for one in sendings):
        priority = next(one.priority for one in sendings if one.trigger == name)
        before = [one for one in sendings if one.priority > priority and one.every_ms]
        most = sum(cap.per_ms / one.every_ms for one in before)
        if name not in told and most >= cap.at_most:
            who = ", ".join(dict.fromkeys(one.trigger for one in before))
            yield name, f"{who} may use up the cap before trigger {name} gets a turn"


def _within(own: Sequence[Sending], per_ms: int) -> float:
    """Most messages of one trigger within this time."""
    if own[0].every_ms:
        return len(own) * max(1.0, per_ms / own[0].every_ms)
    return max(sum(0 <= other.after_ms - one.after_ms < per_ms for other in own) for one in own)
