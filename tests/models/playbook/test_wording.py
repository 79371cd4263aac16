"""The language of words: what it says, what it refuses, and what it can't be made to cost."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.playbook.wording import (
    LIST_ITEMS_MAX,
    VARIABLES,
    WORDS_CHARS_MAX,
    WordsBroken,
    bare_names_in,
    line_of,
    mistakes_in,
    names_in,
)

ITEMS = [{"name": "Teapot", "price": "9.90"}, {"name": "<Cup>", "price": ""}]


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("Hi {{ first_name }}!", {"first_name": "Anna"}, "Hi Anna!"),
        ("Hi {{ first_name }}!", {}, "Hi !"),
        ("Hi {{ first_name | default('you') }}!", {}, "Hi you!"),
        ("{{ offer_percent }}%", {"offer_percent": 10.0}, "10%"),
        ("{{ offer_percent }}%", {"offer_percent": 12.5}, "12.5%"),
        ("{{ tier | upper }}", {"tier": "loyal"}, "LOYAL"),
        ("{% if coupon %}Use {{ coupon }}.{% endif %}", {}, ""),
        ("{% if coupon %}Use {{ coupon }}.{% endif %}", {"coupon": "A1"}, "Use A1."),
        ("{% if orders > 3 %}many{% else %}few{% endif %}", {"orders": 4}, "many"),
        ("{% if orders > 3 %}many{% else %}few{% endif %}", {}, "few"),
        ("{{ 'VIP' if tier in ['loyal', 'vip'] else 'you' }}", {"tier": "vip"}, "VIP"),
        ("{% for item in recommended %}{{ item.name }}, {% endfor %}", {}, ""),
        (
            "{% for i in recommended %}{{ loop.index }} {{ i.name }} {{ i['price'] }};{% endfor %}",
            {"recommended": ITEMS},
            "1 Teapot 9.90;2 <Cup> ;",
        ),
        ("{{ recommended | join(' & ') }}", {"recommended": ITEMS}, "Teapot & <Cup>"),
        (
            "{% for i in recommended[:1] %}{{ i.name }}{% endfor %}",
            {"recommended": ITEMS},
            "Teapot",
        ),
        ("a {# not said #}b", {}, "a b"),
        ("{% raw %}{{ x }}{% endraw %}", {}, "{{ x }}"),
        ("100 {percent}", {}, "100 {percent}"),
    ],
)
def test_words_say_what_they_are_told(text: str, values: dict[str, object], said: str) -> None:
    assert line_of(text).fill(values) == said
    assert mistakes_in(text, []) == []


def test_on_a_page_everything_is_escaped_once() -> None:
    text = "<b> {{ first_name }} {{ '<i>' }} {{ recommended | join('&') }}"
    values = {"first_name": "<u>", "recommended": ITEMS}
    said = "&lt;b&gt; &lt;u&gt; &lt;i&gt; Teapot&amp;&lt;Cup&gt;"
    assert line_of(text, for_page=True).fill(values) == said
    assert line_of("a < b", for_page=True).fill({}) == "a &lt; b"


@pytest.mark.parametrize(
    ("text", "at", "message", "suggestion"),
    [
        ("Hi {{ frst_name }}", 6, "there is no 'frst_name'", "first_name"),
        ("a\n{{ tier }} {{ cupon }}", 16, "there is no 'cupon'", "coupon"),
        ("Hi {first_name}", 3, "one pair of braces is not filled in", "{{ first_name }}"),
        ("{{ tier }} and {{ tier ", 15, "unexpected end of template", ""),
        ("{{ tier }} {{ }}", 11, "expected an expression", ""),
        ("{{ tier }} {% if tier %} x", 11, "{% if %} is not closed", ""),
        ("{% foor x in recommended %}", 0, "there is no tag 'foor'", "for"),
        ("{{ tier | uper }}", 10, "there is no filter 'uper'", "upper"),
        ("{% if tier is definde %}{% endif %}", 14, "there is no test 'definde'", "defined"),
        ("{{ tier.name }}", 3, "tier has no parts", ""),
        ("{% for i in recommendd %}{% endfor %}", 12, "recommendd is no list", "recommended"),
        (
            "{% for i in recommended %}{{ i.nam }}{% endfor %}",
            31,
            "i has no 'nam'",
            "name",
        ),
        ("{{ recommended }}", 3, "recommended is a list", ""),
    ],
)
def test_a_mistake_is_told_where_it_stands(
    text: str, at: int, message: str, suggestion: str
) -> None:
    [mistake] = mistakes_in(text, [])
    assert message in mistake.message
    assert (mistake.at, mistake.suggestion) == (at, suggestion)


def test_a_name_of_the_messages_own_is_known() -> None:
    assert mistakes_in("{{ gift }}", ["gift"]) == []
    [mistake] = mistakes_in("{{ gift }}", [])
    assert "a default for it" in mistake.expected


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ first_name.__class__ }}",
    "{{ first_name['__class__'] }}",
    "{{ first_name | attr('__class__') }}",
    "{{ first_name.format(first_name) }}",
    "{{ '{0.__class__}'.format(first_name) }}",
    "{{ '%s' % first_name }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ namespace(a=1) }}",
    "{{ config }}{{ request.application }}",
    "{{ recommended | map(attribute='__class__') | list }}",
    "{{ [].append(1) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% set x = 1 %}",
    "{% filter upper %}x{% endfilter %}",
    "{% for item in recommended recursive %}{{ loop(recommended) }}{% endfor %}",
    "{% for i in recommended %}{{ i.__class__ }}{% endfor %}",
    "{% for i in recommended %}{{ loop.__init__ }}{% endfor %}",
    "{% call x() %}{% endcall %}",
    "{% with a = 1 %}{{ a }}{% endwith %}",
]
ENDLESS = [
    "{% for i in range(1000000000) %}x{% endfor %}",
    "{{ 'x' * 10000000000 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'x' | center(10000000000) }}",
    "{{ 'x' | indent(10000000000) }}",
    "{{ '%10000000000d' | format(1) }}",
    "{{ 'aa' | replace('a', 'aaaa') }}",
    "{{ [1, 2] | batch(100000000) | list }}",
    "{{" + "(" * 9_000 + "1" + ")" * 9_000 + "}}",
    "{{ " + "9" * 19_000 + " }}",
    "{{ " + "-" * 15_000 + "1 }}",
    "{% if tier %}" * 1_000 + "{% endif %}" * 1_000,
    "{% for i in recommended %}" * 500 + "x" + "{% endfor %}" * 500,
]


@pytest.mark.parametrize("text", ESCAPES + ENDLESS)
def test_what_reaches_out_of_the_sandbox_is_a_mistake_and_does_nothing(text: str) -> None:
    began = time.process_time()
    assert mistakes_in(text, ["x"]) != []
    with pytest.raises(WordsBroken):
        line_of(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in recommended %}{% for b in recommended %}" + "x" * 100 + "{% endfor %}" * 2,
        "{{ first_name ~ first_name }}" * 600,
        "{{ recommended | join('" + "y" * 5_000 + "') }}",
    ],
)
def test_words_that_would_become_too_long_are_ended(text: str) -> None:
    values = {"first_name": "x" * 120, "recommended": [{"name": "n"}] * LIST_ITEMS_MAX}
    with pytest.raises(WordsBroken, match=str(WORDS_CHARS_MAX)):
        line_of(text).fill(values)


def test_what_can_not_be_compared_breaks_without_telling_the_values() -> None:
    with pytest.raises(WordsBroken) as broken:
        line_of("{% if first_name > 3 %}{% endif %}").fill({"first_name": "Anna"})
    assert "Anna" not in repr(broken.value)
    assert broken.value.__cause__ is None


@given(
    text=st.lists(
        st.sampled_from(
            [
                *("{{", "}}", "{%", "%}", "{#", "#}", "if ", "for ", "in ", "recommended", "else"),
                *("endif", "endfor", " | ", "upper", "(", ")", "[", "]", ".", "'", "x", "~", "-"),
                *("first_name", "9", "*", "not ", "raw", "endraw", "{", "}", ",", ":", "==", "\n"),
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_any_text_is_either_right_and_fills_in_or_is_told_where_it_is_wrong(text: str) -> None:
    mistakes = mistakes_in(text, ["x"])
    assert all(0 <= one.at <= len(text) and one.message for one in mistakes)
    if not [one for one in mistakes if "one pair" not in one.message]:
        with suppress(WordsBroken):
            line_of(text).fill({"first_name": "Anna", "x": 1, "recommended": ITEMS})


def test_names_are_found_with_those_that_leave_a_hole() -> None:
    text = (
        "{{ first_name }}{{ tier | default('x') }}{% if coupon %}{{ coupon }}{{ offer }}{% endif %}"
        "{% for item in recommended %}{{ item.name }}{{ brand }}{% endfor %}{{ a if shop else b }}"
    )
    assert names_in(text) == {
        "first_name", "tier", "coupon", "offer", "recommended", "brand", "a", "shop", "b",
    }  # fmt: skip
    assert bare_names_in(text) == {"first_name", "offer", "brand", "a", "b"}
    assert names_in("{{ broken") == frozenset()


def test_every_variable_says_what_it_is() -> None:
    assert len(VARIABLES) > 10
    assert all(VARIABLES.values())
