"""Benchmark `step`: what an event costs in the step, stage by stage, and around it in the fold.

In one process, on the product's own functions, over the invented shop's history with its marks, by
a playbook of all ready packs (`--no-packs`: without any rule; that total stands
beside as `total_us_without_playbook`, over the same history).
`total_us` is `step`, `fire` (an event's share of the timers) and `settle` (hazards are foretold
once an interval): all that is decided, models and rules included. `fold_us` is the whole fold of an
event as the worker does it: decoding, finding the row, the step, the timers' index, encoding of
effects and rows, an interval each INTERVAL_RECORDS records.

First the fold is timed whole, then its stages in passes of their own, by wrapping functions where
they are looked up. All is CPU time of the thread.
"""

import gc
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from models import hazard_question, item_notes, sleep_timer
from models import step as step_module
from models.playbook.rulebook import Rulebook
from models.triggers import changes, engine, standing
from streams import customer_fold as fold_module
from tests.bench.histories import PACKS, FoldedShop, adopted_fold, invented_hours, packs_opened
from tests.bench.rig import Options, median
from tests.bench.stopwatch import Stopwatch, replaced
from tests.builders import Record

MUST = [("total_us", "<=", 12.0)]
INTERVAL_RECORDS = 2_000
CUSTOMERS, DAYS = 2_000, 45
SMALL_CUSTOMERS, SMALL_DAYS = 60, 20

SHOWN = ("total_us", "step_us", "fold_us")

Places = Sequence[tuple[str, ModuleType, str]]
# A stage, and where its functions are looked up; these are parts of the step:
WITHIN: Places = (
    ("repeat_check", step_module, "seen_before"),
    ("merge", step_module, "_absorb"),
    ("apply", step_module, "_apply"),
    ("items", item_notes, "note"),
    ("foretell", step_module, "outdate"),
    ("foretell", step_module, "settle"),
    ("questions", hazard_question, "on_order"),
    ("sleep_timer", sleep_timer, "on_order"),
    ("tier", step_module, "_tier_may_have_moved"),
    ("tier", step_module, "_change_tier"),
    ("playbook", engine, "on_event"),
)
# These are parts of what the playbook does at events and timers,
OF_PLAYBOOK: Places = (
    ("look", engine, "Moment"),
    ("arm", standing, "arm"),
    ("stop", engine, "stop"),
    ("begin", engine, "_begun"),
    ("changes", changes, "changed"),
    ("wind", engine, "_wind"),
    ("come_due", engine, "_due"),
    ("act", engine, "proceed"),
)
# and these are the step and what the fold does around it.
AROUND: Places = (
    ("decode", fold_module, "decode"),
    ("row_decode", fold_module, "decode_row"),
    ("step", fold_module, "step"),
    ("timers", fold_module, "fire"),
    ("settle", fold_module, "settle"),
    ("effects_encode", fold_module, "encode"),
    ("row_encode", fold_module, "encode_row"),
)
DECIDED = ("step", "timers", "settle")


def run(options: Options) -> dict[str, Any]:
    """Time the fold, its parts, and the step's parts."""
    customers, days = (SMALL_CUSTOMERS, SMALL_DAYS) if options.small else (CUSTOMERS, DAYS)
    hours = invented_hours(options.customers or customers, days, packs=options.packs)
    shop = FoldedShop(hours, packs=options.packs)
    book = packs_opened() if options.packs else None
    records, rows = shop.log, list(shop.rows().values())
    events = len(records) - len(hours)
    rounds = []
    for number in range(options.rounds):
        rounds.append(_round(records, events, book) | _cold(rows))
        options.say(f"round {number + 1}: step {rounds[-1]['total_us']:.2f} µs an event")
    figures = {name: median([one[name] for one in rounds]) for name in rounds[0]}
    return {
        **{name: round(value, 3) for name, value in figures.items()},
        "best_total_us": round(min(one["total_us"] for one in rounds), 3),
        "events": events,
        "mean_row_bytes": round(sum(map(len, rows)) / len(rows)),
        "stages_of_total": _shares(figures, [*_names(WITHIN), "step_rest", *DECIDED[1:]]),
        "stages_of_playbook": _shares(figures, _names(OF_PLAYBOOK)),
        "stages_of_fold": _shares(figures, [*_names(AROUND), "fold_rest"]),
        "rounds": [{name: round(one[name], 3) for name in SHOWN} for one in rounds],
    }


