"""How a customer stands after its orders changed: lessons that add up, and its cluster."""

from typing import Any

from models.clusters import NOBODY
from models.customer import Customer
from models.effects import CustomerStood
from models.events import Erased
from models.segments import SegmentsSnapshot
from models.standing_notes import stand
from models.step import Effect
from models.tier_edges import Spend, SpendSketches
from tests.builders import (
    DAY,
    START_MS,
    cancelled,
    for_log_in,
    identified,
    make,
    order,
    refunded,
    released,
    step_all,
    view_at,
    viewed,
)
from tests.models.test_segments import NOW_MS, clusters


def stood(effects: list[Effect]) -> list[CustomerStood]:
    return [one for one in effects if isinstance(one, CustomerStood)]


def counted(*lessons: CustomerStood) -> dict[str, dict[int, int]]:
    """What all lessons together leave in the sketches."""
    sketches = SpendSketches()
    for one in lessons:
        before, after = one.before, one.after
        sketches.move(before and Spend(*before), after and Spend(*after))
    return {name: getattr(sketches, name).counts for name in sketches.__struct_fields__}


def test_an_order_a_refund_and_a_cancellation_each_teach_and_nothing_else_does() -> None:
    customer = Customer()
    events: list[Any] = [
        identified(),
        viewed(),
        order("o1", 5_000),
        order("o2", 7_000, START_MS + 9 * DAY),
        refunded("o2", 500, START_MS + 10 * DAY),
        cancelled("o1", START_MS + 11 * DAY),
        viewed(at_ms=START_MS + 12 * DAY),
    ]
    lessons = stood(step_all(customer, *events, view=view_at(START_MS + 20 * DAY)))
    assert [(one.orders, one.value_cents) for one in lessons] == [
        (1, 5_000),
        (2, 12_000),
        (2, 11_500),
        (1, 6_500),
    ]
    assert all(one.day == (START_MS + 20 * DAY) // DAY for one in lessons)
    assert lessons[0].before is None
    assert [one.before for one in lessons[1:]] == [one.after for one in lessons[:-1]]
    assert lessons[-1].after == stand(customer).spend


def test_an_order_said_again_teaches_nothing() -> None:
    customer = Customer()
    assert len(stood(step_all(customer, order("o1"), order("o1", id="again")))) == 1


def test_whoever_is_erased_or_merged_away_counts_no_more() -> None:
    for leaving in (make(Erased), released("b" * 22)):
        customer = Customer()
        effects = step_all(customer, order("o1", 5_000), leaving)
        *_, last = stood(effects)
        assert (last.orders, last.after) == (0, None)
        assert set(map(len, counted(*stood(effects)).values())) == {0}


def test_a_merged_history_counts_once() -> None:
    old, new = Customer(), Customer()
    left = step_all(old, order("o1", 5_000), released("b" * 22))
    (absorbed,) = for_log_in(left)
    taken = step_all(new, order("o2", 7_000, customer="b" * 22, id="two"), absorbed)
    both = counted(*stood(left), *stood(taken))
    assert all(sum(counts.values()) == 1 for counts in both.values())
    assert stood(taken)[-1].orders == 2


def test_the_cluster_is_known_from_the_first_adopted_version_on() -> None:
    customer, view = Customer(), view_at(NOW_MS)
    step_all(customer, order("o1", 900, NOW_MS - 400 * DAY), view=view)
    assert customer.cluster == NOBODY
    view.segments = SegmentsSnapshot(version=1, clusters=clusters())
    for number in range(20):
        step_all(customer, order(f"p{number}", 1_000, NOW_MS - number * DAY), view=view)
    busy = customer.cluster
    quiet = Customer()
    step_all(quiet, order("q1", 950, NOW_MS - 305 * DAY, customer="q" * 22), view=view)
    assert NOBODY not in (busy, quiet.cluster)
    assert busy != quiet.cluster
