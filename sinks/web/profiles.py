"""A customer's profile for people and programs: found, brought up to the log's time, opened.

Redis alone is asked (the keys are as sinks/redis_profiles.py writes them); personal fields are
opened by the key store here and leave only in the answer.
"""

import re
from base64 import b64decode
from math import log
from typing import Any, Literal

import msgspec
import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.clock import DAY_MS
from models.dormancy import COOLING_AFTER_DAYS, silence_days
from models.hazard import HORIZON_DAYS
from models.item_memory import ItemMemory
from models.segment_personal import email_lookup, phone_lookup
from models.tokens import TOKEN_CHARS, token_of
from sinks.keys import KeyDestroyed, KeyMissing
from sinks.model_shelf import ModelShelf
from sinks.sealing import SealBroken, Sealer

By = Literal["id", "email", "phone", "token"]
MERGES_AT_MOST = 8
LABEL_CHARS = 40
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_CHARS}}}")
_LOOKUPS = {"email": email_lookup, "phone": phone_lookup}
_TEN_YEARS_DAYS = 3650.0

_FOLDED_AT = ("last_seen_ms", "hazard_at_ms", "tier_since_ms")
_NAMES = ("name", "first_name", "id")

Profile = dict[str, Any]
_log = structlog.get_logger(__name__)


class Unknown(LookupError):
    """No customer goes by this name."""


class Forgotten(LookupError):
    """The customer was erased."""


class Profiles:
    """Reads profiles; `namespace` is the prefix of all keys."""

    def __init__(
        self, redis: "Redis", sealer: Sealer, token_key: bytes, namespace: str, shelf: ModelShelf
    ) -> None:
        self._redis = redis
        self._sealer = sealer
        self._token_key = token_key
        self._namespace = namespace
        self._shelf = shelf

    async def find(self, what: str, by: By) -> str:
        """Token of the customer who goes by `what`; raises Unknown.

        An id gives a token whether or not such a customer exists.
        """
        if by == "token":
            return what
        if by == "id":
            return token_of(self._token_key, "customer", what)
        plain = _LOOKUPS[by](what)
        if not plain:
            raise Unknown(f"this is no {by}")
        lookup = token_of(self._token_key, by, plain)
        found = await self._redis.get(f"{self._namespace}lookup:{by}:{lookup}")
        if found is None:
            raise Unknown(f"no customer has this {by}")
        return found if isinstance(found, str) else found.decode()

    async def search(self, what: str) -> str:
        """Token of the customer whom a person means by `what`: e-mail, phone, id or token.

        Raises Unknown.
        """
        for by in guesses(what):
            try:
                token = await self.find(what, by)
                await self.stored(token)
            except Unknown:
                continue
            return token
        raise Unknown("no customer has this id, e-mail or phone number")

    async def stored(self, token: str) -> tuple[str, Profile]:
        """Give the profile as it stands in Redis, and the token it was found under at last.

        A merged customer's name leads to where the history went. Raises Unknown.
        """
        found, profile, _ = await self._newest(token)
        return found, profile

    async def with_items(self, token: str) -> tuple[Profile, ItemMemory]:
        """Give the profile as it stands in Redis, and the customer's memory of items.

        Raises Unknown, or Forgotten where it was erased.
        """
        try:
            _, profile, packed = await self._newest(token)
        except Unknown:
            self._refuse_forgotten(token)
            raise
        return profile, msgspec.msgpack.decode(
            b64decode(packed), type=ItemMemory
        ) if packed else ItemMemory()

    async def _newest(self, token: str) -> tuple[str, Profile, bytes | str]:
        for _ in range(MERGES_AT_MOST):
            key = f"{self._namespace}profile:{token}"
            raw, items = await self._redis.hmget(key, ["json", "items"])
            if raw is None:
                break
            profile = orjson.loads(raw)
            if not profile.get("merged_into"):
                return token, profile, items or b""
            token = profile["merged_into"]
        raise Unknown("no customer goes by this name")

    async def known(self, token: str) -> tuple[str, Profile]:
        """Give what `stored` gives; raises Forgotten where it was erased, else Unknown."""
        try:
            return await self.stored(token)
        except Unknown:
            self._refuse_forgotten(token)
            raise

    async def read(self, token: str, now_ms: int) -> Profile:
        """Profile at the log's time `now_ms`, opened; raises Unknown or Forgotten."""
        found, profile = await self.known(token)
        sealed = profile.pop("sealed", {})
        profile.pop("lookup", None)
        personal, unreadable = self._open(found, sealed)
        profile["cluster"] = self._cluster(profile.get("cluster"))
        return {
            "token": found,
            "asked_token": token,
            "id": personal.pop("id", None),
            "personal": personal,
            "unreadable": unreadable,
            "at_ms": now_ms,
            **at(profile, now_ms),
        }

    def _cluster(self, label: int | None) -> dict[str, Any] | None:
        """What the customers of a cluster are like, by the version in use."""
        learned = self._shelf.segments
        clusters = learned.clusters.clusters
        if label is None or not 0 <= label < len(clusters):
            return None
        one = clusters[label]
        return {
            "label": label,
            "version": learned.version,
            "share": one.share,
            "silence_days": one.silence_days,
            "orders": one.orders,
            "value_cents": one.value_cents,
            "traits": [f"{trait.direction}_{trait.feature}" for trait in one.traits],
        }

    async def labels(self, tokens: set[str]) -> dict[str, str]:
        """How to call each of these customers on a page: by name, else by id.

        Without Redis nobody has a name; the page goes on.
        """
        if not tokens:
            return {}
        ordered = sorted(tokens)
        pipe = self._redis.pipeline(transaction=False)
        for token in ordered:
            pipe.hget(f"{self._namespace}profile:{token}", "json")
        try:
            found = await pipe.execute()
        except RedisError as error:
            _log.warning("labels_unreadable", error=str(error))
            return {}
        return {
            token: self._label(token, orjson.loads(raw)["sealed"] if raw else {})
            for token, raw in zip(ordered, found, strict=True)
        }

    def _label(self, token: str, sealed: dict[str, str]) -> str:
        wanted = {field: text for field, text in sealed.items() if field in _NAMES}
        try:
            personal, _ = self._open(token, wanted)
        except Forgotten:
            personal = {}
        label = personal.get("name") or personal.get("first_name") or personal.get("id")
        return (label or token[:8])[:LABEL_CHARS]

    def _open(self, token: str, sealed: dict[str, str]) -> tuple[dict[str, str], list[str]]:
        opened: dict[str, str] = {}
        unreadable: list[str] = []
        for field, text in sealed.items():
            try:
                opened[field] = self._sealer.unseal(token, field, text)
            except KeyDestroyed:
                raise Forgotten("this customer was erased") from None
            except (KeyMissing, SealBroken):
                # Sealed under another name's key before a merge: it stays closed (decision 19).
                unreadable.append(field)
        return opened, unreadable

    def _refuse_forgotten(self, token: str) -> None:
        try:
            self._sealer.unseal(token, "id", "")
        except KeyDestroyed:
            raise Forgotten("this customer was erased") from None
        except (KeyMissing, SealBroken):
            return


