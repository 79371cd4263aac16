"""Why a rule has decided nothing about a customer: asked of the playbook in use and of the row."""

import time
from typing import Any

from aiokafka.errors import KafkaError

from models.clock import LogClock
from models.customer import Customer, decode_row
from models.playbook.edition import opened
from models.tokens import partition_of
from models.triggers.absence import findings
from models.view import View
from streams import topics
from streams.playbook_editions import read_editions
from streams.rebuild_partition import read_table
from streams.replay.history_log import read_control
from streams.replay.progress import CLOCK_KEY, word
from streams.servers.errors import ServerError
from streams.settings import Settings


class ReceiptTrouble(ServerError):
    """Receipts can't be read; the text is one sentence for the operator."""


async def absence_of(settings: Settings, token: str, rule: str) -> dict[str, Any]:
    """Findings about a rule without a decision, and about whom.

    `known` says that the row is there, `rule_known` that the playbook in use has such a rule.

    Raises ServerError where no broker answers.
    """
    edition = (await read_editions(settings)).current
    version = edition.version if edition else 0
    told: dict[str, Any] = {"known": True, "rule_known": True}
    told |= {"playbook_version": version, "findings": []}
    try:
        customer = await _row(settings, token)
        words = await read_control(settings)
    except KafkaError as error:
        raise ReceiptTrouble(f"no broker at {settings.kafka_bootstrap} ({error!r})") from None
    if customer is None:
        return {**told, "known": False}
    if edition is None:
        return told
    book = opened(edition)
    clock = word(words.get(CLOCK_KEY), LogClock) or LogClock()
    now_ms = clock.now_ms(time.time_ns() // 1_000_000)
    view = View(0, 0, 1, now_ms=now_ms, rulebook=book, playbook_version=version)
    told["rule_known"] = rule in book.book.triggers
    told["findings"] = [one._asdict() for one in findings(token, customer, book, rule, view)]
    return told


async def _row(settings: Settings, token: str) -> Customer | None:
    partition = partition_of(token, settings.partitions)
    rows = await read_table(settings, settings.named(topics.CUSTOMERS), partition)
    raw = rows.get(token.encode())
    return None if raw is None else decode_row(raw)
