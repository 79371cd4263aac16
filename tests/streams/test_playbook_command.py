"""`huitou playbook`: what it prints and which code it exits with."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import models.playbook
from models.playbook.event_fields import EVENT_FIELDS
from streams.cli import app

STARTER = Path(models.playbook.__file__).with_name("starter.yaml")
SHOP = "shop: {time_zone: Asia/Taipei, currency: EUR}\n"


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["playbook", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_starter_is_fine() -> None:
    code, out, _ = run("check", str(STARTER))
    assert code == 0
    assert out == f"{STARTER} is fine: 3 triggers, 1 segments, 1 offers, 3 messages\n"


def test_mistakes_are_told_with_their_places_and_exit_with_one(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_text(SHOP + "trigers: {}\nholdout: {share: 5}\n")
    code, out, _ = run("check", str(file))
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith(f"{file}:2:1: error: there is no key 'trigers' here; expected one")
    assert lines[0].endswith("did you mean 'triggers'?")
    assert lines[1] == (
        f"{file}:3:18: error: this is more than the whole: '5'; "
        "expected a share such as \"5%\" or 0.05; did you mean '5%'?"
    )
    assert lines[2] == "2 errors, 0 warnings"


def test_json_says_the_same_to_programs(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_text(SHOP + "caps: [{at_most: 0, per: 7}]\n")
    code, out, _ = run("check", str(file), "--json")
    assert code == 1
    told = json.loads(out)
    assert (told["ok"], told["errors"], told["warnings"]) == (False, 1, 0)
    assert told["problems"] == [
        {
            "file": str(file),
            "line": 2,
            "column": 26,
            "severity": "error",
            "message": "this is no duration",
            "value": "7",
            "expected": 'a duration such as "30m", "24h", "30d" or "2w"',
            "suggestion": "7d",
        }
    ]


def test_doubts_alone_are_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_text(SHOP + "caps: [{at_most: 0, per: 7d}]\n")
    code, out, _ = run("check", str(file))
    assert code == 0
    assert f"{file}:2:18: warning: this cap lets nothing through" in out
    assert out.endswith("0 messages; 1 warning\n")
    told = json.loads(run("check", str(file), "--json")[1])
    assert (told["ok"], told["warnings"], told["triggers"]) == (True, 1, 0)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfd", b"#" * 1_100_000])
def test_a_file_that_is_none_exits_with_two(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "playbook.yaml"
    if content is not None:
        file.write_bytes(content)
    code, out, err = run("check", str(file))
    assert code == 2
    assert str(file) in out + err
    told = json.loads(run("check", str(file), "--json")[1])
    assert told["ok"] is False
    assert told["unusable"].startswith(str(file))


def test_a_folder_is_no_playbook(tmp_path: Path) -> None:
    code, _, err = run("check", str(tmp_path))
    assert code == 2
    assert err == f"{tmp_path}: Is a directory\n"


def test_packs_beside_the_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "one.yaml").write_text("segments: {a: {if: customer.knwn}}\n")
    file = tmp_path / "playbook.yaml"
    file.write_text(SHOP + "include: packs/one.yaml\n")
    code, out, _ = run("check", str(file))
    assert code == 1
    assert out.startswith(f"{tmp_path}/packs/one.yaml:1:20: error: in this condition")


def test_settings_that_are_wrong_are_no_concern_of_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUITOU_PARTITIONS", "0")
    assert run("check", str(STARTER))[0] == 0


def test_every_field_is_listed_with_its_type_and_meaning() -> None:
    code, out, _ = run("fields")
    assert code == 0
    assert "customer.silence_days" in out
    told = json.loads(run("fields", "--json")[1])
    assert set(told) == {"customer", *EVENT_FIELDS}
    assert all(row["meaning"] and row["type"] for rows in told.values() for row in rows)
    tier = next(row for row in told["customer"] if row["field"] == "customer.tier")
    assert "dormant" in tier["values"]


def test_the_schema_is_printed_as_json() -> None:
    code, out, _ = run("schema")
    assert code == 0
    assert json.loads(out)["title"] == "Huitou playbook"
