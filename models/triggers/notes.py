"""What a customer's row remembers of the playbook: what is under way, what was said, what is known.

Everything here is bounded: of what could grow with the customer's story the oldest is forgotten.
"""

import msgspec
import xxhash

from models import assignment, caps
from models.assignment import Subject
from models.caps import Caps, Sent

MOMENT = "moment"
"""Timers of moments that come by themselves; those of runs are in models/triggers/runs.py."""
RUNS_AT_MOST = 24
SAID_AT_MOST = 96
TAGS_AT_MOST = 32
PERKS_AT_MOST = 32
_FOR_GOOD_MS = 10**15


class Run(msgspec.Struct, array_like=True, gc=False):
    """A rule under way for one occasion; `at` is the place in its steps, `due_ms` when it goes on.

    `rule_print` is the rule's fingerprint when it began (models/playbook/program.py). `waits` says
    what for: "first" (the moment's own wait), "step" (a wait among the steps) or "held".
    `waits_for` names the purse whose answer comes before anything is decided.
    """

    key: str
    rule: str
    occasion: str
    item: str
    began_ms: int
    due_ms: int
    rule_print: int
    at: int = 0
    waits: str = "first"
    arm: str = ""
    propensity: float = 1.0
    variables: dict[str, str | int | float] = {}
    waits_for: str = ""


class Notes(msgspec.Struct, array_like=True, gc=False):
    """A customer's part of the playbook.

    `version` is the edition the row is armed for. `said` names rules (and items) with the time at
    which they last acted, `beyond` rules whose line was crossed or whose cadence has ended.
    """

    version: int = 0
    runs: list[Run] = []
    said: dict[str, int] = {}
    sent: Sent = msgspec.field(default_factory=Sent)
    segments: list[str] = []
    beyond: list[str] = []
    tags: list[str] = []
    perks: dict[str, int] = {}
    subject: Subject | None = None


def key_of(rule: str, occasion: str) -> str:
    """Name a run in its row's timers.

    >>> key_of("thank_you", "o1")
    '7536e58da6a564af'
    """
    return xxhash.xxh3_64_hexdigest(f"{rule}\x00{occasion}".encode())


def run_of(notes: Notes, key: str) -> Run | None:
    """Find a run by its name."""
    for run in notes.runs:
        if run.key == key:
            return run
    return None


def remember_said(notes: Notes, name: str, at_ms: int) -> None:
    """Note that a rule acted; what was said longest ago is forgotten first."""
    known = notes.said.pop(name, 0)
    notes.said[name] = max(known, at_ms)
    while len(notes.said) > SAID_AT_MOST:
        del notes.said[min(notes.said, key=lambda one: (notes.said[one], one))]


def remember_perk(notes: Notes, name: str, until_ms: int) -> None:
    """Note that a perk was granted, for good with 0; of too many the one that ends first goes."""
    perks = {**notes.perks, name: until_ms}
    while len(perks) > PERKS_AT_MOST:
        del perks[min(perks, key=lambda one: (perks[one] or _FOR_GOOD_MS, one))]
    notes.perks = perks


def merged(mine: Notes, theirs: Notes, limits: Caps | None) -> Notes:
    """What is remembered of two names of one person; the row is armed again when next looked at."""
    runs = {run.key: run for run in [*theirs.runs, *mine.runs]}
    both = Notes(
        version=0,
        runs=sorted(runs.values(), key=lambda run: (run.due_ms, run.key))[:RUNS_AT_MOST],
        sent=caps.merged(limits or Caps(()), mine.sent, theirs.sent),
        segments=sorted({*mine.segments, *theirs.segments}),
        beyond=sorted({*mine.beyond, *theirs.beyond}),
        tags=sorted({*mine.tags, *theirs.tags})[:TAGS_AT_MOST],
        subject=_subject(mine.subject, theirs.subject),
    )
    for perk, until_ms in {**theirs.perks, **mine.perks}.items():
        remember_perk(both, perk, until_ms)
    for said in (theirs.said, mine.said):
        for name, at_ms in said.items():
            remember_said(both, name, max(at_ms, both.said.get(name, 0)))
    return both


def _subject(mine: Subject | None, theirs: Subject | None) -> Subject | None:
    if mine is None or theirs is None:
        return mine or theirs
    return assignment.merged(mine, theirs)
