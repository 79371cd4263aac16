"""`huitou replay`: finds the history, plays it to its end over every broken connection, says so."""

import asyncio
import fcntl
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import gcd
from pathlib import Path

import structlog
from aiokafka.errors import KafkaError, ProducerFenced
from rich.console import Console

from streams.replay.contract import Contract
from streams.replay.demo import DemoYear
from streams.replay.history import BadHistory, History
from streams.replay.history_log import HistoryLog
from streams.replay.mapped_file import MappedFile
from streams.replay.mapping import mappings_shipped, read_mapping
from streams.replay.progress import ReplayProgress
from streams.replay.replayer import Replayer, Stopped
from streams.replay.screen import shown
from streams.secrets import load_secrets, open_key_store
from streams.servers.errors import ServerError
from streams.servers.status import DONE, StatusFile
from streams.settings import Settings

ROLE = "replay"
PATIENCE_S = 300.0
FIRST_PATIENCE_S = 20.0
INTERRUPTED = 130
_RETRY_S = 1.0
_RETRY_S_MAX = 10.0
_DAY_MS = 86_400_000

_log = structlog.get_logger(__name__)


class ReplayTrouble(ServerError):
    """The replay can't be done; the text is one clear sentence for the operator."""


def run(
    settings: Settings,
    file: Path | None,
    *,
    demo: bool = False,
    mapping: Path | None = None,
    speed: float | None = None,
    days: int | None = None,
    live: bool = True,
) -> None:
    """Play a file by its mapping, or the demo's year; what is in the log already is not repeated.

    `speed` in log days per second, None: as fast as it goes. Without `live` the log's clock stays
    at the history's end. Raises ReplayTrouble; ends the process with 130 when it was interrupted.
    """
    with only_one(settings):
        status = StatusFile(settings.data_dir, ROLE)
        status.write(state="reading", progress=0.0)
        try:
            history = find_history(file, demo=demo, mapping=mapping, days=days)
            play(settings, history, speed=speed, live=live)
        except BadHistory as error:
            raise ReplayTrouble(str(error)) from None


def find_history(
    file: Path | None, *, demo: bool, mapping: Path | None, days: int | None
) -> History:
    """Open the history that was asked for; BadHistory says why it can't be."""
    if demo:
        return DemoYear(days)
    if file is None:
        raise BadHistory("name a FILE or give --demo")
    if mapping is None:
        raise BadHistory(
            f"{file}: say what its columns mean: --map mapping.yaml (start from one of "
            + ", ".join(str(path) for path in mappings_shipped().values())
            + ")"
        )
    not_after_ms = time.time_ns() // 1_000_000 + _DAY_MS
    return MappedFile(file, read_mapping(mapping), not_after_ms=not_after_ms, days=days)


def play(settings: Settings, history: History, *, speed: float | None, live: bool) -> None:
    """Play a history with progress on the terminal and in the status file.

    Raises BadHistory, ReplayTrouble; ends the process with 130 when it was interrupted.
    """
    secrets = load_secrets(settings)
    store = open_key_store(settings, secrets.master_key)
    status = StatusFile(settings.data_dir, ROLE)
    contract = Contract(
        token_key=secrets.token_key,
        store=store,
        partitions=settings.partitions,
        source=history.name.partition(":")[0],
        currency=settings.currency,
    )
    with shown(history, Console(stderr=True, highlight=False)) as screen:

        def watch(progress: ReplayProgress) -> None:
            status.write(state="running", progress=progress.progress)
            screen.show(progress)

        replayer = Replayer(
            history,
            contract,
            adopt_every_days=gcd(settings.adopt_every_days, settings.adopt_segments_every_days),
            speed=speed,
            goes_live=live,
            watch=watch,
            formerly=history.formerly if isinstance(history, DemoYear) else tuple,
        )
        try:
            end = asyncio.run(_play(settings, replayer))
        except Stopped:
            screen.say("interrupted; the same command goes on where it stopped")
            sys.exit(INTERRUPTED)
        finally:
            store.close()
        status.write(state=DONE, progress=1.0)
        screen.end(end)


async def _play(settings: Settings, replayer: Replayer) -> ReplayProgress:
    """Play on and on until the end is reached; a broker that goes away is waited for."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, replayer.stop)
    pause_s, patience_s, lost_at = _RETRY_S, FIRST_PATIENCE_S, time.monotonic()
    while True:
        opened = False
        try:
            async with HistoryLog(settings) as log:
                opened = True
                return await replayer.play(log)
        except ProducerFenced:
            raise ReplayTrouble(
                "another replay took over this log, or the broker was away too long; "
                "the same command goes on where it stopped"
            ) from None
        except (KafkaError, TimeoutError, OSError) as error:
            if opened:
                pause_s, patience_s, lost_at = _RETRY_S, PATIENCE_S, time.monotonic()
            if time.monotonic() - lost_at > patience_s:
                raise ReplayTrouble(
                    f"no broker at {settings.kafka_bootstrap} for {patience_s:.0f} s ({error!r}): "
                    "start `huitou up` first; the same command goes on where it stopped"
                ) from None
            _log.warning("the replay has no broker", error=repr(error), again_in_s=pause_s)
            await replayer.rest(pause_s)
            pause_s = min(2 * pause_s, _RETRY_S_MAX)


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Let one replay at a time use a data directory; the kernel frees the lock, come what may."""
    path = settings.data_dir / "run" / "replay.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReplayTrouble(
                f"a replay or a simulation is running in {settings.data_dir} already"
            ) from None
        yield
