"""The named events of the contract: from their properties to the fields of our own types."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from models import events
from models.events import Channel, Event, Line, MessageChannel
from models.segment_personal import (
    apart_from_emails,
    looks_personal,
    search_query,
    without_emails,
)
from models.segment_values import (
    MINOR_UNITS_MAX,
    Reader,
    Refusal,
    currency_of,
    exponent_of,
    identifier,
    minor_units,
)
from models.segment_words import NAME_CHARS_MAX

LINES_MAX = 1_000
SHORT_CHARS = 60
_PARTS_MIN = 1e-6
Made = tuple[type[Event], dict[str, Any]]

_PRODUCT_LISTS = ("products", "items", "line_items")
_ORDER_ID = ("order_id", "orderId", "transaction_id")
_COUPON = ("coupon", "coupon_id", "coupon_code", "code", "coupon_name")
_CAMPAIGN = ("campaign", "campaign_id", "promotion_id")
_PRODUCT_ID = ("product_id", "productId", "item_id", "id")
_TEXTS = ("product_id", "sku", "name", "category", "brand", "variant")
_OTHER_TEXTS = frozenset(
    {"productId", "item_id", "id", "item_name", "title", "item_category", "product_category"}
    | {"item_brand", "vendor", "item_variant", "variant_title"}
)
_PRICES = {"total", "line_total", "price", "unit_price"}
_NOT_KEPT_OF_PRODUCTS = ("url", "image_url", "position", "index", "currency")

_MESSAGE_CHANNELS = {channel.value: channel for channel in MessageChannel} | {
    "e-mail": MessageChannel.EMAIL,
    "mail": MessageChannel.EMAIL,
    "text": MessageChannel.SMS,
    "mobile_push": MessageChannel.PUSH,
    "web_push": MessageChannel.PUSH,
    "push notification": MessageChannel.PUSH,
    "whatsapp": MessageChannel.CHAT,
    "wechat": MessageChannel.CHAT,
    "line": MessageChannel.CHAT,
}
_CHANNEL_OF_MESSAGE = {
    MessageChannel.EMAIL: Channel.EMAIL,
    MessageChannel.SMS: Channel.SMS,
    MessageChannel.PUSH: Channel.PUSH,
    MessageChannel.CHAT: Channel.APP,
}


class Track:
    """One track call on its way: its properties, and what was set aside while reading them."""

    __slots__ = ("channel", "currency", "extra", "personal", "priced", "reader")

    def __init__(self, properties: dict[str, Any], currency: str) -> None:
        self.reader = Reader(properties)
        self.currency = currency
        self.channel: Channel | None = None
        self.priced = False
        self.personal: dict[str, str] = {}
        self.extra: dict[str, Any] = {}

    def read_currency(self) -> int:
        """Take the currency where one is named; the digits of its minor unit."""
        name, value = self.reader.find("currency", "currency_code")
        if value is not None:
            try:
                self.currency = currency_of(value)
            except Refusal as refusal:
                raise refusal.under(name) from None
        return exponent_of(self.currency)

    def free_text(self, field: str, *names: str) -> None:
        """Set what somebody wrote aside, to be sealed as `field`."""
        _, value = self.reader.find(*names)
        if isinstance(value, str) and value:
            self.personal[field] = value
        elif value is not None:
            self.extra[field] = value

    def short_text(self, field: str, *names: str) -> str:
        """Take a word or two; what is longer or looks personal is set aside, to be sealed."""
        _, value = self.reader.find(*names)
        if not isinstance(value, str):
            if value is not None:
                self.extra[field] = value
            return ""
        if len(value) > SHORT_CHARS or looks_personal(value):
            self.personal[field] = value
            return ""
        return value

    def products(self, exponent: int) -> tuple[Line, ...]:
        """Take the list of products; what is unknown in them is kept in `extra`."""
        name, values = self.reader.find(*_PRODUCT_LISTS)
        if values is None:
            return ()
        if type(values) is not list or len(values) > LINES_MAX:
            raise Refusal(f"a list of at most {LINES_MAX} products", values, name)
        lines = []
        rests = []
        for index, value in enumerate(values):
            try:
                line, rest = read_line(value, exponent)
            except Refusal as refusal:
                raise refusal.under(f"{name}[{index}]") from None
            self.priced = self.priced or not _PRICES.isdisjoint(value)
            lines.append(line)
            if rest:
                rests.append({"product_id": line.product_id, **rest})
        if rests:
            self.extra["products"] = rests
        return tuple(lines)

    def one_or_more(self, exponent: int) -> list[Line]:
        """Take the product that the properties are, or each of the list they hold."""
        reader = self.reader
        if reader.peek("product_id", "productId", "sku", "item_id") is None:
            lines = self.products(exponent)
            if lines:
                return list(lines)
        return [_line_of(reader, exponent)]


def read_line(value: Any, exponent: int) -> tuple[Line, dict[str, Any]]:
    """Read one product, and what is not known of it."""
    if type(value) is not dict:
        raise Refusal("a product (an object)", value)
    reader = Reader(value)
    line = _line_of(reader, exponent)
    reader.drop(*_NOT_KEPT_OF_PRODUCTS)
    return line, reader.rest()


def _line_of(reader: Reader, exponent: int) -> Line:
    quantity = reader.quantity("quantity", "qty")
    price_cents, total_cents = _prices(reader, exponent, quantity)
    texts = reader.plain_texts(_TEXTS, _OTHER_TEXTS)
    if texts is None:
        texts = _texts_of(reader)
    elif not texts[0]:
        texts[0] = _named_by(texts[1], texts[2])
    product_id, sku, name, category, brand, variant = apart_from_emails(texts)
    return Line(
        product_id=product_id,
        total_cents=total_cents,
        quantity=quantity,
        price_cents=price_cents,
        category=category,
        sku=sku,
        name=name,
        brand=brand,
        variant=variant,
    )


def _texts_of(reader: Reader) -> list[str]:
    """Take what `_TEXTS` names, under any of its names."""
    sku = reader.optional_identifier("sku")
    name = reader.label("name", "item_name", "title")
    return [
        reader.optional_identifier(*_PRODUCT_ID) or _named_by(sku, name),
        sku,
        name,
        reader.label("category", "item_category", "product_category"),
        reader.label("brand", "item_brand", "vendor"),
        reader.label("variant", "item_variant", "variant_title"),
    ]


def _named_by(sku: str, name: str) -> str:
    """A product without an id goes by its article number, else by its name."""
    if not sku and not name:
        raise Refusal("the product's id", None, _PRODUCT_ID[0])
    return sku or name


def _prices(reader: Reader, exponent: int, quantity: float) -> tuple[int, int]:
    """Price of one and of the whole line: one of them is enough, the line's total wins."""
    total_cents = reader.money(exponent, "total", "line_total")
    name, price = reader.find("price", "unit_price")
    if price is None or price == "":
        if total_cents is None:
            return 0, 0
        single = round(total_cents / quantity) if quantity > _PARTS_MIN else 0
        return min(single, MINOR_UNITS_MAX), total_cents
    try:
        price_cents = minor_units(price, exponent)
        if total_cents is None:
            total_cents = price_cents
            if quantity != 1.0:
                total_cents = minor_units(price, exponent, quantity)
    except Refusal as refusal:
        raise refusal.under(name) from None
    return price_cents, total_cents


