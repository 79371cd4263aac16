"""The shelf: what the learner's table, the snapshots and the control topic say, as it comes."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from models.clock import DAY_MS
from models.effects import AuthorErased, BasketLesson, HazardLesson, ItemMet, ItemReviewed
from models.item_knowledge import SHARE, ItemFacts, ItemKnowledge
from models.item_memory import item_ref
from models.item_reviews import Quote, ReviewRow
from models.item_rows import SHOP_KEY, item_key, review_key
from models.ranking import FEATURES, NOTHING_LEARNED, RankingSnapshot
from models.snapshot import AdoptedWord, SnapshotRecord, adopted_key, recorded
from sinks.model_shelf import ModelShelf
from tests.models.test_segments import snapshot as segments

AT_MS = 19_000 * DAY_MS
LEARNER, SNAPSHOTS, CONTROL = "learner", "snapshots", "control"


def shelf() -> ModelShelf:
    return ModelShelf("127.0.0.1:9", LEARNER, SNAPSHOTS, CONTROL)


def say(one: ModelShelf, topic: str, key: bytes, value: bytes | None) -> None:
    one.take(SimpleNamespace(topic=topic, key=key, value=value, offset=0))


def basket(*names: str, order_id: str = "o1") -> BasketLesson:
    return BasketLesson(
        partition=0,
        day=19_000,
        customer="c",
        at_ms=AT_MS,
        order_id=order_id,
        items=[ItemFacts(name, name.title(), "food", 300) for name in names],
        gaps=[-1] * len(names),
    )


def lesson(one: ModelShelf, number: int, value: Any) -> None:
    say(one, LEARNER, b"lesson:%d" % number, msgspec.json.encode(value))


def popularity(one: ModelShelf, name: str) -> float:
    knowledge = one.knowledge
    weight = knowledge.popularity(knowledge.index[item_ref(name)])
    return weight / knowledge.scales(AT_MS)[0]


def ranking(version: int, first: float = 0.5) -> RankingSnapshot:
    return RankingSnapshot(
        version=version, lessons=90, weights=(first,) + (0.1,) * (len(FEATURES) - 1)
    )


def published(one: ModelShelf, record: SnapshotRecord) -> None:
    say(one, SNAPSHOTS, record.model.encode(), msgspec.json.encode(record))


def adopted(one: ModelShelf, version: int) -> None:
    word = msgspec.json.encode(AdoptedWord(version, AT_MS))
    say(one, CONTROL, adopted_key("ranking"), word)


def test_an_item_is_known_from_its_first_sight_or_order() -> None:
    one = shelf()
    met = ItemMet(partition=0, day=1, customer="c", at_ms=AT_MS, item=ItemFacts("tea", "Tea"))
    lesson(one, 1, met)
    lesson(one, 2, basket("bread", "milk"))
    names = {
        one.knowledge.facts[place].name for place in one.knowledge.best_sellers.places.tolist()
    }
    assert names == {"Tea", "Bread", "Milk"}
    assert popularity(one, "bread") == pytest.approx(1.0)
    assert 0.0 < popularity(one, "tea") < 0.5


def test_what_a_customer_just_bought_counts_though_best_sellers_were_ranked_before() -> None:
    one = shelf()
    lesson(one, 1, basket(*(f"p{number}" for number in range(150))))
    lesson(one, 2, basket("p7", order_id="o2"))
    ranked = one.knowledge.best_sellers.places.tolist()
    lesson(one, 3, basket("bread", order_id="o3"))
    knowledge = one.knowledge
    assert knowledge.best_sellers.places.tolist() == ranked
    assert knowledge.table[knowledge.index[item_ref("bread")], SHARE] == pytest.approx(1 / 3)


def test_what_the_learner_learned_takes_the_place_of_what_waited() -> None:
    one, learned = shelf(), ItemKnowledge()
    lesson(one, 1, basket("bread", "milk"))
    place = learned.meet(item_ref("bread"), ItemFacts("bread", "Bread"))
    for _ in range(3):
        learned.sold([place], [-1], AT_MS, "o")
    say(one, LEARNER, item_key(item_ref("bread")), msgspec.msgpack.encode(learned.row(place)))
    say(one, LEARNER, SHOP_KEY, msgspec.msgpack.encode(learned.shop))
    say(one, LEARNER, b"lesson:1", None)
    assert popularity(one, "bread") == pytest.approx(3.0)
    assert one.knowledge.shop == learned.shop


def test_lessons_and_rows_of_other_models_are_left_alone() -> None:
    one = shelf()
    hazard = HazardLesson(
        partition=0,
        day=1,
        customer="c",
        asked_at_ms=1,
        features=(),
        bought=True,
        foretold=0.5,
        foretold_version=0,
    )
    lesson(one, 1, hazard)
    say(one, LEARNER, b"hazard", b"\x80")
    say(one, SNAPSHOTS, b"hazard", b"{}")
    say(one, CONTROL, b"clock", b"{}")
    assert len(one.knowledge) == one.ranking.version == 0


def test_a_version_counts_when_it_is_there_and_adopted_whichever_comes_first() -> None:
    one = shelf()
    assert one.weights.tolist() == list(NOTHING_LEARNED.weights)
    published(one, recorded("ranking", ranking(1)))
    assert one.ranking.version == 0
    adopted(one, 1)
    assert (one.ranking.version, one.weights[0]) == (1, 0.5)
    adopted(one, 2)
    assert one.ranking.version == 1
    published(one, recorded("ranking", ranking(2, first=0.7)))
    assert (one.ranking.version, one.weights[0]) == (2, 0.7)
    adopted(one, 1)
    assert one.ranking.version == 1, "a rollback is an adoption"


def test_segments_are_followed_beside_the_ranking() -> None:
    one, made = shelf(), segments(high_value_cents=90_000)
    published(one, recorded("segments", made))
    assert one.segments.version == 0
    say(one, CONTROL, adopted_key("segments"), msgspec.json.encode(AdoptedWord(1, AT_MS)))
    assert one.segments == made
    assert one.ranking.version == 0


def test_a_refused_version_is_never_used() -> None:
    one = shelf()
    published(one, recorded("ranking", ranking(1)))
    adopted(one, 1)
    published(one, SnapshotRecord("ranking", "wrong", ranking(2)))
    adopted(one, 2)
    assert one.ranking.version == 1


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        (LEARNER, b"lesson:1"),
        (LEARNER, b"item:zz"),
        (LEARNER, SHOP_KEY),
        (SNAPSHOTS, b"ranking"),
        (CONTROL, b"adopted:ranking"),
    ],
)
def test_what_cannot_be_read_changes_nothing(topic: str, key: bytes) -> None:
    one = shelf()
    for garbage in (b"", b"{", b"\xff", b'{"model":"moods"}'):
        say(one, topic, key, garbage)
    assert (len(one.knowledge), one.ranking.version) == (0, 0)


def test_reviews_are_known_at_once_and_the_learners_rows_take_their_place() -> None:
    one = shelf()
    said = ItemReviewed(partition=0, day=1, customer="c", at_ms=AT_MS, product_id="tea", rating=4.0)
    lesson(one, 1, said)
    row = one.reviews.of("tea")
    assert row is not None
    assert (row.reviews, row.mean) == (1, 4.0)
    quote = Quote(AT_MS, "ann", "sealed", 5.0)
    packed = msgspec.msgpack.encode(ReviewRow("tea", 7, 21.0, [quote]))
    say(one, LEARNER, review_key(item_ref("tea")), packed)
    row = one.reviews.of("tea")
    assert row is not None
    assert (row.reviews, row.mean, row.quotes) == (7, 3.0, [quote])
    lesson(one, 2, AuthorErased(partition=0, day=1, customer="ann", at_ms=AT_MS))
    assert row.quotes == []


def test_an_items_name_is_known_by_its_number() -> None:
    one = shelf()
    lesson(one, 1, basket("tea"))
    assert (one.name_of("tea"), one.name_of("pot")) == ("Tea", "")
