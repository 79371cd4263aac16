"""The schema comes up once, in order, and never under a changed file."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_migrations import (
    DIRECTORY,
    MigrationChanged,
    MigrationTrouble,
    MigrationUnknown,
    MigrationUnsound,
    migrate,
    read_migrations,
    split_statements,
)

A_TABLE = "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = MergeTree ORDER BY x;"


@pytest.fixture
def database(clickhouse: str) -> Iterator[str]:
    name = f"m_{uuid4().hex}"
    yield name
    client = connect(ClickHouseAddress(clickhouse), database="")
    client.command(f"DROP DATABASE IF EXISTS {name}")
    client.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text(f"-- first; of all\n{A_TABLE}")
    return tmp_path


def run(url: str, database: str, files: Path) -> list[str]:
    return migrate(url, "default", "", database, files)


@pytest.mark.real
def test_every_file_is_applied_once_and_in_order(clickhouse: str, database: str) -> None:
    names = sorted(path.name for path in DIRECTORY.glob("*.sql"))
    assert migrate(clickhouse, "default", "", database) == names
    assert migrate(clickhouse, "default", "", database) == []


@pytest.mark.real
def test_rows_of_the_release_before_the_playbook_stay_and_say_what_was_true(
    clickhouse: str, database: str, tmp_path: Path
) -> None:
    for path in sorted(DIRECTORY.glob("*.sql"))[:4]:
        shutil.copy(path, tmp_path)
    assert len(migrate(clickhouse, "default", "", database, tmp_path)) == 4
    client = connect(ClickHouseAddress(clickhouse, database=database))
    client.command(
        "INSERT INTO decisions (rule, verdict, reason, _offset) "
        "VALUES ('thank_you', 'sent', '', 1), ('thank_you', 'withheld', 'unsubscribed', 2)"
    )
    client.command("INSERT INTO actions (action_id, rule) VALUES ('a1', 'thank_you')")
    migrate(clickhouse, "default", "", database)
    decisions = client.query(
        "SELECT verdict, status, action, propensity, held_until, passed FROM decisions "
        "ORDER BY _offset"
    ).result_rows
    messages = client.query("SELECT action_id, rule FROM messages").result_rows
    client.close()
    assert [tuple(row) for row in decisions] == [
        ("sent", "sent", "message", 1.0, None, []),
        ("withheld", "", "message", 1.0, None, []),
    ]
    assert [tuple(row) for row in messages] == [("a1", "thank_you")]


@pytest.mark.real
def test_a_new_file_is_applied_after_the_old_ones(
    clickhouse: str, database: str, files: Path
) -> None:
    assert run(clickhouse, database, files) == ["0001_first.sql"]
    (files / "0002_second.sql").write_text("ALTER TABLE a ADD COLUMN IF NOT EXISTS y String;")
    assert run(clickhouse, database, files) == ["0002_second.sql"]


@pytest.mark.real
def test_a_file_changed_after_its_application_is_refused_by_name(
    clickhouse: str, database: str, files: Path
) -> None:
    run(clickhouse, database, files)
    (files / "0001_first.sql").write_text(A_TABLE + "\n-- a word more\n")
    with pytest.raises(MigrationChanged, match=r"0001_first\.sql"):
        run(clickhouse, database, files)


@pytest.mark.real
def test_a_database_of_a_newer_release_is_refused(
    clickhouse: str, database: str, files: Path
) -> None:
    second = files / "0002_second.sql"
    second.write_text("ALTER TABLE a ADD COLUMN IF NOT EXISTS y String;")
    run(clickhouse, database, files)
    second.unlink()
    with pytest.raises(MigrationUnknown, match=r"0002_second\.sql"):
        run(clickhouse, database, files)


@pytest.mark.real
def test_two_that_start_at_once_both_end_with_the_schema(clickhouse: str, database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(migrate, clickhouse, "default", "", database) for _ in range(4)]
        applied = [one.result() for one in asked]
    assert any(applied)
    assert migrate(clickhouse, "default", "", database) == []


@pytest.mark.real
def test_a_crash_in_the_middle_of_a_file_is_harmless(
    clickhouse: str, database: str, files: Path
) -> None:
    broken = "ALTER TABLE nowhere ADD COLUMN IF NOT EXISTS z Int8;"
    (files / "0002_second.sql").write_text(
        f"ALTER TABLE a ADD COLUMN IF NOT EXISTS y String;\n{broken}"
    )
    with pytest.raises(Exception, match="nowhere"):
        run(clickhouse, database, files)
    (files / "0002_second.sql").write_text("ALTER TABLE a ADD COLUMN IF NOT EXISTS y String;")
    assert run(clickhouse, database, files) == ["0002_second.sql"]


@pytest.mark.real
def test_a_database_name_is_a_name_and_nothing_else(clickhouse: str, files: Path) -> None:
    name = f"m-{uuid4().hex}-名 1"
    assert migrate(clickhouse, "default", "", name, files) == ["0001_first.sql"]
    client = connect(ClickHouseAddress(clickhouse), database="")
    client.command("DROP DATABASE {name:Identifier}", {"name": name})
    client.close()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("0002_second.sql", "DROP TABLE a;"),
        ("0002_second.sql", "INSERT INTO a VALUES (1);"),
        ("0002_second.sql", "CREATE TABLE b (x Int8) ENGINE = MergeTree ORDER BY x;"),
        ("0003_third.sql", "DROP TABLE IF EXISTS a;"),
        ("2_second.sql", "DROP TABLE IF EXISTS a;"),
        ("0002_Second.sql", "DROP TABLE IF EXISTS a;"),
    ],
)
def test_what_can_not_be_repeated_or_ordered_is_refused_by_name(
    files: Path, name: str, content: str
) -> None:
    (files / name).write_text(content)
    with pytest.raises(MigrationUnsound, match=name):
        read_migrations(files)


def test_every_trouble_is_of_one_family() -> None:
    for kind in (MigrationChanged, MigrationUnknown, MigrationUnsound):
        assert issubclass(kind, MigrationTrouble)


def test_our_own_files_are_sound_and_hold_statements(tmp_path: Path) -> None:
    shutil.copytree(DIRECTORY, tmp_path, dirs_exist_ok=True)
    migrations = read_migrations(tmp_path)
    assert len(migrations) >= 4
    assert all(one.statements for one in migrations)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (";;\n;", []),
        ("-- only words", []),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b''c\\';d';", ["SELECT 'a;b''c\\';d'"]),
        ("SELECT 1 -- not; this\n, 2;", ["SELECT 1 \n, 2"]),
        ("SELECT `a;b`, 3 - 1;", ["SELECT `a;b`, 3 - 1"]),
        ("SELECT '--';", ["SELECT '--'"]),
    ],
)
def test_statements_are_parted_where_they_end(text: str, statements: list[str]) -> None:
    assert split_statements(text) == statements


@pytest.mark.real
def test_every_view_and_table_says_what_it_shows(clickhouse: str, database: str) -> None:
    migrate(clickhouse, "default", "", database)
    client = connect(ClickHouseAddress(clickhouse, database=database))
    found = client.query(
        "SELECT name, comment FROM system.tables "
        "WHERE database = currentDatabase() AND engine != 'MaterializedView'"
    ).result_rows
    client.close()
    assert len(found) > 25
    assert [name for name, comment in found if not comment] == []
