"""Where a command prints its answer: as wide as the terminal, or unbroken into a file or a pipe."""

import os
import sys

from rich.console import Console

UNBROKEN_COLUMNS = 200


def answers(*, soft_wrap: bool = False) -> Console:
    """Console for an answer; a name that is cut or broken is of no use to the next program."""
    is_seen = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(
        highlight=False, soft_wrap=soft_wrap, width=None if is_seen else UNBROKEN_COLUMNS
    )
