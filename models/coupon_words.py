"""What stands on the topics of coupons: words to the fold that keeps them, and what it says.

A record of `coupons` has the code as its key, so that all that is said of a code stands in one
partition in one order. What becomes of an order, which names no code, is said under the order's own
key; the row there knows which coupons the order has (models/coupon_orders.py). What offers may
cost is asked under the key of a purse (models/purse_desk.py).
"""

from collections.abc import Callable

import msgspec
import xxhash

from models.coupons import Issued, OrderVoided, RedemptionAsked, Revoked, TimePassed
from models.events import ClockMark

_HOLDER = "/"
_ORDER = "#"
_PURSE = "$"


class OrderHas(msgspec.Struct, frozen=True, tag_field="kind", tag="order_has"):
    """An order has redeemed the coupon of this key; said to the order's row."""

    at_ms: int
    order_id: str
    coupon: str


class LookedAt(msgspec.Struct, frozen=True, tag_field="kind", tag="looked_at"):
    """Somebody wants to know how a coupon stands; nothing changes."""

    at_ms: int


class BudgetAsked(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="budget_asked"
):
    """A partition's totals, said to the purse of this key (models/budget.py).

    `budget` is what the edition in use there allows, `adoption` how many adoptions that partition
    has come to, `opened` what it began with. `ahead`: nobody waits for it.
    """

    at_ms: int
    partition: int
    budget: int
    adoption: int
    wanted: int
    returned: int = 0
    recall: int = 0
    ahead: bool = False
    opened: int = 0


CouponTold = Issued | RedemptionAsked | OrderVoided | Revoked | LookedAt | OrderHas | BudgetAsked


class CouponWord(
    msgspec.Struct,
    kw_only=True,
    omit_defaults=True,
    frozen=True,
    tag_field="type",
    tag="coupon",
):
    """One word to the coupon fold; `key` is a code, a holder's share of it, an order's, a purse's.

    `request` names who waits for the verdict, `action_id` the action that brought the coupon.
    """

    key: str
    event: CouponTold
    request: str = ""
    action_id: str = ""


CouponRecord = CouponWord | ClockMark
"""What a record of `coupons` may be."""


class CouponJudged(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What came of a word; (incarnation, partition, offset, index) is its id.

    `asked` is the word's kind, `outcome` one of models.coupons.Outcome in small letters or
    "looked_at", `status` where the coupon stands now, `currency` that of all cents (empty: not
    known). The last eight are by how much the sums of
    models.coupons.Liability move: all verdicts of an offer add up to what it may yet cost.
    """

    incarnation: int
    partition: int
    offset: int
    index: int
    at_ms: int
    code: str
    asked: str
    outcome: str
    status: str
    offer: str = ""
    customer: str = ""
    order_id: str = ""
    request: str = ""
    action_id: str = ""
    repeated: bool = False
    goods_cents: int = 0
    shipping_cents: int = 0
    gift: str = ""
    currency: str = ""
    expires_at_ms: int = 0
    issued: int = 0
    open: int = 0
    open_cents: int = 0
    open_unlimited: int = 0
    redeemed: int = 0
    redeemed_cents: int = 0
    expired: int = 0
    revoked: int = 0


encode: Callable[[CouponWord | CouponJudged], bytes] = msgspec.json.Encoder().encode
"""Write a word or a verdict for its topic."""
decode: Callable[[bytes], CouponRecord] = msgspec.json.Decoder(CouponRecord).decode
"""Read a record of `coupons`."""
decode_judged: Callable[[bytes], CouponJudged] = msgspec.json.Decoder(CouponJudged).decode
"""Read a record of `coupon-verdicts`."""


def kind_of(event: CouponTold | TimePassed) -> str:
    """Name what is said."""
    return str(event.__struct_config__.tag)


def share_key(code: str, holder: str) -> str:
    """Key of one holder's share of a code that many have.

    >>> home_of(share_key("SPRING", "c1"))
    'SPRING'
    """
    return f"{code}{_HOLDER}{holder}"


def home_of(key: str) -> str:
    """Give the code of a share, and what is no share as it is."""
    return key.partition(_HOLDER)[0]


def order_key(order_id: str) -> str:
    """Key under which is said what becomes of an order; no code has one like it."""
    return f"{_ORDER}{xxhash.xxh3_64_hexdigest(order_id.encode('utf-8', 'surrogatepass'))}"


def is_order_key(key: str) -> bool:
    """Whether a key is an order's."""
    return key.startswith(_ORDER)


def purse_key(name: str) -> str:
    """Key of a purse; no code has one like it."""
    return f"{_PURSE}{name}"


def is_purse_key(key: str) -> bool:
    """Whether a key is a purse's."""
    return key.startswith(_PURSE)


def partition_of_coupon(key: str, partitions: int) -> int:
    """Partition of topic `coupons` in which all of a code is said."""
    return xxhash.xxh3_64_intdigest(home_of(key).encode("utf-8", "surrogatepass")) % partitions
