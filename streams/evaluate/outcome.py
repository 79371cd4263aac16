"""What an evaluation found: figures for people and programs, plots for its report."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

Say = Callable[[str], None]
"""Takes a sentence about the progress."""


class Series(NamedTuple):
    """One line, row of bars or cloud of points of a plot; `ys` may have gaps (None)."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    kind: Literal["line", "bars", "points"] = "line"


class Plot(NamedTuple):
    """A picture of the report; with `is_time` the xs are seconds since the epoch."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    is_time: bool = False


class Outcome(NamedTuple):
    """Figures by name, units last; those of baselines are under `baselines`."""

    figures: dict[str, Any]
    plots: Sequence[Plot] = ()


class BadQuestion(ValueError):
    """The file or the options cannot be evaluated; the text names what was found and expected."""
