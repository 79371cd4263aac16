"""Playbooks of many rules: what the packs have, then the same for parts of the shop."""

from itertools import islice

from streams.playbook_packs import names
from tests.bench.many_rules import rulebook_of, text_of, written_rules


def test_so_many_rules_are_ready_as_were_asked_for() -> None:
    assert rulebook_of(0) is None
    for number in (30, 70):
        book = rulebook_of(number)
        assert book is not None
        assert len(book.rules) == number


def test_further_rules_ask_for_a_part_of_the_shop_each() -> None:
    found = dict(islice(written_rules(), 300))
    assert len(found) == 300
    assert {one.rsplit("_", 1)[0] for one in names()} - {
        one.rsplit("_", 1)[0] for one in found
    } <= {"maintenance"}
    assert found["browse_24h_1"]["when"]["if"] == 'event.category == "tea"'
    assert found["back_in_stock_2"]["when"]["if"] == 'event.name == "Back In Stock 2"'
    assert found["silence_30d_3"]["when"] == {"silence": "33d"}
    assert found["browse_24h"]["when"] == {
        key: value for key, value in found["browse_24h_1"]["when"].items() if key != "if"
    }
    assert all("segments" in rule["guard"] for name, rule in found.items() if name[-2] == "_")


def test_the_same_number_gives_the_same_playbook() -> None:
    assert text_of(40) == text_of(40)
