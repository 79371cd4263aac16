"""Read as much of an SQL statement as the HTTP front must know: its kind, and where data begin."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""
      (?P<space>\s+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/)
    | (?P<quoted>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*`)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_AFTER_FORMAT = re.compile(rb"[ \t\f]*\r?\n?")
_ANSWERING = {b"SELECT", b"WITH", b"SHOW", b"DESCRIBE", b"DESC", b"EXPLAIN", b"EXISTS", b"CHECK"}
_OF_SESSION = {b"SET", b"USE"}
_DEFINING = {b"CREATE", b"ALTER", b"RENAME"}


@dataclass(frozen=True)
class Statement:
    """A statement as the engine wants it; `blob` and `blob_format` only of an INSERT with data."""

    text: bytes
    answers: bool = False
    alters_session: bool = False
    defines: bool = False
    blob: bytes | None = None
    blob_format: str = ""


def read(text: bytes) -> Statement:
    r"""Tell what `text` is, and part an `INSERT … FORMAT x` from the data that follow it.

    >>> read(b"select 1").answers
    True
    >>> read(b"INSERT INTO t (a) FORMAT CSV\n1\n2\n")  # doctest: +NORMALIZE_WHITESPACE
    Statement(text=b'INSERT INTO t (a)', answers=False, alters_session=False,
              defines=False, blob=b'1\n2\n', blob_format='CSV')
    """
    first = b""
    depth = 0
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        token = match.group().upper()
        if match.lastgroup == "other":
            depth += (token == b"(") - (token == b")")
        if match.lastgroup != "word":
            continue
        if not first:
            first = token
            if first != b"INSERT":
                return _plain(text, first)
        elif depth == 0 and token in (b"VALUES", b"SELECT", b"WITH"):
            break
        elif depth == 0 and token == b"FORMAT":
            return _parted(text, match.start(), position)
    return Statement(text)


def _plain(text: bytes, first: bytes) -> Statement:
    opening = text[:400].upper().split()
    temporary = first == b"CREATE" and b"TEMPORARY" in opening[:6]
    return Statement(
        text, first in _ANSWERING, first in _OF_SESSION or temporary, first in _DEFINING
    )


def _parted(text: bytes, start: int, end: int) -> Statement:
    name = re.compile(rb"\s+(\w+)").match(text, end)
    if name is None or name.group(1).upper() == b"VALUES":
        return Statement(text)
    data = _AFTER_FORMAT.match(text, name.end())
    begins = data.end() if data else name.end()
    return Statement(
        text[:start].rstrip(), blob=text[begins:], blob_format=name.group(1).decode("ascii")
    )
