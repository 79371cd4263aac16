"""The broadcast: bounded, and never waiting for a slow page."""

import asyncio

import pytest

from sinks.web.broadcast import Broadcast, Full, Over


async def test_every_listener_hears_what_is_said_in_order() -> None:
    broadcast = Broadcast()
    listeners = [broadcast.join(), broadcast.join()]
    broadcast.say(b"1")
    broadcast.say(b"2")
    for listener in listeners:
        assert [await listener.next(), await listener.next()] == [b"1", b"2"]


async def test_a_slow_listener_is_told_to_read_anew_and_hears_on() -> None:
    broadcast = Broadcast(queued_at_most=2)
    slow = broadcast.join()
    for message in (b"1", b"2", b"3"):
        broadcast.say(message)
    assert await slow.next() is None
    broadcast.say(b"4")
    assert await slow.next() == b"4"


async def test_a_queue_never_grows_beyond_its_bound() -> None:
    broadcast = Broadcast(queued_at_most=8)
    slow = broadcast.join()
    for number in range(10_000):
        broadcast.say(b"%d" % number)
    assert await slow.next() is None
    waiting = asyncio.create_task(slow.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_who_left_hears_nothing_and_makes_room() -> None:
    broadcast = Broadcast(listeners_at_most=1)
    first = broadcast.join()
    with pytest.raises(Full, match="1 pages are open"):
        broadcast.join()
    broadcast.leave(first)
    assert len(broadcast) == 0
    broadcast.join()


async def test_the_beat_waits_until_somebody_listens() -> None:
    broadcast = Broadcast()
    waiting = asyncio.create_task(broadcast.somebody())
    await asyncio.sleep(0)
    assert not waiting.done()
    listener = broadcast.join()
    await waiting
    broadcast.leave(listener)
    again = asyncio.create_task(broadcast.somebody())
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


async def test_the_end_reaches_who_waits() -> None:
    broadcast = Broadcast()
    waiting = asyncio.create_task(broadcast.join().next())
    await asyncio.sleep(0)
    broadcast.end()
    with pytest.raises(Over):
        await waiting
