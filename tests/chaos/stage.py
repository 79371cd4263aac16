"""Ground (servers and wires) and stage (one installation's roles on it, kept alive)."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from sinks.clickhouse_migrations import migrate
from streams.prepare import ensure_topics
from streams.servers.leash import leashed
from streams.servers.ports import LOOPBACK, free_port
from streams.settings import Settings
from tests.chaos.disk import SmallDisk
from tests.chaos.moments import Armed, arm
from tests.chaos.network import Wire
from tests.chaos.provider import CountingProvider
from tests.chaos.servers import Servers
from tests.real.rig import PROJECT, environment

FULL_CAST = ("worker-1", "worker-2", "worker-3", "gateway", "learner", "sinks")
START_AGAIN_AFTER_S = 0.2
LOOK_EVERY_S = 0.05


class Ground:
    """Servers that several stages may stand on, one after the other."""

    def __init__(self, folder: Path, cast: Sequence[str] = FULL_CAST) -> None:
        self.folder = folder
        self.kafka_wires = {role: Wire(f"kafka<{role}") for role in cast}
        self.valkey_wire = Wire("valkey<sinks")
        self.clickhouse_wire = Wire("clickhouse<sinks")
        self.disk = SmallDisk(folder / "servers" / "clickhouse")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # Before the servers: the engine is ended before its disk goes.
        self._stack.enter_context(self.disk)
        for wire in (*self.kafka_wires.values(), self.valkey_wire, self.clickhouse_wire):
            await self._stack.enter_async_context(wire)
        self.servers = Servers(self.folder / "servers", self.kafka_wires)
        self.valkey_wire.target_port = self.servers.by_name["valkey"].port
        self.clickhouse_wire.target_port = self.servers.by_name["clickhouse"].port
        self._stack.callback(self.servers.stop_all)
        try:
            await self.servers.start_all()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def kafka(self) -> str:
        """The driver's own way to the broker."""
        return f"{LOOPBACK}:{self.servers.by_name['kafka'].port}"

    @property
    def valkey(self) -> str:
        """The driver's own way to Valkey."""
        return f"redis://{LOOPBACK}:{self.servers.by_name['valkey'].port}/0"

    @property
    def clickhouse(self) -> str:
        """The driver's own way to the ClickHouse engine."""
        return f"http://{LOOPBACK}:{self.servers.by_name['clickhouse'].port}"


