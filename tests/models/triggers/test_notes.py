"""What a row remembers of the playbook: bounded, and merged without a word said twice."""

from models.assignment import Subject
from models.caps import Cap, Caps, Sent, note
from models.customer import Customer, decode_row, encode_row
from models.triggers.notes import (
    PERKS_AT_MOST,
    RUNS_AT_MOST,
    SAID_AT_MOST,
    Notes,
    Run,
    key_of,
    merged,
    remember_perk,
    remember_said,
    run_of,
)

CAPS = Caps([Cap(2, 1_000)])


def run(name: str, due_ms: int = 5) -> Run:
    return Run(key_of("rule", name), "rule", name, "p1", 1, due_ms, 7)


def test_a_row_that_no_playbook_ever_touched_is_as_small_as_before_but_for_a_dozen_bytes() -> None:
    assert len(encode_row(Customer())) < 170


def test_notes_survive_the_row() -> None:
    notes = Notes(3, [run("a")], {"rule": 9}, beyond=["x"], tags=["vip"], perks={"lounge": 0})
    notes.subject = Subject("token", 5)
    note(CAPS, notes.sent, "email", 77)
    assert decode_row(encode_row(Customer(playbook=notes))).playbook == notes


def test_what_was_said_longest_ago_is_forgotten_first() -> None:
    notes = Notes()
    for at in range(SAID_AT_MOST + 3):
        remember_said(notes, f"rule{at}", at)
    assert len(notes.said) == SAID_AT_MOST
    assert "rule2" not in notes.said
    remember_said(notes, "rule9", 1)
    assert notes.said["rule9"] == 9


def test_of_too_many_perks_the_one_that_ends_first_is_forgotten() -> None:
    notes = Notes()
    for number in range(PERKS_AT_MOST + 1):
        remember_perk(notes, f"perk{number}", number)
    assert len(notes.perks) == PERKS_AT_MOST
    assert "perk0" in notes.perks
    assert "perk1" not in notes.perks


def test_two_names_of_one_person_have_one_memory() -> None:
    mine = Notes(2, [run("a"), run("b")], {"rule": 9, "x": 1}, tags=["vip"])
    theirs = Notes(2, [run("b"), run("c")], {"rule": 12}, perks={"lounge": 4})
    note(CAPS, mine.sent, "email", 10)
    note(CAPS, theirs.sent, "email", 20)
    mine.subject, theirs.subject = Subject("a", 5), Subject("b", 6, exposed_ms=7)
    both = merged(mine, theirs, CAPS)
    assert sorted(one.occasion for one in both.runs) == ["a", "b", "c"]
    assert both.said == {"rule": 12, "x": 1}
    assert CAPS.standing(both.sent, "sms", 21) is not None
    assert both.subject is not None
    assert both.subject.token == "b"
    assert both.version == 0
    assert (both.tags, both.perks) == (["vip"], {"lounge": 4})
    assert run_of(both, key_of("rule", "c")) is not None
    assert run_of(both, key_of("rule", "d")) is None


def test_of_too_many_runs_those_that_come_first_are_kept() -> None:
    many = Notes(runs=[run(str(at), due_ms=at) for at in range(RUNS_AT_MOST)])
    more = Notes(runs=[run(f"x{at}", due_ms=1_000 + at) for at in range(5)], sent=Sent())
    assert {one.due_ms for one in merged(many, more, None).runs} == set(range(RUNS_AT_MOST))
