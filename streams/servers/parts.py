"""The parts of an installation: which processes, in which order, and how each shows its health."""

import http.client
import json
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from pydantic import SecretStr

from streams.servers.child import Child, is_alive
from streams.servers.clickhouse import ClickHouse
from streams.servers.kafka import Kafka
from streams.servers.ports import LOOPBACK, require_free
from streams.servers.server import Progress, Server
from streams.servers.status import INSTANCE_VARIABLE, READY, Status, StatusFile, instance_name
from streams.servers.unit import Part
from streams.servers.valkey import Valkey
from streams.settings import Settings

ROLES = ("gateway", "worker", "learner", "sinks", "web")
SERVER_ATTEMPTS = 3
ROLE_ATTEMPTS = 5
REPLAY_DEATHS = 8
EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "[::1]", "": LOOPBACK}  # noqa: S104  (read, not bound)


def servers_of(settings: Settings) -> list[Server]:
    """List the servers to run here: those no address is given for."""
    servers: list[Server] = []
    data_dir = settings.data_dir
    if not settings.kafka:
        ports = settings.kafka_port, settings.kafka_controller_port
        servers.append(Kafka(data_dir, *ports, partitions=settings.partitions))
    if not settings.redis_url:
        servers.append(Valkey(data_dir, settings.valkey_port))
    if not settings.clickhouse_url:
        database = settings.clickhouse_database
        servers.append(ClickHouse(data_dir, settings.clickhouse_port, database))
    return servers


def stages_of(
    settings: Settings, progress: Progress, patient: bool, replay: list[str] | None = None
) -> list[list[Part]]:
    """List all parts in the order of their start; each stage waits for the one before.

    Not `patient`: a role that dies again and again before it was ever ready ends everything.
    `replay`: arguments of a replay to run when everything is up.
    """
    attempts = 0 if patient else ROLE_ATTEMPTS
    servers = [[_server_part(server, progress)] for server in servers_of(settings)]
    roles = [
        _role_part(
            settings,
            "gateway",
            attempts,
            _page(settings.gateway_host, settings.gateway_port, "/readyz"),
            settings.gateway_port,
        ),
        *(
            _role_part(settings, "worker", attempts, _says_ready, number=number)
            for number in range(1, settings.workers + 1)
        ),
        _role_part(settings, "learner", attempts, _says_ready),
        _role_part(settings, "sinks", attempts, _says_ready),
        _role_part(
            settings,
            "web",
            attempts,
            _page(settings.web_host, settings.web_port, "/healthz"),
            settings.web_port,
        ),
    ]
    stages = [*servers, [_prepare_part(settings)], roles]
    if replay is not None:
        stages.append([_replay_part(settings, replay, 0 if patient else REPLAY_DEATHS)])
    return stages


def require_role_ports(settings: Settings) -> None:
    """Raise PortTaken when somebody else listens where gateway or page must."""
    require_free(settings.gateway_port, "HUITOU_GATEWAY_PORT")
    require_free(settings.web_port, "HUITOU_WEB_PORT")


def settings_environment(settings: Settings) -> dict[str, str]:
    """Write the settings as the variables they are read from."""
    return {f"HUITOU_{name.upper()}": _variable(value) for name, value in settings}


def _variable(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return json.dumps({key: _variable(entry) for key, entry in value.items()})
    return str(value)


def _server_part(server: Server, progress: Progress) -> Part:
    return Part(
        role=server.role,
        name=server.role,
        start=lambda: server.launch(progress),
        is_ready=lambda _: server.answers(),
        port=server.port,
        is_server=True,
        attempts_most=SERVER_ATTEMPTS,
        ready_within_s=server.start_limit_s,
    )


Readiness = Callable[[Settings, Child, int], bool]


def _role_part(
    settings: Settings,
    role: str,
    attempts: int,
    is_ready: Readiness,
    port: int | None = None,
    number: int = 1,
) -> Part:
    return Part(
        role=role,
        name=instance_name(role, number),
        start=lambda: start_role(settings, role, number=number),
        is_ready=lambda child: is_ready(settings, child, number),
        port=port,
        attempts_most=attempts,
    )


def _prepare_part(settings: Settings) -> Part:
    return Part(
        role="prepare",
        name="prepare",
        start=lambda: start_role(settings, "prepare"),
        is_ready=lambda _: False,
        ends=True,
        attempts_most=SERVER_ATTEMPTS,
    )


def _replay_part(settings: Settings, arguments: list[str], deaths: int) -> Part:
    def word(child: Child) -> Status | None:
        status = StatusFile(settings.data_dir, "replay", 1).read()
        return status if status and status.is_by(child.pid) else None

    def progress(child: Child) -> float | None:
        status = word(child)
        return status.progress if status else 0.0

    return Part(
        role="replay",
        name="replay",
        start=lambda: start_role(settings, "replay", arguments),
        is_ready=lambda child: word(child) is not None,
        progress=progress,
        ends=True,
        deaths_most=deaths,
    )


def start_role(
    settings: Settings, role: str, arguments: list[str] | None = None, number: int = 1
) -> Child:
    """Start a role as a process of its own; one left over from a killed supervisor ends first."""
    name = instance_name(role, number)
    left_over = Child.adopt(settings.data_dir, name)
    if left_over is not None and not is_alive(left_over.identity.owner_pid):
        left_over.stop(grace_s=2.0)
    StatusFile(settings.data_dir, role, number).path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "streams.cli", role, "--data-dir", str(settings.data_dir)]
    environment = {**settings_environment(settings), INSTANCE_VARIABLE: str(number)}
    return Child.start(
        settings.data_dir, name, [*command, *(arguments or [])], environment=environment
    )


def _says_ready(settings: Settings, child: Child, number: int) -> bool:
    role = child.name.split("-")[0]
    status = StatusFile(settings.data_dir, role, number).read()
    return status is not None and status.state == READY and status.is_by(child.pid)


def _page(host: str, port: int, path: str) -> Readiness:
    def answers(_settings: Settings, _child: Child, _number: int) -> bool:
        return answers_ok(f"http://{EVERYWHERE.get(host, host)}:{port}{path}")

    return answers


def answers_ok(url: str) -> bool:
    """Whether a GET of `url` is answered with 200 within a second."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or LOOPBACK, where.port, timeout=1.0)
    try:
        connection.request("GET", where.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
