"""Webhooks of Shopify and WooCommerce, said again as Segment's messages.

The shop's own customer id is the customer. A guest is named by the e-mail address of the order, so
that two orders of one guest meet; without one, by the order.

    Shopify      orders/create, orders/paid    Order Completed, with the customer's contact details
                 orders/cancelled              Order Cancelled
                 refunds/create                Order Refunded; it names no customer, so `owner` does
                 customers/create, …/update    identify
    WooCommerce  order.created, order.updated  by status: processing and completed are Order
                                               Completed, cancelled and failed Order Cancelled,
                                               refunded Order Refunded in full
                 customer.created, …updated    identify

Any other topic becomes an event of its own name. Ids come from what the shop says happened to what,
so that a delivery repeated, or the same order told by two topics, is the same event.
"""

from typing import Any

from models.segment_values import ID_CHARS_MAX

ORDER_TOPICS = ("orders/create", "orders/paid")
_PAID = ("processing", "completed")
_UNDONE = ("cancelled", "failed")
_NOT_SAID_AGAIN = frozenset(
    {"customer", "email", "phone", "contact_email", "billing_address", "shipping_address"}
    | {"billing", "shipping", "line_items", "refunds"}
)

Said = list[dict[str, Any]]


def from_shopify(topic: str, body: dict[str, Any], event_id: str, owner: str = "") -> Said:
    """Say a Shopify delivery again; `event_id` is Shopify's, `owner` the customer of its order."""
    if topic in ORDER_TOPICS:
        return [_shopify_order(body)]
    if topic == "orders/cancelled":
        return [
            {
                **_head("shopify", "Order Cancelled", f"{_id(body)}:cancelled"),
                **_shopify_customer(body),
                "timestamp": body.get("cancelled_at"),
                "properties": {"order_id": body.get("id"), "reason": body.get("cancel_reason")},
            }
        ]
    if topic == "refunds/create":
        return [_shopify_refund(body, owner)]
    if topic in ("customers/create", "customers/update"):
        return [
            {
                "type": "identify",
                "messageId": _named("shopify", topic, event_id),
                "userId": body.get("id"),
                "timestamp": body.get("updated_at"),
                "traits": _shopify_traits(body),
            }
        ]
    return [
        {
            **_head("shopify", topic, _named("", topic, event_id)),
            **_shopify_customer(body),
            "properties": body,
        }
    ]


def order_named_by(topic: str, body: dict[str, Any]) -> str:
    """Id of the order that a Shopify delivery refers to without naming its customer, or empty."""
    named = body.get("order_id") if topic == "refunds/create" else None
    return str(named)[:ID_CHARS_MAX] if type(named) in (str, int) else ""


def from_woocommerce(topic: str, body: dict[str, Any], event_id: str) -> Said:
    """Say a WooCommerce delivery again; `event_id` is that of the delivery."""
    if topic in ("order.created", "order.updated"):
        return [_woocommerce_order(topic, body, event_id)]
    if topic in ("customer.created", "customer.updated"):
        return [
            {
                "type": "identify",
                "messageId": _named("woocommerce", topic, event_id),
                "userId": body.get("id"),
                "timestamp": body.get("date_modified_gmt"),
                "traits": _woocommerce_traits(body),
            }
        ]
    return [
        {
            **_head("woocommerce", topic, _named("", topic, event_id)),
            **_woocommerce_customer(body),
            "properties": body,
        }
    ]


def _head(shop: str, event: str, name: str | None) -> dict[str, Any]:
    return {"type": "track", "event": event, "messageId": f"{shop}:{name}" if name else None}


def _named(shop: str, topic: str, event_id: str) -> str | None:
    """Name a delivery by its topic and the shop's id; without one its content names it."""
    return f"{shop}:{topic}:{event_id}".lstrip(":") if event_id else None


def _id(body: dict[str, Any]) -> str:
    found = body.get("id")
    return str(found)[:200] if type(found) in (str, int) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if type(one) is dict] if type(value) is list else []


