"""One action from its lease to its receipts: the way of a message, START HERE.

    claim -> open -> expired? unsubscribed? -> fill in -> send -> note -> receipts -> close

Each arrow may be the last thing a process does; whoever claims the action next goes on from the
ledger (ARCHITECTURE.md tells which step may repeat, and why that is harmless). What a replayed
history decides never expires and is dated when it was decided, so that the speed of a replay
changes nothing; it is handed only to a sender that reaches no person.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from models.clock import LogClock
from models.effects import Action, DeadLetter
from models.events import MessageChannel
from sinks.dispatch_consent import Consents
from sinks.dispatch_ledger import Held, Leased, LeaseLost, Ledger, Outcome
from sinks.dispatch_receipts import SOURCE, receipts_of
from sinks.keys import KeyDestroyed, KeyMissing, KeyStore
from sinks.log import LogWriter
from sinks.sealing import SealBroken, Sealer
from sinks.senders import Message, Sender, Senders, SendFailed, SendRefused, SendResult
from sinks.templates import TemplateBook, UnknownTemplate

log = structlog.get_logger(__name__)

EXPIRED = "expired"
UNSUBSCRIBED = "unsubscribed"
HISTORY = "decided in a replayed history"
NO_SENDER = "no sender for this channel"
NO_TEMPLATE = "unknown template"
UNREADABLE = "sealed fields do not open"
GAVE_UP = "gave up"
DEAD_LETTER_REASONS = frozenset({NO_TEMPLATE, UNREADABLE, GAVE_UP})
DEAD_LETTER_KEY = "dead_letter"

_LOOK_AGAIN_MS = 250
_ADDRESS = {MessageChannel.EMAIL: "email", MessageChannel.SMS: "phone"}


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

    def wait_ms(self, failures: int, roll: float) -> int:
        """Time until the next try: doubling, capped, and spread by `roll` (0..1) over its half."""
        whole = min(self.first_wait_ms * 2 ** (failures - 1), self.longest_wait_ms)
        return int(whole * (0.5 + roll / 2))


@dataclass(frozen=True)
class Tools:
    """What a delivery works with."""

    ledger: Ledger
    senders: Senders
    templates: TemplateBook
    consents: Consents
    store: KeyStore
    sealer: Sealer
    clock: Clock
    log: LogWriter
    patience: Patience = Patience()
    roll: Callable[[], float] = random.random


class Delivery:
    """Takes actions one step further; holds nothing of its own."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def advance(self, action: Action) -> int | None:
        """Go as far as possible; ms to wait before going on, None when the action is over.

        Raises what Redis and Kafka raise, and KeyMissing when the key store is not the one that
        sealed the action: the action is then as it was, for a later try.
        """
        claim = await self._tools.ledger.claim(action.action_id)
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
        outcome = claim.outcome
        if outcome is None:
            try:
                outcome = await self._outcome(action, personal)
            except SendFailed as failure:
                failures = await self._count(action, failure)
                if failures < self._tools.patience.failures_max:
                    return self._tools.patience.wait_ms(failures, self._tools.roll())
                outcome = Outcome(self._moment(action)[0], GAVE_UP)
            await self._tools.ledger.settle(action.action_id, outcome)
        await self._receipt(action, outcome)
        await self._tools.ledger.receipted(action.action_id)
        return None

    async def _count(self, action: Action, failure: SendFailed) -> int:
        failures = await self._tools.ledger.failed(action.action_id)
        log.warning(
            "send failed",
            action_id=action.action_id,
            channel=action.message_channel.value,
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

    async def _outcome(self, action: Action, personal: dict[str, str] | None) -> Outcome:
        at_ms, history = self._moment(action)
        sender = self._tools.senders.get(action.message_channel)
        if sender is None:
            return Outcome(at_ms, NO_SENDER)
        if history and not sender.takes_history:
            return Outcome(at_ms, HISTORY)
        if not history and at_ms >= action.expires_at_ms:
            return Outcome(at_ms, EXPIRED)
        if not history and await self._tools.consents.withdrawn(
            action.customer, action.message_channel
        ):
            return Outcome(at_ms, UNSUBSCRIBED)
        if personal is None:
            return Outcome(at_ms, UNREADABLE)
        try:
            message = self._message(action, personal, at_ms)
            result = await self._send(sender, message)
        except UnknownTemplate:
            return Outcome(at_ms, NO_TEMPLATE)
        except SendRefused as refusal:
            return Outcome(at_ms, str(refusal) or "refused")
        return Outcome(at_ms, provider_id=result.provider_id, delivered=result.delivered)

    def _message(self, action: Action, personal: dict[str, str], at_ms: int) -> Message:
        names = {"first_name": personal.get("first_name") or personal.get("name", "")}
        words = self._tools.templates.render(
            action.template,
            action.locale,
            {**action.variables, **names},
            short=action.message_channel is not MessageChannel.EMAIL,
        )
        return Message(
            message_id=action.action_id,
            action_id=action.action_id,
            customer=action.customer,
            rule=action.rule,
            channel=action.message_channel,
            at_ms=at_ms,
            address=personal.get(_ADDRESS.get(action.message_channel, ""), ""),
            subject=words.subject,
            text=words.text,
            html=words.html,
        )

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
        await self._tools.log.write(receipts_of(action, outcome))


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
