"""Records and timers that make a rule raise half way, and small limits, so that all are met."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from models import partition_clock
from models.customer import Customer
from models.triggers import engine
from models.triggers.notes import run_of
from models.triggers.runs import RUN
from streams import customer_fold as folds
from streams import partition as partitions

BAD_TIMER = "poison"
UNREADABLE = (b"", b"{}", b'{"type":"clock_mark","at_ms":"soon"}', b"\xff")
_on_event, _on_timers = engine.on_event, engine.on_timers


class Quiet:
    """A log that says nothing: schedules leave records out on purpose, by the thousand."""

    def bind(self, **_: Any) -> "Quiet":
        return self

    def _say(self, *_: Any, **__: Any) -> None: ...

    debug = info = warning = error = critical = _say


def _break_on_event(token: str, customer: Customer, event: Any, *rest: Any) -> list[Any]:
    if event.id.startswith("bad"):
        customer.searches += 1_000
        raise ZeroDivisionError("half way")
    return _on_event(token, customer, event, *rest)


def _break_on_timers(token: str, customer: Customer, was: Any, view: Any) -> list[Any]:
    due = [one for one in customer.timers if one.rule == RUN and one.due_ms <= view.now_ms]
    runs = [run_of(customer.playbook, one.item) for one in due]
    if any(run is not None and run.item == BAD_TIMER for run in runs):
        customer.searches += 1_000
        raise ZeroDivisionError("no reminder")
    return _on_timers(token, customer, was, view)


@contextmanager
def rules_that_break() -> Iterator[None]:
    """Events with `bad` ids raise half way, so do reminders of the product `poison`."""
    with ExitStack() as stack:
        for change in (
            patch.object(engine, "on_event", _break_on_event),
            patch.object(engine, "on_timers", _break_on_timers),
            patch.object(partition_clock, "HOURS_SAID_AT_MOST", 1),
            patch.object(folds, "CUSTOMERS_PER_SLICE", 2),
            patch.object(folds, "CUSTOMERS_PER_LIVE_MARK", 3),
            patch.object(partitions, "SLICES_PER_TRANSACTION", 1),
            patch.object(folds, "DECODED_AT_MOST", 3),
            patch.object(partitions, "log", Quiet()),
        ):
            stack.enter_context(change)
        yield
