"""One action from its lease to its receipts: the way of a message, START HERE.

    claim -> open -> expired? unsubscribed? -> fill in -> pace -> send -> note -> receipts -> close

Each arrow may be the last thing a process does; whoever claims the action next goes on from the
ledger (ARCHITECTURE.md tells which step may repeat, and why that is harmless). What a replayed
history decides never expires and is dated when it was decided, so that the speed of a replay
changes nothing; it is handed only to a sender that reaches no person. A task for a person and a
call of another program go the same way; an offer or a perk is given by its decision alone.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from models.clock import LogClock
from models.effects import Action, DeadLetter
from models.playbook.wording import WordsBroken
from sinks.dispatch_consent import Consents
from sinks.dispatch_ledger import Held, Leased, LeaseLost, Ledger, Outcome
from sinks.dispatch_messages import call_of, message_of, outlet_of, task_of
from sinks.dispatch_rates import Rates
from sinks.dispatch_receipts import SOURCE, receipts_of
from sinks.dispatch_words import Wording
from sinks.editions import EditionAwaited, NoEdition
from sinks.keys import KeyDestroyed, KeyMissing, KeyStore
from sinks.log import LogWriter
from sinks.sealing import SealBroken, Sealer
from sinks.senders import (
    TASKS,
    WEBHOOKS,
    Message,
    Sender,
    Senders,
    SendFailed,
    SendRefused,
    SendResult,
)
from sinks.templates import UnknownTemplate

log = structlog.get_logger(__name__)

EXPIRED = "expired"
UNSUBSCRIBED = "unsubscribed"
HISTORY = "decided in a replayed history"
NO_SENDER = "no sender for this channel"
NO_TEMPLATE = "unknown template"
BROKEN_WORDS = "the words can't be filled in"
NO_WORDS = "the message says nothing on this channel"
UNREADABLE = "sealed fields do not open"
GAVE_UP = "gave up"
DEAD_LETTER_REASONS = frozenset({NO_TEMPLATE, BROKEN_WORDS, NO_WORDS, UNREADABLE, GAVE_UP})
DEAD_LETTER_KEY = "dead_letter"
GIVEN_BY_DECISION = frozenset({"offer", "perk"})

_LOOK_AGAIN_MS = 250


class Clock(Protocol):
    """The log's time, as sinks/log_clock.py reads it."""

    @property
    def clock(self) -> LogClock:
        """How the log tells the time."""

    def now_ms(self) -> int:
        """Log time now."""


@dataclass(frozen=True)
class Patience:
    """How long and how often to try."""

    failures_max: int = 12
    first_wait_ms: int = 1_000
    longest_wait_ms: int = 600_000
    send_limit_ms: int = 10_000

    def wait_ms(self, failures: int, roll: float, retry_after_ms: int = 0) -> int:
        """Time until the next try: `roll` (0..1) of a span that doubles to a cap.

        Spread over the whole span, those that failed together do not come again together. What the
        provider asked for is kept to, and spread behind it.
        """
        span = min(self.first_wait_ms * 2 ** max(failures - 1, 0), self.longest_wait_ms)
        return retry_after_ms + int(span * roll)


@dataclass(frozen=True)
class Tools:
    """What a delivery works with; `per_minute` is how much an outlet may send, by its name."""

    ledger: Ledger
    senders: Senders
    wording: Wording
    consents: Consents
    rates: Rates
    store: KeyStore
    sealer: Sealer
    clock: Clock
    log: LogWriter
    patience: Patience = Patience()
    per_minute: dict[str, int] = field(default_factory=dict)
    roll: Callable[[], float] = random.random


@dataclass(frozen=True)
class Wait:
    """Not now: again in so many ms."""

    ms: int


