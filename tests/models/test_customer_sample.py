"""A bounded sample of the customers as they stand."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.customer import ref_of
from models.customer_sample import CustomerSample, SampledCustomers, Standing

MOVES = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.none()
        | st.builds(
            Standing,
            st.integers(-(2**62), 2**62),
            st.integers(0, 10**6),
            st.integers(-(10**12), 10**12),
        ),
    )
)


def sample_of(count: int, kept: int) -> CustomerSample:
    sample = CustomerSample(kept=kept)
    for number in range(count):
        sample.put(f"c{number}", Standing(number, 1 + number % 7, 100))
    return sample


def test_while_there_are_few_it_is_all_of_them() -> None:
    assert len(sample_of(500, kept=500)) == 500


def test_it_never_holds_more_and_draws_fairly() -> None:
    sample = sample_of(20_000, kept=1_000)
    assert 450 < len(sample) <= 1_000
    last_orders_ms, orders, _ = sample.columns()
    assert 9_000 < last_orders_ms.mean() < 11_000
    assert 3.7 < orders.mean() < 4.3


def test_who_is_in_it_does_not_depend_on_the_sequence() -> None:
    names = [f"c{number}" for number in range(3_000)]
    shuffled = list(names)
    random.Random(1).shuffle(shuffled)
    one, other = CustomerSample(kept=100), CustomerSample(kept=100)
    for mine, theirs in zip(names, shuffled, strict=True):
        one.put(mine, Standing(1, 1, 1))
        other.put(theirs, Standing(1, 1, 1))
    assert one.dump() == other.dump()


def test_a_customer_who_moved_is_moved_and_who_is_forgotten_is_gone() -> None:
    sample = sample_of(3, kept=10)
    sample.put("c1", Standing(99, 5, 700))
    sample.put("c0", None)
    sample.put("c2", Standing(5, 0, 0))
    assert [column.tolist() for column in sample.columns()] == [[99], [5], [700]]
    assert str(ref_of("c0")) not in str(sample.dump())


def test_samples_joined_are_one_of_all() -> None:
    whole = sample_of(2_000, kept=64)
    one, other = CustomerSample(kept=64), CustomerSample(kept=64)
    for number in range(2_000):
        mine = one if number % 3 else other
        mine.put(f"c{number}", Standing(number, 1 + number % 7, 100))
    one.join(other)
    assert one.dump() == whole.dump()


@given(MOVES)
def test_it_comes_back_from_its_bytes_and_goes_on_the_same(
    moves: list[tuple[int, Standing | None]],
) -> None:
    straight, packed = CustomerSample(kept=8), CustomerSample(kept=8)
    for number, standing in moves:
        straight.put(f"c{number}", standing)
        raw = msgspec.msgpack.encode(packed.dump())
        packed = CustomerSample(msgspec.msgpack.decode(raw, type=SampledCustomers), kept=8)
        packed.put(f"c{number}", standing)
    assert packed.dump() == straight.dump()
    assert len(straight) <= 8