def _order_completed(track: Track) -> list[Made]:
    reader = track.reader
    exponent = track.read_currency()
    order_id = reader.identifier(*_ORDER_ID)
    lines = track.products(exponent)
    shipping = reader.money(exponent, "shipping") or 0
    tax = reader.money(exponent, "tax") or 0
    fields = {
        "order_id": order_id,
        "total_cents": _order_total(track, exponent, lines, shipping + tax),
        "currency": track.currency,
        "lines": lines,
        "discount_cents": reader.money(exponent, "discount") or 0,
        "shipping_cents": shipping,
        "tax_cents": tax,
        "coupon": _coupon(reader),
        "store_id": reader.optional_identifier("store_id", "storeId", "location_id"),
    }
    return [(events.OrderCompleted, fields)]


def _order_total(track: Track, exponent: int, lines: tuple[Line, ...], extras_cents: int) -> int:
    """What the customer pays: `total`, else revenue + shipping + tax, else the products' sum."""
    total = track.reader.money(exponent, "total")
    if total is None:
        revenue = track.reader.money(exponent, "revenue", "value", "subtotal")
        total = None if revenue is None else revenue + extras_cents
    if total is None and track.priced:
        total = sum(line.total_cents for line in lines)
    if total is None:
        raise Refusal("an amount here, in revenue, or prices of the products", None, "total")
    return _bounded(total)


