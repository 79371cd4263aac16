"""A playbook as it was applied: one numbered edition of all its files.

Editions stand on topic `snapshots` beside the models' versions and are adopted through the log as
they are; every decision records which edition it was made by.
"""

import msgspec

from models.hazard import BadSnapshot
from models.playbook.check import check as check_files
from models.playbook.playbook import Playbook
from models.playbook.rulebook import Rulebook, compile_playbook

FILES_MAX_BYTES = 900_000


class Edition(msgspec.Struct, frozen=True):
    """The files of one playbook by name, `main` the first of them; versions count from 1.

    `applied_at_ms` is the wall's time, `by` who applied it, `note` what for.
    """

    version: int
    main: str
    files: dict[str, str]
    applied_at_ms: int = 0
    by: str = ""
    note: str = ""


def check(edition: Edition) -> None:
    """Refuse what can't be an edition at all; raises BadSnapshot. `opened` asks for the rest."""
    if edition.version < 1:
        raise BadSnapshot(f"version {edition.version}: editions count from 1")
    if edition.main not in edition.files:
        raise BadSnapshot(f"{edition.main!r}: none of its files")
    if sum(len(text.encode()) for text in edition.files.values()) > FILES_MAX_BYTES:
        raise BadSnapshot(f"its files hold more than {FILES_MAX_BYTES} bytes")


def playbook_of(edition: Edition) -> Playbook:
    """Read an edition's files; raises BadSnapshot with the first mistake."""
    texts = edition.files
    checked = check_files(
        edition.main,
        texts[edition.main].encode(),
        lambda name: texts[name].encode() if name in texts else None,
    )
    if checked.playbook is None:
        raise BadSnapshot(str(checked.errors[0]))
    return checked.playbook


def opened(edition: Edition) -> Rulebook:
    """Make an edition ready for the fold; raises BadSnapshot with the first mistake."""
    return compile_playbook(playbook_of(edition))
