"""The ready packs do what they say, in every language, and are part of what is installed."""

import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

from models.clock import DAY_MS, MINUTE_MS
from models.playbook.check import check
from models.playbook.scalars import LOCALES
from models.playbook.when import OnEvent
from streams import playbook_packs
from streams.rehearse.book import Book
from streams.rehearse.expected import differences
from streams.rehearse.play import Rehearsal, play
from streams.rehearse.scenario import Scenario, read_scenario

ROOT = Path(__file__).parents[2]
NAMES = playbook_packs.names()
IN_EVERY_LANGUAGE = pytest.mark.parametrize("locale", LOCALES)
OF_EVERY_PACK = pytest.mark.parametrize("name", NAMES)


@cache
def scenario_of(name: str) -> Scenario:
    file = playbook_packs.rehearsal_of(name)
    return read_scenario(file.name, file.read_bytes(), time_zone="UTC", currency="EUR")


@cache
def played(name: str, locale: str) -> Rehearsal:
    scenario = scenario_of(name)
    book = Book(name, playbook_packs.checked_pack(name).playbook)
    rulebook = book.rulebook(scenario.time_zone)
    return play(scenario, rulebook, currency=book.currency, locale=locale)


def test_every_pack_has_its_rehearsal_and_every_rehearsal_its_pack() -> None:
    assert {path.stem for path in playbook_packs.REHEARSALS.glob("*.yaml")} == set(NAMES)


@OF_EVERY_PACK
@IN_EVERY_LANGUAGE
def test_a_pack_does_exactly_what_its_rehearsal_expects(name: str, locale: str) -> None:
    rehearsal = played(name, locale)
    assert differences(scenario_of(name), rehearsal) == []
    # Nothing more happens than what is told: each action answers one expectation.
    assert len(rehearsal.actions) == len(scenario_of(name).expect)


@OF_EVERY_PACK
def test_a_rehearsal_shows_who_is_written_to_and_who_is_left_in_peace(name: str) -> None:
    scenario = scenario_of(name)
    rules = playbook_packs.checked_pack(name).playbook
    assert rules is not None
    assert scenario.locales == LOCALES
    assert {one.values["rule"] for one in scenario.expect} == set(rules.triggers)
    assert all("at" in one.values for one in scenario.expect)
    assert scenario.expect_none


@OF_EVERY_PACK
def test_a_rehearsal_without_the_pack_fails(name: str) -> None:
    nothing = play(scenario_of(name), Book("", None).rulebook(), currency="EUR", locale="en")
    assert differences(scenario_of(name), nothing)


def test_packs_and_rehearsals_are_installed_with_the_release() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = find_namespace_packages(str(ROOT), include=settings["packages"]["find"]["include"])
    for folder in (playbook_packs.FOLDER, playbook_packs.REHEARSALS):
        package = ".".join(folder.relative_to(ROOT).parts)
        assert package in packages
        patterns = settings["package-data"]["*"]
        files = list(folder.glob("*.yaml"))
        assert len(files) == len(NAMES)
        assert all(any(fnmatch(file.name, one) for one in patterns) for file in files)


def test_a_playbook_of_all_packs_still_does_what_one_of_them_does() -> None:
    """Together they compete for moments and caps; news of an order goes out all the same."""
    text = playbook_packs.playbook_text(NAMES)
    checked = playbook_packs.check_alone("all.yaml", text.encode(), lambda _: None)
    assert checked.problems == ()
    book = Book("all", checked.playbook)
    scenario = scenario_of("delivery_delay_apology")
    rehearsal = play(scenario, book.rulebook(scenario.time_zone), currency="EUR", locale="en")
    assert [one for one in differences(scenario, rehearsal) if "there is no" in one] == []
    rules = {one["rule"] for one in rehearsal.actions}
    assert {"first_order_care", "high_value_welcome"} < rules


def test_a_pack_is_checked_within_the_default_shop() -> None:
    file = playbook_packs.FOLDER / "cart.yaml"
    found = playbook_packs.check_alone(str(file), file.read_bytes(), lambda _: None)
    assert found.problems == ()
    assert found.playbook is not None
    assert found.playbook.shop is not None


def test_a_playbook_without_a_shop_that_is_no_pack_is_a_mistake_still() -> None:
    found = playbook_packs.check_alone("mine.yaml", b"triggers: {}\n", lambda _: None)
    assert [one.message for one in found.errors] == ["the playbook has no shop"]


def test_the_default_is_sound_gives_nothing_away_and_stands_where_the_shop_is() -> None:
    text = playbook_packs.default_text("Europe/Berlin", "EUR")
    checked = check("default.yaml", text.encode(), lambda _: None)
    assert checked.problems == ()
    book = checked.playbook
    assert book is not None
    assert book.shop is not None
    assert (book.shop.time_zone, book.shop.currency) == ("Europe/Berlin", "EUR")
    assert not book.offers
    assert book.holdout is not None
    assert book.caps
    assert book.quiet_hours
    assert all({*one.words} == {*LOCALES} for one in book.messages.values())
    assert playbook_packs.default_text("Mars/Olympus") == playbook_packs.default_text()


@pytest.mark.parametrize(
    ("rule", "wait_ms"), [("thank_you", 10 * MINUTE_MS), ("browse_reminder", DAY_MS)]
)
def test_the_default_waits_as_its_comments_say(rule: str, wait_ms: int) -> None:
    book = check("default.yaml", playbook_packs.default_text().encode(), lambda _: None).playbook
    assert book is not None
    when = book.triggers[rule].when
    assert isinstance(when, OnEvent)
    assert when.wait_ms == wait_ms
