"""A disk that can be full: a small file system of its own, where one may be mounted.

Mounting takes privileges. Without them there is no disk to fill, and the fault says so; a limit on
file sizes is no substitute, for it stops an insert before it comes to the engine.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

SIZE_BYTES = 320_000_000
PIECE = bytes(1_000_000)


class SmallDisk:
    """A file system in memory, mounted on a folder while it is entered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        self.is_there = False

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        options = ["-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(self._folder)]
        with suppress(FileNotFoundError):
            mounted = subprocess.run(["mount", *options], capture_output=True, check=False)
            self.is_there = mounted.returncode == 0
        return self

    def __exit__(self, *error: object) -> None:
        if self.is_there:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=False)

    def fill(self) -> None:
        """Leave no byte of it."""
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(PIECE[: max(1, shutil.disk_usage(self._folder).free)])

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)
