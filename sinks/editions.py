"""The playbook's editions as the dispatcher needs them: the words and channels of each.

Read from topic `snapshots`, where every edition stands before the first action that was decided by
it. An action may be sent long after the next edition came, so all of them are kept, as they came;
a few are open.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from models.hazard import BadSnapshot
from models.playbook.edition import Edition, playbook_of
from models.playbook.shop import Channel
from models.snapshot import KINDS, read_record, refusal
from sinks.follower import Follower
from sinks.templates import TemplateBook

OPEN_AT_MOST = 4
AWAITED_S = 30.0
PLAYBOOK = "playbook"
_OTHERS = frozenset(name.encode() for name in KINDS if name != PLAYBOOK)

_log = structlog.get_logger(__name__)


class NoEdition(LookupError):
    """There is no such edition, or it can't be used."""


class EditionAwaited(LookupError):
    """The edition is not read yet; it was written before the action, so it is about to come."""


@dataclass(frozen=True)
class OpenEdition:
    """What an edition says about sending: the words, and how each channel is used."""

    book: TemplateBook
    channels: dict[str, Channel]


class Editions(Follower):
    """Follows the editions; opens those that are asked for."""

    def __init__(
        self,
        bootstrap: str,
        snapshots_topic: str,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(bootstrap, snapshots_topic)
        self._monotonic_s = monotonic_s
        self._editions: dict[int, Edition] = {}
        self._refused: set[int] = set()
        self._open: OrderedDict[int, OpenEdition] = OrderedDict()
        self._opening: dict[int, asyncio.Task[OpenEdition]] = {}
        self._asked_s: dict[int, float] = {}

    def take(self, record: Any) -> None:
        """Keep an edition; one that can't be used is remembered as such."""
        if record.key in _OTHERS or record.value is None:
            return
        try:
            read = read_record(record.value)
        except msgspec.MsgspecError as error:
            _log.error("edition_unreadable", offset=record.offset, reason=str(error))
            return
        if read.model != PLAYBOOK:
            return
        version = read.snapshot.version
        if reason := refusal(read):
            _log.error("edition_refused", version=version, reason=reason)
            self._refused.add(version)
        else:
            self._editions[version] = read.snapshot

    async def of(self, version: int) -> OpenEdition:
        """Open an edition; raises NoEdition or EditionAwaited."""
        if version in self._open:
            self._open.move_to_end(version)
            return self._open[version]
        edition = self._editions.get(version)
        if edition is None:
            raise self._absent(version)
        if version not in self._opening:
            # All who ask meanwhile wait for the same: a fresh edition is asked for by everyone.
            self._opening[version] = asyncio.create_task(self._open_one(version, edition))
        return await asyncio.shield(self._opening[version])

    async def _open_one(self, version: int, edition: Edition) -> OpenEdition:
        try:
            opened = await asyncio.to_thread(_opened, edition)
        except BadSnapshot as error:
            _log.error("edition_refused", version=version, reason=str(error))
            del self._editions[version]
            self._refused.add(version)
            raise NoEdition(f"edition {version}: {error}") from None
        finally:
            del self._opening[version]
        self._open[version] = opened
        while len(self._open) > OPEN_AT_MOST:
            self._open.popitem(last=False)
        return opened

    def _absent(self, version: int) -> LookupError:
        first_s = self._asked_s.setdefault(version, self._monotonic_s())
        is_late = self.current and self._monotonic_s() - first_s > AWAITED_S
        if version in self._refused or is_late:
            return NoEdition(f"there is no edition {version}")
        return EditionAwaited(f"edition {version} is not read yet")


def _opened(edition: Edition) -> OpenEdition:
    playbook = playbook_of(edition)
    shop = playbook.shop
    return OpenEdition(
        TemplateBook(
            {name: message.words for name, message in playbook.messages.items()},
            shop=shop.name if shop else "",
            locale=shop.locale if shop else "en",
            tiers={name: perks.label for name, perks in playbook.tiers.items()},
        ),
        playbook.channels,
    )
