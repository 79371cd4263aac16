"""Templates: complete in three languages; what a variable holds cannot break out of its place."""

from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.playbook.copy import Words
from models.playbook.wording import WordsBroken
from sinks.templates import (
    LOCALES,
    MESSAGES,
    VALUE_CHARS_MAX,
    TemplateBook,
    TemplateBroken,
    UnknownTemplate,
    nearest_locale,
    released_book,
)

BOOK = released_book()
VARIABLES = {
    "thank_you": {"first_name": "Anna", "order_id": "A-1001", "offer_percent": 10},
    "browse_reminder": {"first_name": "Anna", "product": "Teapot 0.8 l", "product_id": "P-7"},
}


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def test_what_the_first_release_said_can_still_be_written() -> None:
    assert {"thank_you", "browse_reminder"} == set(BOOK.names) == set(VARIABLES)


@pytest.mark.parametrize("template", BOOK.names)
@pytest.mark.parametrize("locale", LOCALES)
def test_each_variable_shows_in_text_and_page_and_short(template: str, locale: str) -> None:
    words = BOOK.render(template, locale, VARIABLES[template])
    short = BOOK.render(template, locale, VARIABLES[template], short=True)
    for value in map(str, VARIABLES[template].values()):
        assert value in words.text
        assert value in words.html
    assert "Anna" in short.text
    assert short.html == ""
    assert len(short.text) < 200


@pytest.mark.parametrize("template", BOOK.names)
@pytest.mark.parametrize("locale", LOCALES)
def test_a_message_with_nothing_known_has_no_hole(template: str, locale: str) -> None:
    for short in (True, False):
        words = BOOK.render(template, locale, {}, short=short)
        for part in (words.subject, words.text, "".join(parsed(words.html).shown)):
            assert "{" not in part
            assert "None" not in part


@pytest.mark.parametrize("template", BOOK.names)
@pytest.mark.parametrize(
    ("locale", "word"), [("en", "unsubscribe"), ("zh-TW", "取消訂閱"), ("zh-CN", "退订")]
)
def test_every_message_says_how_to_get_no_more(template: str, locale: str, word: str) -> None:
    words = BOOK.render(template, locale, VARIABLES[template])
    assert word in words.text
    assert word in words.html
    assert word in BOOK.render(template, locale, VARIABLES[template], short=True).text


def test_the_three_languages_are_told_apart() -> None:
    subjects = {BOOK.render("thank_you", one, {}).subject for one in LOCALES}
    assert len(subjects) == len(LOCALES)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("", "en"),
        ("fr-FR", "en"),
        ("zhx", "en"),
        ("zh", "zh-CN"),
        ("zh-CN", "zh-CN"),
        ("zh-SG", "zh-CN"),
        ("zh_CN.UTF-8", "zh-CN"),
        ("zh-Hans", "zh-CN"),
        ("zh-Hans-HK", "zh-CN"),
        ("zh-TW", "zh-TW"),
        ("ZH-tw", "zh-TW"),
        ("zh_TW", "zh-TW"),
        ("zh-HK", "zh-TW"),
        ("zh-MO", "zh-TW"),
        ("zh-Hant", "zh-TW"),
        (" zh-Hant-CN ", "zh-TW"),
    ],
)
def test_the_nearest_language_is_chosen(locale: str, expected: str) -> None:
    assert nearest_locale(locale) == expected


@pytest.mark.parametrize("missing", [None, "", "   ", True, [], {}, ["x"], object()])
def test_what_is_no_text_and_no_number_takes_the_default(missing: object) -> None:
    words = BOOK.render("thank_you", "en", {**VARIABLES["thank_you"], "first_name": missing})
    assert words.text.startswith("Hi there,")


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' style='position:fixed",
        "{{ order_id }}",
        "{% for item in recommended %}",
        "{{ ''.__class__ }}",
        "&lt;b&gt;",
    ],
)
def test_a_value_stays_text_and_is_never_read_as_anything_else(hostile: str) -> None:
    clean = parsed(BOOK.render("browse_reminder", "en", VARIABLES["browse_reminder"]).html)
    variables = {**VARIABLES["browse_reminder"], "product": hostile, "first_name": hostile}
    words = BOOK.render("browse_reminder", "en", variables)
    page = parsed(words.html)
    assert page.tags == clean.tags
    assert page.attributes == clean.attributes
    assert hostile in words.text
    assert "".join(page.shown).count(hostile) == "".join(clean.shown).count("Anna") + "".join(
        clean.shown
    ).count("Teapot 0.8 l")


