"""How far a customer has fallen asleep: awake, cooling, dormant, lost.

Where the shop has shown enough, edges of the hazard of the longest horizon decide. The learner sets
them by a false-alarm rate: of those who were below the edge, only so many may have ordered within
the horizon after all (FALSE_ALARMS). Who is below comes back up only well above the edge, so that
nobody goes to and fro; an order wakes at once, for a week at least. Before that, and where a shop
wants it so, fixed days of silence decide. The tier *dormant* is dormancy dormant or lost.
"""

from collections.abc import Callable
from enum import Enum

from models.clock import DAY_MS
from models.customer import Customer
from models.hazard import LESSONS_BEFORE_USE, HazardSnapshot, features_of, probability

FALSE_ALARMS = (0.4, 0.2, 0.05)
"""Share of the cooling, the dormant and the lost who order within the horizon after all."""
COOLING_AFTER_DAYS = 15
DORMANT_AFTER_DAYS = 30
LOST_AFTER_DAYS = 180
DORMANT_AFTER_MS = DORMANT_AFTER_DAYS * DAY_MS
UP_AGAIN = 1.2
AWAKE_FOR_DAYS = 7
AHEAD_AT_MOST_DAYS = 64


class Dormancy(Enum):
    """States of wakefulness, in the order in which silence leads through them."""

    AWAKE = "awake"
    COOLING = "cooling"
    DORMANT = "dormant"
    LOST = "lost"


_STATES = tuple(Dormancy)
_PLACES = {state.value: place for place, state in enumerate(_STATES)}
ASLEEP = (Dormancy.DORMANT, Dormancy.LOST)


def silence_days(last_order_ms: int, now_ms: int) -> int:
    """Whole days since the last order, 0 when it lies ahead of `now_ms`.

    >>> silence_days(0, 30 * DAY_MS - 1), silence_days(0, 30 * DAY_MS)
    (29, 30)
    """
    return max(0, now_ms - last_order_ms) // DAY_MS


def goes_by_edges(snapshot: HazardSnapshot) -> bool:
    """Whether edges of the hazard decide, not days."""
    return bool(snapshot.edges) and snapshot.heads[-1].lessons >= LESSONS_BEFORE_USE


def dormancy_of(customer: Customer, now_ms: int, snapshot: HazardSnapshot) -> Dormancy:
    """State of a customer with orders at `now_ms`; the row's own state is where it comes from."""
    if not goes_by_edges(snapshot):
        return by_days(customer.last_order_ms, now_ms, snapshot.dormant_after_days)
    if silence_days(customer.last_order_ms, now_ms) < AWAKE_FOR_DAYS:
        return Dormancy.AWAKE
    features = features_of(customer, now_ms, snapshot.gap_days)
    hazard = probability(features, snapshot, -1)
    return by_edges(hazard, snapshot.edges, customer.dormancy)


def by_days(
    last_order_ms: int, now_ms: int, dormant_after_days: int = DORMANT_AFTER_DAYS
) -> Dormancy:
    """State after so much silence: half the days cooling, six times as many lost.

    >>> by_days(0, 30 * DAY_MS)
    <Dormancy.DORMANT: 'dormant'>
    """
    silence = silence_days(last_order_ms, now_ms)
    if silence >= dormant_after_days * LOST_AFTER_DAYS // DORMANT_AFTER_DAYS:
        return Dormancy.LOST
    if silence >= dormant_after_days:
        return Dormancy.DORMANT
    is_cooling = silence >= dormant_after_days * COOLING_AFTER_DAYS // DORMANT_AFTER_DAYS
    return Dormancy.COOLING if is_cooling else Dormancy.AWAKE


def by_edges(hazard: float, edges: tuple[float, ...], before: str = "") -> Dormancy:
    """State at this hazard; one that was below an edge before must rise UP_AGAIN times above it.

    >>> by_edges(0.25, (0.5, 0.3, 0.1)), by_edges(0.35, (0.5, 0.3, 0.1), "dormant")
    (<Dormancy.DORMANT: 'dormant'>, <Dormancy.DORMANT: 'dormant'>)
    """
    place, was = 0, _PLACES.get(before, 0)
    for at, edge in enumerate(edges, 1):
        if hazard < edge or (was >= at and hazard < min(edge * UP_AGAIN, (1.0 + edge) / 2)):
            place = at
    return _STATES[place]


def next_look_ms(customer: Customer, now_ms: int, snapshot: HazardSnapshot) -> int | None:
    """When silence alone will move the state on; at the latest after AHEAD_AT_MOST_DAYS.

    None for the lost: only an order can change them. Days of the hazard end at the time of day of
    the last order, like those of the plain rule.
    """
    state = dormancy_of(customer, now_ms, snapshot)
    if state is Dormancy.LOST:
        return None
    last_ms, place = customer.last_order_ms, _PLACES[state.value]
    today = silence_days(last_ms, now_ms)

    def has_moved(day: int) -> bool:
        at = dormancy_of(customer, last_ms + day * DAY_MS, snapshot)
        return _PLACES[at._value_] > place

    return last_ms + _first_day(has_moved, today, today + AHEAD_AT_MOST_DAYS) * DAY_MS


def _first_day(has_moved: Callable[[int], bool], before: int, at_most: int) -> int:
    """First day on which it has, by doubling and halving; `at_most` if not before."""
    ahead = 1
    while before + ahead < at_most and not has_moved(before + ahead):
        ahead *= 2
    low, high = before + ahead // 2, min(before + ahead, at_most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if has_moved(middle) else (middle, high)
    return high
