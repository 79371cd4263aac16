"""What is asked of a rehearsal aside; read by the page's server too, which plays nothing itself."""

from typing import Any

import msgspec


class Asked(msgspec.Struct):
    """What is to be played: a scenario's text, or where it is "" the last days of the own log.

    `in_use` is the playbook to compare with, its first file and all files; None: there is none
    yet. `settings` say where the log is.
    """

    main: str
    files: dict[str, str]
    in_use: tuple[str, dict[str, str]] | None
    scenario: str
    days: int
    settings: dict[str, Any]
