"""Rehearses a playbook over a shop's real history: what it would have done, before it does it.

The history is read once and streams through; what stays is a row a customer, as live.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.events import CustomerEvent
from models.local_time import zone_of
from streams.rehearse.book import Book
from streams.rehearse.comparison import Comparison
from streams.rehearse.learning import Learning
from streams.rehearse.own_log import LIVE, OwnLog
from streams.rehearse.play import events_of
from streams.rehearse.stage import Stage
from streams.rehearse.tally import Tally
from streams.rehearse.told import local_time, told
from streams.replay.command import find_history
from streams.replay.history import BadHistory, BadRow, History
from streams.replay.mapping import mappings_shipped
from streams.settings import Settings

DEMOS = ("demo", "complete_journey")

Watch = Callable[[int, int], None]
"""Is told the time that is reached, once a day, and how many events were taken."""


class Past:
    """One history under one playbook, or two; `comparison` is there when there are two.

    What was decided before `counted_from_ms` is not counted, but remembered by once and caps.
    """

    def __init__(
        self,
        history: History | OwnLog,
        books: Sequence[Book],
        *,
        currency: str,
        examples_max: int = 20,
        counted_from_ms: int = 0,
    ) -> None:
        self._history = history
        self._counted_from_ms = counted_from_ms
        self._books = books
        self._currency = currency
        self._names: dict[str, str] = {}
        self._events = self._bad = self._first_ms = self._last_ms = 0
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
        for at_ms, events in self._feed():
            self._first_ms = self._first_ms or at_ms
            if at_ms // DAY_MS > self._last_ms // DAY_MS and self._last_ms:
                self._end_day(at_ms - at_ms % DAY_MS, watch)
            self._last_ms = max(at_ms, self._last_ms)
            self._events += len(events)
            for event in events:
                for stage in self._stages:
                    stage.take(event)
        # What nobody did up to the history's end counts too.
        self._last_ms = max(self._last_ms, self._history.last_ms)
        self._end_day(self._last_ms + MINUTE_MS, watch)
        pairs = zip(self._books, self._tallies, strict=True)
        return [self._said(book, tally) for book, tally in pairs]

    def _feed(self) -> Iterator[tuple[int, Sequence[CustomerEvent]]]:
        """What came in when, as events of the log."""
        if isinstance(self._history, OwnLog):
            for event in self._history.events():
                self._names.setdefault(event.customer, event.customer)
                yield event.received_at_ms, (event,)
            return
        for arrival in self._history.arrivals():
            if isinstance(arrival, BadRow):
                self._bad += 1
                continue
            events = events_of(arrival.body, arrival.at_ms, self._currency, self._names)
            self._bad += not events
            yield arrival.at_ms, events  # type: ignore[misc]

    def _end_day(self, at_ms: int, watch: Watch) -> None:
        said = []
        for book, stage, tally in zip(self._books, self._stages, self._tallies, strict=True):
            stage.end(at_ms - 1)
            decided = [one for one in stage.decided if one.at_ms >= self._counted_from_ms]
            stage.decided, stage.actions = [], []
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
            "from": local_time(max(self._first_ms, self._counted_from_ms), None, book.time_zone),
            "until": local_time(self._last_ms, None, book.time_zone),
            "events": self._events,
            "refused": self._bad,
            "customers": len(self._names),
            "currency": self._currency,
            **tally.as_dict(),
        }


def find(
    source: str, mapping: str, days: int | None, data_dir: Path | None = None
) -> History | OwnLog:
    """Open a history: `live` is the own log of `data_dir`, else as `huitou replay` reads it.

    That is `demo`, or a file with its mapping or a mapping's name. Raises BadHistory.
    """
    if source == LIVE:
        settings: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
        return OwnLog(Settings(**settings))
    is_demo = source in DEMOS
    path = mappings_shipped().get(mapping, Path(mapping)) if mapping else None
    try:
        return find_history(
            None if is_demo else Path(source), demo=is_demo, mapping=path, days=days
        )
    except OSError as error:
        raise BadHistory(f"{source}: {error.strerror or error}") from None
