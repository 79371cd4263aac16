"""The dispatcher and the playbook: words of the right edition, and what is no message."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from models.events import MessageChannel
from models.playbook.edition import Edition
from models.snapshot import recorded
from streams import topics
from tests.real.dispatch_rig import House, bounce, pair, settings_of, token
from tests.sinks.test_dispatch_words import PLAYBOOK

pytestmark = pytest.mark.real


@pytest.fixture
async def house(kafka: str, valkey: str, tmp_path: Path) -> AsyncIterator[House]:
    async with House(settings_of(kafka, valkey, tmp_path)) as opened:
        yield opened


async def publish(house: House, version: int, text: str) -> None:
    """Write an edition as an adoption does."""
    record = recorded("playbook", Edition(version, "p.yaml", {"p.yaml": text}))
    async with house.producer.transaction():
        await house.producer.send(
            house.settings.named(topics.SNAPSHOTS), msgspec.json.encode(record), key=b"playbook"
        )


async def test_each_action_gets_the_words_of_the_edition_it_was_decided_by(house: House) -> None:
    await publish(house, 1, PLAYBOOK)
    await publish(house, 2, PLAYBOOK.replace('"Hi"', '"Hello again"'))
    actions = [
        house.action("anna", f"o{version}", template="hello", playbook_version=version)
        for version in (1, 2, 1)
    ]
    await house.decide(*actions[:2])
    async with house.dispatcher():
        await house.drained()
    assert [one["subject"] for one in await house.letters()] == ["Hello again", "Hi"]
    assert await house.receipt_ids() == pair(actions[0]) + pair(actions[1])


async def test_an_edition_that_comes_a_moment_later_is_waited_for(house: House) -> None:
    await house.decide(house.action(template="hello", playbook_version=5))
    async with house.dispatcher():
        await asyncio.sleep(0.5)
        await publish(house, 5, PLAYBOOK)
        await house.drained()
    assert [one["subject"] for one in await house.letters()] == ["Hi"]


async def test_an_edition_that_can_not_be_used_bounces_and_is_kept_for_mending(
    house: House,
) -> None:
    await publish(house, 1, PLAYBOOK.replace("messages:", "massages:"))
    action = house.action(template="hello", playbook_version=1)
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    assert await house.receipt_ids() == bounce(action)
    assert [one.reason for one in await house.dead_letters()] == ["unknown template"]


async def test_a_message_without_words_for_its_channel_is_not_sent(house: House) -> None:
    await publish(house, 1, PLAYBOOK.replace('short: "Short {{ first_name }}", ', ""))
    action = house.action(
        template="hello", playbook_version=1, message_channel=MessageChannel.SMS, locale="en"
    )
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    assert await house.letters() == []
    assert await house.receipt_ids() == bounce(action)


async def test_a_task_and_a_call_lie_in_the_mailbox_and_are_no_messages_in_the_log(
    house: House,
) -> None:
    task = house.action(occasion="t", kind="task", owner="Wei", task="Call her back")
    call = house.action(occasion="w", kind="webhook", address="https://erp.example/vip")
    await house.decide(task, call)
    async with house.dispatcher():
        await house.drained()
    letters = {one["kind"]: one for one in await house.letters()}
    assert letters["task"]["subject"] == "Wei: Call her back"
    assert "phone: +4912345" in letters["task"]["text"]
    assert "https://erp.example/vip" in letters["webhook"]["text"]
    assert await house.receipts() == []
    assert (await house.ledger(task))["state"] == "receipted"


@pytest.mark.parametrize("kind", ["offer", "perk"])
async def test_what_is_given_by_its_decision_sends_nothing(house: House, kind: str) -> None:
    action = house.action(kind=kind, offer="ten")
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    assert await house.letters() == []
    assert await house.receipts() == []
    assert (await house.ledger(action))["state"] == "receipted"


async def test_a_forgotten_customers_task_is_nobodys(house: House) -> None:
    task = house.action(kind="task", task="Call her back")
    house.store.destroy(token("anna"))
    await house.decide(task)
    async with house.dispatcher():
        await house.drained()
    assert await house.letters() == []
    assert (await house.ledger(task))["state"] == "erased"


async def test_news_of_an_order_comes_to_who_wants_no_marketing(house: House) -> None:
    await house.set_profile("anna", unsubscribed=["email"])
    service = house.action(occasion="s", consent="service")
    marketing = house.action(occasion="m")
    await house.decide(service, marketing)
    async with house.dispatcher():
        await house.drained()
    assert await house.receipt_ids() == pair(service) + bounce(marketing)


async def test_a_message_links_to_its_own_way_out(house: House) -> None:
    action = house.action()
    await house.decide(action)
    async with house.dispatcher(public_url="https://shop.example/", token_key=b"t" * 32):
        await house.drained()
    [letter] = await house.letters()
    address = f"https://shop.example/u/{token('anna')}.e.{action.action_id}."
    assert address in letter["text"]
    assert address in letter["html"]
