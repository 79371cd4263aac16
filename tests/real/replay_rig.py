"""Replays as processes of their own, and what they say of themselves in the log."""

import subprocess
import sys
import time
from pathlib import Path

import msgspec

from models.clock import LogClock
from streams import topics
from streams.replay.progress import ReplayProgress
from streams.settings import Settings
from tests.real.rig import PROJECT, Log, environment, until

PLAY = """
from pathlib import Path
from streams.replay.command import run
from streams.settings import Settings
run(Settings(), {file}, {options})
"""
SIMULATE = """
from streams.settings import Settings
from streams.simulate import run
run(Settings(), {options})
"""
MAPPING = """
name: shop
columns: {order: no, time: at, customer: who, product: sku, line_total: paid}
currency: EUR
"""


class Play:
    """A replay in a process of its own, killed at the end of its context."""

    def __init__(self, settings: Settings, code: str) -> None:
        logs = settings.data_dir / "test-logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._log_path = logs / f"replay-{time.monotonic_ns()}.log"
        with self._log_path.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=PROJECT,
                env=environment(settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @classmethod
    def demo(
        cls, settings: Settings, days: int, speed: float | None = None, *, live: bool = True
    ) -> "Play":
        """Start the demo's replay."""
        options = f"demo=True, days={days}, speed={speed}, live={live}"
        return cls(settings, PLAY.format(file=None, options=options))

    @classmethod
    def file(
        cls,
        settings: Settings,
        file: Path,
        mapping: Path,
        *,
        days: int | None = None,
        live: bool = True,
    ) -> "Play":
        """Start the replay of a file."""
        options = f"mapping=Path({str(mapping)!r}), days={days}, live={live}"
        return cls(settings, PLAY.format(file=f"Path({str(file)!r})", options=options))

    @classmethod
    def simulation(cls, settings: Settings, **options: object) -> "Play":
        """Start a simulated shop."""
        told = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return cls(settings, SIMULATE.format(options=told))

    def __enter__(self) -> "Play":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.kill()
        if kind is not None:
            print(f"--- {self._log_path.name}\n{self.output[-3_000:]}")

    @property
    def output(self) -> str:
        return self._log_path.read_text(errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it politely; its exit code."""
        self.process.terminate()
        return self.process.wait(20.0)

    async def end(self, patience_s: float = 300.0) -> int:
        """Wait for its own end; its exit code."""

        async def has_ended() -> bool:
            return self.process.poll() is not None

        await until(has_ended, "the replay to end", patience_s)
        return int(self.process.returncode)

    async def succeed(self) -> None:
        """Wait for its end, which must be a good one."""
        with self:
            assert await self.end() == 0, self.output


def shop(folder: Path, *rows: str) -> tuple[Path, Path]:
    """Write a shop's export and its mapping."""
    file, mapping = folder / "shop.csv", folder / "shop.yaml"
    file.write_text("\n".join(["no,at,who,sku,paid", *rows]), encoding="utf-8")
    mapping.write_text(MAPPING, encoding="utf-8")
    return file, mapping


async def said(log: Log, key: bytes) -> bytes | None:
    """Last word under a key of the control topic."""
    words = {record.key: record.value for record in await log.records(topics.CONTROL)}
    return words.get(key)


async def progress_of(log: Log) -> ReplayProgress | None:
    """How far the replay is."""
    word = await said(log, b"replay")
    return None if word is None else msgspec.json.decode(word, type=ReplayProgress)


async def clock_of(log: Log) -> LogClock:
    """The log's clock."""
    word = await said(log, b"clock")
    assert word is not None
    return msgspec.json.decode(word, type=LogClock)


async def is_done(log: Log) -> bool:
    progress = await progress_of(log)
    return progress is not None and progress.is_done


async def is_past(log: Log, fraction: float) -> bool:
    progress = await progress_of(log)
    return progress is not None and progress.progress > fraction
