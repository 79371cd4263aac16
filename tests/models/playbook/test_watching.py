"""Whom time alone may bring to a rule's moment."""

import pytest

from models.customer import Customer
from models.playbook.fields import CUSTOMER_FIELDS, SEGMENTS
from models.playbook.watching import _OF_BUYERS, _STILL, whom_to_watch

NOBODY_YET, NEW = Customer(tier="new"), Customer(tier="new", orders=1)
REGULAR = Customer(tier="regular", orders=3)


def watched(*fields: str) -> list[bool]:
    """Whether a visitor, a new buyer and a regular one are looked at."""
    looks_at = whom_to_watch([f"customer.{one}" for one in fields])
    return [looks_at(one) for one in (NOBODY_YET, NEW, REGULAR)]


@pytest.mark.parametrize(
    ("fields", "looked_at"),
    [
        ((), [False, False, False]),
        (("views", "orders", "favourite_category"), [False, False, False]),
        (("tier",), [False, False, True]),
        (("tier", "views"), [False, False, True]),
        (("silence_days", "tier"), [False, True, True]),
        (("hazard",), [False, True, True]),
        (("last_view_days",), [True, True, True]),
        (("silence_days", "first_seen_days"), [True, True, True]),
        (("what_a_later_release_knows",), [True, True, True]),
    ],
)
def test_only_whom_time_can_move_are_looked_at(
    fields: tuple[str, ...], looked_at: list[bool]
) -> None:
    assert watched(*fields) == looked_at


def test_every_field_that_is_known_to_stand_still_is_a_field() -> None:
    assert CUSTOMER_FIELDS.keys() >= _STILL | _OF_BUYERS
    assert SEGMENTS not in _STILL | _OF_BUYERS
