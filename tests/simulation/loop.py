"""An event loop with a clock of its own, and processes that end, freeze and wake at any await.

Nothing waits for real: when nothing is ready, time jumps to the next timer. What the processes
run is ordinary asyncio code. A process is the context its tasks were made in; each turn of its
code is one step, so "at step n" is "at one particular await".
"""

import asyncio
import contextlib
import contextvars
import heapq
import random
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any

PROCESS: contextvars.ContextVar["SimulatedProcess | None"] = contextvars.ContextVar(
    "process", default=None
)
STEPS_AT_MOST = 100_000
# Most answers are quick, some late, few so late that others give up waiting.
LATENCIES_S = (0.0005,) * 6 + (0.001,) * 4 + (0.003, 0.003, 0.01, 0.01, 0.05, 0.3, 2.0)


class Stalled(AssertionError):
    """Nothing is left that could ever happen, or things go round without end."""


class ProcessEnded(BaseException):
    """Stands for `os._exit`: what raised it is never run again."""


class SimulatedProcess:
    """One operating system's process: running, frozen (SIGSTOP), or gone (SIGKILL)."""

    def __init__(self, loop: "SimulatedLoop", name: str, noticed: Callable[[], None]) -> None:
        self.name = name
        self.steps = 0
        self.gone = False
        self.frozen = False
        self.reason = ""
        self.is_refused = False
        self.waiting: set[asyncio.Future[Any]] = set()
        self._loop = loop
        self._noticed = noticed
        self._parked: list[asyncio.Handle] = []

    def start(self, main: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        """Run its code."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, self)
        return self._loop.create_task(main(), context=context)

    def turn(self, handle: asyncio.Handle) -> None:
        """Run one step, or keep it for later, or never."""
        if self.gone:
            return
        if self.frozen:
            self._parked.append(handle)
            return
        self.steps += 1
        handle._run()
        self._noticed()

    def kill(self, reason: str) -> None:
        """No code of it runs from now on, what it sent before may still arrive."""
        self.gone = True
        self.reason = self.reason or reason
        self._parked.clear()

    def freeze(self) -> None:
        """Stop, as by SIGSTOP."""
        self.frozen = True

    def thaw(self) -> None:
        """Go on, knowing nothing of what was missed."""
        self.frozen = False
        self._loop._ready.extend(self._parked)
        self._parked.clear()

    def cut(self) -> None:
        """Drop its connections: aiokafka cancels whatever waits for an answer."""
        for answer in list(self.waiting):
            answer.cancel()


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs ready callbacks in their order; time is a number."""

    def __init__(self, chance: random.Random | None) -> None:
        super().__init__()
        self.steps = 0
        self.buried = False
        self.errors: list[str] = []
        # Broker and network: not of any process, so nothing stops them.
        self.outside = contextvars.Context()
        self.world: Any = None
        self._now_s = 1_000.0
        self._chance = chance
        self._tasks: list[asyncio.Task[Any]] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timer_numbers = count()
        self.set_task_factory(self._keep)

    def time(self) -> float:
        return self._now_s

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._timer_numbers), timer))
        return timer

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def choose(self, options: Any) -> Any:
        """One of them; the first when there is no chance."""
        return options[0] if self._chance is None else self._chance.choice(options)

    def outside_later(self, delay_s: float, callback: Callable[..., None], *args: Any) -> Any:
        """Do something outside all processes."""
        return self.call_later(delay_s, callback, *args, context=self.outside)

    async def ask(self, act: Callable[..., Any], *args: Any) -> Any:
        """Send a request: it arrives, is acted on, and is answered, each when chance has it."""
        if self.buried:
            raise ProcessEnded
        answer = self.create_future()
        process = PROCESS.get()
        if process is not None:
            process.waiting.add(answer)
            answer.add_done_callback(process.waiting.discard)
        self.outside_later(self.choose(LATENCIES_S), self._arrive, answer, act, args)
        return await answer

    def _arrive(self, answer: Any, act: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            result, error = act(*args), None
        except Exception as raised:
            result, error = None, raised
        self.outside_later(self.choose(LATENCIES_S), _answer, answer, result, error)

    def _keep(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._tasks.append(task)
        return task

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        if not ready:
            if not timers:
                raise Stalled("nothing is left to happen")
            self._now_s = max(self._now_s, timers[0][0])
        while timers and timers[0][0] <= self._now_s:
            ready.append(heapq.heappop(timers)[2])
        handle = ready.popleft()
        if handle._cancelled:
            return
        self.steps += 1
        if self.steps > STEPS_AT_MOST:
            raise Stalled(f"not at rest after {STEPS_AT_MOST} steps")
        process = handle._context.get(PROCESS)
        if process is None:
            handle._run()
        else:
            process.turn(handle)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not self.buried and not isinstance(error, ProcessEnded):
            self.errors.append(f"{context.get('message')}: {error!r}")

    def bury(self) -> None:
        """Close all code that was left where it stood, without running any more of it."""
        self.buried = True
        for task in self._tasks:
            if task.done():
                if not task.cancelled():
                    task.exception()
                continue
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with contextlib.suppress(BaseException):
                task.get_coro().close()  # type: ignore[union-attr]
        self._ready.clear()  # type: ignore[attr-defined]
        self._timers.clear()


def _answer(answer: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
        # Whoever asked may be gone; an error nobody reads would be reported.
        answer.exception()


def run(loop: SimulatedLoop, main: Callable[[], Awaitable[Any]]) -> Any:
    """Run `main` outside all processes to its end, and leave nothing behind."""

    async def outermost() -> Any:
        return await main()

    try:
        return loop.run_until_complete(loop.outside.run(loop.create_task, outermost()))
    finally:
        # What is closed may still make tasks; they are closed in turn.
        asyncio._set_running_loop(loop)
        loop.bury()
        asyncio._set_running_loop(None)
        loop.close()
