"""Role `worker`: folds the log into customers. START HERE to follow an event after topics.py.

topics.EVENTS -> lane.py (fetch) -> lanes.py (agent) -> partition.py (transaction)
              -> customer_fold.py (rows, timers) -> models/step.py -> facts, actions, lessons
topics.COUPONS, in a lane of its own -> coupon_fold.py -> models/coupon_desk.py -> verdicts
"""

import asyncio
import signal
from typing import Any

import structlog

from sinks.log_clock import LogClockReader
from sinks.sealing import Sealer
from streams import topics
from streams.app import build_app, quiet_logging
from streams.broker import broker_reached
from streams.coupon_fold import CouponFold
from streams.customer_fold import CustomerFold
from streams.exit import end_process
from streams.lanes import Lane, Lanes
from streams.loop import run_role
from streams.marks import MarkWriter
from streams.partition import LaneSpec
from streams.secrets import load_secrets, open_key_store
from streams.servers.status import StatusFile, instance_number
from streams.settings import Settings
from streams.snapshots import SnapshotReader
from streams.watchdog import Watchdog
from streams.worker_metrics import WorkerMetrics

log = structlog.get_logger(__name__)

STATUS_EVERY_S = 1.0


def run(settings: Settings) -> None:
    """Fold until SIGTERM or SIGINT; then commit what is folded and return."""
    run_role(_run(settings))


async def _run(settings: Settings) -> None:
    quiet_logging(settings.log_level)
    await broker_reached(settings.kafka_bootstrap)
    named = settings.named
    snapshots = SnapshotReader(settings.kafka_bootstrap, named(topics.SNAPSHOTS))
    clock = LogClockReader(settings.kafka_bootstrap, named(topics.CONTROL))
    lane = customers_lane(settings, snapshots)
    lanes = Lanes([lane, coupons_lane(settings)])
    app = build_app(settings, "worker", lanes)
    await snapshots.start()
    await clock.start()
    marks = MarkWriter(
        settings.kafka_bootstrap,
        named(topics.EVENTS),
        settings.mark_interval_ms,
        lanes,
        clock,
        app.consumer.caught_up,  # type: ignore[attr-defined]
    )
    coupon_marks = MarkWriter(
        settings.kafka_bootstrap,
        named(topics.COUPONS),
        settings.mark_interval_ms,
        lanes,
        clock,
        app.consumer.caught_up,  # type: ignore[attr-defined]
        only_due=True,
    )
    tasks = [marks.run(), coupon_marks.run()]
    if settings.metrics_port:
        metrics = WorkerMetrics(lanes, lane.spec.measures, app.consumer, clock)  # type: ignore[arg-type]
        tasks.append(metrics.serve(settings.metrics_port + instance_number() - 1))
    await run_app(settings, "worker", app, lanes, tasks)
    await clock.stop()
    await snapshots.stop()


def customers_lane(settings: Settings, snapshots: SnapshotReader) -> Lane:
    """Wire the lane that keeps table `customers`."""
    named = settings.named
    secrets = load_secrets(settings)
    sealer = Sealer(open_key_store(settings, secrets.master_key))

    def make_fold(partition: int) -> CustomerFold:
        return CustomerFold(
            partition=partition,
            partitions=settings.partitions,
            incarnation=settings.incarnation,
            topic_of=named,
            load_snapshot=snapshots.load,
            seal_raw=lambda raw: sealer.seal_system("dead_letter", raw),
            coupon_key=secrets.coupon_key,
        )

    spec = LaneSpec(
        bootstrap=settings.kafka_bootstrap,
        group=named("worker"),
        source=named(topics.EVENTS),
        changelog=named(topics.CUSTOMERS),
        transactional_prefix=named("customers"),
        commit_interval_ms=settings.commit_interval_ms,
    )
    return Lane(spec, make_fold)


def coupons_lane(settings: Settings) -> Lane:
    """Wire the lane that keeps the coupons."""
    named = settings.named
    sealer = Sealer(open_key_store(settings, load_secrets(settings).master_key))

    def make_fold(partition: int) -> CouponFold:
        return CouponFold(
            partition=partition,
            partitions=settings.partitions,
            incarnation=settings.incarnation,
            topic_of=named,
            seal_raw=lambda raw: sealer.seal_system("dead_letter", raw),
        )

    spec = LaneSpec(
        bootstrap=settings.kafka_bootstrap,
        group=named("worker"),
        source=named(topics.COUPONS),
        changelog=named(topics.COUPON_TABLE),
        transactional_prefix=named("coupons"),
        commit_interval_ms=settings.commit_interval_ms,
    )
    return Lane(spec, make_fold)


async def run_app(settings: Settings, role: str, app: Any, lanes: Lanes, tasks: list[Any]) -> None:
    """Run a Faust app until a signal comes; a side task that fails ends the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    status = StatusFile(settings.data_dir, role)
    status.write(state="starting")
    await app.start()
    running = [asyncio.create_task(task) for task in tasks]
    running.append(asyncio.create_task(_report(status, lanes, app)))
    running.append(asyncio.create_task(Watchdog(lanes, app.consumer.caught_up).run()))
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
    if stopping not in done:
        failed = next(iter(done))
        error = None if failed.cancelled() else failed.exception()
        end_process(f"{role}: a side task ended", error)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await lanes.close()
    await app.stop()
    status.write(state="stopped")


async def _report(status: StatusFile, lanes: Lanes, app: Any) -> None:
    """Say how it goes; a crashed app ends the process, for nobody supervises it from above."""
    while True:
        if app.crashed:
            end_process("the Faust app crashed", app.crash_reason)
        status.write(state="ready" if lanes.ready.is_set() else "recovering")
        await asyncio.sleep(STATUS_EVERY_S)
