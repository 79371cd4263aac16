"""Whatever a JSON parser can give: a list of drafts whose events can be encoded, or a refusal."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from models import events
from models.segment import Rejected, finish, parse
from models.segment_tracks import MAKERS
from tests.models.segment_bodies import DOOR, seal, token

KNOWN = (
    "type userId anonymousId previousId messageId timestamp sentAt originalTimestamp event context "
    "properties traits name category channel order_id product_id products items price quantity "
    "total revenue shipping tax discount currency coupon query results rating review_body "
    "action_id url reason ticket_id text address street email phone library campaign page path ip "
    "app locale timezone birthday id cart_id expires_at"
)
keys = st.sampled_from(KNOWN.split()) | st.text(max_size=12)
texts = st.sampled_from(
    [
        *("track", "identify", "alias", "page", "group", "2018-01-01", "USD", "email", "c1"),
        *("12.50", "-1", "1e400", "NaN", "", "\x00", "null", "9999-12-31T23:59:59.999999-23:59"),
        *("0001-01-01T00:00:00+23:59", "a@b.example", "+44 20 7946 0018", "客戶", "🎈", "%40", "@"),
    ]
) | st.text(max_size=30)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(2**63), 2**64, 1e308, -0.0])
json = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=8),
    max_leaves=15,
)
objects = st.dictionaries(keys, json, max_size=8)


def readable(body: Any) -> list[str]:
    """Names of the events of a message; they are encoded and read again on the way."""
    found = parse(body, DOOR)
    if isinstance(found, Rejected):
        assert len(found.got) <= 60
        return []
    encoded = [events.encode(finish(draft, token, seal)) for draft in found]  # type: ignore[arg-type]
    return [type(events.decode(one)).__name__ for one in encoded]


@settings(max_examples=100, deadline=None)
@given(body=json)
def test_any_json_is_read_or_refused(body: Any) -> None:
    readable(body)


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(["identify", "alias", "page", "screen", "group"]),
    rest=objects,
    traits=json,
    properties=json,
    context=objects,
)
def test_any_message_is_read_or_refused(
    kind: str, rest: dict[str, Any], traits: Any, properties: Any, context: dict[str, Any]
) -> None:
    body = {**rest, "traits": traits, "properties": properties, "context": context, "type": kind}
    readable({**body, "userId": "c1"})


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(sorted(MAKERS)) | st.text(max_size=20),
    properties=objects,
    context=objects,
    rest=objects,
)
@example(name="order completed", properties={"order_id": 1, "total": "1e30"}, context={}, rest={})
@example(name="refund", properties={"order_id": "o", "total": 1e308}, context={}, rest={})
def test_any_event_is_read_or_refused(
    name: str, properties: dict[str, Any], context: dict[str, Any], rest: dict[str, Any]
) -> None:
    body = {**rest, "type": "track", "userId": "c1", "event": name}
    readable({**body, "properties": properties, "context": context})


def test_nothing_is_too_deep_to_be_read_or_refused() -> None:
    for depth in (10, 100, 900, 100_000):
        deep: Any = 1
        for _ in range(depth):
            deep = [deep]
        for body in (
            {"type": "track", "userId": "c", "event": "x", "properties": {"a": deep}},
            {"type": "track", "userId": "c", "event": "x", "properties": {"email": deep}},
            {
                "type": "track",
                "userId": "c",
                "event": "x",
                "messageId": "m",
                "context": {"p": deep},
            },
            {"type": "identify", "userId": "c", "messageId": "m", "traits": {"name": deep}},
            {"type": deep, "userId": deep},
            deep,
        ):
            readable(body)
