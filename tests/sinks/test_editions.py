"""Editions: what is read of topic snapshots, and what is opened of it."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

import models.playbook
from models.playbook.edition import Edition
from models.snapshot import SnapshotRecord, recorded
from sinks import editions as editions_module
from sinks.editions import (
    AWAITED_S,
    OPEN_AT_MOST,
    EditionAwaited,
    Editions,
    NoEdition,
    OpenEdition,
)
from tests.models.test_segments import snapshot as segments

STARTER = Path(models.playbook.__file__).with_name("starter.yaml").read_text(encoding="utf-8")


class Watch:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def edition(version: int, text: str = STARTER) -> Edition:
    return Edition(version, "playbook.yaml", {"playbook.yaml": text})


def say(editions: Editions, record: SnapshotRecord, key: bytes | None = None) -> None:
    value = msgspec.json.encode(record)
    name = record.model.encode() if key is None else key
    editions.take(SimpleNamespace(key=name, value=value, offset=0))


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def editions(watch: Watch) -> Editions:
    return Editions("127.0.0.1:9", "snapshots", watch)


async def test_an_edition_gives_its_words_and_channels(editions: Editions) -> None:
    text = STARTER.replace("enabled: true", "{sender: Tea House, rate_per_minute: 60}")
    say(editions, recorded("playbook", edition(1, text.replace("email:\n    {", "email: {"))))
    opened = await editions.of(1)
    assert set(opened.book.names) == {"thank_you", "browse_reminder", "we_miss_you"}
    assert opened.channels["email"].rate_per_minute == 60
    assert "Our shop" in opened.book.render("thank_you", "en", {"first_name": "Our shop"}).text


async def test_all_who_ask_at_once_wait_for_one_opening(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(editions, recorded("playbook", edition(1)))
    say(editions, recorded("playbook", edition(2, "then: {")))
    opened: list[int] = []
    original = editions_module._opened

    def counted(one: Edition) -> OpenEdition:
        opened.append(one.version)
        return original(one)

    monkeypatch.setattr(editions_module, "_opened", counted)
    first, *others = await asyncio.gather(*(editions.of(1) for _ in range(20)))
    assert all(other is first for other in others)
    refused = await asyncio.gather(*(editions.of(2) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in refused] == [NoEdition] * 3
    assert opened == [1, 2]


async def test_versions_stand_beside_each_other_and_only_a_few_are_open(editions: Editions) -> None:
    for version in range(1, OPEN_AT_MOST + 3):
        say(editions, recorded("playbook", edition(version, STARTER.replace("Hi", f"Hi{version}"))))
    for version in range(1, OPEN_AT_MOST + 3):
        words = (await editions.of(version)).book.render("thank_you", "en", {})
        assert words.text.startswith(f"Hi{version} there")
    assert (await editions.of(1)).book.render("thank_you", "en", {}).text.startswith("Hi1 ")


async def test_what_is_not_read_yet_is_awaited_a_while(editions: Editions, watch: Watch) -> None:
    with pytest.raises(EditionAwaited):
        await editions.of(7)
    watch.now_s = AWAITED_S + 1
    with pytest.raises(EditionAwaited):
        await editions.of(7)
    editions._current.set()
    with pytest.raises(NoEdition):
        await editions.of(7)
    say(editions, recorded("playbook", edition(7)))
    assert (await editions.of(7)).book.names


async def test_an_edition_that_is_broken_is_none(editions: Editions) -> None:
    say(editions, SnapshotRecord("playbook", "wrong", edition(1)))
    say(editions, recorded("playbook", edition(2, STARTER.replace("triggers:", "tirggers:"))))
    for version in (1, 2):
        with pytest.raises(NoEdition):
            await editions.of(version)


async def test_other_models_and_what_is_no_record_are_passed_over(editions: Editions) -> None:
    say(editions, recorded("segments", segments()))
    say(editions, recorded("segments", segments()), b"")
    editions.take(SimpleNamespace(key=b"playbook", value=b"{", offset=1))
    editions.take(SimpleNamespace(key=b"playbook", value=None, offset=2))
    with pytest.raises(EditionAwaited):
        await editions.of(1)
