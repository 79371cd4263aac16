"""The learner of clusters and of the tiers' edges, as a pupil of the lessons' fold."""

from collections.abc import Mapping

import msgspec

from models.clock import DAY_MS
from models.cluster_learner import CUSTOMERS_BEFORE_USE, ClusterLearner, LearnedClusters
from models.clusters import CLUSTERS, NOTHING_LEARNED
from models.customer_sample import Standing
from models.effects import CustomerStood
from models.events import ModelName
from models.segments import SegmentsSnapshot, check
from models.settling import Settling
from models.tier import TierEdges
from models.tier_edges import Spend, SpendSketches


class LearnedSegments(msgspec.Struct, kw_only=True):
    """Everything the pupil is, for its changelog; clusters of a row without `settling` are used."""

    version: int = 0
    lessons: int = 0
    clusters: LearnedClusters = msgspec.field(default_factory=LearnedClusters)
    spend: SpendSketches = msgspec.field(default_factory=SpendSketches)
    edges: TierEdges | None = None
    settling: Settling = msgspec.field(default_factory=lambda: Settling(is_over=True))


class SegmentsPupil:
    """Implements streams.pupil.Pupil; with `learns_edges` the tiers' edges are the shop's own."""

    model: ModelName = "segments"
    lesson_types = frozenset({CustomerStood})
    prefixes: tuple[bytes, ...] = ()

    def __init__(
        self, *, learns_edges: bool = False, clusters: int = CLUSTERS, seed: int = 1
    ) -> None:
        self._learns_edges = learns_edges
        self._number = clusters
        self._seed = seed
        self._take(LearnedSegments(settling=Settling()))

    def _take(self, learned: LearnedSegments) -> None:
        self._learned = learned
        self._clusters = ClusterLearner(learned.clusters, clusters=self._number, seed=self._seed)

    @property
    def version(self) -> int:
        """The last version that it gave."""
        return self._learned.version

    @property
    def lessons(self) -> int:
        """How many lessons were learned; too few customers are none yet."""
        return self._learned.lessons if self._clusters.customers >= CUSTOMERS_BEFORE_USE else 0

    def examine(self, lesson: CustomerStood) -> None:
        """Every lesson that can be read can be learned."""

    def learn(self, lessons: list[CustomerStood]) -> None:
        """Learn one day's lessons; of one customer the partition's own order counts."""
        for lesson in sorted(lessons, key=lambda one: one.customer):
            standing = Standing(lesson.last_order_ms, lesson.orders, lesson.value_cents)
            self._clusters.learn(lesson.customer, standing)
            before, after = lesson.before, lesson.after
            self._learned.spend.move(
                None if before is None else Spend(*before),
                None if after is None else Spend(*after),
            )
        self._learned.lessons += len(lessons)
        self._learned.settling.learned(len(lessons))

    def snapshot(self, day: int) -> SegmentsSnapshot:
        """Give a new version; raises BadSnapshot when it must not be adopted."""
        learned = self._learned
        edges = self._edges()
        clusters = self._clusters.snapshot((day + 1) * DAY_MS)
        learned.settling.fitted(self._clusters.moved)
        made = SegmentsSnapshot(
            version=learned.version + 1,
            trained_to_day=day,
            lessons=learned.lessons,
            clusters=clusters if learned.settling.is_over else NOTHING_LEARNED,
            edges=edges,
        )
        check(made)
        learned.version, learned.edges = made.version, edges
        return made

    def _edges(self) -> TierEdges | None:
        if not self._learns_edges:
            return None
        published = self._learned.edges
        edges = self._learned.spend.edges(published or TierEdges())
        return edges if published or edges != TierEdges() else None

    def dump(self) -> LearnedSegments:
        """Everything it is."""
        return msgspec.structs.replace(self._learned, clusters=self._clusters.dump())

    def load(self, learned: bytes | None, rows: Mapping[bytes, bytes]) -> None:
        """Stand where `dump` stands."""
        known = LearnedSegments(settling=Settling())
        if learned is not None:
            known = msgspec.msgpack.decode(learned, type=LearnedSegments)
        self._take(known)

    def rows(self) -> list[tuple[bytes, bytes | None]]:
        """It has none beside its own."""
        return []