@given(value=st.text(max_size=300))
def test_no_value_breaks_a_subject_or_adds_a_tag(value: str) -> None:
    words = BOOK.render("browse_reminder", "en", {"product": value, "first_name": value})
    assert len(words.subject.splitlines()) == 1
    assert parsed(words.html).tags == parsed(BOOK.render("browse_reminder", "en", {}).html).tags
    words.html.encode()
    words.text.encode()


def test_a_value_is_cut_where_it_would_drown_the_message() -> None:
    subject = BOOK.render("browse_reminder", "en", {"product": "x" * 5_000}).subject
    assert "x" * (VALUE_CHARS_MAX - 1) + "…" in subject
    assert len(subject) < VALUE_CHARS_MAX + 40


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10, "10%"),
        (12.5, "12.5%"),
        (10.0, "10%"),
        ("15", "15%"),
        (0, "0%"),
    ],
)
def test_numbers_read_as_people_write_them(value: float | str, shown: str) -> None:
    assert f"{shown} off" in BOOK.render("thank_you", "en", {"offer_percent": value}).subject


def test_emoji_and_joined_emoji_stay_whole() -> None:
    words = BOOK.render("thank_you", "en", {"first_name": "👩‍👩‍👧 Zoë"})
    assert "👩‍👩‍👧 Zoë" in words.text
    assert "👩‍👩‍👧 Zoë" in words.html


def test_the_page_fits_a_phone_and_asks_nobody_for_anything() -> None:
    page = BOOK.render("thank_you", "zh-TW", {}).html
    assert 'name="viewport" content="width=device-width' in page
    assert "max-width:560px" in page
    assert 'lang="zh-TW"' in page
    assert not {"script", "link", "img", "iframe"} & set(parsed(page).tags)
    assert "http" not in page


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(UnknownTemplate, match=r"'birthday'.*browse_reminder, thank_you"):
        BOOK.render("birthday", "en", {})


@pytest.mark.parametrize(
    ("found", "instead", "complaint"),
    [
        ("{{ first_name }}", "{{ first_name.__class__ }}", "first_name has no parts"),
        ("{{ first_name }}", "{{ first_name[0] }}", "first_name has no parts"),
        ("{{ first_name }}", "{{ first_name.format(1) }}", "call is not for words"),
        ("{{ first_name }}", "{{ first_name | attr('x') }}", "no filter 'attr'"),
        ("{{ first_name }}", "{{ }}", "not in the language"),
        ("{{ first_name }}", "{{ first_name", "not in the language"),
        ("{{ first_name }}", "{{ given_name }}", "a default for each variable"),
        ("  subject:", "  subjekt:", "expected exactly"),
        ("  paragraphs:\n", "  paragraphs: |\n", "paragraphs"),
        ("zh-TW:", "zh-HK:", "expected exactly the sections"),
        ("en:\n", "en: [\n", "no YAML"),
        ("  preheader: ", '  preheader: "" #', "expected text"),
    ],
)
def test_a_broken_template_is_refused_when_it_is_read(
    tmp_path: Path, found: str, instead: str, complaint: str
) -> None:
    folder = Path(copytree(MESSAGES, tmp_path / "messages"))
    path = folder / "thank_you.yaml"
    text = path.read_text(encoding="utf-8")
    assert found in text
    path.write_text(text.replace(found, instead, 1), encoding="utf-8")
    with pytest.raises(TemplateBroken, match=r"thank_you\.yaml") as broken:
        released_book(folder)
    assert complaint in str(broken.value)


RECOMMENDING = Words(
    subject="For {{ first_name }}",
    paragraphs=(
        "Dear {{ tier_name }} of {{ shop }},",
        "{% for item in recommended %}• {{ item.name }} {{ item.price }}\n{% endfor %}",
        "{% if coupon %}Your code: {{ coupon }}{% endif %}",
    ),
    short="{% if recommended %}{{ recommended | join(', ') }}{% else %}New things{% endif %}",
    unsubscribe="Too much?",
    defaults={"first_name": "you"},
)


def editions_book(**texts: str) -> TemplateBook:
    words = msgspec.structs.replace(RECOMMENDING, **texts)
    messages = {"hello": {"en": words, "zh-TW": msgspec.structs.replace(words, subject="您好")}}
    tiers = {"loyal": {"en": "Gold friend", "zh-TW": "金級會員"}}
    return TemplateBook(messages, shop="Tea & Co", locale="zh-TW", tiers=tiers)


