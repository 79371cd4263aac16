"""Conditions mean what CEL means: compared with the reference library over random expressions."""

import math
from dataclasses import replace
from typing import Any

import cel
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from models.clock import DAY_MS
from models.customer import Customer, OrderRef, Service
from models.daybook import DayBook, add
from models.events import TYPES
from models.playbook.cel_compiler import compile_condition, compile_value
from models.playbook.cel_parser import parse
from models.playbook.cel_tree import CelMistake
from models.playbook.cel_types import Types, mistakes_in
from models.playbook.event_fields import EVENT_FIELDS
from models.playbook.fields import CUSTOMER_FIELDS, Scope, Unanswerable
from tests.builders import START_MS, order, viewed

ERROR = "error"
# Any word may be compared with any text here: which words a field knows is not CEL's concern.
VIEWED = {
    name: replace(kind, values=None)
    for name, kind in {**CUSTOMER_FIELDS, **EVENT_FIELDS["product_viewed"]}.items()
}
INTS = [name for name, kind in CUSTOMER_FIELDS.items() if kind.type == "int"]
DOUBLES = [name for name, kind in CUSTOMER_FIELDS.items() if kind.type == "double"]
STRINGS = ["customer.tier", "customer.currency", "customer.dormancy", "event.category"]
LISTS = ["customer.unsubscribed", "customer.categories", "customer.channels", "customer.segments"]
TRAITS = [
    "customer.traits.city",
    "customer.traits.age",
    "customer.traits.vip",
    "event.properties.x",
]

words = st.sampled_from(["new", "regular", "shoes", "EUR", "a", "", "email", "Taipei", "回頭"])
plain = st.one_of(words, st.integers(-9, 9), st.floats(-9, 9), st.booleans())


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    orders = draw(st.integers(0, 3))
    book = DayBook()
    for day in range(orders):
        add(book, START_MS // DAY_MS - 40 * day, 1, 1_234)
    return Customer(
        known=draw(st.booleans()),
        orders=orders,
        value_cents=draw(st.integers(0, 99_999)),
        currency=draw(words),
        first_order_ms=START_MS - 80 * DAY_MS if orders else 0,
        last_order_ms=START_MS - draw(st.integers(0, 60)) * DAY_MS if orders else 0,
        daybook=book,
        tier=draw(st.sampled_from(["", "new", "regular", "dormant"])),
        dormancy=draw(st.sampled_from(["", "awake", "lost"])),
        hazard=draw(st.floats(0, 1)),
        categories=draw(st.dictionaries(words, st.floats(0.1, 9), max_size=2)),
        channels={"web": 2, "email": 1},
        unsubscribed=draw(st.lists(st.sampled_from(["email", "sms"]), max_size=2)),
        traits=draw(st.dictionaries(st.sampled_from(["city", "age", "vip"]), plain)),
        service=Service(opened=2, ratings=draw(st.integers(0, 2)), rating_sum=5.0),
        recent_orders=[OrderRef(1, START_MS, 5)],
    )


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    event = viewed(line={"category": draw(words), "price_cents": 1_999})
    event.extra = {"x": draw(plain)} if draw(st.booleans()) else None
    return Scope(draw(customers()), START_MS, event, segments=("a", "shoes"))


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def deeper(of: Any, depth: int) -> Any:
    return st.deferred(lambda: of(depth - 1))


def booleans(depth: int = 3) -> Any:
    flat = st.one_of(
        st.sampled_from(["true", "false", "customer.known", "has(customer.silence_days)"]),
        st.sampled_from([f"has({one})" for one in TRAITS]),
        st.sampled_from(["customer.traits.vip"]),
        st.builds("{} in {}".format, st.builds(text_of, words), st.sampled_from(LISTS)),
    )
    if depth <= 0:
        return flat
    inner, signs = deeper(booleans, depth), st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    number = st.one_of(whole(depth - 1), broken(depth - 1))
    return st.one_of(
        flat,
        st.builds("({} {} {})".format, whole(depth - 1), signs, whole(depth - 1)),
        st.builds("({} {} {})".format, broken(depth - 1), signs, broken(depth - 1)),
        st.builds("({} {} {})".format, st.sampled_from(INTS), signs, broken(0)),
        st.builds("({} {} {})".format, texts(depth - 1), signs, texts(depth - 1)),
        st.builds("({} {} {})".format, st.sampled_from(TRAITS), signs, st.builds(text_of, plain)),
        st.builds("({} {} {})".format, number, signs, st.sampled_from(TRAITS)),
        st.builds("{} in [{}, {}]".format, texts(0), texts(0), texts(0)),
        st.builds(
            "{} in [1, {}]".format, st.sampled_from(TRAITS), st.builds(text_of, st.floats(0, 2))
        ),
        st.builds("!{}".format, st.builds("({})".format, inner)),
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("({} && {} && {})".format, inner, inner, inner),
        st.builds("({} || {} || {} || {} || {})".format, inner, inner, inner, inner, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds(
            "{}.{}({})".format,
            texts(0),
            st.sampled_from(["startsWith", "endsWith", "contains"]),
            texts(0),
        ),
    )


def whole(depth: int) -> Any:
    flat = st.one_of(
        st.sampled_from(INTS),
        st.builds(text_of, st.integers(-50, 50)),
        st.sampled_from(["9223372036854775807", "-9223372036854775807", "4611686018427387904"]),
    )
    if depth <= 0:
        return flat
    inner = deeper(whole, depth)
    return st.one_of(
        flat,
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), inner),
        st.builds("size({})".format, st.sampled_from(LISTS)),
        st.builds("int({})".format, broken(depth - 1)),
        st.builds("(customer.known ? {} : {})".format, inner, inner),
    )


