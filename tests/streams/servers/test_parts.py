"""Settings reach the roles whole."""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.servers.parts import answers_ok, servers_of, settings_environment, stages_of
from streams.settings import Settings


def test_a_role_reads_the_settings_its_supervisor_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Settings(
        data_dir=tmp_path,
        kafka="broker:1",
        partitions=7,
        write_key=SecretStr("a secret"),
        webhook_secrets={"shopify": SecretStr("s'1"), "other": SecretStr('{"x"}')},
        timezone="Asia/Taipei",
    )
    for name, value in settings_environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given


def names(settings: Settings, **wishes: object) -> list[list[str]]:
    stages = stages_of(settings, lambda _what, _done: None, patient=True, **wishes)
    return [[part.name for part in stage] for stage in stages]


def test_servers_come_first_and_the_replay_last() -> None:
    assert names(Settings(workers=3), replay=["--demo"]) == [
        ["kafka"],
        ["valkey"],
        ["clickhouse"],
        ["prepare"],
        ["gateway", "worker", "worker-2", "worker-3", "learner", "sinks", "web"],
        ["replay"],
    ]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, ["kafka", "valkey", "clickhouse"]),
        ({"kafka": "b:1"}, ["valkey", "clickhouse"]),
        ({"redis_url": "redis://r"}, ["kafka", "clickhouse"]),
        ({"clickhouse_url": "http://c", "kafka": "b:1", "redis_url": "redis://r"}, []),
    ],
)
def test_a_server_with_an_address_is_not_started(given: dict[str, str], left: list[str]) -> None:
    assert [server.role for server in servers_of(Settings(**given))] == left


def test_a_page_is_healthy_when_it_answers_200() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert [answers_ok(f"{url}/healthz"), answers_ok(f"{url}/readyz")] == [True, False]
        server.shutdown()
    assert not answers_ok(f"{url}/healthz")


def test_nobody_elses_variables_are_touched() -> None:
    assert set(settings_environment(Settings())).isdisjoint(os.environ)