class Delivery:
    """Takes actions one step further; of its own it holds which of them had their turn."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._on_turn: set[str] = set()

    async def advance(self, action: Action) -> int | None:
        """Go as far as possible; ms to wait before going on, None when the action is over.

        Raises what Redis and Kafka raise, and KeyMissing when the key store is not the one that
        sealed the action: the action is then as it was, for a later try.
        """
        outlet = outlet_of(action)
        claim = await self._tools.ledger.claim(action.action_id, action.customer, outlet)
        if isinstance(claim, Held):
            return min(claim.wait_ms, _LOOK_AGAIN_MS)
        if not isinstance(claim, Leased):
            return None
        try:
            return await self._deliver_or_forget(action, claim)
        except LeaseLost:
            return 0

    async def _deliver_or_forget(self, action: Action, claim: Leased) -> int | None:
        try:
            return await self._deliver(action, claim)
        except KeyDestroyed:
            await self._tools.ledger.erased(action.action_id)
            return None

    async def _deliver(self, action: Action, claim: Leased) -> int | None:
        personal = await self._personal(action)
        if action.kind in GIVEN_BY_DECISION:
            await self._tools.ledger.receipted(action.action_id)
            return None
        outcome = claim.outcome
        if outcome is None:
            try:
                found = await self._outcome(action, personal)
            except SendFailed as failure:
                found = await self._failed(action, failure)
            if isinstance(found, Wait):
                return found.ms
            outcome = found
            self._on_turn.discard(action.action_id)
            await self._tools.ledger.settle(action.action_id, outcome)
        await self._receipt(action, outcome)
        await self._tools.ledger.receipted(action.action_id)
        return None

    async def _failed(self, action: Action, failure: SendFailed) -> Wait | Outcome:
        """Try again later; who was only too fast keeps the tries it has."""
        tools, after_ms = self._tools, failure.retry_after_ms
        # The turn it had is over: it asks for another, behind the time asked for.
        self._on_turn.discard(action.action_id)
        if after_ms:
            await tools.rates.hold(outlet_of(action), after_ms)
        if failure.is_throttled:
            return Wait(tools.patience.wait_ms(1, tools.roll(), after_ms))
        failures = await self._count(action, failure)
        if failures < tools.patience.failures_max:
            return Wait(tools.patience.wait_ms(failures, tools.roll(), after_ms))
        return Outcome(self._moment(action)[0], GAVE_UP)

    async def _count(self, action: Action, failure: SendFailed) -> int:
        failures = await self._tools.ledger.failed(action.action_id)
        log.warning(
            "send failed",
            action_id=action.action_id,
            outlet=outlet_of(action),
            failures=failures,
            error=str(failure),
        )
        return failures

    async def _personal(self, action: Action) -> dict[str, str] | None:
        """Open what is sealed; None when it does not open."""
        if self._tools.store.holds(action.customer):
            return self._opened(action)
        return await asyncio.to_thread(self._opened, action)

    def _opened(self, action: Action) -> dict[str, str] | None:
        tools = self._tools
        try:
            # Asked for even when nothing is sealed: a forgotten customer gets no message.
            tools.store.get(action.customer)
            return {
                field: tools.sealer.unseal(action.customer, field, sealed)
                for field, sealed in action.sealed.items()
            }
        except KeyMissing:
            if action.sealed:
                raise
            tools.store.get_or_create(action.customer)
            return {}
        except SealBroken:
            return None

    def _moment(self, action: Action) -> tuple[int, bool]:
        """When it is sent, in the log's time, and whether that lies in a replayed history."""
        clock = self._tools.clock.clock
        if clock.mode == "replay" or action.decided_at_ms <= clock.at_ms:
            return action.decided_at_ms, True
        return max(self._tools.clock.now_ms(), action.decided_at_ms), False

    async def _outcome(self, action: Action, personal: dict[str, str] | None) -> Outcome | Wait:
        at_ms, history = self._moment(action)
        is_message = action.kind not in (TASKS, WEBHOOKS)
        sender = self._tools.senders.get(action.message_channel if is_message else action.kind)
        if sender is None:
            return Outcome(at_ms, NO_SENDER)
        if history and not sender.takes_history:
            return Outcome(at_ms, HISTORY)
        if not history and at_ms >= action.expires_at_ms:
            return Outcome(at_ms, EXPIRED)
        if not history and is_message and await self._is_unwanted(action):
            return Outcome(at_ms, UNSUBSCRIBED)
        if personal is None:
            return Outcome(at_ms, UNREADABLE)
        try:
            return await self._sent(action, personal, at_ms, sender)
        except EditionAwaited:
            return Wait(_LOOK_AGAIN_MS)
        except (UnknownTemplate, NoEdition):
            return Outcome(at_ms, NO_TEMPLATE)
        except WordsBroken as broken:
            log.error("words broken", template=action.template, reason=str(broken))
            return Outcome(at_ms, BROKEN_WORDS)
        except SendRefused as refusal:
            return Outcome(at_ms, str(refusal) or "refused")

    async def _is_unwanted(self, action: Action) -> bool:
        return await self._tools.consents.withdrawn(
            action.customer, action.message_channel, action.consent
        )

    async def _sent(
        self, action: Action, personal: dict[str, str], at_ms: int, sender: Sender
    ) -> Outcome | Wait:
        message = await self._message(action, personal, at_ms)
        if not message.text:
            return Outcome(at_ms, NO_WORDS)
        # A sender that reaches no person has no provider whose patience could end.
        wait_ms = 0 if sender.takes_history else await self._turn(action)
        if wait_ms:
            return Wait(wait_ms)
        result = await self._send(sender, message)
        return Outcome(at_ms, provider_id=result.provider_id, delivered=result.delivered)

    async def _turn(self, action: Action) -> int:
        """Ms until the action's turn; 0 once it has come."""
        if action.action_id in self._on_turn:
            return 0
        outlet, channel = outlet_of(action), await self._tools.wording.channel(action)
        limits = (self._tools.per_minute.get(outlet, 0), channel.rate_per_minute)
        per_minute = min((one for one in limits if one), default=0)
        wait_ms = await self._tools.rates.take(outlet, per_minute)
        self._on_turn.add(action.action_id)
        return wait_ms

    async def _message(self, action: Action, personal: dict[str, str], at_ms: int) -> Message:
        if action.kind == TASKS:
            return task_of(action, personal, at_ms)
        if action.kind == WEBHOOKS:
            return call_of(action, personal, at_ms)
        wording = self._tools.wording
        words = await wording.written(action, personal, at_ms)
        channel = await wording.channel(action)
        return message_of(action, personal, at_ms, words, channel.sender, wording.way_out(action))

    async def _send(self, sender: Sender, message: Message) -> SendResult:
        try:
            async with asyncio.timeout(self._tools.patience.send_limit_ms / 1000):
                return await sender.send(message, message.message_id)
        except (SendFailed, SendRefused, KeyDestroyed):
            raise
        except Exception as error:
            # Its text may hold the address; its kind does not.
            raise SendFailed(type(error).__name__) from error

    async def _receipt(self, action: Action, outcome: Outcome) -> None:
        if outcome.reason in DEAD_LETTER_REASONS:
            letter = dead_letter(
                self._tools.sealer, outcome.reason, outcome.at_ms, msgspec.json.encode(action)
            )
            await self._tools.log.write_dead_letters([letter])
        if receipts := receipts_of(action, outcome):
            await self._tools.log.write(receipts)


def dead_letter(
    sealer: Sealer, reason: str, at_ms: int, raw: bytes, partition: int = -1, offset: int = -1
) -> DeadLetter:
    """Make the dead letter of an action that nobody will get."""
    return DeadLetter(
        source=SOURCE,
        reason=reason,
        at_ms=at_ms,
        sealed_raw=sealer.seal_system(DEAD_LETTER_KEY, raw),
        partition=partition,
        offset=offset,
    )
