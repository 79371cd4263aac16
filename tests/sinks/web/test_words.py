"""The three languages hold together, and every word a page asks for is there."""

import ast
import re
from pathlib import Path

import pytest

import models.triggers
from models.clock import DAY_MS, HOUR_MS
from models.count_alarm import Firing, Turn
from models.customer import Customer, apply
from models.daybook import add
from models.effects import refused_snapshot
from models.outlook import Outlook, pack
from models.profile import profile_of
from models.slice_watch import Driver
from models.tier import tier_of
from models.value_watch import Valued
from sinks.web.pages import PAGES_DIR, Pages, Shop
from sinks.web.panels import load_panels
from sinks.web.site import STATIC_DIR
from sinks.web.words import LANGUAGES, WordsMissing, choose_language, load_words
from streams.watch_fold import WATCHED, alert_of, value_alert_of
from tests.builders import START_MS, order

WORDS = load_words()
# Their receipts stay in ClickHouse and on the customer's page.
FIRST_RELEASE_REASONS = {
    "the order was cancelled",
    "thanked under another name",
    "ordered after looking",
    "nobody knows who it is",
    "unsubscribed from email",
}
# Put together elsewhere (models/playbook/rulebook.py).
CONSENTS = {"consent to marketing by email", "consent to service by sms"}
TURNS = (Turn.FIRED, Turn.RESOLVED)
PLACES = re.compile(r"\{(\w+)\}")
SCRIPTS = sorted(path for path in STATIC_DIR.glob("*.js") if not path.name.startswith("uPlot"))


def test_every_language_has_the_same_words() -> None:
    keys = {language: set(WORDS.by_language[language]) for language in LANGUAGES}
    assert keys["en"] == keys["zh-TW"] == keys["zh-CN"]
    assert len(keys["en"]) > 200


@pytest.mark.parametrize("key", sorted(WORDS.by_language["en"]))
def test_a_word_has_the_same_places_in_every_language(key: str) -> None:
    places = {frozenset(PLACES.findall(WORDS.say(language, key))) for language in LANGUAGES}
    assert len(places) == 1


def test_the_two_chinese_scripts_are_not_mixed_up() -> None:
    traditional = "".join(WORDS.by_language["zh-TW"].values())
    simplified = "".join(WORDS.by_language["zh-CN"].values())
    assert not set("购买户发现时间预计") & set(traditional)
    assert not set("購買戶發現時間預計") & set(simplified)


def test_every_word_a_script_says_is_written() -> None:
    said = {
        match
        for script in SCRIPTS
        for match in re.findall(r'\bsay\("([a-z0-9_]+)"', script.read_text("utf-8"))
    }
    assert said <= set(WORDS.by_language["en"])
    assert len(said) > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_finds_its_words(language: str) -> None:
    shop = Shop("EUR", "UTC", "http://127.0.0.1:8470")
    pages = Pages(WORDS, load_panels(), shop, can_sign_out=True)
    written = [
        pages.dashboard(language),
        pages.customer(language, "token"),
        pages.mailbox(language),
        pages.lift(language),
        pages.playbook(language),
        pages.login(language, "login_wrong"),
        pages.message(language, "nobody_found", "nobody_found_text"),
    ]
    assert all("{{" not in page for page in written)
    assert len(list(PAGES_DIR.glob("*.html"))) == len(written) + 2


def test_a_word_without_a_language_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("words:\n  hello: {en: Hello, zh-TW: 你好}\nsentences: []\n", encoding="utf-8")
    with pytest.raises(WordsMissing, match="'hello' lacks zh-CN"):
        load_words(file)


def _tier_reasons() -> set[str]:
    """Every reason a tier can have, from rows that bring each about."""
    reasons = set()
    for orders, cents, silence_days in (
        (0, 0, 0),
        (1, 900, 0),
        (1, 900, 40),
        (2, 900, 0),
        (4, 9_000, 0),
        (8, 20_000, 0),
    ):
        row = Customer(orders=orders)
        for day in range(orders):
            add(row.daybook, 19_000 - day, 1, cents)
        row.first_order_ms = (19_001 - orders) * DAY_MS
        row.last_order_ms = 19_000 * DAY_MS
        reasons.add(tier_of(row, row.last_order_ms + silence_days * DAY_MS)[1])
    return reasons