def test_lists_are_gone_through_and_line_ends_are_seen_on_the_page() -> None:
    items = [{"name": "Pot <1>", "price": "9.90", "secret": "x"}, {"name": "Cup"}, "no item"]
    words = editions_book().render("hello", "en", {"tier": "loyal", "recommended": items})
    assert "Dear Gold friend of Tea & Co,\n\n• Pot <1> 9.90\n• Cup" in words.text
    assert "• Pot &lt;1&gt; 9.90<br>• Cup" in words.html
    assert "secret" not in words.html


@pytest.mark.parametrize("nothing", [{}, {"recommended": []}, {"recommended": "text"}])
def test_without_recommendations_nothing_is_left_of_them(nothing: dict[str, object]) -> None:
    words = editions_book().render("hello", "en", nothing)
    assert "•" not in words.text
    assert "\n\n\n" not in words.text
    assert words.html.count('<p style="margin:0 0 16px">') == 1
    assert editions_book().render("hello", "en", nothing, short=True).text == "New things"


def test_a_card_that_says_nothing_is_not_drawn() -> None:
    assert "border-radius:12px" not in editions_book().render("hello", "en", {}).html
    with_card = editions_book(card_title="Box").render("hello", "en", {})
    assert "border-radius:12px" in with_card.html
    assert "Box" in with_card.text


def test_the_way_out_is_a_link_unless_the_words_hold_it_themselves() -> None:
    address = {"unsubscribe_url": "https://shop.example/u/" + "t" * 300}
    words = editions_book().render("hello", "zh-HK", address)
    assert ("href", address["unsubscribe_url"]) in parsed(words.html).attributes
    assert "取消訂閱" in words.html
    assert words.text.endswith(f"--\nToo much?\n{address['unsubscribe_url']}")
    own = editions_book(unsubscribe="Stop: {{ unsubscribe_url }}").render("hello", "en", address)
    assert own.text.count("https://") == own.html.count("https://") == 1


def test_only_an_address_becomes_a_link() -> None:
    words = editions_book().render("hello", "en", {"unsubscribe_url": "javascript:alert(1)"})
    assert "a" not in parsed(words.html).tags


@pytest.mark.parametrize(
    ("locale", "among", "expected"),
    [
        ("fr", ["en", "zh-TW"], "zh-TW"),
        ("fr", ["en", "de"], "en"),
        ("fr", ["de", "it"], "de"),
        ("fr-CA", ["en", "fr"], "fr"),
        ("en-GB", ["en-US", "en"], "en"),
        ("en-US", ["en", "en-US"], "en-US"),
        ("zh-HK", ["en", "zh-CN"], "zh-CN"),
        ("zh-HK", ["zh-CN", "zh-TW", "zh-HK"], "zh-HK"),
        ("", ["en", "zh-TW"], "zh-TW"),
    ],
)
def test_the_nearest_of_any_languages_is_chosen_and_else_the_shops(
    locale: str, among: list[str], expected: str
) -> None:
    assert nearest_locale(locale, among, "zh-TW") == expected


def test_words_that_break_are_told_and_nothing_goes_out() -> None:
    with pytest.raises(WordsBroken):
        editions_book(greeting="{% if first_name > 3 %}{% endif %}").render("hello", "en", {})
    with pytest.raises(WordsBroken):
        editions_book(greeting="{{ ''.__class__ }}").render("hello", "en", {})


def test_a_subject_stays_one_line_whatever_the_words() -> None:
    book = editions_book(subject="a\r\nBcc: {{ first_name }}\u2028x")
    assert book.render("hello", "en", {"first_name": "b\nc"}).subject == "a Bcc: b c x"


def test_what_a_message_speaks_of_is_known_before_it_is_filled_in() -> None:
    assert "recommended" in editions_book().names_used("hello")
    assert editions_book().names_used("nothing") == frozenset()


def test_a_products_number_is_not_said_for_its_name_where_the_words_have_another() -> None:
    book = released_book()
    numbered = {"product": "sku1", "product_id": "sku1"}
    assert "sku1" not in book.render("browse_reminder", "en", numbered).subject
    assert "Tea" in book.render("browse_reminder", "en", numbered | {"product": "Tea"}).subject
