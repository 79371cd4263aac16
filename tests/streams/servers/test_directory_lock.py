"""Two installations never share a data directory."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.servers.directory_lock import directory_lock
from streams.servers.errors import DirectoryTaken

HOLDER = """
import sys, time
from pathlib import Path
from streams.servers.directory_lock import directory_lock
with directory_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        told = pytest.raises(DirectoryTaken, match=f"in use by process {holder.pid} since")
        with told, directory_lock(tmp_path):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with directory_lock(tmp_path):
        assert (tmp_path / "run" / "lock").exists()
