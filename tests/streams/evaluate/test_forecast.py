"""`huitou evaluate forecast` on an invented shop."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from streams.evaluate.command import app
from streams.evaluate.forecast import Span, day_of, errors, evaluate
from streams.evaluate.outcome import BadQuestion
from streams.evaluate.purchase_days import history_of
from tests.streams.evaluate.test_dormancy import shop


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    history = history_of(shop())
    span = Span(history.first_day + 200, history.first_day + 320)
    return evaluate(history, span, lambda _: None).figures


def test_the_outlook_foretells_better_than_nothing_at_all(figures: dict[str, Any]) -> None:
    assert figures["always_zero_relmae"] == 1.0
    assert figures["relmae"] < 0.6
    assert figures["corr"] > 0.7
    assert figures["foretold_in_all"] == pytest.approx(figures["came_in_all"], rel=0.4)
    assert figures["days"] == 121


def test_customers_who_come_later_are_not_foretold() -> None:
    history = history_of(shop())
    early = Span(history.first_day + 30, history.first_day + 60)
    figures = evaluate(history, early, lambda _: None).figures
    known = sum(days[0] < early.split for days in history.days.values())
    assert figures["customers"] == known < len(history.days)


def test_errors_of_a_forecast() -> None:
    said = errors(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 5.0]))
    assert (said["relmae"], said["mae"]) == (round(4 / 6, 4), round(4 / 3, 4))
    assert said["rmse"] == pytest.approx((8 / 3) ** 0.5, abs=1e-4)
    assert errors(np.zeros(3), np.ones(3))["corr"] is None


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(BadQuestion, match="--split 'soon'"):
        day_of("soon", "--split")


@pytest.mark.parametrize(
    ("split", "code"), [("2026-04-01", 0), ("2031-01-01", 2), ("2025-01-01", 2), ("x", 2)]
)
def test_the_command_wants_a_date_within_the_history(tmp_path: Path, split: str, code: int) -> None:
    path = tmp_path / "shop.csv"
    frame = shop(20, 120).rename(columns={"customer": "customer_id", "at": "occurred_at"})
    frame.to_csv(path, index=False)
    result = CliRunner().invoke(app, ["forecast", str(path), "--split", split, "--json"])
    assert result.exit_code == code, result.output
    if not code:
        assert json.loads(result.stdout)["customers"] == 20
