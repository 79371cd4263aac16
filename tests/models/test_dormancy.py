"""How far asleep."""

import pytest

from models.dormancy import Dormancy, dormancy_of, silence_days
from tests.builders import DAY, START_MS


@pytest.mark.parametrize(
    ("silence_ms", "days", "state"),
    [
        (-DAY, 0, Dormancy.AWAKE),
        (0, 0, Dormancy.AWAKE),
        (15 * DAY - 1, 14, Dormancy.AWAKE),
        (15 * DAY, 15, Dormancy.COOLING),
        (30 * DAY - 1, 29, Dormancy.COOLING),
        (30 * DAY, 30, Dormancy.DORMANT),
        (180 * DAY - 1, 179, Dormancy.DORMANT),
        (180 * DAY, 180, Dormancy.LOST),
        (9_000 * DAY, 9_000, Dormancy.LOST),
    ],
)
def test_silence_leads_through_the_states(silence_ms: int, days: int, state: Dormancy) -> None:
    assert silence_days(START_MS, START_MS + silence_ms) == days
    assert dormancy_of(START_MS, START_MS + silence_ms) is state
