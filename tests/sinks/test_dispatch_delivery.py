"""Patience: how long the dispatcher waits before it tries again."""

import pytest

from sinks.dispatch_delivery import Patience


@pytest.mark.parametrize(
    ("failures", "roll", "expected_ms"),
    [
        (1, 0.0, 0),
        (1, 1.0, 1_000),
        (2, 1.0, 2_000),
        (4, 0.5, 4_000),
        (10, 1.0, 512_000),
        (11, 1.0, 600_000),
        (11, 0.0, 0),
        (12, 0.5, 300_000),
    ],
)
def test_waits_double_to_a_cap_and_spread_over_the_whole_of_it(
    failures: int, roll: float, expected_ms: int
) -> None:
    assert Patience().wait_ms(failures, roll) == expected_ms


def test_what_the_provider_asked_for_is_waited_first() -> None:
    assert Patience().wait_ms(1, 0.0, 30_000) == 30_000
    assert Patience().wait_ms(2, 0.5, 30_000) == 31_000
