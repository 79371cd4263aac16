"""The webhook's body, against what Alertmanager's page prints."""

import json

import pytest

from sinks.alerts_webhook import body_of, notice_id
from tests.builders import START_MS
from tests.contract.records import alert


def test_the_body_is_alertmanagers() -> None:
    body = json.loads(body_of(alert(0)))
    [entry] = body["alerts"]
    assert body["version"] == "4"
    assert body.keys() == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels",
        "commonLabels", "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert entry.keys() == {
        "status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint",
    }  # fmt: skip
    assert entry["labels"] == {
        "alertname": "orders_per_hour",
        "severity": "critical",
        "metric": "orders_per_hour",
    }
    assert entry["annotations"]["summary"] == "訂單少了一半 📉"
    assert entry["annotations"]["expected"] == "40.5"
    assert entry["startsAt"] == "2022-01-08T00:00:00.000Z"
    assert all(isinstance(value, str) for value in body["commonLabels"].values())


@pytest.mark.parametrize(
    ("offset", "status", "ends_at"),
    [(0, "firing", "0001-01-01T00:00:00Z"), (1, "resolved", "2022-01-08T00:00:00.001Z")],
)
def test_an_alert_has_no_end_while_it_fires(offset: int, status: str, ends_at: str) -> None:
    body = json.loads(body_of(alert(offset)))
    assert (body["status"], body["alerts"][0]["endsAt"]) == (status, ends_at)


def test_firing_and_its_end_have_one_fingerprint_and_two_notices() -> None:
    fired, ended = alert(0), alert(1)
    bodies = [json.loads(body_of(one))["alerts"][0]["fingerprint"] for one in (fired, ended)]
    assert bodies[0] == bodies[1]
    assert notice_id(fired) != notice_id(ended)
    assert notice_id(fired) == notice_id(alert(0, summary="other words"))
    assert notice_id(fired) != notice_id(alert(0, starts_at_ms=START_MS + 9))
