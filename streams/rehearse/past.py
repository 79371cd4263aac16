"""Rehearses a playbook over a shop's real history: what it would have done, before it does it.

The history is read once and streams through; what stays is a row a customer, as live.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.local_time import zone_of
from streams.rehearse.book import Book
from streams.rehearse.comparison import Comparison
from streams.rehearse.learning import Learning
from streams.rehearse.play import events_of
from streams.rehearse.stage import Stage
from streams.rehearse.tally import Tally
from streams.rehearse.told import local_time, told
from streams.replay.command import find_history
from streams.replay.history import BadHistory, BadRow, History
from streams.replay.mapping import mappings_shipped

DEMOS = ("demo", "complete_journey")

Watch = Callable[[int, int], None]
"""Is told the time that is reached, once a day, and how many events were taken."""


class Past:
    """One history under one playbook, or two; `comparison` is there when there are two."""

    def __init__(
        self, history: History, books: Sequence[Book], *, currency: str, examples_max: int = 20
    ) -> None:
        self._history = history
        self._books = books
        self._currency = currency
        self._names: dict[str, str] = {}
        self._events = self._bad = 0
        self._stages = [
            Stage(book.rulebook(), grain_ms=MINUTE_MS, beat_ms=HOUR_MS, learn=Learning())
            for book in books
        ]
        self._tallies = [
            Tally(
                dict(book.playbook.offers) if book.playbook else {},
                zone_of(book.time_zone),
            )
            for book in books
        ]
        self.comparison = (
            Comparison(books[0].name, books[1].name, examples_max) if len(books) > 1 else None
        )

    def play(self, watch: Watch) -> list[dict[str, Any]]:
        """Play the history to its end; gives what each playbook did.

        Raises BadHistory for one that can't be read.
        """
        day = self._history.first_ms // DAY_MS
        for arrival in self._history.arrivals():
            if isinstance(arrival, BadRow):
                self._bad += 1
                continue
            if arrival.at_ms // DAY_MS > day:
                day = arrival.at_ms // DAY_MS
                self._end_day(day * DAY_MS, watch)
            self._take(arrival.body, arrival.at_ms)
        self._end_day(self._history.last_ms + MINUTE_MS, watch)
        return [
            self._said(book, tally) for book, tally in zip(self._books, self._tallies, strict=True)
        ]

    def _take(self, body: dict[str, Any], at_ms: int) -> None:
        events = events_of(body, at_ms, self._currency, self._names)
        self._bad += not events
        self._events += len(events)
        for event in events:
            for stage in self._stages:
                stage.take(event)  # type: ignore[arg-type]

    def _end_day(self, at_ms: int, watch: Watch) -> None:
        said = []
        for book, stage, tally in zip(self._books, self._stages, self._tallies, strict=True):
            stage.end(at_ms - 1)
            decided, stage.decided, stage.actions = stage.decided, [], []
            for one in decided:
                tally.take(one, stage.customer(one.customer))
            if self.comparison is not None:
                said.append(
                    [
                        told(
                            one,
                            self._names.get(one.customer, one.customer),
                            stage.customer(one.customer),
                            book.time_zone,
                        )
                        for one in decided
                    ]
                )
        if self.comparison is not None:
            self.comparison.take(said[0], said[1])
        watch(at_ms, self._events)

    def _said(self, book: Book, tally: Tally) -> dict[str, Any]:
        return {
            "playbook": book.name,
            "source": self._history.name,
            "from": local_time(self._history.first_ms, None, book.time_zone),
            "until": local_time(self._history.last_ms, None, book.time_zone),
            "events": self._events,
            "refused": self._bad,
            "customers": len(self._names),
            "currency": self._currency,
            **tally.as_dict(),
        }


def find(source: str, mapping: str, days: int | None) -> History:
    """Open a history as `huitou replay` does: `demo`, or a file with its mapping, or its name.

    Raises BadHistory.
    """
    is_demo = source in DEMOS
    path = mappings_shipped().get(mapping, Path(mapping)) if mapping else None
    try:
        return find_history(
            None if is_demo else Path(source), demo=is_demo, mapping=path, days=days
        )
    except OSError as error:
        raise BadHistory(f"{source}: {error.strerror or error}") from None
