"""The dispatcher against a provider over real HTTP that is late, broken, deaf or gone."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from models.clock import LogClock
from models.effects import encode
from models.events import MessageBounced, MessageChannel
from sinks.dispatch_delivery import Patience
from sinks.mailbox import Mailbox, mailbox_for_all
from sinks.senders import Senders
from tests.real.dispatch_rig import PATIENCE, House, bounce, pair, settings_of, token
from tests.real.rig import until
from tests.sinks.provider import HttpSender, Mood, Provider

pytestmark = pytest.mark.real


@pytest.fixture
async def house(kafka: str, valkey: str, tmp_path: Path) -> AsyncIterator[House]:
    async with House(settings_of(kafka, valkey, tmp_path)) as opened:
        yield opened


def through(provider: Provider) -> Callable[[Mailbox], Senders]:
    """E-mail goes through the provider, the rest into the mailbox."""

    def senders(mailbox: Mailbox) -> Senders:
        email = {MessageChannel.EMAIL: HttpSender(provider.url)}
        return {**mailbox_for_all(mailbox), **email}

    return senders


@asynccontextmanager
async def provider_in_mood(mood: Mood, late_s: float = 0.0) -> AsyncIterator[Provider]:
    async with Provider(mood, late_s).running() as provider:
        yield provider


def at_first(mood: str, times: int) -> Mood:
    """Bad for a key's first tries, well afterwards."""
    return lambda _customer, tries: mood if tries < times else "well"


async def test_a_provider_that_only_takes_it_gives_one_receipt(house: House) -> None:
    """Whether it arrived the provider will say later, by its own events."""
    action = house.action()
    await house.decide(action)
    async with Provider().running() as provider, house.dispatcher(through(provider)):
        await house.drained()
    assert provider.requests == [(token("anna"), action.action_id)]
    assert [one["to"] for one in provider.delivered] == ["anna@example.com"]
    assert await house.receipt_ids() == pair(action)[:1]
    assert (await house.ledger(action))["provider_id"] == "provider-0"


@pytest.mark.parametrize("mood", ["500", "deaf", "never"])
async def test_a_failed_try_is_repeated_under_the_same_key(house: House, mood: str) -> None:
    action = house.action()
    await house.decide(action)
    async with (
        provider_in_mood(at_first(mood, 2)) as provider,
        house.dispatcher(through(provider)),
    ):
        await house.drained()
    assert provider.requests == [(token("anna"), action.action_id)] * 3
    assert len(provider.delivered) == 1
    assert await house.receipt_ids() == pair(action)[:1]


async def test_an_answer_that_is_late_but_in_time_is_waited_for(house: House) -> None:
    action = house.action()
    await house.decide(action)
    late = PATIENCE.send_limit_ms / 1000 / 2
    async with (
        provider_in_mood(at_first("late", 99), late) as provider,
        house.dispatcher(through(provider)),
    ):
        await house.drained()
    assert len(provider.requests) == 1


@pytest.mark.parametrize("mood", ["500", "never"])
async def test_what_fails_too_often_bounces_and_is_a_dead_letter(house: House, mood: str) -> None:
    action = house.action()
    await house.decide(action)
    async with (
        provider_in_mood(at_first(mood, 99)) as provider,
        house.dispatcher(through(provider)),
    ):
        await house.drained()
    assert len(provider.requests) == PATIENCE.failures_max
    [receipt] = await house.receipts()
    assert isinstance(receipt, MessageBounced)
    assert receipt.reason == "gave up"
    [letter] = await house.dead_letters()
    assert letter.reason == "gave up"
    assert house.sealer.unseal_system("dead_letter", letter.sealed_raw) == encode(action)


async def test_what_the_provider_refuses_is_not_tried_again(house: House) -> None:
    action = house.action()
    await house.decide(action)
    async with (
        provider_in_mood(at_first("refuse", 99)) as provider,
        house.dispatcher(through(provider)),
    ):
        await house.drained()
    assert len(provider.requests) == 1
    assert await house.receipt_ids() == bounce(action)
    assert await house.dead_letters() == []


