"""Templates: the words of a message, in the customer's language, filled in strictly.

One YAML file a template in `messages/`, one section a language. `{name}` is all the syntax there
is: no attributes, no indexing, no formats; what a variable holds is only ever text. Every variable
has a default in its language, so a message never goes out with a hole in it.
"""

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

LOCALES = ("en", "zh-TW", "zh-CN")
MESSAGES = Path(__file__).with_name("messages")
VALUE_CHARS_MAX = 120
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TRADITIONAL = {"tw", "hk", "mo", "hant"}
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
_LINES = (
    "subject",
    "preheader",
    "greeting",
    "card_title",
    "card_note",
    "closing",
    "signature",
    "unsubscribe",
    "short",
)


class TemplateBroken(ValueError):
    """A template's file is not as it must be; says which file, where and what was expected."""


class UnknownTemplate(LookupError):
    """No template has this name."""


@dataclass(frozen=True, repr=False)
class Words:
    """A filled-in template; `html` is empty for channels that show plain text."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class _Phrase:
    """A line of copy: literal text and variables in turn."""

    parts: tuple[tuple[str, str], ...]

    def fill(self, values: Mapping[str, str]) -> str:
        return "".join([text + (values[name] if name else "") for text, name in self.parts])

    def escaped(self) -> "_Phrase":
        """The same line for a page; what fills it must be escaped too."""
        return _Phrase(tuple((html.escape(text), name) for text, name in self.parts))


@dataclass(frozen=True)
class _Copy:
    """One template in one language."""

    defaults: Mapping[str, str]
    lines: Mapping[str, _Phrase]
    paragraphs: tuple[_Phrase, ...]
    page_lines: Mapping[str, _Phrase]
    page_paragraphs: tuple[_Phrase, ...]


class TemplateBook:
    """All templates, read and checked once; raises TemplateBroken."""

    def __init__(self, folder: Path = MESSAGES) -> None:
        frame = folder / "frame.html"
        self._frame = _phrase(frame.read_text(encoding="utf-8"), frame.name, "")
        self._copies: dict[str, dict[str, _Copy]] = {}
        for path in sorted(folder.glob("*.yaml")):
            self._copies[path.stem] = _read(path)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all templates."""
        return tuple(self._copies)

    def render(
        self, template: str, locale: str, variables: Mapping[str, Any], *, short: bool = False
    ) -> Words:
        """Fill in `template` in the language nearest to `locale`; raises UnknownTemplate.

        A variable that is missing, empty, or neither text nor number takes its default. `short`
        gives one paragraph of plain text, for SMS, push and chat.
        """
        if template not in self._copies:
            known = ", ".join(self._copies)
            raise UnknownTemplate(f"no template is called {template!r}; there are: {known}")
        language = nearest_locale(locale)
        copy = self._copies[template][language]
        values = {name: _text_of(variables.get(name)) or it for name, it in copy.defaults.items()}
        subject = copy.lines["subject"].fill(values)
        if short:
            return Words(subject, copy.lines["short"].fill(values), "")
        return Words(subject, _plain(copy, values), self._page(copy, values, language))

    def _page(self, copy: _Copy, values: Mapping[str, str], language: str) -> str:
        safe = {name: html.escape(value) for name, value in values.items()}
        slots = {name: line.fill(safe) for name, line in copy.page_lines.items()}
        slots["paragraphs"] = "\n".join(
            f'<p style="margin:0 0 16px">{one.fill(safe)}</p>' for one in copy.page_paragraphs
        )
        slots["lang"] = language
        return self._frame.fill(slots)


def nearest_locale(locale: str) -> str:
    """Choose the language we have that is nearest to a BCP 47 or POSIX locale.

    >>> [nearest_locale(one) for one in ("zh-HK", "zh", "zh_TW.UTF-8", "zh-Hans-HK", "fr", "")]
    ['zh-TW', 'zh-CN', 'zh-TW', 'zh-CN', 'en', 'en']
    """
    language, *rest = re.split(r"[-_.@]", locale.strip().lower())
    if language != "zh":
        return "en"
    if "hans" in rest:
        return "zh-CN"
    return "zh-TW" if _TRADITIONAL & set(rest) else "zh-CN"


def _plain(copy: _Copy, values: Mapping[str, str]) -> str:
    def line(name: str) -> str:
        return copy.lines[name].fill(values)

    return "\n\n".join(
        [
            line("greeting"),
            *(one.fill(values) for one in copy.paragraphs),
            f"{line('card_title')}\n{line('card_note')}",
            line("closing"),
            line("signature"),
            f"--\n{line('unsubscribe')}",
        ]
    )


def _text_of(value: Any) -> str:
    """Make one line of text of a variable; empty for what is no text and no number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    kept = "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
        for char in text
        # A lone surrogate has no place in UTF-8; a control of writing direction could
        # make a line read otherwise than it is.
        if char not in _BIDI_CONTROLS and unicodedata.category(char) != "Cs"
    )
    line = " ".join(kept.split())
    return line if len(line) <= VALUE_CHARS_MAX else line[: VALUE_CHARS_MAX - 1] + "…"


def _read(path: Path) -> dict[str, _Copy]:
    try:
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TemplateBroken(f"{path.name}: no YAML: {error}") from error
    if not isinstance(sections, dict) or set(sections) != set(LOCALES):
        raise TemplateBroken(f"{path.name}: expected exactly the sections {', '.join(LOCALES)}")
    return {locale: _copy(path.name, locale, section) for locale, section in sections.items()}


def _copy(file: str, locale: str, section: Any) -> _Copy:
    fields = {*_LINES, "defaults", "paragraphs"}
    if not isinstance(section, dict) or set(section) != fields:
        raise TemplateBroken(f"{file}, {locale}: expected exactly {', '.join(sorted(fields))}")
    if not isinstance(section["paragraphs"], list) or not isinstance(section["defaults"], dict):
        raise TemplateBroken(f"{file}, {locale}: expected a list of paragraphs, a map of defaults")
    lines = {name: _phrase(section[name], file, f"{locale}.{name}") for name in _LINES}
    paragraphs = tuple(
        _phrase(text, file, f"{locale}.paragraphs") for text in section["paragraphs"]
    )
    defaults = {str(name): str(value) for name, value in section["defaults"].items()}
    used = {name for one in (*lines.values(), *paragraphs) for _, name in one.parts if name}
    if used != set(defaults):
        raise TemplateBroken(
            f"{file}, {locale}: expected a default for each variable used and no other; "
            f"used: {sorted(used)}, defaults: {sorted(defaults)}"
        )
    return _Copy(
        defaults,
        lines,
        paragraphs,
        {name: line.escaped() for name, line in lines.items()},
        tuple(one.escaped() for one in paragraphs),
    )


def _phrase(text: Any, file: str, where: str) -> _Phrase:
    if not isinstance(text, str) or not text:
        raise TemplateBroken(f"{file}, {where}: expected text, got {text!r}")
    parts = []
    try:
        for literal, name, form, conversion in Formatter().parse(text):
            if name is not None and (form or conversion or not _NAME.fullmatch(name)):
                raise TemplateBroken(f"{file}, {where}: expected a plain {{name}}, got {name!r}")
            parts.append((literal, name or ""))
    except ValueError as error:
        if isinstance(error, TemplateBroken):
            raise
        raise TemplateBroken(f"{file}, {where}: {error}") from error
    return _Phrase(tuple(parts))
