from pathlib import Path

import pytest

from streams.replay import command
from streams.replay.command import ReplayTrouble, find_history, only_one, run
from streams.replay.demo import DemoYear
from streams.replay.history import BadHistory
from streams.replay.mapped_file import MappedFile
from streams.servers.ports import free_port
from streams.settings import Settings

MAPPING = "{name: shop, columns: {order: no, time: at, line_total: paid}, currency: EUR}"


def shop(tmp_path: Path, *rows: str) -> tuple[Path, Path]:
    file, mapping = tmp_path / "shop.csv", tmp_path / "shop.yaml"
    file.write_text("\n".join(["no,at,paid", *rows]), encoding="utf-8")
    mapping.write_text(MAPPING, encoding="utf-8")
    return file, mapping


def test_the_demo_is_the_complete_journey_with_personas() -> None:
    history = find_history(None, demo=True, mapping=None, days=3)
    assert isinstance(history, DemoYear)
    assert history.name == "complete-journey:3-days:personas:reviews"


def test_a_file_is_read_by_its_mapping(tmp_path: Path) -> None:
    file, mapping = shop(tmp_path, "1,2020-01-01,5.00")
    history = find_history(file, demo=False, mapping=mapping, days=None)
    assert isinstance(history, MappedFile)
    assert history.name.startswith("shop:")


def test_a_file_without_a_mapping_is_told_where_mappings_are(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match=r"--map mapping\.yaml.*example\.yaml"):
        find_history(tmp_path / "shop.csv", demo=False, mapping=None, days=None)


def test_nothing_to_replay_is_refused() -> None:
    with pytest.raises(BadHistory, match="name a FILE or give --demo"):
        find_history(None, demo=False, mapping=None, days=None)


def test_a_row_from_the_future_is_no_reason_to_move_the_clock(tmp_path: Path) -> None:
    file, mapping = shop(tmp_path, "1,2020-01-01,5.00", "2,2999-01-01,5.00")
    history = find_history(file, demo=False, mapping=mapping, days=None)
    assert isinstance(history, MappedFile)
    assert [row.path for row in history.bad_rows] == ["shop.csv:3:at"]
    assert history.last_ms == history.first_ms


def test_trouble_with_the_file_is_one_sentence_for_the_operator(tmp_path: Path) -> None:
    file, mapping = shop(tmp_path, "1,soon,5.00")
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ReplayTrouble, match=r"shop\.csv:2:at: expected a time"):
        run(settings, file, mapping=mapping)


def test_a_broker_that_never_answers_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "FIRST_PATIENCE_S", 0.5)
    nobody = f"127.0.0.1:{free_port()}"
    file, mapping = shop(tmp_path, "1,2020-01-01,5.00")
    with pytest.raises(ReplayTrouble, match=f"no broker at {nobody}.*start `huitou up` first"):
        run(Settings(data_dir=tmp_path, kafka=nobody), file, mapping=mapping)


def test_one_replay_at_a_time_uses_a_data_directory(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    running = pytest.raises(ReplayTrouble, match="a replay or a simulation is running")
    with only_one(settings), running:
        run(settings, None, demo=True)
    with only_one(settings):
        pass
