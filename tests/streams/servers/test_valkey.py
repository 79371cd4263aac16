"""The embedded cache keeps what it acknowledged."""

import os
import signal
import socket
from pathlib import Path

import pytest
import redis

from streams.servers.errors import PortTaken
from streams.servers.ports import free_port
from streams.servers.valkey import Valkey

pytestmark = pytest.mark.real


def test_keys_survive_a_sigkill(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "回頭 data", free_port())
    with server.running() as child, redis.Redis.from_url(server.address) as client:
        client.mset({f"k{n}": n for n in range(1_000)})
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10)
    with server.running(), redis.Redis.from_url(server.address) as client:
        assert client.dbsize() == 1_000
        assert client.get("k999") == b"999"


def test_a_second_start_adopts_the_running_server(valkey: str, servers_dir: Path) -> None:
    second = Valkey(servers_dir, int(valkey.split(":")[2].split("/", maxsplit=1)[0]))
    with second.running() as child:
        assert child.is_adopted
    assert second.answers()


def test_a_port_somebody_else_has_is_refused_by_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {taken} is taken by .*HUITOU_VALKEY_PORT"):
            Valkey(tmp_path, taken).launch()
