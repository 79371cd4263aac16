"""Benchmark `rules`: what an event's decisions cost with no rule, with 30, and with 300.

The same history is folded in turns by playbooks of that many rules (`many_rules.py`): `step`, an
event's share of the timers and of the settling, as in `total_us` of benchmark `step`. Only the
candidates of an event may cost: ten times the rules must not cost ten times as much.
"""

from collections.abc import Sequence
from typing import Any

from models.playbook.rulebook import Rulebook
from streams import customer_fold as fold_module
from tests.bench.histories import FoldedShop, invented_hours
from tests.bench.many_rules import rulebook_of
from tests.bench.rig import Options, median
from tests.bench.step import fold_all
from tests.bench.stopwatch import Stopwatch, replaced
from tests.builders import Record

MUST = [("ratio", "<=", 3.0)]
NUMBERS = (0, 30, 300)
CUSTOMERS, DAYS = 600, 30
SMALL_CUSTOMERS, SMALL_DAYS = 30, 10


def run(options: Options) -> dict[str, Any]:
    """Fold one history by each playbook in turns."""
    customers, days = (SMALL_CUSTOMERS, SMALL_DAYS) if options.small else (CUSTOMERS, DAYS)
    hours = invented_hours(options.customers or customers, days, packs=True)
    records = FoldedShop(hours, packs=True).log
    events = len(records) - len(hours)
    books = {number: rulebook_of(number) for number in NUMBERS}
    rounds = []
    for number in range(options.rounds):
        found = {}
        for rules in NUMBERS if number % 2 == 0 else reversed(NUMBERS):
            found[f"us_per_event_{rules}"] = decided_us(records, events, books[rules])
        rounds.append(found)
        told = ", ".join(f"{found[f'us_per_event_{one}']:.1f} with {one}" for one in NUMBERS)
        options.say(f"round {number + 1}: µs an event: {told}")
    figures = {
        f"us_per_event_{one}": median([each[f"us_per_event_{one}"] for each in rounds])
        for one in NUMBERS
    }
    ratios = [each["us_per_event_300"] / each["us_per_event_30"] for each in rounds]
    return {
        "ratio": round(median(ratios), 3),
        **{name: round(value, 2) for name, value in figures.items()},
        "events": events,
        "rounds": [{name: round(value, 2) for name, value in one.items()} for one in rounds],
    }


def decided_us(records: Sequence[Record], events: int, book: Rulebook | None) -> float:
    """CPU microseconds an event of all that is decided."""
    watch = Stopwatch()
    timed = [
        (fold_module, name, watch.wrapped(name, getattr(fold_module, name))) for name in _DECIDED
    ]
    with replaced(timed):
        fold_all(records, book)
    return sum(watch.stage_us(name) for name in _DECIDED) / events


_DECIDED = ("step", "fire", "settle")
