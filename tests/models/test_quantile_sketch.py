"""A sketch of quantiles: close, bounded, and what was counted can be taken back."""

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.quantile_sketch import ACCURACY, LARGEST, QuantileSketch, bucket_of

VALUES = st.floats(min_value=-1e3, max_value=1e18, allow_nan=False)


def sketch_of(values: list[float]) -> QuantileSketch:
    sketch = QuantileSketch()
    for value in values:
        sketch.add(value)
    return sketch


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99, 1.0])
def test_a_quantile_is_as_close_as_promised(share: float) -> None:
    values = sorted(random.Random(3).lognormvariate(9, 2) for _ in range(5_001))
    exact = values[int(share * 5_000)]
    assert sketch_of(values).quantile(share) == pytest.approx(exact, rel=1.001 * ACCURACY)


def test_hardly_any_customer_is_on_the_wrong_side_of_a_quantile() -> None:
    values = [random.Random(seed).lognormvariate(9, 1.2) for seed in range(4_000)]
    sketch = sketch_of(values)
    for share in (0.2, 0.4, 0.6, 0.8):
        exact, ours = np.quantile(values, share), sketch.quantile(share)
        wrong = sum((value >= exact) != (value >= ours) for value in values)
        assert wrong / len(values) <= 0.006


@given(st.lists(VALUES), st.lists(VALUES), st.randoms(use_true_random=False))
def test_what_is_taken_back_was_never_there(
    left: list[float], taken: list[float], chance: random.Random
) -> None:
    moves = [(value, 1) for value in left + taken] + [(value, -1) for value in taken]
    chance.shuffle(moves)
    sketch = QuantileSketch()
    for value, times in moves:
        sketch.add(value, times)
    assert sketch == sketch_of(left)
    assert sketch.size() == len(left)


@given(st.lists(VALUES), st.lists(VALUES))
def test_two_sketches_joined_are_one_of_all_values(one: list[float], other: list[float]) -> None:
    joined = sketch_of(one)
    joined.join(sketch_of(other))
    assert joined == sketch_of(one + other)


@given(st.lists(VALUES))
def test_it_comes_back_from_its_bytes_as_it_was(values: list[float]) -> None:
    sketch = sketch_of(values)
    packed = msgspec.msgpack.encode(sketch)
    assert msgspec.msgpack.decode(packed, type=QuantileSketch) == sketch


def test_it_stays_small_whatever_is_counted() -> None:
    chance = random.Random(1)
    sketch = sketch_of([10 ** chance.uniform(-3, 30) for _ in range(100_000)])
    assert len(sketch.counts) <= bucket_of(LARGEST) + 2 <= 1_600


def test_nothing_counted_has_the_quantile_nothing() -> None:
    assert QuantileSketch().quantile(0.5) == 0.0
    assert sketch_of([-5.0, 0.0, 0.4]).quantile(0.9) == 0.0
