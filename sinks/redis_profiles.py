"""Profiles in Redis, from the table's changelog: the newest state of each customer, ready to serve.

Keys, all under the namespace: `profile:TOKEN`, a hash with `json`, `items` (the memory of
models/item_memory.py, packed, in base64), `position` and `lookups`;
`lookup:email:TOKEN` and `lookup:phone:TOKEN`, which name the customer; `gone:TOKEN`, the position
at which a customer was deleted, kept a while against stale writers; `profiles:landed`, a hash of
how far each partition has come, by which an emptied Redis is noticed and filled again.
"""

import asyncio
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import orjson
import structlog
from redis import Redis
from redis.commands.core import Script

from models.customer import Customer, decode_row
from models.profile import profile_of
from models.tokens import is_customer_key
from sinks.port import Record

CUSTOMERS_A_CALL = 64
CALLS_A_TRIP = 16
GONE_KEPT_S = 7 * 86_400
ANSWER_LIMIT_S = 10.0

WRITE = """
local function newer(stored, incarnation, partition, offset)
  if not stored then return 1 end
  local was, place, at = string.match(stored, '^(%d+):(%d+):(%d+)$')
  was, place, at = tonumber(was), tonumber(place), tonumber(at)
  if was ~= incarnation then return was < incarnation and 1 or 0 end
  if place ~= partition then return -1 end
  return at < offset and 1 or 0
end

local answers = {}
local namespace, incarnation, kept_s = ARGV[1], tonumber(ARGV[2]), ARGV[3]
for i, customer in ipairs(cmsgpack.unpack(ARGV[4])) do
  local token, partition, offset, json, lookups, items = unpack(customer)
  local profile, gone = namespace .. 'profile:' .. token, namespace .. 'gone:' .. token
  local held = redis.call('HMGET', profile, 'position', 'lookups')
  local answer = newer(
    held[1] or redis.call('GET', gone), incarnation, partition, offset)
  if answer == 1 then
    local position = string.format('%d:%d:%d', incarnation, partition, offset)
    if held[2] and held[2] ~= lookups then
      for key in string.gmatch(held[2], '%S+') do
        if redis.call('GET', key) == token then redis.call('DEL', key) end
      end
    end
    if json == '' then
      redis.call('DEL', profile)
      redis.call('SET', gone, position, 'EX', kept_s)
    else
      for key in string.gmatch(lookups, '%S+') do redis.call('SET', key, token) end
      redis.call(
        'HSET', profile, 'json', json, 'position', position, 'lookups', lookups, 'items', items)
      redis.call('DEL', gone)
    end
  end
  answers[i] = answer
end
return answers
"""
STALE, WRITTEN, ELSEWHERE = 0, 1, -1


class CustomerMoved(Exception):
    """A customer's records stand in two partitions of one incarnation of the log."""


class Profile(NamedTuple):
    """One customer's newest record in a batch; `json` empty: delete."""

    token: str
    partition: int
    offset: int
    json: str
    lookups: str
    items: str = ""


