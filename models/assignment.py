"""Who is left alone for comparison, and which arm of a rule a customer is in.

Nothing is drawn and nothing is kept: a customer's place follows from a seeded hash of the name
under which the customer is assigned, so it is the same in every replay, on every worker and for
every message. The holdout has a hash of its own over all rules: when its share grows, customers
join it and none leaves. Of a rule's arms the one with the highest weighted score is taken
(rendezvous hashing): the hash knows rule and arm, so another rule's arms change nothing, the order
of arms is of no account, and a new arm only takes customers over, in proportion.

Names of one person are merged. The name that counts is that of the first who met an assignment, or
if none has, was seen (`Subject`); so merging in any order gives the same, and what a customer was
told stays true after it. Who met assignments under two names belongs to neither comparison.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import log
from typing import NamedTuple

import msgspec
import xxhash

HOLDOUT = "holdout"
HOLDOUT_SHARE = 0.05
_NEVER_MS = 2**62


class Subject(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Under which name a customer is assigned, and when that name was seen; kept in the row.

    `exposed_ms` is the first time an assignment decided anything, 0 for never; `mixed` that
    another name's did, too, before they were one.
    """

    token: str
    seen_ms: int
    exposed_ms: int = 0
    mixed: bool = False


class Assignment(NamedTuple):
    """An arm, or HOLDOUT, and how probable it was for a customer of whom nothing is known."""

    arm: str
    propensity: float


class Arms(NamedTuple):
    """A rule's arms: names, weights as shares of one, and what the hash is given of each."""

    names: tuple[str, ...]
    shares: tuple[float, ...]
    keys: tuple[bytes, ...]


def arms_of(rule: str, weights: Mapping[str, float]) -> Arms:
    """Make a rule's arms; those without a weight get nobody.

    ValueError where there is nothing to choose from, or a weight is no number of 0 or more.

    >>> arms_of("win_back", {"gift": 1, "ten_percent": 3}).shares
    (0.25, 0.75)
    """
    if HOLDOUT in weights:
        raise ValueError(f"{HOLDOUT!r} is no name for an arm")
    if not all(0 <= weight < float("inf") for weight in weights.values()):
        raise ValueError(f"weights must be numbers of 0 or more: {dict(weights)}")
    chosen = sorted((name, weight) for name, weight in weights.items() if weight > 0)
    if not chosen:
        raise ValueError(f"rule {rule!r} has no arm with a weight")
    total = sum(weight for _, weight in chosen)
    return Arms(
        tuple(name for name, _ in chosen),
        tuple(weight / total for _, weight in chosen),
        tuple(f"\x00arm\x00{rule}\x00{name}".encode() for name, _ in chosen),
    )


def is_held_out(seed: str, token: str, share: float = HOLDOUT_SHARE) -> bool:
    """Whether the customer of that name is in the holdout, over all rules and for good.

    >>> sum(is_held_out("shop", str(number)) for number in range(10_000))
    485
    """
    return _uniform(_seed_of(seed), f"{token}\x00{HOLDOUT}".encode()) < share


def arm_of(seed: str, token: str, arms: Arms) -> str:
    """Arm of a customer who is not held out."""
    names, shares, keys = arms
    if len(names) == 1:
        return names[0]
    number, name = _seed_of(seed), token.encode()
    best, found = 0.0, ""
    for at, key in enumerate(keys):
        # The least of exponential waiting times at these rates: each arm wins by its share.
        score = -shares[at] / log(_uniform(number, name + key))
        if score > best:
            best, found = score, names[at]
    return found


def assign(seed: str, token: str, arms: Arms, holdout_share: float = HOLDOUT_SHARE) -> Assignment:
    """Place a customer; the propensities of HOLDOUT and all arms add up to one.

    >>> arms = arms_of("win_back", {"ten_percent": 1, "gift": 3})
    >>> assign("shop", "c1", arms)
    Assignment(arm='gift', propensity=0.7124999999999999)
    """
    if is_held_out(seed, token, holdout_share):
        return Assignment(HOLDOUT, holdout_share)
    arm = arm_of(seed, token, arms)
    share = arms.shares[arms.names.index(arm)]
    return Assignment(arm, (1.0 - max(holdout_share, 0.0)) * share)


def exposed(subject: Subject, at_ms: int) -> Subject:
    """Note that an assignment decided something at that time."""
    if subject.exposed_ms and subject.exposed_ms <= at_ms:
        return subject
    return Subject(subject.token, subject.seen_ms, at_ms, subject.mixed)


def merged(one: Subject, other: Subject) -> Subject:
    """Give the subject of two names of one person, whichever is merged into which.

    >>> phone, laptop = Subject("a", seen_ms=10), Subject("b", seen_ms=20, exposed_ms=30)
    >>> merged(phone, laptop).token, merged(laptop, phone).token
    ('b', 'b')
    """
    first, second = sorted((one, other), key=_precedence)
    both = bool(first.exposed_ms and second.exposed_ms and first.token != second.token)
    return Subject(
        first.token,
        first.seen_ms,
        first.exposed_ms,
        first.mixed or second.mixed or both,
    )


def _precedence(subject: Subject) -> tuple[int, int, str]:
    return subject.exposed_ms or _NEVER_MS, subject.seen_ms, subject.token


@lru_cache(maxsize=64)
def _seed_of(seed: str) -> int:
    return xxhash.xxh3_64_intdigest(seed.encode())


def _uniform(seed: int, key: bytes) -> float:
    """A number between 0 and 1, neither of them, by hash."""
    return ((xxhash.xxh3_64_intdigest(key, seed) >> 12) + 0.5) * 2.0**-52
