"""`huitou rehearse`: what it prints and which code it exits with."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import models.playbook
from models.clock import DAY_MS
from streams import rehearse_command
from streams.cli import app
from streams.rehearse.own_log import LIVE, OwnLog
from streams.rehearse.past import find
from tests.builders import START_MS

STARTER = Path(models.playbook.__file__).with_name("starter.yaml")
LOOKED = """
timezone: Asia/Taipei
events:
  - at: 2026-02-01T10:00:00+08:00
    identify: {userId: c1, traits: {email: c1@example.com, timezone: Asia/Taipei}}
  - at: 2026-02-01T10:05:00+08:00
    track: {event: Product Viewed, userId: c1, properties: {product_id: sku1, price: 59.0}}
until: 2026-03-10T00:00:00+08:00
"""
ORDERS = """order,time,customer,product,quantity,unit_price
1,2026-02-01 10:00,c1,sku1,1,20
2,2026-02-03 10:00,c2,sku1,1,20
3,2026-02-05 10:00,c1,sku1,1,20
"""
MAPPING = """
name: shop
currency: EUR
columns: {order: order, time: time, customer: customer, product: product,
  quantity: quantity, unit_price: unit_price}
"""


def run(*arguments: Any) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["rehearse", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    file = tmp_path / "scenario.yaml"
    file.write_text(LOOKED)
    return file


@pytest.fixture
def orders(tmp_path: Path) -> list[Any]:
    file, mapping = tmp_path / "orders.csv", tmp_path / "map.yaml"
    file.write_text(ORDERS)
    mapping.write_text(MAPPING)
    return ["--log", file, "--map", mapping]


def test_it_prints_the_actions_with_their_keys_the_rejected_and_the_tiers(scenario: Path) -> None:
    code, out, _ = run(scenario, "--json")
    told = json.loads(out)
    assert code == 0
    assert set(told) == {"actions", "rejected", "tiers"}
    assert [one["at"] for one in told["actions"]] == ["2026-02-02T10:05:00+08:00"]
    assert told["tiers"] == {"c1": "new"}


def test_people_get_a_table(scenario: Path) -> None:
    code, out, _ = run(scenario)
    assert code == 0
    assert "1 action" in out
    assert "browse_reminder" in out.replace("\n", "")
    assert "tiers at the end: c1 new" in out


def test_what_was_expected_and_is_not_so_exits_with_one(scenario: Path) -> None:
    scenario.write_text(LOOKED + "expect:\n  - {rule: thank_you}\n")
    code, out, err = run(scenario, "--json")
    assert code == 1
    said = f"{scenario}:10:5: there is no action with rule thank_you"
    assert json.loads(out)["differences"] == [said]
    assert err == said + "\n"


def test_a_wrong_scenario_exits_with_two_and_says_where(scenario: Path) -> None:
    scenario.write_text("until: soon\n")
    code, out, err = run(scenario, "--json")
    assert code == 2
    assert err.startswith(f"{scenario}:1:8: error: 'soon' is no time")
    problem = json.loads(out)["problems"][0]
    assert (problem["line"], problem["column"], problem["value"]) == (1, 8, "soon")


def test_a_playbook_with_mistakes_exits_with_one_and_one_that_is_none_with_two(
    scenario: Path, tmp_path: Path
) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_text("shop: {time_zone: Asia/Taipei, currency: EUR}\ntrigers: {}\n")
    code, out, err = run(scenario, "--playbook", file, "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    assert f"{file}:2:1: error: there is no key 'trigers' here" in err
    assert run(scenario, "--playbook", tmp_path / "none.yaml")[0] == 2


def test_each_language_is_played(scenario: Path) -> None:
    scenario.write_text("locales: [en, zh-TW, zh-CN]\n" + LOOKED)
    code, out, _ = run(scenario, "--json")
    told = json.loads(out)
    assert code == 0
    assert list(told["languages"]) == ["en", "zh-TW", "zh-CN"]
    assert told["languages"]["zh-CN"]["actions"] == told["actions"]


def test_a_scenario_compares_two_playbooks(scenario: Path) -> None:
    code, out, _ = run(scenario, "--playbook", STARTER, "--diff", STARTER, "--json")
    assert code == 0
    assert json.loads(out)["comparison"]["same"]
    assert "decide the same" in run(scenario, "--playbook", STARTER, "--diff", STARTER)[1]


def test_a_log_tells_how_many_messages_by_rule_and_day(orders: list[Any]) -> None:
    code, out, _ = run(*orders, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["messages"], told["customers_reached"]) == (2, 2)
    assert told["days"] == {"2026-02-01": {"thank_you": 1}, "2026-02-03": {"thank_you": 1}}
    assert "2 messages to 2 customers" in run(*orders)[1]


def test_a_log_compares_two_playbooks_in_one_reading(orders: list[Any]) -> None:
    code, out, _ = run(*orders, "--playbook", STARTER, "--diff", STARTER, "--json")
    told = json.loads(out)
    assert code == 0
    assert len(told["playbooks"]) == 2
    assert told["comparison"]["same"]


def test_one_of_the_three_must_be_named(scenario: Path) -> None:
    for arguments in ((), (scenario, "--packs"), (scenario, "--log", "demo")):
        code, _, err = run(*arguments)
        assert code == 2
        assert err.startswith("name a SCENARIO, or give --packs or --log SOURCE")


def test_a_log_that_cannot_be_read_exits_with_two(tmp_path: Path) -> None:
    code, _, err = run("--log", tmp_path / "none.csv", "--map", "online_retail")
    assert code == 2
    assert "there is no such file" in err


def test_the_own_log_is_not_said_to_be_done_before_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rehearse_command, "_PROGRESS_S", 0.0)
    own = find(LIVE, "", None, tmp_path)
    own.last_ms = START_MS  # the furthest that was read so far
    rehearse_command._Progress(own)(START_MS, 7)
    demo = find("demo", "", 2)
    rehearse_command._Progress(demo)(demo.first_ms + DAY_MS, 8)
    first, second = capsys.readouterr().err.splitlines()
    assert "%" not in first
    assert "%" in second


def test_the_own_log_is_that_of_the_data_directory_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUITOU_KAFKA", "127.0.0.1:9")
    own = find(LIVE, "", None, tmp_path)
    assert isinstance(own, OwnLog)
    assert own._settings.data_dir == tmp_path
    code, _, said = run("--log", "live", "--data-dir", tmp_path)
    assert code == 2
    assert "no broker at" in said
