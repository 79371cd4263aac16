"""The ranking's pupil: orders and sights of a day, learned in their own order, kept as rows."""

import random
from typing import Any

import msgspec
import pytest

from models.clock import DAY_MS, HOUR_MS
from models.effects import AuthorErased, BasketLesson, ItemMet, ItemReviewed
from models.hazard import BadSnapshot
from models.item_knowledge import ItemFacts, ItemKnowledge, ItemRow
from models.item_memory import ItemMemory, buy, item_ref
from models.item_reviews import Quote, ReviewRow
from models.item_rows import review_key
from models.ranking import boards
from models.ranking_learner import LESSONS_BEFORE_USE, RankingLearner
from streams import ranking_pupil
from streams.ranking_pupil import RankingPupil

FIRST_DAY = 19_000


def baskets(days: int, customers: int = 12, seed: int = 7, slope: float = 0.3) -> list[list[Any]]:
    """Days of orders of a small shop, each with the memory before it, and a sight or two."""
    chance = random.Random(seed)
    memories = [ItemMemory() for _ in range(customers)]
    found: list[list[Any]] = []
    for day in range(FIRST_DAY, FIRST_DAY + days):
        today: list[Any] = []
        for number in range(chance.randrange(2, 9)):
            who = chance.randrange(customers)
            names = sorted({f"p{min(int(chance.expovariate(slope)), 90)}" for _ in range(4)})
            at_ms = day * DAY_MS + chance.randrange(24) * HOUR_MS
            memory = memories[who]
            before = msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=ItemMemory)
            gaps = buy(memory, [item_ref(name) for name in names], at_ms)
            today.append(
                BasketLesson(
                    partition=0,
                    day=day,
                    customer=f"c{who}",
                    at_ms=at_ms,
                    order_id=f"{day}-{number}",
                    items=[ItemFacts(name, name, "all", 100) for name in names],
                    gaps=gaps,
                    memory=before if before.orders else None,
                )
            )
        today.append(
            ItemMet(
                partition=0,
                day=day,
                customer="c0",
                at_ms=day * DAY_MS,
                item=ItemFacts(f"seen{day % 3}"),
            )
        )
        found.append(today)
    return found


def taught(days: list[list[Any]]) -> RankingPupil:
    pupil = RankingPupil()
    for lessons in days:
        pupil.learn(lessons)
    return pupil


def bytes_of(pupil: RankingPupil) -> tuple[bytes, dict[bytes, bytes]]:
    return msgspec.msgpack.encode(pupil.dump()), dict(pupil.rows())


def items_of(pupil: RankingPupil) -> dict[int, ItemRow]:
    """Every item as it stands now: a row that was written earlier has an earlier landmark."""
    knowledge = pupil.knowledge
    return {ref: knowledge.row(place) for ref, place in knowledge.index.items()}


@pytest.mark.parametrize("slope", [0.3, 0.03])
def test_the_order_in_which_a_days_lessons_come_makes_no_difference(slope: float) -> None:
    days = baskets(90, customers=5, slope=slope)
    mixed = [random.Random(day).sample(lessons, len(lessons)) for day, lessons in enumerate(days)]
    assert bytes_of(taught(days)) == bytes_of(taught(mixed))


def test_candidates_that_are_gathered_in_one_go_teach_what_each_one_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days, ahead = baskets(90, customers=5, slope=0.03), 0

    def counted(asked: list[tuple[ItemMemory, int]], knowledge: ItemKnowledge) -> Any:
        nonlocal ahead
        found = boards(asked, knowledge)
        ahead += sum(one is not None for one in found)
        return found

    monkeypatch.setattr(ranking_pupil, "boards", counted)
    together = taught(days)
    monkeypatch.setattr(ranking_pupil, "boards", lambda asked, _: [None] * len(asked))
    alone = taught(days)
    assert ahead > 100
    assert together.lessons == alone.lessons > ahead
    assert together.learner.weights == pytest.approx(alone.learner.weights)
    assert together.learner.weights != pytest.approx(RankingLearner().weights)


@pytest.mark.parametrize(("cut", "slope"), [(1, 0.3), (17, 0.3), (200, 0.3), (200, 0.03)])
def test_what_stands_in_the_table_goes_on_as_if_nothing_had_happened(
    cut: int, slope: float
) -> None:
    days = baskets(260, slope=slope)
    straight, first = taught(days), taught(days[:cut])
    learned, rows = bytes_of(first)
    again = RankingPupil()
    again.load(learned, rows)
    for lessons in days[cut:]:
        again.learn(lessons)
    assert msgspec.msgpack.encode(again.dump()) == msgspec.msgpack.encode(straight.dump())
    assert items_of(again) == items_of(straight)
    assert again.knowledge.shop == straight.knowledge.shop


def test_rows_are_given_once_and_only_of_items_that_were_touched() -> None:
    pupil = taught(baskets(3))
    first = dict(pupil.rows())
    assert list(pupil.rows()) == []
    pupil.learn([ItemMet(partition=0, day=9, customer="c", at_ms=DAY_MS, item=ItemFacts("p1"))])
    assert len(dict(pupil.rows())) == 2 < len(first)


def test_too_few_orders_are_no_version_yet() -> None:
    pupil = taught(baskets(2))
    assert pupil.lessons == 0
    with pytest.raises(BadSnapshot):
        pupil.snapshot(FIRST_DAY)
    pupil = taught(baskets(80))
    assert pupil.lessons >= LESSONS_BEFORE_USE
    assert pupil.snapshot(FIRST_DAY + 80).version == pupil.version == 1


def test_an_order_without_a_gap_for_each_item_cannot_be_learned() -> None:
    ((*_, met),) = baskets(1)
    basket = baskets(1)[0][0]
    pupil = RankingPupil()
    pupil.examine(met)
    pupil.examine(basket)
    with pytest.raises(ValueError, match="0 gaps for"):
        pupil.examine(msgspec.structs.replace(basket, gaps=[]))


def test_what_was_forgotten_is_gone_from_the_table_too() -> None:
    days = baskets(60)
    pupil = taught(days[:40])
    table: dict[bytes, bytes | None] = dict(pupil.rows())
    pupil.knowledge.items_at_most = 15
    pupil.learn(days[40])
    table.update(pupil.rows())
    kept = {key: row for key, row in table.items() if row is not None}
    assert sum(row is None for row in table.values()) > 0
    again = RankingPupil()
    again.load(msgspec.msgpack.encode(pupil.dump()), kept)
    assert items_of(again) == items_of(pupil)


def test_reviews_are_kept_as_rows_and_found_again() -> None:
    pupil = RankingPupil()
    said = [
        ItemReviewed(
            partition=0,
            day=FIRST_DAY,
            customer="c",
            at_ms=at_ms,
            product_id="tea",
            rating=rating,
            quote=Quote(at_ms, "c", "sealed", rating) if rating > 4 else None,
        )
        for at_ms, rating in ((1, 5.0), (2, 2.0))
    ]
    pupil.learn(said)
    rows = {key: row for key, row in pupil.rows() if row is not None}
    assert list(rows) == [review_key(item_ref("tea"))]
    assert all(key.startswith(pupil.prefixes) for key in rows)
    assert list(pupil.rows()) == []
    again = RankingPupil()
    again.load(None, rows)
    assert again.reviews.of("tea") == pupil.reviews.of("tea")
    assert again.lessons == 0
    erased = AuthorErased(partition=0, day=FIRST_DAY, customer="c", at_ms=3)
    again.learn([erased])
    ((_, row),) = again.rows()
    assert msgspec.msgpack.decode(row or b"", type=ReviewRow).quotes == []
