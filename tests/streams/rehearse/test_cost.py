"""What offers cost at worst."""

from models.playbook.offer import (
    AmountOff,
    FreeShipping,
    Gift,
    PercentOff,
    SaveBySteps,
    SpendAndSave,
)
from streams.rehearse.cost import worst_cents


def test_a_share_costs_its_part_of_what_is_usually_spent() -> None:
    assert worst_cents(PercentOff(percent=0.1), 5_000) == 500


def test_a_share_with_a_least_order_costs_its_part_of_that_at_least() -> None:
    assert worst_cents(PercentOff(percent=0.1, min_order_cents=8_000), 5_000) == 800


def test_an_amount_costs_itself_and_steps_their_largest_saving() -> None:
    steps = (SpendAndSave(5_000, 500), SpendAndSave(10_000, 1_500))
    assert worst_cents(AmountOff(amount_cents=300), 5_000) == 300
    assert worst_cents(SaveBySteps(spend_and_save=steps), 0) == 1_500


def test_what_a_gift_or_shipping_costs_the_playbook_does_not_say() -> None:
    assert worst_cents(Gift(gift="sku1"), 5_000) is None
    assert worst_cents(FreeShipping(free_shipping=True), 5_000) is None
