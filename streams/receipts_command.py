"""`huitou explain` and `huitou why`: what was decided about a customer, and why (S43)."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.text import Text

from models.segment import ANONYMOUS
from models.tokens import token_of
from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_receipts import Told, decisions_of, names_of, story_of
from streams.logging import hush_clients
from streams.receipts_absence import ReceiptTrouble, absence_of
from streams.receipts_told import told_absence, told_decisions, told_story
from streams.secrets import load_secrets
from streams.settings import Settings

FAILED = 1
STORIES_AT_MOST = 3


def explain(settings: Settings, action_id: str, *, as_json: bool) -> None:
    """Tell all about one action; ends with 1 where there is none of that id."""
    with _analytics(settings) as client:
        story = story_of(client, action_id)
    if story is None:
        raise ReceiptTrouble(f"nothing was decided under the id {action_id}")
    if as_json:
        _print_json(story)
    else:
        _print(told_story(story))


def why(settings: Settings, customer: str, rule: str, *, as_json: bool) -> None:
    """Tell why a customer got something by a rule, or why not."""
    token_key = load_secrets(settings).token_key
    with _analytics(settings) as client:
        names = _names(client, token_key, customer)
        decisions = decisions_of(client, names, rule)
        stories = _stories(client, decisions)
    absence: Told | None = None
    if not decisions:
        hush_clients()
        absence = asyncio.run(absence_of(settings, names[0], rule))
    if as_json:
        _print_json(
            {"customer": customer, "names": names, "rule": rule}
            | {
                "decisions": decisions,
                "stories": stories,
                "absence": absence,
            }
        )
    elif absence is not None:
        _print(told_absence(customer, rule, absence))
    else:
        _print(told_decisions(customer, decisions, stories))
    if absence is not None and not (absence["known"] and absence["rule_known"]):
        sys.exit(FAILED)


def _stories(client: Client, decisions: list[Told]) -> list[Told]:
    """Stories of the newest few actions."""
    newest = list(dict.fromkeys(str(one["action_id"]) for one in decisions))[:STORIES_AT_MOST]
    return [story for one in newest if (story := story_of(client, one)) is not None]


def _names(client: Client, token_key: bytes, typed: str) -> list[str]:
    """Names of the customer who goes by what was typed: an id, an anonymous id, or a token."""
    tried = [
        token_of(token_key, "customer", typed),
        token_of(token_key, "customer", ANONYMOUS + typed),
        typed,
    ]
    for token in tried:
        found = client.query(
            "SELECT count() FROM profile_history WHERE customer = {customer:String}",
            parameters={"customer": token},
        )
        if found.result_rows[0][0]:
            return names_of(client, token)
    return tried[:1]


@contextmanager
def _analytics(settings: Settings) -> Iterator[Client]:
    address = ClickHouseAddress(
        settings.clickhouse_address,
        settings.clickhouse_user,
        settings.clickhouse_password.get_secret_value(),
        settings.clickhouse_database,
    )
    try:
        client = connect(address)
    except ClickHouseError as error:
        raise _no_answer(settings, error) from None
    try:
        yield client
    except ClickHouseError as error:
        raise _no_answer(settings, error) from None
    finally:
        client.close()


def _no_answer(settings: Settings, error: ClickHouseError) -> ReceiptTrouble:
    said = str(error).splitlines()[0][:200]
    return ReceiptTrouble(f"no answer from {settings.clickhouse_address}: {said}")


def _print_json(told: Told) -> None:
    typer.echo(json.dumps(told, indent=1, ensure_ascii=False))


def _print(lines: Iterator[Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line if isinstance(line, Text) else Text(str(line)))