def _without(body: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def _shopify_customer(body: dict[str, Any]) -> dict[str, Any]:
    customer = _object(body.get("customer"))
    if customer.get("id") is not None:
        return {"userId": customer["id"]}
    guest = body.get("email") or body.get("contact_email") or body.get("phone")
    return {"anonymousId": guest.strip().lower() if type(guest) is str else f"shopify:{_id(body)}"}


def _shopify_order(body: dict[str, Any]) -> dict[str, Any]:
    codes = _objects(body.get("discount_codes"))
    shipping = _object(_object(body.get("total_shipping_price_set")).get("shop_money"))
    properties = {
        "order_id": body.get("id"),
        "total": body.get("total_price"),
        "currency": body.get("currency"),
        "tax": body.get("total_tax"),
        "shipping": shipping.get("amount"),
        "discount": body.get("total_discounts"),
        "coupon": codes[0].get("code") if codes else None,
        "store_id": body.get("location_id"),
        "products": [_shopify_line(line) for line in _objects(body.get("line_items"))],
        "number": body.get("order_number"),
    }
    contact = {
        **_shopify_traits(_object(body.get("customer"))),
        "email": body.get("email") or body.get("contact_email"),
        "phone": body.get("phone") or _object(body.get("customer")).get("phone"),
    }
    return {
        **_head("shopify", "Order Completed", f"{_id(body)}:completed"),
        **_shopify_customer(body),
        "timestamp": body.get("created_at"),
        "properties": properties,
        "context": {
            "channel": "store" if body.get("source_name") == "pos" else "web",
            "ip": body.get("browser_ip"),
            "traits": {name: value for name, value in contact.items() if value is not None},
        },
    }


def _shopify_line(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "product_id": line.get("product_id") or line.get("id"),
        "sku": line.get("sku") or None,
        "name": line.get("title"),
        "variant": line.get("variant_title"),
        "brand": line.get("vendor"),
        "price": line.get("price"),
        "quantity": line.get("quantity"),
    }


def _shopify_refund(body: dict[str, Any], owner: str) -> dict[str, Any]:
    paid_back = [
        one
        for one in _objects(body.get("transactions"))
        if one.get("kind") == "refund" and one.get("status") == "success"
    ]
    properties = {
        "order_id": body.get("order_id"),
        "total": _sum([one.get("amount") for one in paid_back]),
        "currency": paid_back[0].get("currency") if paid_back else None,
        "products": [
            {
                **_shopify_line(_object(one.get("line_item"))),
                "quantity": one.get("quantity"),
                "total": one.get("subtotal"),
            }
            for one in _objects(body.get("refund_line_items"))
        ],
    }
    return {
        **_head("shopify", "Order Refunded", f"refund:{_id(body)}"),
        "userId": owner or None,
        "timestamp": body.get("created_at"),
        "properties": properties,
    }


def _sum(amounts: list[Any]) -> Any:
    """Add amounts that are texts; what is no number is left to be refused by the contract."""
    try:
        return str(sum(round(float(amount) * 10_000) for amount in amounts) / 10_000)
    except (TypeError, ValueError, OverflowError):
        return amounts


def _shopify_traits(customer: dict[str, Any]) -> dict[str, Any]:
    address = _object(customer.get("default_address"))
    traits = {
        "first_name": customer.get("first_name"),
        "last_name": customer.get("last_name"),
        "email": customer.get("email"),
        "phone": customer.get("phone"),
        "created_at": customer.get("created_at"),
        "address": {
            "street": address.get("address1"),
            "line2": address.get("address2"),
            "postal_code": address.get("zip"),
            "city": address.get("city"),
            "state": address.get("province"),
            "country": address.get("country_code"),
        },
    }
    return {name: value for name, value in traits.items() if value not in (None, "")}


def _woocommerce_customer(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("customer_id"):
        return {"userId": body["customer_id"]}
    guest = _object(body.get("billing")).get("email")
    return {
        "anonymousId": guest.strip().lower() if type(guest) is str and guest else _guest_of(body)
    }


def _guest_of(body: dict[str, Any]) -> str:
    return f"woocommerce:{_id(body)}"


def _woocommerce_order(topic: str, body: dict[str, Any], event_id: str) -> dict[str, Any]:
    status = body.get("status")
    who = _woocommerce_customer(body)
    changed = {"timestamp": body.get("date_modified_gmt")}
    order = {"order_id": body.get("id")}
    if status in _PAID:
        return {**_woocommerce_completed(body), **who}
    if status in _UNDONE:
        head = _head("woocommerce", "Order Cancelled", f"{_id(body)}:cancelled")
        return {**head, **who, **changed, "properties": order}
    if status == "refunded":
        head = _head("woocommerce", "Order Refunded", f"{_id(body)}:refunded")
        return {**head, **who, **changed, "properties": order}
    head = _head("woocommerce", topic, _named("", topic, event_id) or f"{_id(body)}:{status}")
    return {**head, **who, **changed, "properties": _without(body, _NOT_SAID_AGAIN)}


def _woocommerce_completed(body: dict[str, Any]) -> dict[str, Any]:
    coupons = _objects(body.get("coupon_lines"))
    properties = {
        "order_id": body.get("id"),
        "total": body.get("total"),
        "currency": body.get("currency"),
        "tax": body.get("total_tax"),
        "shipping": body.get("shipping_total"),
        "discount": body.get("discount_total"),
        "coupon": coupons[0].get("code") if coupons else None,
        "products": [
            {
                "product_id": line.get("product_id") or line.get("id"),
                "sku": line.get("sku") or None,
                "name": line.get("name"),
                "quantity": line.get("quantity"),
                "total": line.get("total"),
            }
            for line in _objects(body.get("line_items"))
        ],
    }
    return {
        **_head("woocommerce", "Order Completed", f"{_id(body)}:completed"),
        "timestamp": body.get("date_created_gmt"),
        "properties": properties,
        "context": {
            "channel": "server" if body.get("created_via") == "rest-api" else "web",
            "ip": body.get("customer_ip_address") or None,
            "userAgent": body.get("customer_user_agent") or None,
            "traits": _woocommerce_traits(body),
        },
    }


def _woocommerce_traits(body: dict[str, Any]) -> dict[str, Any]:
    billing = _object(body.get("billing"))
    traits = {
        "first_name": body.get("first_name") or billing.get("first_name"),
        "last_name": body.get("last_name") or billing.get("last_name"),
        "email": body.get("email") or billing.get("email"),
        "phone": billing.get("phone"),
        "address": {
            "street": billing.get("address_1"),
            "line2": billing.get("address_2"),
            "postal_code": billing.get("postcode"),
            "city": billing.get("city"),
            "state": billing.get("state"),
            "country": billing.get("country"),
        },
    }
    return {name: value for name, value in traits.items() if value not in (None, "")}
