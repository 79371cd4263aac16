"""What all customers teach together: the learners, the items, the watches over a shop's hours."""

from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from models import (
    count_alarm,
    hour_counts,
    hour_rates,
    item_memory,
    partition_clock,
    series_anomaly,
    slice_watch,
    value_watch,
)
from models.clock import DAY_MS, HOUR_MS
from models.count_alarm import CountAlarm
from models.effects import EventFolded, HazardLesson
from models.events import ClockMark, Line, OrderCompleted, TicketOpened
from models.events import encode as encode_event
from models.hazard import FEATURES, HORIZONS_DAYS
from models.hazard_learner import HazardLearner, Learned
from models.hour_rates import WEEK_HOURS, HourRates
from models.item_knowledge import ItemFacts, ItemKnowledge, ItemRow, ShopRow
from models.item_memory import ItemMemory, item_ref
from models.item_notes import is_lesson
from models.item_reviews import ItemReviews, Quote, ReviewRow, words_about
from models.partition_clock import PartitionClock
from models.ranking import NOTHING_LEARNED, Board, board
from models.ranking_learner import LearnedRanking, RankingLearner
from models.recommendation import SLOTS, recommend
from models.series_anomaly import SeriesAnomaly
from models.shop_habits import ShopHabits
from models.slice_watch import Slice
from models.value_watch import ValueWatch
from tests.laws.customer_subjects import JSON_HAS_NO_WORD, MOMENTS, WHOLE_NUMBERS, packed_struct
from tests.laws.laws import START_MS, Moment, Subject
from tests.laws.strategies import LINES, TEXTS

NOT_OF_A_CUSTOMER = "of the shop, not of a customer: nothing to merge"
NAMES_NOBODY = "its inputs name no customer, only counts or values of an hour"
NO_CUSTOMERS = {
    "two_joined_are_what_one_would_have_been": NOT_OF_A_CUSTOMER,
    "the_erased_leave_nothing": NAMES_NOBODY,
}
COUNTED_ON = NO_CUSTOMERS | {"what_is_no_number_never_gets_in": WHOLE_NUMBERS}

# From the least to the most that features_of can give, in the order of FEATURES.
REACHES = (
    *((0.0, 16.0), (0.0, 11.1), (0.0, 20.0), (0.0, 11.1), (0.0, 20.0)),
    *((0.0, 16.0), (0.0, 16.0), (0.0, 16.0), (0.0, 24.0), (-9.3, 20.0), (0.0, 1.0)),
)


def lesson(features: tuple[float, ...], at_ms: int, person: str, **fields: Any) -> HazardLesson:
    return HazardLesson(
        **{
            "partition": 0,
            "day": at_ms // DAY_MS,
            "customer": person,
            "asked_at_ms": at_ms,
            "features": features,
            "bought": False,
            "foretold": 0.5,
            "foretold_version": 0,
            "horizon_days": HORIZONS_DAYS[-1],
        }
        | fields
    )


def told_lesson(chance: Random, moment: Moment) -> HazardLesson:
    features = tuple(low + chance.random() ** 3 * (high - low) for low, high in REACHES)
    return lesson(
        features,
        moment.at_ms,
        moment.person,
        bought=chance.random() < 1.0 / (1.0 + features[1]),
        horizon_days=chance.choice(HORIZONS_DAYS),
        orders=chance.randrange(4),
    )


LESSONS = st.builds(
    lesson,
    st.tuples(*(st.floats(low, high) for low, high in REACHES)),
    MOMENTS,
    TEXTS,
    bought=st.booleans(),
    # A lesson may come from a time when other horizons were asked for.
    horizon_days=st.sampled_from([*HORIZONS_DAYS, 7]),
    orders=st.integers(0, 10**6),
)


def lessons_without_numbers(bad: float, moment: Moment) -> list[HazardLesson]:
    usual = told_lesson(Random(1), moment).features
    return [
        lesson((*usual[:at], bad, *usual[at + 1 :]), moment.at_ms, moment.person)
        for at in range(len(FEATURES))
    ]


