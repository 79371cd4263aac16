"""`huitou evaluate anomaly`."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from streams.evaluate.anomaly import Asked, question
from streams.evaluate.outcome import BadQuestion
from tests.models.test_series_anomaly import daily

STRANGE_AT = 1_500


def written(folder: Path, name: str = "one.csv", **columns: str) -> Path:
    values = daily(2_000)
    values[STRANGE_AT] += 120.0
    times = pd.date_range("2026-01-01", periods=2_000, freq="5min")
    path = folder / name
    names = {"timestamp": "timestamp", "value": "value"} | columns
    frame = pd.DataFrame({names["timestamp"]: times, names["value"]: values})
    frame.to_csv(path, index=False)
    return path


def asked(path: Path, **more: Any) -> Asked:
    return Asked(
        **{
            "paths": [path],
            "time_column": "timestamp",
            "value_column": "value",
            "labels": None,
            "folder": None,
            **more,
        }
    )


def test_every_point_is_scored_and_written(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    path = written(tmp_path / "shop", "one.csv.gz")
    outcome = question(asked(path, folder=tmp_path / "scores"), print)
    table = pd.read_csv(tmp_path / "scores" / "shop" / "one.csv")
    assert list(table.columns) == ["timestamp", "value", "anomaly_score"]
    assert len(table) == outcome.figures["points"] == 2_000
    assert 0 <= int(table["anomaly_score"].idxmax()) - STRANGE_AT < 5
    assert "standard" not in outcome.figures


@pytest.mark.parametrize("name", ["one.csv", "real/one.csv", "one"])
def test_labels_find_their_series_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "real").mkdir()
    path = written(tmp_path / "real")
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({name: [["2026-01-06 04:00:00", "2026-01-06 08:00:00"]]}))
    figures = question(asked(path, labels=labels), print).figures
    assert (figures["windows"], figures["windows_found"]) == (1, 1)
    assert figures["standard"] > 80.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected JSON"),
        ('{"one.csv": [1]}', "expected JSON"),
        ('{"other.csv": [["2026-01-06", "2026-01-07"]]}', "none of the files has a labelled"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, text: str, said: str) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(text)
    with pytest.raises(BadQuestion, match=said):
        question(asked(written(tmp_path), labels=labels), print)
