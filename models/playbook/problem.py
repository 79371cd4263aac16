"""What is wrong with a playbook, and exactly where."""

from typing import Any

import msgspec

ERROR, WARNING = "error", "warning"
SHOWN_CHARS = 60
PROBLEMS_MAX = 300
"""More mistakes of a kind are not looked into: whoever made so many mends some first."""


class Place(msgspec.Struct, frozen=True, order=True):
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        """As compilers write it, so that editors can jump there."""
        return f"{self.file}:{self.line}:{self.column}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake or doubt: what stands there, what was expected, what was probably meant."""

    place: Place
    message: str
    value: str = ""
    expected: str = ""
    suggestion: str = ""
    severity: str = ERROR

    def __str__(self) -> str:
        """One line for a terminal."""
        said = f"{self.place}: {self.severity}: {self.message}"
        if self.value and self.value not in self.message:
            said += f": {shown(self.value)!r}"
        if self.expected:
            said += f"; expected {self.expected}"
        return _legible(said + (f"; did you mean {self.suggestion!r}?" if self.suggestion else ""))

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "severity": self.severity,
            "message": _legible(self.message),
            "value": self.value,
            "expected": _legible(self.expected),
            "suggestion": _legible(self.suggestion),
        }


def shown(value: str) -> str:
    """A value for a message: one line, not too long.

    >>> shown("a" * 70)[-3:]
    'aa…'
    """
    line = _legible(" ".join(value.split()))
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"


def _legible(text: str) -> str:
    """Text without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "�" for letter in text)
