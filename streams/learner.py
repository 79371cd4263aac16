"""Role `learner`: learns from lessons, publishes snapshots, and watches orders per hour."""

from streams import topics
from streams.app import build_app, quiet_logging
from streams.broker import broker_reached
from streams.hazard_pupil import HazardPupil
from streams.lanes import Lane, Lanes
from streams.learner_fold import LearnerFold
from streams.loop import run_role
from streams.partition import LaneSpec
from streams.ranking_pupil import RankingPupil
from streams.segments_pupil import SegmentsPupil
from streams.settings import Settings
from streams.watch_fold import WatchFold
from streams.worker import run_app


def run(settings: Settings) -> None:
    """Learn and watch until SIGTERM or SIGINT."""
    run_role(_run(settings))


async def _run(settings: Settings) -> None:
    quiet_logging(settings.log_level)
    await broker_reached(settings.kafka_bootstrap)
    lanes = Lanes([lessons_lane(settings), metrics_lane(settings)])
    app = build_app(settings, "learner", lanes)
    await run_app(settings, "learner", app, lanes, [])


def lessons_lane(settings: Settings) -> Lane:
    """Wire the lane of the shared models' learners."""

    def make_fold(partition: int) -> LearnerFold:
        return LearnerFold(
            adopt_every_days=settings.adopt_every_days,
            adopt_segments_every_days=settings.adopt_segments_every_days,
            events_partitions=settings.partitions,
            topic_of=settings.named,
            pupils=[
                HazardPupil(dormant_after_days=settings.dormant_after_days or None),
                RankingPupil(),
                SegmentsPupil(learns_edges=settings.automatic_tiers),
            ],
        )

    return Lane(_spec(settings, topics.LESSONS, topics.LEARNER), make_fold)


def metrics_lane(settings: Settings) -> Lane:
    """Wire the lane of the orders alarm."""

    def make_fold(partition: int) -> WatchFold:
        return WatchFold(topic_of=settings.named)

    return Lane(_spec(settings, topics.METRICS, topics.WATCH), make_fold)


def _spec(settings: Settings, source: str, changelog: str) -> LaneSpec:
    return LaneSpec(
        bootstrap=settings.kafka_bootstrap,
        group=settings.named("learner"),
        source=settings.named(source),
        changelog=settings.named(changelog),
        transactional_prefix=settings.named(source),
        commit_interval_ms=settings.commit_interval_ms,
    )
