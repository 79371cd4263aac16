"""Waiting for verdicts: whoever asked is told, and nobody waits for ever."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from models import coupon_words
from models.coupon_words import CouponJudged, CouponWord, LookedAt
from sinks.coupon_verdicts import NotAnswered, VerdictReader
from tests.contract.records import judged


def word(code: str, request: str) -> CouponWord:
    return CouponWord(key=code, event=LookedAt(1), request=request)


def take(reader: VerdictReader, verdict: CouponJudged) -> None:
    reader.take(SimpleNamespace(value=coupon_words.encode(verdict)))


async def test_all_who_asked_the_same_are_told_and_others_wait_on() -> None:
    reader = VerdictReader("", "topic", 1)
    same = [reader.expect(word("CODE", "r")) for _ in range(2)]
    others = [reader.expect(word("CODE", "s")), reader.expect(word("OTHER", "r"))]
    verdict = judged(code="CODE", request="r")
    take(reader, verdict)
    take(reader, judged(code="CODE", request="r", outcome="revoked"))
    assert [await reader.judged(one, 1) for one in same] == [verdict, verdict]
    await asyncio.sleep(0)
    assert not any(one.done() for one in others)
    assert reader.waiting == 2


async def test_a_verdict_that_does_not_come_is_not_waited_for_any_longer() -> None:
    reader = VerdictReader("", "topic", 1)
    with pytest.raises(NotAnswered):
        await reader.judged(reader.expect(word("CODE", "r")), 0.01)
    await asyncio.sleep(0)
    assert reader.waiting == 0
    take(reader, judged(code="CODE", request="r"))


async def test_who_gives_up_leaves_nothing_behind() -> None:
    reader = VerdictReader("", "topic", 1)
    reader.expect(word("CODE", "r")).cancel()
    await asyncio.sleep(0)
    assert reader.waiting == 0


async def test_what_is_no_verdict_is_passed_over() -> None:
    reader = VerdictReader("", "topic", 1)
    awaited = reader.expect(word("CODE", "r"))
    reader.take(SimpleNamespace(value=b"{"))
    assert not awaited.done()


@pytest.mark.real
async def test_it_reads_from_where_all_partitions_end(kafka: str) -> None:
    topic = "verdicts-of-a-test"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    reader = VerdictReader(kafka, topic, 2)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:

        async def say(request: str, partition: int) -> None:
            value = coupon_words.encode(judged(code="CODE", request=request))
            await producer.send_and_wait(topic, value, partition=partition)

        await say("before", 1)
        before = reader.expect(word("CODE", "before"))
        await reader.start()
        try:
            awaited = [reader.expect(word("CODE", name)) for name in ("a", "b")]
            await say("a", 0)
            await say("b", 1)
            told = [await reader.judged(one, 30) for one in awaited]
        finally:
            await reader.stop()
    assert [one.request for one in told] == ["a", "b"]
    assert not before.done()