def guesses(what: str) -> tuple[By, ...]:
    """In which order to try what a person typed."""
    tries: list[By] = []
    if email_lookup(what):
        tries.append("email")
    tries.append("id")
    if _TOKEN.fullmatch(what):
        tries.append("token")
    if phone_lookup(what):
        tries.append("phone")
    return tuple(tries)


def at(profile: Profile, now_ms: int) -> Profile:
    """Bring what depends on the moment up to `now_ms`, and say why things are as they are.

    Windows are as of `windows_at_ms`, when the customer was folded last; one that the silence since
    the last order has outgrown is empty now.
    """
    last_order_ms = profile["last_order_ms"]
    if last_order_ms is not None and profile["orders"]:
        silence = silence_days(last_order_ms, now_ms)
        profile["silence_days"] = silence
        for length_days in profile["windows"]:
            if silence >= int(length_days):
                profile["windows"][length_days] = {"orders": 0, "value_cents": 0}
    profile["windows_at_ms"] = max(profile[name] for name in _FOLDED_AT)
    profile["expected_next_order"] = expected_window(profile["hazard"], profile["hazard_at_ms"])
    profile["reasons"] = reasons(profile)
    return profile


def expected_window(hazard: float | None, foretold_at_ms: int) -> dict[str, int] | None:
    """When the next order is to be expected: the middle half of the chances, from the hazard alone.

    Of a hundred such customers 25 order before `from_ms`, 25 after `to_ms`. None when nothing was
    foretold or the window ends beyond ten years.
    """
    if not hazard:
        return None
    rate_per_day = -log(1.0 - min(hazard, 1.0 - 1e-9)) / HORIZON_DAYS
    from_days, to_days = log(4 / 3) / rate_per_day, log(4) / rate_per_day
    if to_days > _TEN_YEARS_DAYS:
        return None
    return {
        "from_ms": foretold_at_ms + int(from_days * DAY_MS),
        "to_ms": foretold_at_ms + int(to_days * DAY_MS),
    }


def reasons(profile: Profile) -> list[dict[str, Any]]:
    """Why the profile says what it says, as codes with their numbers (the page has the words)."""
    found: list[dict[str, Any]] = []
    if profile["tier_reason"]:
        found.append({"about": "tier", "code": "tier", "sentence": profile["tier_reason"]})
    silence, gap = profile["silence_days"], profile["mean_gap_days"]
    if silence is not None and gap is not None:
        code = "longer_than_usual" if silence > gap else "within_usual"
        found.append({"about": "dormancy", "code": code, "days": silence, "usual_days": gap})
    elif silence is not None and silence >= COOLING_AFTER_DAYS:
        found.append({"about": "dormancy", "code": "silent", "days": silence})
    if profile["hazard"] is not None:
        found.append(
            {
                "about": "next_order",
                "code": "hazard" if profile["hazard_version"] else "hazard_unlearned",
                "hazard": profile["hazard"],
                "version": profile["hazard_version"],
                "horizon_days": profile["hazard_horizon_days"],
            }
        )
    if profile["service"]["tickets_open"]:
        found.append(
            {
                "about": "service",
                "code": "ticket_open",
                "tickets": profile["service"]["tickets_open"],
            }
        )
    found.extend(
        {"about": "consent", "code": "unsubscribed", "channel": channel}
        for channel in profile["unsubscribed"]
    )
    return found
