"""From the words of a condition to its tree: CEL's own grammar, cut to the subset."""

from collections.abc import Callable

from models.playbook.cel_tokens import INT_MAX, Token, tokens_of
from models.playbook.cel_tree import (
    Binary,
    Call,
    CelMistake,
    Choice,
    Entry,
    Field,
    Has,
    Items,
    Literal,
    Logic,
    Node,
    Unary,
)

CHARS_MAX = 4_000
DEPTH_MAX = 40
ROOTS = ("customer", "event")
FUNCTIONS = {"size": 1, "double": 1, "int": 1}
METHODS = {"startsWith": 1, "endsWith": 1, "contains": 1, "size": 0}
_RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_TOO_DEEP = "the condition is nested too deeply"
_MEANT = {"and": "&&", "or": "||", "not": "!", "True": "true", "False": "false"}


def parse(text: str) -> Node:
    """Tree of a condition; raises CelMistake, which says where."""
    if len(text) > CHARS_MAX:
        raise CelMistake(CHARS_MAX, "the condition is too long", expected=f"{CHARS_MAX} characters")
    if not text.strip():
        raise CelMistake(0, "there is no condition here", expected="a condition")
    parser = _Parser(tokens_of(text))
    tree = parser.choice()
    parser.expect_end()
    return tree


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    @property
    def _here(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._here
        self._place += token.kind != "end"
        return token

    def _takes(self, *signs: str) -> Token | None:
        here = self._here
        return self._take() if here.kind in {"sign", "word"} and here.text in signs else None

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._unexpected(repr(sign))

    def _unexpected(self, expected: str) -> CelMistake:
        here = self._here
        if here.kind == "end":
            return CelMistake(here.at, "the condition ends too early", expected=expected)
        meant = _MEANT.get(here.text)
        return CelMistake(
            here.at,
            f"{here.text[:40]} can't stand here",
            value=here.text[:40],
            expected=repr(meant) if meant else expected,
        )

    def expect_end(self) -> None:
        if self._here.kind != "end":
            raise self._unexpected("'&&', '||' or the end")

    def choice(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise CelMistake(self._here.at, _TOO_DEEP)
        condition = self._logic("||")
        asked = self._takes("?")
        if asked:
            one = self._logic("||")
            self._expect(":")
            condition = Choice(asked.at, condition, one, self.choice())
        self._depth -= 1
        return condition

    def _logic(self, sign: str) -> Node:
        parts = [self._logic("&&") if sign == "||" else self._relation()]
        at = self._here.at
        while self._takes(sign):
            parts.append(self._logic("&&") if sign == "||" else self._relation())
        return parts[0] if len(parts) == 1 else Logic(at, sign, tuple(parts))

    def _relation(self) -> Node:
        return self._chain(self._sum, *_RELATIONS)

    def _sum(self) -> Node:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Node:
        return self._chain(self._unary, "*", "/", "%")

    def _chain(self, operand: Callable[[], Node], *signs: str) -> Node:
        left = operand()
        for _ in range(DEPTH_MAX):
            found = self._takes(*signs)
            if not found:
                return left
            left = Binary(found.at, found.text, left, operand())
        raise CelMistake(self._here.at, _TOO_DEEP)

    def _unary(self) -> Node:
        first = self._takes("!", "-")
        if not first:
            return self._member()
        places = [first.at]
        while again := self._takes(first.text):
            places.append(again.at)
        if len(places) > DEPTH_MAX:
            raise CelMistake(first.at, _TOO_DEEP)
        operand = self._negative(places) if first.text == "-" else self._member()
        for at in reversed(places):
            operand = Unary(at, first.text, operand)
        return operand

    def _negative(self, places: list[int]) -> Node:
        """Take the last minus into a number behind it: only so the smallest one can be written."""
        here = self._here
        if here.kind not in {"int", "double"}:
            return self._member()
        self._take()
        return Literal(places.pop(), -here.value)

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._takes("."):
                node = self._selected(node)
            elif opened := self._takes("["):
                node = self._indexed(node, opened)
            else:
                return self._whole(node)

    def _whole(self, node: Node) -> Node:
        if isinstance(node, Field) and node.name in ROOTS:
            raise CelMistake(
                node.at, f"{node.name} has fields", value=node.name, expected=f"{node.name}.FIELD"
            )
        return node

    def _selected(self, node: Node) -> Node:
        word = self._take()
        if word.kind != "word" or word.text in {"true", "false", "in"}:
            self._place -= word.kind != "end"
            raise self._unexpected("a name")
        if self._takes("("):
            return self._method(node, word)
        if isinstance(node, Field):
            if node.name in ROOTS:
                return Field(node.at, f"{node.name}.{word.text}")
            return Entry(node.at, node, word.text)
        raise CelMistake(word.at, f".{word.text} can't be asked of this", value=word.text)

    def _method(self, node: Node, word: Token) -> Node:
        if word.text not in METHODS:
            raise CelMistake(
                word.at,
                f"{word.text} is no function of the language",
                value=word.text,
                expected="one of " + ", ".join(METHODS),
            )
        arguments = self._arguments(word, METHODS[word.text])
        return Call(word.at, word.text, (self._whole(node), *arguments))

    def _indexed(self, node: Node, opened: Token) -> Node:
        key = self._take()
        self._expect("]")
        if isinstance(node, Field) and node.name not in ROOTS and key.kind == "text":
            return Entry(node.at, node, key.value)
        raise CelMistake(
            opened.at, "only entries of a map have names", expected='customer.traits["name"]'
        )

    def _arguments(self, word: Token, wanted: int) -> tuple[Node, ...]:
        arguments: list[Node] = []
        while not self._takes(")"):
            if arguments:
                self._expect(",")
            arguments.append(self.choice())
        if len(arguments) != wanted:
            raise CelMistake(
                word.at,
                f"{word.text} takes {wanted} arguments, not {len(arguments)}",
                value=word.text,
                expected=f"{wanted} arguments",
            )
        return tuple(arguments)

    def _primary(self) -> Node:
        token = self._take()
        if token.kind in {"int", "double", "text"}:
            if token.kind == "int" and token.value > INT_MAX:
                raise CelMistake(token.at, "the number is too large", value=token.text)
            return Literal(token.at, token.value)
        if token.kind == "word" and token.text != "in":
            return self._named(token)
        if token.text == "(":
            inner = self.choice()
            self._expect(")")
            return inner
        if token.text == "[":
            return self._items(token)
        self._place -= token.kind != "end"
        raise self._unexpected("a field, a number, a text or '('")

    def _named(self, word: Token) -> Node:
        if word.text in {"true", "false"}:
            return Literal(word.at, word.value)
        if not self._takes("("):
            return Field(word.at, word.text)
        if word.text == "has":
            return self._has(word)
        if word.text not in FUNCTIONS:
            raise CelMistake(
                word.at,
                f"{word.text} is no function of the language",
                value=word.text,
                expected="one of has, " + ", ".join(FUNCTIONS),
            )
        return Call(word.at, word.text, self._arguments(word, FUNCTIONS[word.text]))

    def _has(self, word: Token) -> Node:
        (asked,) = self._arguments(word, 1)
        if not isinstance(asked, Field | Entry) or "." not in _name_of(asked):
            raise CelMistake(word.at, "has(...) asks for a field", expected="has(customer.FIELD)")
        return Has(word.at, asked)

    def _items(self, opened: Token) -> Node:
        items: list[Node] = []
        while not self._takes("]"):
            if items:
                self._expect(",")
                if self._takes("]"):
                    break
            items.append(self.choice())
        return Items(opened.at, tuple(items))


def _name_of(node: Field | Entry) -> str:
    return node.name if isinstance(node, Field) else f"{node.field.name}.{node.key}"
