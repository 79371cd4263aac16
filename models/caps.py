"""How often one customer may be written to, over all channels and on each.

A cap is exact: within no stretch of its window, however it is laid, are there more messages than
its count. For that the last messages of each channel are remembered, as many as the largest count
asks for; the row's size is bounded by the caps, not by the customer. Times may come late and out
of order. A cap that is raised or lengthened knows only what was remembered under the former ones.
"""

from array import array
from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

COUNT_AT_MOST = 1_000
_REMEMBERED_AT_LEAST = 8


class Cap(msgspec.Struct, frozen=True):
    """At most `count` messages within any `window_ms`; `channels` empty: over all channels."""

    count: int
    window_ms: int
    channels: tuple[str, ...] = ()


class Sent(msgspec.Struct, array_like=True, gc=False):
    """When messages went out: of each channel the last times, sorted, eight bytes each."""

    times: dict[str, bytes] = {}


class Capped(NamedTuple):
    """The cap that stands in the way longest, and when it no longer does."""

    cap: Cap
    until_ms: int


class Caps:
    """A shop's caps, sorted by what they ask of a row."""

    __slots__ = ("_of", "_over_all", "all", "remembered")

    def __init__(self, caps: Iterable[Cap]) -> None:
        """ValueError for a count that is not 0 to 1,000, or a window of no length."""
        self.all = tuple(caps)
        for cap in self.all:
            if not (0 <= cap.count <= COUNT_AT_MOST and cap.window_ms > 0):
                raise ValueError(f"a cap allows 0 to {COUNT_AT_MOST} within some time: {cap}")
        self._over_all = [cap for cap in self.all if not cap.channels]
        self._of: dict[str, list[Cap]] = {}
        for cap in self.all:
            for channel in dict.fromkeys(cap.channels):
                self._of.setdefault(channel, []).append(cap)
        self.remembered = max([_REMEMBERED_AT_LEAST, *(cap.count for cap in self.all)])

    def standing(self, sent: Sent, channel: str, at_ms: int) -> Capped | None:
        """Say which cap forbids a message on a channel at that time; None: it may go.

        A window is over when exactly its length has passed.

        >>> caps, sent = Caps([Cap(1, 1_000)]), Sent()
        >>> note(caps, sent, "email", 5)
        >>> caps.standing(sent, "sms", 1_004).until_ms, caps.standing(sent, "sms", 1_005)
        (1005, None)
        """
        worst: Capped | None = None
        for cap in self._of.get(channel, ()):
            worst = _worse(cap, _times_over(sent, cap.channels), at_ms, worst)
        if self._over_all:
            times = _all_times(sent)
            for cap in self._over_all:
                worst = _worse(cap, times, at_ms, worst)
        return worst


def note(caps: Caps, sent: Sent, channel: str, at_ms: int) -> None:
    """Remember a message; what no cap can ask for any more is forgotten."""
    times = _times(sent, channel)
    insort(times, at_ms)
    del times[: -caps.remembered]
    sent.times = {**sent.times, channel: times.tobytes()}


def take_back(sent: Sent, channel: str, at_ms: int) -> bool:
    """Forget a message that did not go out after all; says whether it was remembered."""
    times = _times(sent, channel)
    at = bisect_right(times, at_ms) - 1
    if at < 0 or times[at] != at_ms:
        return False
    del times[at]
    left = {**sent.times, channel: times.tobytes()}
    sent.times = {name: packed for name, packed in left.items() if packed}
    return True


def merged(caps: Caps, one: Sent, other: Sent) -> Sent:
    """What was sent to two names of one person."""
    both = Sent()
    for channel in sorted(one.times.keys() | other.times.keys()):
        times = array("q", sorted([*_times(one, channel), *_times(other, channel)]))
        both.times[channel] = times[-caps.remembered :].tobytes()
    return both


def _times(sent: Sent, channel: str) -> "array[int]":
    return array("q", sent.times.get(channel, b""))


def _times_over(sent: Sent, channels: tuple[str, ...]) -> Sequence[int]:
    return _in_order([times for name, times in sent.times.items() if name in channels])


def _all_times(sent: Sent) -> Sequence[int]:
    return _in_order(list(sent.times.values()))


def _in_order(packed: list[bytes]) -> Sequence[int]:
    """Times of several channels; the last n of all are among the last n of each."""
    if not packed:
        return ()
    return array("q", packed[0]) if len(packed) == 1 else sorted(array("q", b"".join(packed)))


def _worse(cap: Cap, times: Sequence[int], at_ms: int, worst: Capped | None) -> Capped | None:
    if not cap.count:
        until_ms = at_ms + cap.window_ms
    elif len(times) >= cap.count:
        until_ms = times[-cap.count] + cap.window_ms
    else:
        return worst
    if until_ms <= at_ms or (worst is not None and until_ms <= worst.until_ms):
        return worst
    return Capped(cap, until_ms)
