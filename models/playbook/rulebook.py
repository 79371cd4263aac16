"""A playbook made ready for the fold: of all its rules an event touches its candidates only.

Rules are found by the kind of moment; those on an event by its type and then, by look-up, by one
simple filter each (`event.category == "shoes"`, `event.name in [...]`, `"x" in event.categories`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models import caps
from models.caps import Caps
from models.customer import RECENT_TYPES, Customer
from models.playbook.cel_compiler import compile_condition
from models.playbook.cel_parser import parse
from models.playbook.cel_tree import Binary, Field, Items, Literal, Logic, Node, fields_in
from models.playbook.conditions import customer_fields
from models.playbook.consistency import foundations_first
from models.playbook.event_fields import fields_of_events
from models.playbook.fields import (
    FORETOLD,
    MESSAGE_CHANNELS,
    SEGMENTS,
    STRING,
    STRINGS,
    TIERS,
    FieldKind,
    Scope,
)
from models.playbook.playbook import Playbook, Trigger
from models.playbook.program import Do, Program, compile_steps, fingerprint
from models.playbook.sending import Sending, sending_of, sent_on
from models.playbook.shop import Cap
from models.playbook.then import Branch, Give, Send, steps_in
from models.playbook.watching import TIER, whom_to_watch
from models.playbook.when import (
    OnCadence,
    OnEnteringSegment,
    OnEvent,
    OnHazard,
    OnLeavingSegment,
    OnRisingHazard,
    OnSilence,
    OnValue,
)
from models.segment_values import exponent_of
from models.triggers.places import shop_place

WATCHED = (OnEnteringSegment, OnLeavingSegment, OnHazard, OnRisingHazard, OnCadence)
"""Moments that may come by time alone, without being due: customers are looked at for them."""
ORDER = "order_completed"
Holds = Callable[[Scope], bool]
Fields = Mapping[str, FieldKind]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A trigger with its conditions compiled.

    `begins` is asked when the moment comes, `may_act` when the rule is to act, perhaps after a
    wait; `asks` are the fields of both (`begins_asks` of the first), `needs_foretelling` whether
    the hazard must be settled.
    `rule_print` tells the rule from what it was before it was changed; `stops` are the events that
    may end its waiting. `sendings` are the messages among its steps, by their places in `program`,
    `gifts` the offers that go with them. `ends` are the codes of what ends its first wait, but of
    orders (models/customer.py: RecentEvent).
    """

    name: str
    trigger: Trigger
    begins: Holds
    may_act: Holds
    asks: frozenset[str]
    program: Program
    rule_print: int
    stops: frozenset[str]
    begins_asks: frozenset[str]
    needs_foretelling: bool
    sendings: Mapping[int, Sending]
    gifts: tuple[str, ...]
    ends: frozenset[int]

    @property
    def priority(self) -> int:
        """Of two rules at the same moment the higher goes first."""
        return self.trigger.guard.priority

    @property
    def gives_coupons(self) -> bool:
        """Whether a step gives one."""
        steps = [op.step for op in self.program.ops if isinstance(op, Do)]
        return any(
            isinstance(step, Give) or (isinstance(step, Send) and bool(step.offer))
            for step in steps
        )


@dataclass(slots=True)
class _OfType:
    """Rules on one type of event: those to be asked always, and those behind a look-up."""

    always: list[Rule] = field(default_factory=list)
    filters: dict[str, tuple[FieldKind, dict[str, list[Rule]]]] = field(default_factory=dict)


