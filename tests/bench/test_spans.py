"""Waits are counted from the moment that was meant, and what never came is not left out."""

import pytest

from tests.bench.spans import Arrivals, quantile


@pytest.mark.parametrize(("share", "value"), [(0.01, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_quantile_is_one_of_the_values(share: float, value: float) -> None:
    assert quantile([float(one) for one in range(100, 0, -1)], share) == value


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="without values"):
        quantile([], 0.5)


def test_only_the_first_arrival_counts() -> None:
    arrivals = Arrivals()
    arrivals.expect(1, 10.0)
    arrivals.note(1, 10.5)
    arrivals.note(1, 11.0)
    assert arrivals.waits_ms(99.0) == [500.0]


def test_what_never_came_has_waited_until_one_gave_up() -> None:
    arrivals = Arrivals()
    arrivals.expect(1, 10.0)
    arrivals.expect(2, 11.0)
    arrivals.note(1, 10.1)
    arrivals.note(7, 10.1)
    assert arrivals.outstanding == [2]
    figures = arrivals.figures("page", 14.0)
    assert figures["page_max_ms"] == 3_000.0
    assert figures["page_missing"] == 1
    assert figures["page_samples"] == 2