def _names(places: Places) -> list[str]:
    """Each stage once, in its order."""
    return list(dict.fromkeys(stage for stage, *_ in places))


def _shares(figures: dict[str, float], stages: Sequence[str]) -> list[dict[str, Any]]:
    """Each stage's microseconds an event, and its share of them all."""
    whole_us = sum(figures[f"{stage}_us"] for stage in stages)
    return [
        {
            "stage": stage,
            "us_per_event": round(figures[f"{stage}_us"], 3),
            "share": round(figures[f"{stage}_us"] / whole_us, 3),
        }
        for stage in stages
    ]


def _cold(rows: Sequence[bytes]) -> dict[str, float]:
    """What a row costs that is not at hand, each way; not part of the other figures."""
    began_s = time.thread_time()
    for row in rows:
        fold_module.decode_row(row)
    decoded_s = time.thread_time()
    both = [fold_module.encode_row(fold_module.decode_row(row)) for row in rows]
    ended_s = time.thread_time()
    decode_us = (decoded_s - began_s) * 1e6 / len(both)
    both_us = (ended_s - decoded_s) * 1e6 / len(both)
    return {
        "cold_row_decode_us": decode_us,
        "cold_row_encode_us": max(0.0, both_us - decode_us),
    }


def fold_all(records: Sequence[Record], book: Rulebook | None = None) -> float:
    """Fold records as the worker does; the CPU seconds it took.

    The benchmark's own objects are kept from the garbage collector: a worker holds no history.
    """
    fold = adopted_fold(book and PACKS, book)
    nobody: frozenset[bytes] = frozenset()
    gc.collect()
    gc.freeze()
    began_s = time.thread_time()
    for start in range(0, len(records), INTERVAL_RECORDS):
        for record in records[start : start + INTERVAL_RECORDS]:
            for _ in fold.fold(record, nobody):
                pass
        fold.seal()
    cpu_s = time.thread_time() - began_s
    gc.unfreeze()
    return cpu_s


def _round(records: Sequence[Record], events: int, book: Rulebook | None) -> dict[str, float]:
    fold_us = fold_all(records, book) * 1e6 / events
    around = _stages(records, events, AROUND, book)
    within = _stages(records, events, WITHIN, book)
    figures = {"total_us": sum(around[stage] for stage in DECIDED)}
    if book is not None:
        parts = _stages(records, events, OF_PLAYBOOK, book)
        figures |= {f"{stage}_us": spent_us for stage, spent_us in parts.items()}
        without = _stages(records, events, AROUND, None)
        figures["total_us_without_playbook"] = sum(without[stage] for stage in DECIDED)
    return {
        **figures,
        "fold_us": fold_us,
        **{f"{stage}_us": spent_us for stage, spent_us in (within | around).items()},
        "step_rest_us": max(0.0, around["step"] - sum(within.values())),
        "fold_rest_us": max(0.0, fold_us - sum(around.values())),
    }


def _stages(
    records: Sequence[Record],
    events: int,
    places: Places,
    book: Rulebook | None,
) -> dict[str, float]:
    """CPU microseconds an event of each stage, in a pass of their own."""
    watch = Stopwatch()
    timed: list[tuple[ModuleType, str, Any]] = []
    for stage, module, name in places:
        timed.append((module, name, watch.wrapped(stage, getattr(module, name))))
    if places is WITHIN:
        # What a timer calls of these belongs to the timers.
        timed.append((fold_module, "fire", watch.resting(fold_module.fire)))
    with replaced(timed):
        fold_all(records, book)
    return {stage: watch.stage_us(stage) / events for stage in _names(places)}
