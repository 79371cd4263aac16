"""What is kept for each customer, and what is read from it: the row and all that speaks of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from models import daybook, decay, dormancy, hazard, item_memory, merging, outlook, tier
from models.clock import DAY_MS, HOUR_MS
from models.customer import Customer, decode_row, encode_row
from models.daybook import DayBook
from models.decay import DecayedCounts
from models.effects import EventFolded
from models.events import (
    CouponApplied,
    CouponEnded,
    CouponIssued,
    CustomerIdentified,
    Erased,
    Line,
    MessageChannel,
    MessageOpened,
    MessageSent,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    PageViewed,
    ProductAdded,
    ProductReviewed,
    ProductsSearched,
    ProductViewed,
    ProductWished,
    ReturnRequested,
    TicketClosed,
    TicketOpened,
    Tracked,
)
from models.events import encode as encode_event
from models.hazard import HazardSnapshot
from models.item_memory import CARTED, SPOILT, VIEWED, WISHED, ItemMemory, item_ref
from models.profile import profile_of
from models.step import ForLog, step
from models.view import View
from tests.builders import fire_due, make, snapshot, view_at
from tests.laws.laws import LAST_MS, START_MS, Merging, Moment, Subject
from tests.laws.strategies import events

# Learned, with edges: what a shop has after its first months.
LEARNED = snapshot(
    weights=(0.3, -0.4, -0.05, 0.02, 0.3, 0.1, 0.2, 0.4, 0.01, 0.2, -0.5), edges=(0.6, 0.3, 0.07)
)
OF_THE_ROW = "a part of the row, erased with it (subject customer)"
JSON_HAS_NO_WORD = (
    "its numbers come through JSON, which has no word for what is no number; "
    "test_no_number_that_is_none_comes_through_the_door holds it to that"
)
KEEPS_NOTHING = "keeps nothing of its own, it reads the row (subject customer)"
WHOLE_NUMBERS = "takes whole numbers alone"
MOMENTS = st.one_of(
    st.integers(1, LAST_MS),
    st.integers(0, 40).map(lambda days: START_MS + days * DAY_MS),
    st.sampled_from([1, START_MS, START_MS + 1, START_MS + 900 * DAY_MS, LAST_MS]),
)


@dataclass
class Living:
    """A row, and what its partition knows besides."""

    customer: Customer = field(default_factory=Customer)
    view: View = field(default_factory=lambda: learned_view(1))


def learned_view(now_ms: int, offset: int = 0) -> View:
    """A partition that has learned something and has no playbook.

    What a playbook notes comes and goes with its rules; that has bounds and tests of its own
    (tests/models/triggers/).
    """
    return view_at(now_ms, offset=offset, hazard=LEARNED, rulebook=None, playbook_version=0)


def fold(living: Living, event: Any) -> list[Any]:
    """Fold an event, and what a mark a little later fires; time never goes back at marks."""
    customer, view = living.customer, living.view
    view.next_index = 0
    view.offset += 1
    effects = step(customer, event, encode_event(event), view)
    now_ms = min(max(view.now_ms, event.occurred_at_ms + 20 * HOUR_MS), LAST_MS)
    effects += fire_due(customer, now_ms, view)
    return [plain(one) for one in effects]


def plain(effect: Any) -> Any:
    """An effect without JSON in it, in which what is no number could hide as null."""
    if isinstance(effect, EventFolded):
        return msgspec.structs.replace(effect, event=msgspec.Raw(msgspec.msgpack.encode(None)))
    return effect.event if isinstance(effect, ForLog) else effect


def pack_living(living: Living) -> bytes:
    row = msgspec.msgpack.decode(encode_row(living.customer))
    return msgspec.msgpack.encode((row, living.view.now_ms, living.view.offset))


def unpack_living(packed: bytes) -> Living:
    row, now_ms, offset = msgspec.msgpack.decode(packed)
    customer = decode_row(msgspec.msgpack.encode(row))
    return Living(customer, learned_view(now_ms, offset))


def ask_profile(living: Living, at_ms: int) -> Any:
    """The profile: all but the ids of events, which keep repeats even from the erased."""
    return profile_of(living.customer, at_ms)


def told_event(chance: Random, moment: Moment) -> Any:
    """An event whose every name is new, of the kinds that a row keeps something of."""
    number, world = moment.number, moment.world
    lines = tuple(
        Line(f"{world}p{number + at}", 900, category=f"{world}c{number + at}", name=f"{world}n{at}")
        for at in range(chance.randrange(1, 4))
    )
    email = MessageChannel.EMAIL
    fields: dict[type, dict[str, Any]] = {
        OrderCompleted: {
            "order_id": f"{world}o{number}",
            "total_cents": chance.randrange(100_000),
            "currency": "EUR",
            "lines": lines,
        },
        OrderCancelled: {"order_id": f"{world}o{number - chance.randrange(-9, 9)}"},
        OrderRefunded: {"order_id": f"{world}o{number - chance.randrange(-9, 9)}"},
        ProductViewed: {"line": lines[0]},
        ProductAdded: {"line": lines[0]},
        ProductWished: {"line": lines[0]},
        ProductsSearched: {"query": f"{world}q{number}"},
        PageViewed: {},
        ProductReviewed: {"product_id": f"{world}p{number}", "rating": 1.5},
        ReturnRequested: {"order_id": f"{world}o{number}"},
        TicketOpened: {"ticket_id": f"{world}t{number}", "topic": f"{world}why"},
        TicketClosed: {"ticket_id": f"{world}t{number + chance.randrange(-4, 4)}"},
        MessageSent: {"action_id": f"{world}a{number}", "message_channel": email, "rule": "r"},
        MessageOpened: {"action_id": f"{world}a{number - 1}", "message_channel": email},
        CouponIssued: {"coupon": f"{world}coupon{number}", "campaign": f"{world}offer"},
        CouponEnded: {"coupon": f"{world}coupon{number - 1}"},
        CouponApplied: {"coupon": f"{world}coupon{number}", "discount_cents": 5},
        Tracked: {"name": f"{world}tracked{number}"},
        CustomerIdentified: {
            "traits": {f"{world}trait{number % 97}": f"{world}value{number}"},
            "sealed": {"id": f"{world}id", "email": f"{world}mail"},
            "lookup": {f"{world}l{number % 89}": f"{world}token"},
        },
    }
    kind = chance.choice([OrderCompleted, OrderCompleted, ProductViewed, *fields])
    return make(
        kind,
        id=f"{world}e{number}",
        customer=moment.person,
        at_ms=moment.at_ms,
        **fields[kind],
    )


def told_order(chance: Random, moment: Moment) -> Any:
    """Orders, each told once, and their undoings, which may overtake them."""
    number = moment.number
    kind = chance.choice([OrderCompleted, OrderCompleted, OrderCancelled, OrderRefunded])
    fields: dict[str, Any] = {"order_id": f"o{number if kind is OrderCompleted else number // 2}"}
    if kind is OrderCompleted:
        fields |= {"total_cents": chance.randrange(50_000), "currency": "EUR"}
    elif kind is OrderRefunded:
        fields |= {"amount_cents": chance.choice([None, 700, 100_000])}
    return make(kind, id=f"e{number}", at_ms=moment.at_ms, **fields)


def absorbed(mine: Living, theirs: Living) -> Living:
    merging.absorb(mine.customer, theirs.customer)
    return mine


def summed(living: Living) -> dict[str, Any]:
    """Counts, sums, firsts and lasts."""
    customer = living.customer
    names = (
        "events orders value_cents cancelled_orders refunded_cents first_seen_ms last_seen_ms "
        "first_order_ms last_order_ms channels daybook"
    )
    exact = {name: getattr(customer, name) for name in names.split()}
    return exact | {"early_voids": sorted(map(repr, customer.early_voids))}


def faded(counts: DecayedCounts) -> dict[str, float]:
    late = decay.as_of(counts, START_MS + 400 * DAY_MS)
    return dict(zip(("week", "month", "quarter"), late, strict=True))


def erase(living: Living) -> None:
    event = make(Erased, id="erasure", at_ms=living.view.now_ms)
    step(living.customer, event, encode_event(event), living.view)


CUSTOMER = Subject(
    name="customer",
    modules=(
        "customer",
        "hazard_question",
        "held_coupons",
        "item_notes",
        "merging",
        "profile",
        "sleep_timer",
        "standing_notes",
        "step",
    ),
    begin=Living,
    take=fold,
    ask=ask_profile,
    pack=pack_living,
    unpack=unpack_living,
    told=told_event,
    valid=events(),
    merging=Merging(
        told=told_order, join=absorbed, exact=summed, near=lambda one: faded(one.customer.decayed)
    ),
    erase=erase,
    every_ms=2 * HOUR_MS,
    exempt={"what_is_no_number_never_gets_in": JSON_HAS_NO_WORD},
)


def reader(name: str, ask: Callable[[Customer, int, HazardSnapshot], Any]) -> Subject:
    """What is computed from the row and an adopted snapshot, for a customer at a moment."""

    def asked(living: Living, at_ms: int) -> Any:
        return [ask(living.customer, at_ms, one) for one in (hazard.NOTHING_LEARNED, LEARNED)]

    def take(living: Living, event: Any) -> Any:
        fold(living, event)
        return asked(living, event.occurred_at_ms)

    return Subject(
        name=name,
        modules=(name,),
        begin=Living,
        take=take,
        ask=asked,
        pack=pack_living,
        unpack=unpack_living,
        told=told_event,
        valid=events(),
        every_ms=7 * HOUR_MS,
        exempt={
            "memory_is_bounded": KEEPS_NOTHING,
            "what_is_no_number_never_gets_in": JSON_HAS_NO_WORD,
            "two_joined_are_what_one_would_have_been": KEEPS_NOTHING,
            "the_erased_leave_nothing": KEEPS_NOTHING,
        },
    )


def foretold(customer: Customer, at_ms: int, learned: HazardSnapshot) -> Any:
    if customer.orders <= 0:
        return None
    features = hazard.features_of(customer, at_ms, learned.gap_days)
    hazards = hazard.foretell_all(features, learned)
    assert all(0.0 <= one <= 1.0 for one in hazards)
    return features, hazards, hazard.foretell(features, learned), hazard.expected_days(hazards[0])


def looked_ahead(customer: Customer, at_ms: int, learned: HazardSnapshot) -> Any:
    if customer.orders <= 0:
        return None
    features = hazard.features_of(customer, at_ms, learned.gap_days)
    hazards = hazard.foretell_all(features, learned)
    alive, rate = outlook.alive(features, learned.gap_days), outlook.orders_a_day(features)
    assert 0.0 <= alive <= 1.0
    assert rate >= 0.0
    packed = outlook.pack(outlook.Outlook(hazards, alive, rate))
    window = outlook.window_days(hazards, learned.horizons_days)
    return alive, rate, window, outlook.unpack(packed, hazards[0])


def asleep(customer: Customer, at_ms: int, learned: HazardSnapshot) -> Any:
    if customer.orders <= 0:
        return None
    state = dormancy.dormancy_of(customer, at_ms, learned)
    return state, dormancy.next_look_ms(customer, at_ms, learned)


def tiered(customer: Customer, at_ms: int, learned: HazardSnapshot) -> Any:
    state = dormancy.dormancy_of(customer, at_ms, learned) if customer.orders > 0 else None
    return tier.tier_of(customer, at_ms, dormancy=state), tier.tier_of(customer, at_ms)


def packed_struct(kind: type) -> dict[str, Callable[..., Any]]:
    """How a struct that is a whole state is packed and unpacked."""
    decode = msgspec.msgpack.Decoder(kind).decode
    return {"begin": kind, "pack": msgspec.msgpack.encode, "unpack": decode}


def count_day(book: DayBook, told: tuple[int, int, int]) -> None:
    daybook.add(book, *told)


def ask_book(book: DayBook, at_ms: int) -> Any:
    today = at_ms // DAY_MS
    return (
        daybook.window(book, today, 365),
        daybook.window(book, today, 30),
        daybook.first_day(book),
        daybook.last_day(book),
        daybook.extent(book),
        daybook.orders_between(book, today - 90, today),
    )


DAYBOOK = Subject(
    name="daybook",
    modules=("daybook",),
    **packed_struct(DayBook),
    take=count_day,
    ask=ask_book,
    told=lambda chance, moment: (
        moment.at_ms // DAY_MS,
        chance.choice([1, 1, 1, 2, -1]),
        chance.randrange(-500, 50_000),
    ),
    valid=st.lists(
        st.tuples(
            MOMENTS.map(lambda at_ms: at_ms // DAY_MS),
            st.one_of(st.integers(-300, 300), st.just(40_000)),
            st.integers(-(10**12), 10**12),
        ),
        max_size=25,
    ),
    merging=Merging(
        told=lambda chance, moment: (moment.at_ms // DAY_MS, chance.randrange(1, 300), 2**31),
        join=daybook.merged,
        exact=lambda book: book,
        every_ms=60 * DAY_MS,
    ),
    exempt={
        "what_is_no_number_never_gets_in": WHOLE_NUMBERS,
        "the_erased_leave_nothing": OF_THE_ROW,
    },
)


@dataclass
class Fading:
    """What models/decay.py keeps in a row."""

    counts: DecayedCounts = field(default_factory=DecayedCounts)
    categories: dict[str, float] = field(default_factory=dict)
    categories_at_ms: int = 0


def fade(fading: Fading, told: tuple[int, float, dict[str, float]]) -> None:
    at_ms, weight, added = told
    decay.add(fading.counts, at_ms, weight)
    decay.prefer(fading, added, at_ms)


def join_fading(mine: Fading, theirs: Fading) -> Fading:
    decay.join(mine.counts, theirs.counts)
    decay.prefer(mine, theirs.categories, theirs.categories_at_ms)
    return mine


def near_fading(fading: Fading) -> dict[str, float]:
    scale = 0.5 ** (fading.categories_at_ms / DAY_MS / decay.CATEGORY_HALF_LIFE_DAYS - 300)
    return faded(fading.counts) | {k: v * scale for k, v in fading.categories.items()}


DECAY = Subject(
    name="decay",
    modules=("decay",),
    begin=Fading,
    take=fade,
    ask=lambda fading, at_ms: (decay.as_of(fading.counts, at_ms), fading.categories),
    pack=msgspec.msgpack.encode,
    unpack=msgspec.msgpack.Decoder(Fading).decode,
    told=lambda chance, moment: (
        moment.at_ms,
        chance.choice([1.0, 1.0, -1.0]),
        {f"{moment.world}c{moment.number}": chance.random() * 100, "tea": 1.0},
    ),
    valid=st.lists(
        st.tuples(
            MOMENTS,
            st.sampled_from([1.0, -1.0]),
            st.dictionaries(st.sampled_from(["", "a", "客戶"]), st.floats(0.01, 1e10), max_size=2),
        ),
        max_size=25,
    ),
    merging=Merging(
        told=lambda chance, moment: (moment.at_ms, 1.0, {f"c{moment.number % 6}": 1.0}),
        join=join_fading,
        exact=lambda fading: fading.counts.at_ms,
        near=near_fading,
        every_ms=60 * DAY_MS,
    ),
    exempt={
        "what_is_no_number_never_gets_in": "weights are one, or made of whole cents by the row",
        "the_erased_leave_nothing": OF_THE_ROW,
    },
)


def remember(memory: ItemMemory, told: tuple[str, list[str], int, int]) -> Any:
    kind, items, at_ms, bit = told
    refs = list(dict.fromkeys(map(item_ref, items)))
    if kind == "buy":
        return item_memory.buy(memory, refs, at_ms)
    return item_memory.mark(memory, refs[0], at_ms, bit) if refs else None


def remembered(memory: ItemMemory) -> dict[int, dict[str, Any]]:
    rows = item_memory.columns(memory)
    return {int(row["ref"]): dict(zip(rows.dtype.names, row.item(), strict=True)) for row in rows}


def ask_memory(memory: ItemMemory, at_ms: int) -> Any:
    return remembered(memory), memory.orders, memory.lines, memory.repeats


def bought_of(memory: ItemMemory) -> Any:
    """Times, firsts and lasts of what was bought.

    Not judged: `lines` and `repeats`, which depend on the order that was first, and marks, which a
    purchase under the other name would have wiped out.
    """
    rows = remembered(memory)
    return {
        ref: (row["times"], row["first_day"], row["last_day"])
        for ref, row in sorted(rows.items())
        if row["times"]
    }


def weights_of(memory: ItemMemory) -> dict[str, float]:
    """Decayed counts, as of one moment."""
    scale = item_memory.scale(memory, START_MS + 400 * DAY_MS)
    rows = remembered(memory)
    weights = {f"{ref:x}": row["weight"] / scale for ref, row in rows.items() if row["times"]}
    return weights | {"orders": memory.orders / scale}


def join_memories(mine: ItemMemory, theirs: ItemMemory) -> ItemMemory:
    item_memory.join(mine, theirs)
    return mine


def told_items(chance: Random, moment: Moment) -> Any:
    items = [f"{moment.world}i{moment.number}", f"{moment.world}{chance.randrange(20)}"]
    kind = chance.choice(["buy", "buy", "mark"])
    return kind, items, moment.at_ms, chance.choice([VIEWED, CARTED, WISHED, SPOILT])


ITEM_MEMORY = Subject(
    name="item_memory",
    modules=("item_memory",),
    **packed_struct(ItemMemory),
    take=remember,
    ask=ask_memory,
    told=told_items,
    valid=st.lists(
        st.tuples(
            st.sampled_from(["buy", "mark"]),
            st.lists(st.sampled_from(["", "a", "b", "客戶", "x" * 300]), max_size=4),
            MOMENTS,
            st.sampled_from([VIEWED, CARTED, WISHED, SPOILT]),
        ),
        max_size=25,
    ),
    merging=Merging(
        told=lambda chance, moment: (
            "buy",
            [f"i{chance.randrange(9)}", f"i{chance.randrange(9)}"],
            moment.at_ms,
            0,
        ),
        join=join_memories,
        exact=bought_of,
        near=weights_of,
        # A weight has eleven bits, and each purchase and landmark rounds once more.
        tolerance=0.01,
    ),
    exempt={
        "what_is_no_number_never_gets_in": WHOLE_NUMBERS,
        "the_erased_leave_nothing": "holds hashes of items alone; " + OF_THE_ROW,
    },
)

CUSTOMER_SUBJECTS = (
    CUSTOMER,
    reader("hazard", foretold),
    reader("outlook", looked_ahead),
    reader("dormancy", asleep),
    reader("tier", tiered),
    DAYBOOK,
    DECAY,
    ITEM_MEMORY,
)
