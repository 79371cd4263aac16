"""What must fit together: names are defined, shares add up, terms are sane."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from models.playbook.cel_tree import Binary, Field, Literal, Node, parts_of
from models.playbook.closeness import closest, listed
from models.playbook.conditions import Condition
from models.playbook.fields import SEGMENTS
from models.playbook.files import Found
from models.playbook.offer import SaveBySteps
from models.playbook.playbook import Playbook
from models.playbook.problem import PROBLEMS_MAX, Place, Problem, shown
from models.playbook.reader import Path, Reference
from models.playbook.then import Split, steps_in
from models.playbook.when import OnHoliday

ROUNDING = 1e-6


def check_references(found: Found) -> Iterator[Problem]:
    """Names that are nowhere defined."""
    sections = {one.section: set(_known(one, found)) for one in found.references}
    undefined = [one for one in found.references if one.scalar.value not in sections[one.section]]
    for one in undefined[:PROBLEMS_MAX]:
        yield _undefined(one, _known(one, found))


def _known(one: Reference, found: Found) -> list[str]:
    if one.section != "calendars":
        return sorted(found.names[one.section])
    calendars = [path for path in found.places if path[:2] == ("shop", "calendars")]
    names = [str(path[2]) for path in calendars if len(path) == 3]
    return [*sorted(names), *one.also]


def _undefined(one: Reference, known: list[str]) -> Problem:
    what = one.section.removesuffix("s")
    return Problem(
        place=one.scalar.place,
        message=f"there is no {what} {shown(one.scalar.value)!r}",
        value=shown(one.scalar.value),
        expected=f"one of {listed(known)}" if known else f"a {what}, none is defined",
        suggestion=closest(one.scalar.value, known),
    )


def check_sense(
    book: Playbook, found: Found, conditions: Mapping[Path, Condition]
) -> Iterator[Problem]:
    """Values each of which is right and which together are not."""
    yield from _quiet_hours(book, found)
    yield from _holidays(book, found)
    yield from _steps(book, found)
    yield from _offers(book, found)
    yield from _segments(book, found, conditions)


def _problem(found: Found, path: Path, message: str, expected: str, value: str = "") -> Problem:
    place = found.at(*path) or Place("playbook.yaml")
    return Problem(place=place, message=message, expected=expected, value=value)


def _quiet_hours(book: Playbook, found: Found) -> Iterator[Problem]:
    for index, hours in enumerate(book.quiet_hours):
        if hours.from_minutes == hours.to_minutes:
            path = ("quiet_hours", index, "to")
            yield _problem(found, path, "quiet hours that end when they begin", "two times of day")


def _holidays(book: Playbook, found: Found) -> Iterator[Problem]:
    """A holiday is on another day elsewhere, so somebody must say where."""
    if book.shop is None:
        # With a mistake of its own: what it says of the country is not known here.
        return
    for name, trigger in book.triggers.items():
        when = trigger.when
        if not isinstance(when, OnHoliday) or when.country or book.shop.country:
            continue
        own = book.shop.calendars
        if any(holiday not in own for holiday in when.holiday):
            path: Path = ("triggers", name, "when", "holiday")
            message = "it is not said in which country this holiday is kept"
            yield _problem(found, path, message, "country, here or in shop")


def _steps(book: Playbook, found: Found) -> Iterator[Problem]:
    for name, trigger in book.triggers.items():
        for path, step in steps_in(trigger.then, ("triggers", name, "then")):
            if not isinstance(step, Split):
                continue
            total = sum(arm.share for arm in step.split)
            if abs(total - 1.0) > ROUNDING:
                yield _problem(
                    found,
                    (*path, "split"),
                    f"the arms' shares make {total:.6g} together",
                    "100% together",
                    f"{total:.6g}",
                )
            names = [arm.arm for arm in step.split]
            for index, arm in enumerate(names):
                if arm in names[:index]:
                    where = (*path, "split", index, "arm")
                    yield _problem(found, where, f"two arms are called {arm!r}", "other names", arm)


def _offers(book: Playbook, found: Found) -> Iterator[Problem]:
    for name, offer in book.offers.items():
        if not isinstance(offer, SaveBySteps):
            continue
        before = (-1, -1)
        for index, step in enumerate(offer.spend_and_save):
            path = ("offers", name, "spend_and_save", index)
            if step.save_cents > step.spend_cents:
                yield _problem(found, (*path, "save"), "more is saved than spent", "less")
            if step.spend_cents <= before[0] or step.save_cents <= before[1]:
                yield _problem(found, path, "this step is not above the one before", "rising steps")
            before = (step.spend_cents, step.save_cents)


def _segments(
    book: Playbook, found: Found, conditions: Mapping[Path, Condition]
) -> Iterator[Problem]:
    """A segment can't rest on itself, not by way of others either."""
    trees = {str(path[1]): one.tree for path, one in conditions.items() if path[0] == "segments"}
    try:
        foundations_first(trees)
    except CycleError as error:
        circle = [str(name) for name in reversed(error.args[1][1:])]
        first = min(circle)
        begin = circle.index(first)
        circle = [*circle[begin:], *circle[:begin], first]
        path = ("segments", first, "if")
        said = f"segment {first} rests on itself: {' -> '.join(circle)}"
        yield _problem(found, path, said, "fields that rest on no segment of this kind", first)


def foundations_first(trees: Mapping[str, Node]) -> list[str]:
    """Names of segments, those that rest on others behind them; raises CycleError."""
    rests_on = {name: sorted(segments_asked(tree) & trees.keys()) for name, tree in trees.items()}
    return list(TopologicalSorter(rests_on).static_order())


def segments_asked(tree: Node) -> frozenset[str]:
    """Segments whose members a condition asks for by name."""
    found = {one for part in parts_of(tree) for one in segments_asked(part)}
    if isinstance(tree, Binary) and isinstance(tree.right, Field) and tree.right.name == SEGMENTS:
        found.add(str(tree.left.value) if isinstance(tree.left, Literal) else "")
    return frozenset(found)
