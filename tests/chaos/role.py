"""A real role, with wires for the driver: `python -m tests.chaos.role ROLE`.

What runs is the product's `run(settings)`. Around it, by variables of the environment:
CHAOS_MOMENT, a file that arms a moment (moments.py); CHAOS_CLOCK, a file with how many milliseconds
this machine's clock is ahead; CHAOS_VERSION, the state version this release writes; CHAOS_PROVIDER,
the message provider's address; CHAOS_WITHOUT, guards that are taken away (sabotage.py).
"""

import dataclasses
import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

LOOK_EVERY_S = 0.02
MODULES = {
    "gateway": "streams.gateway",
    "worker": "streams.worker",
    "learner": "streams.learner",
    "sinks": "streams.sink_roles",
}
LEASE_MS = 2_500
SEND_LIMIT_MS = 1_500
TRIES = 10_000


def main() -> None:
    """Wire, then run the role until it is told to stop."""
    role = sys.argv[1]
    step_clock(Path(os.environ["CHAOS_CLOCK"]))
    write_version(int(os.environ["CHAOS_VERSION"]))
    from streams.logging import configure  # noqa: PLC0415
    from streams.settings import Settings  # noqa: PLC0415
    from tests.chaos import moments, sabotage  # noqa: PLC0415

    settings = Settings()
    configure(role, settings.log_level)
    module = import_module(MODULES[role])
    if role == "sinks":
        send_over_http(module, os.environ["CHAOS_PROVIDER"])
    for guard in filter(None, os.environ["CHAOS_WITHOUT"].split(",")):
        sabotage.TAKE_AWAY[guard](role)
    moments.install(moments.Moments(Path(os.environ["CHAOS_MOMENT"])), role)
    module.run(settings)


def step_clock(path: Path) -> None:
    """Let everything in this process see a clock that is as far ahead as the file says."""
    ahead_ms = [0]
    real_time, real_time_ns = time.time, time.time_ns

    def look() -> None:
        try:
            ahead_ms[0] = int(path.read_text())
        except (FileNotFoundError, ValueError):
            return

    def watch() -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            look()

    look()
    threading.Thread(target=watch, daemon=True, name="clock").start()
    time.time = lambda: real_time() + ahead_ms[0] / 1000
    time.time_ns = lambda: real_time_ns() + ahead_ms[0] * 1_000_000


def write_version(version: int) -> None:
    """Be a release whose rows bear `version`; called before anything else is imported."""
    from models import customer  # noqa: PLC0415

    encode = customer.encode_row

    def encode_row(row: customer.Customer) -> bytes:
        row.version = version
        return encode(row)

    customer.STATE_VERSION = version
    customer.encode_row = encode_row


def send_over_http(module: Any, url: str) -> None:
    """Send messages to a provider over HTTP, and be quick to try again."""
    from models.events import MessageChannel  # noqa: PLC0415
    from sinks.dispatch_delivery import Patience  # noqa: PLC0415
    from tests.sinks.provider import HttpSender  # noqa: PLC0415

    patience = Patience(
        failures_max=TRIES, first_wait_ms=100, longest_wait_ms=500, send_limit_ms=SEND_LIMIT_MS
    )
    config_of = module.dispatcher_config
    module.dispatcher_config = lambda settings: dataclasses.replace(
        config_of(settings), lease_ms=LEASE_MS, patience=patience
    )
    module.senders_of = lambda _config, _mailbox: dict.fromkeys(MessageChannel, HttpSender(url))


if __name__ == "__main__":
    main()
