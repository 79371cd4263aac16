"""What events say of items: a memory that is current, and lessons for the shop's knowledge."""

from typing import Any

import pytest

from models.customer import Customer
from models.effects import AuthorErased, BasketLesson, ItemMet, ItemReviewed
from models.events import (
    CustomerEvent,
    Erased,
    Line,
    OrderCompleted,
    ProductAdded,
    ProductRemoved,
    ProductReviewed,
    ProductWished,
    ReturnRequested,
    TicketOpened,
)
from models.item_knowledge import ItemFacts
from models.item_memory import CARTED, SPOILT, VIEWED, WISHED, columns, item_ref
from models.item_notes import LINES_AT_MOST, ONE_ORDER_IN, facts_of, is_lesson
from models.item_reviews import Quote
from models.step import Effect
from tests.builders import (
    ANNA,
    DAY,
    START_MS,
    cancelled,
    copy_of,
    make,
    named,
    order,
    refunded,
    released,
    step_all,
    view_at,
    viewed,
)

BREAD, TEA = Line("bread", 300), Line("tea", 900, quantity=3.0, category="drinks", name="Tea")
TEACHES = next(f"o{n}" for n in range(99) if is_lesson(f"o{n}"))
TEACHES_NOT = next(f"o{n}" for n in range(99) if not is_lesson(f"o{n}"))


def marks(customer: Customer) -> dict[int, int]:
    rows = columns(customer.items)
    return dict(zip(rows["ref"].tolist(), rows["marks"].tolist(), strict=True))


def times(customer: Customer) -> dict[int, int]:
    rows = columns(customer.items)
    return dict(zip(rows["ref"].tolist(), rows["times"].tolist(), strict=True))


def lessons(effects: list[Effect]) -> list[BasketLesson | ItemMet]:
    return [one for one in effects if isinstance(one, BasketLesson | ItemMet)]


def bought(order_id: str, *lines: Line, at_ms: int = START_MS) -> Any:
    return order(order_id, 1_000, at_ms, lines=lines)


def test_an_order_is_remembered_and_taught_with_the_days_since_each_item() -> None:
    customer, view = Customer(), view_at(START_MS + 30 * DAY)
    first = lessons(step_all(customer, bought("o1", BREAD, TEA), view=view))
    then = lessons(step_all(customer, bought("o2", BREAD, at_ms=START_MS + 9 * DAY), view=view))
    assert [one.gaps for one in (*first, *then)] == [[-1, -1], [9]]  # type: ignore[union-attr]
    assert times(customer) == {item_ref("bread"): 2, item_ref("tea"): 1}
    (basket,) = first
    assert isinstance(basket, BasketLesson)
    assert (basket.day, basket.at_ms) == ((START_MS + 30 * DAY) // DAY, START_MS)
    assert basket.items == [ItemFacts("bread", "", "", 300), ItemFacts("tea", "Tea", "drinks", 300)]


def test_an_item_on_two_lines_is_one_item() -> None:
    (basket,) = lessons(step_all(Customer(), bought("o1", BREAD, BREAD, TEA)))
    assert len(basket.items) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(("order_id", "comes"), [(TEACHES, True), (TEACHES_NOT, False)])
def test_one_order_in_a_few_brings_what_was_remembered_before_it(
    order_id: str, comes: bool
) -> None:
    customer = Customer()
    step_all(customer, bought("first", BREAD))
    before = copy_of(customer).items
    (basket,) = lessons(step_all(customer, bought(order_id, TEA)))
    assert isinstance(basket, BasketLesson)
    assert basket.memory == (before if comes else None)
    share = sum(is_lesson(f"{n}") for n in range(8_000)) / 8_000
    assert share == pytest.approx(1 / ONE_ORDER_IN, abs=0.02)


def test_a_first_order_has_nothing_to_learn_the_ranking_from() -> None:
    (basket,) = lessons(step_all(Customer(), bought(TEACHES, BREAD)))
    assert basket.memory is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "again",
    [
        [bought("o1", BREAD), make(OrderCompleted, order_id="o1", total_cents=1, currency="EUR")],
        [cancelled("o1"), bought("o1", BREAD)],
    ],
    ids=["said again", "cancelled before"],
)
def test_an_order_that_does_not_count_teaches_nothing_more(again: list[CustomerEvent]) -> None:
    customer = Customer()
    found = lessons(step_all(customer, *again))
    assert len(found) == customer.orders