def _bounded(total: int) -> int:
    if total > MINOR_UNITS_MAX:
        raise Refusal(f"at most {MINOR_UNITS_MAX} minor units", total, "total")
    return total


def _coupon(reader: Reader) -> str:
    """An order's coupon: a code, or the first of several."""
    name, value = reader.find("coupon", "coupon_code", "coupons")
    if type(value) is list:
        value = value[0] if value else None
    if value is None or value == "":
        return ""
    try:
        return identifier(value)
    except Refusal as refusal:
        raise refusal.under(name) from None


def _order_cancelled(track: Track) -> list[Made]:
    return [(events.OrderCancelled, {"order_id": track.reader.identifier(*_ORDER_ID)})]


def _order_refunded(track: Track) -> list[Made]:
    reader = track.reader
    exponent = track.read_currency()
    order_id = reader.identifier(*_ORDER_ID)
    lines = track.products(exponent)
    amount = reader.money(exponent, "amount", "total", "value", "revenue")
    if amount is None and lines:
        if not track.priced:
            raise Refusal("the amount paid back, or the products' prices", None, "total")
        amount = _bounded(sum(line.total_cents for line in lines))
    fields = {
        "order_id": order_id,
        "amount_cents": amount,
        "currency": track.currency,
        "lines": lines,
    }
    return [(events.OrderRefunded, fields)]


def _looked_at(kind: type[Event], track: Track) -> list[Made]:
    lines = track.one_or_more(track.read_currency())
    track.reader.drop(*_NOT_KEPT_OF_PRODUCTS)
    return [(kind, {"line": line}) for line in lines]


def _in_cart(kind: type[Event], track: Track) -> list[Made]:
    cart_id = track.reader.optional_identifier("cart_id", "cartId")
    return [(made, {**fields, "cart_id": cart_id}) for made, fields in _looked_at(kind, track)]


def _searched(track: Track) -> list[Made]:
    names = ("query", "search_term", "search", "q")
    if track.reader.peek(*names) is None:
        raise Refusal("what was searched for", None, names[0])
    fields: dict[str, Any] = {"query": search_query(track.reader.label(*names))}
    name, results = track.reader.find("results", "result_count", "results_count")
    if type(results) is int and 0 <= results < 2**53:
        fields["results"] = results
    elif results is not None:
        track.extra[name] = results
    return [(events.ProductsSearched, fields)]


def _coupon_issued(track: Track) -> list[Made]:
    reader = track.reader
    fields = {
        "coupon": reader.identifier(*_COUPON),
        "campaign": reader.optional_identifier(*_CAMPAIGN),
        "expires_at_ms": reader.time_ms("expires_at", "expiresAt", "expires"),
    }
    return [(events.CouponIssued, fields)]


def _coupon_applied(track: Track) -> list[Made]:
    reader = track.reader
    exponent = track.read_currency()
    fields = {
        "coupon": reader.identifier(*_COUPON),
        "order_id": reader.optional_identifier(*_ORDER_ID),
        "campaign": reader.optional_identifier(*_CAMPAIGN),
        "discount_cents": reader.money(exponent, "discount") or 0,
    }
    return [(events.CouponApplied, fields)]


def _coupon_denied(track: Track) -> list[Made]:
    fields = {
        "coupon": track.reader.identifier(*_COUPON),
        "order_id": track.reader.optional_identifier(*_ORDER_ID),
        "reason": track.short_text("reason", "reason"),
    }
    return [(events.CouponDenied, fields)]


