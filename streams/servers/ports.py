"""Who listens on a port of this machine."""

import socket

import psutil

from streams.servers.errors import PortTaken

LOOPBACK = "127.0.0.1"


def listens(port: int, timeout_s: float = 0.5) -> bool:
    """Whether anything accepts connections on the loopback `port`."""
    with socket.socket() as probe:
        probe.settimeout(timeout_s)
        return probe.connect_ex((LOOPBACK, port)) == 0


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return not listens(port)


def free_port() -> int:
    """Find a port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def holder_of(port: int) -> str:
    """Name the program that listens on `port`, as far as this account may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "another program"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return _named(connection.pid)
    return "another program"


def _named(pid: int | None) -> str:
    if pid is None:
        return "another program"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def require_free(port: int, variable: str) -> None:
    """Raise PortTaken, which names the holder and the `variable` to set, unless `port` is free."""
    if not is_free(port):
        raise PortTaken(f"port {port} is taken by {holder_of(port)}; set {variable} to a free port")
