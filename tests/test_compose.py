"""docker-compose.yml holds together: schema, tags, health, variables, provisioning.

tests/schemas/compose-spec.json is the Compose Specification's own schema (Apache-2.0).
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streams.servers.kafka import properties
from streams.settings import Settings, is_loopback

PROJECT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = ("gateway", "worker", "learner", "sinks", "web")
ONE_SHOT = {"prepare"}
OURS = "huitou:"
SET = re.compile(r"\$\{(\w+)(?P<rest>[^}]*)\}")
SECRET = re.compile(r"KEY|PASSWORD|SECRET|TOKEN")
NAMES = sorted(SERVICES)


def environment(service: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[service].get("environment", {})
    return found


def interpolations() -> list[tuple[str, str]]:
    text = (PROJECT / "docker-compose.yml").read_text("utf-8")
    body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [(match[1], match["rest"]) for match in SET.finditer(body)]


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads((PROJECT / "tests/schemas/compose-spec.json").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_the_schema_refuses_what_it_should() -> None:
    schema = json.loads((PROJECT / "tests/schemas/compose-spec.json").read_text("utf-8"))
    wrong = {"services": {"web": {"image": "x", "healthchek": {}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(wrong)


def test_every_role_and_every_server_is_a_service() -> None:
    assert set(ROLES) | {"kafka", "valkey", "clickhouse", "grafana", "prepare"} == set(SERVICES)
    for role in ROLES:
        assert SERVICES[role]["command"] == [role]


@pytest.mark.parametrize("name", NAMES)
def test_every_image_has_a_tag_that_stays(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":\d+\.\d+", image), image
    assert "latest" not in image


def test_our_image_is_built_from_a_pinned_base_and_the_lock_file() -> None:
    recipe = SERVICES["web"]["build"]["dockerfile_inline"]
    assert re.search(r"^FROM python:3\.11\.\d+-", recipe)
    assert "--require-hashes --requirement requirements.lock" in recipe
    assert re.search(r"^USER (?!root)\w+", recipe, re.MULTILINE)
    for source in re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE):
        for path in source.split():
            assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_watched_over_or_done_once(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        return
    check = service["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", NAMES)
def test_every_dependency_waits_for_what_it_needs(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert how["condition"] == expected


def test_roles_start_after_topics_and_tables_are_there() -> None:
    for role in ROLES:
        assert "prepare" in SERVICES[role]["depends_on"]
    assert set(SERVICES["prepare"]["depends_on"]) == {"kafka", "valkey", "clickhouse"}


def test_every_variable_of_ours_is_a_setting() -> None:
    settings = {f"HUITOU_{name.upper()}" for name in Settings.model_fields}
    used = {key for name in NAMES for key in environment(name) if key.startswith("HUITOU_")}
    asked = {name for name, _ in interpolations() if name.startswith("HUITOU_")}
    assert used | asked <= settings
    assert len(used) > 15


@pytest.mark.parametrize("role", [*ROLES, "prepare"])
def test_a_role_starts_with_the_settings_it_is_given(
    role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {name: "ab" * 32 for name, _ in interpolations()}
    for key, value in environment(role).items():
        monkeypatch.setenv(key, SET.sub(lambda found: _filled(found, secrets), str(value)))
    settings = Settings()
    assert (settings.kafka, settings.clickhouse_url) == ("kafka:9092", "http://clickhouse:8123")
    assert settings.redis_url.endswith("@valkey:6379/0")
    for secret in ("token_key", "master_key", "write_key", "api_key", "clickhouse_password"):
        assert getattr(settings, secret).get_secret_value() == "ab" * 32


def _filled(found: re.Match[str], secrets: dict[str, str]) -> str:
    default = found["rest"].partition(":-")[2]
    return default or secrets[found[1]]


def test_no_secret_has_a_default() -> None:
    secrets = [(name, rest) for name, rest in interpolations() if SECRET.search(name)]
    assert len({name for name, _ in secrets}) == 8
    for name, rest in secrets:
        assert rest.startswith(":?"), f"{name} must be given"
    for service in NAMES:
        for key, value in environment(service).items():
            if SECRET.search(key) and not key.startswith("KAFKA_"):
                assert SET.fullmatch(str(value)), f"{service}: {key} stands there in the clear"


def test_every_secret_is_explained_at_the_top() -> None:
    text = (PROJECT / "docker-compose.yml").read_text("utf-8")
    comment = text[: text.index("\nname:")]
    for name in {name for name, _ in interpolations() if SECRET.search(name)}:
        assert name in comment


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_published_beyond_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        host, _, inner = str(port).rpartition(":")[0].rpartition(":")
        assert is_loopback(host), port
        assert inner.isdigit()


def test_data_outlives_its_containers() -> None:
    for name in ("kafka", "valkey", "clickhouse", "grafana", *ROLES):
        named = {str(one).split(":")[0] for one in SERVICES[name]["volumes"]}
        assert named & set(COMPOSE["volumes"]), name


def test_the_key_store_is_one_for_all_roles() -> None:
    assert {SERVICES[role]["volumes"][0] for role in ROLES} == {"keys:/data/keys"}


def test_the_broker_keeps_history_as_the_embedded_one_does() -> None:
    embedded = properties(Path("log"), 1, 2, 4)
    served = environment("kafka")
    for name in (
        "log.retention.ms",
        "log.message.timestamp.after.max.ms",
        "offsets.retention.minutes",
        "auto.create.topics.enable",
        "group.initial.rebalance.delay.ms",
        "group.min.session.timeout.ms",
        "transaction.state.log.min.isr",
    ):
        assert served[f"KAFKA_{name.upper().replace('.', '_')}"] == embedded[name], name


def test_grafana_finds_its_datasource_its_dashboard_and_a_reader() -> None:
    mounts = dict(str(one).split(":")[:2] for one in SERVICES["grafana"]["volumes"])
    for path in (one for one in mounts if one.startswith("./")):
        assert (PROJECT / path).is_dir(), path
    sources = yaml.safe_load((PROJECT / "sinks/grafana/datasources/clickhouse.yml").read_text())
    [source] = sources["datasources"]
    assert source["jsonData"]["host"] in SERVICES
    assert source["jsonData"]["username"] == "reader"
    [password] = source["secureJsonData"].values()
    assert password.removeprefix("$") in environment("grafana")
    assert password.removeprefix("$") in environment("clickhouse")
    providers = yaml.safe_load((PROJECT / "sinks/grafana/providers/huitou.yml").read_text())
    [provider] = providers["providers"]
    assert provider["options"]["path"] in mounts.values()
    plugin, _, version = environment("grafana")["GF_PLUGINS_PREINSTALL_SYNC"].partition("@")
    assert (plugin, bool(version)) == (source["type"], True)


def test_the_page_reads_clickhouse_as_a_reader_who_may_only_read() -> None:
    assert environment("web")["HUITOU_CLICKHOUSE_USER"] == "reader"
    users = COMPOSE["configs"]["clickhouse-reader"]["content"]
    assert "<readonly>2</readonly>" in users
    database = environment("web")["HUITOU_CLICKHOUSE_DATABASE"]
    assert re.findall(r"GRANT (.+)<", users) == [f"SELECT ON {database}.*"]
