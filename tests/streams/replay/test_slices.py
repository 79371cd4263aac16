from collections.abc import Iterator

import pytest

from models.clock import HOUR_MS
from streams.replay import slices
from streams.replay.history import Arrival, BadHistory, BadRow
from streams.replay.slices import slices_of


class Times:
    name = "times"

    def __init__(self, *times_ms: int) -> None:
        self.times_ms = times_ms
        self.first_ms = times_ms[0]
        self.last_ms = times_ms[-1]

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        return (Arrival(at_ms, {}) for at_ms in self.times_ms)


def cut(history: Times, taken: int = 0, marked_ms: int = 0) -> list[tuple[list[int], int]]:
    return [
        ([one.at_ms for one in found.arrivals], found.mark_ms)
        for found in slices_of(history, taken, marked_ms)
    ]


H = HOUR_MS
NOON = 12 * H


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([NOON + 5], [([], NOON), ([NOON + 5], NOON + H)]),
        ([NOON], [([], NOON), ([NOON], NOON + H)]),
        ([NOON, NOON + 1], [([], NOON), ([NOON, NOON + 1], NOON + H)]),
        (
            [NOON + 5, NOON + H, NOON + H + 1],
            [([], NOON), ([NOON + 5], NOON + H), ([NOON + H, NOON + H + 1], NOON + 2 * H)],
        ),
        (
            [NOON + 5, NOON + 3 * H + 5],
            [
                ([], NOON),
                ([NOON + 5], NOON + H),
                ([], NOON + 2 * H),
                ([], NOON + 3 * H),
                ([NOON + 3 * H + 5], NOON + 4 * H),
            ],
        ),
    ],
)
def test_every_full_hour_has_its_mark_before_what_happened_then(
    times: list[int], expected: list[tuple[list[int], int]]
) -> None:
    assert cut(Times(*times)) == expected


def test_a_long_hour_comes_in_several_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "ARRIVALS_AT_ONCE", 2)
    assert cut(Times(NOON + 1, NOON + 2, NOON + 3)) == [
        ([], NOON),
        ([NOON + 1, NOON + 2], 0),
        ([NOON + 3], NOON + H),
    ]


def test_going_on_after_any_slice_gives_the_same_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "ARRIVALS_AT_ONCE", 2)
    history = Times(*(NOON + n * H // 3 + n % 2 for n in range(20)))
    whole = list(slices_of(history))
    taken, marked_ms = 0, 0
    for number, done in enumerate(whole, 1):
        taken += len(done.arrivals)
        marked_ms = done.mark_ms or marked_ms
        assert list(slices_of(history, taken, marked_ms)) == whole[number:]


def test_time_that_goes_backwards_is_refused() -> None:
    with pytest.raises(BadHistory, match="times: time goes backwards"):
        list(slices_of(Times(NOON, NOON + 2 * H, NOON + 1, NOON + 3 * H)))


def test_marks_go_on_to_the_end_the_history_names() -> None:
    history = Times(NOON + 1)
    history.last_ms = NOON + 2 * H
    assert [mark_ms for _, mark_ms in cut(history)] == [NOON, NOON + H, NOON + 2 * H, NOON + 3 * H]
