"""Records and timers that make a rule raise half way, and small limits, so that all are met."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from models import partition_clock
from models import step as steps
from models.customer import Customer
from models.events import TYPES
from streams import customer_fold as folds
from streams import partition as partitions

BAD_TIMER = "poison"
UNREADABLE = (b"", b"{}", b'{"type":"clock_mark","at_ms":"soon"}', b"\xff")
_remind = steps.TIMER_RULES["browse_reminder"]


class Quiet:
    """A log that says nothing: schedules leave records out on purpose, by the thousand."""

    def bind(self, **_: Any) -> "Quiet":
        return self

    def _say(self, *_: Any, **__: Any) -> None: ...

    debug = info = warning = error = critical = _say


def _rule(token: str, customer: Customer, event: Any, view: Any, at_ms: int) -> list[Any]:
    if event.id.startswith("bad"):
        customer.searches += 1_000
        raise ZeroDivisionError("half way")
    return []


def _timer_rule(token: str, customer: Customer, timer: Any, view: Any) -> list[Any]:
    if timer.item == BAD_TIMER:
        customer.searches += 1_000
        raise ZeroDivisionError("no reminder")
    return _remind(token, customer, timer, view)


@contextmanager
def rules_that_break() -> Iterator[None]:
    """Events with `bad` ids raise half way, so do reminders of the product `poison`."""
    with ExitStack() as stack:
        for change in (
            patch.object(
                steps, "RULES", {kind: (*steps.RULES.get(kind, ()), _rule) for kind in TYPES}
            ),
            patch.dict(steps.TIMER_RULES, browse_reminder=_timer_rule),
            patch.object(partition_clock, "HOURS_SAID_AT_MOST", 1),
            patch.object(folds, "CUSTOMERS_PER_SLICE", 2),
            patch.object(folds, "CUSTOMERS_PER_LIVE_MARK", 3),
            patch.object(partitions, "SLICES_PER_TRANSACTION", 1),
            patch.object(folds, "DECODED_AT_MOST", 3),
            patch.object(partitions, "log", Quiet()),
        ):
            stack.enter_context(change)
        yield
