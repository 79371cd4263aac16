"""The page's words in three languages, side by side in `words.yaml`, so that none is forgotten."""

import re
from dataclasses import dataclass
from pathlib import Path

import orjson
import yaml

WORDS_FILE = Path(__file__).parent / "words.yaml"
LANGUAGES = ("en", "zh-TW", "zh-CN")
HTML_LANGUAGES = {"en": "en", "zh-TW": "zh-Hant", "zh-CN": "zh-Hans"}
_TRADITIONAL = re.compile(r"^zh-(hant|tw|hk|mo)", re.IGNORECASE)


class WordsMissing(ValueError):
    """A word lacks a language."""


@dataclass(frozen=True)
class Sentence:
    """How a sentence that the models wrote in English is said: `pattern` finds it, $1… are kept."""

    pattern: str
    said: dict[str, str]


@dataclass(frozen=True)
class Words:
    """All words by language, and the sentences of the models."""

    by_language: dict[str, dict[str, str]]
    sentences: tuple[Sentence, ...]

    def say(self, language: str, key: str) -> str:
        """Word `key` in `language`; raises KeyError for a key nobody wrote."""
        return self.by_language[language][key]

    def for_browser(self, language: str) -> bytes:
        """Give JSON of one language: {"words": {…}, "sentences": [[pattern, replacement], …]}."""
        return orjson.dumps(
            {
                "words": self.by_language[language],
                "sentences": [[one.pattern, one.said[language]] for one in self.sentences],
            }
        )


def load_words(path: Path = WORDS_FILE) -> Words:
    """Read the words; raises WordsMissing when a word lacks a language."""
    whole = yaml.safe_load(path.read_text("utf-8"))
    for key, said in whole["words"].items():
        _complete(path.name, key, said)
    for one in whole["sentences"]:
        _complete(path.name, one["pattern"], one)
        re.compile(one["pattern"])
    return Words(
        by_language={
            language: {key: said[language] for key, said in whole["words"].items()}
            for language in LANGUAGES
        },
        sentences=tuple(
            Sentence(one["pattern"], {language: one[language] for language in LANGUAGES})
            for one in whole["sentences"]
        ),
    )


def _complete(file: str, key: str, said: dict[str, str]) -> None:
    missing = [name for name in LANGUAGES if not str(said.get(name, "")).strip()]
    if missing:
        raise WordsMissing(f"{file}: {key!r} lacks {', '.join(missing)}")


def choose_language(wanted: str | None, accept_language: str) -> str:
    """Language of the page: the one chosen before, else the first understood of Accept-Language."""
    if wanted in LANGUAGES:
        return wanted
    for part in accept_language.split(","):
        tag = part.split(";")[0].strip()
        if tag.lower().startswith("en"):
            return "en"
        if tag.lower().startswith("zh"):
            return "zh-TW" if _TRADITIONAL.match(tag) else "zh-CN"
    return "en"
