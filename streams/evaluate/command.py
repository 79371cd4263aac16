"""Command line `huitou evaluate`: one command a question, each with --json and --html."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from models.clusters import CLUSTERS
from streams.evaluate.outcome import BadQuestion, Outcome, Say
from streams.evaluate.report import page

WRONG_USE = 2

app = typer.Typer(help="Judge the models on a history, as if it had been live.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines or Parquet; .gz too.")]
Customer = Annotated[str, typer.Option("--customer", help="Column that names the customer.")]
Time = Annotated[str, typer.Option("--time", help="Column with the time.")]
Amount = Annotated[
    str, typer.Option("--amount", help="Column with what was paid, if there is one.")
]
Basket = Annotated[str, typer.Option("--basket", help="Column that names the order.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a report page with plots.")
]


def answer(
    name: str, question: Callable[[Say], Outcome], *, as_json: bool, html: Path | None
) -> None:
    """Ask, and say what came of it; what cannot be evaluated is one sentence and exit code 2."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    began_s = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began_s:6.1f} s  {text}", markup=False)

    try:
        outcome = question(say)
    except BadQuestion as error:
        console.print(str(error), markup=False)
        sys.exit(WRONG_USE)
    figures = {**outcome.figures, "seconds": round(time.monotonic() - began_s, 1)}
    if html is not None:
        html.write_text(page(name, figures, outcome.plots), encoding="utf-8")
        say(f"report: {html}")
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        Console().print(as_table(name, figures))


def as_table(name: str, figures: dict[str, Any]) -> Table:
    """Show figures, those of the baselines below."""
    table = Table(title=f"huitou evaluate {name}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for field, value in flat(figures):
        table.add_row(field, value)
    return table


def flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Name every figure by its path and write it as people read it."""
    rows: list[tuple[str, str]] = []
    for field, value in figures.items():
        if isinstance(value, dict):
            rows += flat(value, f"{prefix}{field}.")
        else:
            rows.append((f"{prefix}{field}", spoken(value)))
    return rows


def spoken(value: Any) -> str:
    """Write one figure.

    >>> spoken(0.123456), spoken(None), spoken([0.5, 1.0]), spoken(12345)
    ('0.1235', '–', '0.5, 1', '12,345')
    """
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(spoken(one) for one in value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


Seed = Annotated[int, typer.Option("--seed", help="The same seed asks the same.")]


@app.callback()
def _commands() -> None:
    """Judge the models on a history, as if it had been live."""


@app.command("drops")
def drops(  # noqa: PLR0913  (one option for each thing that can be chosen)
    file: File,
    *,
    time_column: Time = "occurred_at",
    basket_column: Basket = "basket",
    size: Annotated[float, typer.Option(help="Share of the orders that is taken out.")] = 0.5,
    hours: Annotated[int, typer.Option(help="How long a drop lasts.")] = 24,
    positions: Annotated[int, typer.Option(help="How many drops.")] = 60,
    seed: Seed = 1,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Take orders out of a history and see whether, and when, the watch notices."""
    from streams.evaluate.drops import Injection, question  # noqa: PLC0415

    injection = Injection(size, hours, positions, seed)
    answer(
        "drops",
        lambda say: question(file, time_column, basket_column, injection, say),
        as_json=as_json,
        html=html,
    )


@app.command("anomaly")
def anomaly(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="A series a file.")],
    *,
    time_column: Time = "timestamp",
    value_column: Annotated[str, typer.Option("--value", help="Column with the value.")] = "value",
    labels: Annotated[
        Path | None, typer.Option(help="JSON: file name -> list of [first, last] times.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write every point's score here.")
    ] = None,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Score how strange each value of a series is; with labels, judge the scores."""
    from streams.evaluate.anomaly import Asked, question  # noqa: PLC0415

    asked = Asked(files, time_column, value_column, labels, scores)
    answer("anomaly", lambda say: question(asked, say), as_json=as_json, html=html)


@app.command("dormancy")
def dormancy(  # noqa: PLR0913  (one option for each thing that can be chosen)
    file: File,
    *,
    customer_column: Customer = "customer_id",
    time_column: Time = "occurred_at",
    amount_column: Amount = "amount",
    horizon_days: Annotated[int, typer.Option(help="Buys within how many days?")] = 60,
    every_days: Annotated[int, typer.Option(help="Days between the snapshots.")] = 28,
    burn_days: Annotated[
        int, typer.Option(help="Days before the first snapshot, besides the horizon.")
    ] = 120,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Ask of every known customer, again and again, who will buy within the horizon."""
    from streams.evaluate.dormancy import Asking, question  # noqa: PLC0415

    asking = Asking(horizon_days, every_days, burn_days)
    answer(
        "dormancy",
        lambda say: question(file, customer_column, time_column, amount_column, asking, say),
        as_json=as_json,
        html=html,
    )


@app.command("forecast")
def forecast(
    file: File,
    *,
    split: Annotated[str, typer.Option(help="First date that is foretold, YYYY-MM-DD.")],
    until: Annotated[
        str | None, typer.Option(help="Last date that is foretold; else the history's last.")
    ] = None,
    customer_column: Customer = "customer_id",
    time_column: Time = "occurred_at",
    amount_column: Amount = "amount",
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Foretell each customer's purchase days from a date on, and compare with what came."""
    from streams.evaluate.forecast import question  # noqa: PLC0415

    answer(
        "forecast",
        lambda say: question(
            file, (customer_column, time_column, amount_column), split, until, say
        ),
        as_json=as_json,
        html=html,
    )


@app.command("recommend")
def recommend(  # noqa: PLR0913  (one option for each thing that can be chosen)
    history: File,
    future: Annotated[
        Path | None, typer.Argument(help="A basket a customer, to foretell from HISTORY alone.")
    ] = None,
    *,
    customer_column: Customer = "customer_id",
    item_column: Annotated[str, typer.Option("--item", help="Column that names the item.")] = (
        "product_id"
    ),
    basket_column: Basket = "basket",
    time_column: Time = "occurred_at",
    k: Annotated[int, typer.Option(help="How many items are foretold.")] = 10,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Foretell the next basket of each known customer, and compare with what was in it."""
    from streams.evaluate.recommend import Named, question  # noqa: PLC0415

    named = Named(customer_column, item_column, basket_column, time_column)
    answer(
        "recommend",
        lambda say: question(history, future, named, k, say),
        as_json=as_json,
        html=html,
    )


@app.command("segments")
def segments(
    file: File,
    *,
    customer_column: Customer = "customer_id",
    time_column: Time = "occurred_at",
    amount_column: Amount = "amount",
    clusters: Annotated[int, typer.Option(help="How many clusters.")] = CLUSTERS,
    seed: Seed = 1,
    as_json: AsJson = False,
    html: Html = None,
) -> None:
    """Compare the live clusters with batch k-means again and again, and count who flips."""
    from streams.evaluate.segments import question  # noqa: PLC0415

    columns = (customer_column, time_column, amount_column)
    answer(
        "segments",
        lambda say: question(file, columns, clusters, seed, say),
        as_json=as_json,
        html=html,
    )
