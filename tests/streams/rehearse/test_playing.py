"""A scenario is played under one playbook or two, in each of its languages."""

from pathlib import Path

import models.playbook
from streams.rehearse.book import book_of, read_book
from streams.rehearse.playing import play_all
from streams.rehearse.scenario import Scenario, read_scenario
from tests.builders import HOUSE_EDITION

STARTER = read_book(Path(models.playbook.__file__).with_name("starter.yaml"))
OWN = book_of("own", "main", HOUSE_EDITION.files)
ORDERED = """
events:
- at: 2026-02-01T10:00:00+08:00
  track: {event: Order Completed, userId: c1, properties: {order_id: o1, total: 20}}
until: 2026-03-10T00:00:00+08:00
"""


def scenario(more: str = "") -> Scenario:
    return read_scenario("s.yaml", (ORDERED + more).encode(), time_zone="UTC", currency="EUR")


def test_without_languages_and_expectations_there_is_nothing_but_what_followed() -> None:
    assert set(play_all(scenario(), [OWN])) == {"actions", "rejected", "tiers"}


def test_what_differs_is_told_with_its_language() -> None:
    found = play_all(scenario("locales: [en, zh-TW]\nexpect_none: [c1]\n"), [OWN])
    assert [one.split(":")[0] for one in found["differences"]] == ["en", "zh-TW"]


def test_the_second_playbook_is_compared_with_the_first() -> None:
    found = play_all(scenario(), [OWN, STARTER])
    assert found["comparison"]["first"] == "own"
    assert found["comparison"]["second"] == STARTER.name


def test_a_scenario_in_another_zone_moves_the_shop_there() -> None:
    assert STARTER.time_zone == "Asia/Taipei"
    assert play_all(scenario("timezone: Europe/Berlin\n"), [STARTER])["tiers"] == {"c1": "dormant"}