@pytest.mark.parametrize(
    ("kind", "mark"), [("view", VIEWED), (ProductAdded, CARTED), (ProductWished, WISHED)]
)
def test_what_is_wanted_is_marked_and_taught_at_first_sight(kind: Any, mark: int) -> None:
    customer = Customer()
    line = {"name": "Tea", "category": "drinks", "price_cents": 250}

    def sight() -> Any:
        if kind == "view":
            return viewed("tea", line=dict(line))
        return make(kind, line=Line("tea", **line))  # type: ignore[arg-type]

    (met,) = lessons(step_all(customer, sight()))
    assert isinstance(met, ItemMet)
    assert met.item == ItemFacts("tea", "Tea", "drinks", 250)
    assert marks(customer) == {item_ref("tea"): mark}
    assert lessons(step_all(customer, sight())) == []


def test_what_was_taken_out_of_the_cart_is_no_longer_in_it() -> None:
    customer = Customer()
    line = Line("tea")
    step_all(customer, viewed("tea"), make(ProductAdded, line=line))
    assert marks(customer) == {item_ref("tea"): VIEWED | CARTED}
    step_all(customer, make(ProductRemoved, line=line), make(ProductRemoved, line=Line("never")))
    assert marks(customer) == {item_ref("tea"): VIEWED}


@pytest.mark.parametrize(
    ("trouble", "is_spoilt"),
    [
        (make(TicketOpened, ticket_id="t1", product_id="bread"), True),
        (make(ReturnRequested, order_id="o1", product_id="bread"), True),
        (make(ProductReviewed, product_id="bread", rating=2.0), True),
        (make(ProductReviewed, product_id="bread", rating=3.0), False),
        (refunded("o1", 300, lines=(BREAD,)), True),
        (refunded("o1", 300), False),
        (make(TicketOpened, ticket_id="t1"), False),
    ],
    ids=["complaint", "return", "bad review", "fair review", "refund", "refund of all", "question"],
)
def test_an_item_that_went_wrong_is_spoilt(trouble: CustomerEvent, is_spoilt: bool) -> None:
    customer = Customer()
    step_all(customer, bought("o1", BREAD), trouble)
    assert marks(customer)[item_ref("bread")] == (SPOILT if is_spoilt else 0)


def test_a_thousand_lines_are_cut_short() -> None:
    lines = [Line(f"p{n}") for n in range(1_000)]
    (basket,) = lessons(step_all(Customer(), bought("o1", *lines)))
    assert len(basket.items) == LINES_AT_MOST  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "price_cents"),
    [
        (Line("p", 900, quantity=3.0), 300),
        (Line("p", 900, quantity=3.0, price_cents=310), 310),
        (Line("p", 900, quantity=0.0), 0),
        (Line("p", -900), 0),
    ],
)
def test_a_price_is_of_one_piece(line: Line, price_cents: int) -> None:
    assert facts_of(line).price_cents == price_cents


def test_what_has_no_name_of_its_own_is_not_remembered() -> None:
    customer = Customer()
    assert lessons(step_all(customer, viewed(""), make(ProductWished, line=Line("")))) == []
    assert marks(customer) == {}


def review(rating: float, **more: Any) -> ProductReviewed:
    sealed = {"review_body": "ciphertext"}
    fields = {"product_id": "bread", "rating": rating, "sealed": sealed, "published": True}
    event: ProductReviewed = make(ProductReviewed, **(fields | more))
    return event


def reviewed(event: ProductReviewed) -> ItemReviewed:
    (lesson,) = [one for one in step_all(Customer(), event) if type(one) is ItemReviewed]
    return lesson


def test_a_review_teaches_its_rating_and_published_words_of_a_good_one() -> None:
    lesson = reviewed(review(4.0))
    assert (lesson.product_id, lesson.rating) == ("bread", 4.0)
    assert lesson.quote == Quote(START_MS, ANNA, "ciphertext", 4.0)


@pytest.mark.parametrize(
    "event", [review(3.9), review(5.0, published=False), review(5.0, sealed=None)]
)
def test_other_words_are_not_quoted(event: ProductReviewed) -> None:
    assert reviewed(event).quote is None


def test_an_erasure_takes_back_the_words_of_whoever_may_have_written_some() -> None:
    def gone(*events: CustomerEvent) -> list[str]:
        told = step_all(Customer(), *events, make(Erased, at_ms=START_MS + 9))
        return [one.customer for one in told if type(one) is AuthorErased]

    assert gone(review(5.0)) == [ANNA]
    assert gone(review(5.0), released(named("bert"), at_ms=START_MS + 5)) == [ANNA]
    assert gone(viewed()) == []


def test_words_that_came_through_a_merge_keep_their_authors_seal() -> None:
    quote = reviewed(review(5.0, via=("first", "second"))).quote
    assert quote is not None
    assert quote.author == "first"
