"""What a step may look at besides the row: where it stands in the log, and what was adopted."""

from dataclasses import dataclass, field

from models import segments
from models.hazard import NOTHING_LEARNED, HazardSnapshot
from models.partition_clock import PartitionClock
from models.playbook.rulebook import Rulebook
from models.segments import SegmentsSnapshot


@dataclass(slots=True)
class View:
    """One record's place, the partition's time and the partition's adopted snapshots.

    `now_ms` is the time of the partition's last mark; `logged_at_ms` the wall time at which the
    broker took the record; `token` the customer's. (Not a msgspec struct: those take three times as
    long to set a field.) `rulebook` is the adopted playbook, None where none ever was; `clock` the
    partition's own row, which numbers coupons and keeps its slices of the offers' budgets;
    `coupon_key` scatters the coupons' codes; `waited` names the purses that a step has asked.
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
    clock: PartitionClock = field(default_factory=PartitionClock)
    coupon_key: bytes = b""
    waited: list[str] = field(default_factory=list)
    next_index: int = 0

    def index(self) -> int:
        """Number the effects of one record and customer."""
        self.next_index += 1
        return self.next_index - 1
