"""The reckoning of `scale`: costs taken apart as they were put together."""

import pytest

from tests.bench.scale import BUSY, PARTITIONS, Cost, on_paper, split_costs

EVENT_US, COMMIT_US = 20.0, 400.0


def cost(records: float, commits: float) -> Cost:
    cpu_s = (records * EVENT_US + commits * COMMIT_US) / 1e6
    return Cost(10.0, records, commits, cpu_s, cpu_s / 2)


def test_an_events_and_a_commits_cost_are_found_again() -> None:
    few, many = [cost(400_000, 800)], [cost(380_000, 3_200)]
    assert split_costs(few, many, "worker") == pytest.approx((EVENT_US, COMMIT_US))
    assert split_costs(few, many, "broker") == pytest.approx((EVENT_US / 2, COMMIT_US / 2))


def test_noise_never_makes_a_commit_cheaper_than_nothing() -> None:
    few = [cost(400_000, 800)]
    cheaper = [Cost(10.0, 400_000, 3_200, few[0].worker_cpu_s / 2, 1.0)]
    event_us, commit_us = split_costs(few, cheaper, "worker")
    assert commit_us == 0.0
    assert event_us == pytest.approx(few[0].worker_us)


def test_many_workers_on_paper_are_one_worker_many_times() -> None:
    worker_us, broker_us = (EVENT_US, COMMIT_US), (5.0, 100.0)
    one, many = (on_paper(workers, worker_us, broker_us) for workers in (1, 200))
    folding_us = BUSY * 1e6 - PARTITIONS * 20 * COMMIT_US
    assert one["events_per_s"] == round(folding_us / EVENT_US)
    assert many["events_per_s"] == pytest.approx(200 * one["events_per_s"], rel=0.001)
    assert many["transactions_per_s"] == 200 * one["transactions_per_s"]
