"""Every evaluation names a command that is there and says why it cannot be run."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.evaluations import __main__ as evaluations
from tests.evaluations import histories
from tests.evaluations.histories import Missing


def test_a_history_that_is_not_at_hand_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(histories, "SHARED", tmp_path / "nowhere")
    monkeypatch.setattr(evaluations, "FOLDER", tmp_path)
    with pytest.raises(Missing, match="HUITOU_TEST_DATA names"):
        histories.nab()
    assert evaluations.main(["dormancy-online-retail", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "HUITOU_TEST_DATA names" in told["dormancy-online-retail"]["skipped"]


def test_series_are_found_packed_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nab" / "realTraffic"
    folder.mkdir(parents=True)
    found = [folder / "occupancy.csv", folder / "speed.csv.gz"]
    for path in found:
        path.touch()
    monkeypatch.setattr(histories, "SHARED", tmp_path)
    assert histories.nab() == (found, tmp_path / "nab" / "combined_windows.json")


def test_cdnow_is_read_out_of_its_table(tmp_path: Path) -> None:
    lines = ("customer_id date number_of_cds dollar_value", "1 19970101 1 11.77", "2 19970112 5 77")
    (tmp_path / "CDNOW_master.txt").write_text("\n".join(lines))
    whole = pd.read_csv(histories.cdnow(tmp_path))
    assert list(whole.columns) == ["customer_id", "occurred_at", "amount"]
    assert list(whole.occurred_at) == ["1997-01-01", "1997-01-12"]


def test_a_command_that_fails_is_no_skip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "complete_journey.parquet").write_bytes(b"no table")
    monkeypatch.setattr(evaluations, "FOLDER", tmp_path)
    assert evaluations.main(["drops-half-1", "--json"]) == 1
    assert "ended with 2" in json.loads(capsys.readouterr().out)["drops-half-1"]["failed"]


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluations.main(["weather"])
    assert "unknown: weather" in capsys.readouterr().err


def test_the_drops_of_the_demo_are_judged_by_the_command_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "complete_journey.parquet"
    days = pd.date_range("2024-01-01", "2024-06-30", freq="h")
    pd.DataFrame({"occurred_at": days, "basket": range(len(days))}).to_parquet(history)
    monkeypatch.setattr(evaluations, "FOLDER", tmp_path)
    assert evaluations.main(["drops-half-1"]) == 0
    assert "caught" in capsys.readouterr().out
