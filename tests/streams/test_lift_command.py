"""What `huitou lift` prints."""

import io

import pytest
from rich.console import Console

from models.always_valid import Sample
from models.assignment import HOLDOUT
from models.lift import OUTCOMES, Group, lifts, told
from streams.lift_command import NoAnswer, as_text, ask
from streams.settings import Settings


def said(groups: list[Group], mixed: dict[str, int]) -> str:
    answer = {
        "days": 30,
        "currency": "EUR",
        "lifts": [told(one) for one in lifts(groups)],
        "mixed": mixed,
    }
    out = io.StringIO()
    console = Console(file=out, width=120)
    for part in as_text(answer):
        console.print(part)
    return out.getvalue()


def group(count: int, mean: float, arm: str = "", propensity: float = 0.95) -> Group:
    """So many customers, half of whom did twice as much as the mean."""
    samples = tuple(Sample(count, mean, count * mean * mean) for _ in OUTCOMES)
    return Group("win_back", 1, "regular", arm, propensity, samples)


def test_a_rule_is_told_with_what_it_brought_and_between_what_that_lies() -> None:
    text = said([group(1_000, 0.5), group(200, 0.1, HOLDOUT, 0.05)], {"win_back": 3})
    assert "win_back: 1,000 acted on, 200 left alone" in text
    assert "win_back, regular: 1,000 acted on, 200 left alone" in text
    assert "+400.0" in text
    assert " clear" in text
    assert "win_back: 3 were on both sides and are in neither" in text


def test_money_is_told_in_the_shops_currency() -> None:
    lines = said([group(100, 500.0), group(100, 500.0, HOLDOUT, 0.5)], {}).splitlines()
    revenue = next(line for line in lines if line.strip().startswith("revenue"))
    assert revenue.split()[1:4] == ["5.000", "5.000", "+0.0"]


def test_of_few_customers_it_says_so() -> None:
    text = said([group(100, 0.5), group(3, 0.1, HOLDOUT, 0.05)], {})
    assert "too few customers" in text
    assert " clear" not in text


def test_without_anybody_left_alone_it_says_what_it_takes() -> None:
    assert said([group(100, 0.5)], {}).startswith("nothing to compare yet: it takes a holdout")


def test_without_clickhouse_it_is_one_clear_sentence() -> None:
    settings = Settings(clickhouse_url="http://127.0.0.1:1")
    with pytest.raises(NoAnswer, match="no answer from"):
        ask(settings, "", 30, 0)
