"""What customers say of items: sums, the newest words, and an end to memory."""

from models.item_memory import item_ref
from models.item_reviews import KEPT_QUOTES, ItemReviews, Quote, ReviewRow, words_about


def quote(at_ms: int, author: str = "", review_id: str = "") -> Quote:
    return Quote(at_ms, author or f"c{at_ms}", f"words {at_ms}", 5.0, review_id)


def test_ratings_add_up_and_the_newest_words_are_kept() -> None:
    reviews = ItemReviews()
    for at_ms in (3, 1, 2, 9, 5, 7):
        reviews.add("tea", at_ms, 4.0, quote(at_ms))
    reviews.add("tea", 10, 1.0, None)
    row = reviews.of("tea")
    assert row is not None
    assert (row.reviews, row.mean, row.last_ms) == (7, 25 / 7, 10)
    assert [one.at_ms for one in row.quotes] == [9, 7, 5, 3][:KEPT_QUOTES]


def test_an_author_or_a_review_is_quoted_once() -> None:
    reviews = ItemReviews()
    reviews.add("tea", 1, 5.0, quote(1, "ann", "r1"))
    reviews.add("tea", 2, 5.0, quote(2, "ann", "r2"))
    reviews.add("tea", 3, 5.0, quote(3, "bob", "r2"))
    row = reviews.of("tea")
    assert row is not None
    assert [one.author for one in row.quotes] == ["bob"]


def test_of_an_erased_author_nothing_is_left_but_the_rating() -> None:
    reviews = ItemReviews()
    reviews.add("tea", 1, 5.0, quote(1, "ann"))
    reviews.add("tea", 2, 5.0, quote(2, "bob"))
    reviews.add("pot", 2, 5.0, quote(2, "bob"))
    assert reviews.forget_author("ann") == [item_ref("tea")]
    row = reviews.of("tea")
    assert row is not None
    assert (row.reviews, [one.author for one in row.quotes]) == (2, ["bob"])
    assert reviews.forget_author("ann") == []


def test_of_too_many_items_those_reviewed_longest_ago_are_forgotten() -> None:
    reviews = ItemReviews(items_at_most=10)
    for number in range(12):
        reviews.add(f"p{number}", 100 - number, 4.0, None)
    gone = reviews.forget()
    assert set(gone) == {item_ref(f"p{number}") for number in (9, 10, 11)}
    assert len(reviews) == 9
    assert reviews.forget() == []


def test_a_message_tells_as_many_words_as_are_asked_for_and_open() -> None:
    row = ReviewRow("tea", 3, 14.0, [quote(3), quote(2), quote(1)])
    said = words_about(row, 1, lambda one: "" if one.at_ms == 3 else one.sealed, "en")
    assert said == {
        "product_rating": 4.7,
        "product_reviews": 3,
        "reviews": [{"text": "words 2", "rating": 5.0, "product_id": "tea"}],
    }
    assert words_about(None, 1, lambda one: one.sealed, "en") == {}


def test_the_same_words_of_two_authors_are_quoted_once() -> None:
    row = ReviewRow("tea", 3, 15.0, [quote(3), quote(2), quote(1)])
    said = words_about(row, 2, lambda one: "Good" if one.at_ms > 1 else "Better", "en")
    assert [one["text"] for one in said["reviews"]] == ["Good", "Better"]


def test_only_words_that_the_reader_reads_are_quoted() -> None:
    row = ReviewRow("tea", 3, 15.0, [quote(3), quote(2), quote(1)])
    words = {3: "質量很好", 2: "质量很好", 1: "Wears well"}
    said = {
        locale: [one["text"] for one in words_about(row, 3, opened, locale)["reviews"]]
        for locale in ("zh-TW", "zh-CN", "en")
        for opened in [lambda one: words[one.at_ms]]
    }
    assert said == {"zh-TW": ["質量很好"], "zh-CN": ["质量很好"], "en": ["Wears well"]}
