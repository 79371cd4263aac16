"""`huitou up`: everything on this machine, from the first download to the last Ctrl-C."""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from rich.console import Console

from streams.servers.child import Child, is_alive
from streams.servers.directory_lock import directory_lock
from streams.servers.errors import NotStarted
from streams.servers.parts import EVERYWHERE, ROLES, require_role_ports, stages_of
from streams.servers.screen import LiveScreen, PlainScreen, Screen
from streams.servers.status import instance_name
from streams.servers.supervisor import Supervisor
from streams.servers.unit import State
from streams.settings import Settings

FAILED = 1
PRIVATE = 0o700


@dataclass(frozen=True)
class Wishes:
    """How `up` is to run; `speed` in log days per second, None: as fast as it goes."""

    demo: bool = False
    once: bool = False
    headless: bool = False
    as_json: bool = False
    speed: float | None = None
    days: int | None = None

    def replay_arguments(self) -> list[str] | None:
        """Build the arguments of the demo's replay; None without one."""
        if not self.demo:
            return None
        arguments = ["--demo"]
        if self.speed is not None:
            arguments += ["--speed", str(self.speed)]
        if self.days is not None:
            arguments += ["--days", str(self.days)]
        return arguments


def run(settings: Settings, wishes: Wishes) -> int:
    """Run an installation until it is done or stopped; the exit code."""
    console = Console(stderr=True, highlight=False)
    plain = wishes.headless or not console.is_terminal
    screen: Screen = PlainScreen(console) if plain else LiveScreen(console)
    settings.data_dir.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    with directory_lock(settings.data_dir):
        end_left_overs(settings)
        require_role_ports(settings)
        with screen.drawn():
            return Installation(settings, wishes, screen).run()


def end_left_overs(settings: Settings) -> None:
    """End roles whose supervisor is gone; the kernel has done it where it can."""
    for role in (*ROLES, "replay", "prepare"):
        for number in range(1, settings.workers + 1 if role == "worker" else 2):
            child = Child.adopt(settings.data_dir, instance_name(role, number))
            if child is not None and not is_alive(child.identity.owner_pid):
                child.stop(grace_s=2.0)


class Installation:
    """One run of `up`."""

    def __init__(self, settings: Settings, wishes: Wishes, screen: Screen) -> None:
        self._settings = settings
        self._wishes = wishes
        self._screen = screen
        stages = stages_of(
            settings, self._progress, patient=not wishes.once, replay=wishes.replay_arguments()
        )
        self._supervisor = Supervisor(settings.data_dir, stages, screen.say, screen.show)

    def run(self) -> int:
        """Start, tell where the page is, keep running; the exit code."""
        with self._supervisor.running():
            self._supervisor.run(until=self._roles_are_up)
            if self._supervisor.told_to_stop:
                return 0
            began = time.monotonic()
            self._announce()
            if not self._wishes.once:
                self._supervisor.run()
                return 0
            replay = self._supervisor.unit("replay")
            self._supervisor.run(until=lambda: replay.state is State.DONE)
            if self._supervisor.told_to_stop:
                return FAILED
            return self._sum_up(time.monotonic() - began)
        return FAILED

    def _roles_are_up(self) -> bool:
        return all(unit.is_settled or unit.part.role == "replay" for unit in self._supervisor.units)

    def _progress(self, what: str, done: float) -> None:
        self._supervisor.check_stop()
        self._screen.work(what, done)

    def _announce(self) -> None:
        settings = self._settings
        page = _url(settings.web_host, settings.web_port)
        door = _url(settings.gateway_host, settings.gateway_port)
        self._screen.say(f"the page: {page}/")
        self._screen.say("post an order and watch it:")
        self._screen.say(curl_line(door, settings.write_key.get_secret_value()))
        if self._wishes.as_json and not self._wishes.once:
            _print_json({"page": page, "gateway": door})

    def _sum_up(self, seconds: float) -> int:
        """Wait for the drained installation's numbers while everything keeps running."""
        self._screen.say("the replay is read; draining")
        work = Background(lambda: _collect(self._settings, seconds))
        self._supervisor.run(until=lambda: work.is_done)
        if not work.is_done:
            return FAILED
        summary = work.result()
        _print_json(summary)
        return FAILED if summary["lost"] or summary["duplicated"] else 0


class Background:
    """A function that runs beside the main thread, which keeps the processes alive meanwhile."""

    def __init__(self, function: Callable[[], dict[str, Any]]) -> None:
        self._function = function
        self._result: dict[str, Any] | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether it has returned or raised."""
        return not self._thread.is_alive()

    def result(self) -> dict[str, Any]:
        """Return what it returned; NotStarted with the reason when it raised."""
        if self._result is None:
            raise NotStarted(f"the summary failed: {self._error!r}") from self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._function()
        except Exception as error:
            self._error = error


def _collect(settings: Settings, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = import_module("streams.summary").collect(settings, seconds=seconds)
    return found


def _url(host: str, port: int) -> str:
    return f"http://{EVERYWHERE.get(host, host)}:{port}"


def curl_line(door: str, write_key: str) -> str:
    """Write the command that posts an order."""
    shown = write_key if write_key == "demo" else "WRITE_KEY"
    order = {
        "userId": "c1",
        "event": "Order Completed",
        "properties": {"order_id": "o1", "total": 42.5, "products": []},
    }
    head = "-H 'Content-Type: application/json'"
    return f"curl -u {shown}: {head} -d '{json.dumps(order)}' {door}/v1/track"


def _print_json(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
