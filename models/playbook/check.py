"""`check`: everything there is to say about a playbook, in one look, whatever it is fed.

Doubts (warnings) are looked for once there is no mistake: those of half a playbook would mislead.
"""

from dataclasses import dataclass
from datetime import date

from models.playbook.conditions import Condition, check_conditions
from models.playbook.consistency import check_references, check_sense
from models.playbook.doubts import doubts_about
from models.playbook.files import Fetch, gather, playbook_of
from models.playbook.playbook import Playbook
from models.playbook.problem import ERROR, WARNING, Problem
from models.playbook.reader import Path
from models.playbook.source import Unreadable
from models.playbook.words import check_words


@dataclass(frozen=True)
class Checked:
    """A playbook with what is wrong or doubtful; `playbook` is None when anything is wrong."""

    playbook: Playbook | None
    problems: tuple[Problem, ...]
    conditions: dict[Path, Condition]
    usable: bool = True

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What must be mended before it can be used."""
        return tuple(one for one in self.problems if one.severity == ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is probably not meant."""
        return tuple(one for one in self.problems if one.severity == WARNING)


def check(
    file: str,
    raw: bytes,
    fetch: Fetch = lambda name: None,
    *,
    today: date | None = None,
    events_currency: str = "",
) -> Checked:
    """Read a playbook and all it includes (`fetch` gives their content by name); never raises.

    `today` is for calendars that run out, `events_currency` what events are read in that name none;
    without them neither is looked at.
    """
    try:
        found = gather(file, raw, fetch)
    except Unreadable as unreadable:
        return Checked(None, (unreadable.problem,), {}, usable=unreadable.is_yaml)
    conditions, mistakes = check_conditions(found)
    problems = [*found.problems, *check_references(found), *mistakes]
    book = playbook_of(found)
    problems += check_sense(book, found, conditions)
    problems += check_words(found)
    if not problems:
        problems += doubts_about(book, conditions, found, today, events_currency)
    order = {name: index for index, name in enumerate(found.texts)}
    problems.sort(key=lambda one: (order.get(one.place.file, 0), one.place.line, one.place.column))
    is_wrong = any(one.severity == ERROR for one in problems)
    return Checked(None if is_wrong else book, tuple(problems), conditions)
