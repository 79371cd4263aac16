"""When a reading of the pipeline becomes an alert and when it ends: slow to start and to stop."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from models.effects import Alert

SECOND_MS = 1_000


@dataclass(frozen=True)
class Rule:
    """What fires when a value was over one edge for a while, and ends when below another for one.

    At or over `fires_at` for `fires_after_ms` it fires, below `ends_below` for `ends_after_ms` it
    ends; in between nothing changes.
    """

    name: str
    severity: str
    fires_at: float
    fires_after_ms: int
    ends_below: float
    ends_after_ms: int


@dataclass(frozen=True)
class Rules:
    """The three edges.

    `lag` is in milliseconds that the oldest unread record has waited, `dead_letters` in letters a
    minute, `broker` in milliseconds without an answer.
    """

    lag: Rule = Rule("pipeline_lag", "warning", 60_000, 10_000, 10_000, 20_000)
    dead_letters: Rule = Rule("dead_letters", "warning", 10, 0, 2, 120_000)
    broker: Rule = Rule("broker_unreachable", "critical", 15_000, 0, 1_000, 10_000)


OURS = {rule.name for rule in (Rules.lag, Rules.dead_letters, Rules.broker)}

Labels = tuple[tuple[str, str], ...]


@dataclass
class _Watched:
    over_since_ms: int | None = None
    calm_since_ms: int | None = None
    firing: Alert | None = None


@dataclass
class PipelineJudge:
    """Remembers, per rule and labels, since when a value was over or calm, and what fires."""

    _watched: dict[tuple[str, Labels], _Watched] = field(default_factory=dict)

    def recall(self, alert: Alert) -> None:
        """Take over what an earlier judge said last; alerts of other names are none of ours."""
        if alert.name in OURS:
            watched = self._find(alert.name, alert.labels)
            watched.firing = alert if alert.status == "firing" else None

    def judge(
        self, rule: Rule, labels: dict[str, str], value: float, at_ms: int, summary: str
    ) -> Alert | None:
        """Take one reading at the wall time `at_ms`; the alert that fires or ends by it."""
        watched = self._find(rule.name, labels)
        over, calm = value >= rule.fires_at, value < rule.ends_below
        watched.over_since_ms = _since(watched.over_since_ms, over, at_ms)
        watched.calm_since_ms = _since(watched.calm_since_ms, calm, at_ms)
        if watched.firing is None and _held(watched.over_since_ms, rule.fires_after_ms, at_ms):
            watched.firing = _fired(rule, labels, value, at_ms, summary)
            return watched.firing
        if watched.firing and _held(watched.calm_since_ms, rule.ends_after_ms, at_ms):
            ended = _ended(watched.firing, value, at_ms)
            watched.firing = None
            return ended
        return None

    def firing(self, rule: Rule) -> Iterable[dict[str, str]]:
        """Labels of what fires by a rule now: these must be judged even when nothing is read."""
        return [
            dict(labels)
            for (name, labels), watched in self._watched.items()
            if name == rule.name and watched.firing
        ]

    def _find(self, name: str, labels: dict[str, str]) -> _Watched:
        return self._watched.setdefault((name, tuple(sorted(labels.items()))), _Watched())


def _since(since_ms: int | None, holds: bool, at_ms: int) -> int | None:
    if not holds:
        return None
    return at_ms if since_ms is None else since_ms


def _held(since_ms: int | None, for_ms: int, at_ms: int) -> bool:
    return since_ms is not None and at_ms - since_ms >= for_ms


def _fired(rule: Rule, labels: dict[str, str], value: float, at_ms: int, summary: str) -> Alert:
    about = ":".join(value for _, value in sorted(labels.items()))
    return Alert(
        fingerprint=":".join(part for part in (rule.name, about, str(at_ms)) if part),
        status="firing",
        name=rule.name,
        severity=rule.severity,
        starts_at_ms=at_ms,
        summary=summary,
        labels=labels,
        values={"value": value, "threshold": rule.fires_at},
    )


def _ended(alert: Alert, value: float, at_ms: int) -> Alert:
    return Alert(
        fingerprint=alert.fingerprint,
        status="resolved",
        name=alert.name,
        severity=alert.severity,
        starts_at_ms=alert.starts_at_ms,
        ends_at_ms=at_ms,
        summary=alert.summary,
        labels=alert.labels,
        values={**alert.values, "value": value},
    )
