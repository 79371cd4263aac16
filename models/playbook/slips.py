"""Slips that make a file no YAML, in words of whoever wrote it, not of the parser.

The parser tells what it missed, often lines behind the slip: a tab, a space or a colon of another
kind, a text that holds a colon. What was expected is guessed from the line and the complaint.
"""

import re
import unicodedata

QUOTES_AROUND = "quotes around the whole value, or the value in a line of its own behind |"
NO_TAGS = "plain YAML; what begins with ! stands in quotes"
_PARTLY_QUOTED = re.compile(r""":\s+('[^']*'|"[^"]*")\s+[^\s#,}]""")
_COLON_IN_TEXT = re.compile(r"""^[^:"'#]*:\s+[^"'\s|>\[{][^"']*:\s""")
_INDENT = re.compile(r"\s*")
_WIDE_COLON = "："
_EXPECTED = {
    "scanning a tag": NO_TAGS,
    "found unexpected end of stream": "a quote that ends",
    "did not find expected key": "the keys of a block in one column, and quotes that end",
    "could not find expected ':'": "NAME: VALUE, with a colon and a space",
    "mapping values are not allowed": "the keys of a block in one column, one a line",
    "cannot start any token": "quotes around what begins with such a sign",
    "did not find expected ',' or ']'": "a comma between two entries, ] behind the last",
    "did not find expected ',' or '}'": "a comma between two entries, } behind the last",
}


def complaint(problem: str, context: str, begun_line: int, wrong_line: int) -> str:
    """Parser's own words, with the line in which began what it was in the midst of."""
    begun = bool(context) and begun_line < wrong_line
    since = f" that began in line {begun_line}" if begun else ""
    return f"this is no YAML: {problem}" + (f" {context}{since}" if context else "")


def slip(lines: list[str], line: int, column: int, complained: str) -> tuple[str, str]:
    r"""What was slipped into near this place (1 is the first) and expected; "" where unknown.

    >>> slip(["a:", "\tb: 1"], 2, 1, "found character that cannot start any token")
    ('a tab stands here', 'spaces: YAML does not take tabs in front of a line')
    """
    text = lines[line - 1] if line <= len(lines) else ""
    if text[column - 1 : column] == "\t":
        return "a tab stands here", "spaces: YAML does not take tabs in front of a line"
    near = lines[max(0, line - 2) : line]
    for one in near:
        for sign in _INDENT.match(one).group():  # type: ignore[union-attr]  # it may be empty
            if sign not in " \t":
                return "", f"plain spaces in front of a line, not U+{ord(sign):04X}"
        if _WIDE_COLON in one and ":" not in one:
            return "", f"NAME: VALUE, with a plain colon and a space, not {_WIDE_COLON}"
    if _PARTLY_QUOTED.search(text) or _COLON_IN_TEXT.search(text):
        return "", QUOTES_AROUND
    return "", next((said for sign, said in _EXPECTED.items() if sign in complained), "")


def named_sign(sign: str) -> str:
    r"""A sign that can't be seen, by number and name.

    >>> named_sign("\x00"), named_sign("\ufffe")
    ('U+0000', 'U+FFFE')
    """
    name = unicodedata.name(sign, "")
    return f"U+{ord(sign):04X}" + (f" {name}" if name else "")
