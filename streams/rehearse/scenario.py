"""A scenario: what customers do and when, and what is expected to follow, as people write it.

    timezone: Asia/Taipei         # the shop's; without it the playbook's own
    locales: [en, zh-TW]          # played once in each, as the customers' language
    events:
      - at: 2026-02-01T10:00:00+08:00
        track: {event: Product Viewed, userId: c1, properties: {product_id: sku1}}
    until: 2026-03-10T00:00:00+08:00
    expect: [{rule: browse_reminder, customer_id: c1, at: 2026-02-02T10:05:00+08:00}]
    expect_rejected: [{rule: welcome, status: no_consent}]
    expect_none: [c2]             # customers who must get nothing
    expect_tiers: {c1: new}       # where they must stand at the end

Every mistake is told with its place, as a playbook's are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from models.playbook.closeness import closest, listed
from models.playbook.problem import Place, Problem, shown
from models.playbook.scalars import LOCALE, TIME_ZONE, Kind, Misread
from models.playbook.source import Mapping, Node, Scalar, Sequence, Unreadable, compose
from models.segment import Door, Rejected, parse
from models.segment_values import EARLIEST_MS
from streams.rehearse.body import part_at, plain, written

SOURCE = "rehearsal"
KINDS = ("identify", "track", "page", "screen", "group", "alias")
TOLD = (
    "at",
    "customer_id",
    "rule",
    "channel",
    "kind",
    "offer",
    "coupon",
    "status",
    "reason",
    "action_id",
)
"""What is told of an action, and so may be expected of one."""
_LATEST_MS = 4_102_444_800_000
_MOMENT = "a time such as 2026-02-01T10:00:00+08:00"


class Happening(NamedTuple):
    """A Segment body, as the gateway would get it at `at_ms`."""

    at_ms: int
    body: dict[str, Any]
    place: Place


class Wanted(NamedTuple):
    """What must be found: a customer's name or tier, or an action's values."""

    place: Place
    values: dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """One scenario without a mistake, its events in the order of time."""

    file: str
    time_zone: str
    locales: tuple[str, ...]
    happenings: tuple[Happening, ...]
    until_ms: int
    expect: tuple[Wanted, ...] = ()
    expect_rejected: tuple[Wanted, ...] = ()
    expect_none: tuple[Wanted, ...] = ()
    expect_tiers: tuple[Wanted, ...] = ()


class BadScenario(ValueError):
    """A scenario can't be played; `problems` says everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def read_scenario(file: str, raw: bytes, *, time_zone: str, currency: str) -> Scenario:
    """Read a scenario of a shop in that time zone, counting in that currency.

    Raises BadScenario with every mistake there is.
    """
    try:
        root, _ = compose(file, raw)
    except Unreadable as unreadable:
        raise BadScenario([unreadable.problem]) from None
    reading = _Reading(file, currency, time_zone)
    scenario = reading.scenario(root)
    if reading.problems:
        raise BadScenario(sorted(reading.problems, key=lambda one: one.place))
    return scenario


