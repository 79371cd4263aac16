"""The strain test in small: the places away for seconds (`python -m tests.strain sinks-down`)."""

import pytest

from streams.settings import Settings
from tests.strain.sinks_down import Figures, strain

pytestmark = pytest.mark.real


async def test_with_the_places_away_all_goes_on_and_lands_once_afterwards(
    settings: Settings,
) -> None:
    figures = await strain(settings, outage_s=6, events_per_s=200)
    print(figures.told())
    assert figures.ok, figures.told()


@pytest.mark.parametrize(
    "wrong",
    [
        {"folded_in_outage": 0},
        {"alerts_in_outage": 0},
        {"lost": 1},
        {"clickhouse_extra": 1},
        {"messages_twice": 1},
        {"worker_mb_most": 500.0},
        {"sinks_mb_most": 500.0},
    ],
)
def test_what_is_not_as_promised_is_not_ok(wrong: dict[str, float]) -> None:
    fine = {"folded_in_outage": 9, "actions_in_outage": 1, "alerts_in_outage": 1}
    assert Figures(**fine).ok
    assert not Figures(**(fine | wrong)).ok
