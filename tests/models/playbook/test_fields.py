"""What conditions read of a customer."""

import pytest

from models.clock import DAY_MS
from models.customer import Customer
from models.held_coupons import HeldCoupon
from models.playbook.fields import CUSTOMER_FIELDS, Scope, Unanswerable
from models.triggers.notes import Notes
from tests.builders import START_MS


def read(customer: Customer, name: str) -> object:
    return CUSTOMER_FIELDS[f"customer.{name}"].read(Scope(customer, START_MS))


def test_coupons_count_as_long_as_they_can_be_redeemed() -> None:
    customer = Customer(
        held_coupons=[
            HeldCoupon("A", until_ms=START_MS + 3 * DAY_MS - 1),
            HeldCoupon("B", until_ms=START_MS + 9 * DAY_MS),
            HeldCoupon("C"),
            HeldCoupon("E", until_ms=START_MS),
        ]
    )
    assert read(customer, "coupons_open") == 3
    assert read(customer, "coupon_days_left") == 2


def test_without_a_coupon_that_ends_no_days_are_left() -> None:
    for customer in (Customer(), Customer(held_coupons=[HeldCoupon("C")])):
        with pytest.raises(Unanswerable):
            read(customer, "coupon_days_left")


def test_perks_are_those_that_last_and_tags_those_that_were_given() -> None:
    perks = {"lounge": 0, "over": START_MS, "early": START_MS + 1}
    customer = Customer(playbook=Notes(tags=["vip"], perks=perks))
    assert read(customer, "perks") == ["early", "lounge"]
    assert read(customer, "tags") == ["vip"]
    assert (read(Customer(), "perks"), read(Customer(), "tags")) == ([], [])
