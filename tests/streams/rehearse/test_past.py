"""A shop's history is rehearsed in one reading, with the models learning beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import models.playbook
from models.clock import DAY_MS, HOUR_MS
from streams.rehearse.book import book_of, read_book
from streams.rehearse.learning import Learning
from streams.rehearse.past import Past, find
from streams.rehearse.stage import Stage
from streams.replay.history import Arrival, BadHistory, BadRow
from streams.replay.simulated_shop import SimulatedShop
from tests.builders import HOUSE_EDITION, START_MS, order

STARTER = Path(models.playbook.__file__).with_name("starter.yaml")
OWN = book_of("own", "main", HOUSE_EDITION.files)


class TwoOrders:
    """Two customers' first orders, a row that is none, and a body that the gateway refuses."""

    name = "two orders"
    first_ms = START_MS
    last_ms = START_MS + 3 * DAY_MS

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        yield Arrival(START_MS + HOUR_MS, self._order("c1"))
        yield BadRow(START_MS + HOUR_MS, "f:1:time", "a time", "x", b"")
        yield Arrival(START_MS + 2 * HOUR_MS, {"type": "track", "userId": "c1"})
        yield Arrival(START_MS + 2 * DAY_MS, self._order("c2"))

    def _order(self, who: str) -> dict[str, object]:
        properties = {"order_id": f"o-{who}", "total": 20, "currency": "EUR"}
        event = {"type": "track", "event": "Order Completed", "messageId": who}
        return {**event, "userId": who, "properties": properties}


def test_what_a_playbook_would_have_done_is_counted() -> None:
    told = Past(TwoOrders(), [OWN], currency="EUR").play(lambda at_ms, events: None)[0]
    assert (told["events"], told["refused"], told["customers"]) == (2, 2, 2)
    assert (told["messages"], told["customers_reached"]) == (2, 2)
    assert told["days"] == {"2022-01-08": {"thank_you": 1}, "2022-01-10": {"thank_you": 1}}
    assert (told["from"], told["until"]) == (
        "2022-01-08T01:00:00+00:00",
        "2022-01-11T00:00:00+00:00",
    )


def test_who_watches_is_told_once_a_day() -> None:
    seen: list[tuple[int, int]] = []
    Past(TwoOrders(), [OWN], currency="EUR").play(
        lambda at_ms, events: seen.append((at_ms, events))
    )
    assert [events for _, events in seen] == [1, 2]


def test_a_playbook_compared_with_itself_is_the_same() -> None:
    shop = SimulatedShop(seed=1, customers=40, days=20, start_ms=START_MS)
    past = Past(shop, [OWN, OWN], currency="USD")
    first, second = past.play(lambda at_ms, events: None)
    assert first == second
    assert first["messages"] > 0
    assert past.comparison is not None
    assert past.comparison.as_dict()["same"]


def test_the_models_learn_beside_it_as_they_do_live() -> None:
    stage = Stage(None, beat_ms=HOUR_MS, learn=Learning(adopt_every_days=1))
    for day in range(70):
        for number in range(8):
            at_ms = START_MS + day * DAY_MS + number
            who = order(f"o{day}-{number}", at_ms=at_ms)
            stage.take(who)
    stage.end(START_MS + 80 * DAY_MS)
    assert stage._fold.clock.hazard_version > 0


def test_a_shipped_mapping_goes_by_its_name() -> None:
    with pytest.raises(BadHistory, match="there is no such file"):
        list(find("nothing.csv", "online_retail", None).arrivals())


def test_a_file_without_a_mapping_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadHistory, match="--map"):
        find("orders.csv", "", None)


def test_the_starter_can_be_rehearsed_over_a_shop() -> None:
    shop = SimulatedShop(seed=2, customers=30, days=40, start_ms=START_MS)
    told = Past(shop, [read_book(STARTER)], currency="EUR").play(lambda at_ms, events: None)[0]
    assert told["messages"] > 0
    assert told["playbook"] == str(STARTER)