class RedisProfileSink:
    """Keeps every customer's profile by compare-and-set on the changelog's position."""

    name = "redis-profiles"

    def __init__(self, url: str, namespace: str, incarnation: int) -> None:
        self._url = url
        self._namespace = namespace
        self._incarnation = incarnation
        self._landed_key = f"{namespace}profiles:landed"
        self._redis: Redis | None = None
        self._script: Script | None = None
        self._log = structlog.get_logger().bind(sink=self.name)

    async def open(self) -> None:
        """Connect."""
        await asyncio.to_thread(self._open)

    async def resume(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Tell how far each partition has come; 0 where this Redis knows nothing."""
        return await asyncio.to_thread(self._resume, sorted(partitions))

    async def write(self, batch: Sequence[Record]) -> None:
        """Write the newest state of each customer in the batch."""
        await asyncio.to_thread(self._write, batch)

    async def close(self) -> None:
        """Close the connection."""
        if self._redis is not None:
            await asyncio.to_thread(self._redis.close)
            self._redis = None

    def _open(self) -> None:
        if self._redis is None:
            redis = Redis.from_url(
                self._url, socket_timeout=ANSWER_LIMIT_S, socket_connect_timeout=ANSWER_LIMIT_S
            )
            redis.ping()
            self._script = redis.register_script(WRITE)
            self._redis = redis

    @property
    def _connected(self) -> Redis:
        if self._redis is None:
            raise RuntimeError(f"sink {self.name} is not open")
        return self._redis

    def _resume(self, partitions: Sequence[int]) -> Mapping[int, int]:
        found: Any = self._connected.hmget(self._landed_key, [str(one) for one in partitions])
        return {
            partition: self._first_missing(mark)
            for partition, mark in zip(partitions, found, strict=True)
        }

    def _first_missing(self, mark: bytes | None) -> int:
        incarnation, _, offset = (mark or b"0:-1").partition(b":")
        return int(offset) + 1 if int(incarnation) == self._incarnation else 0

    def _write(self, batch: Sequence[Record]) -> None:
        if not batch:
            return
        newest = {record.key: record for record in batch if _of_customer(record)}
        profiles = self._profiles(newest.values())
        while trip := list(islice(profiles, CUSTOMERS_A_CALL * CALLS_A_TRIP)):
            self._send(trip)
        # Last, and in order: what stands here has landed, also when Redis forgets its last second.
        ends: dict[Any, Any] = {
            str(one.partition): f"{self._incarnation}:{one.offset}" for one in batch
        }
        self._connected.hset(self._landed_key, mapping=ends)

    def _profiles(self, records: Iterable[Record]) -> Iterator[Profile]:
        for record in records:
            try:
                yield self._profile(record)
            except (ValueError, msgspec.MsgspecError) as error:
                self._log.error(
                    "unreadable record",
                    partition=record.partition,
                    offset=record.offset,
                    reason=str(error),
                )

    def _profile(self, record: Record) -> Profile:
        token = (record.key or b"").decode("ascii")
        place = (record.partition, record.offset)
        customer = decode_row(record.value) if record.value is not None else Customer()
        if not customer.events and not customer.merged_into:
            return Profile(token, *place, "", "")
        lookups = (
            f"{self._namespace}lookup:{kind}:{address}"
            for kind, address in sorted(customer.lookup.items())
        )
        json = orjson.dumps(profile_of(customer, folded_at_ms(customer))).decode()
        # Text: the script's msgpack reads no bytes.
        items = b64encode(msgspec.msgpack.encode(customer.items)).decode()
        return Profile(token, *place, json, " ".join(lookups), items)

    def _send(self, profiles: Sequence[Profile]) -> None:
        if self._script is None:
            raise RuntimeError(f"sink {self.name} is not open")
        pipeline = self._connected.pipeline(transaction=False)
        for start in range(0, len(profiles), CUSTOMERS_A_CALL):
            # One packed argument: the client spends more on many small ones than on their content.
            packed = msgspec.msgpack.encode(profiles[start : start + CUSTOMERS_A_CALL])
            arguments: list[Any] = [self._namespace, self._incarnation, GONE_KEPT_S, packed]
            self._script([self._landed_key], arguments, client=pipeline)
        answers = [answer for call in pipeline.execute() for answer in call]
        for profile, answer in zip(profiles, answers, strict=True):
            if answer == ELSEWHERE:
                raise CustomerMoved(
                    f"customer {profile.token} was in another partition than "
                    f"{profile.partition}: a changed partition count needs a new incarnation"
                )


def folded_at_ms(customer: Customer) -> int:
    """Log time at which a row was folded last."""
    return max(customer.last_seen_ms, customer.hazard_at_ms, customer.tier_since_ms)


def _of_customer(record: Record) -> bool:
    return bool(record.key) and is_customer_key(record.key or b"")
