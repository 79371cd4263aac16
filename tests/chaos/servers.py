"""Kafka, Valkey and the ClickHouse engine of a run, reached by roles through wires."""

import asyncio
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from streams.servers.child import Child
from streams.servers.clickhouse import ClickHouse
from streams.servers.kafka import Kafka
from streams.servers.ports import LOOPBACK, free_port
from streams.servers.server import Progress, Server, silent
from streams.servers.valkey import Valkey
from tests.chaos.network import Wire

ANSWER_LIMIT_S = 60.0
KEEP_EVERY_S = 0.5


class WiredKafka(Kafka):
    """The embedded broker with one more listener a wire: it advertises the wire's own port."""

    def __init__(self, data_dir: Path, wires: Mapping[str, Wire]) -> None:
        super().__init__(data_dir, free_port(), free_port())
        self._wires = dict(wires)
        for wire in self._wires.values():
            wire.target_port = free_port()

    def prepare(self, progress: Progress = silent) -> None:
        """Add the wires' listeners to the settings."""
        super().prepare(progress)
        lines = self._settings_path.read_text().splitlines()
        names = {f"WIRE{number}": wire for number, wire in enumerate(self._wires.values())}
        more = {
            "listeners": {name: wire.target_port for name, wire in names.items()},
            "advertised.listeners": {name: wire.port for name, wire in names.items()},
        }
        for at, line in enumerate(lines):
            key = line.split("=", 1)[0]
            if key in more:
                extra = [f"{name}://{LOOPBACK}:{port}" for name, port in more[key].items()]
                lines[at] = ",".join([line, *extra])
            elif key == "listener.security.protocol.map":
                lines[at] = ",".join([line, *(f"{name}:PLAINTEXT" for name in names)])
        self._settings_path.write_text("\n".join(lines) + "\n")


class Servers:
    """The three servers: killed and started again at the driver's will.

    One that ends by itself is started again, as a supervisor would; `restarts` counts these.
    """

    def __init__(self, data_dir: Path, kafka_wires: Mapping[str, Wire]) -> None:
        self.by_name: dict[str, Server] = {
            "kafka": WiredKafka(data_dir, kafka_wires),
            "valkey": Valkey(data_dir, free_port()),
            "clickhouse": ClickHouse(data_dir, free_port()),
        }
        self.restarts: Counter[str] = Counter()
        self._children: dict[str, Child] = {}
        self._wanted: set[str] = set()
        self._keeping: asyncio.Task[None] | None = None

    async def start(self, name: str) -> None:
        """Start one, again if it dies, until it answers; TimeoutError when it never does."""
        server = self.by_name[name]
        async with asyncio.timeout(ANSWER_LIMIT_S):
            while True:
                # In the main thread: the leash is tied to the life of the thread that starts it.
                self._children[name] = child = server.launch()
                while child.is_alive():
                    if await asyncio.to_thread(server.answers):
                        self._wanted.add(name)
                        return
                    await asyncio.sleep(0.1)
                child.forget()
                await asyncio.sleep(0.5)

    async def start_all(self) -> None:
        """Start all three."""
        await asyncio.gather(*(self.start(name) for name in self.by_name))
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            for name in [name for name in self._wanted if not self._children[name].is_alive()]:
                self.restarts[name] += 1
                self._children[name].forget()
                self._wanted.discard(name)
                await self.start(name)

    def is_alive(self, name: str) -> bool:
        """Whether it runs."""
        return self._children[name].is_alive()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send it a signal."""
        self._children[name].signal(number)

    def kill(self, name: str) -> None:
        """End it as a power cut would."""
        self._wanted.discard(name)
        child = self._children[name]
        child.signal(signal.SIGKILL)
        child.wait(10.0)
        child.forget()

    def stop_all(self) -> None:
        """End all of them."""
        if self._keeping:
            self._keeping.cancel()
        self._wanted.clear()
        for child in self._children.values():
            child.signal(signal.SIGCONT)
            child.stop(3.0)
