"""Strain, as long as it takes: `python -m tests.strain sinks-down --minutes 5 --json`.

Starts servers of its own in a directory that is gone afterwards. Exits 0 when all is as promised, 1
when not, 2 when it could not run.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path

from streams.logging import configure
from streams.servers.clickhouse import ClickHouse
from streams.servers.errors import ServerError
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.servers.valkey import Valkey
from streams.settings import Settings
from tests.strain.sinks_down import Figures, strain


def main() -> int:
    """Run what was asked for and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.strain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    down = commands.add_parser("sinks-down", help="ClickHouse and Redis away under load")
    down.add_argument("--minutes", type=float, default=5.0)
    down.add_argument("--events-per-s", type=int, default=200)
    down.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    # Standard output is for the figures alone.
    configure("strain", "warning")
    try:
        figures = _sinks_down(asked.minutes, asked.events_per_s)
    except (ServerError, OSError):
        traceback.print_exc()
        return 2
    told = figures.told()
    print(json.dumps(told) if asked.json else "\n".join(f"{k}: {v}" for k, v in told.items()))
    return 0 if figures.ok else 1


def _sinks_down(minutes: float, events_per_s: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="huitou-strain-") as name, ExitStack() as stack:
        folder = Path(name)
        kafka = Kafka(folder, free_port(), free_port())
        valkey = Valkey(folder, free_port())
        clickhouse = ClickHouse(folder, free_port())
        for server in (kafka, valkey, clickhouse):
            stack.enter_context(server.running())
        settings = Settings(
            data_dir=folder,
            kafka=kafka.address,
            redis_url=valkey.address,
            clickhouse_url=clickhouse.address,
            partitions=4,
            gateway_port=free_port(),
            web_port=free_port(),
        )
        return asyncio.run(strain(settings, 60 * minutes, events_per_s))


if __name__ == "__main__":
    sys.exit(main())