class Kept:
    """One role that is started again whenever it ends, until it is told to stop."""

    def __init__(self, stage: "Stage", name: str) -> None:
        self.name = name
        self.role, _, number = name.partition("-")
        self.number = int(number or "1")
        self.version = 1
        self.skew_ms = 0
        self.moment_path = stage.folder / f"moment-{name}.json"
        self.clock_path = stage.folder / f"clock-{name}"
        self.lock = asyncio.Lock()
        self.exits: Counter[int] = Counter()
        self._stage = stage
        self._wanted = asyncio.Event()
        self._popen: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start it and keep it."""
        self._wanted.set()
        self._task = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            self._popen = self._stage.spawn(self)
            while self._popen.poll() is None:
                await asyncio.sleep(LOOK_EVERY_S)
            self.exits[self._popen.returncode] += 1
            self._stage.note("ended", role=self.name, code=self._popen.returncode)
            await asyncio.sleep(START_AGAIN_AFTER_S)

    @property
    def pid(self) -> int | None:
        """Process id, None while there is none."""
        popen = self._popen
        return popen.pid if popen is not None and popen.poll() is None else None

    def tell(self, number: int) -> None:
        """Send a signal; nothing happens when it is not there."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def is_stopped(self) -> bool:
        """Whether it is frozen by SIGSTOP."""
        with suppress(psutil.Error):
            return self.pid is not None and psutil.Process(self.pid).status() == "stopped"
        return False

    def arm(self, moment: str, after: int, number: int = signal.SIGKILL, *, then: str = "") -> None:
        """Let it die or freeze at a moment; frozen and woken, it may die at another."""
        arm(self.moment_path, Armed(moment, after, int(number), then))

    async def hit(self, limit_s: float) -> bool:
        """Wait until the armed moment came; disarms when it did not."""
        deadline = time.monotonic() + limit_s
        while self.moment_path.exists():
            if time.monotonic() > deadline:
                self.moment_path.unlink(missing_ok=True)
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True

    async def stop(self, patience_s: float) -> int | None:
        """Tell it to stop, for good; its exit code, None when it had to be killed."""
        self._wanted.clear()
        popen, deadline = self._popen, time.monotonic() + patience_s
        self.tell(signal.SIGCONT)
        self.tell(signal.SIGTERM)
        while popen is not None and popen.poll() is None:
            if time.monotonic() > deadline:
                popen.kill()
                popen.wait()
                return None
            await asyncio.sleep(LOOK_EVERY_S)
        return popen.returncode if popen is not None else None

    async def replace(self, version: int, patience_s: float) -> None:
        """Stop it and start another release in its place."""
        await self.stop(patience_s)
        self.version = version
        self.again()

    def again(self) -> None:
        """Start it again after a stop."""
        self._wanted.set()

    async def end(self) -> None:
        """Be done with it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()


class Stage:
    """One installation: its settings, its roles, its provider, its place for logs."""

    def __init__(
        self,
        ground: Ground,
        name: str,
        *,
        seed: str,
        cast: Sequence[str] = FULL_CAST,
        partitions: int = 4,
        session_timeout_ms: int = 3_000,
        without: Sequence[str] = (),
    ) -> None:
        self.ground = ground
        self.folder = ground.folder / name
        self.folder.mkdir(parents=True)
        self.settings = Settings(
            data_dir=self.folder,
            kafka=ground.kafka,
            redis_url=ground.valkey,
            clickhouse_url=ground.clickhouse,
            clickhouse_database=f"chaos_{name.replace('-', '_')}",
            namespace=f"{name}-",
            partitions=partitions,
            gateway_port=free_port(),
            commit_interval_ms=30,
            mark_interval_ms=400,
            session_timeout_ms=session_timeout_ms,
            adopt_every_days=1,
        )
        self.session_s = session_timeout_ms / 1000
        self.provider = CountingProvider(f"{seed}:provider")
        self.ahead_ms = 0
        self.ends: dict[str, int] = defaultdict(int)
        self._without = ",".join(without)
        self.roles = {role: Kept(self, role) for role in cast}
        self.locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._timeline = (self.folder / "timeline.jsonl").open("a", buffering=1)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.provider.running())
        await ensure_topics(self.settings)
        await asyncio.to_thread(
            migrate, self.ground.clickhouse, "default", "", self.settings.clickhouse_database
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        for kept in self.roles.values():
            await kept.end()
        await self._stack.aclose()
        self._timeline.close()

    def begin(self, later: Sequence[str] = ()) -> None:
        """Start every role but those that come later."""
        for kept in self.roles.values():
            if kept.name not in later:
                kept.begin()

    def note(self, what: str, **more: Any) -> None:
        """Write a line of what happened, and when."""
        self._timeline.write(json.dumps({"at": round(time.time(), 3), "what": what, **more}) + "\n")

    def spawn(self, kept: Kept) -> "subprocess.Popen[bytes]":
        """Start a role's process, on a leash."""
        self.note("started", role=kept.name, version=kept.version)
        log = (self.folder / f"{kept.name}.log").open("ab")
        with log:
            return subprocess.Popen(
                leashed([sys.executable, "-m", "tests.chaos.role", kept.role]),
                cwd=PROJECT,
                env=self._environment(kept),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _environment(self, kept: Kept) -> dict[str, str]:
        wire = self.ground.kafka_wires[kept.name]
        ways = {"kafka": f"{LOOPBACK}:{wire.port}"}
        if kept.role == "sinks":
            ways["redis_url"] = f"redis://{LOOPBACK}:{self.ground.valkey_wire.port}/0"
            ways["clickhouse_url"] = f"http://{LOOPBACK}:{self.ground.clickhouse_wire.port}"
        return environment(self.settings.model_copy(update=ways)) | {
            "HUITOU_INSTANCE": str(kept.number),
            "CHAOS_MOMENT": str(kept.moment_path),
            "CHAOS_CLOCK": str(kept.clock_path),
            "CHAOS_VERSION": str(kept.version),
            "CHAOS_PROVIDER": self.provider.url,
            "CHAOS_WITHOUT": self._without,
        }

    def of(self, role: str) -> list[Kept]:
        """Every kept process of one role."""
        return [kept for kept in self.roles.values() if kept.role == role]

    def step_clock(self, by_ms: int) -> None:
        """Step the clock of the whole machine."""
        self.ahead_ms += by_ms
        for kept in self.roles.values():
            self.skew_clock(kept, kept.skew_ms)

    def skew_clock(self, kept: Kept, by_ms: int) -> None:
        """Step one role's clock away from the others'."""
        kept.skew_ms = by_ms
        draft = kept.clock_path.with_suffix(".new")
        draft.write_text(str(self.ahead_ms + by_ms))
        draft.replace(kept.clock_path)
