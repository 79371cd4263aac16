"""Which words the readers of a language read."""

import pytest

from models.scripts import is_read_in

READ_IN = ["zh-TW", "zh-CN", "en", "ja", "ru"]


@pytest.mark.parametrize(
    ("text", "read_in"),
    [
        ("質量很好，穿起來很舒服", {"zh-TW", "ja"}),
        ("质量很好，穿起来很舒服", {"zh-CN", "ja"}),
        ("非常好", {"zh-TW", "zh-CN", "ja"}),
        ("iPhone 很好用，COOL", {"zh-TW", "zh-CN", "ja"}),
        ("かわいいです", {"ja"}),
        ("A pair for running, walking, and 走", {"zh-TW", "zh-CN", "ja", "en"}),
        ("Wears well, my 3rd pair", {"en"}),
        ("A 很好 kind of pair", {"zh-TW", "zh-CN", "ja"}),
        ("Очень хорошо", {"ru"}),
        ("5/5 👍", set(READ_IN)),
        ("", set(READ_IN)),
        ("𠮷", {"ja"}),
    ],
)
def test_words_are_read_where_their_letters_are(text: str, read_in: set[str]) -> None:
    assert {one for one in READ_IN if is_read_in(text, one)} == read_in


@pytest.mark.parametrize("locale", ["zh-Hant", "zh_TW.UTF-8", "zh-HK", "ZH-hant-hk"])
def test_the_form_of_chinese_goes_by_script_or_region(locale: str) -> None:
    assert is_read_in("質量", locale)
    assert not is_read_in("质量", locale)


@pytest.mark.parametrize("locale", ["", "xx", "-", "en_US.UTF-8"])
def test_a_language_that_is_not_known_is_taken_to_be_of_latin_letters(locale: str) -> None:
    assert is_read_in("Fine", locale)
    assert not is_read_in("很好", locale)
