"""The schema, brought up to date by numbered files that are each applied once.

Every statement is written so that repeating it changes nothing (IF NOT EXISTS, OR REPLACE). That
makes a crash halfway harmless, and two that start at once too: both do the same.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from sinks.clickhouse import ClickHouseAddress, connect

DIRECTORY = Path(__file__).parent / "migrations"
FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
REPEATABLE = re.compile(
    r"CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS |CREATE OR REPLACE VIEW "
    r"|DROP (TABLE|VIEW) IF EXISTS "
    r"|ALTER TABLE \w+ (ADD|DROP|MODIFY) (COLUMN|INDEX) IF (NOT )?EXISTS "
    r"|ALTER TABLE \w+ MODIFY "
)
_PIECE = re.compile(r"--[^\n]*|'(?:[^'\\]|\\.|'')*'|`[^`]*`|;|[^-'`;]+|-")

BOOKS = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY name
COMMENT 'Which migration files were applied, with the checksum of their content.'
"""


class MigrationTrouble(Exception):
    """Base of what stops a migration; the text names the file."""


class MigrationChanged(MigrationTrouble):
    """A file that was applied has another content now."""


class MigrationUnknown(MigrationTrouble):
    """The database has a migration this release doesn't have."""


class MigrationUnsound(MigrationTrouble):
    """A file's name or one of its statements isn't as it must be."""


@dataclass(frozen=True)
class Migration:
    """One file: its name, its content's checksum and its statements."""

    name: str
    checksum: str
    statements: tuple[str, ...]


def migrate(
    url: str, user: str, password: str, database: str, directory: Path = DIRECTORY
) -> list[str]:
    """Apply every file that is not applied yet, in order; the names of those applied now.

    Creates the database. Raises MigrationTrouble before anything is changed.
    """
    migrations = read_migrations(directory)
    address = ClickHouseAddress(url, user, password, database)
    client = connect(address, database="")
    client.command("CREATE DATABASE IF NOT EXISTS {name:Identifier}", {"name": database})
    client.close()
    client = connect(address)
    try:
        client.command(BOOKS)
        applied = _applied(client)
        _refuse_differences(migrations, applied)
        missing = [one for one in migrations if one.name not in applied]
        for migration in missing:
            _apply(client, migration)
        return [one.name for one in missing]
    finally:
        client.close()


def read_migrations(directory: Path = DIRECTORY) -> list[Migration]:
    """Read the files in order; MigrationUnsound names the first that must not be applied."""
    migrations = []
    for number, path in enumerate(sorted(directory.glob("*.sql")), start=1):
        matched = FILE_NAME.fullmatch(path.name)
        if not matched or int(matched.group(1)) != number:
            raise MigrationUnsound(f"{path.name}: expected the name {number:04}_what_it_does.sql")
        content = path.read_bytes()
        statements = split_statements(content.decode("utf-8"))
        for statement in statements:
            if not REPEATABLE.match(statement):
                raise MigrationUnsound(
                    f"{path.name}: a statement can't be repeated safely: {statement[:60]!r}"
                )
        checksum = hashlib.sha256(content).hexdigest()
        migrations.append(Migration(path.name, checksum, tuple(statements)))
    return migrations


def split_statements(text: str) -> list[str]:
    r"""Part a file into its statements; comments go, quoted semicolons stay.

    >>> split_statements("-- a; b\nSELECT ';';\nSELECT 2")
    ["SELECT ';'", 'SELECT 2']
    """
    statements = [""]
    for piece in _PIECE.findall(text):
        if piece == ";":
            statements.append("")
        elif not piece.startswith("--"):
            statements[-1] += piece
    return [one.strip() for one in statements if one.strip()]


def _applied(client: Client) -> dict[str, str]:
    rows = client.query("SELECT name, checksum FROM schema_migrations").result_rows
    return {str(name): str(checksum) for name, checksum in rows}


def _refuse_differences(migrations: list[Migration], applied: dict[str, str]) -> None:
    for migration in migrations:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationChanged(
                f"{migration.name} was changed after it had been applied: "
                "put its content back and write what is new into a new file"
            )
    unknown = sorted(applied.keys() - {one.name for one in migrations})
    if unknown:
        raise MigrationUnknown(
            f"the database has {unknown[0]}, which this release does not know: "
            "start the newer release again"
        )


def _apply(client: Client, migration: Migration) -> None:
    for statement in migration.statements:
        client.command(statement)
    client.insert(
        "schema_migrations",
        [[migration.name, migration.checksum]],
        column_names=["name", "checksum"],
        settings={"async_insert": 0},
    )
