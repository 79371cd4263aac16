"""Holdout and arms by hash: even, sticky, and independent of each other."""

from collections import Counter
from itertools import permutations
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.assignment import (
    HOLDOUT,
    HOLDOUT_SHARE,
    Arms,
    Subject,
    arm_of,
    arms_of,
    assign,
    exposed,
    is_held_out,
    merged,
)
from models.tokens import token_of

SEED = "shop"
TOKENS = [token_of(b"k" * 32, "customer", str(number)) for number in range(40_000)]


def counted(arms: Arms, tokens: list[str] = TOKENS, seed: str = SEED) -> Counter[str]:
    return Counter(arm_of(seed, token, arms) for token in tokens)


def within_chance(count: int, total: int, share: float) -> bool:
    """Four standard deviations: one in 16,000 by chance, and the seed is fixed."""
    return abs(count - total * share) <= 4 * sqrt(total * share * (1 - share))


@pytest.mark.parametrize("share", [0.01, HOLDOUT_SHARE, 0.2, 0.5])
@pytest.mark.parametrize("seed", ["shop", "other shop", ""])
def test_the_holdout_has_its_share(seed: str, share: float) -> None:
    held = sum(is_held_out(seed, token, share) for token in TOKENS)
    assert within_chance(held, len(TOKENS), share)


@pytest.mark.parametrize(("share", "held"), [(0.0, 0), (-1.0, 0), (1.0, 2_000), (2.0, 2_000)])
def test_a_share_of_nothing_or_all_is_just_that(share: float, held: int) -> None:
    assert sum(is_held_out(SEED, token, share) for token in TOKENS[:2_000]) == held


def test_a_growing_holdout_lets_nobody_go() -> None:
    before = {token for token in TOKENS if is_held_out(SEED, token, 0.05)}
    after = {token for token in TOKENS if is_held_out(SEED, token, 0.08)}
    assert before < after


@pytest.mark.parametrize(
    "weights",
    [
        {"a": 1, "b": 1},
        {"a": 1, "b": 3},
        {"a": 90, "b": 9, "c": 1},
        {"a": 0.2, "b": 0.3, "c": 0.5},
        {str(number): 1 for number in range(10)},
    ],
)
def test_arms_have_the_shares_of_their_weights(weights: dict[str, float]) -> None:
    counts, total = counted(arms_of("r", weights)), sum(weights.values())
    assert sum(counts.values()) == len(TOKENS)
    for name, weight in weights.items():
        assert within_chance(counts[name], len(TOKENS), weight / total), name


def test_rules_and_holdout_do_not_know_of_each_other() -> None:
    """Within each cell of one the other has its usual share: no arm is full of one kind."""
    one, other = arms_of("one", {"a": 1, "b": 1}), arms_of("other", {"a": 1, "b": 1})
    cells = Counter(
        (is_held_out(SEED, token, 0.5), arm_of(SEED, token, one), arm_of(SEED, token, other))
        for token in TOKENS
    )
    assert len(cells) == 8
    assert all(within_chance(count, len(TOKENS), 1 / 8) for count in cells.values())


def test_two_seeds_have_nothing_in_common() -> None:
    arms = arms_of("r", {"a": 1, "b": 1})
    same = sum(arm_of("x", token, arms) == arm_of("y", token, arms) for token in TOKENS)
    assert within_chance(same, len(TOKENS), 0.5)


def test_a_new_arm_only_takes_its_share_over() -> None:
    before, after = arms_of("r", {"a": 1, "b": 2}), arms_of("r", {"a": 1, "b": 2, "c": 1})
    moved = [(arm_of(SEED, one, before), arm_of(SEED, one, after)) for one in TOKENS]
    assert {new for old, new in moved if old != new} == {"c"}
    taken = Counter(old for old, new in moved if new == "c")
    assert within_chance(taken["a"] + taken["b"], len(TOKENS), 0.25)
    assert within_chance(taken["a"], taken["a"] + taken["b"], 1 / 3)


def test_an_arm_that_goes_leaves_the_others_where_they_are() -> None:
    before, after = arms_of("r", {"a": 1, "b": 2, "c": 1}), arms_of("r", {"a": 1, "b": 2, "c": 0})
    for token in TOKENS[:5_000]:
        old, new = arm_of(SEED, token, before), arm_of(SEED, token, after)
        assert old in (new, "c")


