"""Templates: a message's words, in the language nearest to the customer's, filled in.

The words are Jinja as `models/playbook/wording.py` allows it; what a variable holds is only ever
text. What is not known takes the message's default in that language, and what stays empty leaves
nothing behind: no empty paragraph, no box without a title.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from models.playbook.copy import Words
from models.playbook.wording import LIST_ITEMS_MAX, LISTS, Line, WordsBroken, line_of, names_in
from models.playbook.words import LINES, number_or_text, texts_of

LOCALES = ("en", "zh-TW", "zh-CN")
MESSAGES = Path(__file__).with_name("messages")
FRAME = MESSAGES / "frame.html"
VALUE_CHARS_MAX = 120
ADDRESS_CHARS_MAX = 2_000
UNSUBSCRIBE_URL = "unsubscribe_url"
_TRADITIONAL = {"tw", "hk", "mo"}
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
_UNSUBSCRIBE = {"en": "Unsubscribe", "zh-TW": "取消訂閱", "zh-CN": "退订"}
_ONE_LINE = frozenset(LINES) - {"short"}


class TemplateBroken(ValueError):
    """A template's file is not as it must be; says which file, where and what was expected."""


class UnknownTemplate(LookupError):
    """No template has this name."""


@dataclass(frozen=True, repr=False)
class Rendered:
    """A filled-in message; `html` is empty for channels that show plain text."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class _Copy:
    """One message in one language, ready to be filled in."""

    locale: str
    defaults: Mapping[str, Any]
    plain: Mapping[str, Line]
    plain_paragraphs: tuple[Line, ...]
    page: Mapping[str, Line]
    page_paragraphs: tuple[Line, ...]
    links_itself: bool


class TemplateBook:
    """All messages of one edition, or of the release.

    `shop` is the shop's name, `locale` the language of customers whose own is not there, `tiers`
    the tiers' names for customers by locale.
    """

    def __init__(
        self,
        messages: Mapping[str, Mapping[str, Words]],
        *,
        shop: str = "",
        locale: str = "en",
        tiers: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._messages = messages
        self._shop = shop
        self._locale = locale
        self._tiers = tiers or {}
        self._copies: dict[tuple[str, str], _Copy] = {}
        self._names: dict[str, frozenset[str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all messages."""
        return tuple(self._messages)

    def names_used(self, template: str) -> frozenset[str]:
        """Variables and lists that a message speaks of in any language."""
        if template not in self._names:
            named: set[str] = set()
            for words in self._messages.get(template, {}).values():
                for _, text in texts_of(words):
                    named |= names_in(text)
            self._names[template] = frozenset(named)
        return self._names[template]

    def render(
        self, template: str, locale: str, variables: Mapping[str, Any], *, short: bool = False
    ) -> Rendered:
        """Fill in `template` in the language nearest to `locale`.

        A variable that is missing, empty, or neither text, number nor list takes its default.
        `short` gives one paragraph of plain text, for SMS, push and chat. Raises UnknownTemplate,
        and WordsBroken for words that can't be filled in.
        """
        copy = self._copy(template, locale)
        known = self._known(copy.locale, variables)
        if "product" in copy.defaults and known.get("product") == known.get("product_id", ""):
            # A number is no name: better the words' own for what it is about.
            known.pop("product", None)
        values = {"shop": self._shop, **copy.defaults, **known}
        subject = _line(copy.plain["subject"].fill(values))
        if short:
            return Rendered(subject, copy.plain["short"].fill(values).strip(), "")
        return Rendered(subject, _letter(copy, values), _page(copy, values))

    def language_of(self, template: str, locale: str) -> str:
        """Language that `template` is filled in for a customer of `locale`."""
        return self._copy(template, locale).locale

    def _copy(self, template: str, locale: str) -> _Copy:
        if template not in self._messages or not self._messages[template]:
            known = ", ".join(self._messages)
            raise UnknownTemplate(f"no template is called {template!r}; there are: {known}")
        words = self._messages[template]
        chosen = nearest_locale(locale, words, self._locale)
        if (template, chosen) not in self._copies:
            self._copies[template, chosen] = _made_ready(chosen, words[chosen])
        return self._copies[template, chosen]

    def _known(self, locale: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        known = {name: value_of(name, value) for name, value in variables.items()}
        known = {name: value for name, value in known.items() if value not in ("", [])}
        if tier := known.get("tier"):
            labels = self._tiers.get(str(tier), {})
            known["tier_name"] = labels[nearest_locale(locale, labels)] if labels else tier
        return known


def nearest_locale(locale: str, among: Iterable[str] = LOCALES, default: str = "en") -> str:
    """Choose of the languages there are the one nearest to a BCP 47 or POSIX locale.

    >>> [nearest_locale(one) for one in ("zh-HK", "zh", "zh_TW.UTF-8", "zh-Hans-HK", "fr", "")]
    ['zh-TW', 'zh-CN', 'zh-TW', 'zh-CN', 'en', 'en']
    """
    languages = list(among)
    best = max(languages, key=lambda one: _nearness(locale, one))
    if _nearness(locale, best)[0]:
        return best
    for other in (default, "en"):
        if other in languages:
            return other
    return languages[0]


def _nearness(locale: str, other: str) -> tuple[bool, bool, bool, bool]:
    """How near two locales are: language first, then script, then region."""
    (language, script, region), (its_language, its_script, its_region) = map(
        _parts_of, (locale, other)
    )
    same = bool(language) and language == its_language
    return same, same and script == its_script, same and region == its_region, not its_region


def _parts_of(locale: str) -> tuple[str, str, str]:
    language, *rest = re.split(r"[-_]", re.split(r"[.@]", locale.strip().lower())[0])
    script = next((one for one in rest if len(one) == 4), "")
    region = next((one for one in rest if len(one) in (2, 3)), "")
    if language == "zh" and not script:
        script = "hant" if region in _TRADITIONAL else "hans"
    return language, script, region


def value_of(name: str, value: Any) -> Any:
    """What words may show of a variable: a line of text, a number, a list of things with parts.

    Empty for what is none of them.
    """
    if isinstance(value, bool) or (name in LISTS and not isinstance(value, list)):
        return ""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _text_of(value, ADDRESS_CHARS_MAX if name == UNSUBSCRIBE_URL else VALUE_CHARS_MAX)
    if isinstance(value, list) and name in LISTS:
        parts = LISTS[name]
        return [
            {part: value_of(part, one.get(part, "")) for part in parts}
            for one in value[:LIST_ITEMS_MAX]
            if isinstance(one, dict)
        ]
    return ""


def _text_of(value: str, chars_max: int) -> str:
    """Make one line of text of a variable."""
    kept = "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
        for char in value
        # A lone surrogate has no place in UTF-8; a control of writing direction could
        # make a line read otherwise than it is.
        if char not in _BIDI_CONTROLS and unicodedata.category(char) != "Cs"
    )
    line = _line(kept)
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"


