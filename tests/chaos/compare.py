"""What there is against what there must be, as counters that are all 0 when nothing went wrong."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
import orjson

from models.customer import Customer
from models.effects import Action, Decided, EventFolded, Fact, Merged, TierChanged
from models.events import Event, MessageBounced, OrderCompleted, decode
from models.item_knowledge import ItemKnowledge
from models.item_rows import put_row
from models.profile import profile_of
from models.snapshot import KINDS, read_record
from sinks.dispatch_delivery import EXPIRED
from sinks.redis_profiles import folded_at_ms
from streams.hazard_pupil import HazardPupil
from streams.learner_fold import LearnerFold
from streams.ranking_pupil import RankingPupil
from streams.segments_pupil import SegmentsPupil
from streams.topics import EVENTS, SNAPSHOTS
from tests.builders import listed
from tests.chaos.harvest import TABLES, Topics, Warehouse
from tests.chaos.oracle import Oracle, effects_by_value, facts_by_value, passed_on

EXAMPLES = 5


@dataclass
class Counters:
    """The verdict; `examples` tells the first few of each kind."""

    lost: int = 0
    duplicated: int = 0
    state_mismatches: int = 0
    actions_missing: int = 0
    actions_twice: int = 0
    clickhouse_extra: int = 0
    clickhouse_missing: int = 0
    dead_letters_missing: int = 0
    dead_letters_extra: int = 0
    overspent: int = 0
    refused_early: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, counter: str, what: str, found: Iterable[Any], times: int | None = None) -> None:
        """Count what was found under a counter, with a word on what it is."""
        listed = list(found)
        number = len(listed) if times is None else times
        if number:
            setattr(self, counter, getattr(self, counter) + number)
            told = self.examples.setdefault(counter, [])
            told += [f"{what}: {str(one)[:400]}" for one in listed[:EXAMPLES]]

    @property
    def numbers(self) -> dict[str, int]:
        """The counters alone."""
        return {name: value for name, value in asdict(self).items() if name != "examples"}

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong."""
        return not any(self.numbers.values())

    def differ(
        self, what: str, there: Counter[Any], due: Counter[Any], less: str, more: str
    ) -> None:
        """Count both ways in which two multisets differ."""
        missing, extra = due - there, there - due
        self.add(less, f"missing {what}", missing, missing.total())
        self.add(more, f"extra {what}", extra, extra.total())


def compare_log(counters: Counters, topics: Topics, oracle: Oracle, folded: list[Any]) -> None:
    """What the workers made of the log: rows, clocks and every output topic."""
    for token in oracle.customers.keys() | topics.rows.keys():
        due, there = oracle.customers.get(token), topics.rows.get(token)
        if not _same(due, there):
            counters.add("state_mismatches", f"row {token}", [_difference(due, there)])
    for partition, clock in oracle.clocks.items():
        if topics.clocks.get(partition) != clock:
            both = [f"{topics.clocks.get(partition)} is not {clock}"]
            counters.add("state_mismatches", f"clock of {partition}", both)
    written = [one for one in map(_event_of, folded) if one is not None and _by_fold(one)]
    for what, there, due in (
        ("fact", facts_by_value(topics.facts), facts_by_value(oracle.facts)),
        ("lesson", effects_by_value(topics.lessons), effects_by_value(oracle.lessons)),
        ("hour", effects_by_value(topics.hours), effects_by_value(oracle.hours)),
        ("record passed on", passed_on(written), passed_on(oracle.for_log)),
    ):
        counters.differ(what, there, due, "lost", "duplicated")
    ids = Counter(str(_id_of(fact)) for fact in topics.facts if isinstance(fact, EventFolded))
    twice = {name: times for name, times in ids.items() if times > 1}
    counters.add("duplicated", "event folded more than once", twice.items())
    counters.differ(
        "action",
        Counter(one.action_id for one in topics.actions),
        Counter(one.action_id for one in oracle.actions),
        "actions_missing",
        "actions_twice",
    )


def compare_budgets(counters: Counters, topics: Topics) -> None:
    """No more coupons of an offer than the budget, and none refused while there were some left.

    It is asked of the receipts alone, and of budgets for good.
    """
    books = {
        one.snapshot.version: KINDS[one.model].opened(one.snapshot).book
        for one in topics.snapshots
        if one.model == "playbook"
    }
    for name in {name for book in books.values() for name in book.offers}:
        most = {
            version: found.budget.coupons
            for version, book in books.items()
            if (found := book.offers.get(name)) and found.budget and not found.budget.per_ms
        }
        if not most or None in most.values():
            continue
        given = decisions(topics, "sent", name)
        counters.add("overspent", f"{name} beyond {most}", given[max(most.values()) :])
        refused = decisions(topics, "out_of_budget", name)
        early = [one for one in refused if len(given) < most.get(one.playbook_version, 0)]
        counters.add("refused_early", f"{len(given)} {name} of {most} given", early)


