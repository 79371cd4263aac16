"""Role `sinks`: everything that lands outside the log, wired by hand.

facts, customers, actions, alerts, coupons' verdicts, dead letters -> ClickHouse
customers -> Redis        alerts -> people        actions -> dispatcher -> customers
the positions of all of them -> pipeline watch -> alerts
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Sequence
from functools import partial

from models.events import MessageChannel
from sinks.alerts import AlertSink, Webhook
from sinks.clickhouse import ClickHouseAddress
from sinks.clickhouse_coupons import COUPON_SHAPE
from sinks.clickhouse_erasure import Erasure
from sinks.clickhouse_facts import FACTS
from sinks.clickhouse_shapes import (
    ACTION_SHAPE,
    ALERT_SHAPE,
    CUSTOMER_SHAPE,
    DEAD_LETTER_SHAPE,
)
from sinks.clickhouse_sink import Aftercare, ClickHouseSink
from sinks.clickhouse_sums import NewestKept, fact_sums
from sinks.clickhouse_table import Shape
from sinks.dispatcher import DispatcherConfig, run_dispatcher
from sinks.pipeline_watch import PipelineWatch, WatchConfig
from sinks.port import Sink
from sinks.redis_profiles import RedisProfileSink
from sinks.runner import Feed, SinkRunner
from sinks.sender_choice import SenderConfig, senders_of
from sinks.sender_email import SmtpServer
from sinks.senders import TASKS
from streams import topics
from streams.exit import end_process
from streams.secrets import key_store_path, load_secrets
from streams.servers.status import READY, STARTING, StatusFile
from streams.settings import Settings

ROLE = "sinks"
STATUS_EVERY_S = 0.5


def run(settings: Settings) -> None:
    """Land everything until SIGTERM or SIGINT; then finish what is being written, and return."""
    # It tells of every group's every step.
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    # Rows come by the ten thousand and hold no circles: looking for some takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    status = StatusFile(settings.data_dir, ROLE)
    status.write(state=STARTING)
    notices = AlertSink(webhook_of(settings))
    runners = [*clickhouse_runners(settings), *other_runners(settings, notices)]
    watch = PipelineWatch(watch_config(settings), notices.tell)
    jobs = {runner.sink.name: runner.run(stop) for runner in runners}
    jobs["pipeline watch"] = watch.run(stop)
    jobs["dispatcher"] = run_dispatcher(
        dispatcher_config(settings), stop, partial(senders_of, sender_config(settings))
    )
    jobs["status"] = _report(status, runners, stop)
    tasks = [asyncio.create_task(job, name=name) for name, job in jobs.items()]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done() and not stop.is_set():
            _end_because_of(task)
    for task in tasks:
        await asyncio.wait([task])
        if task.cancelled() or task.exception():
            _end_because_of(task)
    status.write(state="stopped")


def _end_because_of(task: asyncio.Task[None]) -> None:
    """A job that ended by itself left its work undone: start anew."""
    error = None if task.cancelled() else task.exception()
    end_process(f"sinks: {task.get_name()} ended", error)


def clickhouse_runners(settings: Settings) -> list[SinkRunner]:
    """Wire what lands in ClickHouse."""
    incarnation = settings.incarnation
    sums = fact_sums(incarnation)
    fed_by_facts = tuple(table.name for table in FACTS.tables if table.name != "forgotten")
    facts = Erasure(incarnation, fed_by_facts, sums=sums, keeps_book=True)
    history = Erasure(incarnation, ("profile_history",), derived=("customers_now",))
    actions = Erasure(incarnation, ("actions",))
    coupons = Erasure(incarnation, ("coupon_verdicts",))
    wired: list[tuple[str, str, Shape, Sequence[Aftercare]]] = [
        ("facts", topics.FACTS, FACTS, [*sums, facts]),
        ("profile-history", topics.CUSTOMERS, CUSTOMER_SHAPE, [NewestKept(incarnation), history]),
        ("actions", topics.ACTIONS, ACTION_SHAPE, [actions]),
        ("alerts", topics.ALERTS, ALERT_SHAPE, []),
        ("coupon-verdicts", topics.COUPON_VERDICTS, COUPON_SHAPE, [coupons]),
        ("dead-letters", topics.DEAD_LETTERS, DEAD_LETTER_SHAPE, []),
    ]
    return [
        _runner(
            settings,
            ClickHouseSink(
                f"clickhouse-{name}",
                clickhouse_address(settings),
                settings.named(topic),
                incarnation,
                shape,
                aftercare,
            ),
            topic,
        )
        for name, topic, shape, aftercare in wired
    ]


def other_runners(settings: Settings, notices: AlertSink) -> list[SinkRunner]:
    """Wire Redis and the people who are told of alerts."""
    profiles = RedisProfileSink(settings.redis_address, settings.namespace, settings.incarnation)
    return [
        _runner(settings, profiles, topics.CUSTOMERS),
        _runner(settings, notices, topics.ALERTS),
    ]


def _runner(settings: Settings, sink: Sink, topic: str) -> SinkRunner:
    feed = Feed(
        bootstrap=settings.kafka_bootstrap,
        topic=settings.named(topic),
        group=settings.named(f"sink-{sink.name}"),
        session_timeout_ms=settings.session_timeout_ms,
    )
    return SinkRunner(sink, feed)


def clickhouse_address(settings: Settings) -> ClickHouseAddress:
    """Where the analytics tables are."""
    return ClickHouseAddress(
        settings.clickhouse_address,
        settings.clickhouse_user,
        settings.clickhouse_password.get_secret_value(),
        settings.clickhouse_database,
    )


def webhook_of(settings: Settings) -> Webhook:
    """Where alerts are posted to."""
    return Webhook(settings.alert_webhook_url, settings.alert_webhook_secret.get_secret_value())


def watch_config(settings: Settings) -> WatchConfig:
    """What the pipeline watch looks at."""
    named = settings.named
    return WatchConfig(
        bootstrap=settings.kafka_bootstrap,
        prefix=settings.namespace,
        topics=frozenset(named(topic.name) for topic in topics.TOPICS),
        dead_letters_topic=named(topics.DEAD_LETTERS),
        alerts_topic=named(topics.ALERTS),
        group=named("pipeline-watch"),
        clickhouse=clickhouse_address(settings),
        session_timeout_ms=settings.session_timeout_ms,
    )


def dispatcher_config(settings: Settings) -> DispatcherConfig:
    """Where the dispatcher's actions come from and its receipts go."""
    named = settings.named
    return DispatcherConfig(
        bootstrap=settings.kafka_bootstrap,
        redis_url=settings.redis_address,
        key_store=key_store_path(settings),
        master_key=load_secrets(settings).master_key,
        partitions=settings.partitions,
        namespace=settings.namespace,
        actions_topic=named(topics.ACTIONS),
        events_topic=named(topics.EVENTS),
        dead_letters_topic=named(topics.DEAD_LETTERS),
        control_topic=named(topics.CONTROL),
        snapshots_topic=named(topics.SNAPSHOTS),
        learner_topic=named(topics.LEARNER),
        group=named("dispatcher"),
        session_timeout_ms=settings.session_timeout_ms,
        public_url=settings.public_url,
        token_key=load_secrets(settings).token_key,
        per_minute=settings.sends_per_minute,
    )


