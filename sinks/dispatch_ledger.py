"""The dispatcher's ledger: how far each action came, so that no message goes out twice.

    (nothing) -> leased -> sent or bounced -> receipted
                 leased -> erased

One hash an action in Redis. Whoever works on an action holds a lease by the server's own clock; a
lease that ran out may be taken over, and a step of the former holder is then refused. The outcome
is noted before its receipts are written, so that whoever comes next writes the same receipts.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from redis.asyncio import Redis

KEPT_DAYS = 400

# KEYS: the hash. ARGV: holder, lease in ms, customer, channel. Returns what stands between the
# caller and the action: 'over', the ms for which another holds it, or the hash.
_CLAIM = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state, holder, until_ms = unpack(
  redis.call('HMGET', KEYS[1], 'state', 'holder', 'lease_until_ms'))
if state == 'receipted' or state == 'erased' then return 'over' end
if holder and holder ~= ARGV[1] and tonumber(until_ms) > now then
  return math.ceil(until_ms - now)
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'lease_until_ms', now + ARGV[2],
  'state', state or 'leased', 'customer', ARGV[3], 'channel', ARGV[4])
return redis.call('HGETALL', KEYS[1])
"""

# KEYS: the hash. ARGV: holder, seconds to keep the hash (0: for ever), then fields and values.
_NOTE = """
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
if ARGV[2] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 1
"""

# KEYS: the hash. ARGV: holder. Gives the lease back and counts a failure.
_FAIL = """
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'lease_until_ms', 0)
return redis.call('HINCRBY', KEYS[1], 'failures', 1)
"""


class LeaseLost(Exception):
    """Another dispatcher took the action over; what it does from now on counts."""


class Over(Enum):
    """The action needs nothing more."""

    OVER = "over"


@dataclass(frozen=True)
class Held:
    """Another dispatcher holds the action, for `wait_ms` more at most."""

    wait_ms: int


@dataclass(frozen=True)
class Outcome:
    """What became of an action; `reason` says why it bounced, empty: it was sent."""

    at_ms: int
    reason: str = ""
    provider_id: str = ""
    delivered: bool = False


@dataclass(frozen=True)
class Leased:
    """The action is ours; `outcome` is set when only its receipts are missing."""

    failures: int = 0
    outcome: Outcome | None = None


class Ledger:
    """All actions of one installation, as one dispatcher (`holder`) sees them."""

    def __init__(self, redis: Redis, namespace: str, holder: str, lease_ms: int) -> None:
        self._redis = redis
        self._prefix = f"{namespace}ledger:"
        self._holder = holder
        self._lease_ms = lease_ms

    async def claim(
        self, action_id: str, customer: str = "", channel: str = ""
    ) -> Over | Held | Leased:
        """Take the action, for a lease's time; whose it is, is noted for `owner_of`."""
        answer = await self._run(_CLAIM, action_id, self._lease_ms, customer, channel)
        if isinstance(answer, int):
            return Held(answer)
        if not isinstance(answer, list):
            return Over.OVER
        return _leased(answer)

    async def settle(self, action_id: str, outcome: Outcome) -> None:
        """Note what became of it, before any receipt; raises LeaseLost."""
        fields = {
            "state": "bounced" if outcome.reason else "sent",
            "at_ms": outcome.at_ms,
            "reason": outcome.reason,
            "provider_id": outcome.provider_id,
            "delivered": int(outcome.delivered),
        }
        await self._write(action_id, fields)

    async def receipted(self, action_id: str) -> None:
        """Close it: the log has its receipts; raises LeaseLost."""
        await self._write(action_id, {"state": "receipted"}, KEPT_DAYS * 86_400)

    async def erased(self, action_id: str) -> None:
        """Close it without a receipt: its customer was forgotten; raises LeaseLost."""
        await self._write(action_id, {"state": "erased"}, KEPT_DAYS * 86_400)

    async def failed(self, action_id: str) -> int:
        """Give the lease back; returns how often sending has failed now. Raises LeaseLost."""
        failures = await self._run(_FAIL, action_id)
        if not failures:
            raise LeaseLost(action_id)
        return int(failures)

    async def _write(self, action_id: str, fields: dict[str, Any], kept_s: int = 0) -> None:
        flat = [part for field in fields.items() for part in field]
        noted = await self._run(_NOTE, action_id, kept_s, *flat)
        if not noted:
            raise LeaseLost(action_id)

    async def _run(self, script: str, action_id: str, *args: str | int) -> Any:
        return await self._redis.eval(script, 1, self._prefix + action_id, self._holder, *args)


async def owner_of(redis: Redis, namespace: str, action_id: str) -> tuple[str, str]:
    """Customer and channel of an action that was taken up; empty where none of it is known."""
    found: list[Any] = await redis.hmget(f"{namespace}ledger:{action_id}", ["customer", "channel"])
    customer, channel = [one.decode() if one else "" for one in found]
    return customer, channel


def _leased(flat: list[bytes]) -> Leased:
    texts = [one.decode() for one in flat]
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    outcome = None
    if fields["state"] != "leased":
        outcome = Outcome(
            at_ms=int(fields["at_ms"]),
            reason=fields["reason"],
            provider_id=fields["provider_id"],
            delivered=fields["delivered"] == "1",
        )
    return Leased(int(fields.get("failures", 0)), outcome)
