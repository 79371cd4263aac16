"""Editions of the playbook on a real broker: applied, told, compared, put back; nothing is lost."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

import models.playbook
from models.events import Adopted, decode
from models.playbook.edition import opened as opened_edition
from models.snapshot import read_record
from streams import topics
from streams.model_versions import ModelTrouble, put_back, read_versions
from streams.playbook_editions import (
    Editions,
    Overtaken,
    PlaybookTrouble,
    apply_files,
    read_editions,
    roll_back,
)
from streams.playbook_editions_command import apply_file, diff, history, roll_back_to, show
from streams.prepare import begin_playbook
from streams.settings import Settings
from tests.real.rig import Log

pytestmark = pytest.mark.real

STARTER = Path(models.playbook.__file__).with_name("starter.yaml")
TEXT = STARTER.read_text("utf-8")
CHANGED = TEXT.replace("wait: 24h", "wait: 48h")


async def opened(settings: Settings) -> None:
    async with Log(settings):
        return


async def said(settings: Settings, topic: str) -> list[bytes]:
    async with Log(settings) as log:
        return [one.value for one in await log.records(topic)]


async def test_an_edition_is_adopted_in_every_partition_with_who_and_when(
    settings: Settings,
) -> None:
    await opened(settings)
    edition = await apply_files(settings, "a.yaml", {"a.yaml": TEXT}, by="ann", note="first")
    assert edition.version == 1
    [record] = [read_record(one) for one in await said(settings, topics.SNAPSHOTS)]
    assert record.snapshot == edition
    adopted = [decode(one) for one in await said(settings, topics.EVENTS)]
    assert adopted == [Adopted("playbook", 1, record.checksum)] * settings.partitions
    editions = await read_editions(settings)
    assert (editions.in_use, editions.newest, editions.current) == (1, 1, edition)
    [adoption] = editions.adoptions
    assert (adoption.version, adoption.by, adoption.note) == (1, "ann", "first")
    assert adoption.at_ms >= edition.applied_at_ms > 0


async def test_who_did_not_know_of_the_newest_edition_is_told_and_changes_nothing(
    settings: Settings,
) -> None:
    await opened(settings)
    await apply_files(settings, "a.yaml", {"a.yaml": TEXT}, by="ann", based_on=0)
    await apply_files(settings, "a.yaml", {"a.yaml": CHANGED}, by="ann", based_on=1)
    with pytest.raises(Overtaken, match="edition 2 was applied by ann meanwhile; yours is based"):
        await apply_files(settings, "a.yaml", {"a.yaml": TEXT}, by="bob", based_on=1)
    editions = await read_editions(settings)
    assert (editions.newest, editions.in_use) == (2, 2)


async def test_of_many_who_apply_at_once_each_is_an_edition_or_told(settings: Settings) -> None:
    await opened(settings)
    outcomes = await asyncio.gather(
        *(
            apply_files(settings, "a.yaml", {"a.yaml": f"{TEXT}# {n}\n"}, by=str(n), based_on=0)
            for n in range(4)
        ),
        return_exceptions=True,
    )
    assert all(
        isinstance(one, PlaybookTrouble) or not isinstance(one, BaseException) for one in outcomes
    ), [type(one) for one in outcomes]
    applied = [one for one in outcomes if not isinstance(one, BaseException)]
    editions = await read_editions(settings)
    assert [*editions.known] == applied
    assert [one.version for one in editions.adoptions] == [one.version for one in applied]


async def test_a_rollback_adopts_an_edition_again_and_the_next_one_counts_on(
    settings: Settings,
) -> None:
    await opened(settings)
    await apply_files(settings, "a.yaml", {"a.yaml": TEXT}, by="ann")
    await apply_files(settings, "a.yaml", {"a.yaml": CHANGED}, by="ann")
    await roll_back(settings, 1, by="bob", note="too late")
    editions = await read_editions(settings)
    assert (editions.in_use, editions.newest, len(editions.known)) == (1, 2, 2)
    assert [(one.version, one.by) for one in editions.adoptions] == [
        (1, "ann"),
        (2, "ann"),
        (1, "bob"),
    ]
    adopted = [decode(one) for one in await said(settings, topics.EVENTS)]
    assert [one.version for one in adopted if isinstance(one, Adopted)].count(1) == (
        2 * settings.partitions
    )
    assert (await apply_files(settings, "a.yaml", {"a.yaml": TEXT}, by="ann")).version == 3
    with pytest.raises(PlaybookTrouble, match="there is no edition 9: there is 1 to 3"):
        await roll_back(settings, 9, by="bob")


async def test_what_can_not_be_used_is_never_written(settings: Settings) -> None:
    await opened(settings)
    for files in (
        {"a.yaml": "trigers: {}"},
        {"b.yaml": TEXT},
        {"a.yaml": TEXT + "# " + "x" * 950_000},
    ):
        with pytest.raises(PlaybookTrouble, match="edition 1 can't be used"):
            await apply_files(settings, "a.yaml", files, by="ann")
    assert await read_editions(settings) == Editions()
    assert await said(settings, topics.EVENTS) == []


async def test_models_and_playbook_are_put_back_by_commands_of_their_own(
    settings: Settings,
) -> None:
    await opened(settings)
    await apply_files(settings, "a.yaml", {"a.yaml": TEXT}, by="ann")
    versions = await read_versions(settings)
    assert versions.known == ()
    assert "playbook" not in versions.adopted
    with pytest.raises(ModelTrouble, match="the playbook is no model: see `huitou playbook hist"):
        await put_back(settings, "playbook", 1)


def test_the_commands_tell_of_editions_in_words_and_json(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(opened(settings))
    file = tmp_path / "mine.yaml"

    def out() -> str:
        return " ".join(capsys.readouterr().out.split())

    history(settings, as_json=False)
    assert "no edition yet" in out()
    file.write_text(TEXT)
    apply_file(settings, file, note="first", based_on=None, as_json=False)
    assert "edition 1 is in the log" in out()
    file.write_text(CHANGED)
    diff(settings, str(file), "", text=False, as_json=False)
    assert out() == "~ triggers.browse_reminder changed when.wait: 24h -> 48h"
    diff(settings, str(file), "", text=True, as_json=False)
    assert "- wait: 24h + wait: 48h" in out()
    apply_file(settings, file, note="", based_on=1, as_json=True)
    applied = json.loads(capsys.readouterr().out)
    assert applied["version"] == 2
    [doubt] = applied["warnings"]
    assert (doubt["value"], doubt["expected"]) == ("EUR", "USD, or HUITOU_CURRENCY=EUR")
    diff(settings, "1", "2", text=False, as_json=True)
    [change] = json.loads(capsys.readouterr().out)
    assert change["keys"] == [{"key": "when.wait", "old": "24h", "new": "48h"}]
    diff(settings, "2", "", text=False, as_json=False)
    assert out() == "they say the same"
    show(settings, 1, as_json=False)
    assert capsys.readouterr().out == TEXT
    roll_back_to(settings, 1, note="oops", as_json=False)
    assert "edition 1 is in use again" in out()
    show(settings, None, as_json=True)
    assert json.loads(capsys.readouterr().out)["version"] == 1
    history(settings, as_json=False)
    assert "edition 1 was put back" in out()
    history(settings, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["in_use"], told["newest"]) == (1, 2)
    assert [one["note"] for one in told["editions"]] == ["first", ""]


def test_a_playbook_with_mistakes_is_told_all_of_them_and_not_applied(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(opened(settings))
    file = tmp_path / "mine.yaml"
    file.write_text(TEXT.replace("triggers:", "trigers:").replace("percent: 10%", "percent: 1000%"))
    with pytest.raises(SystemExit) as ended:
        apply_file(settings, file, note="", based_on=None, as_json=False)
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert "trigers" in printed.out
    assert "2 errors" in printed.out
    assert printed.err == "nothing was applied\n"
    assert asyncio.run(said(settings, topics.EVENTS)) == []


async def test_packs_beside_the_file_are_part_of_the_edition(
    settings: Settings, tmp_path: Path
) -> None:
    await opened(settings)
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "one.yaml").write_text("segments: {a: {if: customer.orders > 1}}\n")
    file = tmp_path / "mine.yaml"
    file.write_text(f"include: packs/one.yaml\n{TEXT}")
    await asyncio.to_thread(apply_file, settings, file, note="", based_on=None, as_json=True)
    [edition] = (await read_editions(settings)).known
    assert (edition.main, set(edition.files)) == ("mine.yaml", {"mine.yaml", "packs/one.yaml"})
    record = read_record((await said(settings, topics.SNAPSHOTS))[0])
    assert msgspec.json.decode(msgspec.json.encode(record))["model"] == "playbook"


def test_without_a_broker_it_is_said_that_there_is_none(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka": "127.0.0.1:9"})
    with pytest.raises(PlaybookTrouble, match=r"no broker at 127\.0\.0\.1:9"):
        history(away, as_json=False)


async def test_a_new_installation_begins_with_the_default_in_its_own_zone_and_currency(
    settings: Settings,
) -> None:
    await opened(settings)
    home = settings.model_copy(update={"timezone": "Asia/Taipei", "currency": "TWD"})
    assert await begin_playbook(home) == ["the release's default playbook applied as edition 1"]
    editions = await read_editions(home)
    assert (editions.in_use, editions.known[0].by) == (1, "release")
    book = opened_edition(editions.known[0]).book
    assert {*book.triggers} == {"thank_you", "browse_reminder"}
    assert book.shop is not None
    assert (book.shop.time_zone, book.shop.currency) == ("Asia/Taipei", "TWD")
    assert await begin_playbook(home) == []


async def test_a_demo_begins_with_its_own_cases_and_keeps_what_was_applied(
    settings: Settings,
) -> None:
    settings = settings.model_copy(update={"awaits_history": True})
    await opened(settings)
    assert await begin_playbook(settings) == ["the demo's playbook applied as edition 1"]
    book = opened_edition((await read_editions(settings)).known[0]).book
    assert {*book.triggers} == {
        "first_order_care",
        "browse_24h",
        "silence_30d",
        "win_back_ladder",
        "birthday",
        "christmas",
        "moon_festivals",
    }
    await apply_files(settings, "a.yaml", {"a.yaml": CHANGED}, by="ann", based_on=1)
    assert await begin_playbook(settings) == []
    assert (await read_editions(settings)).in_use == 2
