"""The Faust app of a role: an agent on each lane's topic, nothing of Faust's own durability."""

import logging

import faust
from faust.sensors.monitor import Monitor

from streams.lane import LaneTransport
from streams.lanes import Lanes, fold_batches
from streams.settings import Settings
from streams.tables import LaneTableManager

FETCH_BYTES = 4_000_000
HEARTBEATS_PER_SESSION = 5


def build_app(settings: Settings, role: str, lanes: Lanes) -> faust.App:
    """Wire one role's app; nothing starts here.

    Faust's web server is off, its commits are off (streams/lane.py), its tables replaced
    (streams/tables.py).
    """
    session_s = settings.session_timeout_ms / 1000
    faust_dir = settings.data_dir / "run" / "faust"
    faust_dir.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        f"{settings.namespace}{role}",
        broker=f"kafka://{settings.kafka_bootstrap}",
        datadir=str(faust_dir),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        value_serializer="raw",
        key_serializer="raw",
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_buffer_maxsize=32,
        stream_recovery_delay=0.0,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / HEARTBEATS_PER_SESSION,
        broker_rebalance_timeout=60.0,
        broker_request_timeout=max(40.0, session_s * 2),
        broker_max_poll_interval=1_000.0,
        consumer_max_fetch_size=FETCH_BYTES,
        TableManager=LaneTableManager,
        Monitor=QuietMonitor,
    )
    app.transport = LaneTransport(app.conf.broker_consumer, app, lanes)
    app.tables.with_lanes(lanes)  # type: ignore[attr-defined]
    for topic in lanes.topics:
        # Without acks: Faust's compiled stream would note each batch for a commit of its own.
        channel = app.topic(topic, value_serializer="raw", key_serializer="raw", acks=False)

        async def fold(stream: object) -> None:
            await fold_batches(lanes, stream)

        app.agent(channel, name=f"fold.{topic}", concurrency=1)(fold)

    async def commit_before_giving_up(sender: object, revoked: object, **_: object) -> None:
        await lanes.flush()

    app.on_partitions_revoked.connect(commit_before_giving_up)  # type: ignore[arg-type]
    return app


class QuietMonitor(Monitor):
    """Faust's monitor builds several dictionaries per message; the lane measures itself."""

    def on_message_in(self, *arguments: object, **_: object) -> None:
        """Nothing per message."""

    def on_stream_event_in(self, *arguments: object, **_: object) -> None:
        """Nothing per message."""

    def on_stream_event_out(self, *arguments: object, **_: object) -> None:
        """Nothing per message."""


def quiet_logging(level: str) -> None:
    """Keep Faust's and aiokafka's chatter, and with DEBUG every key and value, out of the log."""
    # A Faust service logs under the name of the module it is defined in.
    services = ("streams.app", "streams.lane", "streams.tables")
    for name in ("faust", "mode", "aiokafka", *services):
        logging.getLogger(name).setLevel(max(logging.WARNING, getattr(logging, level.upper())))
