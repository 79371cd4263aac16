"""Items as they stand in the learner's table."""

import msgspec

from models.clock import DAY_MS
from models.item_knowledge import ItemFacts, ItemKnowledge
from models.item_memory import item_ref
from models.item_rows import SHOP_KEY, item_key, put_row

AT_MS = 19_000 * DAY_MS


def rows_of(knowledge: ItemKnowledge) -> dict[bytes, bytes]:
    items = {
        item_key(int(knowledge.refs[place])): msgspec.msgpack.encode(knowledge.row(place))
        for place in range(len(knowledge))
    }
    return items | {SHOP_KEY: msgspec.msgpack.encode(knowledge.shop)}


def test_knowledge_that_is_read_from_its_rows_is_the_same() -> None:
    knowledge, again = ItemKnowledge(), ItemKnowledge()
    names = ("bread", "milk", "tea")
    places = [knowledge.meet(item_ref(name), ItemFacts(name, name.title())) for name in names]
    for day in range(200):
        gaps = [7] * len(places) if day else [-1] * len(places)
        knowledge.sold(places, gaps, AT_MS + day * DAY_MS, f"o{day}")
    rows = rows_of(knowledge)
    assert all(put_row(again, key, row) for key, row in reversed(rows.items()))
    assert rows_of(again) == rows


def test_other_rows_of_the_table_are_left_alone() -> None:
    knowledge = ItemKnowledge()
    assert [put_row(knowledge, key, b"\x80") for key in (b"hazard", b"days", b"lesson:1")] == [
        False,
        False,
        False,
    ]
    assert len(knowledge) == 0
