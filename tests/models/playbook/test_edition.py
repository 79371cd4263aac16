"""Editions of a playbook: refused for what can't be one, opened for the fold."""

from pathlib import Path

import pytest

from models.hazard import BadSnapshot
from models.playbook import edition
from models.playbook.edition import Edition

STARTER = Path(edition.__file__).with_name("starter.yaml").read_text()


def written(**files: str) -> Edition:
    return Edition(version=1, main="main", files=files)


def test_an_edition_opens_as_the_rules_of_its_files() -> None:
    including = STARTER.replace("playbook: 1\n", "playbook: 1\ninclude: [more]\n", 1)
    more = "triggers:\n  hello:\n    when: {event: page_viewed}\n    then:\n      - tag: greeted\n"
    rulebook = edition.opened(written(main=including, more=more))
    assert sorted(rulebook.rules) == [
        "browse_reminder",
        "hello",
        "thank_you",
        "thirty_days_of_silence",
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Edition(version=0, main="main", files={"main": ""}), "editions count from 1"),
        (written(other=STARTER), "none of its files"),
        (written(main="#" * 900_001), "more than 900000 bytes"),
    ],
)
def test_what_is_no_edition_is_refused(bad: Edition, reason: str) -> None:
    with pytest.raises(BadSnapshot, match=reason):
        edition.check(bad)


def test_a_mistake_is_told_with_its_place() -> None:
    with pytest.raises(BadSnapshot, match=r"main:\d+:\d+"):
        edition.opened(written(main=STARTER.replace("thank_you:", "thank_you: 3 #", 1)))
