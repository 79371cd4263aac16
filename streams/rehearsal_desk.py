"""Plays the page's rehearsals in a process aside, which is ended when it takes too much."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import orjson

from sinks.web.rehearsal_room import Busy, Told, Wish
from streams import playbook_packs
from streams.rehearse.asked import Asked
from streams.settings import Settings

WITHIN_S = 600.0
ANSWER_BYTES = 8_000_000
_EXPECTED = re.compile(r"(?m)^expect")


class AsideRehearser:
    """Implements sinks.web.rehearsal_room.Rehearser; one rehearsal at a time."""

    def __init__(self, settings: Settings, *, within_s: float = WITHIN_S) -> None:
        self._settings = settings
        self._within_s = within_s
        self._is_busy = False

    def scenarios(self) -> dict[str, str]:
        """Give the packs' own rehearsals, without what they expect of their pack."""
        return {
            name: _EXPECTED.split(playbook_packs.rehearsal_of(name).read_text("utf-8"))[0]
            for name in playbook_packs.names()
        }

    async def play(self, wish: Wish) -> AsyncIterator[Told]:
        """Play a draft; raises Busy."""
        if self._is_busy:
            raise Busy
        self._is_busy = True
        try:
            async with asyncio.timeout(self._within_s):
                async for told in self._played(wish):
                    yield told
        except TimeoutError:
            yield {"stopped": "time"}
        finally:
            self._is_busy = False

    async def _played(self, wish: Wish) -> AsyncIterator[Told]:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams.rehearse.aside"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=ANSWER_BYTES,
        )
        last: Told = {}
        try:
            assert child.stdin is not None  # noqa: S101
            assert child.stdout is not None  # noqa: S101
            child.stdin.write(msgspec.json.encode(self._asked(wish)))
            child.stdin.close()
            while line := await child.stdout.readline():
                last = orjson.loads(line)
                yield last
        except (ValueError, BrokenPipeError):
            yield {"stopped": "size"}
            return
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()
        if not last or "progress" in last:
            yield {"stopped": "fault"}

    def _asked(self, wish: Wish) -> Asked:
        settings: dict[str, Any] = {
            "kafka": self._settings.kafka_bootstrap,
            "namespace": self._settings.namespace,
            "partitions": self._settings.partitions,
        }
        now = wish.in_use
        return Asked(
            main=wish.main,
            files=dict(wish.files),
            in_use=None if now is None else (now.main, now.files),
            scenario=wish.scenario,
            days=wish.days,
            settings=settings,
        )