def sender_config(settings: Settings) -> SenderConfig:
    """Which senders are set up; what is not ends in the mailbox."""
    smtp = SmtpServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.email_from,
        settings.smtp_username,
        settings.smtp_password.get_secret_value(),
        settings.smtp_security,
        settings.email_reply_to,
        settings.email_unsubscribe_to,
    )
    return SenderConfig(
        smtp=smtp if settings.smtp_host else None,
        webhooks={
            MessageChannel.SMS: settings.sms_webhook_url,
            MessageChannel.PUSH: settings.push_webhook_url,
            MessageChannel.CHAT: settings.chat_webhook_url,
        },
        tasks_url=settings.task_webhook_url,
        secrets=settings.sender_webhook_secrets.get_secret_value(),
        apprise={
            name if name == TASKS else MessageChannel(name): url.get_secret_value()
            for name, url in settings.apprise_urls.items()
        },
    )


async def _report(status: StatusFile, runners: Sequence[SinkRunner], stop: asyncio.Event) -> None:
    """Say that the role is ready once every sink has begun; one that fails holds up no other."""
    while not stop.is_set():
        begun = all(runner.status.state != "starting" for runner in runners)
        status.write(state=READY if begun else STARTING)
        try:
            await asyncio.wait_for(stop.wait(), STATUS_EVERY_S)
        except TimeoutError:
            continue
