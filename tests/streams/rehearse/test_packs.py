"""Every ready pack is rehearsed in every language, and a broken one does not pass."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from models.playbook.scalars import LOCALES
from streams import playbook_packs
from streams.rehearse import packs
from streams.rehearse.packs import play_pack, play_packs

PACK = "first_order_care"


def test_all_packs_pass_in_all_languages() -> None:
    found = play_packs()
    assert found["packs"] >= 24
    assert found["languages"] == 3
    assert found["scenarios"] == found["packs"] * found["languages"] >= 72
    assert [one for one in found["played"] if not one["passed"]] == []
    assert found["passed"] == found["scenarios"]
    assert all(one["actions"] for one in found["played"])


def test_a_pack_that_does_less_than_expected_fails_in_each_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = playbook_packs.checked_pack(PACK)
    assert checked.playbook is not None
    without = replace(checked, playbook=msgspec.structs.replace(checked.playbook, triggers={}))
    monkeypatch.setattr(playbook_packs, "checked_pack", lambda name: without)
    assert [one["passed"] for one in play_pack(PACK)] == [False] * len(LOCALES)


def test_a_pack_whose_words_have_a_hole_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = playbook_packs.checked_pack(PACK)
    assert checked.playbook is not None
    messages = {
        name: msgspec.structs.replace(
            message,
            words={
                locale: msgspec.structs.replace(words, defaults={})
                for locale, words in message.words.items()
            },
        )
        for name, message in checked.playbook.messages.items()
    }
    holed = replace(checked, playbook=msgspec.structs.replace(checked.playbook, messages=messages))
    monkeypatch.setattr(playbook_packs, "checked_pack", lambda name: holed)
    told = play_pack(PACK)
    assert not any(one["passed"] for one in told)
    assert "nothing fills in 'first_name'" in told[0]["differences"][0]


def test_a_pack_without_a_rehearsal_or_with_nothing_expected_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "scenario.yaml"
    monkeypatch.setattr(packs.playbook_packs, "rehearsal_of", lambda name: file)
    assert "No such file" in play_pack(PACK)[0]["differences"][0]
    file.write_text("until: 2026-01-01\n")
    assert "nothing is expected" in play_pack(PACK)[0]["differences"][0]
