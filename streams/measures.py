"""What a lane notes of itself: a few numbers a batch and a commit, none an event.

Plain Python, written by the partitions and read by whoever serves them (streams/worker_metrics.py).
"""

from bisect import bisect_left
from collections import defaultdict

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
COUNTS = (1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 20_000.0)


class Distribution:
    """How often a value fell under each bound; the last count is of those above all bounds.

    >>> sizes = Distribution((1.0, 10.0))
    >>> for size in (1, 5, 7, 100): sizes.note(size)
    >>> sizes.counts, sizes.total
    ([1, 2, 1], 113.0)
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class LaneMeasures:
    """All partitions of one lane in this process, those given away included.

    `stage_seconds` adds up where the time goes: prepare and fold (batch by batch), seal, send and
    commit (transaction by transaction). `event_age_seconds` is that of an interval's newest record
    when it is committed, by the time stamp it entered the log with: a replay's bear the history's.
    """

    def __init__(self) -> None:
        self.batch_records = Distribution(COUNTS)
        self.commit_rows = Distribution(COUNTS)
        self.commit_seconds = Distribution(SECONDS)
        self.event_age_seconds = Distribution(SECONDS)
        self.recovery_seconds = Distribution(SECONDS)
        self.stage_seconds: dict[str, float] = defaultdict(float)
        self.outputs = 0
        self.recovered_rows = 0
        self.left_out = 0
        self.failed = 0

    def folded(self, records: int, prepare_s: float, fold_s: float) -> None:
        """Note a batch."""
        self.batch_records.note(records)
        self.stage_seconds["prepare"] += prepare_s
        self.stage_seconds["fold"] += fold_s

    def committed(self, rows: int, outputs: int, seconds: float, age_s: float | None) -> None:
        """Note a transaction; `age_s` None: nothing in it came from a record."""
        self.commit_rows.note(rows)
        self.commit_seconds.note(seconds)
        self.outputs += outputs
        if age_s is not None:
            self.event_age_seconds.note(age_s)

    def recovered(self, rows: int, seconds: float) -> None:
        """Note a partition that was opened."""
        self.recovered_rows += rows
        self.recovery_seconds.note(seconds)
