"""Which offset may be committed while records finish in another order than they came."""


class OpenOffsets:
    """The offsets of one partition that are under way, in the order they came.

    >>> offsets = OpenOffsets()
    >>> offsets.begin(4); offsets.begin(7); offsets.end(7)
    >>> offsets.committable(8)
    4
    >>> offsets.end(4); offsets.committable(8)
    8
    """

    def __init__(self) -> None:
        self._open: dict[int, None] = {}

    def begin(self, offset: int) -> None:
        """Note a record that was read; offsets must rise. Raises ValueError when they do not."""
        latest = next(reversed(self._open), -1)
        if offset <= latest:
            raise ValueError(f"offset {offset} came after {latest}: offsets must rise")
        self._open[offset] = None

    def end(self, offset: int) -> None:
        """Note that nothing more needs to be done about a record; raises KeyError if none began."""
        del self._open[offset]

    def committable(self, position: int) -> int:
        """First offset to read again after a crash now; `position` is the reader's next one."""
        return next(iter(self._open), position)
