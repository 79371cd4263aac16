"""How far a customer has fallen asleep: awake, cooling, dormant, lost.

First form: fixed days of silence since the last order (S7, S17). The tier *dormant* is dormancy
dormant or lost.
"""

from enum import Enum

from models.clock import DAY_MS

COOLING_AFTER_DAYS = 15
DORMANT_AFTER_DAYS = 30
LOST_AFTER_DAYS = 180
DORMANT_AFTER_MS = DORMANT_AFTER_DAYS * DAY_MS


class Dormancy(Enum):
    """States of wakefulness, in the order in which silence leads through them."""

    AWAKE = "awake"
    COOLING = "cooling"
    DORMANT = "dormant"
    LOST = "lost"


def silence_days(last_order_ms: int, now_ms: int) -> int:
    """Whole days since the last order, 0 when it lies ahead of `now_ms`.

    >>> silence_days(0, 30 * DAY_MS - 1), silence_days(0, 30 * DAY_MS)
    (29, 30)
    """
    return max(0, now_ms - last_order_ms) // DAY_MS


def dormancy_of(last_order_ms: int, now_ms: int) -> Dormancy:
    """State after the silence from the last order to now.

    >>> dormancy_of(0, 30 * DAY_MS)
    <Dormancy.DORMANT: 'dormant'>
    """
    silence = silence_days(last_order_ms, now_ms)
    if silence >= LOST_AFTER_DAYS:
        return Dormancy.LOST
    if silence >= DORMANT_AFTER_DAYS:
        return Dormancy.DORMANT
    return Dormancy.COOLING if silence >= COOLING_AFTER_DAYS else Dormancy.AWAKE
