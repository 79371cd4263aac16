"""`huitou playbook packs` and `new`: what they print, what they write, what they refuse."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from streams import playbook_packs
from streams.cli import app


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["playbook", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_packs_are_listed_with_what_they_do() -> None:
    code, out, _ = run("packs")
    assert code == 0
    assert all(name in out for name in playbook_packs.names())
    assert "what it does" in out


def test_programs_get_all_there_is_to_know_of_a_pack() -> None:
    code, out, _ = run("packs", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert tuple(rows) == playbook_packs.names()
    drop = rows["wishlist_price_drop"]
    assert drop["locales"] == ["en", "zh-TW", "zh-CN"]
    assert 'track "Price Dropped"' in drop["needs"]
    assert "holdout" in drop["measure"]
    assert Path(drop["file"]).is_file()
    assert Path(drop["rehearsal"]).is_file()


def test_a_new_pack_is_written_and_passes_the_check() -> None:
    code, out, _ = run("new", "birthday")
    assert code == 0
    assert out == (
        "birthday.yaml is written; look it over, then: huitou playbook check birthday.yaml\n"
        "birthday needs: Trait birthday as 1990-03-05 (or 03-05 without the year).\n"
    )
    code, out, _ = run("check", "birthday.yaml")
    assert (code, out) == (
        0,
        "birthday.yaml is fine: 1 triggers, 0 segments, 1 offers, 1 messages\n",
    )


def test_what_is_there_is_not_overwritten_unless_by_force() -> None:
    Path("mine.yaml").write_text("mine")
    code, _, err = run("new", "cart", "--to", "mine.yaml")
    assert code == 2
    assert err == "mine.yaml is there already; --force overwrites it\n"
    assert Path("mine.yaml").read_text() == "mine"
    assert run("new", "cart", "--to", "mine.yaml", "--force")[0] == 0
    assert run("check", "mine.yaml")[0] == 0


def test_a_pack_can_be_written_in_some_languages_only() -> None:
    assert run("new", "cart", "--locale", "zh-TW", "--locale", "en")[0] == 0
    written = yaml.safe_load(Path("cart.yaml").read_text())
    assert (written["shop"]["locale"], written["shop"]["locales"]) == ("zh-TW", ["zh-TW", "en"])
    assert all(set(one["words"]) == {"en", "zh-TW"} for one in written["messages"].values())
    assert run("check", "cart.yaml")[0] == 0


def test_a_part_is_included_by_a_playbook_that_has_a_shop() -> None:
    assert run("new", "cart", "--part")[0] == 0
    Path("mine.yaml").write_text("shop: {time_zone: UTC, currency: EUR}\ninclude: cart.yaml\n")
    code, out, _ = run("check", "mine.yaml")
    assert (code, out) == (0, "mine.yaml is fine: 1 triggers, 0 segments, 1 offers, 2 messages\n")
    assert run("check", "cart.yaml")[0] == 0


def test_all_packs_make_one_playbook() -> None:
    assert run("new", "--all")[0] == 0
    written = yaml.safe_load(Path("playbook.yaml").read_text())
    assert tuple(sorted(written["packs"])) == playbook_packs.names()
    assert run("check", "playbook.yaml")[0] == 0


def test_a_playbook_can_go_to_another_program() -> None:
    code, out, _ = run("new", "cart", "birthday", "--to", "-")
    assert code == 0
    assert list(yaml.safe_load(out)["triggers"]) == ["cart", "birthday"]
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("birthdy",), "there is no pack 'birthdy'; did you mean birthday?"),
        (("cart", "--locale", "zh-tw"), "there is no language 'zh-tw'; did you mean zh-TW?"),
        (("cart", "--locale", "fr"), "there is no language 'fr'; one of en, zh-TW, zh-CN"),
        ((), "name PACKs or give --all, one of the two"),
        (("cart", "--all"), "name PACKs or give --all, one of the two"),
        (("cart", "--to", "nowhere/cart.yaml"), "nowhere/cart.yaml: No such file or directory"),
    ],
)
def test_what_can_not_be_written_is_refused_with_its_reason(
    arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run("new", *arguments)
    assert (code, out, err) == (2, "", said + "\n")
    assert list(Path().iterdir()) == []
