"""Playbooks are read for a rehearsal, packs within the default shop."""

from pathlib import Path

import pytest

from streams import playbook_packs
from streams.rehearse.book import BadPlaybook, Book, read_book


def test_without_a_file_it_is_what_a_new_installation_begins_with() -> None:
    book = read_book(None)
    assert book.playbook is not None
    assert {*book.playbook.triggers} == {"thank_you", "browse_reminder"}
    assert (book.time_zone, book.currency) == ("UTC", "USD")


def test_a_log_without_a_playbook_has_a_zone_and_a_currency_all_the_same() -> None:
    book = Book("none", None)
    assert book.rulebook() is None
    assert (book.time_zone, book.currency) == ("UTC", "USD")


def test_a_pack_alone_stands_in_the_default_shop() -> None:
    book = read_book(playbook_packs.FOLDER / "cart.yaml")
    assert book.playbook is not None
    assert book.playbook.shop is not None


def test_the_shop_moves_to_the_scenarios_zone() -> None:
    book = read_book(playbook_packs.FOLDER / "cart.yaml")
    moved = book.rulebook("Europe/Berlin")
    assert moved is not None
    assert moved.book.shop is not None
    assert moved.book.shop.time_zone == "Europe/Berlin"


def test_what_is_no_playbook_is_not_usable(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(b"\xff\xff")
    with pytest.raises(BadPlaybook) as caught:
        read_book(file)
    assert not caught.value.usable
    file.write_text("triggers: {}\n")
    with pytest.raises(BadPlaybook, match="the playbook has no shop") as caught:
        read_book(file)
    assert caught.value.usable
