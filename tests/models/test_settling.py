"""When a young shop's clusters may be used."""

import msgspec

from models.settling import CALM_FITS, CALM_LESSONS, MANY, Settling


def settling_after(*moved: float, lessons: int = 1) -> Settling:
    settling = Settling()
    for share in moved:
        settling.learned(lessons)
        settling.fitted(share)
    return settling


def test_clusters_are_used_after_enough_fits_that_moved_few() -> None:
    assert not settling_after(1.0, *[MANY] * (CALM_FITS - 1)).is_over
    assert settling_after(1.0, *[MANY] * CALM_FITS).is_over


def test_many_lessons_are_enough_whatever_the_number_of_fits() -> None:
    assert not settling_after(1.0, 0.0, lessons=CALM_LESSONS - 1).is_over
    assert settling_after(1.0, 0.0, lessons=CALM_LESSONS).is_over


def test_what_moves_many_begins_the_wait_anew() -> None:
    calm = [0.0] * (CALM_FITS - 1)
    assert not settling_after(1.0, *calm, MANY + 0.01, *calm).is_over
    assert not settling_after(1.0, 1.0, lessons=CALM_LESSONS).is_over


def test_what_is_in_use_stays_in_use_and_counts_no_more() -> None:
    settling = settling_after(1.0, *[0.0] * CALM_FITS)
    settled = msgspec.structs.replace(settling)
    settling.learned(5)
    settling.fitted(1.0)
    assert settling == settled
