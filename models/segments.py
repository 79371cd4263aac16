"""What the shop learned of how its customers divide: clusters, and edges of the tiers.

One snapshot holds both, since the same lessons teach them (`models/standing_notes.py`). Edges are
empty where the shop keeps its own, clusters while they do not hold still (`models/settling.py`).
"""

import msgspec

from models import clusters
from models.clusters import ClusterSnapshot
from models.hazard import BadSnapshot
from models.tier import TierEdges


class SegmentsSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the learner knew at the end of log day `trained_to_day`; version 0 knows nothing."""

    version: int = 0
    trained_to_day: int = 0
    lessons: int = 0
    clusters: ClusterSnapshot = clusters.NOTHING_LEARNED
    edges: TierEdges | None = None


NOTHING_LEARNED = SegmentsSnapshot()


def check(snapshot: SegmentsSnapshot) -> None:
    """Raise BadSnapshot for clusters without meaning, or edges that are none."""
    if snapshot.clusters != clusters.NOTHING_LEARNED:
        clusters.check(snapshot.clusters)
    edges = snapshot.edges
    if edges is None:
        return
    for name in ("high_value_cents", "potential_value_cents"):
        if getattr(edges, name) <= 0:
            raise BadSnapshot(f"edges, {name}: {getattr(edges, name)}, expected more than 0")
    for name in ("high_value_order_days", "potential_order_days"):
        if getattr(edges, name) < 1:
            raise BadSnapshot(f"edges, {name}: {getattr(edges, name)}, expected at least 1")
    if not 0.0 < edges.stay <= 1.0:
        raise BadSnapshot(f"edges, stay: {edges.stay}, expected a share of 1 at most")
