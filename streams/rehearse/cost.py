"""What an offer costs the shop at worst: when whoever gets it redeems it."""

from models.playbook.offer import AmountOff, Offer, PercentOff, SaveBySteps


def worst_cents(offer: Offer, order_cents: int) -> int | None:
    """Cents at most for a customer whose orders are worth `order_cents` on average.

    None where the playbook does not say what it is worth: gifts and shipping.
    """
    if isinstance(offer, PercentOff):
        return round(offer.percent * max(order_cents, offer.min_order_cents))
    if isinstance(offer, AmountOff):
        return offer.amount_cents
    if isinstance(offer, SaveBySteps):
        return max(step.save_cents for step in offer.spend_and_save)
    return None
