"""The words of a playbook, checked: mistakes with their places, and doubts."""

import pytest

from models.playbook.check import check
from models.playbook.playbook import Playbook
from models.playbook.problem import Problem
from models.playbook.words import number_or_text

HEAD = """\
shop: {time_zone: UTC, currency: EUR}
offers:
  ten: {percent: 10%, valid_for: 30d}
triggers:
  hello:
    when: {event: order_completed}
    then:
      - message: hello
        channels: [email]
        STEP
messages:
  hello:
    consent: service
    words:
      en:
"""


def checked(words: str, step: str = "expires: 1d") -> tuple[Playbook | None, list[Problem]]:
    lines = "".join(f"        {line}\n" for line in words.splitlines())
    found = check("p.yaml", (HEAD.replace("STEP", step) + lines).encode())
    return found.playbook, list(found.problems)


GOOD = """\
subject: "Hi"
paragraphs: ["{{ first_name }}"]
defaults: {first_name: you}
"""


def test_words_with_a_default_for_each_name_are_right() -> None:
    book, problems = checked(GOOD)
    assert book is not None
    assert problems == []


@pytest.mark.parametrize(
    ("words", "place", "said", "suggestion"),
    [
        ('subject: "Hi {{ frst_name }}"', "p.yaml:16:25", "there is no 'frst_name'", "first_name"),
        ("subject: Hi {{ first_name", "p.yaml:16:21", "unexpected end of template", ""),
        ('subject: "Hi {first_name}"', "p.yaml:16:22", "one pair of braces", "{{ first_name }}"),
        (
            "subject: Hi\nparagraphs:\n  - one\n  - |\n    two\n    {{ tier | uper }}",
            "p.yaml:21:23",
            "no filter 'uper'",
            "upper",
        ),
        (
            "subject: '{% if first_name > 3 %}x{% endif %}'\ndefaults: {first_name: you}",
            "p.yaml:16:19",
            "a text and a number are compared",
            "",
        ),
        (
            "short: '{% for a in recommended %}{% for b in recommended %}" + "x" * 60
            + "{% endfor %}{% endfor %}'",
            "p.yaml:16:17",
            "they can become more than",
            "",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_the_words_is_told_with_its_place(
    words: str, place: str, said: str, suggestion: str
) -> None:
    book, problems = checked(words)
    assert book is None
    [problem] = [one for one in problems if one.severity == "error"]
    assert str(problem.place) == place
    assert problem.message.startswith("in these words ")
    assert said in problem.message
    assert problem.suggestion == suggestion


def test_mistakes_are_told_beside_others_and_each_text_for_itself() -> None:
    book, problems = checked('subject: "{{ a }}"\ngreeting: "{{ b }}"\nsubjekt: x')
    assert book is None
    assert len(problems) == 3


def test_a_variable_of_the_step_is_known_to_the_words() -> None:
    words = 'subject: "{{ gift }}"\nparagraphs: x'
    assert checked(words)[0] is None
    assert checked(words, 'variables: {gift: "a mug"}')[1] == []


@pytest.mark.parametrize(
    ("subject", "step", "doubt"),
    [
        ("{{ first_name }}", "expires: 1d", "first_name has no default"),
        ("{{ coupon }}", "expires: 1d", "coupon has no default"),
        ("{{ coupon }}", "offer: ten", ""),
        ("{% if coupon %}{{ coupon }}{% endif %}", "expires: 1d", ""),
        ("{{ shop }}", "expires: 1d", ""),
        ("Hi", "recommend: 3", "recommended come with this message"),
        ("{{ recommended | join(', ') }}", "recommend: 3", ""),
        ("Hi", "reviews: 2", "reviews come with this message"),
    ],
)
def test_holes_and_what_is_not_shown_are_doubts(subject: str, step: str, doubt: str) -> None:
    book, problems = checked(f'subject: "{subject}"\nparagraphs: x', step)
    assert book is not None
    assert [one.severity for one in problems] == ["warning"] * bool(doubt)
    assert all(doubt in one.message for one in problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("0", 0), ("-2", -2), ("1.5", 1.5), ("007", "007"), ("1e9", "1e9"), ("", "")],
)
def test_a_default_that_looks_like_a_number_is_one(text: str, value: object) -> None:
    assert number_or_text(text) == value
    assert type(number_or_text(text)) is type(value)
