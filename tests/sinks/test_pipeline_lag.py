"""Lag, the age of what is unread, and rates, from readings alone."""

import pytest

from sinks.pipeline_lag import KEPT_SAMPLES, LagBook, Place, Progress, Reading

PLACE = Place("worker", "events", 0)


def noted(*readings: tuple[int, int, int]) -> Progress:
    """Take (at, end, committed) readings in turn; what the last one says."""
    book = LagBook()
    for at_ms, end, committed in readings:
        [progress] = book.note([Reading(PLACE, end, committed)], at_ms)
    return progress


@pytest.mark.parametrize(
    ("readings", "lag", "age_ms"),
    [
        ([(0, 100, 100)], 0, 0),
        ([(0, 100, 40)], 60, 0),
        ([(0, 100, 40), (500, 100, 40)], 60, 500),
        ([(0, 100, 100), (500, 130, 100), (900, 150, 110)], 40, 400),
        ([(0, 100, 100), (500, 130, 100), (900, 150, 130)], 20, 0),
        ([(0, 100, 100), (500, 130, 100), (900, 150, 150)], 0, 0),
        ([(0, 100, 90), (500, 100, 95), (900, 100, 99)], 1, 900),
        ([(0, 100, 120)], 0, 0),
    ],
    ids=str,
)
def test_the_oldest_unread_record_came_when_the_end_first_lay_beyond_the_position(
    readings: list[tuple[int, int, int]], lag: int, age_ms: int
) -> None:
    progress = noted(*readings)
    assert (progress.lag, progress.age_ms) == (lag, age_ms)


def test_rates_are_those_since_the_last_reading() -> None:
    progress = noted((0, 0, 0), (2_000, 100, 40), (4_000, 400, 140))
    assert (progress.written_per_s, progress.read_per_s) == (150.0, 50.0)


def test_the_first_reading_has_no_rate() -> None:
    progress = noted((0, 100, 50))
    assert (progress.written_per_s, progress.read_per_s) == (0.0, 0.0)


def test_a_place_that_is_gone_is_forgotten() -> None:
    book = LagBook()
    book.note([Reading(PLACE, 100, 0)], 0)
    book.note([], 1_000)
    [progress] = book.note([Reading(PLACE, 100, 0)], 2_000)
    assert progress.age_ms == 0


def test_a_stuck_consumer_keeps_its_age_however_long_it_is_watched() -> None:
    book = LagBook()
    for at_ms in range(10 * KEPT_SAMPLES):
        [progress] = book.note([Reading(PLACE, 10 + at_ms, 5)], at_ms)
    assert progress.age_ms == 10 * KEPT_SAMPLES - 1
    assert sum(len(one.ends) for one in book._books.values()) <= KEPT_SAMPLES
