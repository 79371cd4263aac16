"""The language of words: Jinja, cut down to what a sentence needs, in a sandbox all the same.

`{{ first_name }}`, a filter behind it, `{% if coupon %}`, `{% for item in recommended %}`; no
calls, no assignments, no arithmetic, loops over short lists only. So what words can cost is bounded
by how long they are, and `WORDS_CHARS_MAX` ends the rest. What `mistakes_in` finds, `line_of`
refuses: words that came in by another way than the check do no more than those that passed it.
"""

import html
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS

from models.playbook.closeness import closest, listed

VARIABLES: Mapping[str, str] = {
    "first_name": "how the customer wants to be called",
    "shop": "the shop's name",
    "tier": "the customer's tier, as rules call it",
    "tier_name": "the same, as the playbook tells it to customers",
    "orders": "how many orders the customer made",
    "days_silent": "days since the last order",
    "product": "the product it is about, by name",
    "product_id": "the same product's number in the shop",
    "category": "the product's category",
    "brand": "the product's brand",
    "price": "what the product costs",
    "product_rating": "its mean rating by customers, 1 to 5",
    "product_reviews": "how many reviews it has",
    "order_id": "the order it is about",
    "offer": "the offer's name in the playbook",
    "offer_percent": "percent off",
    "offer_amount": "amount off",
    "offer_spend": "amount from which it is off",
    "offer_min_order": "least amount of an order with it",
    "offer_gift": "the gift",
    "currency": "the shop's currency",
    "ticket_id": "the complaint it is about",
    "query": "what was searched for",
    "event": "the event's name, of the shop's own events",
    "coupon": "the coupon's code",
    "coupon_until": "the day on which the coupon ends",
    "unsubscribe_url": "where the customer can end these messages with one click",
}
"""What words may name without a default of their own; the fold and the dispatcher fill them in."""
LISTS: Mapping[str, tuple[str, ...]] = {
    "recommended": ("name", "product_id", "category", "price"),
    "reviews": ("text", "rating", "product_id"),
}
"""Lists to go through, with the parts of each item."""
LIST_ITEMS_MAX = 20
WORDS_CHARS_MAX = 20_000
LOOPS_MAX = 2
DEPTH_MAX = 30
LOOP = "loop"
LOOP_PARTS = ("index", "index0", "revindex", "first", "last", "length")
TAGS = ("if", "elif", "else", "endif", "for", "endfor", "raw", "endraw")
TESTS = ("defined", "undefined", "odd", "even")
_ONE_BRACE = re.compile(r"(?<!\{)\{\s*([a-z][a-z0-9_]*)\s*\}(?!\})")
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_UNCLOSED = re.compile(r"block that needs to be closed is '(\w+)'")
_QUOTED = re.compile(r"'([^']*)'")
_PLAIN = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.If,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Concat,
    nodes.List,
    nodes.Tuple,
    nodes.Neg,
    nodes.Keyword,
)
# Where a parser meets what it can't hold: too deep, or a number too long to be read.
_TOO_MUCH = (RecursionError, MemoryError, ValueError, OverflowError)


class WordsBroken(ValueError):
    """Words can't be filled in; the text holds nothing of the values."""


@dataclass(frozen=True)
class WordingMistake:
    """What is wrong in a text, at which of its characters."""

    at: int
    message: str
    value: str = ""
    expected: str = ""
    suggestion: str = ""


