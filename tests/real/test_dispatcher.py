"""The dispatcher on real servers: no message goes out twice, and none is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from models.clock import DAY_MS, HOUR_MS, LogClock
from models.effects import encode
from models.events import Channel, MessageBounced, MessageChannel, MessageDelivered, MessageSent
from sinks import dispatch_session
from sinks.dispatch_session import Session, SessionConfig
from streams import topics
from streams.prepare import ensure_topics
from streams.settings import Settings
from tests.contract.records import dead_letters
from tests.real.dispatch_rig import House, bounce, files_that_hold, pair, settings_of, token
from tests.real.rig import until
from tests.real.sink_rig import fill

pytestmark = pytest.mark.real


@pytest.fixture
async def house(kafka: str, valkey: str, tmp_path: Path) -> AsyncIterator[House]:
    async with House(settings_of(kafka, valkey, tmp_path)) as opened:
        yield opened


async def test_an_action_becomes_a_message_and_two_receipts(house: House) -> None:
    action = house.action()
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    [letter] = await house.letters()
    assert letter["message_id"] == letter["action_id"] == action.action_id
    assert (letter["customer"], letter["rule"]) == (token("anna"), "thank_you")
    assert (letter["channel"], letter["status"]) == ("email", "delivered")
    assert letter["text"].startswith("Hi Anna,")
    assert "order-1" in letter["html"]
    sent, delivered = await house.receipts()
    assert isinstance(sent, MessageSent)
    assert isinstance(delivered, MessageDelivered)
    assert (sent.id, delivered.id) == (f"{action.action_id}:sent", f"{action.action_id}:delivered")
    assert (sent.rule, sent.message_channel) == ("thank_you", MessageChannel.EMAIL)
    assert (sent.source, sent.channel, sent.anonymous) == ("dispatcher", Channel.SERVER, True)
    assert sent.customer == delivered.customer == token("anna")
    assert sent.occurred_at_ms == sent.received_at_ms == letter["sent_at_ms"]
    assert house.now_ms <= sent.occurred_at_ms < house.now_ms + HOUR_MS
    assert (await house.ledger(action))["state"] == "receipted"


async def test_an_action_that_stands_in_the_topic_twice_is_sent_once(house: House) -> None:
    action = house.action()
    await house.decide(action, action)
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    assert len(await house.letters()) == 1
    assert await house.receipt_ids() == pair(action)


async def test_a_group_that_starts_anew_sends_nothing_again(house: House) -> None:
    action = house.action()
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    async with house.dispatcher(group=house.settings.named("dispatcher-anew")):
        await house.drained("dispatcher-anew")
    assert len(await house.letters()) == 1
    assert await house.receipt_ids() == pair(action)


async def test_two_dispatchers_that_read_the_same_send_once(house: House) -> None:
    actions = [house.action(f"c{n}", f"o{n}") for n in range(40)]
    await house.decide(*actions)
    async with (
        house.dispatcher(group=house.settings.named("one")),
        house.dispatcher(group=house.settings.named("two")),
    ):
        await house.drained("one")
        await house.drained("two")
    for n, action in enumerate(actions):
        assert len(await house.letters(f"c{n}")) == 1
        assert await house.receipt_ids(f"c{n}") == pair(action)


async def test_partitions_that_change_hands_are_sent_once(house: House) -> None:
    actions = [house.action(f"c{n}", f"o{n}") for n in range(300)]
    await house.decide(*actions)
    async with house.dispatcher(concurrency=2):
        await asyncio.sleep(0)
        async with house.dispatcher(concurrency=2):
            await house.drained()
        async with house.dispatcher():
            more = [house.action(f"c{n}", f"p{n}") for n in range(300)]
            await house.decide(*more)
            await house.drained()
    expected = sorted(line for action in [*actions, *more] for line in pair(action))
    receipts = await house.receipts()
    assert sorted({f"{one.__struct_config__.tag} {one.id}" for one in receipts}) == expected
    for n in range(300):
        letters = await house.letters(f"c{n}")
        assert [one["action_id"] for one in letters] == [more[n].action_id, actions[n].action_id]


async def test_a_customers_messages_keep_their_order(house: House) -> None:
    actions = [house.action("anna", f"o{n}") for n in range(20)]
    await house.decide(*actions)
    async with house.dispatcher():
        await house.drained()
    letters = await house.letters()
    assert [one["action_id"] for one in reversed(letters)] == [one.action_id for one in actions]
    assert await house.receipt_ids() == [line for action in actions for line in pair(action)]


async def test_nothing_is_sent_to_who_unsubscribed_since(house: House) -> None:
    action = house.action()
    await house.set_profile("anna", unsubscribed=["email"], merged_into=None)
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    assert await house.letters() == []
    [receipt] = await house.receipts()
    assert isinstance(receipt, MessageBounced)
    assert (receipt.id, receipt.reason) == (f"{action.action_id}:bounced", "unsubscribed")
    assert await house.dead_letters() == []


async def test_who_merged_into_an_unsubscribed_customer_gets_nothing(house: House) -> None:
    action = house.action()
    await house.set_profile("anna", unsubscribed=[], merged_into=token("bert"))
    await house.set_profile("bert", unsubscribed=["email"], merged_into=token("anna"))
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    assert await house.receipt_ids() == bounce(action)


async def test_another_channels_unsubscription_does_not_matter(house: House) -> None:
    action = house.action(message_channel=MessageChannel.SMS)
    await house.set_profile("anna", unsubscribed=["email"])
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    [letter] = await house.letters()
    assert (letter["channel"], letter["html"]) == ("sms", "")
    assert await house.receipt_ids() == pair(action)


async def test_a_message_that_is_too_late_is_not_sent(house: House) -> None:
    late = house.action("anna", expires_at_ms=house.now_ms - 1, decided_at_ms=house.now_ms - 2)
    await house.decide(late)
    async with house.dispatcher():
        await house.drained()
    assert await house.letters() == []
    [receipt] = await house.receipts()
    assert isinstance(receipt, MessageBounced)
    assert receipt.reason == "expired"


async def test_lateness_is_told_by_the_logs_clock(house: House) -> None:
    year_ago = LogClock(mode="wall", wall_offset_ms=-365 * DAY_MS)
    await house.set_clock(year_ago)
    then_ms = house.now_ms - 365 * DAY_MS
    good = house.action("anna", decided_at_ms=then_ms, expires_at_ms=then_ms + HOUR_MS)
    late = house.action("bert", decided_at_ms=then_ms - 2, expires_at_ms=then_ms - 1)
    await house.decide(good, late)
    async with house.dispatcher():
        await house.drained()
    assert await house.receipt_ids("anna") == pair(good)
    assert await house.receipt_ids("bert") == bounce(late)
    [letter] = await house.letters("anna")
    assert then_ms <= letter["sent_at_ms"] < then_ms + HOUR_MS


async def test_a_replay_at_any_speed_sends_what_it_decided_when_it_decided(house: House) -> None:
    """However far the history has run on, and whatever the customer said since."""
    decided_ms = 1_500_000_000_000
    action = house.action(decided_at_ms=decided_ms, expires_at_ms=decided_ms + HOUR_MS)
    await house.set_clock(LogClock(mode="replay", at_ms=decided_ms + 90 * DAY_MS))
    await house.set_profile("anna", unsubscribed=["email"])
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    [letter] = await house.letters()
    assert letter["sent_at_ms"] == decided_ms
    assert await house.receipt_ids() == pair(action)
    assert {one.occurred_at_ms for one in await house.receipts()} == {decided_ms}


async def test_what_a_replay_decided_last_is_still_sent_when_it_is_over(house: House) -> None:
    ended_ms = 1_500_000_000_000
    action = house.action(decided_at_ms=ended_ms - 5 * DAY_MS, expires_at_ms=ended_ms - 3 * DAY_MS)
    await house.set_clock(
        LogClock(mode="wall", wall_offset_ms=ended_ms - house.now_ms, at_ms=ended_ms)
    )
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    assert await house.receipt_ids() == pair(action)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("late", [True, False])
async def test_a_forgotten_customer_gets_nothing_and_the_log_no_receipt(
    house: House, sealed: bool, late: bool
) -> None:
    action = house.action(
        "anna",
        personal=None if sealed else {},
        expires_at_ms=house.now_ms + (-1 if late else HOUR_MS),
    )
    house.store.get_or_create(token("anna"))
    other = house.action("bert", "order-2")
    house.store.destroy(token("anna"))
    await house.decide(action, other)
    async with house.dispatcher():
        await house.drained()
    assert await house.letters("anna") == []
    assert await house.receipt_ids("anna") == []
    assert (await house.ledger(action))["state"] == "erased"
    assert await house.receipt_ids("bert") == pair(other)


async def test_what_was_sent_before_the_customer_was_forgotten_vanishes(house: House) -> None:
    first, second = house.action("anna", "o1"), house.action("bert", "o2")
    await house.decide(first, second)
    async with house.dispatcher():
        await house.drained()
    assert {one["customer"] for one in await house.mailbox.recent()} == {
        token("anna"),
        token("bert"),
    }
    house.store.destroy(token("anna"))
    assert [one["customer"] for one in await house.mailbox.recent()] == [token("bert")]
    assert await house.redis.exists(f"{house.settings.namespace}mailbox:{token('anna')}") == 0


async def test_an_anonymous_customer_without_a_key_is_greeted_without_a_name(house: House) -> None:
    action = house.action("visitor", personal={})
    await house.decide(action)
    async with house.dispatcher():
        await house.drained()
    [letter] = await house.letters("visitor")
    assert letter["text"].startswith("Hi there,")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"template": "birthday"}, "unknown template"),
        ({"sealed": {"email": "bm9uc2Vuc2U"}}, "sealed fields do not open"),
    ],
)
async def test_what_cannot_be_written_bounces_and_is_kept_for_mending(
    house: House, broken: dict[str, object], reason: str
) -> None:
    action, good = house.action("anna", **broken), house.action("bert")
    await house.decide(action, good)
    async with house.dispatcher():
        await house.drained()
    assert await house.receipt_ids("anna") == bounce(action)
    assert await house.receipt_ids("bert") == pair(good)
    [letter] = await house.dead_letters()
    assert (letter.source, letter.reason) == ("dispatcher", reason)
    assert house.sealer.unseal_system("dead_letter", letter.sealed_raw) == encode(action)


async def test_a_record_that_is_no_action_is_a_dead_letter_and_blocks_nobody(house: House) -> None:
    good = house.action("anna")
    async with house.producer.transaction():
        await house.write_action(token("anna"), b'{"action_id": 3}')
        await house.write_action(token("anna"), b"\xff\x00")
    await house.decide(good)
    async with house.dispatcher():
        await house.drained()
    assert [one.reason for one in await house.dead_letters()] == ["not an action"] * 2
    assert await house.receipt_ids("anna") == pair(good)


async def test_names_and_addresses_are_in_no_file_of_the_cache_or_the_broker(
    house: House, servers_dir: Path
) -> None:
    personal = {
        "first_name": "Xanthippe",
        "email": "xanthippe@planted.example",
        "phone": "+886987654321",
    }
    broken = house.action("bert", template="birthday", personal=personal)
    variables = {"order_id": "planted-in-the-clear", "offer_percent": 10}
    await house.decide(house.action("anna", personal=personal, variables=variables), broken)
    async with house.dispatcher():
        await house.drained()
    [letter] = await house.letters("anna")
    assert "Xanthippe" in letter["html"]
    secret = list(personal.values())
    found = files_that_hold(servers_dir, "planted-in-the-clear", token("anna"), *secret)
    # The search finds what does lie there in the clear, so it would find a name as well.
    assert any(name.startswith("kafka") for name in found["planted-in-the-clear"])
    assert any(name.startswith("valkey") for name in found[token("anna")])
    assert {text: found[text] for text in secret} == {text: [] for text in secret}


async def test_a_group_that_was_formed_before_its_topic_was_known_reads_it_soon(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chaos seed 4: a broker that had just started shared out nothing, for five minutes."""
    monkeypatch.setattr(dispatch_session, "METADATA_AGE_MS", 300)
    taken: list[int] = []
    stop = asyncio.Event()

    async def take(partition: TopicPartition, offset: int, value: bytes) -> None:
        taken.append(offset)

    topic = settings.named(topics.DEAD_LETTERS)
    config = SessionConfig(settings.kafka_bootstrap, topic, settings.named("late"))
    session = asyncio.create_task(Session(config, take, stop).run())
    await until(lambda: _has_begun(settings, config.group), "a group without a topic")
    await ensure_topics(settings)
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(3)))
    await until(lambda: _are(taken, [0, 1, 2]), "what is in the topic", 20.0)
    stop.set()
    await session


async def _has_begun(settings: Settings, group: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        [described] = await admin.describe_consumer_groups([group])
        return described.groups[0][2] == "Stable"
    except GroupCoordinatorNotAvailableError:
        return False
    finally:
        await admin.close()


async def _are(found: list[int], wanted: list[int]) -> bool:
    return found == wanted
