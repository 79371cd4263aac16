"""How fast each outlet may send: one pace for all dispatchers together, kept in Redis.

Messages are evenly spaced, so no minute holds more than it may. Who asks is told how long to wait
and has that moment for its own: many that wait do not wake for one place.
"""

from redis.asyncio import Redis

MINUTE_MS = 60_000

# KEYS: the moment from which the outlet is free. ARGV: ms between two messages.
# Returns the ms until the caller's own moment.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local free = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
redis.call('SET', KEYS[1], free + ARGV[1], 'PX', free - now + ARGV[1] + 60000)
return free - now
"""

# KEYS: as above. ARGV: ms for which the outlet is to be left alone.
_HOLD = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local free = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now + ARGV[1])
redis.call('SET', KEYS[1], free, 'PX', free - now + 60000)
return 0
"""


class Rates:
    """The pace of every outlet."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._prefix = f"{namespace}pace:"

    async def take(self, outlet: str, per_minute: int) -> int:
        """Ms to wait until the caller's own moment; 0 for no limit keeps no pace but `hold`'s."""
        apart_ms = -(-MINUTE_MS // per_minute) if per_minute else 0
        return int(await self._redis.eval(_TAKE, 1, self._prefix + outlet, apart_ms))

    async def hold(self, outlet: str, for_ms: int) -> None:
        """Leave the outlet alone: its provider asked for it."""
        await self._redis.eval(_HOLD, 1, self._prefix + outlet, for_ms)