@dataclass
class _Reading:
    file: str
    currency: str
    time_zone: str
    problems: list[Problem] = field(default_factory=list)

    def scenario(self, root: Node | None) -> Scenario:
        keys = self._keys(root, tuple(_READERS), "a scenario: events, until")
        if zone := keys.get("timezone"):
            self.time_zone = self._word(TIME_ZONE, zone) or self.time_zone
        read = {key: reader(self, keys.get(key)) for key, reader in _READERS.items()}
        happenings = tuple(sorted(read["events"], key=lambda one: one.at_ms))
        until_ms = read["until"] or 0
        if until_ms and happenings and until_ms < happenings[-1].at_ms:
            self._wrong(keys["until"], "the scenario ends before its last event", "a later time")
        if "until" not in keys:
            self._wrong(root, "it is not said when the scenario ends", f"until: {_MOMENT}")
        return Scenario(
            file=self.file,
            time_zone=self.time_zone,
            locales=read["locales"],
            happenings=happenings,
            until_ms=until_ms,
            expect=read["expect"],
            expect_rejected=read["expect_rejected"],
            expect_none=read["expect_none"],
            expect_tiers=read["expect_tiers"],
        )

    def zone(self, _: Node | None) -> str:
        return self.time_zone

    def locales(self, node: Node | None) -> tuple[str, ...]:
        return tuple(
            word for item in self._items(node) if (word := self._word(LOCALE, item)) is not None
        )

    def happenings(self, node: Node | None) -> list[Happening]:
        if node is None:
            return []
        if not isinstance(node, Sequence):
            self._wrong(node, "here must be a list of events", "- at: TIME, and one event")
            return []
        read = (self._happening(item, number) for number, item in enumerate(node.items, 1))
        return [one for one in read if one is not None]

    def _happening(self, node: Node, number: int) -> Happening | None:
        keys = self._keys(node, ("at", *KINDS), f"at: TIME, and one of {listed(KINDS)}")
        if not keys:
            return None
        kinds = [kind for kind in KINDS if kind in keys]
        if len(kinds) != 1:
            said = "an event is missing here" if not kinds else "two events stand here"
            self._wrong(node, said, f"one of {listed(KINDS)}")
        if "at" not in keys:
            self._wrong(node, "it is not said when this happens", f"at: {_MOMENT}")
        at_ms = self.moment(keys.get("at"))
        if len(kinds) != 1 or at_ms is None:
            return None
        return self._taken(kinds[0], keys[kinds[0]], at_ms, number)

    def _taken(self, kind: str, node: Node, at_ms: int, number: int) -> Happening | None:
        """Have the gateway's own reading look at the body."""
        if not isinstance(node, Mapping):
            self._wrong(node, f"here must be a body of {kind}", "{userId: ..., ...}")
            return None
        body = {"messageId": f"{SOURCE}-{number}", **plain(node), "type": kind}
        parsed = parse(body, Door(received_at_ms=at_ms, currency=self.currency, source=SOURCE))
        if isinstance(parsed, Rejected):
            part = part_at(node, parsed.path)
            where = f"{parsed.path} of this body" if parsed.path else "this body"
            said = f"the gateway would refuse {where}: {parsed.got}"
            self._wrong(part, said, parsed.expected, value=parsed.got)
            return None
        return Happening(at_ms, body, node.place)

    def moment(self, node: Node | None) -> int | None:
        """Milliseconds of a time; without an offset it is the shop's time of day."""
        if node is None:
            return None
        try:
            at = datetime.fromisoformat(written(node).strip())
        except ValueError:
            self._wrong(node, f"{shown(written(node))!r} is no time", _MOMENT)
            return None
        aware = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(self.time_zone))
        at_ms = round(aware.astimezone(UTC).timestamp() * 1000)
        if not EARLIEST_MS <= at_ms <= _LATEST_MS:
            self._wrong(node, "no shop lives then", "a time in the years 2000 to 2099")
            return None
        return at_ms

    def wanted(self, node: Node | None) -> tuple[Wanted, ...]:
        """Actions that must appear, by what is said of them."""
        found = []
        for item in self._items(node):
            keys = self._keys(item, TOLD, f"keys of an action: {listed(TOLD, 20)}")
            values = {key: plain(value) for key, value in keys.items()}
            if "at" in keys:
                values["at"] = self.moment(keys["at"])
            if values:
                found.append(Wanted(item.place, values))
        return tuple(found)

    def names(self, node: Node | None) -> tuple[Wanted, ...]:
        """Customers by their names."""
        found = [Wanted(one.place, {"customer_id": written(one)}) for one in self._items(node)]
        for one in found:
            if not one.values["customer_id"]:
                self.problems.append(_problem(one.place, "here must be a customer's id", "c1"))
        return tuple(found)

    def tiers(self, node: Node | None) -> tuple[Wanted, ...]:
        """Customers with the tiers they must be in."""
        if node is None:
            return ()
        if not isinstance(node, Mapping):
            self._wrong(node, "here must be customers with their tiers", "{c1: new}")
            return ()
        return tuple(
            Wanted(key.place, {"customer_id": key.value, "tier": written(value)})
            for key, value in node.pairs
        )

    def _items(self, node: Node | None) -> tuple[Node, ...]:
        if node is None or (isinstance(node, Scalar) and node.is_empty):
            return ()
        return node.items if isinstance(node, Sequence) else (node,)

    def _word(self, kind: Kind, node: Node) -> str | None:
        try:
            return str(kind.parse(written(node), self.currency))
        except Misread as misread:
            self._wrong(node, misread.message, misread.expected, suggestion=misread.suggestion)
            return None

    def _keys(self, node: Node | None, known: tuple[str, ...], expected: str) -> dict[str, Node]:
        """Nodes of a mapping by their keys; what has no meaning here is told."""
        if not isinstance(node, Mapping):
            self._wrong(node, "here must be keys with values", expected)
            return {}
        found: dict[str, Node] = {}
        for key, value in node.pairs:
            if key.value not in known:
                meant = closest(key.value, set(known) - found.keys())
                said = f"there is no key {shown(key.value)!r} here"
                self._wrong(key, said, f"one of {listed(known, 20)}", suggestion=meant)
            elif key.value in found:
                self._wrong(key, f"{key.value!r} stands here twice", "each key once")
            else:
                found[key.value] = value
        return found

    def _wrong(
        self,
        node: Node | None,
        message: str,
        expected: str,
        *,
        value: str = "",
        suggestion: str = "",
    ) -> None:
        place = node.place if node is not None else Place(self.file)
        said = value or (written(node) if node is not None else "")
        self.problems.append(
            _problem(place, message, expected, value=shown(said), suggestion=suggestion)
        )


def _problem(
    place: Place, message: str, expected: str, *, value: str = "", suggestion: str = ""
) -> Problem:
    return Problem(
        place=place, message=message, expected=expected, value=value, suggestion=suggestion
    )


_READERS: dict[str, Callable[[_Reading, Node | None], Any]] = {
    "timezone": _Reading.zone,
    "locales": _Reading.locales,
    "events": _Reading.happenings,
    "until": _Reading.moment,
    "expect": _Reading.wanted,
    "expect_rejected": _Reading.wanted,
    "expect_none": _Reading.names,
    "expect_tiers": _Reading.tiers,
}
