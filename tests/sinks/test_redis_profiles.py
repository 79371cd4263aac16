"""Profiles in Redis: whose write wins, who is found by what, and what is left of those who go."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from models.customer import STATE_VERSION, NewerState
from models.profile import profile_of
from models.tokens import PARTITION_KEY
from sinks.redis_profiles import CustomerMoved, RedisProfileSink, folded_at_ms
from tests.builders import ANNA, named
from tests.contract.records import Made, customer, row

pytestmark = pytest.mark.real

BERT = named("bert")


class Profiles:
    """The keys of one namespace."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = Redis.from_url(url, decode_responses=True)
        self.namespace = f"p-{uuid4().hex}-"

    async def write(self, *batch: Made, incarnation: int = 1) -> None:
        sink = RedisProfileSink(self.url, self.namespace, incarnation)
        await sink.open()
        await sink.write(batch)
        await sink.close()

    def profile(self, token: str = ANNA) -> dict[str, Any] | None:
        found = self.redis.hget(f"{self.namespace}profile:{token}", "json")
        return json.loads(found) if found else None

    def value(self, token: str = ANNA) -> int | None:
        profile = self.profile(token)
        return profile["value_cents"] - 100 if profile else None

    def position(self, token: str = ANNA) -> str | None:
        return self.redis.hget(f"{self.namespace}profile:{token}", "position")

    def found_by(self, kind: str, address: str) -> str | None:
        return self.redis.get(f"{self.namespace}lookup:{kind}:{address}")

    def names(self) -> set[str]:
        return {
            key.removeprefix(self.namespace) for key in self.redis.scan_iter(f"{self.namespace}*")
        }


@pytest.fixture
async def profiles(valkey: str) -> AsyncIterator[Profiles]:
    made = Profiles(valkey)
    yield made
    made.redis.close()


async def test_a_profile_is_the_rows_with_its_position(profiles: Profiles) -> None:
    state = customer(7, traits={"city": "臺北 🌃"}, lookup={"email": "e1"})
    await profiles.write(row(3, 7, ANNA, state))
    assert profiles.profile() == json.loads(json.dumps(profile_of(state, folded_at_ms(state))))
    assert profiles.position() == "1:3:7"
    assert profiles.found_by("email", "e1") == ANNA


@pytest.mark.parametrize(
    ("writes", "winner"),
    [
        ([(1, 5), (1, 6)], 6),
        ([(1, 6), (1, 5)], 6),
        ([(1, 5), (1, 5)], 5),
        ([(1, 9), (1, 10), (1, 9)], 10),
        ([(1, 99), (2, 3)], 3),
        ([(2, 3), (1, 99)], 3),
        ([(1, 2**40), (1, 2**40 + 1)], 2**40 + 1),
        ([(1, 2**40 + 1), (1, 2**40)], 2**40 + 1),
    ],
    ids=str,
)
async def test_the_later_position_of_the_later_incarnation_wins(
    profiles: Profiles, writes: list[tuple[int, int]], winner: int
) -> None:
    for incarnation, offset in writes:
        await profiles.write(row(0, offset, ANNA, customer(offset)), incarnation=incarnation)
    assert profiles.value() == winner


async def test_the_newest_record_of_a_batch_is_the_one_that_counts(profiles: Profiles) -> None:
    await profiles.write(*(row(0, at, (ANNA, BERT)[at % 2], customer(at)) for at in range(9)))
    assert (profiles.value(ANNA), profiles.value(BERT)) == (8, 7)


async def test_a_changed_address_finds_nobody_any_more(profiles: Profiles) -> None:
    await profiles.write(row(0, 0, ANNA, customer(0, lookup={"email": "e1", "phone": "p1"})))
    await profiles.write(row(0, 1, ANNA, customer(1, lookup={"email": "e2", "phone": "p1"})))
    assert profiles.found_by("email", "e1") is None
    assert profiles.found_by("email", "e2") == ANNA
    assert profiles.found_by("phone", "p1") == ANNA


@pytest.mark.parametrize("origin_first", [True, False])
async def test_after_a_merge_the_address_finds_the_name_that_stays(
    profiles: Profiles, origin_first: bool
) -> None:
    address = {"email": "e1"}
    await profiles.write(row(0, 0, BERT, customer(0, lookup=address)))
    given_up = row(0, 1, BERT, customer(0, events=0, merged_into=ANNA))
    absorbed = row(1, 0, ANNA, customer(5, lookup=address))
    for record in (given_up, absorbed) if origin_first else (absorbed, given_up):
        await profiles.write(record)
    assert profiles.found_by("email", "e1") == ANNA
    gone = profiles.profile(BERT)
    assert gone is not None
    assert gone["merged_into"] == ANNA


@pytest.mark.parametrize("end", [None, customer(0, events=0)], ids=["tombstone", "erased"])
async def test_who_is_gone_leaves_nothing_to_read(profiles: Profiles, end: Any) -> None:
    await profiles.write(row(0, 4, ANNA, customer(4, lookup={"email": "e1"})))
    await profiles.write(row(0, 5, ANNA, end))
    assert profiles.names() == {f"gone:{ANNA}", "profiles:landed"}
    assert profiles.redis.ttl(f"{profiles.namespace}gone:{ANNA}") > 86_400


async def test_a_stale_writer_does_not_bring_back_who_is_gone(profiles: Profiles) -> None:
    await profiles.write(row(0, 4, ANNA, customer(4)))
    await profiles.write(row(0, 5, ANNA, None))
    await profiles.write(row(0, 3, ANNA, customer(3)), row(0, 4, ANNA, customer(4)))
    assert profiles.profile() is None
    await profiles.write(row(0, 6, ANNA, customer(6)))
    assert profiles.value() == 6
    assert f"gone:{ANNA}" not in profiles.names()


async def test_a_partitions_own_row_is_no_customer(profiles: Profiles) -> None:
    await profiles.write(row(0, 0, PARTITION_KEY.decode(), customer(0)))
    assert profiles.names() == {"profiles:landed"}


async def test_a_customer_in_another_partition_is_an_error(profiles: Profiles) -> None:
    await profiles.write(row(0, 4, ANNA, customer(4)))
    with pytest.raises(CustomerMoved, match="needs a new incarnation"):
        await profiles.write(row(1, 9, ANNA, customer(9)))
    await profiles.write(row(1, 0, ANNA, customer(0)), incarnation=2)
    assert profiles.position() == "2:1:0"


async def test_a_state_of_a_newer_release_waits_for_it(profiles: Profiles) -> None:
    with pytest.raises(NewerState):
        await profiles.write(row(0, 0, ANNA, customer(0, version=STATE_VERSION + 1)))
    assert profiles.names() == set()


async def resumed(profiles: Profiles, incarnation: int = 1) -> dict[int, int]:
    sink = RedisProfileSink(profiles.url, profiles.namespace, incarnation)
    await sink.open()
    answer = dict(await sink.resume([0, 1]))
    await sink.close()
    return answer


async def test_an_emptied_redis_asks_for_everything_again(profiles: Profiles) -> None:
    await profiles.write(row(0, 41, ANNA, customer(41)))
    assert await resumed(profiles) == {0: 42, 1: 0}
    assert await resumed(profiles, incarnation=2) == {0: 0, 1: 0}
    for key in profiles.redis.scan_iter(f"{profiles.namespace}*"):
        profiles.redis.delete(key)
    assert await resumed(profiles) == {0: 0, 1: 0}
