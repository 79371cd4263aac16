"""A rehearsed message has its product's name and reviews, as the dispatcher would write them."""

from streams import playbook_packs
from streams.playbook_packs import check_alone
from streams.rehearse.book import Book
from streams.rehearse.packs import _scenario
from streams.rehearse.play import Rehearsal, play
from streams.rehearse.scenario import read_scenario
from streams.rehearse.wording import book_of


def rehearsed(name: str, locale: str) -> tuple[Book, Rehearsal]:
    book = Book(name, playbook_packs.checked_pack(name).playbook)
    scenario = _scenario(name, book)
    rulebook = book.rulebook(scenario.time_zone)
    return book, play(scenario, rulebook, currency=book.currency, locale=locale)


def letter(name: str, locale: str) -> str:
    book, rehearsal = rehearsed(name, locale)
    assert book.playbook is not None
    first = rehearsal.messages[0]
    return book_of(book.playbook).render(first.template, locale, first.variables).text


def test_the_browse_reminder_tells_the_rating_and_quotes_a_published_good_review() -> None:
    text = letter("browse_24h", "en")
    assert "rate it 4 of 5 (reviews: 2)" in text
    assert "Wears well, even in August." in text
    assert "Too wide" not in text
    assert "共 2 則評價" in letter("browse_24h", "zh-TW")


def test_a_replenishment_tells_the_name_that_the_shop_knows() -> None:
    assert "House coffee 1 kg" in letter("replenishment", "en")


def test_without_reviews_nothing_is_said_of_them_and_without_a_name_the_words_own_stands() -> None:
    raw = playbook_packs.playbook_text(["browse_24h"], ["en"])
    checked = check_alone("b.yaml", raw.encode(), lambda _: None)
    assert checked.playbook is not None
    events = """
- at: 2026-03-01T10:00:00Z
  identify: {userId: c1, traits: {email: c1@example.com}}
- at: 2026-03-01T10:00:00Z
  track: {event: Product Viewed, userId: c1, properties: {product_id: sku9}}
"""
    said = f"timezone: UTC\nevents:{events}\nuntil: 2026-03-05T00:00:00Z\n"
    scenario = read_scenario("s.yaml", said.encode(), time_zone="UTC", currency="EUR")
    book = Book("b", checked.playbook)
    rehearsal = play(scenario, book.rulebook("UTC"), currency="EUR", locale="en")
    (action,) = rehearsal.messages
    text = book_of(checked.playbook).render(action.template, "en", action.variables).text
    assert "rate it" not in text
    assert "what others say" not in text
    assert "You had a look at the product you looked at" in text