def broken(depth: int) -> Any:
    flat = st.one_of(st.sampled_from(DOUBLES), st.builds(text_of, st.floats(-1e6, 1e6)))
    if depth <= 0:
        return flat
    inner = deeper(broken, depth)
    return st.one_of(
        flat,
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("-({})".format, inner),
        st.builds("double({})".format, st.sampled_from(INTS)),
    )


def texts(depth: int) -> Any:
    flat = st.one_of(st.sampled_from(STRINGS), st.builds(text_of, words))
    if depth <= 0:
        return flat
    return st.one_of(flat, st.builds("({} + {})".format, flat, flat))


def as_reference_sees(scope: Scope) -> dict[str, Any]:
    """Fields as nested dictionaries, without what is not known."""
    seen: dict[str, Any] = {"customer": {}, "event": {}}
    for name, kind in VIEWED.items():
        root, _, field = name.partition(".")
        try:
            value = kind.read(scope)
        except Unanswerable:
            continue
        seen[root][field] = list(value) if isinstance(value, tuple) else value
    return seen


def reference(text: str, scope: Scope) -> Any:
    try:
        return cel.evaluate(text, as_reference_sees(scope))
    except (ValueError, TypeError, KeyError, OverflowError, ZeroDivisionError, RuntimeError):
        return ERROR


def ours(text: str, scope: Scope) -> Any:
    tree = parse(text)
    types = Types(VIEWED)
    types.of(tree)
    assert types.mistakes == [], text
    try:
        return compile_value(tree, VIEWED)(scope)
    except Unanswerable:
        return ERROR


def assert_same(text: str, scope: Scope) -> None:
    expected, found = reference(text, scope), ours(text, scope)
    assert type(found) is type(expected), (text, found, expected)
    both_are_none = isinstance(found, float) and math.isnan(found) and math.isnan(expected)
    assert both_are_none or found == expected, (text, found, expected)


@settings(max_examples=600, deadline=None)
@given(booleans(), scopes())
def test_conditions_hold_where_the_reference_says_so(text: str, scope: Scope) -> None:
    assume(len(text) < 1_500)
    assert_same(text, scope)
    holds = compile_condition(parse(text), VIEWED)(scope)
    assert holds is (reference(text, scope) is True)


@settings(max_examples=300, deadline=None)
@given(st.one_of(whole(3), broken(3), texts(1)), scopes())
def test_values_are_those_of_the_reference(text: str, scope: Scope) -> None:
    assert_same(text, scope)


