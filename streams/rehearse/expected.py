"""Holds what was expected against what was played, and says what differs in words."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from models.clock import MINUTE_MS
from streams.rehearse.play import Rehearsal
from streams.rehearse.scenario import TOLD, Scenario, Wanted

NEAR_SHOWN = 3
Said = dict[str, Any]


def differences(scenario: Scenario, rehearsal: Rehearsal) -> list[str]:
    """What was expected and is not so; each action answers one expectation only."""
    return [
        *_Answers(scenario.expect, rehearsal.actions).missing("action"),
        *_Answers(scenario.expect_rejected, rehearsal.rejected).missing("rejection"),
        *_unwanted(scenario.expect_none, rehearsal.actions),
        *_misplaced(scenario.expect_tiers, rehearsal.tiers),
    ]


def fits(values: Said, said: Said) -> bool:
    """Whether an action is what was expected, as far as that says; times within a minute."""
    return all(_is_same(key, value, said[key]) for key, value in values.items())


def _is_same(key: str, value: Any, said: Any) -> bool:
    if key == "at":
        return bool(abs(value - _ms(said)) <= MINUTE_MS)
    return str(value) == str(said) if value and said else not value and not said


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class _Answers:
    """Which action answers which expectation, so that as many as can be are answered."""

    def __init__(self, wanted: Sequence[Wanted], there: Sequence[Said]) -> None:
        self._wanted = wanted
        self._there = there
        self._answers: dict[int, int] = {}
        self._open = [at for at in range(len(wanted)) if not self._find(at, set())]

    def _find(self, number: int, tried: set[int]) -> bool:
        """Find an action for an expectation; another may have to make do with a different one."""
        for at, said in enumerate(self._there):
            if at in tried or not fits(self._wanted[number].values, said):
                continue
            tried.add(at)
            other = self._answers.get(at)
            if other is None or self._find(other, tried):
                self._answers[at] = number
                return True
        return False

    def missing(self, what: str) -> list[str]:
        left = [said for at, said in enumerate(self._there) if at not in self._answers]
        return [_said_missing(self._wanted[at], left, what) for at in self._open]


def _said_missing(wanted: Wanted, left: Sequence[Said], what: str) -> str:
    lines = [f"{wanted.place}: there is no {what} with {_spoken(wanted.values)}"]
    for said in sorted(left, key=lambda one: len(_off(wanted, one)))[:NEAR_SHOWN]:
        off = _off(wanted, said)
        if len(off) < len(wanted.values):
            lines.append(f"    near: {_spoken(said)}; differs in {', '.join(off)}")
    return "\n".join(lines)


def _off(wanted: Wanted, said: Said) -> list[str]:
    return [key for key, value in wanted.values.items() if not _is_same(key, value, said[key])]


def _spoken(values: Said) -> str:
    said = ((key, values[key]) for key in TOLD if values.get(key) not in (None, ""))
    return ", ".join(f"{key} {_time(value) if key == 'at' else value}" for key, value in said)


def _time(value: Any) -> Any:
    if not isinstance(value, int):
        return value
    return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="seconds")


def _unwanted(wanted: Sequence[Wanted], actions: Sequence[Said]) -> list[str]:
    return [
        f"{one.place}: {said['customer_id']} was to get nothing, and got: {_spoken(said)}"
        for one in wanted
        for said in actions
        if said["customer_id"] == one.values["customer_id"]
    ]


def _misplaced(wanted: Sequence[Wanted], tiers: dict[str, str]) -> list[str]:
    found = []
    for one in wanted:
        name, tier = one.values["customer_id"], one.values["tier"]
        if tiers.get(name) != tier:
            there = tiers.get(name, "nobody: no such customer is there at the end")
            found.append(f"{one.place}: {name} was to be {tier}, and is {there}")
    return found
