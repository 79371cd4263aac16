"""Start a command that cannot outlive its parent: `python -IS leash.py PARENT_PID COMMAND ...`.

On Linux the kernel kills the command when the thread that started it ends (PR_SET_PDEATHSIG), so
start children from the main thread. Elsewhere this program stays between the two and watches.
A wrapper and no `preexec_fn`: Python code between fork and exec may deadlock when threads run.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
WATCH_INTERVAL_S = 0.2


def leashed(command: list[str]) -> list[str]:
    """Wrap `command` so that it dies with this process."""
    return [sys.executable, "-IS", __file__, str(os.getpid()), *command]


def become(parent_pid: int, command: list[str]) -> None:
    """Ask the kernel for a SIGKILL at the parent's death and turn into `command`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        sys.exit(f"the parent {parent_pid} was gone before its child could start")
    os.execvp(command[0], command)  # noqa: S606


def watch(parent_pid: int, command: list[str]) -> int:
    """Run `command`, pass signals on, kill it when the parent is gone; its exit code."""
    with subprocess.Popen(command) as child:  # noqa: S603

        def pass_on(number: int, _: FrameType | None) -> None:
            child.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, pass_on)
        while child.poll() is None:
            if os.getppid() != parent_pid:
                child.kill()
            time.sleep(WATCH_INTERVAL_S)
        return child.returncode


def main(arguments: list[str]) -> int:
    """Entry point; `--watch` first forces the watching variant."""
    forced = arguments[0] == "--watch"
    parent, *command = arguments[forced:]
    if sys.platform == "linux" and not forced:
        become(int(parent), command)
    return watch(int(parent), command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
