"""How often one customer may be written to: exactly, and in a small row."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.caps import COUNT_AT_MOST, Cap, Capped, Caps, Sent, merged, note, take_back
from models.clock import DAY_MS, HOUR_MS

CHANNELS = ("email", "sms", "push")
WEEK = Cap(3, 7 * DAY_MS)
MAIL = Cap(1, DAY_MS, ("email",))
CAPS = Caps([WEEK, MAIL, Cap(2, HOUR_MS, ("sms",))])


def sent_at(caps: Caps, *messages: tuple[str, int]) -> Sent:
    sent = Sent()
    for channel, at_ms in messages:
        note(caps, sent, channel, at_ms)
    return sent


def test_to_a_new_customer_everything_may_go() -> None:
    for channel in CHANNELS:
        assert CAPS.standing(Sent(), channel, 5) is None


@pytest.mark.parametrize(
    ("channel", "at_ms", "expected"),
    [
        ("email", 100, Capped(MAIL, DAY_MS + 100)),
        ("email", DAY_MS + 99, Capped(MAIL, DAY_MS + 100)),
        ("email", DAY_MS + 100, None),
        ("sms", 100, None),
    ],
)
def test_a_window_is_over_when_its_length_has_passed(
    channel: str, at_ms: int, expected: Capped | None
) -> None:
    assert CAPS.standing(sent_at(CAPS, ("email", 100)), channel, at_ms) == expected


def test_a_cap_over_all_channels_counts_them_together() -> None:
    sent = sent_at(CAPS, ("email", 10), ("sms", 20), ("push", 30))
    for channel in ("push", "chat"):
        assert CAPS.standing(sent, channel, 40) == Capped(WEEK, 10 + 7 * DAY_MS)
    assert CAPS.standing(sent, "push", 10 + 7 * DAY_MS) is None


def test_of_two_rules_in_the_same_moment_the_second_is_capped() -> None:
    sent = sent_at(CAPS, ("sms", 10), ("push", 20))
    assert CAPS.standing(sent, "push", 30) is None
    note(CAPS, sent, "push", 30)
    assert CAPS.standing(sent, "push", 30) == Capped(WEEK, 10 + 7 * DAY_MS)


def test_the_cap_that_stands_longest_is_named() -> None:
    caps = Caps([Cap(1, HOUR_MS), Cap(2, DAY_MS), Cap(1, 2 * HOUR_MS, ("email",))])
    sent = sent_at(caps, ("email", 0), ("email", 5 * HOUR_MS))
    standing = caps.standing(sent, "email", 5 * HOUR_MS)
    assert standing == Capped(Cap(2, DAY_MS), DAY_MS)


def test_what_did_not_go_out_does_not_count() -> None:
    sent = sent_at(CAPS, ("email", 100))
    assert take_back(sent, "email", 100)
    assert sent == Sent()
    assert CAPS.standing(sent, "email", 101) is None
    assert not take_back(sent, "email", 100)
    assert not take_back(sent_at(CAPS, ("email", 100)), "email", 99)


def test_of_two_messages_in_one_moment_one_is_taken_back() -> None:
    sent = sent_at(CAPS, ("sms", 100), ("sms", 100))
    assert CAPS.standing(sent, "sms", 101) is not None
    assert take_back(sent, "sms", 100)
    assert CAPS.standing(sent, "sms", 101) is None
    assert take_back(sent, "sms", 100)


def test_a_cap_of_none_lets_nothing_through() -> None:
    caps = Caps([Cap(0, HOUR_MS, ("sms",))])
    assert caps.standing(Sent(), "sms", 5) == Capped(caps.all[0], HOUR_MS + 5)
    assert caps.standing(Sent(), "email", 5) is None


@pytest.mark.parametrize("cap", [Cap(-1, 5), Cap(COUNT_AT_MOST + 1, 5), Cap(1, 0)])
def test_a_cap_that_cannot_be_kept_is_refused(cap: Cap) -> None:
    with pytest.raises(ValueError, match="a cap allows"):
        Caps([cap])


def test_without_caps_everything_may_go() -> None:
    caps = Caps([])
    sent = sent_at(caps, *(("email", at_ms) for at_ms in range(50)))
    assert caps.standing(sent, "email", 50) is None


def test_a_row_is_bounded_by_the_caps() -> None:
    caps, sent, chance = Caps([Cap(12, DAY_MS), MAIL]), Sent(), random.Random(1)
    for at_ms in range(5_000):
        note(caps, sent, chance.choice(CHANNELS), at_ms)
    assert [len(packed) for packed in sent.times.values()] == [12 * 8] * 3
    assert len(msgspec.msgpack.encode(sent)) < 350
    assert len(msgspec.msgpack.encode(sent_at(caps, ("email", 1)))) < 24


@pytest.mark.parametrize("seed", range(12))
def test_no_stretch_of_a_window_has_more_than_its_count(seed: int) -> None:
    """Against a list of all messages that went out, gone through for every stretch."""
    chance = random.Random(seed)
    caps = Caps(
        Cap(
            chance.randint(1, 6),
            chance.randint(1, 60),
            chance.choice([(), ("email",), ("sms",), ("push", "email")]),
        )
        for _ in range(chance.randint(1, 5))
    )
    sent, went, now, refused = Sent(), list[tuple[int, str]](), 0, 0
    for _ in range(400):
        now += chance.randrange(6)
        channel = chance.choice(CHANNELS)
        standing = caps.standing(sent, channel, now)
        full = [cap for cap in caps.all if counted(went, cap, channel, now) >= cap.count]
        assert (standing is not None) is bool(full)
        if standing is None:
            note(caps, sent, channel, now)
            went.append((now, channel))
        else:
            refused += 1
            # It stands until then, and no longer.
            assert caps.standing(sent, channel, standing.until_ms - 1) is not None
            assert caps.standing(sent, channel, standing.until_ms) is None
    assert went
    assert refused


def counted(went: list[tuple[int, str]], cap: Cap, channel: str, now: int) -> int:
    if cap.channels and channel not in cap.channels:
        return 0
    return sum(
        now - cap.window_ms < at_ms <= now and (not cap.channels or used in cap.channels)
        for at_ms, used in went
    )


messages = st.lists(st.tuples(st.sampled_from(CHANNELS), st.integers(-500, 500)), max_size=40)


@settings(deadline=None)
@given(messages, st.randoms(use_true_random=False))
def test_the_order_in_which_messages_come_in_is_of_no_account(
    told: list[tuple[str, int]], chance: random.Random
) -> None:
    mixed = list(told)
    chance.shuffle(mixed)
    assert sent_at(CAPS, *mixed) == sent_at(CAPS, *told)


@settings(deadline=None)
@given(messages, messages)
def test_two_names_of_one_person_share_their_caps(
    one: list[tuple[str, int]], other: list[tuple[str, int]]
) -> None:
    both = merged(CAPS, sent_at(CAPS, *one), sent_at(CAPS, *other))
    assert both == sent_at(CAPS, *one, *other)
    assert both == merged(CAPS, sent_at(CAPS, *other), sent_at(CAPS, *one))


def test_rows_that_share_nothing_are_not_changed_by_each_other() -> None:
    first, second = Sent(), Sent()
    note(CAPS, first, "email", 5)
    assert second == Sent() != first
