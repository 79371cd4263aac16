"""Signatures: the three schemes, old and new secrets, and everything that does not fit."""

import hashlib
import hmac
from base64 import b64encode

import pytest

from streams.webhooks import BadSignature, batch_of, said, verify

RAW = '{"type": "track", "name": "Müller"}'.encode()
NOW_S = 1_700_000_000.0
KEY = b"a key of twenty-four byt"
WHSEC = "whsec_" + b64encode(KEY).decode()


def signed(key: bytes, content: bytes) -> str:
    return b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def standard(key: bytes = KEY, at_s: float = NOW_S, raw: bytes = RAW) -> dict[str, str]:
    content = f"msg_1.{int(at_s)}.".encode() + raw
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at_s)),
        "webhook-signature": f"v1,{signed(key, content)}",
    }


@pytest.mark.parametrize(
    ("source", "header"),
    [("shopify", "X-Shopify-Hmac-SHA256"), ("woocommerce", "X-WC-Webhook-Signature")],
)
def test_a_shop_signs_the_raw_body_with_the_old_or_the_new_secret(source: str, header: str) -> None:
    for secret in (b"old", b"new"):
        verify(source, "old, new", {header: signed(secret, RAW)}, RAW, NOW_S)
    for headers in (
        {header: signed(b"other", RAW)},
        {header: signed(b"old", RAW + b" ")},
        {header: signed(b"old", RAW)[:-1]},
        {header: ""},
        {header: "é"},
        {},
    ):
        with pytest.raises(BadSignature, match="does not fit"):
            verify(source, "old, new", headers, RAW, NOW_S)


def test_no_secret_fits_nothing() -> None:
    headers = {"X-Shopify-Hmac-SHA256": signed(b"", RAW)}
    for secrets in ("", " , "):
        with pytest.raises(BadSignature):
            verify("shopify", secrets, headers, RAW, NOW_S)


def test_a_standard_delivery_is_signed_with_its_id_and_time() -> None:
    verify("crm", WHSEC, standard(), RAW, NOW_S)
    verify("crm", "plain", standard(b"plain"), RAW, NOW_S)
    several = standard()
    several["webhook-signature"] = f"v1a,xx v1,AAAA {several['webhook-signature']}"
    verify("crm", f"{WHSEC},other", several, RAW, NOW_S)


@pytest.mark.parametrize("away_s", [-301, 301])
def test_a_standard_delivery_of_another_time_is_refused(away_s: int) -> None:
    verify("crm", WHSEC, standard(at_s=NOW_S + away_s * 0.99), RAW, NOW_S)
    with pytest.raises(BadSignature, match="300 s away"):
        verify("crm", WHSEC, standard(at_s=NOW_S + away_s), RAW, NOW_S)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1700000001"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "９" * 10},
        {"webhook-timestamp": "1" * 5000},
        {"webhook-signature": ""},
        {"webhook-signature": "v2," + signed(KEY, RAW)},
        {"webhook-signature": "v1,é"},
    ],
)
def test_a_standard_delivery_that_was_touched_is_refused(spoiled: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify("crm", WHSEC, {**standard(), **spoiled}, RAW, NOW_S)


def test_a_standard_deliverys_id_names_messages_without_one() -> None:
    headers = {"webhook-id": "msg_1"}
    assert said("crm", headers, {"type": "track"}) == [{"type": "track", "messageId": "msg_1:0"}]
    batch = {"batch": [{"messageId": "m"}, {}, 5], "context": {"ip": "1"}}
    assert said("crm", headers, batch) == [
        {"messageId": "m", "context": {"ip": "1"}},
        {"messageId": "msg_1:1", "context": {"ip": "1"}},
        5,
    ]


def test_a_batch_shares_its_context_with_messages_that_have_none() -> None:
    body = {"batch": [{"a": 1}, {"context": {}}, None], "context": {"x": 1}, "sentAt": "s"}
    assert batch_of(body) == [
        {"context": {"x": 1}, "sentAt": "s", "a": 1},
        {"context": {}, "sentAt": "s"},
        None,
    ]
    assert batch_of([1]) == [1]
    for no_batch in ({}, {"batch": 5}, "batch", None):
        assert batch_of(no_batch) is None
