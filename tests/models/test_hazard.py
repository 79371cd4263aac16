"""How likely an order within the horizon is, from the row alone."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from models.customer import Customer, apply
from models.events import ReturnRequested, TicketOpened
from models.hazard import (
    FEATURES,
    HORIZON_DAYS,
    LESSONS_BEFORE_USE,
    NOTHING_LEARNED,
    BadSnapshot,
    HazardSnapshot,
    check,
    closed_form,
    expected_days,
    features_of,
    foretell,
    foretell_all,
)
from tests.builders import DAY, START_MS, cancelled, make, order, refunded, snapshot


def ticket(**more: Any) -> Any:
    return make(TicketOpened, ticket_id="t1", **more)


def returned(**more: Any) -> Any:
    return make(ReturnRequested, order_id="o0", **more)


def buyer(*days: int, cents: int = 1_000) -> Customer:
    customer = Customer()
    for day in days:
        apply(customer, order(f"o{day}", cents, START_MS + day * DAY), START_MS + day * DAY)
    return customer


def hazard_at(customer: Customer, day: int) -> float:
    return closed_form(features_of(customer, START_MS + day * DAY))


def test_the_features_of_one_customer_held_whole() -> None:
    features = dict(zip(FEATURES, features_of(buyer(0, 10), START_MS + 20 * DAY), strict=True))
    halved = [2 ** (-10 / half) + 2 ** (-20 / half) for half in (7, 30, 90)]
    assert features == pytest.approx(
        {
            "orders": math.log(3),
            "silence": math.log(11),
            "silence_over_gap": 10 / 35,
            "tenure": math.log(21),
            "rate": math.log(1 + 2 / 80 * 30),
            "week": math.log1p(halved[0]),
            "month": math.log1p(halved[1]),
            "quarter": math.log1p(halved[2]),
            "mean_value": math.log(11),
            "closed_form": math.log(2 / 80 * 30 * math.exp(-10 / 35 / 3)),
            "trouble": 0.0,
        }
    )


def test_silence_lowers_the_hazard_and_an_order_raises_it() -> None:
    hazards = [hazard_at(buyer(0, 10, 20), day) for day in (20, 25, 40, 80, 400)]
    assert hazards == sorted(hazards, reverse=True)
    assert hazard_at(buyer(0, 10, 20, 30), 40) > hazard_at(buyer(0, 10, 20), 40)


def test_the_same_silence_says_more_of_who_bought_often() -> None:
    often, seldom = buyer(0, 3, 6, 9), buyer(0, 40, 80, 120)
    assert hazard_at(often, 9 + 60) < hazard_at(seldom, 120 + 60)


def test_a_refund_lowers_what_an_order_is_worth_and_a_cancellation_undoes_it() -> None:
    customer = buyer(0, 10, cents=5_000)
    before = features_of(customer, START_MS + 20 * DAY)
    apply(customer, refunded("o10"), START_MS)
    after = features_of(customer, START_MS + 20 * DAY)
    assert after[FEATURES.index("mean_value")] < before[FEATURES.index("mean_value")]
    customer = buyer(0, 10, cents=5_000)
    apply(customer, cancelled("o10"), START_MS)
    undone, never = hazard_at(customer, 20), hazard_at(buyer(0, cents=5_000), 20)
    assert undone == pytest.approx(never)


@pytest.mark.parametrize(
    ("days", "cents", "now_day"),
    [
        ((0,), 0, 0),
        ((0,), -5_000, 1),
        ((0,), 10**12, 1),
        ((5,), 100, 0),
        ((0,), 100, 40_000),
        ((0, 1), 100, 40_000),
        (tuple(range(300)), 100, 299),
    ],
)
def test_a_hazard_is_a_probability_whatever_the_customer(
    days: tuple[int, ...], cents: int, now_day: int
) -> None:
    features = features_of(buyer(*days, cents=cents), START_MS + now_day * DAY)
    assert len(features) == len(FEATURES)
    assert all(math.isfinite(feature) for feature in features)
    for chosen in (NOTHING_LEARNED, snapshot(weights=(1e6,) * len(FEATURES))):
        assert 0.0 <= foretell(features, chosen).hazard <= 1.0


@pytest.mark.parametrize(
    ("lessons", "version"), [(LESSONS_BEFORE_USE - 1, 0), (LESSONS_BEFORE_USE, 7)]
)
def test_a_snapshot_is_used_once_it_has_learned_enough(lessons: int, version: int) -> None:
    features = features_of(buyer(0), START_MS)
    foretold = foretell(features, snapshot(version=7, lessons=lessons))
    assert foretold.version == version
    assert foretold.hazard == (0.5 if version else closed_form(features))


@pytest.mark.parametrize("place", range(len(FEATURES)))
def test_a_snapshot_weighs_each_feature_by_its_weight(place: int) -> None:
    weights, features = [0.0] * len(FEATURES), [1.0] * len(FEATURES)
    weights[place], features[place] = 3.0, 0.25
    chosen = snapshot(weights=tuple(weights), intercept=0.5)
    foretold = foretell(tuple(features), chosen)
    assert foretold.hazard == pytest.approx(1 / (1 + math.exp(-(0.5 + 3 * 0.25))))


def test_a_longer_horizon_is_never_less_likely() -> None:
    heads = snapshot().heads
    unlike = (heads[0], msgspec.structs.replace(heads[1], intercept=-3.0), heads[2])
    hazards = foretell_all(features_of(buyer(0), START_MS), snapshot(heads=unlike))
    assert hazards == (0.5, 0.5, 0.5)
    closed = foretell_all(features_of(buyer(0), START_MS), NOTHING_LEARNED)
    assert list(closed) == sorted(closed)
    assert len(set(closed)) == 3


@pytest.mark.parametrize("trouble", [ticket, returned, refunded])
@pytest.mark.parametrize("chosen", [NOTHING_LEARNED, snapshot(weights=(0.0,) * 10 + (-0.7,))])
def test_a_complaint_a_return_or_a_refund_lowers_the_hazard_at_once_and_it_wears_off(
    trouble: Callable[..., Any], chosen: HazardSnapshot
) -> None:
    customer, untroubled = buyer(0, 10, 20), buyer(0, 10, 20)
    now_ms = START_MS + 25 * DAY
    apply(customer, trouble(at_ms=now_ms), now_ms)
    lost = [
        foretell(features_of(untroubled, at_ms), chosen).hazard
        - foretell(features_of(customer, at_ms), chosen).hazard
        for at_ms in (now_ms, now_ms + 30 * DAY, now_ms + 900 * DAY)
    ]
    assert lost[0] > 0.05
    assert lost[0] > lost[1] > lost[2] >= 0.0
    assert lost[2] < 0.001


@pytest.mark.parametrize(
    "numbers", [(), (1.0,) * 10, (1.0,) * 12, (math.nan,) * 11, (math.inf,) * 11, (1e9,) * 11]
)
def test_a_snapshot_with_weights_missing_or_not_finite_is_refused(
    numbers: tuple[float, ...],
) -> None:
    with pytest.raises(BadSnapshot, match="weights"):
        check(snapshot(weights=numbers))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"intercept": math.nan}, "intercept"),
        ({"heads": ()}, "heads"),
        ({"gap_days": 0.0}, "gap_days"),
        ({"level": math.inf}, "level"),
        ({"dormant_after_days": -1}, "dormant_after_days"),
        ({"edges": (0.5, 0.2)}, "edges"),
        ({"edges": (0.5, 0.6, 0.1)}, "edges"),
        ({"edges": (0.5, math.nan, 0.1)}, "edges"),
        ({"edges": (1.5, 0.6, 0.1)}, "edges"),
    ],
)
def test_a_snapshot_that_cannot_foretell_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(BadSnapshot, match=said):
        check(snapshot(**fields))  # type: ignore[arg-type]
    check(snapshot())


def test_a_snapshot_that_foretells_worse_than_the_closed_form_is_refused() -> None:
    def judged(brier: float, lessons: int = 1_000) -> HazardSnapshot:
        errors = {"brier": brier, "brier_closed_form": 0.2, "lessons": lessons}
        heads = [msgspec.structs.replace(head, **errors) for head in snapshot().heads]
        return snapshot(heads=tuple(heads))

    with pytest.raises(BadSnapshot, match="calibration, 30 days"):
        check(judged(0.3))
    check(judged(0.21))
    check(judged(0.3, lessons=100))


@pytest.mark.parametrize(
    ("hazard", "days"),
    [
        (0.5, HORIZON_DAYS),
        (0.75, HORIZON_DAYS / 2),
        (0.0, None),
        (0.005, None),
        (0.006, 3455.5),
        (1.0, 1.0034),
    ],
)
def test_a_hazard_tells_when_half_have_ordered_again(hazard: float, days: float | None) -> None:
    assert expected_days(hazard) == (None if days is None else pytest.approx(days, rel=1e-3))
