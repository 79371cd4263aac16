"""The demo's year: what is real stays as it was, what is invented says so, every case decides."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from models.clock import DAY_MS
from models.item_reviews import WELL_RATED
from models.segment import Door, Rejected, parse
from streams.prepare import DEMO
from streams.rehearse.book import read_book
from streams.rehearse.past import Past
from streams.replay.complete_journey import CompleteJourney
from streams.replay.demo import DemoYear, is_persona, year_of
from streams.replay.history import Arrival, BadRow

DAYS = 45
INVENTED = "demo:"


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    return [one for one in DemoYear(DAYS).arrivals() if isinstance(one, Arrival)]


def is_invented(arrival: Arrival) -> bool:
    return arrival.body["messageId"].startswith(INVENTED)


def test_the_real_history_is_there_untouched_and_in_its_order(arrivals: list[Arrival]) -> None:
    real = [one for one in arrivals if not is_invented(one)]
    assert real == list(CompleteJourney(DAYS).arrivals())
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(arrivals))


def test_what_is_invented_is_said_to_be_and_is_never_an_order(arrivals: list[Arrival]) -> None:
    invented = [one.body for one in arrivals if is_invented(one)]
    introduced = [one for one in invented if one["type"] == "identify"]
    assert len(introduced) > 300
    assert all(one["traits"]["demo_persona"] for one in introduced)
    assert all("birthday" in one["traits"]["invented"] for one in introduced)
    assert all(is_persona(one["userId"]) for one in invented)
    looked = [one for one in invented if one["type"] != "identify"]
    done = Counter(one["event"] for one in looked)
    assert done.keys() == {"Product Viewed", "Product Reviewed"}
    assert min(done.values()) > 200


def test_one_order_of_a_persona_in_ten_is_reviewed_by_its_own_buyer_in_its_own_language(
    arrivals: list[Arrival],
) -> None:
    orders = {
        one.body["properties"]["order_id"]: one
        for one in arrivals
        if one.body.get("event") == "Order Completed" and is_persona(one.body["userId"])
    }
    locales = {
        one.body["userId"]: one.body["traits"]["locale"]
        for one in arrivals
        if is_invented(one) and one.body["type"] == "identify"
    }
    reviews = [one for one in arrivals if one.body.get("event") == "Product Reviewed"]
    assert 0.05 < len(reviews) / len(orders) < 0.12
    signs = {"en": "Invented", "zh-TW": "虛構", "zh-CN": "虚构"}
    for one in reviews:
        said = one.body["properties"]
        order = orders[one.body["messageId"].removeprefix("demo:review:")]
        assert order.at_ms < one.at_ms
        assert order.body["userId"] == one.body["userId"]
        bought = {line["product_id"] for line in order.body["properties"]["products"]}
        assert said["product_id"] in bought
        assert signs[locales[one.body["userId"]]] in said["review_body"]
    ratings = Counter(one.body["properties"]["rating"] for one in reviews)
    assert ratings.keys() == {"1", "2", "3", "4", "5"}
    assert ratings["5"] > ratings["1"]


def test_what_is_looked_at_has_often_been_reviewed_well_so_that_messages_quote(
    arrivals: list[Arrival],
) -> None:
    """The pack browse_24h shows what others say; in the demo there must be something to show."""
    praised: set[str] = set()
    views = quoted = 0
    for one in arrivals:
        about = one.body.get("properties", {})
        if one.body.get("event") == "Product Reviewed" and int(about["rating"]) >= WELL_RATED:
            praised.add(about["product_id"])
        elif one.body.get("event") == "Product Viewed":
            views += 1
            quoted += about["product_id"] in praised
    assert quoted / views > 0.1


def test_who_is_invented_about_is_introduced_once_and_before_all_else(
    arrivals: list[Arrival],
) -> None:
    seen: set[str] = set()
    for one in arrivals:
        if not is_invented(one) and one.body["type"] == "identify":
            continue
        if is_persona(one.body["userId"]) and one.body["userId"] not in seen:
            assert one.body["messageId"] == f"demo:persona:{one.body['userId']}"
            seen.add(one.body["userId"])
    ids = Counter(one.body["messageId"] for one in arrivals)
    assert max(ids.values()) == 1


def test_the_contract_takes_everything_that_is_invented(arrivals: list[Arrival]) -> None:
    for one in arrivals:
        door = Door(received_at_ms=one.at_ms, currency="USD", source="complete-journey")
        if is_invented(one):
            assert not isinstance(parse(one.body, door), Rejected)


def test_everything_that_arrives_can_be_named_without_being_made(arrivals: list[Arrival]) -> None:
    named = list(DemoYear(DAYS).named())
    assert [one.message_id for one in named] == [one.body["messageId"] for one in arrivals]


def test_a_log_is_read_again_by_the_name_of_its_history() -> None:
    for name in ("complete-journey:2-days:personas:reviews", "complete-journey:2-days:personas"):
        year = year_of(name)
        assert isinstance(year, DemoYear)
        assert year.name == name
    before = year_of("complete-journey:2-days")
    assert isinstance(before, CompleteJourney)
    assert before.name == "complete-journey:2-days"
    assert year_of("shop:0123") is None


def test_a_log_that_was_begun_earlier_goes_on_as_it_was_played_then(
    arrivals: list[Arrival],
) -> None:
    real, silent = DemoYear(DAYS).formerly()
    assert (real.name, silent.name) == (f"complete-journey:{DAYS}-days", f"{real.name}:personas")
    assert list(silent.arrivals()) == [
        one for one in arrivals if one.body.get("event") != "Product Reviewed"
    ]


class OfPersonas:
    """The year's first weeks, of its personas alone, so that it is short."""

    name = "personas"

    def __init__(self, arrivals: list[Arrival]) -> None:
        self._arrivals = [one for one in arrivals if is_persona(one.body["userId"])]
        self.first_ms = self._arrivals[0].at_ms
        self.last_ms = self._arrivals[-1].at_ms + DAY_MS

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        yield from self._arrivals


def test_in_its_first_weeks_the_rules_decide_about_personas(arrivals: list[Arrival]) -> None:
    """Christmas is not there yet, nor sixty days of silence."""
    past = Past(OfPersonas(arrivals), [read_book(DEMO)], currency="USD")
    [told] = past.play(lambda at_ms, events: None)
    sent = {name: one["statuses"].get("sent", 0) for name, one in told["rules"].items()}
    for rule in ("first_order_care", "browse_24h", "silence_30d", "birthday", "moon_festivals"):
        assert sent[rule] > 0, rule
    # The morning of the eve in Taipei and Shanghai is the evening before in the shop.
    on_the_eve = told["days"]["2017-01-26"]
    assert on_the_eve["moon_festivals"] == sent["moon_festivals"]