SCOPE = Scope(
    Customer(orders=3, value_cents=1_250, tier="new", traits={"n": 5, "s": "x", "b": True}),
    START_MS,
    viewed(),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 == 1.0", True),
        ("customer.traits.b == 1", False),
        ("customer.traits.n == 5.0", True),
        ('customer.traits.n == "5"', False),
        ("customer.traits.s > 1", ERROR),
        ("customer.traits.nope == 1", ERROR),
        ("customer.traits.nope == 1 || true", True),
        ("!(customer.traits.nope == 1 && false)", True),
        ("true || customer.traits.nope", True),
        ("has(customer.traits.nope)", False),
        ("has(customer.traits.n)", True),
        ("1 / 0", ERROR),
        ("1 / 0 == 1 || true", True),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7 % -2", 1),
        ("9223372036854775807 + 1", ERROR),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775808 / -1", ERROR),
        ("-9223372036854775808 % -1", ERROR),
        ("1.0 / 0.0", math.inf),
        ("-1.0 / 0.0", -math.inf),
        ("0.0 / 0.0 == 0.0 / 0.0", False),
        ("0.0 / 0.0 < 1.0", ERROR),
        ("!(0.0 / 0.0 >= 1.0)", ERROR),
        ("0.0 / 0.0 < 1.0 || true", True),
        ("0.0 / 0.0 in [0.0 / 0.0]", False),
        ("[0.0 / 0.0] == [0.0 / 0.0]", False),
        ("0.0 / 0.0 != 1.0", True),
        ("1.0 / 0.0 > 5.0", True),
        ("int(0.0 / 0.0)", ERROR),
        ("int(1e300)", ERROR),
        ("int(-3.9)", -3),
        ("[1, 2] == [1.0, 2.0]", True),
        ("1 in [1.0]", True),
        ('"n" in customer.traits', True),
        ("size(customer.traits)", 3),
        ("'\\u56de\\x41\\n' == '回A\\n'", True),
        ("r'a\\n' == 'a\\\\n'", True),
        ('"""a"b""" == "a\\"b"', True),
        ("0x1F", 31),
        ("1 == 1 == true", True),
        ("2--1", 3),
        ("--5", 5),
        ("true ? 1 : true ? 2 : 3", 1),
        ("// nothing\ntrue", True),
    ],
)
def test_what_is_easily_got_wrong_is_as_the_reference_has_it(text: str, expected: Any) -> None:
    assert_same(text, SCOPE)
    assert ours(text, SCOPE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size('回頭')", 2),
        ("9007199254740993 == 9007199254740992.0", False),
        ("-(-9223372036854775807 - 1)", ERROR),
    ],
)
def test_where_the_reference_library_leaves_the_specification_the_latter_holds(
    text: str, expected: Any
) -> None:
    assert ours(text, SCOPE) == expected
    assert reference(text, SCOPE) != expected


@settings(max_examples=500, deadline=None)
@given(booleans(2), st.data())
@example("customer.known ? true : false", None)
def test_whatever_the_subset_takes_the_reference_takes_too(text: str, data: Any) -> None:
    if data is not None:
        at = data.draw(st.integers(0, len(text)))
        put = data.draw(
            st.sampled_from(["", "!", "-", "(", ")", "1", " ", ".", "&&", "'", "in", "?"])
        )
        text = text[:at] + put + text[at + data.draw(st.integers(0, 2)) :]
    try:
        parse(text)
    except CelMistake:
        return
    cel.compile(text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_with_its_place(text: str) -> None:
    try:
        mistakes = mistakes_in(parse(text), VIEWED)
    except CelMistake as mistake:
        mistakes = [mistake]
    assert all(0 <= one.at <= max(len(text), 1) for one in mistakes)


def test_every_field_can_be_asked_of_a_customer_of_whom_nothing_is_known() -> None:
    for name, kind in CUSTOMER_FIELDS.items():
        try:
            kind.read(Scope(Customer(), START_MS))
        except Unanswerable:
            assert kind.optional, name


def test_every_field_of_an_event_reads_what_stands_there() -> None:
    event = order(cents=12_34, lines=(), discount_cents=100)
    scope = Scope(Customer(), START_MS, event)
    fields = EVENT_FIELDS[TYPES[type(event)]]
    read = {name: kind.read(scope) for name, kind in fields.items()}
    assert read["event.total"] == 12.34
    assert read["event.discount"] == 1.0
    assert read["event.product_ids"] == []
    assert read["event.type"] == "order_completed"
    assert read["event.channel"] == "web"
    yen = Scope(Customer(), START_MS, event, minor_units=1)
    assert fields["event.total"].read(yen) == 1_234