def _line(text: str) -> str:
    return " ".join(text.split())


def _made_ready(locale: str, words: Words) -> _Copy:
    lines = {name: getattr(words, name) for name in LINES}
    return _Copy(
        locale,
        {name: number_or_text(value) for name, value in words.defaults.items()},
        {name: line_of(text) for name, text in lines.items()},
        tuple(line_of(one) for one in words.paragraphs),
        {name: line_of(text, for_page=True) for name, text in lines.items()},
        tuple(line_of(one, for_page=True) for one in words.paragraphs),
        UNSUBSCRIBE_URL in names_in(words.unsubscribe),
    )


def _letter(copy: _Copy, values: Mapping[str, Any]) -> str:
    def line(name: str) -> str:
        return _line(copy.plain[name].fill(values))

    address = "" if copy.links_itself else str(values.get(UNSUBSCRIBE_URL, ""))
    card = "\n".join(filter(None, (line("card_title"), line("card_note"))))
    end = "\n".join(filter(None, (line("unsubscribe"), address)))
    parts = [
        line("greeting"),
        *(one.fill(values).strip() for one in copy.plain_paragraphs),
        card,
        line("closing"),
        line("signature"),
        f"--\n{end}" if end else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _page(copy: _Copy, values: Mapping[str, Any]) -> str:
    slots = {name: Markup(_line(line.fill(values))) for name, line in copy.page.items()}  # noqa: S704
    paragraphs = [one.fill(values).strip() for one in copy.page_paragraphs]
    address = "" if copy.links_itself else str(values.get(UNSUBSCRIBE_URL, ""))
    return _frame().render(
        slots,
        lang=copy.locale,
        paragraphs=[Markup(one.replace("\n", "<br>")) for one in paragraphs if one],  # noqa: S704
        unsubscribe_url=address if address.startswith(("https://", "http://")) else "",
        unsubscribe_word=_UNSUBSCRIBE[nearest_locale(copy.locale)],
    )


@cache
def _frame() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(FRAME.read_text(encoding="utf-8"))


def released_book(folder: Path = MESSAGES) -> TemplateBook:
    """The release's own messages, one YAML file each; raises TemplateBroken."""
    return TemplateBook({path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))})


def _read(path: Path) -> dict[str, Words]:
    try:
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TemplateBroken(f"{path.name}: no YAML: {error}") from error
    if not isinstance(sections, dict) or set(sections) != set(LOCALES):
        raise TemplateBroken(f"{path.name}: expected exactly the sections {', '.join(LOCALES)}")
    return {locale: _words(path.name, locale, section) for locale, section in sections.items()}


def _words(file: str, locale: str, section: Any) -> Words:
    fields = {*LINES, "defaults", "paragraphs"}
    if not isinstance(section, dict) or set(section) != fields:
        raise TemplateBroken(f"{file}, {locale}: expected exactly {', '.join(sorted(fields))}")
    try:
        words = msgspec.convert(section, Words)
    except msgspec.ValidationError as error:
        raise TemplateBroken(f"{file}, {locale}: {error}") from error
    used: set[str] = set()
    for below, text in texts_of(words):
        if not text:
            raise TemplateBroken(f"{file}, {locale}, {below}: expected text")
        try:
            line_of(text)
        except WordsBroken as error:
            raise TemplateBroken(f"{file}, {locale}, {below}: {error}") from error
        used |= names_in(text)
    if used != set(words.defaults):
        raise TemplateBroken(
            f"{file}, {locale}: expected a default for each variable used and no other; "
            f"used: {sorted(used)}, defaults: {sorted(words.defaults)}"
        )
    return words
