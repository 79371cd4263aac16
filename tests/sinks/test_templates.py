"""Templates: complete in three languages; what a variable holds cannot break out of its place."""

from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import browse_reminder, thank_you
from sinks.templates import (
    LOCALES,
    MESSAGES,
    VALUE_CHARS_MAX,
    TemplateBook,
    TemplateBroken,
    UnknownTemplate,
    nearest_locale,
)

BOOK = TemplateBook()
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


def test_every_rule_that_sends_has_its_template() -> None:
    assert {thank_you.NAME, browse_reminder.NAME} == set(BOOK.names) == set(VARIABLES)


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
        "{order_id}",
        "{0.__class__}",
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
        ("{first_name}", "{first_name.__class__}", "plain {name}"),
        ("{first_name}", "{first_name[0]}", "plain {name}"),
        ("{first_name}", "{first_name!r}", "plain {name}"),
        ("{first_name}", "{first_name:>99}", "plain {name}"),
        ("{first_name}", "{}", "plain {name}"),
        ("{first_name}", "{first_name", "expected '}'"),
        ("{first_name}", "{given_name}", "a default for each variable"),
        ("  subject:", "  subjekt:", "expected exactly"),
        ("  paragraphs:\n", "  paragraphs: |\n", "a list of paragraphs"),
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
        TemplateBook(folder)
    assert complaint in str(broken.value)