def decisions(topics: Topics, status: str, offer: str = "") -> list[Decided]:
    """Receipts of this status about a coupon, of one offer or of any."""
    return [
        fact
        for fact in topics.facts
        if isinstance(fact, Decided)
        and fact.status == status
        and (fact.offer == offer if offer else bool(fact.offer))
    ]


def compare_learner(counters: Counters, topics: Topics, partitions: int) -> None:
    """Snapshots and their adoptions: what one pass over the lessons gives, each once."""
    fold = LearnerFold(
        adopt_every_days=1,
        adopt_segments_every_days=1,
        events_partitions=partitions,
        topic_of=str,
        pupils=[HazardPupil(), RankingPupil(), SegmentsPupil()],
    )
    for record in topics.lesson_records:
        list(fold.fold(record, frozenset()))
    interval = fold.seal()
    outputs = listed(interval.outputs)
    records = [read_record(one.value) for one in outputs if one.topic == SNAPSHOTS]
    due = Counter(msgspec.json.encode(record) for record in records)
    # Editions of the playbook are people's, not the learner's.
    learned = [one for one in topics.snapshots if one.model != "playbook"]
    there = Counter(msgspec.json.encode(record) for record in learned)
    counters.differ("snapshot", there, due, "state_mismatches", "state_mismatches")
    adopted = Counter(
        one.value
        for one in topics.events
        if b'"adopted"' in (one.value or b"") and b'"playbook"' not in one.value
    )
    adoptions_due = Counter(one.value for one in outputs if one.topic == EVENTS)
    counters.differ("adoption", adopted, adoptions_due, "lost", "duplicated")
    there, due = (Counter(_learned(rows)) for rows in (topics.learned.items(), interval.rows))
    counters.differ("learned row", there, due, "state_mismatches", "state_mismatches")


def _learned(rows: Iterable[tuple[bytes, bytes | None]]) -> Iterator[tuple[Any, bytes]]:
    """Rows of the learner's table; those of items, which have landmarks of their own, as of one."""
    knowledge = ItemKnowledge()
    for key, row in rows:
        if row is not None and not put_row(knowledge, key, row):
            yield key, row
    for ref, place in knowledge.index.items():
        yield ref, msgspec.msgpack.encode(knowledge.row(place))
    yield "shop", msgspec.msgpack.encode(knowledge.shop)


def compare_door(counters: Counters, taken: set[str], records: list[Any]) -> None:
    """What the gateway said yes to must stand in the log."""
    there = {event.id for event in map(_event_of, records) if event is not None}
    counters.add("lost", "taken at the door, not in the log", sorted(taken - there))


def compare_letters(
    counters: Counters,
    topics: Topics,
    oracle: Oracle,
    buried: Counter[str],
    tries: Counter[str],
    taken: set[str],
) -> None:
    """Dead letters: the worker's exactly, the gateway's once a try at most and once at least."""
    counters.differ(
        "dead letter of the worker",
        Counter((one.partition, one.offset) for one in topics.letters if one.source == "worker"),
        Counter(oracle.unreadable),
        "dead_letters_missing",
        "dead_letters_extra",
    )
    counters.add("dead_letters_missing", "garbage not buried", sorted(taken - buried.keys()))
    extra = {name: n for name, n in buried.items() if n > tries[name]}
    counters.add("dead_letters_extra", "buried more often than sent", extra.items())
    others = [one for one in topics.letters if one.source not in ("worker", "gateway")]
    counters.add("dead_letters_extra", "dead letter nobody meant", others)


def expired(records: list[Any], actions: Iterable[Action]) -> set[str]:
    """Actions whose moment had passed in the log's own time before anybody could send them."""
    ends_ms = {action.action_id: action.expires_at_ms for action in actions}
    return {
        event.action_id
        for event in map(_event_of, records)
        if isinstance(event, MessageBounced)
        and event.reason == EXPIRED
        and event.occurred_at_ms >= ends_ms.get(event.action_id, event.occurred_at_ms + 1)
    }


def compare_provider(counters: Counters, deliveries: Counter[str], due: Iterable[Action]) -> None:
    """Every action that is due reached its customer once, and nothing else did."""
    names = {one.action_id for one in due}
    counters.add("actions_missing", "not delivered", sorted(names - deliveries.keys()))
    counters.add("actions_twice", "delivered and never decided", sorted(deliveries.keys() - names))
    often = {name: n for name, n in deliveries.items() if n > 1}
    counters.add(
        "actions_twice", "delivered twice", often.items(), sum(often.values()) - len(often)
    )


