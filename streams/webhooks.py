"""Webhooks: whose signature is right, and which messages a delivery holds.

A source's name chooses the scheme: `shopify` and `woocommerce` sign the body in their own header,
every other source signs as Standard Webhooks says (its body is a Segment message or a batch). A
source may have several secrets, separated by commas, so that one can be replaced by another.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any

from models.segment import ANONYMOUS
from models.segment_shops import (
    ORDER_TOPICS,
    from_shopify,
    from_woocommerce,
    order_named_by,
)

TOLERANCE_S = 300
_PREFIX = "whsec_"
_SHOPS = {"shopify": "X-Shopify-Hmac-SHA256", "woocommerce": "X-WC-Webhook-Signature"}


class BadSignature(ValueError):
    """The delivery is not signed by the source, or too long ago."""


def verify(source: str, secrets: str, headers: Mapping[str, str], raw: bytes, now_s: float) -> None:
    """Check the signature over the body as it was sent; raises BadSignature.

    `secrets` are the source's, separated by commas; `now_s` is the wall clock's.
    """
    keys = [secret.strip() for secret in secrets.split(",") if secret.strip()]
    if source in _SHOPS:
        header = _SHOPS[source]
        given = [headers.get(header, "")]
        expected = [_signature(key.encode(), raw) for key in keys]
    else:
        header = "webhook-signature"
        signed = _standard_content(headers, raw, now_s)
        versions = [one.partition(",") for one in headers.get(header, "").split()]
        given = [signature for version, _, signature in versions if version == "v1"]
        expected = [_signature(_standard_key(key), signed) for key in keys]
    # All are compared, so that the time taken does not tell which secret is in use.
    fitting = [
        hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
        for one in given
        for other in expected
    ]
    if not any(fitting):
        raise BadSignature(f"{header} does not fit the body")


def said(source: str, headers: Mapping[str, str], body: Any, owner: str = "") -> list[Any]:
    """List the Segment messages of a verified delivery.

    `owner` is the customer of the order it refers to, where it names none.
    """
    if source == "shopify":
        event_id = headers.get("X-Shopify-Event-Id") or headers.get("X-Shopify-Webhook-Id") or ""
        topic = headers.get("X-Shopify-Topic", "")
        return from_shopify(topic, body, event_id, owner) if type(body) is dict else [body]
    if source == "woocommerce":
        delivery_id = headers.get("X-WC-Webhook-Delivery-ID", "")
        topic = headers.get("X-WC-Webhook-Topic", "")
        return from_woocommerce(topic, body, delivery_id) if type(body) is dict else [body]
    return _standard_messages(headers, body)


def owned_order(source: str, headers: Mapping[str, str], messages: list[Any]) -> tuple[str, str]:
    """Order and customer of an accepted delivery by which later ones find theirs, or empty."""
    if source != "shopify" or headers.get("X-Shopify-Topic") not in ORDER_TOPICS:
        return "", ""
    message = messages[0]
    customer_id = message.get("userId") or f"{ANONYMOUS}{message.get('anonymousId')}"
    return str(message["properties"]["order_id"]), str(customer_id)


def order_of(source: str, headers: Mapping[str, str], body: Any) -> str:
    """Id of the order whose customer must be found out, or empty."""
    if source != "shopify" or type(body) is not dict:
        return ""
    return order_named_by(headers.get("X-Shopify-Topic", ""), body)


def batch_of(body: Any) -> list[Any] | None:
    """List the messages of a batch, with what they share; None when the body is no batch."""
    if type(body) is list:
        return body
    if type(body) is not dict or type(body.get("batch")) is not list:
        return None
    shared = {name: body[name] for name in ("context", "sentAt") if body.get(name) is not None}
    if not shared:
        return list(body["batch"])
    return [{**shared, **one} if type(one) is dict else one for one in body["batch"]]


def _signature(key: bytes, content: bytes) -> str:
    return b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def _standard_key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return b64decode(secret[len(_PREFIX) :], validate=True)
    except (Base64Error, ValueError):
        raise BadSignature("the source's secret is not base64 after whsec_") from None


def _standard_content(headers: Mapping[str, str], raw: bytes, now_s: float) -> bytes:
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or not at.isdecimal() or len(at) > 12:
        raise BadSignature("expected webhook-id and webhook-timestamp")
    if abs(int(at) - now_s) > TOLERANCE_S:
        raise BadSignature(f"webhook-timestamp is more than {TOLERANCE_S} s away")
    return f"{name}.{at}.".encode() + raw


def _standard_messages(headers: Mapping[str, str], body: Any) -> list[Any]:
    """A delivery's id stays the same when it is repeated: it names messages that have none."""
    messages = batch_of(body)
    several = [body] if messages is None else messages
    name = headers.get("webhook-id", "")
    return [
        {**one, "messageId": f"{name}:{index}"}
        if type(one) is dict and not one.get("messageId")
        else one
        for index, one in enumerate(several)
    ]
