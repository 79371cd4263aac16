"""When a process that dies is started again, and when that is given up."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.exit import REFUSED
from streams.servers.child import Child, PidFile
from streams.servers.errors import NotStarted, PortTaken
from streams.servers.unit import Part, State, Unit


class Puppet(Child):
    """A child whose life the test decides."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, "puppet", PidFile(1, 0.0, None, 1))
        self.code: int | None = None

    @property
    def exit_code(self) -> int | None:
        return self.code

    def is_alive(self) -> bool:
        return self.code is None


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., tuple[Unit, list[Puppet]]]:
    def build(ready: bool = True, **wishes: object) -> tuple[Unit, list[Puppet]]:
        puppets: list[Puppet] = []

        def start() -> Child:
            puppets.append(Puppet(tmp_path))
            return puppets[-1]

        part = Part("role", "role", start, lambda _: ready, **wishes)
        return Unit(part, lambda _: None), puppets

    return build


Stage = Callable[..., tuple[Unit, list[Puppet]]]


def starts_after_death(unit: Unit, puppets: list[Puppet], now: float) -> float:
    """Kill the process and measure until the next is there."""
    puppets[-1].code = -9
    count = len(puppets)
    unit.tick(now)
    assert unit.state is State.RESTARTING
    began = now
    while len(puppets) == count:
        now += 0.25
        unit.tick(now)
    unit.tick(now)
    return now - began


def test_the_pause_doubles_up_to_half_a_minute(stage: Stage) -> None:
    unit, puppets = stage()
    unit.tick(0.0)
    unit.tick(0.1)
    assert unit.state is State.READY
    now = 1.0
    pauses = []
    for _ in range(7):
        pause = starts_after_death(unit, puppets, now)
        pauses.append(pause)
        now += pause + 1
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert unit.restarts == 7


def test_a_minute_of_health_makes_the_pause_short_again(stage: Stage) -> None:
    unit, puppets = stage()
    unit.tick(0.0)
    unit.tick(0.1)
    assert [starts_after_death(unit, puppets, now) for now in (1.0, 10.0)] == [1, 2]
    unit.tick(80.0)
    assert starts_after_death(unit, puppets, 81.0) == 1


def test_what_never_was_ready_is_given_up_after_its_attempts(stage: Stage) -> None:
    unit, puppets = stage(ready=False, attempts_most=2)
    unit.tick(0.0)
    starts_after_death(unit, puppets, 1.0)
    puppets[-1].code = 3
    with pytest.raises(NotStarted, match="role does not start: ended with code 3"):
        unit.tick(20.0)


def test_what_was_ready_once_is_never_given_up(stage: Stage) -> None:
    unit, puppets = stage(attempts_most=2)
    unit.tick(0.0)
    unit.tick(0.1)
    for now in range(100, 1000, 100):
        starts_after_death(unit, puppets, float(now))
        unit.tick(now + 50.0)
    assert unit.state is State.READY
    assert unit.is_settled


def test_a_part_may_die_so_often_in_a_row_and_no_oftener(stage: Stage) -> None:
    unit, puppets = stage(deaths_most=3)
    unit.tick(0.0)
    unit.tick(0.1)
    for now in (1.0, 10.0, 100.0, 110.0):
        starts_after_death(unit, puppets, now)
        unit.tick(now + 70 if now == 10.0 else now + 5)
    puppets[-1].code = 1
    with pytest.raises(NotStarted, match="role died 3 times in a row"):
        unit.tick(120.0)


@pytest.mark.parametrize(("code", "state"), [(0, State.DONE), (1, State.RESTARTING)])
def test_a_part_with_an_end_is_done_when_it_exits_with_0(
    stage: Stage, code: int, state: State
) -> None:
    unit, puppets = stage(ready=False, ends=True)
    unit.tick(0.0)
    puppets[-1].code = code
    unit.tick(1.0)
    unit.tick(1.1)
    assert unit.state is state
    assert len(puppets) == 1


def test_a_role_without_an_end_that_exits_with_0_starts_again(stage: Stage) -> None:
    unit, puppets = stage()
    unit.tick(0.0)
    unit.tick(0.1)
    puppets[-1].code = 0
    unit.tick(0.2)
    unit.tick(2.0)
    assert len(puppets) == 2


def test_what_refuses_to_run_is_not_started_again_and_its_reason_is_told(stage: Stage) -> None:
    unit, puppets = stage()
    unit.tick(0.0)
    unit.tick(0.1)
    log = puppets[-1].log_path
    log.parent.mkdir(parents=True)
    log.write_text('{"reason": "a row of state version 2 was found", "event": "refused to run"}\n')
    puppets[-1].code = REFUSED
    with pytest.raises(NotStarted, match="role refuses to run: a row of state version 2 was found"):
        unit.tick(1.0)
    assert len(puppets) == 1


def test_a_start_that_is_refused_is_tried_again_and_then_given_up(tmp_path: Path) -> None:
    def start() -> Child:
        raise PortTaken("port 1 is taken")

    unit = Unit(Part("role", "role", start, lambda _: True, attempts_most=2), lambda _: None)
    unit.tick(0.0)
    assert unit.state is State.RESTARTING
    with pytest.raises(NotStarted, match="port 1 is taken"):
        unit.tick(1.0)


@pytest.mark.parametrize(
    ("code", "more", "told"),
    [
        (-9, "", "role killed by SIGKILL; it starts again in 1 s"),
        (3, "", "role ended with code 3: no memory; it starts again in 1 s"),
        (3, '{"event": "to', "role ended with code 3: no memory; it starts again in 1 s"),
        (3, "Killed.", "role ended with code 3: Killed.; it starts again in 1 s"),
        (3, '{"ev\n{"ev\n{"a', 'role ended with code 3: {"a; it starts again in 1 s'),
    ],
)
def test_it_is_said_shortly_how_it_died_and_why_if_it_could_tell(
    tmp_path: Path, code: int, more: str, told: str
) -> None:
    said: list[str] = []
    puppet = Puppet(tmp_path)
    puppet.log_path.parent.mkdir()
    puppet.log_path.write_text(f'{{"event": "no memory", "level": "error"}}\n{more}')
    unit = Unit(Part("role", "role", lambda: puppet, lambda _: True), said.append)
    unit.tick(0.0)
    unit.tick(0.1)
    puppet.code = code
    unit.tick(1.0)
    assert told in said
