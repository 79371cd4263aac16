"""What the page does with the playbook's editions, done on the log."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from models.playbook.edition import Edition
from sinks.web.playbook_room import Conflict, Refused
from streams.playbook_editions import (
    Editions,
    Overtaken,
    PlaybookTrouble,
    apply_files,
    read_editions,
    roll_back,
)
from streams.settings import Settings

BY_PAGE = "page"


FRESH_FOR_S = 2.0


class LogDesk:
    """The desk of one web server; its own writers wait for each other, others fence it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()
        self._read: Editions | None = None
        self._read_at = 0.0

    async def editions(self) -> tuple[list[Edition], int, list[dict[str, Any]]]:
        """Read all from the log, unless that was done a moment ago: somebody types."""
        found = self._read
        if found is None or time.monotonic() - self._read_at > FRESH_FOR_S:
            try:
                found = self._read = await read_editions(self._settings)
            except PlaybookTrouble as trouble:
                raise Refused(str(trouble)) from None
            self._read_at = time.monotonic()
        return [*found.known], found.in_use, msgspec.to_builtins(list(found.adoptions))

    async def apply(self, main: str, files: Mapping[str, str], note: str, based_on: int) -> Edition:
        """Make the next edition; raises Conflict and Refused."""
        try:
            async with self._one_at_a_time:
                return await apply_files(
                    self._settings, main, files, by=BY_PAGE, note=note, based_on=based_on
                )
        except Overtaken as overtaken:
            raise Conflict(overtaken.newest, str(overtaken)) from None
        except PlaybookTrouble as trouble:
            raise Refused(str(trouble)) from None
        finally:
            self._read = None

    async def roll_back(self, version: int, note: str) -> Edition:
        """Use an edition again; raises Refused."""
        try:
            async with self._one_at_a_time:
                return await roll_back(self._settings, version, by=BY_PAGE, note=note)
        except PlaybookTrouble as trouble:
            raise Refused(str(trouble)) from None
        finally:
            self._read = None