def learn_day(learner: HazardLearner, lessons: list[HazardLesson]) -> Any:
    learner.learn(lessons)
    return learner.lessons


def ask_learner(learner: HazardLearner, at_ms: int) -> Any:
    # The snapshot itself is given a version, which is a change.
    learned = learner.dump()
    middle = tuple((low + high) / 2 for low, high in REACHES)
    asked = [learner.predict(middle, days) for days in HORIZONS_DAYS]
    if not learned.version and learner.lessons > 90:
        again = HazardLearner(msgspec.convert(msgspec.to_builtins(learned), Learned))
        asked.append(again.snapshot(at_ms // DAY_MS))
    return asked


HAZARD_LEARNER = Subject(
    name="hazard_learner",
    modules=("hazard_learner",),
    begin=HazardLearner,
    take=learn_day,
    ask=ask_learner,
    pack=lambda learner: msgspec.msgpack.encode(learner.dump()),
    unpack=lambda packed: HazardLearner(msgspec.msgpack.decode(packed, type=Learned)),
    told=lambda chance, moment: [told_lesson(chance, moment)],
    valid=st.lists(st.lists(LESSONS, max_size=4), max_size=10),
    no_numbers=lambda bad, moment: [[one] for one in lessons_without_numbers(bad, moment)],
    every_ms=3 * HOUR_MS,
    exempt={"two_joined_are_what_one_would_have_been": NOT_OF_A_CUSTOMER},
)


def learn_habit(habits: ShopHabits, told: tuple[HazardLesson, float]) -> None:
    if told[0].asked_at_ms % 3 == 0:
        habits.pass_day()
    habits.learn(*told)


SHOP_HABITS = Subject(
    name="shop_habits",
    modules=("shop_habits",),
    **packed_struct(ShopHabits),
    take=learn_habit,
    ask=lambda habits, at_ms: (habits.gap_days(), habits.level(), habits.edges()),
    told=lambda chance, moment: (told_lesson(chance, moment), chance.random()),
    valid=st.lists(st.tuples(LESSONS, st.floats(0.0, 1.0)), max_size=25),
    no_numbers=lambda bad, moment: [
        *((one, 0.5) for one in lessons_without_numbers(bad, moment)),
        (told_lesson(Random(1), moment), bad),
    ],
    exempt={"two_joined_are_what_one_would_have_been": NOT_OF_A_CUSTOMER},
)


Basket = tuple[str, list[ItemFacts], list[int], int]


def young_shop() -> ItemKnowledge:
    return ItemKnowledge(items_at_most=100)


def open_shop(knowledge: ItemKnowledge, basket: Basket) -> Any:
    """Sell, and look for the best sellers, which forgets the least of too many."""
    known = sell(knowledge, basket)
    if len(knowledge) > knowledge.items_at_most:
        knowledge.rank_popular()
    return known


def sell(knowledge: ItemKnowledge, basket: Basket) -> Any:
    order_id, items, gaps, at_ms = basket
    places = [knowledge.meet(item_ref(item.product_id), item) for item in items]
    once = dict(zip(places, gaps, strict=True))
    knowledge.sold(list(once), list(once.values()), at_ms, order_id)
    return len(knowledge)


def ask_items(knowledge: ItemKnowledge, at_ms: int) -> Any:
    """What is known of each item, by its name: places are the process's own."""
    return {
        str(ref): (knowledge.row(place).interval_days, knowledge.is_durable(place))
        for ref, place in sorted(knowledge.index.items())
    }


def pack_items(knowledge: ItemKnowledge) -> bytes:
    """The learner's changelog: the sums, and a row an item, by the items' names."""
    rows = [(ref, knowledge.row(place)) for ref, place in sorted(knowledge.index.items())]
    return msgspec.msgpack.encode((knowledge.shop, rows))


def unpack_items(packed: bytes) -> ItemKnowledge:
    shop, rows = msgspec.msgpack.decode(packed, type=tuple[ShopRow, list[tuple[int, ItemRow]]])
    knowledge = young_shop()
    knowledge.put_shop(shop)
    for ref, row in rows:
        knowledge.put(ref, row)
    return knowledge


def told_basket(chance: Random, moment: Moment, catalogue: int = 60) -> Basket:
    """Items come and go: with each tenth basket a new one is sold, and categories are renamed."""
    newest = moment.number // 10 + 1
    numbers = {max(newest - chance.randrange(catalogue), 0) for _ in range(chance.randrange(1, 9))}
    items = [
        ItemFacts(
            f"{moment.world}i{number}",
            f"{moment.world}name",
            f"{moment.world}c{number % 7 + moment.number // 100}",
            100 + number,
        )
        for number in sorted(numbers)
    ]
    gaps = [chance.choice([-1, -1, 0, 7, 40]) for _ in items]
    return f"{moment.person}-{moment.number}", items, gaps, moment.at_ms


# Of two customers' memories, or a memory and the shop, 126 years apart one would weigh nothing.
WITHIN_REACH = MOMENTS.map(lambda at_ms: at_ms % (30_000 * DAY_MS) + 1)
FACTS = st.builds(ItemFacts, TEXTS, TEXTS, TEXTS, st.integers(0, 10**12))


@st.composite
def baskets(draw: st.DrawFn) -> Basket:
    items = draw(st.lists(FACTS, max_size=6, unique_by=lambda one: one.product_id))
    gaps = [draw(st.integers(-1, 65_535)) for _ in items]
    return draw(TEXTS), items, gaps, draw(WITHIN_REACH)


ITEM_KNOWLEDGE = Subject(
    name="item_knowledge",
    modules=("item_knowledge",),
    begin=young_shop,
    take=open_shop,
    ask=ask_items,
    pack=pack_items,
    unpack=unpack_items,
    told=told_basket,
    valid=st.lists(baskets(), max_size=12),
    events_in_ci=3_000,
    exempt={
        "what_is_no_number_never_gets_in": WHOLE_NUMBERS,
        "two_joined_are_what_one_would_have_been": NOT_OF_A_CUSTOMER,
    },
)


Review = tuple[str, int, float, Quote | None]


def take_review(reviews: ItemReviews, review: Review) -> Any:
    ref = reviews.add(*review)
    row = reviews.row(ref)
    return ref, sorted(reviews.forget()), row and words_about(row, 3, lambda one: one.sealed, "en")


def pack_reviews(reviews: ItemReviews) -> bytes:
    """The learner's changelog: a row an item, by the items' names."""
    return msgspec.msgpack.encode([(ref, reviews.row(ref)) for ref in sorted(reviews.refs())])


def unpack_reviews(packed: bytes) -> ItemReviews:
    reviews = ItemReviews(items_at_most=100)
    for ref, row in msgspec.msgpack.decode(packed, type=list[tuple[int, ReviewRow]]):
        reviews.put(ref, row)
    return reviews


def told_review(chance: Random, moment: Moment) -> Review:
    number = max(moment.number // 10 + 1 - chance.randrange(60), 0)
    rating = float(chance.randrange(1, 6))
    quote = Quote(moment.at_ms, f"{moment.person}{chance.randrange(9)}", "words", rating)
    return f"{moment.world}i{number}", moment.at_ms, rating, quote if rating > 3 else None


RATINGS = st.floats(1.0, 5.0)
REVIEWS = st.tuples(
    TEXTS, WITHIN_REACH, RATINGS, st.none() | st.builds(Quote, WITHIN_REACH, TEXTS, TEXTS, RATINGS)
)

ITEM_REVIEWS = Subject(
    name="item_reviews",
    modules=("item_reviews",),
    begin=lambda: ItemReviews(items_at_most=100),
    take=take_review,
    ask=lambda reviews, at_ms: [reviews.row(ref) for ref in sorted(reviews.refs())],
    pack=pack_reviews,
    unpack=unpack_reviews,
    told=told_review,
    valid=st.lists(REVIEWS, max_size=12),
    events_in_ci=3_000,
    exempt={
        "what_is_no_number_never_gets_in": "ratings are 1 to 5 by the event's own type",
        "the_erased_leave_nothing": "words go, a rating stays in the sum (test_item_reviews.py)",
        "two_joined_are_what_one_would_have_been": NOT_OF_A_CUSTOMER,
    },
)


@dataclass
class Counter:
    """A shop, and the memories of those who came."""

    knowledge: ItemKnowledge = field(default_factory=ItemKnowledge)
    memories: dict[str, ItemMemory] = field(default_factory=dict)


def serve(counter: Counter, told: tuple[str, Basket]) -> Any:
    """Rank for who comes, perhaps for the first time, then sell."""
    person, (*_, at_ms) = told
    memory = counter.memories.get(person, ItemMemory())
    answer = ranked(memory, counter.knowledge, at_ms)
    check_out(counter, *told)
    return answer


def check_out(counter: Counter, person: str, basket: Basket) -> None:
    """Sell; after the first some baskets are others', so that the shop knows more than the person.

    What is most popular is looked for after every basket.
    """
    order_id, items, gaps, at_ms = basket
    memory = counter.memories.setdefault(person, ItemMemory())
    if not memory.orders or is_lesson(order_id):
        gaps = item_memory.buy(memory, [item_ref(one.product_id) for one in items], at_ms)
    sell(counter.knowledge, (order_id, items, gaps, at_ms))
    counter.knowledge.rank_popular()


def ask_boards(counter: Counter, at_ms: int) -> Any:
    return [ranked(one, counter.knowledge, at_ms) for one in counter.memories.values()]


def ranked(memory: ItemMemory, knowledge: ItemKnowledge, at_ms: int) -> Any:
    """Candidates by their names, with features and scores."""
    answers = []
    for exploring in (False, True):
        candidates = board(memory, knowledge, at_ms, exploring=exploring)
        scores = candidates.scores(np.array(NOTHING_LEARNED.weights))
        names = [knowledge.facts[place].product_id for place in candidates.places.tolist()]
        answers.append((names, scores, candidates.shared, candidates.own))
    weights = np.array(NOTHING_LEARNED.weights)
    return answers, [recommend(memory, knowledge, weights, at_ms, 5, slot=slot) for slot in SLOTS]


def unpack_counter(packed: bytes) -> Counter:
    items, memories = msgspec.msgpack.decode(packed, type=tuple[bytes, dict[str, ItemMemory]])
    knowledge = unpack_items(items)
    # When best sellers are looked for is the caller's to say: here after every basket.
    knowledge.rank_popular()
    return Counter(knowledge, memories)


RANKING = Subject(
    name="ranking",
    modules=("ranking", "recommendation"),
    begin=Counter,
    take=serve,
    ask=ask_boards,
    pack=lambda counter: msgspec.msgpack.encode((pack_items(counter.knowledge), counter.memories)),
    unpack=unpack_counter,
    told=lambda chance, moment: (moment.person, told_basket(chance, moment)),
    valid=st.lists(st.tuples(st.sampled_from(["anna", "ben"]), baskets()), max_size=5),
    exempt={
        "memory_is_bounded": "keeps nothing of its own (subjects item_memory, item_knowledge)",
        "what_is_no_number_never_gets_in": WHOLE_NUMBERS,
        "two_joined_are_what_one_would_have_been": "keeps nothing (subject item_memory)",
        "the_erased_leave_nothing": "keeps nothing (subjects item_memory, item_knowledge)",
    },
)


Order = tuple[Board, Any]


def learn_order(learner: RankingLearner, order: Order) -> Any:
    learner.learn(*order)
    return learner.lessons, learner.weights


@cache
def small_shop(world: str) -> Counter:
    """Whose customers' candidates are learned from."""
    counter, chance = Counter(), Random(5)
    for number in range(120):
        at_ms = START_MS + number * DAY_MS
        basket = told_basket(chance, Moment(number, at_ms, world))
        check_out(counter, f"{number % 5}", basket)
    return counter


def an_order(world: str, number: int, at_ms: int, share: float) -> Order:
    """Candidates of one of them at a moment; of which so many, by chance, were bought."""
    counter = small_shop(world)
    candidates = board(counter.memories[f"{number % 5}"], counter.knowledge, at_ms)
    dice = np.random.default_rng(number)
    return candidates, dice.random(len(candidates.places)) < share


def told_order(chance: Random, moment: Moment) -> Order:
    return an_order(moment.world, moment.number, moment.at_ms, chance.choice([0.05, 0.3]))


def order_without_numbers(bad: float, moment: Moment) -> Order:
    candidates, bought = told_order(Random(1), moment)
    candidates.shared[0, 0] = bad
    return candidates, bought


RANKING_LEARNER = Subject(
    name="ranking_learner",
    modules=("ranking_learner",),
    begin=RankingLearner,
    take=learn_order,
    ask=lambda learner, at_ms: learner.weights,
    pack=lambda learner: msgspec.msgpack.encode(learner.dump()),
    unpack=lambda packed: RankingLearner(msgspec.msgpack.decode(packed, type=LearnedRanking)),
    told=told_order,
    valid=st.lists(
        st.builds(
            an_order,
            st.just(""),
            st.integers(0, 2**32 - 1),
            WITHIN_REACH,
            st.sampled_from([0.0, 0.1, 1.0]),
        ),
        max_size=6,
    ),
    no_numbers=lambda bad, moment: [order_without_numbers(bad, moment)],
    events_in_ci=3_000,
    exempt={
        "two_joined_are_what_one_would_have_been": NOT_OF_A_CUSTOMER,
        "the_erased_leave_nothing": "its lessons are features alone, no name stands in them",
    },
)


def told_hour(chance: Random, moment: Moment) -> tuple[int, int, int | None]:
    """Hours that alarm now and then: every 40th day the counts fall or rise."""
    hour_ms = moment.at_ms - moment.at_ms % HOUR_MS
    usual = 10 if hour_ms // HOUR_MS % 24 > 8 else 2
    strange = {0: 0.2, 1: 3.0}.get(hour_ms // DAY_MS % 40, 1.0)
    return hour_ms, int(usual * strange * (0.5 + chance.random())), None


HOURS = st.tuples(
    MOMENTS.map(lambda at_ms: at_ms - at_ms % HOUR_MS),
    st.integers(0, 10**6),
    st.one_of(st.none(), st.integers(0, 10**6)),
)


def judge_hour(alarm: CountAlarm, told: tuple[int, int, int | None]) -> Any:
    hour_ms, count, exposure = told
    return count_alarm.judge(alarm, hour_ms, count, exposure=exposure)


COUNT_ALARM = Subject(
    name="count_alarm",
    modules=("count_alarm",),
    **packed_struct(CountAlarm),
    take=judge_hour,
    ask=lambda alarm, at_ms: (alarm.is_firing(), alarm.falls.is_quiet(), alarm.rises.is_quiet()),
    told=told_hour,
    valid=st.lists(HOURS, max_size=60),
    exempt=COUNTED_ON,
)


def learn_rate(rates: HourRates, told: tuple[str, int, float]) -> Any:
    kind, slot, count = told
    if kind == "share":
        hour_rates.learn_share(rates, count, count + 1.0)
    elif kind == "shape":
        hour_rates.learn_shape(rates, slot, count)
    elif kind == "scale":
        hour_rates.scale(rates, count)
    else:
        hour_rates.learn(rates, slot, count)
    return hour_rates.expected(rates, slot)


HOUR_RATES = Subject(
    name="hour_rates",
    modules=("hour_rates",),
    **packed_struct(HourRates),
    take=learn_rate,
    ask=lambda rates, at_ms: [
        hour_rates.share(rates),
        *(hour_rates.expected(rates, slot) for slot in (hour_rates.hour_of_week(at_ms), 0, 167)),
    ],
    told=lambda chance, moment: (
        chance.choice(["learn", "learn", "learn", "shape", "share", "scale"]),
        hour_rates.hour_of_week(moment.at_ms),
        float(chance.randrange(30)),
    ),
    valid=st.lists(
        st.tuples(
            st.sampled_from(["learn", "shape", "share", "scale"]),
            st.integers(0, WEEK_HOURS - 1),
            st.floats(0.0, 1e6),
        ),
        max_size=60,
    ),
    exempt=NO_CUSTOMERS
    | {
        "what_is_no_number_never_gets_in": "what it learns are counts of an hour, or ratios that "
        "models/count_alarm.py makes of them, never without a prior of one",
    },
)


@dataclass
class Sliced:
    """The slices beside the shop's own alarm, which says since when they are compared."""

    slices: dict[str, Slice] = field(default_factory=dict)
    shop: CountAlarm = field(default_factory=CountAlarm)


def take_slices(sliced: Sliced, told: tuple[int, dict[str, int]]) -> Any:
    hour_ms, counts = told
    slice_watch.take(sliced.slices, hour_ms, counts, sliced.shop)
    return count_alarm.judge(sliced.shop, hour_ms, sum(counts.values()))


def ask_slices(sliced: Sliced, at_ms: int) -> Any:
    return [slice_watch.drivers(sliced.slices, of_a_fall=one) for one in (True, False)]


SLICE_WATCH = Subject(
    name="slice_watch",
    modules=("slice_watch",),
    begin=Sliced,
    take=take_slices,
    ask=ask_slices,
    pack=msgspec.msgpack.encode,
    unpack=msgspec.msgpack.Decoder(Sliced).decode,
    told=lambda chance, moment: (
        told_hour(chance, moment)[0],
        {
            f"{moment.world}tea": told_hour(chance, moment)[1],
            f"{moment.world}c{moment.number // 3}": 2,
        },
    ),
    valid=st.lists(
        st.tuples(
            MOMENTS.map(lambda at_ms: at_ms - at_ms % HOUR_MS),
            st.dictionaries(TEXTS, st.integers(0, 10**6), max_size=3),
        ),
        max_size=20,
    ),
    # A hundred slices an hour are looked at.
    events_in_ci=3_000,
    exempt=COUNTED_ON,
)

VALUE_WATCH = Subject(
    name="value_watch",
    modules=("value_watch",),
    **packed_struct(ValueWatch),
    take=lambda watch, told: value_watch.judge(watch, *told),
    ask=lambda watch, at_ms: watch.since_ms,
    told=lambda chance, moment: (
        moment.at_ms,
        chance.randrange(12),
        chance.randrange(100, 90_000) * (9 if moment.number % 997 == 0 else 1),
    ),
    valid=st.lists(
        st.tuples(MOMENTS, st.integers(0, 10**6), st.integers(-(10**12), 10**12)), max_size=60
    ),
    exempt=COUNTED_ON,
)


def told_value(chance: Random, moment: Moment) -> tuple[int, float]:
    strange = 50.0 if moment.number % 997 == 0 else 0.0
    return moment.at_ms // 1000, chance.gauss(10.0, 2.0) + strange


SERIES_ANOMALY = Subject(
    name="series_anomaly",
    modules=("series_anomaly",),
    **packed_struct(SeriesAnomaly),
    take=lambda series, told: series_anomaly.score(series, *told),
    ask=lambda series, at_ms: (series.mean, series.spread, series.day_means),
    told=told_value,
    valid=st.lists(
        st.tuples(
            MOMENTS.map(lambda at_ms: at_ms // 1000),
            st.one_of(st.floats(-1e12, 1e12), st.sampled_from([0.0, 5e-324, 1e-300, 1.0])),
        ),
        max_size=60,
    ),
    no_numbers=lambda bad, moment: [(moment.at_ms // 1000, bad)],
    exempt=NO_CUSTOMERS,
)


Marked = ClockMark | tuple[Any, EventFolded]


def mark_or_count(clock: PartitionClock, told: Marked) -> Any:
    if not isinstance(told, ClockMark):
        return hour_counts.count(clock.running, *told)
    if not partition_clock.is_news(clock, told):
        return None
    return partition_clock.advance(clock, told, partition=0, partitions=1)


def folded(event: Any, number: int, tier: str) -> Marked:
    fact = EventFolded(
        incarnation=1,
        partition=0,
        offset=number,
        index=0,
        customer=event.customer,
        at_ms=event.occurred_at_ms,
        type="",
        logged_at_ms=0,
        tier=tier,
        event=msgspec.Raw(encode_event(event)),
        order_state="counted",
        order_number=number % 3,
    )
    return event, fact


def told_mark(chance: Random, moment: Moment) -> Marked:
    if moment.number % 5 == 0:
        return ClockMark(at_ms=moment.at_ms, wall_offset_ms=chance.choice([None, 7]))
    common: dict[str, Any] = {
        "id": f"e{moment.number}",
        "customer": moment.person,
        "occurred_at_ms": moment.at_ms,
        "received_at_ms": moment.at_ms,
    }
    event: Any = TicketOpened(ticket_id=f"{moment.world}t{moment.number}", **common)
    if chance.random() < 0.8:
        line = Line("p", category=f"{moment.world}c{moment.number}")
        event = OrderCompleted(
            order_id=f"{moment.world}o{moment.number}",
            total_cents=chance.randrange(9_000),
            currency="EUR",
            lines=(line,),
            **common,
        )
    return folded(event, moment.number, chance.choice(["", "new", "regular"]))


@st.composite
def counted_orders(draw: st.DrawFn) -> Marked:
    at_ms = draw(MOMENTS)
    event = OrderCompleted(
        id="e",
        customer="anna",
        occurred_at_ms=at_ms,
        received_at_ms=at_ms,
        order_id=draw(TEXTS),
        total_cents=draw(st.integers(-(10**12), 10**12)),
        currency="EUR",
        lines=tuple(draw(st.lists(LINES, max_size=3))),
    )
    return folded(event, draw(st.integers(0, 9)), draw(st.sampled_from(["", "new"])))


PARTITION = Subject(
    name="partition",
    modules=("hour_counts", "partition_clock"),
    **packed_struct(PartitionClock),
    take=mark_or_count,
    ask=lambda clock, at_ms: partition_clock.is_news(clock, ClockMark(at_ms=at_ms)),
    told=told_mark,
    valid=st.lists(
        st.one_of(counted_orders(), MOMENTS.map(lambda at_ms: ClockMark(at_ms=at_ms))), max_size=20
    ),
    every_ms=HOUR_MS // 40,
    exempt={
        "what_is_no_number_never_gets_in": JSON_HAS_NO_WORD,
        "two_joined_are_what_one_would_have_been": NOT_OF_A_CUSTOMER,
    },
)

SHOP_SUBJECTS = (
    HAZARD_LEARNER,
    SHOP_HABITS,
    ITEM_KNOWLEDGE,
    ITEM_REVIEWS,
    RANKING,
    RANKING_LEARNER,
    COUNT_ALARM,
    HOUR_RATES,
    SLICE_WATCH,
    VALUE_WATCH,
    SERIES_ANOMALY,
    PARTITION,
)
