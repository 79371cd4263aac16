"""The reckoning of `scale`: many workers on paper are one measured worker many times."""

import pytest

from tests.bench.scale import BUSY, PARTITIONS, Cost, on_paper, summed

EVENT_US, BROKER_US = 20.0, 5.0


def cost(records: float, commits: float) -> Cost:
    return Cost(10.0, records, commits, records * EVENT_US / 1e6, records * BROKER_US / 1e6)


def test_windows_are_weighed_by_what_was_done_in_them() -> None:
    both = summed([cost(400_000, 800), Cost(10.0, 100_000, 200, 7.0, 0.0)])
    assert both.worker_us == pytest.approx((400_000 * EVENT_US + 7e6) / 500_000)
    assert both.commits == 1_000


def test_many_workers_on_paper_are_one_worker_many_times() -> None:
    one, many = (on_paper(workers, cost(400_000, 800)) for workers in (1, 200))
    assert one["events_per_s"] == round(BUSY * 1e6 / EVENT_US)
    assert one["transactions_per_s"] == round(one["events_per_s"] / 500)
    assert many["partitions"] == 200 * PARTITIONS
    assert many["events_per_s"] == pytest.approx(200 * one["events_per_s"], rel=0.001)
    assert many["broker_cores"] == pytest.approx(200 * BUSY * BROKER_US / EVENT_US)
