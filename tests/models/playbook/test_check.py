"""Broken playbooks: every mistake has its place, and whatever comes in nothing is raised."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models.playbook
from models.playbook.check import Checked, check
from models.playbook.problem import ERROR
from tests.models.playbook.broken import BROKEN, HELLO, SHOP, rule

STARTER = Path(models.playbook.__file__).with_name("starter.yaml").read_bytes()
TEXT = STARTER.decode()
TODAY = date(2026, 11, 26)


def checked(text: str, **files: str) -> Checked:
    known = {f"{name}.yaml": one.encode() for name, one in files.items()}
    return check("playbook.yaml", text.encode(), known.get, today=TODAY)


def told(text: str, **files: str) -> list[str]:
    return [str(one) for one in checked(text, **files).problems]


def test_the_starter_passes_without_a_doubt() -> None:
    found = check("starter.yaml", STARTER, today=TODAY)
    assert found.problems == ()
    assert found.playbook is not None
    assert set(found.playbook.triggers) == {
        "thank_you",
        "browse_reminder",
        "thirty_days_of_silence",
    }


def test_there_are_a_hundred_broken_playbooks() -> None:
    assert len({text for text, _, _ in BROKEN}) == len(BROKEN) > 100


@pytest.mark.parametrize(("text", "message", "meant"), BROKEN)
def test_a_broken_playbook_is_told_with_its_place(text: str, message: str, meant: str) -> None:
    before, mark, _ = text.partition("⟦")
    found = checked(text.replace("⟦", ""))
    assert found.playbook is None
    assert found.usable
    assert found.errors
    told = found.errors[0]
    assert message in told.message
    assert told.suggestion == meant
    assert mark
    line = before.count("\n") + 1
    assert (told.place.line, told.place.column) == (line, len(before.rpartition("\n")[2]) + 1)
    assert len(found.errors) == 1, [str(one) for one in found.errors]


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        SHOP.replace("EUR", "eur")
        + "segments: {a: {if: customer.order > 3 || customer.tear == 'x'}}\n"
        + rule("{silense: 30d}", "then: [{mesage: hello}, {wait: 3}]", "{priority: 200}")
        + "  Ten: {percent: 10%}\n"
    )
    found = checked(text)
    places = [(one.place.line, one.place.column) for one in found.errors]
    assert places == sorted(places)
    assert [one.suggestion for one in found.errors] == [
        "EUR",
        "customer.orders",
        "customer.tier",
        "silence",
        "message",
        "3d",
        "",
        "ten",
    ]


def test_what_stands_there_twice_is_looked_at_twice() -> None:
    text = SHOP + "segments:\n  a: {if: customer.knwn}\n  a: {if: customer.orderz > 1}\n"
    assert [one.split(": error: ")[0] for one in told(text)] == [
        "playbook.yaml:5:11",
        "playbook.yaml:6:3",
        "playbook.yaml:6:11",
    ]


def test_files_that_are_included_are_read_into_one() -> None:
    pack = (
        "triggers:\n  two: {when: {silence: 60d}, then: {message: hello}}\n"
        "caps: {at_most: 3, per: 1d}\n"
    )
    found = checked(
        SHOP + "include: [pack.yaml]\ncaps: {at_most: 2, per: 2d}\n" + rule("{silence: 30d}"),
        pack=pack,
    )
    assert found.problems == ()
    assert found.playbook is not None
    assert set(found.playbook.triggers) == {"one", "two"}
    assert [cap.at_most for cap in found.playbook.caps] == [2, 3]


def test_mistakes_in_an_included_file_are_told_in_that_file() -> None:
    pack = "triggers:\n  two: {when: {silence: 60}, then: {message: hello}}\n"
    found = told(SHOP + "include: pack.yaml\n" + rule("{silence: 30d}"), pack=pack)
    assert [one.split(": error")[0] for one in found] == ["pack.yaml:2:25"]
    broken = told(SHOP + "include: pack.yaml\n", pack="a: [")
    assert broken[0].startswith("pack.yaml:")


def test_a_name_stands_once_in_all_files() -> None:
    found = told(
        SHOP + "include: pack.yaml\n" + rule("{silence: 30d}"),
        pack=f"{HELLO}holdout: {{share: 5%}}\n{SHOP}",
    )
    assert [one.partition(": error: ")[2] for one in found] == [
        "hello stands in playbook.yaml:10:3 too; expected each name once",
        "ten stands in playbook.yaml:12:3 too; expected each name once",
        "shop stands in playbook.yaml:2:3 too; expected it once",
    ]


def test_files_that_include_each_other_are_told() -> None:
    found = told(SHOP + "include: a.yaml\n", a="include: b.yaml\n", b="include: a.yaml\n")
    assert found == ["b.yaml:1:10: error: files include each other: a.yaml -> b.yaml -> a.yaml"]
    twice = told(SHOP + "include: [a.yaml, a.yaml]\n", a="")
    assert twice == [
        "playbook.yaml:4:19: error: this file is included twice: 'a.yaml'; expected each file once"
    ]


@pytest.mark.parametrize(
    ("raw", "place", "message"),
    [
        (b"a: b\nc: \xff", "1", "this is not UTF-8 text"),
        (b"#" * 1_000_001, "1", "the file is too large"),
    ],
)
def test_what_is_no_text_is_unusable(raw: bytes, place: str, message: str) -> None:
    found = check("playbook.yaml", raw)
    assert not found.usable
    assert message in found.problems[0].message


def test_text_of_other_systems_is_read_too() -> None:
    assert check("a", STARTER.replace(b"\n", b"\r\n")).problems == ()
    assert check("a", b"\xef\xbb\xbf" + STARTER).problems == ()
    assert check("a", TEXT.encode("utf-16")).problems == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("segments: {a: {if: 'x' in customer.segments}}", "quotes around the whole value"),
        ("segments: {a: {if: !customer.known}}", "what begins with ! stands in quotes"),
    ],
)
def test_conditions_that_trip_yaml_are_told_how_to_stand(text: str, expected: str) -> None:
    (error,) = checked(SHOP + text).errors
    assert expected in error.expected


@pytest.mark.parametrize(
    "text",
    [
        'segments: {"a\\n\\e[31m": {if: "true"}}',
        "segments: {a: {if: \"customer.tier == 'new\\e' 3\"}}",
        'segments: {a: {if: "customer.known \\"\\"\\"x\\ny\\"\\"\\""}}',
        'include: "a\\nb"',
        'playbook: "1\\n"',
        '"a\\nb": 1',
    ],
)
def test_what_a_terminal_would_obey_is_not_shown(text: str) -> None:
    found = checked(SHOP + text)
    for one in found.problems:
        assert str(one).isprintable(), repr(str(one))


def assert_told(found: Checked, raw: bytes) -> None:
    lines = raw.count(b"\n") + raw.count(b"\r") + 2
    assert (found.playbook is None) == any(one.severity == ERROR for one in found.problems)
    for one in found.problems:
        assert 1 <= one.place.line <= max(lines, 2)
        assert one.place.column >= 1
        assert one.message
        assert "\n" not in str(one)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_told(raw: bytes) -> None:
    assert_told(check("a.yaml", raw, {}.get, today=TODAY), raw)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_told(text: str) -> None:
    raw = text.encode(errors="ignore")
    assert_told(check("a.yaml", raw, {}.get, today=TODAY), raw)


PIECES = st.sampled_from(
    [
        *("", " ", "\n", "  ", "-", ":", "{", "}", "[", "]", '"', "'", "|", ">", "&a", "*a", "!!x"),
        *(
            "0",
            "-1",
            "5%",
            "24h",
            "~",
            "null",
            "true",
            "\t",
            "\x00",
            "回",
            "😀",
            ",",
            "?",
            "<<",
            "---",
        ),
        *(
            "event",
            "if:",
            "then:",
            "customer.",
            "&&",
            "99999999999999999999",
            "é",
            "%",
            "@",
            "`",
            "#",
        ),
    ]
)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.integers(0, 30), PIECES), min_size=1, max_size=4
    )
)
def test_a_playbook_with_pieces_torn_out_and_put_in_is_read_or_told(
    wounds: list[tuple[int, int, str]],
) -> None:
    text = TEXT
    for at, length, piece in wounds:
        text = text[:at] + piece + text[at + length :]
    raw = text.encode(errors="ignore")
    assert_told(check("a.yaml", raw, {}.get, today=TODAY), raw)


@settings(max_examples=300, deadline=None)
@given(st.permutations(TEXT[: TEXT.index("messages:\n")].splitlines()), st.integers(1, 60))
def test_lines_in_any_order_are_read_or_told(lines: list[str], kept: int) -> None:
    raw = "\n".join(lines[:kept]).encode()
    assert_told(check("a.yaml", raw, {}.get, today=TODAY), raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b"{a: " * 50_000,
        b"- " * 50_000,
        b"shop: " + b"a" * 900_000,
        (SHOP + "segments: {a: {if: '" + "!" * 3_900 + "true'}}").encode(),
        (SHOP + "segments: {a: {if: '" + "customer.orders + " * 200 + "1 > 0'}}").encode(),
        (SHOP + "segments: {a: {if: '" + "(" * 3_900 + "'}}").encode(),
        (SHOP + "segments: {a: {if: '" + "customer.known && " * 200 + "true'}}").encode(),
        (SHOP + "segments: {a: {if: '" + "customer.known ? true : " * 150 + "true'}}").encode(),
        (
            SHOP
            + "segments: {a: {if: '"
            + "(customer.known || customer.known) && " * 90
            + "true'}}"
        ).encode(),
        (
            SHOP
            + "segments:\n"
            + "".join(
                f"  s{at}: {{if: \"'s{at + 1}' in customer.segments\"}}\n" for at in range(3_000)
            )
        ).encode(),
        (
            SHOP
            + "triggers:\n"
            + "".join(
                f"  t{at}: {{when: {{silence: 30d}}, then: {{message: m{at}}}}}\n"
                for at in range(3_000)
            )
        ).encode(),
        (SHOP + "".join(f"key{at}: 1\n" for at in range(20_000))).encode(),
        (SHOP + "include: [" + ", ".join(f"f{at}.yaml" for at in range(500)) + "]").encode(),
    ],
    ids=lambda raw: raw[:40].decode(),
)
def test_what_is_meant_to_overwhelm_is_told_soon(raw: bytes) -> None:
    assert_told(check("a.yaml", raw, {}.get, today=TODAY), raw)
