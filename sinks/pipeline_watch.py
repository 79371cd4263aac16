"""Watch over the pipeline itself: consumers that lag, dead letters, a broker that is away.

Any number of processes may run it: the one that holds the single partition of topic `alerts` in the
watch's group speaks. It reads what was said before it, so an alert that fires outlives restarts
and is ended by whoever watches then. Readings go to ClickHouse as well, for the page.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from clickhouse_connect.driver.client import Client

from models.effects import Alert, encode
from sinks.clickhouse import INSERT_SETTINGS, ClickHouseAddress, connect
from sinks.patience import METADATA_AGE_MS, cancelled_means_failed, close_each, pause
from sinks.pipeline_judge import PipelineJudge, Rules
from sinks.pipeline_lag import LagBook, Progress
from sinks.pipeline_probe import Answer, PipelineProbe, within

RETRY_S = 1.0
COLUMNS = [
    "at",
    "consumer",
    "topic",
    "partition",
    "end_offset",
    "committed",
    "lag",
    "age_ms",
    "written_per_s",
    "read_per_s",
]

_decoder = msgspec.json.Decoder(Alert)


@dataclass(frozen=True)
class WatchConfig:
    """What is watched, and where readings and alerts go."""

    bootstrap: str
    prefix: str
    topics: frozenset[str]
    dead_letters_topic: str
    alerts_topic: str
    group: str
    clickhouse: ClickHouseAddress
    session_timeout_ms: int = 8_000
    interval_s: float = 2.0
    answer_limit_s: float = 10.0
    rules: Rules = field(default_factory=Rules)


class PipelineWatch:
    """Measures, judges and speaks until it is stopped."""

    def __init__(self, config: WatchConfig, tell: Callable[[Alert], Awaitable[None]]) -> None:
        self._config = config
        self._tell = tell
        self._judge = PipelineJudge()
        self._rules = config.rules
        self._lags = LagBook()
        self._unsaid: list[Alert] = []
        self._in_office = False
        self._last_trouble: dict[str, str] = {}
        self._client: Client | None = None
        self._answered_at_s = time.monotonic()
        self._log = structlog.get_logger().bind(sink="pipeline-watch")

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`; outages of Kafka and ClickHouse are part of the job."""
        while not stop.is_set():
            try:
                with cancelled_means_failed():
                    await self._hold_office(stop)
            except Exception as error:
                self._say_once("watch interrupted", error)
                await self._judge_broker()
                await pause(stop, RETRY_S)

    async def _hold_office(self, stop: asyncio.Event) -> None:
        """Connect, wait for the office, learn what was said, and watch while it is ours."""
        config = self._config
        office = AIOKafkaConsumer(
            config.alerts_topic,
            bootstrap_servers=config.bootstrap,
            group_id=config.group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=config.session_timeout_ms,
            heartbeat_interval_ms=config.session_timeout_ms // 4,
            metadata_max_age_ms=METADATA_AGE_MS,
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=config.bootstrap, enable_idempotence=True, acks="all"
        )
        probe = PipelineProbe(
            config.bootstrap, config.prefix, config.topics, config.dead_letters_topic
        )
        try:
            await office.start()
            await producer.start()
            await probe.open()
            while not stop.is_set():
                if office.assignment():
                    self._in_office = True
                    await self._recall(office)
                    await self._watch_once(probe, producer)
                else:
                    await self._ask(probe)
                    self._in_office = False
                    await self._judge_broker()
                await pause(stop, config.interval_s)
        finally:
            await close_each(probe.close, producer.stop, office.stop)

    async def _recall(self, office: AIOKafkaConsumer) -> None:
        """Read what was said up to now, by us or by whoever watched before."""
        async with asyncio.timeout(self._config.answer_limit_s):
            partition = TopicPartition(self._config.alerts_topic, 0)
            end = (await office.end_offsets([partition]))[partition]
            while partition in office.assignment() and await office.position(partition) < end:
                found = await office.getmany(partition, timeout_ms=200)
                for record in found.get(partition, []):
                    with contextlib.suppress(msgspec.DecodeError):  # the alert sinks log it
                        self._judge.recall(_decoder.decode(record.value or b""))

    async def _ask(self, probe: PipelineProbe) -> Answer:
        answer = await within(self._config.answer_limit_s, probe)
        self._answered_at_s = time.monotonic()
        self._last_trouble.pop("watch interrupted", None)
        return answer

    async def _watch_once(self, probe: PipelineProbe, producer: AIOKafkaProducer) -> None:
        readings, letters = await self._ask(probe)
        at_ms = _now_ms()
        progress = self._lags.note(readings, at_ms)
        self._judge_lags(progress, at_ms)
        self._judge_letters(letters, at_ms)
        await self._judge_broker()
        while self._unsaid:
            alert = self._unsaid[0]
            await producer.send_and_wait(
                self._config.alerts_topic, encode(alert), key=alert.fingerprint.encode()
            )
            del self._unsaid[0]
        await self._store(progress, at_ms)

    def _judge_lags(self, progress: Sequence[Progress], at_ms: int) -> None:
        oldest: dict[str, Progress] = {}
        for one in progress:
            if one.age_ms >= oldest.get(one.place.consumer, one).age_ms:
                oldest[one.place.consumer] = one
        for name in {
            labels["consumer"] for labels in self._judge.firing(self._rules.lag)
        } - oldest.keys():
            self._note(self._judge.judge(self._rules.lag, {"consumer": name}, 0, at_ms, ""))
        for name, one in oldest.items():
            summary = (
                f"{name} is {one.age_ms / 1000:.0f} s behind in {one.place.topic}, "
                f"partition {one.place.partition}: {one.lag} records unread"
            )
            self._note(
                self._judge.judge(self._rules.lag, {"consumer": name}, one.age_ms, at_ms, summary)
            )

    def _judge_letters(self, letters: dict[tuple[str, str], int], at_ms: int) -> None:
        counts = dict(letters)
        for labels in self._judge.firing(self._rules.dead_letters):
            counts.setdefault((labels["source"], labels["reason"]), 0)
        for (source, reason), count in counts.items():
            labels = {"source": source, "reason": reason}
            summary = f"{count} dead letters in a minute from {source}: {reason}"
            self._note(self._judge.judge(self._rules.dead_letters, labels, count, at_ms, summary))

    async def _judge_broker(self) -> None:
        """Judge the broker's silence; said straight to people, who must know while it lasts.

        Every process says it, for the office is given by the broker.
        """
        silence_ms = (time.monotonic() - self._answered_at_s) * 1000
        summary = f"no broker answers at {self._config.bootstrap}"
        alert = self._judge.judge(self._rules.broker, {}, silence_ms, _now_ms(), summary)
        if alert is not None:
            if self._in_office:
                self._note(alert)
            try:
                await self._tell(alert)
            except Exception as error:
                # The topic has it too: it will be told from there, under the same id.
                self._log.warning("alert not told yet", error=str(error))

    def _note(self, alert: Alert | None) -> None:
        if alert is not None:
            self._unsaid.append(alert)

    async def _store(self, progress: Sequence[Progress], at_ms: int) -> None:
        """Keep the readings; they are of the moment, so what can't be stored now never is."""
        rows = [
            (
                at_ms,
                one.place.consumer,
                one.place.topic,
                one.place.partition,
                one.end,
                one.committed,
                one.lag,
                one.age_ms,
                one.written_per_s,
                one.read_per_s,
            )
            for one in progress
        ]
        try:
            await asyncio.to_thread(self._insert, rows)
        except Exception as error:
            self._say_once("readings not stored", error)

    def _say_once(self, what: str, error: Exception) -> None:
        """Log what goes wrong again and again only when it is something new."""
        kind = type(error).__name__
        if self._last_trouble.get(what) != kind:
            self._last_trouble[what] = kind
            self._log.warning(what, error=kind)

    def _insert(self, rows: list[Any]) -> None:
        if self._client is None:
            self._client = connect(self._config.clickhouse)
        if rows:
            self._client.insert("pipeline", rows, column_names=COLUMNS, settings=INSERT_SETTINGS)


def _now_ms() -> int:
    return int(time.time() * 1000)
