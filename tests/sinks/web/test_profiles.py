"""The parts of a profile that are computed for the reader."""

import pytest

from models.clock import DAY_MS
from models.customer import Customer
from models.hazard import expected_days
from models.profile import profile_of
from sinks.web.profiles import at, expected_window, guesses
from tests.builders import START_MS, copy_of, fire_due, order, step_all, view_at


@pytest.mark.parametrize(
    ("hazard", "from_days", "to_days"),
    [(0.5, 12.45, 60.0), (0.75, 6.23, 30.0), (0.99, 1.87, 9.03)],
)
def test_half_of_the_chances_lie_within_the_window(
    hazard: float, from_days: float, to_days: float
) -> None:
    window = expected_window(hazard, 0)
    assert window is not None
    assert window["from_ms"] / DAY_MS == pytest.approx(from_days, abs=0.01)
    assert window["to_ms"] / DAY_MS == pytest.approx(to_days, abs=0.01)
    median_days = expected_days(hazard)
    assert median_days is not None
    assert window["from_ms"] < median_days * DAY_MS < window["to_ms"]


@pytest.mark.parametrize("hazard", [None, 0.0, 0.001])
def test_there_is_no_window_where_nothing_is_to_be_expected(hazard: float | None) -> None:
    assert expected_window(hazard, 0) is None


def test_a_certain_customer_is_expected_at_once() -> None:
    window = expected_window(1.0, 5)
    assert window is not None
    assert window["from_ms"] - 5 < DAY_MS


@pytest.mark.parametrize(
    ("typed", "tries"),
    [
        ("anna", ("id",)),
        ("anna@example.com", ("email", "id")),
        ("+49 (30) 123-456", ("id", "phone")),
        ("1234567", ("id", "phone")),
        ("12", ("id",)),
        ("A" * 22, ("id", "token")),
        ("anon:7f3a", ("id",)),
        ("李娜", ("id",)),
    ],
)
def test_what_a_person_types_is_tried_in_the_likely_order(
    typed: str, tries: tuple[str, ...]
) -> None:
    assert guesses(typed) == tries


def _profile_at(silence_days: int) -> dict[str, object]:
    row = Customer()
    for number in range(3):
        step_all(row, order(f"o{number}", at_ms=START_MS + number * 10 * DAY_MS), view=view_at())
    last_ms = START_MS + 20 * DAY_MS
    fire_due(row, last_ms + silence_days * DAY_MS)
    return at(profile_of(copy_of(row), last_ms), last_ms + silence_days * DAY_MS)


@pytest.mark.parametrize(
    ("silence_days", "dormancy", "code", "recent_orders"),
    [
        (0, "awake", "within_usual", 3),
        (10, "awake", "within_usual", 3),
        (11, "awake", "longer_than_usual", 3),
        (15, "cooling", "longer_than_usual", 3),
        (29, "cooling", "longer_than_usual", 3),
        (30, "dormant", "longer_than_usual", 0),
        (180, "lost", "longer_than_usual", 0),
    ],
)
def test_a_profile_ages_with_the_log(
    silence_days: int, dormancy: str, code: str, recent_orders: int
) -> None:
    profile = _profile_at(silence_days)
    assert (profile["silence_days"], profile["dormancy"]) == (silence_days, dormancy)
    reasons = profile["reasons"]
    assert isinstance(reasons, list)
    assert [one["code"] for one in reasons if one["about"] == "dormancy"] == [code]
    windows = profile["windows"]
    assert isinstance(windows, dict)
    assert windows["30"]["orders"] == recent_orders
