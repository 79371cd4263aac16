"""The way out: it opens for who was given it, on one channel, and can't be made by anybody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import MessageChannel
from models.tokens import token_of
from models.unsubscribing import WayOut, key_of, named, opened

KEY = key_of(b"t" * 32)
CUSTOMER = token_of(b"t" * 32, "customer", "anna")
ACTION = "0123456789abcdef" * 2


@pytest.mark.parametrize("channel", MessageChannel)
@pytest.mark.parametrize("action_id", ["", ACTION])
def test_a_name_opens_as_it_was_made(channel: MessageChannel, action_id: str) -> None:
    way = WayOut(CUSTOMER, channel, action_id)
    assert opened(named(way, KEY), KEY) == way


def test_it_holds_nothing_personal_and_fits_an_address() -> None:
    name = named(WayOut(CUSTOMER, MessageChannel.EMAIL, ACTION), KEY)
    assert "anna" not in name
    assert len(name) < 100
    assert all(letter.isalnum() or letter in "._-" for letter in name)


def test_it_opens_for_no_other_key_and_not_for_the_key_of_names() -> None:
    name = named(WayOut(CUSTOMER, MessageChannel.EMAIL), KEY)
    assert opened(name, key_of(b"u" * 32)) is None
    assert opened(name, b"t" * 32) is None


@given(at=st.integers(0, 120), letter=st.characters(codec="ascii"))
def test_one_changed_letter_opens_nothing(at: int, letter: str) -> None:
    name = named(WayOut(CUSTOMER, MessageChannel.EMAIL, ACTION), KEY)
    changed = name[: at % len(name)] + letter + name[at % len(name) + 1 :]
    assert (opened(changed, KEY) is not None) is (changed == name)


@given(text=st.text(max_size=120))
def test_any_other_text_opens_nothing(text: str) -> None:
    assert opened(text, KEY) is None


def test_one_channels_name_is_not_anothers() -> None:
    email = named(WayOut(CUSTOMER, MessageChannel.EMAIL), KEY)
    assert opened(email.replace(".e.", ".s."), KEY) is None
