"""An alert as others know it: Alertmanager's webhook body.

Alertmanager, webhook version 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from datetime import UTC, datetime
from typing import Any

import orjson
import xxhash

from models.effects import Alert

NOT_ENDED = "0001-01-01T00:00:00Z"
RECEIVER = "huitou"


def notice_id(alert: Alert) -> str:
    """Name one word about an alert: the same in every attempt, so that receivers know repeats.

    >>> one = Alert(fingerprint="f", status="firing", name="n", severity="info",
    ...             starts_at_ms=5, summary="s")
    >>> notice_id(one) == notice_id(one)
    True
    """
    word = f"{alert.fingerprint}\x00{alert.status}\x00{alert.starts_at_ms}\x00{alert.ends_at_ms}"
    return f"alert_{xxhash.xxh3_128_hexdigest(word.encode())}"


def body_of(alert: Alert) -> bytes:
    """Write the webhook's body for one alert."""
    labels = {"alertname": alert.name, "severity": alert.severity, **alert.labels}
    annotations = {"summary": alert.summary}
    annotations |= {name: f"{value:g}" for name, value in alert.values.items()}
    group = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return orjson.dumps(
        {
            "version": "4",
            "groupKey": f"{{}}:{{{group}}}",
            "truncatedAlerts": 0,
            "status": alert.status,
            "receiver": RECEIVER,
            "groupLabels": {"alertname": alert.name},
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": "",
            "alerts": [_entry(alert, labels, annotations)],
        }
    )


def _entry(alert: Alert, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _moment(alert.starts_at_ms),
        "endsAt": _moment(alert.ends_at_ms) if alert.ends_at_ms else NOT_ENDED,
        "generatorURL": "",
        "fingerprint": f"{xxhash.xxh3_64_intdigest(alert.fingerprint.encode()):016x}",
    }


def _moment(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
