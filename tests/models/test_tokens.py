"""Names for customers where personal data must not be."""

import re
from collections import Counter

import pytest

from models.tokens import (
    PARTITION_KEY,
    POSITION_KEY,
    TOKEN_CHARS,
    is_customer_key,
    partition_of,
    token_of,
)

KEY = b"k" * 32


@pytest.mark.parametrize("identifier", ["c1", "", "x" * 300, "客戶 🛍️", "a\x00b", "\ud800"])
def test_any_id_has_a_token_of_its_own(identifier: str) -> None:
    token = token_of(KEY, "customer", identifier)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", token)
    assert len(token) == TOKEN_CHARS
    assert token == token_of(KEY, "customer", identifier)
    assert token != token_of(KEY, "customer", identifier + "x")


def test_a_token_needs_its_key_and_kind() -> None:
    tokens = {
        token_of(KEY, "customer", "a"),
        token_of(b"l" * 32, "customer", "a"),
        token_of(KEY, "email", "a"),
        token_of(KEY, "phone", "a"),
    }
    assert len(tokens) == 4


def test_kind_and_id_do_not_run_together() -> None:
    assert token_of(KEY, "email", "x") != token_of(KEY, "emai", "lx")


def test_the_partitions_own_key_is_no_customers() -> None:
    assert not is_customer_key(PARTITION_KEY)
    assert not is_customer_key(POSITION_KEY)
    assert is_customer_key(token_of(KEY, "customer", "c1").encode())
    assert b"=" in PARTITION_KEY


@pytest.mark.parametrize("partitions", [1, 2, 3, 7])
def test_customers_spread_evenly_over_partitions(partitions: int) -> None:
    tokens = [token_of(KEY, "customer", str(number)) for number in range(3_000)]
    counts = Counter(partition_of(token, partitions) for token in tokens)
    assert sorted(counts) == list(range(partitions))
    assert min(counts.values()) > 0.8 * 3_000 / partitions


def test_a_customers_partition_never_changes() -> None:
    places = [partition_of(token_of(KEY, "customer", name), 4) for name in "abcdef"]
    assert places == [0, 1, 3, 3, 3, 0]
