"""Role `sinks` that kills itself at a chosen moment: `python -m tests.real.sink_victim MOMENT`.

Moments: `before-commit`, after a batch has landed; `between-tables`, after the first of its tables.
"""

import os
import signal
import sys
from typing import Any

from sinks import clickhouse_sink
from sinks.runner import SinkRunner
from streams import sink_roles
from streams.settings import Settings

SINK = "clickhouse-facts"


def die(*_: Any) -> None:
    """Be gone at once, as by a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_commit() -> None:
    commit = SinkRunner._commit

    async def dying(self: SinkRunner, consumer: Any) -> None:
        if self.sink.name == SINK and self.status.written:
            die()
        await commit(self, consumer)

    SinkRunner._commit = dying  # type: ignore[method-assign]


def die_between_tables() -> None:
    insert = clickhouse_sink.insert

    def dying(client: Any, table: Any, *block: Any) -> None:
        insert(client, table, *block)
        if table.name == "orders":
            die()

    clickhouse_sink.insert = dying


MOMENTS = {"before-commit": die_before_commit, "between-tables": die_between_tables}

if __name__ == "__main__":
    MOMENTS[sys.argv[1]]()
    sink_roles.run(Settings())