class Rulebook:
    """The rules of one playbook; `segments` says by name who is in one.

    `minor_units` is how many of the smallest coin the shop's currency counts for one, for a Scope.
    `book` is the playbook itself, `caps` and `place` its caps and its shop made ready;
    `foretells_segments` says whether a segment asks for something foretold, `needs_segments`
    whether anything asks for segments; `silences` and `sums` are the rules of these kinds by their
    length and height, so that of many the few are found whose moment it is. `is_watched`: whether
    time alone may bring a moment, `is_looked_at` of whom (watching.py). `cadences` are
    the rules of that kind; where all that is watched goes by the tier, `beats` are the names of
    those that beat in each tier. `holidays_ahead` keeps what was looked up of the calendar, by time
    zone and country (models/triggers/standing.py).
    """

    def __init__(
        self,
        rules: Iterable[tuple[Rule, Node | None]],
        segments: Mapping[str, Holds],
        minor_units: int,
        book: Playbook,
        *,
        segment_fields: frozenset[str] = frozenset(),
    ) -> None:
        self.book = book
        self.place = shop_place(book)
        self.foretells_segments = not segment_fields.isdisjoint(FORETOLD)
        self.caps = Caps(_cap_of(cap) for cap in book.caps)
        self.segments = segments
        self.minor_units = minor_units
        self.rules: dict[str, Rule] = {}
        self._moments: dict[type, list[Rule]] = {}
        self._types: dict[str, _OfType] = {}
        self._stopped: dict[str, list[Rule]] = {}
        self.needs_segments = False
        self.holidays_ahead: dict[tuple[str, str], list[tuple[int, list[Any]]]] = {}
        self.silences: list[tuple[int, str, Rule]] = []
        self.sums: list[tuple[int, str, Rule]] = []
        for rule, tree in sorted(rules, key=lambda one: (-one[0].priority, one[0].name)):
            self.rules[rule.name] = rule
            self._moments.setdefault(type(rule.trigger.when), []).append(rule)
            self._index(rule, tree)
        self.cadences: Sequence[Rule] = self.at(OnCadence)
        self.crosses_segments = bool(self.at(OnEnteringSegment) or self.at(OnLeavingSegment))
        self.crosses_lines = bool(self.at(OnHazard) or self.at(OnRisingHazard))
        self.is_watched = any(self._moments.get(kind) for kind in WATCHED)
        asked = self._watched_fields(segment_fields)
        self.is_looked_at = whom_to_watch(asked)
        self.beats: Mapping[str, frozenset[str]] | None = None
        if self.is_watched and asked == {TIER}:
            self.beats = {tier: self._beating(tier) for tier in TIERS}
        self.beating = frozenset(rule.name for rule in self.cadences)
        self.silences.sort(key=_by_size)
        self.sums.sort(key=_by_size)

    def _watched_fields(self, segment_fields: frozenset[str]) -> frozenset[str]:
        """What the moments of watched rules hang on."""
        asked = frozenset[str]().union(*(rule.begins_asks for rule in self.cadences))
        if self.crosses_lines:
            asked |= FORETOLD
        if self.crosses_segments or SEGMENTS in asked:
            asked |= segment_fields
        return asked - {SEGMENTS}

    def _beating(self, tier: str) -> frozenset[str]:
        scope = Scope(Customer(tier=tier), 0)
        return frozenset(rule.name for rule in self.cadences if rule.begins(scope))

    def _index(self, rule: Rule, tree: Node | None) -> None:
        when = rule.trigger.when
        if isinstance(when, OnEvent):
            for name in dict.fromkeys(when.event):
                self._place(rule, name, tree)
        elif isinstance(when, OnSilence):
            self.silences.append((when.silence_ms, rule.name, rule))
        elif isinstance(when, OnValue):
            self.sums.append((when.value_reaches_cents, rule.name, rule))
        if isinstance(when, OnEnteringSegment | OnLeavingSegment) or SEGMENTS in rule.asks:
            self.needs_segments = True
        for name in rule.stops:
            self._stopped.setdefault(name, []).append(rule)

    def _place(self, rule: Rule, event: str, tree: Node | None) -> None:
        of_type = self._types.setdefault(event, _OfType())
        found = simple_filter(tree, fields_of_events((event,))) if tree else None
        if found is None:
            of_type.always.append(rule)
            return
        name, kind, values = found
        _, rules = of_type.filters.setdefault(name, (kind, {}))
        for value in values:
            rules.setdefault(value, []).append(rule)

    def candidates(self, event: str, scope: Scope) -> list[Rule]:
        """Rules that this event may begin, the highest priority first; conditions are not asked."""
        of_type = self._types.get(event)
        if of_type is None:
            return []
        found = list(of_type.always)
        for kind, rules in of_type.filters.values():
            value = kind.read(scope)
            for one in dict.fromkeys(value) if kind.type == STRINGS else (value,):
                found += rules.get(one, ())
        if len(found) > 1:
            found.sort(key=_order)
        return found

    def without_filter(self, event: str) -> Sequence[Rule] | None:
        """Give the same where they are the same for every such event; None where they are not."""
        of_type = self._types.get(event)
        if of_type is None:
            return ()
        return None if of_type.filters else of_type.always

    def is_about(self, event: str) -> bool:
        """Whether such an event may begin anything, or end what waits."""
        return event in self._types or event in self._stopped

    def may_stop(self, event: str) -> bool:
        """Whether such an event may end what waits."""
        return event in self._stopped

    def at(self, moment: type) -> Sequence[Rule]:
        """Rules of one kind of moment (`when.py`), the highest priority first."""
        return self._moments.get(moment, ())

    def stopped_by(self, event: str) -> tuple[Rule, ...]:
        """Rules whose waiting such an event may end."""
        return tuple(self._stopped.get(event, ()))

    def segments_of(self, scope: Scope) -> tuple[str, ...]:
        """Segments the customer is in; those that rest on others come after them."""
        for name, holds in self.segments.items():
            if holds(scope):
                scope.segments = (*scope.segments, name)
        return scope.segments


def _by_size(one: tuple[int, str, Rule]) -> tuple[int, str]:
    return one[:2]


def _order(rule: Rule) -> tuple[int, str]:
    return -rule.priority, rule.name


