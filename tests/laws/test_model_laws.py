"""The same laws over every model: all of models/, none left out in silence."""

import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import orjson
import pytest

import models
from models.events import decode
from tests.laws import broken
from tests.laws.laws import LAWS, Subject, digest, history, lived
from tests.laws.subjects import KNOWN_DEFECTS, NO_MODEL, SUBJECTS

ROOT = Path(__file__).parents[2]
MODULES = {module.name for module in pkgutil.iter_modules(models.__path__)}
APPLIES = [
    pytest.param(
        law,
        subject,
        id=f"{subject.name}-{name}",
        marks=[pytest.mark.xfail(reason=KNOWN_DEFECTS[name, subject.name], strict=True)]
        if (name, subject.name) in KNOWN_DEFECTS
        else [],
    )
    for subject in SUBJECTS.values()
    for name, law in LAWS.items()
    if name not in subject.exempt
]


def is_a_reason(text: str) -> bool:
    return len(re.findall(r"\w+", text)) >= 4


def test_every_module_is_a_subject_or_no_model() -> None:
    under_the_laws = {name for subject in SUBJECTS.values() for name in subject.modules}
    assert len(MODULES) > 30
    assert MODULES - under_the_laws - NO_MODEL.keys() == set(), "neither subject nor no model"
    assert (under_the_laws | NO_MODEL.keys()) - MODULES == set(), "no such module"
    assert under_the_laws & NO_MODEL.keys() == set(), "both"


def test_whatever_is_left_out_says_why() -> None:
    exempt = [
        (law, subject.name, why)
        for subject in SUBJECTS.values()
        for law, why in subject.exempt.items()
    ]
    assert {law for law, _, _ in exempt} <= LAWS.keys()
    assert [one for one in exempt if not is_a_reason(one[2])] == []
    assert [one for one in NO_MODEL.items() if not is_a_reason(one[1])] == []
    for (law, name), why in KNOWN_DEFECTS.items():
        assert law in LAWS
        assert law not in SUBJECTS[name].exempt
        assert is_a_reason(why)


def test_every_law_is_applied_to_most_subjects_that_could_break_it() -> None:
    for name in LAWS:
        judged = [one.name for one in SUBJECTS.values() if name not in one.exempt]
        assert len(judged) >= 4, name
    assert {one.values[1].name for one in APPLIES} == SUBJECTS.keys()


@pytest.mark.parametrize(("law", "subject"), APPLIES)
def test_the_law_holds(law: Callable[[Subject], None], subject: Subject) -> None:
    law(subject)


def modules_entered(subject: Subject) -> set[str]:
    """Modules of models/ whose functions ran while the subject lived."""
    entered: set[str] = set()

    def called(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            entered.add(frame.f_globals.get("__name__", ""))

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        lived(subject, history(subject, 250))
        if subject.merging:
            LAWS["two_joined_are_what_one_would_have_been"](subject)
    finally:
        sys.setprofile(before)
    return entered


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_a_subject_runs_the_modules_that_it_stands_for(subject: Subject) -> None:
    assert {f"models.{name}" for name in subject.modules} - modules_entered(subject) == set()


def digests_elsewhere(registry: str, hash_seed: int) -> dict[str, str]:
    """Digests of all subjects from a fresh process that hashes texts otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.laws", "--digests", "--of", registry],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(orjson.loads(done.stdout))


def test_another_process_that_hashes_otherwise_says_the_same_bytes() -> None:
    here = {name: digest(subject) for name, subject in SUBJECTS.items()}
    assert digests_elsewhere("tests.laws.subjects", 1) == here
    assert digests_elsewhere("tests.laws.subjects", 2) == here


def test_a_model_that_goes_by_the_hash_of_a_text_is_found_out() -> None:
    one, other = (digests_elsewhere("tests.laws.broken", seed) for seed in (1, 2))
    assert one["sound"] == other["sound"]
    assert one["hashing"] != other["hashing"]


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_sound_model_keeps_the_law(law: Callable[[Subject], None]) -> None:
    law(broken.SOUND)


@pytest.mark.parametrize(
    ("name", "subject", "finding"),
    [pytest.param(*one, id=f"{one[1].name}-{one[0]}") for one in broken.BREAKS],
)
def test_a_broken_model_breaks_the_law(
    name: str, subject: Subject, finding: type[Exception]
) -> None:
    with pytest.raises(finding):
        LAWS[name](subject)


def test_every_law_was_seen_to_fail() -> None:
    assert {name for name, _, _ in broken.BREAKS} == LAWS.keys()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"NaN"'])
def test_no_number_that_is_none_comes_through_the_door(number: str) -> None:
    fields = '"id": "e", "customer": "c", "occurred_at_ms": 1, "received_at_ms": 1'
    for kind, said in (
        ("ticket_rated", f'"ticket_id": "t", "rating": {number}'),
        ("customer_identified", f'"traits": {{"age": {number.strip(chr(34))}}}'),
        ("order_completed", f'"order_id": "o", "currency": "EUR", "total_cents": {number}'),
    ):
        with pytest.raises(msgspec.DecodeError):
            decode(f'{{"type": "{kind}", {fields}, {said}}}'.encode())
