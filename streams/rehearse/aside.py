"""A rehearsal in a process of its own: asked on stdin, told in lines of JSON on stdout.

`python -m streams.rehearse.aside`. It is slow on purpose where others need the machine (nice), and
ends itself when it needs more memory than it may.
"""

import asyncio
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from models.clock import DAY_MS, LogClock
from streams.rehearse.asked import Asked
from streams.rehearse.book import Book, book_of
from streams.rehearse.comparison import Comparison
from streams.rehearse.own_log import OwnLog, records_in
from streams.rehearse.past import Past
from streams.rehearse.playing import play_all
from streams.rehearse.scenario import BadScenario, read_scenario
from streams.replay.history import BadHistory
from streams.replay.history_log import read_control
from streams.replay.progress import CLOCK_KEY, word
from streams.settings import Settings

MEMORY_BYTES = 1_500_000_000
EVENTS_AT_MOST = 5_000
RECORDS_AT_ONCE = 60_000
DAYS_AT_MOST = 1_100
SHOWN_AT_MOST = 200
DRAFT, IN_USE = "draft", "in use"
_TOLD_EVERY_S = 0.3

Told = dict[str, Any]
Tell = Callable[[Told], None]


def main() -> None:
    """Play what is asked for on stdin."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    try:
        play(asked, _tell)
    except MemoryError:
        _tell({"stopped": "memory"})


def _tell(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def play(asked: Asked, tell: Tell) -> None:
    """Tell now and then how far it is, at last what was found, or why nothing was."""
    draft = book_of(DRAFT, asked.main, asked.files)
    in_use = Book(IN_USE, None) if asked.in_use is None else book_of(IN_USE, *asked.in_use)
    if asked.scenario:
        tell(over_scenario(asked.scenario, in_use, draft))
        return
    try:
        tell(over_log(Settings(**asked.settings), asked.days, in_use, draft, tell))
    except BadHistory:
        tell({"stopped": "history"})


def over_scenario(text: str, in_use: Book, draft: Book) -> Told:
    """Play a scenario under both; what is found is the draft's, with how it differs."""
    try:
        scenario = read_scenario(
            "scenario", text.encode(), time_zone=draft.time_zone, currency=draft.currency
        )
    except BadScenario as bad:
        return {"problems": [one.told() for one in bad.problems]}
    first_ms = scenario.happenings[0].at_ms if scenario.happenings else scenario.until_ms
    is_long = scenario.until_ms - first_ms > DAYS_AT_MOST * DAY_MS
    if is_long or len(scenario.happenings) > EVENTS_AT_MOST:
        return {"stopped": "events"}
    found = play_all(scenario, [draft])
    before = play_all(scenario, [in_use])
    comparison = Comparison(IN_USE, DRAFT)
    comparison.take(before["actions"] + before["rejected"], found["actions"] + found["rejected"])
    shown = sorted([*found["actions"], *found["rejected"]], key=lambda one: str(one["at"]))
    return {
        "found": {
            "decided": shown[:SHOWN_AT_MOST],
            "more": max(0, len(shown) - SHOWN_AT_MOST),
            "tiers": found["tiers"],
            "differences": found.get("differences", []),
            "comparison": comparison.as_dict(),
        }
    }


def over_log(settings: Settings, days: int, in_use: Book, draft: Book, tell: Tell) -> Told:
    """Play the own log under both, from its first event on, and count its last days.

    Of a long log a sample of the customers is played: one in `one_in`. Raises BadHistory where
    there is no log.
    """
    now_ms, records = _asked_of_log(settings)
    one_in = -(-records // RECORDS_AT_ONCE) or 1
    past = Past(
        OwnLog(settings, one_in=one_in),
        [in_use, draft],
        currency=draft.currency,
        counted_from_ms=now_ms - days * DAY_MS,
    )
    before, found = past.play(_Progress(now_ms, tell))
    assert past.comparison is not None  # noqa: S101
    comparison = past.comparison.as_dict()
    more = {"by_day": found["days"], "before": before, "comparison": comparison, "one_in": one_in}
    return {"found": {**found, **more}}


def _asked_of_log(settings: Settings) -> tuple[int, int]:
    """Ask what time it is in the log, and how many records it holds."""
    try:
        control = asyncio.run(read_control(settings))
        records = asyncio.run(records_in(settings))
    except (KafkaError, OSError) as error:
        raise BadHistory(f"no broker at {settings.kafka_bootstrap}: {error!r}") from None
    clock = word(control.get(CLOCK_KEY), LogClock) or LogClock()
    return clock.now_ms(time.time_ns() // 1_000_000), records


class _Progress:
    """Tells now and then which share of the log's time is played."""

    def __init__(self, ends_ms: int, tell: Tell) -> None:
        self._ends_ms = ends_ms
        self._tell = tell
        self._begins_ms = 0
        self._told_at = 0.0

    def __call__(self, at_ms: int, _events: int) -> None:
        self._begins_ms = self._begins_ms or at_ms - DAY_MS
        if time.monotonic() - self._told_at < _TOLD_EVERY_S:
            return
        self._told_at = time.monotonic()
        whole_ms = max(self._ends_ms - self._begins_ms, 1)
        self._tell({"progress": round(min((at_ms - self._begins_ms) / whole_ms, 1.0), 3)})


if __name__ == "__main__":
    main()