def _summaries_of(metric: str) -> set[str]:
    """What the watch can say of a count."""
    firing = Firing(0.3, 0, 9.0, 5.0, 9.0, 3.0)
    drivers = [Driver("channel:web", 5.0, 1.0), Driver("category:tea and cups", 3.0, 1.0)]
    return {
        alert_of(metric, turn, firing, HOUR_MS, named).summary
        for turn in TURNS
        for named in ([], drivers)
    }


def _dormancy_reasons() -> set[str]:
    """What a profile can say of a silence: with a usual gap and a forecast, and without."""
    said = set()
    for order_days in ((0,), (0, 20)):
        for outlook in (b"", pack(Outlook((0.5, 0.6, 0.7), 0.5, 0.1))):
            row = Customer()
            for at in order_days:
                apply(row, order(f"o{at}", 900, START_MS + at * DAY_MS), START_MS + at * DAY_MS)
            row.outlook = outlook
            said.add(profile_of(row, START_MS + 40 * DAY_MS)["dormancy_reason"])
    return said


def _reasons_of_the_playbook() -> set[str]:
    """Every sentence that stands in models/triggers as a reason or as a guard that was passed."""
    said = set()
    for file in sorted(Path(models.triggers.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            said |= {_written(one) for one in _told_by(node)}
    return said - {""}


def _told_by(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call(ast.Name("Obstacle"), [ast.Name("ASKS"), *_]):
            # Asked of a purse, told to nobody.
            return []
        case ast.Call(ast.Name("Obstacle"), [_, reason, *_]):
            return [reason]
        case ast.Call(ast.Name("cancel"), [_, _, reason]):
            return [reason]
        case ast.Call(ast.Name("receipt"), [_, _, _, reason]):
            return [reason]
        case ast.Call(ast.Attribute(ast.Name("passed"), "append"), [guard]):
            return [guard]
        case ast.Assign([ast.Name("passed")], ast.List(guards)):
            return guards
        case ast.Assign([ast.Name("reason")], reason):
            return [reason]
    return []


def _written(text: ast.expr) -> str:
    """What is written there, a number for each place; nothing for what is not written there."""
    match text:
        case ast.Constant(str(said)):
            return said
        case ast.JoinedStr(parts):
            return "".join(_written(part) or "4" for part in parts)
    return ""


def test_the_reasons_of_the_playbook_are_found_where_they_are_written() -> None:
    found = _reasons_of_the_playbook()
    assert found >= {
        "quiet hours",
        "at most 4 in 4 hours",
        "rule 4 has this moment",
        "4 is switched off",
        "4 in the meantime",
        "the budget of 4 is used up",
        "no offer for a sure buyer",
        "the rule was changed",
        "below the caps",
    }


def test_every_sentence_of_the_models_is_said_in_each_language() -> None:
    sentences = _tier_reasons()
    assert len(sentences) == 6
    sentences |= FIRST_RELEASE_REASONS
    for metric in WATCHED:
        sentences |= _summaries_of(metric)
    sentences |= {value_alert_of(Valued(turn, 0, 900.0, 400.0), 0).summary for turn in TURNS}
    sentences.add(refused_snapshot("hazard", 3, 0, "edges: none").summary)
    reasons = _dormancy_reasons()
    assert len(reasons) == 4
    sentences |= reasons
    sentences.add("worker is 61 s behind in events, partition 3: 9000 records unread")
    sentences.add("12 dead letters in a minute from gateway: not JSON")
    sentences.add("no broker answers at 127.0.0.1:9492")
    sentences |= CONSENTS | _reasons_of_the_playbook()
    for sentence in sentences:
        assert any(re.search(one.pattern, sentence) for one in WORDS.sentences), sentence


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        ("zh-TW", "en", "zh-TW"),
        (None, "", "en"),
        ("klingon", "zh-TW,zh;q=0.9", "zh-TW"),
        (None, "zh-Hant-HK;q=0.8,en", "zh-TW"),
        (None, "zh-HK", "zh-TW"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        (None, "zh", "zh-CN"),
        (None, "fr-FR,en-GB;q=0.7", "en"),
        (None, "fr", "en"),
    ],
)
def test_the_language_is_the_one_chosen_or_understood(
    wanted: str | None, accepted: str, language: str
) -> None:
    assert choose_language(wanted, accepted) == language
