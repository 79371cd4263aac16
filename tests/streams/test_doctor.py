"""The doctor finds what is wrong and says how to mend it."""

import asyncio
import json
import os
import socket
import time
from pathlib import Path

import clickhouse_connect
import pytest
from typer.testing import CliRunner

from models.playbook.edition import Edition
from streams import doctor, prepare
from streams.cli import app
from streams.doctor import Check
from streams.servers.clickhouse import ClickHouse
from streams.servers.ports import free_port
from streams.settings import Settings


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """Settings of an installation that was never started."""
    return Settings(
        data_dir=tmp_path,
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
        valkey_port=free_port(),
        clickhouse_port=free_port(),
        gateway_port=free_port(),
        web_port=free_port(),
    )


def failed(checks: list[Check]) -> dict[str, Check]:
    assert len(checks) > 10
    return {check.name: check for check in checks if not check.ok}


def test_a_fresh_machine_is_well(alone: Settings) -> None:
    assert failed(doctor.examine(alone, {})) == {}


def test_a_taken_port_is_named_with_its_holder_and_its_variable(alone: Settings) -> None:
    with socket.create_server(("127.0.0.1", alone.web_port)):
        check = failed(doctor.examine(alone, {}))[f"port {alone.web_port}"]
    assert f"pid {os.getpid()}" in check.found
    assert check.mend == "set HUITOU_WEB_PORT to a free port"


def test_a_key_that_others_may_read_is_named_with_its_chmod(alone: Settings) -> None:
    key = alone.data_dir / "keys" / "master.key"
    key.parent.mkdir()
    key.write_text("00")
    key.chmod(0o640)
    assert failed(doctor.examine(alone, {}))["keys"].mend == f"chmod 600 {key}"
    key.chmod(0o600)
    assert failed(doctor.examine(alone, {})) == {}


def test_a_clock_that_went_back_is_noticed(alone: Settings) -> None:
    mark = alone.data_dir / "run" / "supervisor.json"
    mark.parent.mkdir()
    mark.write_text("")
    ahead = time.time() + 3600
    os.utime(mark, (ahead, ahead))
    assert "it went back" in failed(doctor.examine(alone, {}))["clock"].found


def test_a_mistyped_variable_is_named_with_what_was_meant(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUITOU_PARTITION", "8")
    result = CliRunner().invoke(app, ["doctor", "--json", "--data-dir", str(alone.data_dir)])
    found = {check["name"]: check for check in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert found["environment"]["found"].endswith(
        "HUITOU_PARTITION (did you mean HUITOU_PARTITIONS?)"
    )
    assert found["environment"]["mend"] == "correct or unset HUITOU_PARTITION"


def test_a_missing_or_old_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["aiohttp>=99", "no-such-thing>=1", "pytest>=1", 'other>=1; extra == "dev"']
    monkeypatch.setattr("streams.doctor.metadata.requires", lambda _: wanted)
    check = doctor.packages()
    assert "is not >=99; no-such-thing is missing" in check.found
    assert check.mend.startswith("run `make setup`")


def test_a_server_that_was_named_and_does_not_answer_is_named_with_its_variable(
    alone: Settings,
) -> None:
    port = free_port()
    named = alone.model_copy(
        update={
            "kafka": f"127.0.0.1:{port}",
            "redis_url": f"redis://127.0.0.1:{port}",
            "clickhouse_url": f"http://127.0.0.1:{port}",
        }
    )
    wrong = failed(doctor.examine(named, {}))
    assert wrong["kafka"].mend.startswith("correct HUITOU_KAFKA,")
    assert wrong["valkey"].mend.startswith("correct HUITOU_REDIS_URL,")
    assert wrong["clickhouse"].mend.startswith("correct HUITOU_CLICKHOUSE_URL,")


@pytest.mark.real
def test_topics_and_database_that_are_missing_are_named_with_their_mend(settings: Settings) -> None:
    wrong = failed(doctor.examine(settings, {}))
    assert set(wrong) == {"topics", "clickhouse"}
    assert f"topic {settings.namespace}events is missing" in wrong["topics"].found
    assert "huitou up" in wrong["topics"].mend


@pytest.mark.real
async def test_topics_as_they_must_be_are_well(settings: Settings) -> None:
    await prepare.ensure_topics(settings)
    checks = await asyncio.to_thread(doctor.examine, settings, {})
    assert "topics" not in failed(checks)
    assert {"kafka", "valkey"} <= {check.name for check in checks if check.ok}
    assert failed(checks)["playbook"].found == "no edition is in use: nobody is written to"
    await prepare.begin_playbook(settings)
    checks = await asyncio.to_thread(doctor.examine, settings, {})
    assert "playbook" not in failed(checks)


BOOK = "shop: {time_zone: UTC, currency: EUR}\n"


@pytest.mark.parametrize(
    ("text", "events_currency", "found", "mend"),
    [
        (BOOK, "EUR", "edition 3 is in use", ""),
        (
            BOOK,
            "USD",
            "edition 3 is in EUR, events that name no currency are in USD",
            "set HUITOU_CURRENCY=EUR",
        ),
        (
            BOOK + "trigers: {}\n",
            "EUR",
            "edition 3: a.yaml:2:1: error: there is no key 'trigers' here; expected one of ",
            "mend it and apply it, or put an earlier one back",
        ),
    ],
)
def test_a_playbook_that_is_not_as_it_should_be_is_told(
    text: str, events_currency: str, found: str, mend: str
) -> None:
    check = doctor.playbook(Edition(3, "a.yaml", {"a.yaml": text}), events_currency)
    assert (check.ok, check.mend) == (not mend, mend)
    assert check.found.startswith(found)


@pytest.mark.real
def test_parts_that_broke_are_named_unless_those_they_were_merged_from_are_back(
    settings: Settings, tmp_path: Path
) -> None:
    server = ClickHouse(tmp_path / "own", free_port(), settings.clickhouse_database)
    here = settings.model_copy(update={"clickhouse_url": server.address})
    with server.running():
        merged = parts_made(server, "merged", "OPTIMIZE TABLE merged FINAL")
        single = parts_made(server, "single", "SYSTEM STOP MERGES single")
        assert "clickhouse parts" not in failed(doctor.examine(here, {}))
    for part in (*merged, single[0]):
        os.truncate(Path(part) / "data.bin", 0)
    with server.running():
        wrong = failed(doctor.examine(here, {}))["clickhouse parts"]
    assert wrong.found == "set aside as broken: single broken-on-start_all_1_1_0"
    assert "DROP DETACHED PART" in wrong.mend


def parts_made(server: ClickHouse, table: str, last: str) -> list[str]:
    with clickhouse_connect.get_client(dsn=server.address, database=server.database) as client:
        client.command(f"CREATE TABLE {table} (a UInt64) ENGINE = MergeTree ORDER BY a")
        for number in range(3):
            client.command(f"INSERT INTO {table} VALUES ({number})")
        client.command(last)
        ask = f"SELECT path FROM system.parts WHERE table = '{table}' AND active ORDER BY name"
        return [path for (path,) in client.query(ask).result_rows]
