"""What a step may look at besides the row: where it stands in the log, and what was adopted."""

from dataclasses import dataclass, field

from models import segments
from models.hazard import NOTHING_LEARNED, HazardSnapshot
from models.playbook.rulebook import Rulebook
from models.segments import SegmentsSnapshot


@dataclass(slots=True)
class View:
    """One record's place, the partition's time and the partition's adopted snapshots.

    `now_ms` is the time of the partition's last mark; `logged_at_ms` the wall time at which the
    broker took the record; `token` the customer's. (Not a msgspec struct: those take three times as
    long to set a field.) `rulebook` is the adopted playbook, None where none ever was; `spent` what
    the partition gave away of each offer's budget: since when, cents, coupons.
    """

    incarnation: int
    partition: int
    partitions: int
    offset: int = 0
    logged_at_ms: int = 0
    now_ms: int = 0
    hazard: HazardSnapshot = NOTHING_LEARNED
    segments: SegmentsSnapshot = segments.NOTHING_LEARNED
    rulebook: Rulebook | None = None
    playbook_version: int = 0
    spent: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    next_index: int = 0

    def index(self) -> int:
        """Number the effects of one record and customer."""
        self.next_index += 1
        return self.next_index - 1
