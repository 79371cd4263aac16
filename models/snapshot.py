"""Snapshots of shared models: what each model's is, how it stands on its topic, what refuses it.

Versions of a model are counted from 1 and all kept; which one is in use, the log says (`Adopted`,
ARCHITECTURE.md, decision 13).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import xxhash

from models import hazard, ranking, segments
from models.events import ModelName
from models.hazard import BadSnapshot, HazardSnapshot
from models.playbook import edition
from models.playbook.edition import Edition
from models.ranking import RankingSnapshot
from models.segments import SegmentsSnapshot

Snapshot = HazardSnapshot | RankingSnapshot | SegmentsSnapshot | Edition


class Kind(NamedTuple):
    """What a model's snapshots are, and what raises BadSnapshot for one that must not be used.

    `opened` makes of one what the fold works with; it, too, raises BadSnapshot.
    """

    struct: type[Any]
    check: Callable[[Any], None]
    opened: Callable[[Any], Any] = lambda snapshot: snapshot


KINDS: dict[str, Kind] = {
    "hazard": Kind(HazardSnapshot, hazard.check),
    "ranking": Kind(RankingSnapshot, ranking.check),
    "segments": Kind(SegmentsSnapshot, segments.check),
    "playbook": Kind(Edition, edition.check, edition.opened),
}
"""Every shared model and the playbook, by the name that stands in the log."""


class SnapshotRecord(msgspec.Struct, frozen=True):
    """A version of a model as it stands on topic `snapshots`."""

    model: ModelName
    checksum: str
    snapshot: Any


class AdoptedWord(msgspec.Struct, frozen=True):
    """Word on topic `control`: which version is in use, since when, and whether it is held."""

    version: int
    at_ms: int
    pinned: bool = False


class _Unread(msgspec.Struct):
    model: ModelName
    checksum: str
    snapshot: msgspec.Raw


def checksum(snapshot: Snapshot) -> str:
    """Fingerprint of a snapshot's content, as the adoption record carries it."""
    return xxhash.xxh3_64_hexdigest(msgspec.json.encode(snapshot))


def recorded(model: ModelName, snapshot: Snapshot) -> SnapshotRecord:
    """Make a snapshot's record, with the checksum of its content."""
    return SnapshotRecord(model, checksum(snapshot), snapshot)


def read_record(raw: bytes) -> SnapshotRecord:
    """Read a record of topic `snapshots`.

    Raises msgspec.MsgspecError for what is none, and for one of a model this release doesn't know.
    """
    unread = msgspec.json.decode(raw, type=_Unread)
    snapshot = msgspec.json.decode(unread.snapshot, type=KINDS[unread.model].struct)
    return SnapshotRecord(unread.model, unread.checksum, snapshot)


def refusal(record: SnapshotRecord) -> str:
    """Why a version must not be used; empty when it may."""
    try:
        KINDS[record.model].check(record.snapshot)
    except BadSnapshot as error:
        return str(error)
    fits = checksum(record.snapshot) == record.checksum
    return "" if fits else "its checksum does not fit its content"


def adopted_key(model: str) -> bytes:
    """Key of a model's AdoptedWord on topic `control`."""
    return b"adopted:" + model.encode()
