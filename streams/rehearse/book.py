"""A playbook for a rehearsal: read, checked, and made ready for the fold."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from models.playbook.check import check
from models.playbook.playbook import Playbook
from models.playbook.problem import Problem
from models.playbook.rulebook import Rulebook, compile_playbook
from streams.playbook_packs import DEFAULT, check_alone, default_text

NO_PLAYBOOK_ZONE = "UTC"
NO_PLAYBOOK_CURRENCY = "USD"


class BadPlaybook(ValueError):
    """A playbook can't be used; `usable` is false where it is no playbook at all."""

    def __init__(self, problems: tuple[Problem, ...], *, usable: bool, said: str = "") -> None:
        self.problems = problems
        self.usable = usable
        super().__init__(said or "\n".join(map(str, problems)))


@dataclass(frozen=True)
class Book:
    """A playbook, or None: then a log is rehearsed in which none was ever applied."""

    name: str
    playbook: Playbook | None

    @property
    def time_zone(self) -> str:
        """The shop's."""
        shop = self.playbook.shop if self.playbook else None
        return shop.time_zone if shop else NO_PLAYBOOK_ZONE

    @property
    def currency(self) -> str:
        """The shop's."""
        shop = self.playbook.shop if self.playbook else None
        return shop.currency if shop else NO_PLAYBOOK_CURRENCY

    def rulebook(self, time_zone: str = "") -> Rulebook | None:
        """Rules for a shop in another time zone than the file says, if one is given."""
        book = self.playbook
        if book is None:
            return None
        if time_zone and book.shop and book.shop.time_zone != time_zone:
            shop = msgspec.structs.replace(book.shop, time_zone=time_zone)
            book = msgspec.structs.replace(book, shop=shop)
        return compile_playbook(book)


def read_book(file: Path | None) -> Book:
    """Read a playbook with all it includes; a pack alone stands in the default shop.

    Without a file it is the one that a new installation begins with.

    Raises BadPlaybook with every mistake there is.
    """
    if file is None:
        return book_of("the default playbook", DEFAULT.name, {DEFAULT.name: default_text()})
    try:
        raw = file.read_bytes()
    except OSError as error:
        said = f"{file}: {error.strerror or error}"
        raise BadPlaybook((), usable=False, said=said) from None
    checked = check_alone(str(file), raw, _fetch)
    if checked.playbook is None:
        raise BadPlaybook(checked.errors, usable=checked.usable)
    return Book(str(file), checked.playbook)


def book_of(name: str, main: str, files: Mapping[str, str]) -> Book:
    """Make a book of a playbook's files as they stand in memory, `main` the first of them.

    Raises BadPlaybook with every mistake there is.
    """
    checked = check(
        main,
        files[main].encode("utf-8", "replace"),
        lambda one: files[one].encode("utf-8", "replace") if one in files else None,
    )
    if checked.playbook is None:
        raise BadPlaybook(checked.errors, usable=checked.usable)
    return Book(name, checked.playbook)


def _fetch(name: str) -> bytes | None:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError):
        return None
