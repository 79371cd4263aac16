"""`huitou evaluate dormancy` on an invented shop of regulars and of others who leave."""

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from streams.evaluate.command import app
from streams.evaluate.dormancy import Asking, evaluate, snapshot_days
from streams.evaluate.outcome import BadQuestion
from streams.evaluate.purchase_days import History, history_of

ASKING = Asking(horizon_days=30, every_days=28, burn_days=60)


def shop(customers: int = 150, days: int = 330, seed: int = 1) -> pd.DataFrame:
    """Half buy every ten days or so and go on; half leave for good after a while."""
    chance = random.Random(seed)
    rows = []
    for number in range(customers):
        at = chance.uniform(0, 90)
        gap = chance.choice((8, 12, 25))
        until = days if number % 2 else at + chance.uniform(0, 120)
        while at < min(until, days):
            moment = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(days=at)
            rows.append((f"c{number}", moment, 10.0))
            at += chance.expovariate(1 / gap)
    return pd.DataFrame(rows, columns=["customer", "at", "amount"])


@pytest.fixture(scope="module")
def history() -> History:
    return history_of(shop())


@pytest.fixture(scope="module")
def figures(history: History) -> dict[str, Any]:
    return evaluate(history, ASKING, lambda _: None).figures


def test_the_live_hazard_tells_who_has_left(figures: dict[str, Any]) -> None:
    assert figures["auc"] > 0.9
    assert figures["auc"] > figures["baselines"]["silence_over_gap"]["auc"]
    assert figures["recall_at_rule_fpr"] >= figures["rule_recall"]
    assert figures["brier"] < 0.15
    assert figures["lessons"] > 500


def test_every_promised_figure_and_baseline_is_there(figures: dict[str, Any]) -> None:
    promised = (
        "auc recall_at_rule_fpr rule_fpr rule_recall brier ece us_per_score customers snapshots "
        "ece_floor ece_level_known"
    )
    assert set(promised.split()) <= set(figures)
    assert set(figures["baselines"]) == {
        "plain_silence",
        "silence_over_gap",
        "decayed_count",
        "rule_30d",
        "bgnbd_refit",
    }
    assert figures["baselines"]["bgnbd_refit"]["fits"] == figures["snapshots"]
    assert figures["baselines"]["rule_30d"]["recall_at_rule_fpr"] == figures["rule_recall"]
    assert 0 < figures["us_per_score"] < 1_000
    assert 0 < figures["us_per_cold_score"] < 1_000


def test_calibration_is_told_beside_what_even_the_truth_would_show(figures: dict[str, Any]) -> None:
    assert 0 < figures["ece_floor"] < figures["ece"]
    assert 0 < figures["ece_level_known"] < 2 * figures["ece"]


def test_the_same_history_gives_the_same_figures(history: History, figures: dict[str, Any]) -> None:
    again = evaluate(history, ASKING, lambda _: None).figures
    timed = ("us_per_score", "us_per_cold_score", "score_over_loop_step")
    assert {k: v for k, v in again.items() if k not in timed} == {
        k: v for k, v in figures.items() if k not in timed
    }


def test_what_comes_later_changes_no_earlier_answer(history: History) -> None:
    days = snapshot_days(history, ASKING)
    cut = days[0] + ASKING.horizon_days
    earlier = [one for one in history.purchases if one.day <= cut]
    kept = {name: known[known <= cut] for name, known in history.days.items()}
    kept = {name: known for name, known in kept.items() if len(known)}
    short = evaluate(History(earlier, kept, history.first_day, cut), ASKING, lambda _: None).figures
    whole = evaluate(history, ASKING, lambda _: None)
    first_auc = whole.plots[1].series[0].ys[0]
    assert short["snapshots"] == 1
    assert first_auc == pytest.approx(short["auc"], abs=1e-4)


def test_snapshots_lie_on_a_grid_from_burn_and_horizon_on(history: History) -> None:
    days = [day - history.first_day for day in snapshot_days(history, ASKING)]
    assert days[0] == 112
    assert {later - day for day, later in pairwise(days)} == {28}
    assert days[-1] + 30 <= history.last_day - history.first_day


def test_a_history_too_short_is_refused(history: History) -> None:
    with pytest.raises(BadQuestion, match=r"the history has \d+ days, expected at least"):
        snapshot_days(history, Asking(horizon_days=300))


def test_the_command_prints_its_figures_as_json(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    shop(30, 120).rename(columns={"customer": "who", "at": "when"}).to_csv(path, index=False)
    page = tmp_path / "page.html"
    asked = ["dormancy", str(path), "--customer", "who", "--time", "when", "--horizon-days", "20"]
    more = ["--every-days", "14", "--burn-days", "30", "--json", "--html", str(page)]
    result = CliRunner().invoke(app, [*asked, *more])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["horizon_days"] == 20
    assert "Foretold and come" in page.read_text(encoding="utf-8")