def _message(kind: type[Event], track: Track) -> list[Made]:
    reader = track.reader
    channel = _message_channel(reader, None)
    track.channel = _CHANNEL_OF_MESSAGE[channel]
    fields: dict[str, Any] = {
        "action_id": reader.identifier("action_id", "actionId", "message_id"),
        "message_channel": channel,
    }
    if kind is events.MessageSent:
        fields["rule"] = reader.optional_identifier("rule")
    elif kind is events.MessageClicked:
        fields["url"] = _bare_url(reader.label("url", "link_url"))
    elif kind is events.MessageBounced:
        fields["reason"] = track.short_text("reason", "reason", "bounce_reason")
    return [(kind, fields)]


def _foreign_message(kind: type[Event], channel: str, track: Track) -> list[Made]:
    """An event of somebody else's sending: ours only if it names a message."""
    names = ("action_id", "message_id", "email_id", "notification_id")
    if track.reader.peek(*names) is None:
        return []
    _, action_id = track.reader.find(*names)
    track.reader = Reader({**track.reader.rest(), "action_id": action_id, "channel": channel})
    return _message(kind, track)


def _unsubscribed(track: Track) -> list[Made]:
    channel = _message_channel(track.reader, MessageChannel.EMAIL)
    track.channel = _CHANNEL_OF_MESSAGE[channel]
    action_id = track.reader.optional_identifier("action_id", "actionId", "message_id", "email_id")
    return [(events.Unsubscribed, {"message_channel": channel, "action_id": action_id})]


def _message_channel(reader: Reader, default: MessageChannel | None) -> MessageChannel:
    name, value = reader.find("channel", "message_channel")
    if value is None and default is not None:
        return default
    channel = _MESSAGE_CHANNELS.get(value.strip().lower()) if isinstance(value, str) else None
    if channel is None:
        raise Refusal("one of " + ", ".join(one.value for one in MessageChannel), value, name)
    return channel


def _bare_url(url: str) -> str:
    """A web address without what follows ? or #, without a name before the host."""
    return without_emails(url.split("?", 1)[0].split("#", 1)[0])


def _ticket(kind: type[Event], track: Track) -> list[Made]:
    reader = track.reader
    track.channel = Channel.SERVICE
    fields: dict[str, Any] = {"ticket_id": reader.identifier("ticket_id", "ticketId", "id")}
    if kind is events.TicketOpened:
        fields["topic"] = track.short_text("topic", "topic", "category")
        fields["product_id"] = reader.optional_identifier("product_id", "productId")
    elif kind is events.TicketRated:
        fields["rating"] = reader.rating("rating", "score", "csat")
    track.free_text("subject", "subject", "title")
    track.free_text("text", "text", "message", "body", "description", "comment")
    return [(kind, fields)]


def _reviewed(track: Track) -> list[Made]:
    reader = track.reader
    fields = {
        "product_id": reader.identifier("product_id", "productId", "sku"),
        "rating": reader.rating("rating"),
        "review_id": reader.optional_identifier("review_id", "reviewId"),
        "published": _is_published(track),
    }
    track.free_text("review_title", "review_title", "title")
    track.free_text("review_body", "review_body", "body", "text", "comment")
    return [(events.ProductReviewed, fields)]


def _is_published(track: Track) -> bool:
    """Whether the shop says so in as many words; anything but a yes or a no is kept aside."""
    name, said = track.reader.find("published", "is_published", "isPublished")
    if said is not None and type(said) is not bool:
        track.extra[name] = said
    return said is True


def _return_requested(track: Track) -> list[Made]:
    reader = track.reader
    exponent = track.read_currency()
    common = {
        "order_id": reader.identifier(*_ORDER_ID),
        "reason": track.short_text("reason", "reason", "return_reason"),
    }
    lines = track.products(exponent)
    if lines:
        of_lines = [{"product_id": one.product_id, "quantity": one.quantity} for one in lines]
        return [(events.ReturnRequested, {**common, **fields}) for fields in of_lines]
    fields = {
        "product_id": reader.optional_identifier("product_id", "productId", "sku"),
        "quantity": reader.quantity("quantity"),
    }
    return [(events.ReturnRequested, {**common, **fields})]


