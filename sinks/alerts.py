"""Alerts to people: a line in the log, and a call of the operator's webhook."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog

from models.effects import Alert
from sinks.alerts_webhook import body_of, notice_id
from sinks.port import Record
from sinks.signing import headers_of

ANSWER_LIMIT_S = 10.0
KEPT_NOTICES = 10_000
WORTH_TRYING_AGAIN = {408, 425, 429}

_decoder = msgspec.json.Decoder(Alert)


class NotDelivered(Exception):
    """The webhook could not be reached, or said to come back later."""


@dataclass(frozen=True)
class Webhook:
    """Where alerts are posted to; an empty `url`: nowhere."""

    url: str = field(default="", repr=False)
    secrets: str = field(default="", repr=False)


class AlertSink:
    """Tells people of each alert, once.

    A webhook that fails is tried again for ever, in order; one that refuses an alert (a 4xx) is
    not asked again about that one. After a restart a receiver may see a notice again,
    under the same webhook-id.
    """

    name = "alert-notices"

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._host = urlsplit(webhook.url).hostname
        self._session: aiohttp.ClientSession | None = None
        self._said: OrderedDict[str, bool] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._log = structlog.get_logger().bind(sink=self.name)

    async def open(self) -> None:
        """Make ready to call."""
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
            self._session = aiohttp.ClientSession(timeout=limit)

    async def resume(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Go on after what was committed: people are no place that can be asked."""
        return {}

    async def write(self, batch: Sequence[Record]) -> None:
        """Tell of each alert in turn; NotDelivered at the first that can't be told now."""
        for record in batch:
            try:
                alert = _decoder.decode(record.value or b"")
            except msgspec.DecodeError as error:
                self._log.error(
                    "unreadable record",
                    partition=record.partition,
                    offset=record.offset,
                    reason=str(error),
                )
            else:
                await self.tell(alert)

    async def tell(self, alert: Alert) -> None:
        """Tell of one alert unless that was done; NotDelivered when the webhook fails."""
        notice = notice_id(alert)
        async with self._one_at_a_time:
            if notice not in self._said:
                self._say(alert)
                self._said[notice] = not self._webhook.url
                if len(self._said) > KEPT_NOTICES:
                    self._said.popitem(last=False)
            if not self._said[notice]:
                await self._post(notice, alert)
                self._said[notice] = True

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _say(self, alert: Alert) -> None:
        say = self._log.info if alert.status == "resolved" else self._log.warning
        say(
            "alert",
            alert=alert.name,
            status=alert.status,
            severity=alert.severity,
            fingerprint=alert.fingerprint,
            summary=alert.summary,
            labels=alert.labels,
            values=alert.values,
        )

    async def _post(self, notice: str, alert: Alert) -> None:
        if self._session is None:
            raise RuntimeError(f"sink {self.name} is not open")
        body = body_of(alert)
        headers = headers_of(notice, body, int(time.time()), self._webhook.secrets)
        try:
            async with self._session.post(
                self._webhook.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The address may hold a secret, so of the error only its kind is told.
            raise NotDelivered(f"webhook at {self._host}: {type(error).__name__}") from None
        if status >= 500 or status in WORTH_TRYING_AGAIN:
            raise NotDelivered(f"webhook at {self._host} answered {status}")
        if status >= 300:
            self._log.error("webhook refused an alert", host=self._host, answer=status)
