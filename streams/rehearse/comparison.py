"""Two playbooks over the same events: what only one of them would do, by rule and customer."""

from collections import Counter, defaultdict
from typing import Any

Said = dict[str, Any]
_SAME = ("customer_id", "rule", "at", "status", "kind", "channel", "offer")


class Comparison:
    """Takes what both decided in the same stretch of time; what both did is counted and forgotten.

    `examples_max` is how many of the differing decisions are kept to be shown.
    """

    def __init__(self, first: str, second: str, examples_max: int = 20) -> None:
        self._names = first, second
        self._examples_max = examples_max
        self._sent: tuple[Counter[str], Counter[str]] = Counter(), Counter()
        self._only: tuple[Counter[str], Counter[str]] = Counter(), Counter()
        self._customers: dict[str, set[str]] = defaultdict(set)
        self._examples: list[Said] = []

    def take(self, first: list[Said], second: list[Said]) -> None:
        """Hold one stretch's decisions against each other."""
        keys = [[_key(one) for one in side] for side in (first, second)]
        counts = [Counter(side) for side in keys]
        surplus = [counts[0] - counts[1], counts[1] - counts[0]]
        for side, decisions in enumerate((first, second)):
            for key, said in zip(keys[side], decisions, strict=True):
                if said["status"] == "sent":
                    self._sent[side][said["rule"]] += 1
                if surplus[side][key] > 0:
                    surplus[side][key] -= 1
                    self._differs(side, said)

    def _differs(self, side: int, said: Said) -> None:
        self._only[side][said["rule"]] += 1
        self._customers[said["rule"]].add(said["customer_id"])
        if len(self._examples) < self._examples_max:
            self._examples.append({"only_in": self._names[side], **said})

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: rules whose decisions differ, and examples in the order of time."""
        rules = sorted({*self._only[0], *self._only[1]})
        everyone = set().union(*self._customers.values()) if self._customers else set()
        return {
            "first": self._names[0],
            "second": self._names[1],
            "same": not rules,
            "customers_differing": len(everyone),
            "rules": {
                rule: {
                    "sent_first": self._sent[0][rule],
                    "sent_second": self._sent[1][rule],
                    "more": self._sent[1][rule] - self._sent[0][rule],
                    "only_first": self._only[0][rule],
                    "only_second": self._only[1][rule],
                    "customers": len(self._customers[rule]),
                }
                for rule in rules
            },
            "examples": sorted(self._examples, key=lambda one: str(one["at"])),
        }


def _key(said: Said) -> tuple[Any, ...]:
    return tuple(said[name] for name in _SAME)
