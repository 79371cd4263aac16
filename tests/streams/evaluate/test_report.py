"""The report page of an evaluation."""

import json

from streams.evaluate.outcome import Plot, Series
from streams.evaluate.report import page


def test_the_page_needs_nothing_else_and_shows_every_figure() -> None:
    plot = Plot("a <b>", "x", "y", [Series("one", [1.0, 2.0], [3.0, None])])
    written = page("drops", {"caught": 0.5, "baselines": {"none": 0}}, [plot])
    assert "src=" not in written.replace("uPlot", "")
    assert "<td>baselines.none</td><td>0</td>" in written
    assert "a &lt;b&gt;" in written


def test_series_share_their_xs_and_no_name_ends_the_script() -> None:
    plots = [
        Plot(
            "p",
            "x",
            "y",
            [Series("</script>", [1.0, 3.0], [1.0, 2.0]), Series("b", [2.0], [5.0], "bars")],
        )
    ]
    written = page("x", {}, plots)
    drawn = written.split("const PLOTS = ")[1].split(";\n")[0]
    (found,) = json.loads(drawn)
    assert found["xs"] == [1.0, 2.0, 3.0]
    assert [one["ys"] for one in found["series"]] == [[1.0, None, 2.0], [None, 5.0, None]]
    assert "</script>" not in drawn
