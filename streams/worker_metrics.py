"""What a worker tells Prometheus, on loopback and only where a port is set for it.

`HUITOU_METRICS_PORT` is the first worker's port, the second worker's is the next, and so on.
Everything is read when it is asked for: from the lane's measures (streams/measures.py, a few
numbers a batch and a commit) and from the partitions as they stand.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from aiokafka.errors import IllegalStateError
from faust.types import TP
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from sinks.log_clock import LogClockReader
from streams.customer_fold import CustomerFold
from streams.gateway_requests import Refused, require_local_name
from streams.lane import LaneConsumer
from streams.lanes import Lanes
from streams.measures import Distribution, LaneMeasures
from streams.partition import LanePartition

LOOPBACK = "127.0.0.1"
PREFIX = "huitou_worker_"
_PLACE = ("topic", "partition")


class WorkerMetrics:
    """One worker's numbers; implements prometheus_client's Collector."""

    def __init__(
        self, lanes: Lanes, measures: LaneMeasures, consumer: LaneConsumer, clock: LogClockReader
    ) -> None:
        self._lanes = lanes
        self._measures = measures
        self._consumer = consumer
        self._clock = clock
        self._lag: dict[tuple[str, int], int] = {}
        self._started_s = time.time()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def serve(self, port: int) -> None:
        """Answer on loopback until cancelled."""
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            require_local_name(request)
        except Refused as refused:
            return refused.response()
        return web.Response(body=await self.page(), content_type="text/plain", charset="utf-8")

    async def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        places = list(self._lanes.open.items())
        self._lag = {place: await self._lag_of(place, partition) for place, partition in places}
        return generate_latest(self._registry)

    async def _lag_of(self, place: tuple[str, int], partition: LanePartition) -> int:
        """Records that the broker has and the fold has not, commit markers among them."""
        tp = TP(*place)
        try:
            if tp not in self._consumer.assignment():
                return 0
            end = self._consumer.highwater(tp) or 0
            fetched = await self._consumer.position(tp) or 0
        except (AssertionError, IllegalStateError):
            # Given away between two of these questions; the client asserts that it was not.
            return 0
        handed_over = self._consumer.handed_over.get(place, 0)
        # A marker at the end is fetched but never folded: no lag.
        if partition.next_offset >= handed_over and fetched >= end:
            return 0
        return max(0, end - (partition.next_offset or fetched))

    def collect(self) -> Iterator[Metric]:
        """Read all numbers; called by the registry."""
        yield _gauge("started_seconds", "Unix time of this process's start.", self._started_s)
        ready = float(self._lanes.ready.is_set())
        yield _gauge("ready", "1 when all assigned partitions are open, 0 while recovering.", ready)
        yield from self._of_the_lane(self._measures)
        yield from self._of_the_partitions(sorted(self._lanes.open.items()))

    def _of_the_lane(self, measures: LaneMeasures) -> Iterator[Metric]:
        committed = sum(measures.commit_seconds.counts)
        transactions = CounterMetricFamily(
            f"{PREFIX}transactions",
            "Transactions by outcome; one that failed is aborted and ends the process.",
            labels=("outcome",),
        )
        transactions.add_metric(["committed"], committed)
        transactions.add_metric(["failed"], measures.failed)
        yield transactions
        stages = CounterMetricFamily(
            f"{PREFIX}stage_seconds",
            "Time by stage: prepare and fold (batches), seal, send and commit (transactions).",
            labels=("stage",),
        )
        for stage, seconds in sorted(measures.stage_seconds.items()):
            stages.add_metric([stage], seconds)
        yield stages
        for name, documentation, value in (
            ("records", "Records folded.", measures.batch_records.total),
            ("rows", "Rows written to the table's changelog.", measures.commit_rows.total),
            ("outputs", "Effects written.", measures.outputs),
            ("left_out", "Records that went to the dead letters.", measures.left_out),
            ("recovered_rows", "Rows read in recoveries.", measures.recovered_rows),
        ):
            yield CounterMetricFamily(PREFIX + name, documentation, value=value)
        for name, documentation, distribution in (
            ("batch_records", "Records in a batch.", measures.batch_records),
            ("commit_rows", "Rows in a transaction.", measures.commit_rows),
            ("commit_seconds", "From sealing an interval to its commit.", measures.commit_seconds),
            (
                "event_age_seconds",
                "Age of an interval's newest record when it was committed.",
                measures.event_age_seconds,
            ),
            ("recovery_seconds", "Time to open a partition.", measures.recovery_seconds),
        ):
            yield _histogram(name, documentation, distribution)

    def _of_the_partitions(
        self, places: list[tuple[tuple[str, int], LanePartition]]
    ) -> Iterator[Metric]:
        lag = _by_place("lag_records", "Records not folded yet.")
        age = _by_place("commit_age_seconds", "Time since the last commit or the opening.")
        customers = _by_place("customers", "Customers the partition knows.")
        delay = _by_place("mark_delay_seconds", "How far the partition's time is behind the log's.")
        now = time.monotonic()
        log_now_ms = self._log_now_ms()
        for place, partition in places:
            labels = [place[0], str(place[1])]
            lag.add_metric(labels, self._lag.get(place, 0))
            age.add_metric(labels, now - max(partition.committed_at, partition.opened_at))
            fold: Any = partition.fold
            if isinstance(fold, CustomerFold):
                customers.add_metric(labels, fold.customers())
                if log_now_ms is not None and fold.clock.now_ms:
                    delay.add_metric(labels, (log_now_ms - fold.clock.now_ms) / 1000)
        yield from (lag, age, customers, delay)

    def _log_now_ms(self) -> int | None:
        """The log's time while it runs with the wall's: only then a mark can be late."""
        if not self._clock.current or self._clock.clock.mode != "wall":
            return None
        return self._clock.now_ms()


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, documentation, value=value)


def _by_place(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, documentation, labels=_PLACE)


def _histogram(name: str, documentation: str, distribution: Distribution) -> HistogramMetricFamily:
    buckets, so_far = [], 0
    bounds = [*map(str, distribution.bounds), "+Inf"]
    for bound, count in zip(bounds, distribution.counts, strict=True):
        so_far += count
        buckets.append((bound, so_far))
    return HistogramMetricFamily(
        PREFIX + name, documentation, buckets=buckets, sum_value=distribution.total
    )
