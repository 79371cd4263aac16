"""The words of a condition: from text to tokens, each with its place."""

import re
from dataclasses import dataclass
from typing import Any

from models.playbook.cel_tree import CelMistake

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
RESERVED = frozenset({"as", "break", "const", "continue", "else", "for", "function", "if"}) | {
    *("import", "let", "loop", "package", "namespace", "return", "var", "void", "while", "null")
}
_SPACE = re.compile(r"(?:[\t\n\f\r ]+|//[^\n]*)+")
_NUMBER = re.compile(
    r"(?P<hex>0x[0-9a-fA-F]+)|(?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+"
    r"|\.\d+(?:[eE][+-]?\d+)?)|(?P<int>\d+)",
    re.ASCII,
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGN = re.compile(r"&&|\|\||==|!=|<=|>=|[<>!?:+\-*/%()\[\],.]")
_TEXT = re.compile(r"(?P<raw>[rR])?(?P<quote>\"\"\"|'''|\"|')")
_ESCAPE = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\?\"'`])|[xX](?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})"
    r"|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2}))"
)
_PLAIN = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_OTHER_SIGNS = {"=": "==", "&": "&&", "|": "||", "and": "&&", "or": "||", "not": "!"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word: `kind` is "int", "double", "text", "word", "sign" or "end"."""

    kind: str
    at: int
    text: str
    value: Any = None


def tokens_of(text: str) -> list[Token]:
    """Words of a condition, the last of kind "end"; raises CelMistake."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
            continue
        token, at = _next(text, at)
        found.append(token)
    return [*found, Token("end", len(text), "")]


def _next(text: str, at: int) -> tuple[Token, int]:
    quoted = _TEXT.match(text, at)
    if quoted:
        return _text(text, at, quoted)
    number = _NUMBER.match(text, at)
    if number:
        return _number(text, at, number)
    for kind, pattern in (("word", _WORD), ("sign", _SIGN)):
        found = pattern.match(text, at)
        if found:
            word = found.group()
            if kind == "word" and word in RESERVED:
                raise CelMistake(at, f"{word} is no word of the language", value=word)
            return Token(kind, at, word, {"true": True, "false": False}.get(word)), found.end()
    sign = text[at]
    raise CelMistake(
        at,
        f"{sign!r} is no sign of the language",
        value=sign,
        expected=_OTHER_SIGNS.get(sign, ""),
    )


def _number(text: str, at: int, found: re.Match[str]) -> tuple[Token, int]:
    end = found.end()
    after = _WORD.match(text, end)
    if after or text[end : end + 1] == ".":
        rest = after.group() if after else "."
        raise CelMistake(
            at,
            f"{found.group()}{rest} is no number",
            value=found.group() + rest,
            expected="a number",
        )
    if found.lastgroup == "double":
        value = float(found.group())
        if value == float("inf"):
            raise CelMistake(at, "the number is too large", value=found.group())
        return Token("double", at, found.group(), value), end
    # The sign before it belongs to the parser, which knows that -2^63 is a number and 2^63 is none.
    digits = found.group()
    if len(digits) > 25 or int(digits, 16 if found.lastgroup == "hex" else 10) > INT_MAX + 1:
        raise CelMistake(at, "the number is too large", value=digits[:40])
    return Token("int", at, digits, int(digits, 16 if found.lastgroup == "hex" else 10)), end


def _text(text: str, at: int, opened: re.Match[str]) -> tuple[Token, int]:
    quote, is_raw = opened.group("quote"), bool(opened.group("raw"))
    letters: list[str] = []
    here = opened.end()
    while not text.startswith(quote, here):
        if here >= len(text) or (len(quote) == 1 and text[here] in "\r\n"):
            raise CelMistake(at, "the text has no end", value=text[at : at + 20], expected=quote)
        if text[here] == "\\" and not is_raw:
            letter, here = _escaped(text, here)
        else:
            letter, here = text[here], here + 1
        letters.append(letter)
    end = here + len(quote)
    return Token("text", at, text[at:end], "".join(letters)), end


def _escaped(text: str, at: int) -> tuple[str, int]:
    found = _ESCAPE.match(text, at)
    if not found:
        raise CelMistake(
            at, "no such escape in a text", value=text[at : at + 2], expected=r"\\ for a backslash"
        )
    name, digits = found.lastgroup, found.group(found.lastgroup or 0)
    if name == "plain":
        return _PLAIN[digits], found.end()
    code = int(digits, 8 if name == "octal" else 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise CelMistake(at, "no such character", value=found.group())
    return chr(code), found.end()
