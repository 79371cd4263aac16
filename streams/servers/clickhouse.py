"""The ClickHouse engine on this machine, as a process that speaks ClickHouse's HTTP protocol."""

import http.client
import sys
from pathlib import Path

from streams.servers.ports import LOOPBACK
from streams.servers.server import Server


class ClickHouse(Server):
    """The embedded engine; everything of it lies in `data_dir`/clickhouse."""

    role = "clickhouse"
    port_variable = "HUITOU_CLICKHOUSE_PORT"

    def __init__(self, data_dir: Path, port: int, database: str = "huitou") -> None:
        super().__init__(data_dir, port)
        self.database = database

    def command(self) -> list[str]:
        """Build the command line of the HTTP front."""
        module = "streams.servers.clickhouse_front"
        path = str(self.directory / "store")
        return [sys.executable, "-m", module, path, str(self.port), self.database]

    def answers(self) -> bool:
        """Whether it answers /ping."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=1.0)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().read() == b"Ok.\n"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def address(self) -> str:
        """URL for a ClickHouse client."""
        return f"http://{LOOPBACK}:{self.port}"
