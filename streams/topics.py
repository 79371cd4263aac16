"""Every topic: who writes it, who reads it, how long it is kept. Start here to follow an event.

gateway, replay, dispatcher --> events --> worker --> customers (changelog), facts, actions,
                                   ^                  lessons, metrics, dead letters
learner (adoptions), worker (marks, merges, answers of purses) --+
customers --> Redis and ClickHouse profiles       facts --> ClickHouse
gateway, worker --> coupons --> worker --> coupons-changelog, coupon-verdicts --> gateway
actions --> dispatcher    lessons --> learner     metrics --> watch --> alerts --> alert sinks
"""

from dataclasses import dataclass

FOR_EVER_MS = -1
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Topic:
    """One topic as it must be on the broker; `partitions` None: as many as `events` has."""

    name: str
    writers: str
    readers: str
    partitions: int | None = None
    compacted: bool = False
    retention_ms: int = FOR_EVER_MS
    append_time: bool = False

    def config(self) -> dict[str, str]:
        """Topic settings for the broker.

        History keeps its own time stamps, so age-based deletion must never meet it
        (ARCHITECTURE.md, decision 11).
        """
        config = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(self.retention_ms),
            "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime" if self.append_time else "CreateTime",
        }
        if self.compacted:
            config["min.cleanable.dirty.ratio"] = "0.3"
            config["segment.ms"] = str(DAY_MS)
        return config


EVENTS = "events"
CUSTOMERS = "customers"
FACTS = "facts"
ACTIONS = "actions"
LESSONS = "lessons"
LEARNER = "learner-changelog"
SNAPSHOTS = "snapshots"
METRICS = "metrics"
WATCH = "watch-changelog"
ALERTS = "alerts"
DEAD_LETTERS = "dead-letters"
CONTROL = "control"
COUPONS = "coupons"
COUPON_TABLE = "coupons-changelog"
COUPON_VERDICTS = "coupon-verdicts"

TOPICS: tuple[Topic, ...] = (
    Topic(EVENTS, "gateway, replay, dispatcher, worker, learner, models, playbook", "worker"),
    Topic(
        CUSTOMERS, "worker", "worker (recovery), profile sinks", compacted=True, append_time=True
    ),
    Topic(FACTS, "worker", "ClickHouse sink", retention_ms=30 * DAY_MS, append_time=True),
    Topic(ACTIONS, "worker", "dispatcher", retention_ms=30 * DAY_MS, append_time=True),
    Topic(LESSONS, "worker, models", "learner", partitions=1),
    Topic(
        LEARNER,
        "learner",
        "learner (recovery), web (items)",
        partitions=1,
        compacted=True,
        append_time=True,
    ),
    Topic(SNAPSHOTS, "learner, playbook", "workers, web", partitions=1),
    Topic(METRICS, "worker", "watch", partitions=1, retention_ms=30 * DAY_MS, append_time=True),
    Topic(WATCH, "watch", "watch (recovery)", partitions=1, compacted=True, append_time=True),
    Topic(
        ALERTS,
        "watch, worker, learner",
        "alert sinks",
        partitions=1,
        retention_ms=90 * DAY_MS,
        append_time=True,
    ),
    Topic(
        DEAD_LETTERS,
        "gateway, worker, dispatcher",
        "ClickHouse sink",
        retention_ms=90 * DAY_MS,
        append_time=True,
    ),
    Topic(
        CONTROL,
        "replay, learner, models, playbook",
        "all roles",
        partitions=1,
        compacted=True,
        append_time=True,
    ),
    Topic(COUPONS, "worker, gateway", "worker"),
    Topic(COUPON_TABLE, "worker", "worker (recovery)", compacted=True, append_time=True),
    Topic(
        COUPON_VERDICTS,
        "worker",
        "gateway, ClickHouse sink",
        retention_ms=30 * DAY_MS,
        append_time=True,
    ),
)
