"""Every kind of fault: how a plan chooses it and how the driver lets it happen."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from models.clock import HOUR_MS, MINUTE_MS
from tests.chaos import moments
from tests.chaos.network import Trouble, Wire
from tests.chaos.stage import Kept, Stage

HIT_WITHIN_S = 5.0
START_AND_HIT_WITHIN_S = 15.0
STOP_WITHIN_S = 10.0
WORKERS = ("worker-1", "worker-2", "worker-3")


class Fault(msgspec.Struct, frozen=True):
    """One fault of a plan: after `pause_s`, `kind` happens to `target`.

    `moment` and `after` name where in its own code a role dies or freezes; empty: wherever it is.
    """

    pause_s: float
    kind: str
    target: str
    moment: str = ""
    after: int = 1
    lasts_s: float = 0.0


Weighted = tuple[int, str, tuple[str, ...], tuple[str, ...]]
# Weight, kind, targets, moments ("" is any time).
DECK: tuple[Weighted, ...] = (
    (8, "kill", WORKERS, ("", "fold", "begin", "send", "offsets", "commit", "committed")),
    (2, "kill-recovering", WORKERS, ("recovery",)),
    (2, "kill-rebalancing", WORKERS, ("rebalance",)),
    (4, "freeze", WORKERS, ("", "fold", "begin", "send", "offsets", "commit")),
    (1, "freeze", ("sinks", "learner", "gateway"), ("",)),
    (5, "kill", ("sinks",), ("", *moments.SINKS)),
    (2, "kill", ("learner",), ("", "fold", "send", "offsets", "commit")),
    (3, "kill", ("gateway",), ("", *moments.GATEWAY)),
    (1, "kill-server", ("kafka",), ("",)),
    (2, "kill-server", ("valkey", "clickhouse"), ("",)),
    (1, "pause-server", ("kafka", "valkey", "clickhouse"), ("",)),
    (2, "disk-full", ("clickhouse",), ("",)),
    (3, "network", (*WORKERS, "gateway", "learner", "sinks"), ("",)),
    (2, "network", ("valkey", "clickhouse"), ("",)),
    (3, "provider", ("provider",), ("",)),
    (3, "clock", ("all", "all", *WORKERS, "gateway", "sinks"), ("",)),
    (1, "upgrade", ("all",), ("",)),
)


def plan_of(seed: int, number: int, pause_s: float) -> list[Fault]:
    """Choose faults; the same seed chooses the same ones."""
    chance = random.Random(f"plan:{seed}")
    deck: list[Weighted] = []
    plan = []
    for _ in range(number):
        if not deck:
            deck = [card for card in DECK for _ in range(card[0])]
            chance.shuffle(deck)
        _, kind, targets, where = deck.pop()
        moment = chance.choice(where)
        plan.append(
            Fault(
                pause_s=round(chance.uniform(0.5, 1.5) * pause_s, 2),
                kind=kind,
                target=chance.choice(targets),
                moment=moment,
                after=chance.randint(1, 40 if moment in ("fold", "recovery") else 6),
                lasts_s=round(chance.uniform(0.5, 4.0), 2),
            )
        )
    return plan


async def happen(fault: Fault, stage: Stage) -> str:
    """Let it happen and be over; a word on how it went."""
    async with stage.locks[fault.target]:
        return await HAPPEN[fault.kind](fault, stage)


async def _kill(fault: Fault, stage: Stage) -> str:
    kept = stage.roles[fault.target]
    if not fault.moment:
        kept.tell(signal.SIGKILL)
        return "killed"
    kept.arm(fault.moment, fault.after)
    return await _hit_or_kill(kept)


async def _hit_or_kill(kept: Kept, within_s: float = HIT_WITHIN_S) -> str:
    if await kept.hit(within_s):
        return "killed at its moment"
    kept.tell(signal.SIGKILL)
    return "moment never came, killed"


async def _kill_recovering(fault: Fault, stage: Stage) -> str:
    kept = stage.roles[fault.target]
    kept.arm(fault.moment, fault.after)
    kept.tell(signal.SIGKILL)
    return await _hit_or_kill(kept, START_AND_HIT_WITHIN_S)


async def _kill_rebalancing(fault: Fault, stage: Stage) -> str:
    kept = stage.roles[fault.target]
    other = stage.roles[next(name for name in WORKERS if name != fault.target)]
    kept.arm(fault.moment, 1)
    other.tell(signal.SIGKILL)
    return await _hit_or_kill(kept, START_AND_HIT_WITHIN_S)


async def _freeze(fault: Fault, stage: Stage) -> str:
    kept = stage.roles[fault.target]
    told = "frozen"
    if fault.moment:
        kept.arm(fault.moment, fault.after, signal.SIGSTOP)
        told = "frozen at its moment" if await kept.hit(HIT_WITHIN_S) else "frozen late"
    if not kept.is_stopped:
        kept.tell(signal.SIGSTOP)
    await asyncio.sleep(stage.session_s + fault.lasts_s)
    kept.tell(signal.SIGCONT)
    return told


async def _kill_server(fault: Fault, stage: Stage) -> str:
    servers = stage.ground.servers
    servers.kill(fault.target)
    await asyncio.sleep(fault.lasts_s / 2)
    await servers.start(fault.target)
    return "killed and started"


async def _pause_server(fault: Fault, stage: Stage) -> str:
    servers = stage.ground.servers
    servers.signal(fault.target, signal.SIGSTOP)
    await asyncio.sleep(fault.lasts_s)
    servers.signal(fault.target, signal.SIGCONT)
    return "paused"


async def _disk_full(fault: Fault, stage: Stage) -> str:
    disk = stage.ground.disk
    if not disk.is_there:
        return "skipped, no file system may be mounted"
    await asyncio.to_thread(disk.fill)
    await asyncio.sleep(fault.lasts_s)
    disk.free()
    return "disk full"


async def _network(fault: Fault, stage: Stage) -> str:
    ground = stage.ground
    wires: dict[str, Wire] = {
        **ground.kafka_wires,
        "valkey": ground.valkey_wire,
        "clickhouse": ground.clickhouse_wire,
    }
    chance = random.Random(fault.lasts_s)
    wire = wires[fault.target]
    wire.trouble = chance.choice([Trouble.CUT, Trouble.DEAD, Trouble.DEAF, Trouble.SLOW])
    told = wire.trouble.value
    # Half of them outlast the session.
    long_s = stage.session_s if chance.random() < 0.5 else 0.0
    await asyncio.sleep(fault.lasts_s + long_s)
    wire.trouble = Trouble.NONE
    return told


async def _provider(fault: Fault, stage: Stage) -> str:
    stage.provider.troubled = True
    await asyncio.sleep(2 * fault.lasts_s)
    stage.provider.troubled = False
    return "troubled"


async def _clock(fault: Fault, stage: Stage) -> str:
    chance = random.Random(fault.lasts_s)
    if fault.target == "all":
        by_ms = chance.choice([12 * MINUTE_MS, 12 * MINUTE_MS, 3 * HOUR_MS])
        stage.step_clock(by_ms)
        return f"all by {by_ms} ms"
    kept = stage.roles[fault.target]
    by_ms = chance.choice([-HOUR_MS, -MINUTE_MS, 11 * MINUTE_MS, HOUR_MS])
    stage.skew_clock(kept, by_ms)
    await asyncio.sleep(fault.lasts_s)
    stage.skew_clock(kept, 0)
    return f"one by {by_ms} ms, and back"


async def _upgrade(fault: Fault, stage: Stage) -> str:
    """Readers first, then worker by worker: between them the older release refuses newer rows."""
    version = max(kept.version for kept in stage.roles.values()) + 1
    for kept in [*stage.of("sinks"), *stage.of("worker")]:
        async with stage.locks[f"release of {kept.name}"]:
            await kept.replace(version, STOP_WITHIN_S)
    return f"release {version}"


HAPPEN: dict[str, Callable[[Fault, Stage], Awaitable[str]]] = {
    "kill": _kill,
    "kill-recovering": _kill_recovering,
    "kill-rebalancing": _kill_rebalancing,
    "freeze": _freeze,
    "kill-server": _kill_server,
    "pause-server": _pause_server,
    "disk-full": _disk_full,
    "network": _network,
    "provider": _provider,
    "clock": _clock,
    "upgrade": _upgrade,
}


def as_json(plan: list[Fault]) -> list[Any]:
    """The plan as it is printed and read again."""
    return [msgspec.to_builtins(fault) for fault in plan]
