"""The ledger: one holder at a time, and what one noted is not undone by another."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from sinks.dispatch_ledger import Held, Leased, LeaseLost, Ledger, Outcome, Over

pytestmark = pytest.mark.real
SENT = Outcome(at_ms=5, provider_id="p1", delivered=True)


@pytest.fixture
def namespace() -> str:
    return f"l-{uuid4().hex}-"


@pytest.fixture
async def redis(valkey: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey)
    yield client
    await client.aclose()


@pytest.fixture
def mine(redis: Redis, namespace: str) -> Ledger:
    return Ledger(redis, namespace, "me", 60_000)


@pytest.fixture
def theirs(redis: Redis, namespace: str) -> Ledger:
    return Ledger(redis, namespace, "them", 60_000)


async def test_one_of_many_gets_the_action(redis: Redis, namespace: str) -> None:
    ledgers = [Ledger(redis, namespace, f"holder {n}", 60_000) for n in range(20)]
    claims = await asyncio.gather(*(one.claim("a") for one in ledgers))
    assert sum(isinstance(one, Leased) for one in claims) == 1
    assert all(isinstance(one, Leased) or 0 < one.wait_ms <= 60_000 for one in claims)  # type: ignore[union-attr]


async def test_who_holds_it_may_claim_it_again(mine: Ledger) -> None:
    assert await mine.claim("a") == await mine.claim("a") == Leased()


async def test_a_lease_that_ran_out_is_taken_over_and_its_former_holder_refused(
    redis: Redis, namespace: str, theirs: Ledger
) -> None:
    dead = Ledger(redis, namespace, "dead", 30)
    await dead.claim("a")
    claim = await theirs.claim("a")
    while isinstance(claim, Held):
        await asyncio.sleep(claim.wait_ms / 1000)
        claim = await theirs.claim("a")
    assert claim == Leased()
    for late_step in (
        dead.settle("a", SENT),
        dead.receipted("a"),
        dead.erased("a"),
        dead.failed("a"),
    ):
        with pytest.raises(LeaseLost):
            await late_step
    await theirs.settle("a", SENT)


@pytest.mark.parametrize(
    "outcome",
    [
        SENT,
        Outcome(at_ms=7, provider_id="", delivered=False),
        Outcome(at_ms=8, reason="expired"),
        Outcome(at_ms=-1, reason="謝 | \n"),
    ],
)
async def test_who_comes_next_learns_what_became_of_it(
    redis: Redis, namespace: str, theirs: Ledger, outcome: Outcome
) -> None:
    dead = Ledger(redis, namespace, "dead", 0)
    await dead.claim("a")
    await dead.settle("a", outcome)
    assert await theirs.claim("a") == Leased(outcome=outcome)


async def test_what_is_over_stays_over(mine: Ledger, theirs: Ledger) -> None:
    await mine.claim("a")
    await mine.settle("a", SENT)
    await mine.receipted("a")
    await mine.claim("b")
    await mine.erased("b")
    for ledger in (mine, theirs):
        assert await ledger.claim("a") is await ledger.claim("b") is Over.OVER


async def test_a_failure_gives_the_lease_back_and_is_counted(mine: Ledger, theirs: Ledger) -> None:
    await mine.claim("a")
    assert await mine.failed("a") == 1
    assert await theirs.claim("a") == Leased(failures=1)
    assert await theirs.failed("a") == 2
    assert await mine.claim("a") == Leased(failures=2)


async def test_only_what_is_over_is_ever_forgotten(
    redis: Redis, namespace: str, mine: Ledger
) -> None:
    await mine.claim("a")
    await mine.settle("a", SENT)
    assert await redis.ttl(f"{namespace}ledger:a") == -1
    await mine.receipted("a")
    assert await redis.ttl(f"{namespace}ledger:a") > 390 * 86_400
