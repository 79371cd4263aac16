"""`huitou evaluate anomaly`: strange values of any series of numbers, scored one by one.

Each series goes through the live scorer (`models/series_anomaly.py`), every value scored before
anything behind it is seen, all with the same setting. With labelled windows the scores are judged
as in the Numenta Anomaly Benchmark (`nab.py`).
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from models.series_anomaly import STRANGE, SeriesAnomaly, score
from streams.evaluate import nab
from streams.evaluate.history import Column, read
from streams.evaluate.outcome import BadQuestion, Outcome, Plot, Say, Series

PLOTS_AT_MOST = 12
_PACKED = (".gz", ".csv", ".jsonl", ".ndjson", ".parquet")


class Scored(NamedTuple):
    """A series with its scores."""

    path: Path
    frame: pd.DataFrame
    scores: list[float]


class Asked(NamedTuple):
    """What to read and where to write; the columns' names in the files."""

    paths: Sequence[Path]
    time_column: str
    value_column: str
    labels: Path | None
    folder: Path | None


def question(asked: Asked, say: Say) -> Outcome:
    """Score every file, write the scores, and judge them where there are labels."""
    labels = _labels(asked.labels)
    columns = [
        Column("at", asked.time_column, "moment"),
        Column("value", asked.value_column, "number"),
    ]
    scored, spent_s = [], 0.0
    for path in asked.paths:
        frame = read(path, columns, say)
        began_s = time.perf_counter()
        scores = evaluate(frame)
        spent_s += time.perf_counter() - began_s
        scored.append(Scored(path, frame, scores))
    if asked.folder is not None:
        _write(asked.folder, scored)
        say(f"scores: {asked.folder}")
    points = sum(len(one.scores) for one in scored)
    figures: dict[str, Any] = {
        "series": len(scored),
        "points": points,
        "strange": sum(value >= STRANGE for one in scored for value in one.scores),
        "us_per_point": round(spent_s / points * 1e6, 2),
    }
    if labels is not None:
        figures |= judged(scored, labels, say)
    return Outcome(figures, _plots(scored))


def evaluate(frame: pd.DataFrame) -> list[float]:
    """Score the values of `frame` (columns `at` and `value`), in its order."""
    series = SeriesAnomaly()
    seconds = frame["at"].astype("datetime64[s, UTC]").astype("int64").tolist()
    values = frame["value"].tolist()
    return [score(series, at_s, value) for at_s, value in zip(seconds, values, strict=True)]


def judged(
    scored: Sequence[Scored], labels: Mapping[str, list[tuple[str, str]]], say: Say
) -> dict[str, Any]:
    """Give the benchmark's three scores over all series, and the windows found by the first."""
    weighed: list[nab.Weighed] = []
    windows = 0
    for number, one in enumerate(scored):
        series = _windows(one, labels)
        windows += len(series.windows)
        weighed += nab.weigh(number, series, one.scores)
    if not windows:
        raise BadQuestion(
            "--labels: none of the files has a labelled window, expected one at least"
        )
    say(f"{windows} labelled windows")
    best = {one.name: nab.best(weighed, windows, one) for one in nab.PROFILES}
    _, threshold = best["standard"]
    found = {one.window for one in weighed if one.window[1] >= 0 and one.score >= threshold}
    return {
        **{name: round(value, 2) for name, (value, _) in best.items()},
        "threshold": threshold,
        "windows": windows,
        "windows_found": len(found),
        "false_detections": sum(one.window[1] < 0 and one.score >= threshold for one in weighed),
        "baselines": {"detect_nothing": 0.0},
    }


def _labels(path: Path | None) -> dict[str, list[tuple[str, str]]] | None:
    """Read windows by series: JSON, name of the file (with or without folders) to [from, to]."""
    if path is None:
        return None
    try:
        read_labels = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): [(str(first), str(last)) for first, last in windows]
            for name, windows in read_labels.items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BadQuestion(
            f"{path}: {error}; expected JSON: name of a file -> list of [first, last] times"
        ) from None


def _windows(one: Scored, labels: Mapping[str, list[tuple[str, str]]]) -> nab.Windows:
    """Find the series' labels by the end of its path, and its windows' first and last points."""
    names = [_bare(name) for name in labels]
    mine = _bare(str(one.path))
    near = [at for at, name in enumerate(names) if mine == name or mine.endswith("/" + name)]
    if not near:
        near = [
            at
            for at, name in enumerate(names)
            if name.rsplit("/", 1)[-1] == mine.rsplit("/", 1)[-1]
        ]
    if len(near) > 1:
        raise BadQuestion(f"{one.path}: more than one label fits its name, expected one")
    spans = list(labels.values())[near[0]] if near else []
    times = one.frame["at"]
    windows = []
    for first, last in spans:
        begins, ends = pd.Timestamp(first, tz="UTC"), pd.Timestamp(last, tz="UTC")
        inside = times[(times >= begins) & (times <= ends)]
        if not inside.empty:
            windows.append((int(inside.index[0]), int(inside.index[-1])))
    return nab.Windows(len(one.scores), windows)


def _bare(name: str) -> str:
    for ending in _PACKED:
        name = name.removesuffix(ending)
    return name


def _write(folder: Path, scored: Sequence[Scored]) -> None:
    """Write each series as timestamp, value, anomaly_score, its folder and name as they were."""
    for one in scored:
        place = folder / one.path.parent.name / (_bare(one.path.name) + ".csv")
        place.parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(
            {
                "timestamp": one.frame["at"].dt.strftime("%Y-%m-%d %H:%M:%S"),
                "value": one.frame["value"],
                "anomaly_score": one.scores,
            }
        )
        table.to_csv(place, index=False)


def _plots(scored: Sequence[Scored]) -> list[Plot]:
    plots = []
    for one in scored[:PLOTS_AT_MOST]:
        xs = one.frame["at"].astype("datetime64[s, UTC]").astype("int64").tolist()
        values = one.frame["value"].tolist()
        strange = [
            value if points >= STRANGE else None
            for value, points in zip(values, one.scores, strict=True)
        ]
        plots.append(
            Plot(
                one.path.name,
                "time",
                "value",
                [Series("value", xs, values), Series("strange", xs, strange, "points")],
                is_time=True,
            )
        )
    return plots
