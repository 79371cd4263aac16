"""A dispatcher killed at one exact point: python -m tests.real.dispatch_victim POINT CONFIG.

POINT is a name of POINTS with "before " or "after "; CONFIG is the pickled DispatcherConfig's path.
"""

import asyncio
import functools
import os
import pickle
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from sinks.dispatch_ledger import Ledger
from sinks.dispatcher import run_dispatcher
from sinks.log import LogWriter
from sinks.mailbox import MailboxSender

POINTS: dict[str, tuple[type[Any], str]] = {
    "claim": (Ledger, "claim"),
    "send": (MailboxSender, "send"),
    "outcome": (Ledger, "settle"),
    "receipts": (LogWriter, "write"),
    "close": (Ledger, "receipted"),
    "commit": (AIOKafkaConsumer, "commit"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(method: Callable[..., Awaitable[Any]], when: str) -> Callable[..., Awaitable[Any]]:
    """Wrap a method so that its first call is the last thing that happens, or nearly happens."""

    @functools.wraps(method)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die()
        await method(*args, **kwargs)
        die()

    return wrapped


def main() -> None:
    when, name = sys.argv[1].split(" ")
    owner, method = POINTS[name]
    setattr(owner, method, deadly(getattr(owner, method), when))
    config = pickle.loads(Path(sys.argv[2]).read_bytes())
    asyncio.run(run_dispatcher(config, asyncio.Event()))


if __name__ == "__main__":
    main()
