"""Places inside texts: however YAML wrote it, a character is found where it stands."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models.playbook.problem import Place
from models.playbook.source import Mapping, Scalar, Unreadable, compose, place_inside

WORDS = st.lists(
    st.sampled_from(
        ["customer.orders", "&&", "'new'", '"x"', "回頭", ">=", "2", "\\", "a\tb", "é", "😀"]
    ),
    min_size=1,
    max_size=12,
)


def scalar_of(text: str) -> tuple[Scalar, str]:
    root, whole = compose("p.yaml", text.encode())
    assert isinstance(root, Mapping)
    inner = root.pairs[0][1]
    assert isinstance(inner, Mapping)
    scalar = inner.pairs[0][1]
    assert isinstance(scalar, Scalar)
    return scalar, whole


def letter_at(text: str, place: Place) -> str:
    return text.split("\n")[place.line - 1][place.column - 1]


@settings(max_examples=400, deadline=None)
@given(
    WORDS, st.sampled_from([None, "'", '"', "|", ">"]), st.sampled_from([" ", "\n", "  ", "\n\n"])
)
def test_every_letter_is_found_where_it_stands(
    words: list[str], style: str | None, gap: str
) -> None:
    value = gap.join(words)
    text = yaml.dump({"a": {"if": value}}, default_style=style, width=20, allow_unicode=True)
    scalar, whole = scalar_of(text)
    assert scalar.value.strip() == value.strip()
    for offset, letter in enumerate(scalar.value):
        if not letter.isspace():
            found = letter_at(whole, place_inside(scalar, whole, offset))
            assert found == letter or (scalar.style == '"' and found == "\\"), (text, offset)


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ('a: {if: "x \\"y\\" z"}', 6, (1, 18)),
        ('a: {if: "x \\u56de z"}', 4, (1, 19)),
        ('a: {if: "x \\x41 z"}', 4, (1, 17)),
        ("a: {if: 'x ''y'' z'}", 6, (1, 18)),
        ("a: {if: x y}", 0, (1, 9)),
        ("a: {if: x y}", 3, (1, 12)),
        ("a:\n  if: |\n    x\n      y", 4, (4, 7)),
        ("a:\n  if: >-\n    x\n    y", 2, (4, 5)),
        ("a:\n  if: x\n    y\n    z", 4, (4, 5)),
    ],
)
def test_escapes_and_folds_are_walked_over(text: str, offset: int, place: tuple[int, int]) -> None:
    scalar, whole = scalar_of(text)
    found = place_inside(scalar, whole, offset)
    assert (found.line, found.column) == place


def test_words_are_left_as_they_were_written() -> None:
    scalar, _ = scalar_of("a: {if: no}")
    assert scalar.value == "no"
    scalar, _ = scalar_of("a: {if: 21:00}")
    assert scalar.value == "21:00"


@pytest.mark.parametrize(
    ("text", "is_empty"), [("~", True), ("null", True), ("''", False), ("", True)]
)
def test_nothing_is_not_an_empty_text(text: str, is_empty: bool) -> None:
    assert scalar_of(f"a: {{if: {text}}}")[0].is_empty is is_empty


def test_what_is_no_text_says_where_it_ends() -> None:
    with pytest.raises(Unreadable) as raised:
        compose(
            "p.yaml", "a: b\nc: 回\xff".encode("latin-1", "ignore").replace(b"\xff", b"\xff\xfe")
        )
    assert not raised.value.is_yaml
    assert (raised.value.problem.place.line, raised.value.problem.place.column) == (2, 4)


def test_an_empty_file_holds_nothing() -> None:
    assert compose("p.yaml", b"# only words")[0] is None