def compare_warehouse(
    counters: Counters, warehouse: Warehouse, topics: Topics, oracle: Oracle
) -> None:
    """Every table against the oracle's facts; the views' sums against its numbers."""
    due = _rows_due(oracle, topics)
    for table in TABLES:
        counters.differ(
            f"row of {table}",
            warehouse.rows(table),
            due.get(table, Counter()),
            "clickhouse_missing",
            "clickhouse_extra",
        )
    history = warehouse.count("profile_history") - topics.row_records
    if history:
        more = "clickhouse_extra" if history > 0 else "clickhouse_missing"
        counters.add(more, "rows of profile_history", [history], abs(history))
    sums, sums_due = warehouse.sums(), _sums_due(oracle)
    for name in sums.keys() | sums_due.keys():
        apart = sums.get(name, 0) - sums_due.get(name, 0)
        if apart:
            more = "clickhouse_extra" if apart > 0 else "clickhouse_missing"
            counters.add(more, f"sum of {name} is apart by", [apart])
    now, now_due = warehouse.customers_now(), _customers_due(oracle)
    for token in now.keys() | now_due.keys():
        if now.get(token) != now_due.get(token):
            both = [f"{now.get(token)} is not {now_due.get(token)}"]
            counters.add("state_mismatches", f"customers_now {token}", both)


def compare_profiles(counters: Counters, profiles: dict[str, Any], oracle: Oracle) -> None:
    """Redis against the final states."""
    due = {
        token: orjson.loads(orjson.dumps(profile_of(row, folded_at_ms(row))))
        for token, row in oracle.customers.items()
        if row.events or row.merged_into
    }
    for token in profiles.keys() | due.keys():
        if profiles.get(token) != due.get(token):
            both = [f"{profiles.get(token)} is not {due.get(token)}"]
            counters.add("state_mismatches", f"profile {token}", both)


def _rows_due(oracle: Oracle, topics: Topics) -> dict[str, Counter[tuple[Hashable, ...]]]:
    due: dict[str, Counter[tuple[Hashable, ...]]] = {name: Counter() for name in TABLES}
    for fact in oracle.facts:
        _add_rows(due, fact)
    due["actions"].update((a.action_id, a.customer, a.rule, a.occasion) for a in oracle.actions)
    due["coupon_verdicts"].update(
        (one.code, one.outcome, one.currency, one.partition, one.offset, one.index)
        for one in topics.verdicts
        if one.outcome != "looked_at"
    )
    due["dead_letters"].update((one.source, one.partition, one.offset) for one in topics.letters)
    return due


def _add_rows(due: dict[str, Counter[tuple[Hashable, ...]]], fact: Fact) -> None:
    who, at_ms, place = fact.customer, fact.at_ms, (fact.partition, fact.offset)
    if isinstance(fact, EventFolded):
        event = _folded(fact)
        due["events"][*place, who, event.id, fact.type] += 1
        if isinstance(event, OrderCompleted):
            order = (event.total_cents, fact.order_state, fact.order_number)
            due["orders"][who, event.order_id, at_ms, *order] += 1
            for number, line in enumerate(event.lines):
                due["order_lines"][who, event.order_id, number, line.product_id, at_ms] += 1
    elif isinstance(fact, TierChanged):
        due["tier_changes"][who, at_ms, fact.from_tier, fact.to_tier] += 1
    elif isinstance(fact, Decided):
        due["decisions"][fact.action_id, fact.verdict, *place, fact.index] += 1
    elif isinstance(fact, Merged):
        due["merges"][who, fact.origin, at_ms] += 1


def _sums_due(oracle: Oracle) -> dict[str, int]:
    due: Counter[str] = Counter({"orders: orders": 0, "revenue: revenue": 0, "lines: lines": 0})
    for fact in oracle.facts:
        if not isinstance(fact, EventFolded):
            continue
        due[f"events by type: {fact.type}"] += 1
        event = _folded(fact)
        if isinstance(event, OrderCompleted) and fact.order_state != "repeated":
            due["orders: orders"] += 1
            due["revenue: revenue"] += event.total_cents
            due["lines: lines"] += len(event.lines)
    return due


def _customers_due(oracle: Oracle) -> dict[str, tuple[Any, ...]]:
    return {
        token: (
            row.events,
            row.orders,
            row.value_cents,
            row.tier,
            row.merged_into,
            row.messages_sent,
        )
        for token, row in oracle.customers.items()
        if row.events or row.merged_into
    }


def _event_of(record: Any) -> Event | None:
    try:
        event = decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return event if isinstance(event, Event) else None


def _folded(fact: EventFolded) -> Event:
    event = decode(bytes(fact.event))
    if not isinstance(event, Event):
        raise TypeError(f"a fact of {event!r}")
    return event


def _id_of(fact: EventFolded) -> str:
    return _folded(fact).id


def _by_fold(event: Event) -> bool:
    return bool(event.via) or event.id.startswith("absorbed:")


def _same(due: Customer | None, there: Customer | None) -> bool:
    if due is None or there is None:
        return due is there
    return msgspec.structs.replace(due, version=0) == msgspec.structs.replace(there, version=0)


def _difference(due: Customer | None, there: Customer | None) -> str:
    if due is None or there is None:
        return f"there {there is not None}, due {due is not None}"
    names = [
        name
        for name in due.__struct_fields__
        if name != "version" and getattr(due, name) != getattr(there, name)
    ]
    return ", ".join(f"{n}: {getattr(there, n)} is not {getattr(due, n)}" for n in names)
