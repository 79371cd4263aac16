"""The house rules that no other tool checks. A rule is what a test enforces."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("streams", "sinks", "models")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TOP_LEVEL = {
    *ROOMS,
    "tests",
    "docker-compose.yml",
    "pyproject.toml",
    "Makefile",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE",
    "requirements.lock",
    ".ci",
    ".git",
    ".gitignore",
}
NO_NAMES = {"utils", "util", "helpers", "helper", "manager", "process", "handle", "data", "misc"}
# What the libraries themselves call it: chDB's handle, a subprocess, ClickHouse's user.
THEIR_NAMES = {
    "sinks/clickhouse_migrations.py:user",
    "streams/servers/clickhouse_engine.py:Handle",
    "streams/servers/clickhouse_front.py:_handle",
}
# What these do is seen only when a whole role runs: the test that runs it, which must exist.
SEEN_ELSEWHERE = {
    "models/segment_envelope.py": "tests/models/test_segment.py",
    "models/segment_traits.py": "tests/models/test_segment.py",
    "models/view.py": "tests/models/test_step.py",
    "sinks/dispatch_consent.py": "tests/real/test_dispatcher.py",
    "sinks/patience.py": "tests/real/test_dispatcher_provider.py",
    "sinks/pipeline_probe.py": "tests/real/test_sinks_watch.py",
    "streams/receipts_absence.py": "tests/real/test_receipts.py",
    "streams/receipts_command.py": "tests/real/test_receipts.py",
    "sinks/web/api.py": "tests/sinks/web/test_server.py",
    "sinks/web/log_time.py": "tests/sinks/web/test_server.py",
    "sinks/web/meters.py": "tests/sinks/web/test_server.py",
    "sinks/web/story.py": "tests/sinks/web/test_server.py",
    "streams/app.py": "tests/real/test_worker.py",
    "streams/broker.py": "tests/real/test_log_away.py",
    "streams/coupons_command.py": "tests/real/test_coupons.py",
    "streams/gateway_coupons.py": "tests/real/test_coupons.py",
    "streams/gateway_metrics.py": "tests/real/test_gateway.py",
    "streams/intake.py": "tests/real/test_gateway.py",
    "streams/lane.py": "tests/streams/test_lane_guards.py",
    "streams/lanes.py": "tests/real/test_worker.py",
    "streams/learner.py": "tests/real/test_learner.py",
    "streams/marks.py": "tests/real/test_worker.py",
    "streams/replay/command.py": "tests/real/test_replay.py",
    "streams/replay/history_log.py": "tests/real/test_replay.py",
    "streams/replay/replayer.py": "tests/real/test_replay.py",
    "streams/replay/simulated_customers.py": "tests/streams/test_simulate.py",
    "streams/servers/clickhouse_engine.py": "tests/streams/servers/test_clickhouse_front.py",
    "streams/servers/listing.py": "tests/streams/test_cli.py",
    "streams/summary_drain.py": "tests/real/test_once.py",
    "streams/tables.py": "tests/real/test_worker.py",
    "streams/worker.py": "tests/real/test_worker.py",
}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports_of(path: Path) -> frozenset[str]:
    return frozenset(imported_by(path))


def imported_by(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """Names that a file gives: its own, and those of its functions and classes."""
    given = [(0, path.stem)]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            given.append((node.lineno, node.name))
    place = path.relative_to(ROOT)
    yield from (one for one in given if f"{place}:{one[1]}" not in THEIR_NAMES)


def words_of(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 50
    assert len(TESTS) > 30
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(ROOMS)


def test_the_top_level_holds_only_what_belongs_there() -> None:
    ignored = set((ROOT / ".gitignore").read_text().replace("/", "").split())
    found = {path.name for path in ROOT.iterdir()}
    others = {name for name in found - TOP_LEVEL - ignored if not name.endswith(".egg-info")}
    assert others == set()


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_folders_are_two_deep_at_most(room: str) -> None:
    files = [path for path in (ROOT / room).rglob("*.py") if "static" not in path.parts]
    deep = [str(path) for path in files if len(path.relative_to(ROOT).parents) > 4]
    assert files
    assert deep == []


@pytest.mark.parametrize("banned", sorted(NO_NAMES))
def test_no_name_says_nothing(banned: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in [*SOURCES, *TESTS]
        for line, name in names_in(path)
        if name.lower().strip("_") == banned
    ]
    assert found == []


def test_a_customer_is_never_called_a_user() -> None:
    given = [(path, line, name) for path in SOURCES for line, name in names_in(path)]
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path, line, name in given
        if "user" in words_of(name)
    ]
    assert len(given) > 500
    assert found == []


def test_models_ask_no_clock_and_throw_no_dice() -> None:
    banned = {"time", "random", "secrets", "asyncio", "socket", "os", "subprocess", "threading"}
    models = [path for path in SOURCES if path.relative_to(ROOT).parts[0] == "models"]
    found = [
        f"{path.name} imports {name}"
        for path in models
        for name in imported_by(path)
        if name.split(".")[0] in banned
    ]
    calls = re.compile(r"\b(datetime|date)\.(now|utcnow|today)\(|\bopen\(|\binput\(")
    found += [
        f"{path.name}: {one.group()}" for path in models for one in calls.finditer(path.read_text())
    ]
    assert len(models) > 20
    assert found == []


def test_only_streams_know_the_settings() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] != "streams"
        for name in imported_by(path)
        if name.startswith("streams")
    ]
    assert found == []


def test_nothing_prints_and_nothing_is_left_to_do() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"(?<![\w.])print\(|\b(TODO|FIXME|XXX)\b", line)
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [module_of(path) for path in SOURCES if not ast.get_docstring(tree_of(path))]
    assert silent == []


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_module_has_a_test(path: Path) -> None:
    if path.name == "__init__.py":
        return
    name = str(path.relative_to(ROOT))
    mirrors = [one for one in TESTS if one.stem == f"test_{path.stem}"]
    if mirrors or name in SEEN_ELSEWHERE:
        return
    assert any(module_of(path) in imports_of(one) for one in TESTS)


def test_what_is_seen_elsewhere_is_there_and_is_seen() -> None:
    for name, test in SEEN_ELSEWHERE.items():
        assert (ROOT / name).is_file(), name
        assert (ROOT / test).is_file(), test


def test_every_test_is_a_sentence() -> None:
    short = [
        f"{path.name}: {name}"
        for path in TESTS
        for _, name in names_in(path)
        if name.startswith("test_") and path.stem != name and len(words_of(name)) < 4
    ]
    assert short == []


def test_no_test_waits_by_sleeping_a_whole_second() -> None:
    """A condition is waited for, with a short pause between two looks at it."""
    looked_at, found = 0, []
    for path in TESTS:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("sleep"):
                looked_at += 1
                pauses = [one.value for one in node.args if isinstance(one, ast.Constant)]
                found += [f"{path.name}:{node.lineno}" for pause in pauses if pause >= 1]
    assert looked_at > 0
    assert found == []
