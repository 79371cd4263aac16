"""Whether a text is in a script that the readers of a language read.

Words that customers write say nothing of their language, but their letters do. English cannot be
told from German so, nor should a short text's language be guessed; Chinese can, and its two forms
by the characters that only one of them has.
"""

import unicodedata
from collections import Counter

_LATIN = "LATIN"
_HAN = "CJK"
_SCRIPTS_OF = {
    "zh": frozenset({_HAN}),
    "ja": frozenset({_HAN, "HIRAGANA", "KATAKANA"}),
    "ko": frozenset({"HANGUL"}),
    "ru": frozenset({"CYRILLIC"}),
    "uk": frozenset({"CYRILLIC"}),
    "bg": frozenset({"CYRILLIC"}),
    "el": frozenset({"GREEK"}),
    "ar": frozenset({"ARABIC"}),
    "he": frozenset({"HEBREW"}),
    "th": frozenset({"THAI"}),
    "hi": frozenset({"DEVANAGARI"}),
}
"""Scripts by language; all others are taken to be written in Latin letters."""
_TRADITIONAL = frozenset({"tw", "hk", "mo", "hant"})


def is_read_in(text: str, locale: str) -> bool:
    """Whether the letters of `text` are of a script of `locale` (BCP 47 or POSIX), or nearly all.

    Names in Latin letters are read everywhere, and so is a text without letters. Chinese of the
    other form is not read.

    >>> [is_read_in("很好用", one) for one in ("zh-TW", "zh-CN", "en", "ja")]
    [True, True, False, True]
    >>> [is_read_in("質量很好", one) for one in ("zh-TW", "zh-CN")]
    [True, False]
    >>> [is_read_in("Wears well", one) for one in ("en-GB", "de", "zh-TW")]
    [True, True, False]
    """
    language, *regions = locale.lower().partition(".")[0].replace("_", "-").split("-")
    wanted = _SCRIPTS_OF.get(language)
    scripts = Counter(_script_of(letter) for letter in text if letter.isalpha())
    if not scripts:
        return True
    others = scripts.total() - scripts[_LATIN]
    if wanted is None:
        # A character of another script may be a word.
        return 10 * others <= scripts[_LATIN]
    if 2 * sum(scripts[one] for one in wanted) <= others:
        return False
    return language != "zh" or _is_chinese_of(text, regions)


def _is_chinese_of(text: str, regions: list[str]) -> bool:
    """Each of the two national character sets has only its own form of a character."""
    han = "".join(letter for letter in text if _script_of(letter) == _HAN)
    try:
        han.encode("gb2312" if _TRADITIONAL.isdisjoint(regions) else "big5")
    except UnicodeEncodeError:
        return False
    return True


def _script_of(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]
