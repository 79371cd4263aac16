"""The schema for editors says what the reader reads."""

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from models.playbook.check import check
from models.playbook.keys import keys_of
from models.playbook.playbook import Playbook
from models.playbook.schema import json_schema
from tests.models.playbook.broken import HELLO, SHOP, rule
from tests.models.playbook.test_check import STARTER

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def is_valid(text: str) -> bool:
    document = yaml.safe_load(text)
    return bool(VALIDATOR.is_valid(document))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_starter_fits_the_schema() -> None:
    assert [one.message for one in VALIDATOR.iter_errors(yaml.safe_load(STARTER))] == []


def parts(schema: Any) -> list[dict[str, Any]]:
    return [schema, *schema["$defs"].values()]


def test_every_key_is_described_in_a_sentence() -> None:
    described = [
        (name, one.get("description", ""))
        for part in parts(SCHEMA)
        for name, one in part["properties"].items()
    ]
    assert len(described) > 100
    assert [name for name, said in described if not said.endswith(".")] == []
    assert all(part["description"] for part in parts(SCHEMA))


def test_every_key_of_the_file_is_in_the_schema() -> None:
    assert list(SCHEMA["properties"]) == [spec.key for spec in keys_of(Playbook)]


@pytest.mark.parametrize(
    "text",
    [
        SHOP + "trigers: {}",
        SHOP + "playbook: 2",
        SHOP + "caps: [{at_most: -1, per: 7d}]",
        SHOP + "caps: [{at_most: 3, per: 7}]",
        SHOP + "channels: {mail: {}}",
        SHOP + "holdout: {share: 5}",
        SHOP + "quiet_hours: {from: '25:00', to: '08:00'}",
        SHOP + "offers: {ten: {}}",
        SHOP + "tiers: {gold: {}}",
        SHOP + "segments: {VIP: {if: 'true'}}",
        SHOP + rule("{event: order_complete}"),
        SHOP + rule("{silense: 30d}"),
        SHOP + rule("{silence: 30d}", "then: {mesage: hello}"),
        "shop: {time_zone: Asia/Taipei}",
    ],
)
def test_what_the_schema_refuses_the_check_refuses_too(text: str) -> None:
    assert not is_valid(text)
    assert check("p.yaml", text.encode()).errors


@pytest.mark.parametrize(
    "text",
    [
        SHOP + "caps: {at_most: 3, per: 7d, channels: email}" + HELLO,
        SHOP + "holdout: {share: 0.05}",
        SHOP + "offers: {five: {amount: 5}, six: {amount: 6 EUR, valid_for: 2w}}",
        SHOP + rule("{date_of: birthday, before: 0, at: '09:30'}"),
        SHOP + rule("{holiday: [spring_festival, christmas], country: TW, before: 1d}"),
        SHOP + rule("{silence: 30d}", guard="{once: 30d}"),
        SHOP + rule("{silence: 30d}", guard="{once: customer, no_offer_above: 80%}"),
    ],
)
def test_what_the_check_takes_the_schema_takes_too(text: str) -> None:
    assert check("p.yaml", text.encode()).errors == ()
    assert is_valid(text)
