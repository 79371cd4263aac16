"""What is told of a decision has the same keys each time."""

from models.customer import Customer
from models.effects import Decided
from streams.rehearse.scenario import TOLD
from streams.rehearse.told import local_time, status_of, told
from tests.builders import START_MS


def decided(**values: str) -> Decided:
    return Decided(
        incarnation=1,
        partition=0,
        offset=0,
        index=0,
        customer="token",
        at_ms=START_MS,
        **{
            "rule": "r",
            "occasion": "o",
            "action_id": "a",
            "verdict": "withheld",
            "reason": "why",
            **values,
        },
        hazard=0.0,
        hazard_version=0,
        inputs={},
    )


def test_its_keys_are_those_that_may_be_expected() -> None:
    assert tuple(told(decided(), "c1", None, "UTC")) == TOLD


def test_a_receipt_without_a_status_is_told_by_its_verdict() -> None:
    assert status_of(decided(verdict="sent")) == "sent"
    assert status_of(decided()) == "cancelled"
    assert status_of(decided(status="capped")) == "capped"


def test_the_customers_own_zone_wins_over_the_shops() -> None:
    berlin = Customer(traits={"timezone": "Europe/Berlin"})
    nowhere = Customer(traits={"timezone": "Nowhere"})
    assert local_time(0, berlin, "Asia/Taipei") == "1970-01-01T01:00:00+01:00"
    assert local_time(0, nowhere, "Asia/Taipei") == "1970-01-01T08:00:00+08:00"
    assert local_time(1, None, "UTC") == "1970-01-01T00:00:00.001+00:00"
