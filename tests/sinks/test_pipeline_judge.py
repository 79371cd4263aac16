"""When a reading becomes an alert: slow to start, slow to stop, and never twice."""

import pytest

from models.effects import Alert
from sinks.pipeline_judge import PipelineJudge, Rule, Rules

RULE = Rule(
    "pipeline_lag", "warning", fires_at=60, fires_after_ms=10, ends_below=5, ends_after_ms=20
)
WORKER = {"consumer": "worker"}


def judged(judge: PipelineJudge, *values: float, start_ms: int = 0) -> list[str]:
    """What is said about one value a time unit of 5 ms."""
    said = []
    for number, value in enumerate(values):
        alert = judge.judge(RULE, WORKER, value, start_ms + number * 5, f"value {value}")
        said.append(alert.status if alert else "")
    return said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([60, 60, 60], ["", "", "firing"]),
        ([59.9, 59.9, 59.9], ["", "", ""]),
        ([60, 60, 59, 60, 60], ["", "", "", "", ""]),
        ([60, 60, 60, 60, 60], ["", "", "firing", "", ""]),
        ([60, 60, 60, 4, 4, 4, 4, 4], ["", "", "firing", "", "", "", "", "resolved"]),
        ([60, 60, 60, 4, 4, 5, 4, 4, 4, 4, 4], ["", "", "firing", *[""] * 7, "resolved"]),
        ([60, 60, 60, 30, 30, 30, 30, 30, 30], ["", "", "firing", *[""] * 6]),
        ([4, 4, 4, 4, 4, 4], [""] * 6),
    ],
    ids=str,
)
def test_an_alert_fires_and_ends_after_its_time(values: list[float], said: list[str]) -> None:
    assert judged(PipelineJudge(), *values) == said


def test_a_value_that_swings_around_the_edge_is_one_alert() -> None:
    said = judged(PipelineJudge(), 60, 60, 60, *[40, 70] * 50)
    assert [one for one in said if one] == ["firing"]


def test_the_end_has_the_fingerprint_of_its_beginning() -> None:
    judge = PipelineJudge()
    judged(judge, 60, 60)
    fired = judge.judge(RULE, WORKER, 61, 10, "worker is late")
    judged(judge, 0, 0, 0, 0, start_ms=15)
    ended = judge.judge(RULE, WORKER, 0, 35, "")
    assert fired
    assert ended
    assert fired.fingerprint == ended.fingerprint
    assert (ended.starts_at_ms, ended.ends_at_ms) == (10, 35)
    assert ended.summary == "worker is late"


def test_each_consumer_is_judged_by_itself() -> None:
    judge = PipelineJudge()
    for at_ms in (0, 5, 10):
        one = judge.judge(RULE, {"consumer": "a"}, 60, at_ms, "a")
        other = judge.judge(RULE, {"consumer": "b"}, 0, at_ms, "b")
    assert one
    assert other is None
    assert judge.firing(RULE) == [{"consumer": "a"}]


def recalled(*said: Alert | None) -> PipelineJudge:
    judge = PipelineJudge()
    for alert in said:
        if alert:
            judge.recall(alert)
    return judge


def test_a_judge_that_recalls_a_firing_alert_does_not_fire_it_again_and_ends_it() -> None:
    first = PipelineJudge()
    fired = [first.judge(RULE, WORKER, 60, at_ms, "late") for at_ms in (0, 5, 10)]
    later = recalled(*fired)
    assert judged(later, 60, 60, 60, 60, start_ms=100) == [""] * 4
    assert judged(later, 0, 0, 0, 0, 0, start_ms=200) == ["", "", "", "", "resolved"]


def test_a_judge_that_recalls_an_ended_alert_may_fire_anew() -> None:
    first = PipelineJudge()
    said = [first.judge(RULE, WORKER, 60, at_ms, "late") for at_ms in (0, 5, 10)]
    said += [first.judge(RULE, WORKER, 0, at_ms, "") for at_ms in (15, 20, 25, 30, 35)]
    assert [one.status for one in said if one] == ["firing", "resolved"]
    assert judged(recalled(*said), 60, 60, 60, start_ms=100) == ["", "", "firing"]


def test_alerts_of_others_are_none_of_its_business() -> None:
    stranger = Alert(
        fingerprint="orders_per_hour:1",
        status="firing",
        name="orders_per_hour",
        severity="critical",
        starts_at_ms=1,
        summary="",
        labels=WORKER,
    )
    assert recalled(stranger).firing(Rules().lag) == []
