"""Patience: how long the dispatcher waits before it tries again."""

import pytest

from sinks.dispatch_delivery import Patience


@pytest.mark.parametrize(
    ("failures", "roll", "expected_ms"),
    [
        (1, 0.0, 500),
        (1, 1.0, 1_000),
        (2, 1.0, 2_000),
        (4, 0.5, 6_000),
        (10, 1.0, 512_000),
        (11, 1.0, 600_000),
        (11, 0.0, 300_000),
        (12, 1.0, 600_000),
    ],
)
def test_waits_double_to_a_cap_and_spread_over_their_half(
    failures: int, roll: float, expected_ms: int
) -> None:
    assert Patience().wait_ms(failures, roll) == expected_ms
