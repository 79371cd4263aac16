"""Keys of providers that know none: once while the process lives, and again after a failure."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sinks import sent_keys as module
from sinks.senders import SendFailed, SendResult
from sinks.sent_keys import SentKeys


def counting(times: list[str], *, fails: bool = False) -> Callable[[], Coroutine[Any, Any, Any]]:
    async def send() -> SendResult:
        await asyncio.sleep(0.01)
        times.append("sent")
        if fails:
            raise SendFailed("away")
        return SendResult(f"p{len(times)}")

    return send


async def test_a_key_is_sent_once_at_once_and_again() -> None:
    keys, times = SentKeys(), list[str]()
    results = await asyncio.gather(*(keys.send("k", counting(times)) for _ in range(5)))
    assert {one.provider_id for one in (*results, await keys.send("k", counting(times)))} == {"p1"}
    assert times == ["sent"]


async def test_what_failed_is_tried_again() -> None:
    keys, times = SentKeys(), list[str]()
    with pytest.raises(SendFailed):
        await keys.send("k", counting(times, fails=True))
    assert (await keys.send("k", counting(times))).provider_id == "p2"


async def test_who_waits_no_longer_leaves_it_under_way() -> None:
    keys, times = SentKeys(), list[str]()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await keys.send("k", counting(times))
    assert (await keys.send("k", counting(times))).provider_id == "p1"


async def test_only_the_last_keys_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEYS_REMEMBERED", 2)
    keys, times = SentKeys(), list[str]()
    for key in ("a", "b", "c", "b", "a"):
        await keys.send(key, counting(times))
        await asyncio.sleep(0)
    assert len(times) == 4


async def test_closing_cuts_off_what_is_under_way() -> None:
    keys, times = SentKeys(), list[str]()
    sending = asyncio.ensure_future(keys.send("k", counting(times)))
    await asyncio.sleep(0)
    await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert times == []