def test_a_heavier_arm_takes_over_and_loses_nobody() -> None:
    before, after = arms_of("r", {"a": 1, "b": 1}), arms_of("r", {"a": 1, "b": 2})
    moves = Counter((arm_of(SEED, one, before), arm_of(SEED, one, after)) for one in TOKENS)
    assert ("b", "a") not in moves
    assert within_chance(moves["a", "b"], len(TOKENS), 2 / 3 - 1 / 2)


def test_the_order_of_arms_is_of_no_account() -> None:
    weights = {"a": 1.0, "b": 2.0, "c": 3.0}
    found = {
        tuple(arm_of(SEED, token, arms_of("r", dict(order))) for token in TOKENS[:500])
        for order in permutations(weights.items())
    }
    assert len(found) == 1


def test_places_never_change_from_release_to_release() -> None:
    arms = arms_of("win_back", {"ten_percent": 1, "gift": 3})
    places = [assign(SEED, f"c{number}", arms, 0.2).arm for number in range(12)]
    assert " ".join(places) == (
        "ten_percent gift gift holdout gift holdout holdout ten_percent gift gift ten_percent gift"
    )


def test_propensities_add_up_and_are_what_happens() -> None:
    arms = arms_of("r", {"a": 1, "b": 3})
    found = Counter(assign(SEED, token, arms, 0.1) for token in TOKENS)
    assert {one.arm for one in found} == {"a", "b", HOLDOUT}
    assert sum(one.propensity for one in found) == pytest.approx(1.0)
    for one, count in found.items():
        assert within_chance(count, len(TOKENS), one.propensity)


def test_an_only_arm_takes_everybody_who_is_not_held_out() -> None:
    arms = arms_of("r", {"a": 0.3, "b": 0.0})
    found = {assign(SEED, token, arms) for token in TOKENS[:500]}
    assert {(one.arm, round(one.propensity, 9)) for one in found} == {("a", 0.95), (HOLDOUT, 0.05)}


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ({}, "no arm"),
        ({"a": 0.0}, "no arm"),
        ({"a": -1.0}, "0 or more"),
        ({"a": float("nan")}, "0 or more"),
        ({"a": float("inf")}, "0 or more"),
        ({HOLDOUT: 1.0}, "no name for an arm"),
    ],
)
def test_arms_that_cannot_be_are_refused(weights: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        arms_of("r", weights)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_rule_and_arm_may_have_any_name(rule: str, arm: str) -> None:
    arms = arms_of(rule, {arm + "x": 1.0, arm + "y": 1.0})
    assert arm_of(SEED, TOKENS[0], arms) in arms.names


subjects = st.builds(
    Subject,
    st.sampled_from("abcd"),
    seen_ms=st.integers(1, 4),
    exposed_ms=st.integers(0, 3),
    mixed=st.booleans(),
)


@given(subjects, subjects, subjects)
def test_merging_in_any_order_gives_one_subject(one: Subject, two: Subject, three: Subject) -> None:
    results = {
        merged(merged(a, b), c).token
        for a, b, c in permutations((one, two, three))
        if len({one.token, two.token, three.token}) == 3
    }
    assert len(results) <= 1
    assert merged(one, two) == merged(two, one)
    if len({one.token, two.token, three.token}) == 3:
        whole = [merged(merged(a, b), c) for a, b, c in permutations((one, two, three))]
        assert all(each == whole[0] for each in whole)
        assert merged(one, merged(two, three)) == whole[0]


def test_what_a_customer_was_told_stays_true_after_a_merge() -> None:
    device, account = Subject("device", seen_ms=10), Subject("account", seen_ms=20)
    assert merged(account, device).token == "device"
    told = exposed(account, 30)
    assert merged(device, told) == merged(told, device) == Subject("account", 20, 30)


def test_who_met_assignments_under_two_names_is_mixed() -> None:
    one, other = exposed(Subject("a", 10), 40), exposed(Subject("b", 20), 30)
    assert merged(one, other) == Subject("b", 20, 30, mixed=True)
    assert merged(merged(one, other), Subject("c", 1)).mixed
    assert not merged(one, Subject("b", 20)).mixed


def test_only_the_first_exposure_counts() -> None:
    subject = exposed(exposed(Subject("a", 10), 40), 50)
    assert subject == Subject("a", 10, 40)
    assert exposed(subject, 35).exposed_ms == 35