Maker = Callable[[Track], list[Made]]


def _named(maker: Maker, *names: str) -> dict[str, Maker]:
    return dict.fromkeys(names, maker)


def _kinds(maker: Callable[[type[Event], Track], list[Made]], kind: type[Event]) -> Maker:
    return partial(maker, kind)


_VIEWED = _kinds(_looked_at, events.ProductViewed)
_WISHED = _kinds(_looked_at, events.ProductWished)
_ADDED = _kinds(_in_cart, events.ProductAdded)
_REMOVED = _kinds(_in_cart, events.ProductRemoved)

MAKERS: dict[str, Maker] = {
    **_named(_order_completed, "order completed", "completed order", "purchase"),
    **_named(_order_cancelled, "order cancelled", "order canceled", "cancelled order"),
    **_named(_order_refunded, "order refunded", "refunded order", "refund"),
    **_named(_VIEWED, "product viewed", "viewed product", "product clicked", "view item"),
    **_named(_VIEWED, "select item"),
    **_named(_ADDED, "product added", "added product", "product added to cart", "add to cart"),
    **_named(_REMOVED, "product removed", "removed product", "remove from cart"),
    **_named(_WISHED, "product added to wishlist", "added to wishlist", "add to wishlist"),
    **_named(_searched, "products searched", "searched products", "search"),
    **_named(_coupon_issued, "coupon issued"),
    **_named(_coupon_applied, "coupon applied"),
    **_named(_coupon_denied, "coupon denied"),
    **_named(_unsubscribed, "unsubscribed", "email marked as spam"),
    **_named(_kinds(_message, events.MessageSent), "message sent"),
    **_named(_kinds(_message, events.MessageDelivered), "message delivered"),
    **_named(_kinds(_message, events.MessageOpened), "message opened"),
    **_named(_kinds(_message, events.MessageClicked), "message clicked"),
    **_named(_kinds(_message, events.MessageBounced), "message bounced"),
    **_named(_kinds(_ticket, events.TicketOpened), "ticket opened"),
    **_named(_kinds(_ticket, events.TicketAnswered), "ticket answered"),
    **_named(_kinds(_ticket, events.TicketClosed), "ticket closed", "ticket solved"),
    **_named(_kinds(_ticket, events.TicketRated), "ticket rated"),
    **_named(_reviewed, "product reviewed"),
    **_named(_return_requested, "return requested"),
}


def _foreign(kind: type[Event], channel: str, *names: str) -> dict[str, Maker]:
    return dict.fromkeys(names, partial(_foreign_message, kind, channel))


MAKERS |= {
    **_foreign(events.MessageSent, "email", "email sent"),
    **_foreign(events.MessageDelivered, "email", "email delivered"),
    **_foreign(events.MessageOpened, "email", "email opened"),
    **_foreign(events.MessageClicked, "email", "email link clicked", "email clicked"),
    **_foreign(events.MessageBounced, "email", "email bounced"),
    **_foreign(events.MessageSent, "sms", "sms sent"),
    **_foreign(events.MessageDelivered, "sms", "sms delivered"),
    **_foreign(events.MessageClicked, "sms", "sms clicked", "sms link clicked"),
    **_foreign(events.MessageBounced, "sms", "sms failed", "sms bounced"),
    **_foreign(events.MessageDelivered, "push", "push notification received"),
    **_foreign(events.MessageOpened, "push", "push notification tapped"),
    **_foreign(events.MessageBounced, "push", "push notification bounced"),
}


def maker_of(event: str) -> Maker | None:
    """Find what reads the events of this name, however it is spelled; None for unknown ones.

    >>> maker_of("Order Completed") is maker_of("order_completed")
    True
    """
    return _known_maker_of(event) if len(event) <= NAME_CHARS_MAX else _maker_of(event)


def _maker_of(event: str) -> Maker | None:
    return MAKERS.get(" ".join(event.lower().replace("_", " ").replace("-", " ").split()))


_known_maker_of = lru_cache(maxsize=1_024)(_maker_of)