class _Missing(ChainableUndefined):
    """What is not known: empty where it is printed, and not so whatever it is compared with."""

    def _no(self, other: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _no  # type: ignore[assignment]


def _joined(items: Any, between: str = "", attribute: str = "name") -> str:
    """Parts of a list's items: of a list only, so that a text can't be made to grow by itself."""
    if not isinstance(items, list):
        return ""
    parts = [str(one.get(attribute, "")) for one in items if isinstance(one, dict)]
    return between.join(part for part in parts if part)


FILTERS = {
    **{
        name: JINJA_FILTERS[name]
        for name in (
            "capitalize",
            "count",
            "d",
            "default",
            "first",
            "float",
            "int",
            "last",
            "length",
            "lower",
            "round",
            "title",
            "trim",
            "truncate",
            "upper",
        )
    },
    "join": _joined,
}


def shown_value(value: Any) -> Any:
    """How a value reads in a sentence: numbers as people write them, what is no text as nothing."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else value


@cache
def _environment(*, for_page: bool) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        autoescape=for_page,
        undefined=_Missing,
        finalize=shown_value,
        keep_trailing_newline=True,
        cache_size=0,
    )
    made.globals.clear()
    made.filters = dict(FILTERS)
    made.tests = {name: JINJA_TESTS[name] for name in TESTS}
    return made


class Line:
    """A text ready to be filled in; one for a page escapes what it is filled with."""

    def __init__(self, text: str, template: Template | None) -> None:
        self._text = text
        self._template = template

    def fill(self, values: Mapping[str, Any]) -> str:
        """The text with its values; raises WordsBroken, also when it would become too long."""
        if self._template is None:
            return self._text
        pieces, length = [], 0
        try:
            for piece in self._template.generate(values):
                pieces.append(piece)
                length += len(piece)
                if length > WORDS_CHARS_MAX:
                    raise WordsBroken(f"more than {WORDS_CHARS_MAX} characters")
        except (TemplateError, TypeError, ArithmeticError, AttributeError) as error:
            raise WordsBroken(type(error).__name__) from None
        return "".join(pieces)


def line_of(text: str, *, for_page: bool = False) -> Line:
    """Make a text ready; raises WordsBroken for what is not in the language.

    >>> line_of("Hi {{ first_name }}").fill({"first_name": "Anna"})
    'Hi Anna'
    """
    if "{" not in text:
        return Line(html.escape(text) if for_page else text, None)
    environment = _environment(for_page=for_page)
    try:
        tree = environment.parse(text)
        for mistake in _Reading(text, None).mistakes(tree):
            raise WordsBroken(mistake.message)
        if for_page:
            for literal in tree.find_all(nodes.TemplateData):
                literal.data = html.escape(literal.data)
        code = environment.compile(tree)
    except (TemplateSyntaxError, *_TOO_MUCH) as error:
        if isinstance(error, WordsBroken):
            raise
        raise WordsBroken("not in the language of words") from None
    return Line(text, Template.from_code(environment, code, {}))


def mistakes_in(text: str, names: Collection[str]) -> list[WordingMistake]:
    """Everything wrong in a text that may name `names`, VARIABLES and LISTS."""
    known = {*VARIABLES, *LISTS, *names}
    found = [
        WordingMistake(
            one.start(),
            "one pair of braces is not filled in",
            one[0],
            "two pairs of braces",
            f"{{{{ {one[1]} }}}}",
        )
        for one in _ONE_BRACE.finditer(text)
        if one[1] in known
    ]
    if "{" not in text:
        return found
    try:
        tree = _environment(for_page=False).parse(text)
    except TemplateSyntaxError as error:
        return [*found, _syntax_mistake(text, error)]
    except _TOO_MUCH:
        return [*found, WordingMistake(0, "something is too long or too deep to be read")]
    return [*found, *_Reading(text, known).mistakes(tree)]


def names_in(text: str) -> frozenset[str]:
    """Names that a right text speaks of, those of loops left out."""
    return _tree_names(text)[0]


def bare_names_in(text: str) -> frozenset[str]:
    """Names a right text prints without asking for them, so that their absence leaves a hole."""
    return _tree_names(text)[1]


def _tree_names(text: str) -> tuple[frozenset[str], frozenset[str]]:
    if "{" not in text:
        return frozenset(), frozenset()
    try:
        tree = _environment(for_page=False).parse(text)
    except (TemplateSyntaxError, *_TOO_MUCH):
        return frozenset(), frozenset()
    targets = {str(getattr(one.target, "name", "")) for one in tree.find_all(nodes.For)} | {LOOP}
    names = frozenset(one.name for one in tree.find_all(nodes.Name)) - targets
    return names, frozenset(_bare(tree, frozenset(targets)))


def _bare(node: nodes.Node, asked: frozenset[str]) -> Iterator[str]:
    """Names that are printed without a default and outside every question for them."""
    if isinstance(node, nodes.If | nodes.CondExpr):
        asked |= {one.name for one in node.test.find_all(nodes.Name)} | (
            {node.test.name} if isinstance(node.test, nodes.Name) else set()
        )
        for child in node.iter_child_nodes(exclude=("test",)):
            yield from _bare(child, asked)
    elif isinstance(node, nodes.Filter) and node.name in ("default", "d"):
        return
    elif isinstance(node, nodes.Name):
        if node.name not in asked and node.name not in LISTS:
            yield node.name
    else:
        for child in node.iter_child_nodes():
            yield from _bare(child, asked)


def _syntax_mistake(text: str, error: TemplateSyntaxError) -> WordingMistake:
    message = (error.message or "").strip().rstrip(".")
    named = _QUOTED.search(message)
    if "unknown tag" in message and named:
        expected = f"one of {listed(TAGS)}"
        meant = closest(named[1], TAGS)
        at = _tag_at(text, error.lineno, named[1])
        return WordingMistake(at, f"there is no tag {named[1]!r}", named[1], expected, meant)
    if unclosed := _UNCLOSED.search(message):
        tag = f"{{% {unclosed[1]} %}}"
        begins = [one.start() for one in _TAG.finditer(text) if _tag_word(one[0]) == unclosed[1]]
        at = begins[-1] if begins else 0
        return WordingMistake(at, f"{tag} is not closed", tag, f"{{% end{unclosed[1]} %}}")
    return WordingMistake(_tag_at(text, error.lineno, ""), message[:1].lower() + message[1:])


def _tag_word(tag: str) -> str:
    return next(iter(tag.strip("{}%-+ \n\t").split()), "")


def _tag_at(text: str, line: int, word: str) -> int:
    """Begin of the tag that can't be read: alone it can't either, or it stands in that line."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    opened = max(text.rfind("{{"), text.rfind("{%"))
    if opened >= 0 and not _TAG.match(text, opened):
        return opened
    tags = list(_TAG.finditer(text))
    for tag in tags:
        if word and _tag_word(tag[0]) == word:
            return tag.start()
        if not word and tag[0].startswith("{{") and not _reads(tag[0]):
            return tag.start()
    return next((tag.start() for tag in tags if tag.start() >= start), start)


def _reads(text: str) -> bool:
    try:
        _environment(for_page=False).parse(text)
    except (TemplateSyntaxError, *_TOO_MUCH):
        return False
    return True


class _Reading:
    """One look through the tree of a text; without `known` any name will do."""

    def __init__(self, text: str, known: Collection[str] | None) -> None:
        self._text = text
        self._known = known
        self._said: set[tuple[str, int]] = set()

    def mistakes(self, tree: nodes.Template) -> Iterator[WordingMistake]:
        """All mistakes, the same name in a line once."""
        for mistake in self._walk(tree, {}, 0, 0):
            if (mistake.message, mistake.at) not in self._said:
                self._said.add((mistake.message, mistake.at))
                yield mistake

    def _walk(
        self, node: nodes.Node, items: Mapping[str, tuple[str, ...]], loops: int, depth: int
    ) -> Iterator[WordingMistake]:
        """`items` are the loops' own names with the parts that each has."""
        if depth > DEPTH_MAX:
            yield WordingMistake(self._line_at(node), "this is nested too deep")
            return
        below: Collection[nodes.Node] = list(node.iter_child_nodes())
        if isinstance(node, nodes.For):
            yield from self._loop(node, items, loops, depth)
            return
        if isinstance(node, nodes.Name):
            yield from self._name(node, items)
        elif isinstance(node, nodes.Getattr | nodes.Getitem):
            yield from self._part(node, items)
            return
        elif isinstance(node, nodes.Filter):
            yield from self._word(node, node.name, FILTERS, "filter")
        elif isinstance(node, nodes.Test):
            yield from self._word(node, node.name, TESTS, "test")
        elif not isinstance(node, _PLAIN):
            what = type(node).__name__.lower()
            expected = "names, filters, if and for"
            yield WordingMistake(self._line_at(node), f"{what} is not for words", what, expected)
            return
        if isinstance(node, nodes.Output):
            for one in node.nodes:
                if isinstance(one, nodes.Name) and one.name in LISTS:
                    yield WordingMistake(
                        self._word_at(one.name, one.lineno),
                        f"{one.name} is a list",
                        one.name,
                        f"{{% for item in {one.name} %}} or {{{{ {one.name} | join(', ') }}}}",
                    )
        for child in below:
            yield from self._walk(child, items, loops, depth + 1)

    def _loop(
        self, node: nodes.For, items: Mapping[str, tuple[str, ...]], loops: int, depth: int
    ) -> Iterator[WordingMistake]:
        source = node.iter
        if isinstance(source, nodes.Getitem) and isinstance(source.arg, nodes.Slice):
            source = source.node
        name = source.name if isinstance(source, nodes.Name) else ""
        if name not in LISTS or not isinstance(node.target, nodes.Name) or node.recursive:
            yield WordingMistake(
                self._word_at(name, node.lineno) if name else self._line_at(node),
                f"{name} is no list" if name else "this can't be gone through",
                name,
                f"{{% for item in ... %}} over one of {listed(LISTS)}",
                closest(name, LISTS) if name else "",
            )
            return
        if loops >= LOOPS_MAX:
            yield WordingMistake(
                self._line_at(node), "loops are nested too deep", "", f"{LOOPS_MAX} at most"
            )
            return
        inside = {**items, node.target.name: LISTS[name], LOOP: LOOP_PARTS}
        for child in [*node.body, *([node.test] if node.test else [])]:
            yield from self._walk(child, inside, loops + 1, depth + 1)
        for child in node.else_:
            yield from self._walk(child, items, loops, depth + 1)

    def _name(
        self, node: nodes.Name, items: Mapping[str, tuple[str, ...]]
    ) -> Iterator[WordingMistake]:
        if self._known is None or node.name in self._known or node.name in items:
            return
        known = sorted({*self._known, *items})
        yield WordingMistake(
            self._word_at(node.name, node.lineno),
            f"there is no {node.name!r}",
            node.name,
            f"one of {listed(known, 12)}, or a default for it",
            closest(node.name, known),
        )

    def _part(
        self, node: nodes.Getattr | nodes.Getitem, items: Mapping[str, tuple[str, ...]]
    ) -> Iterator[WordingMistake]:
        owner = node.node
        if isinstance(node, nodes.Getattr):
            part = node.attr
        elif isinstance(node.arg, nodes.Const):
            part = str(node.arg.value)
        else:
            part = ""
        if isinstance(owner, nodes.Name) and owner.name in items:
            parts = items[owner.name]
            if part in parts:
                return
            yield WordingMistake(
                self._word_at(part, node.lineno),
                f"{owner.name} has no {part!r}",
                part,
                f"one of {listed(parts)}",
                closest(part, parts),
            )
            return
        name = owner.name if isinstance(owner, nodes.Name) else "this"
        at = self._word_at(name, node.lineno) if name != "this" else self._line_at(node)
        yield WordingMistake(at, f"{name} has no parts", part, "a name without . or [")

    def _word(
        self, node: nodes.Expr, word: str, known: Collection[str], what: str
    ) -> Iterator[WordingMistake]:
        if word in known:
            return
        yield WordingMistake(
            self._word_at(word, node.lineno),
            f"there is no {what} {word!r}",
            word,
            f"one of {listed(sorted(known), 20)}",
            closest(word, known),
        )

    def _line_at(self, node: nodes.Node) -> int:
        return _tag_at(self._text, node.lineno, "\n")

    def _word_at(self, word: str, line: int) -> int:
        """First place of a word inside a tag, from its line on."""
        start = 0
        for _ in range(line - 1):
            start = self._text.find("\n", start) + 1
        pattern = re.compile(rf"(?<![\w'\"]){re.escape(word)}(?!\w)")
        for tag in _TAG.finditer(self._text):
            if tag.end() > start and (found := pattern.search(self._text, tag.start(), tag.end())):
                return found.start()
        return start