async def test_tries_are_counted_on_by_the_next_dispatcher(house: House) -> None:
    action = house.action()
    await house.decide(action)
    slow = Patience(failures_max=3, first_wait_ms=60_000, longest_wait_ms=60_000, send_limit_ms=600)
    async with provider_in_mood(at_first("500", 99)) as provider:
        for tries in (1, 2):

            async def tried(tries: int = tries) -> bool:
                return (await house.ledger(action)).get("failures") == str(tries)

            async with house.dispatcher(through(provider), patience=slow):
                await until(tried, f"failure {tries} to be counted")
        async with house.dispatcher(through(provider), patience=slow):
            await house.drained()
    assert len(provider.requests) == 3
    assert await house.receipt_ids() == bounce(action)


async def test_a_customer_who_waits_for_a_retry_holds_up_nobody_but_keeps_the_order(
    house: House,
) -> None:
    anna = [house.action("anna", f"a{n}") for n in range(3)]
    others = [house.action(f"c{n}", f"o{n}") for n in range(100)]
    stuck = True

    def mood(customer: str, _tries: int) -> str:
        return "500" if stuck and customer == token("anna") else "well"

    patient = Patience(failures_max=1_000, first_wait_ms=20, longest_wait_ms=20, send_limit_ms=600)
    await house.decide(*anna, *others)
    async with (
        provider_in_mood(mood) as provider,
        house.dispatcher(through(provider), concurrency=2, patience=patient),
    ):

        async def others_have_theirs() -> bool:
            return len(provider.delivered) == len(others)

        await until(others_have_theirs, "everybody else's messages")
        # Anna's first record is not over, so her partition is not committed past it.
        assert max((await house.lag()).values()) >= len(anna)
        stuck = False
        await house.drained()
    assert [one["action_id"] for one in provider.delivered[-3:]] == [one.action_id for one in anna]
    assert await house.receipt_ids("anna") == [pair(one)[0] for one in anna]


async def test_a_replayed_history_is_not_sent_to_people(house: House) -> None:
    """Last year's messages would reach today's customers."""
    await house.set_clock(LogClock(mode="replay", at_ms=house.now_ms))
    action = house.action()
    await house.decide(action)
    async with Provider().running() as provider, house.dispatcher(through(provider)):
        await house.drained()
    assert provider.requests == []
    [receipt] = await house.receipts()
    assert isinstance(receipt, MessageBounced)
    assert receipt.reason == "decided in a replayed history"


async def test_a_channel_without_a_sender_bounces(house: House) -> None:
    action = house.action(message_channel=MessageChannel.PUSH)
    await house.decide(action)
    async with house.dispatcher(lambda mailbox: {}):
        await house.drained()
    assert await house.receipt_ids() == bounce(action)


async def test_an_error_that_names_a_person_stays_out_of_the_log_of_the_process(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    class Careless(HttpSender):
        async def send(self, message: object, idempotency_key: str) -> object:  # type: ignore[override]
            raise ValueError("mailbox of anna@example.com is full")

    action = house.action()
    await house.decide(action)
    async with house.dispatcher(lambda mailbox: {MessageChannel.EMAIL: Careless("")}):  # type: ignore[dict-item]
        await house.drained()
    assert await house.receipt_ids() == bounce(action)
    shown = "".join(capsys.readouterr())
    assert action.action_id in shown
    assert "example.com" not in shown


async def test_a_stop_does_not_wait_for_a_retry(house: House) -> None:
    action = house.action()
    await house.decide(action)
    slow = Patience(failures_max=3, first_wait_ms=60_000, longest_wait_ms=60_000, send_limit_ms=600)
    async with provider_in_mood(at_first("500", 99)) as provider:

        async def tried() -> bool:
            return len(provider.requests) == 1

        async with house.dispatcher(through(provider), patience=slow) as running:
            await until(tried, "the first try")
            started = time.monotonic()
        assert running.done()
        assert time.monotonic() - started < 10
    assert await house.receipt_ids() == []