def compile_playbook(book: Playbook) -> Rulebook:
    """Rules of a playbook that was checked."""
    fields = customer_fields(tuple(book.segments))
    trees = {name: parse(segment.if_) for name, segment in book.segments.items()}
    segments = {name: compile_condition(trees[name], fields) for name in foundations_first(trees)}
    rules = [
        _rule(name, trigger, fields, book)
        for name, trigger in book.triggers.items()
        if trigger.enabled
    ]
    exponent = exponent_of(book.shop.currency) if book.shop else 2
    asked = frozenset[str]().union(*map(fields_in, trees.values()))
    return Rulebook(rules, segments, 10**exponent, book, segment_fields=asked)


def _cap_of(cap: Cap) -> caps.Cap:
    channels = cap.channels or MESSAGE_CHANNELS
    return caps.Cap(cap.at_most, cap.per_ms, tuple(sent_on(one, cap.consent) for one in channels))


def _rule(name: str, trigger: Trigger, fields: Fields, book: Playbook) -> tuple[Rule, Node | None]:
    when, guard = trigger.when, trigger.guard
    events = when.event if isinstance(when, OnEvent) else ()
    own = when.while_ if isinstance(when, OnCadence) else getattr(when, "if_", "")
    begins = _joined([own] if own else [])
    may_act = _joined(
        [
            *([f"customer.tier in [{_quoted(guard.tiers)}]"] if guard.tiers else []),
            *(
                [" || ".join(f"'{one}' in customer.segments" for one in guard.segments)]
                if guard.segments
                else []
            ),
            *([guard.if_] if guard.if_ else []),
        ]
    )
    with_event = {**fields, **fields_of_events(events)}
    program = compile_steps(name, trigger.then, lambda text: _compiled(parse(text), fields))
    stops = when.unless if isinstance(when, OnEvent) else ()
    stops = when.until if isinstance(when, OnCadence) else stops
    asks = _asked(begins) | _asked(may_act) | _asked_in(trigger)
    sends = {
        at: op.step
        for at, op in enumerate(program.ops)
        if isinstance(op, Do) and isinstance(op.step, Send)
    }
    rule = Rule(
        name,
        trigger,
        _compiled(begins, with_event),
        _compiled(may_act, fields),
        asks,
        program,
        fingerprint(trigger),
        program.stops.union(stops),
        _asked(begins),
        not asks.isdisjoint(FORETOLD),
        {at: sending_of(step, book) for at, step in sends.items()},
        tuple(step.offer for step in sends.values() if step.offer),
        _codes_of(when.unless) if isinstance(when, OnEvent) else frozenset(),
    )
    return rule, begins


def _codes_of(events: Iterable[str]) -> frozenset[int]:
    wanted = {name for name in events if name != ORDER}
    return frozenset(code for code, name in enumerate(RECENT_TYPES) if name in wanted)


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _asked(tree: Node | None) -> frozenset[str]:
    return fields_in(tree) if tree else frozenset()


def _asked_in(trigger: Trigger) -> frozenset[str]:
    """Fields that conditions among the steps ask for."""
    branches = [step for _, step in steps_in(trigger.then, ()) if isinstance(step, Branch)]
    return frozenset[str]().union(*(fields_in(parse(step.if_)) for step in branches))


def _joined(texts: list[str]) -> Node | None:
    trees = tuple(map(parse, texts))
    return None if not trees else trees[0] if len(trees) == 1 else Logic(0, "&&", trees)


def _compiled(tree: Node | None, fields: Fields) -> Holds:
    return compile_condition(tree, fields) if tree else always


def always(scope: Scope) -> bool:
    """Where a rule asks no condition."""
    return True


def simple_filter(tree: Node, fields: Fields) -> tuple[str, FieldKind, frozenset[str]] | None:
    """A field of the event and the words of which it must be, or hold, one: else it can't begin."""
    if isinstance(tree, Logic) and tree.sign == "&&":
        found = [one for part in tree.parts if (one := simple_filter(part, fields))]
        return found[0] if found else None
    if not isinstance(tree, Binary):
        return None
    words: frozenset[str] | None = None
    left, right = tree.left, tree.right
    if tree.sign == "==":
        if isinstance(left, Literal):
            left, right = right, left
        words = _words(right)
    elif tree.sign == "in" and isinstance(right, Field):
        left, words = right, _words(left)
    elif tree.sign == "in" and isinstance(right, Items):
        each = [_words(item) for item in right.items]
        words = None if None in each else frozenset().union(*(one for one in each if one))
    kind = fields.get(left.name) if isinstance(left, Field) else None
    if words is None or kind is None or kind.optional or not isinstance(left, Field):
        return None
    if not left.name.startswith("event.") or kind.type not in (STRING, STRINGS):
        return None
    return left.name, kind, words


def _words(node: Any) -> frozenset[str] | None:
    is_word = isinstance(node, Literal) and isinstance(node.value, str)
    return frozenset({node.value}) if is_word else None
