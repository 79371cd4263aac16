"""The laws over every model, each a function that takes a subject and raises where it breaks one.

A subject (`Subject`) says how a model begins, takes an input, is asked, and is packed and unpacked;
`tests/laws/subjects.py` lists them all. A law that can't apply to one is exempt there, in words.
"""

import math
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clock import DAY_MS, HOUR_MS

LAST_MS = 65_535 * DAY_MS
START_MS = 19_000 * DAY_MS
PERSON = "somebody-who-was-erased"
EVENTS_IN_CI = 30_000
NO_NUMBERS = (float("nan"), float("inf"), float("-inf"))
# A counter's digits, and what is held at a look, differ a little.
SLACK_SHARE, SLACK_BYTES = 0.02, 64
LOOKS = 30


@dataclass(frozen=True)
class Moment:
    """Where in a history an input stands; names in it begin with `world`, its customer is `person`.

    Names that grow with `number` are what a memory must not keep all of.
    """

    number: int
    at_ms: int
    world: str = ""
    person: str = "anna"


@dataclass(frozen=True, kw_only=True)
class Merging:
    """What must come of two states joined; `told` is a history that may be split anywhere.

    `exact` gives what must be equal, `near` what may differ by `tolerance` (relative).
    """

    told: Callable[[Random, Moment], Any]
    join: Callable[[Any, Any], Any]
    exact: Callable[[Any], Any]
    near: Callable[[Any], Mapping[str, float]] = lambda state: {}
    tolerance: float = 1e-9
    every_ms: int = 20 * DAY_MS


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model under the laws.

    `take` folds an input and gives what it says, `ask` must change nothing; `told` makes the input
    of a moment, `valid` anything valid at all; `no_numbers` makes inputs with what is no number.
    """

    name: str
    modules: tuple[str, ...]
    begin: Callable[[], Any]
    take: Callable[[Any, Any], Any]
    ask: Callable[[Any, int], Any]
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]
    told: Callable[[Random, Moment], Any]
    valid: st.SearchStrategy[list[Any]]
    no_numbers: Callable[[float, Moment], list[Any]] | None = None
    merging: Merging | None = None
    erase: Callable[[Any], None] | None = None
    every_ms: int = HOUR_MS
    events_in_ci: int = EVENTS_IN_CI
    exempt: Mapping[str, str] = field(default_factory=dict)


def history(
    subject: Subject, count: int, seed: int = 1, *, world: str = "", person: str = "anna"
) -> Iterator[Any]:
    """A plausible history of the subject's, in time order."""
    chance, every_ms = Random(seed), min(subject.every_ms, (LAST_MS - START_MS) // count)
    for number in range(count):
        at_ms = START_MS + number * every_ms
        yield subject.told(chance, Moment(number, at_ms, world, person))


def lived(subject: Subject, inputs: Iterator[Any] | list[Any]) -> tuple[Any, list[bytes]]:
    """The state after a history, and what was said at every input."""
    state, answers = subject.begin(), []
    for one in inputs:
        answers.append(said(subject.take(state, one)))
        answers.append(said(subject.ask(state, START_MS)))
    return state, answers


def said(answer: Any) -> bytes:
    """An answer as bytes, floats to their last bit."""
    return msgspec.msgpack.encode(answer, enc_hook=_plain)


def _plain(one: Any) -> Any:
    return one.tolist()


def numbers_in(value: Any) -> Iterator[float]:
    """Every number that stands anywhere in it."""
    if isinstance(value, bytes | str | bool) or value is None:
        return
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from numbers_in(one)
    else:
        for one in value:
            yield from numbers_in(one)


def must_be_finite(subject: Subject, what: str, packed: bytes) -> None:
    strange = [one for one in numbers_in(msgspec.msgpack.decode(packed)) if not math.isfinite(one)]
    assert strange == [], f"{subject.name}: {what} holds {strange[:3]}"


def digest(subject: Subject, count: int = 120) -> str:
    """Fingerprint of a history's answers and of what is left, for another process to compare."""
    state, answers = lived(subject, history(subject, count))
    return xxhash.xxh3_64_hexdigest(b"".join(answers) + subject.pack(state))


def the_same_history_gives_the_same_bytes(subject: Subject) -> None:
    one, other = (lived(subject, history(subject, 300)) for _ in range(2))
    assert one[1] == other[1], f"{subject.name}: says one thing, then another"
    assert subject.pack(one[0]) == subject.pack(other[0])


def what_is_packed_goes_on_as_if_nothing_had_happened(subject: Subject) -> None:
    """Packed and unpacked after every input, as by workers that are killed again and again."""
    inputs = list(history(subject, 250))
    straight, answers = lived(subject, inputs)
    state, again = subject.begin(), []
    for one in inputs:
        packed = subject.pack(state)
        state = subject.unpack(packed)
        assert subject.pack(state) == packed, f"{subject.name}: unpacked, it packs otherwise"
        again.append(said(subject.take(state, one)))
        again.append(said(subject.ask(state, START_MS)))
    assert again == answers, f"{subject.name}: goes on otherwise once it was packed"
    assert subject.pack(state) == subject.pack(straight)


def memory_is_bounded(subject: Subject, events: int | None = None) -> None:
    """After two thirds of a history of ever new names nothing grows any more."""
    count = events or subject.events_in_ci
    state, sizes = subject.begin(), []
    for number, one in enumerate(history(subject, count), 1):
        subject.take(state, one)
        if number % (count // LOOKS) == 0:
            sizes.append((len(subject.pack(state)), len(pickle.dumps(state))))
    third = len(sizes) // 3
    for what, held in zip(("packed", "in memory"), zip(*sizes, strict=True), strict=True):
        before, after = max(held[third : 2 * third]), max(held[2 * third :])
        assert after <= before * (1 + SLACK_SHARE) + SLACK_BYTES, (
            f"{subject.name}: {what}, it went on growing from {before} to {after} bytes"
            f" (of {count} inputs, the middle third against the last)"
        )


def no_input_is_changed(subject: Subject) -> None:
    inputs = list(history(subject, 250))
    before = [pickle.dumps(one) for one in inputs]
    lived(subject, inputs)
    # Looked at only now, for a state may hold on to its input and change it later.
    assert [pickle.dumps(one) for one in inputs] == before, f"{subject.name}: changed its input"


def asking_changes_nothing(subject: Subject) -> None:
    state, _ = lived(subject, history(subject, 250))
    before = subject.pack(state)
    for at_ms in (1, START_MS, START_MS + 250 * subject.every_ms, LAST_MS):
        answer = said(subject.ask(state, at_ms))
        assert said(subject.ask(state, at_ms)) == answer, f"{subject.name}: answers otherwise"
        assert subject.pack(state) == before, f"{subject.name}: was changed by being asked"


def the_unseen_is_fine(subject: Subject) -> None:
    """Asked before it knows anything, then told of names that it never heard."""
    state = subject.begin()
    must_be_finite(subject, "its first answer", said(subject.ask(state, START_MS)))
    for seed, world in enumerate(("", "elsewhere-", "客戶🛍️", "x" * 300)):
        for one in history(subject, 40, seed, world=world, person=f"{world}somebody"):
            must_be_finite(subject, f"an answer in {world!r}", said(subject.take(state, one)))
            must_be_finite(subject, "asked, it", said(subject.ask(state, START_MS)))


def any_time_is_fine(subject: Subject) -> None:
    """The same moment again, backwards, gaps of years, the first and the last moment there is."""
    chance, state = Random(3), subject.begin()
    gaps_ms = [0, 0, 1, -1, HOUR_MS, -HOUR_MS, DAY_MS, -40 * DAY_MS, 400 * DAY_MS, -900 * DAY_MS]
    ends_ms = [4_000 * DAY_MS, -START_MS, LAST_MS, -LAST_MS, START_MS]
    at_ms = START_MS
    for number in range(200):
        gap_ms = chance.choice(ends_ms if number % 12 == 11 else gaps_ms)
        at_ms = min(max(1, at_ms + gap_ms), LAST_MS)
        answer = said(subject.take(state, subject.told(chance, Moment(number, at_ms))))
        must_be_finite(subject, f"what it says at {at_ms}", answer)
        for asked_ms in (1, at_ms, LAST_MS):
            answer = said(subject.ask(state, asked_ms))
            must_be_finite(subject, f"at {at_ms}, asked about {asked_ms}, it", answer)
        if number % 20 == 19:
            must_be_finite(subject, f"its state at {at_ms}", subject.pack(state))


def what_is_no_number_never_gets_in(subject: Subject) -> None:
    """NaN or infinity is refused with a ValueError, or passed over: never kept, never answered."""
    assert subject.no_numbers is not None, f"{subject.name}: say what it takes, or why it can't"
    for bad in NO_NUMBERS:
        poisons = subject.no_numbers(bad, Moment(100, START_MS + 100 * subject.every_ms))
        assert poisons, f"{subject.name}: nothing was tried"
        for at, _ in enumerate(poisons):
            state, _ = lived(subject, history(subject, 60))
            poison = subject.no_numbers(bad, Moment(60, START_MS + 60 * subject.every_ms))[at]
            before = subject.pack(state)
            try:
                answer = said(subject.take(state, poison))
            except ValueError:
                assert subject.pack(state) == before, f"{subject.name}: refused {bad}, but changed"
            else:
                must_be_finite(subject, f"told {bad}, its answer", answer)
            must_be_finite(subject, f"told {bad}, its state", subject.pack(state))
            must_be_finite(subject, f"told {bad}, it", said(subject.ask(state, START_MS)))


def any_valid_history_is_learned(subject: Subject) -> None:
    """Whatever is valid raises nothing, stays finite, can be packed, and is left as it was."""

    @settings(deadline=None, max_examples=40, database=None, report_multiple_bugs=False)
    @given(subject.valid)
    def judged(inputs: list[Any]) -> None:
        before, state = [pickle.dumps(one) for one in inputs], subject.begin()
        for one in inputs:
            must_be_finite(subject, "an answer", said(subject.take(state, one)))
            must_be_finite(subject, "asked, it", said(subject.ask(state, START_MS)))
        packed = subject.pack(state)
        must_be_finite(subject, "its state", packed)
        assert subject.pack(subject.unpack(packed)) == packed
        assert [pickle.dumps(one) for one in inputs] == before

    judged()


def two_joined_are_what_one_would_have_been(subject: Subject) -> None:
    merging = subject.merging
    assert merging is not None, f"{subject.name}: say how two are joined, or why they never are"
    for seed in range(60):
        chance = Random(seed)
        whole, mine, theirs = subject.begin(), subject.begin(), subject.begin()
        for number in range(chance.randrange(1, 13)):
            at_ms = START_MS + chance.randrange(17) * merging.every_ms + number
            one = merging.told(chance, Moment(number, at_ms))
            subject.take(whole, one)
            subject.take(mine if chance.random() < 0.5 else theirs, one)
        joined = merging.join(mine, subject.unpack(subject.pack(theirs)))
        assert merging.exact(joined) == merging.exact(whole), f"{subject.name}: seed {seed}"
        near, far = merging.near(joined), merging.near(whole)
        assert near.keys() == far.keys(), f"{subject.name}: seed {seed}"
        for name, number_ in near.items():
            is_near = math.isclose(
                number_, far[name], rel_tol=merging.tolerance, abs_tol=merging.tolerance
            )
            assert is_near, f"{subject.name}: seed {seed}, {name}: {number_}, expected {far[name]}"


def the_erased_leave_nothing(subject: Subject) -> None:
    """Neither packed nor in memory is anything that names the person.

    What forgets on request is told a history full of the person's own words and must then answer
    like one that knows nothing; what all customers teach together must never know the name.
    """
    world = PERSON if subject.erase else ""
    told = list(history(subject, 120, world=world, person=PERSON))
    assert any(PERSON.encode() in pickle.dumps(one) for one in told), (
        f"{subject.name}: nobody is named"
    )
    state, _ = lived(subject, told)
    if subject.erase:
        assert PERSON.encode() in pickle.dumps(state), f"{subject.name}: there was nothing to erase"
        subject.erase(state)
        at_ms = START_MS + 120 * subject.every_ms
        fresh = subject.begin()
        assert said(subject.ask(state, at_ms)) == said(subject.ask(fresh, at_ms))
    for held in (subject.pack(state), pickle.dumps(state)):
        assert PERSON.encode() not in held, f"{subject.name}: still names the erased"


Law = Callable[[Subject], None]
LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        the_same_history_gives_the_same_bytes,
        what_is_packed_goes_on_as_if_nothing_had_happened,
        memory_is_bounded,
        no_input_is_changed,
        asking_changes_nothing,
        the_unseen_is_fine,
        any_time_is_fine,
        what_is_no_number_never_gets_in,
        any_valid_history_is_learned,
        two_joined_are_what_one_would_have_been,
        the_erased_leave_nothing,
    )
}
