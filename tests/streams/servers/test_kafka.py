"""The embedded broker: durable, adopted, refused clearly, and in need of nothing on the PATH."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.servers.errors import NotStarted, PortTaken
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port

pytestmark = pytest.mark.real

RECORDS = 2_000
JANUARY_2017_MS = 1_483_228_800_000


async def write(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("t", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await producer.start()
    for n in range(RECORDS):
        await producer.send("t", b"%d" % n, timestamp_ms=JANUARY_2017_MS)
    await producer.stop()


async def read(address: str) -> list[int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition("t", 0)])
    found = [int((await consumer.getone()).value) for _ in range(RECORDS)]
    await consumer.stop()
    return found


async def test_records_survive_a_sigkill_and_nothing_on_the_path_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("LC_ALL", "C")
    server = Kafka(tmp_path / "回頭 data", free_port(), free_port())
    with server.running() as child:
        await write(server.address)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10)
    with server.running():
        assert await read(server.address) == list(range(RECORDS))


def test_what_java_loaded_once_is_at_hand_for_later_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "kafka.aot"
    monkeypatch.setattr(Kafka, "_cache_path", cache)
    for name in ("first", "second"):
        server = Kafka(tmp_path / name, free_port(), free_port())
        server.prepare()
    assert [path.name for path in tmp_path.glob("kafka*")] == ["kafka.aot"]
    java, *options, _main, _settings = server.command()
    # Told to, Java refuses to run without a cache that fits.
    strictly = subprocess.run([java, "-XX:AOTMode=on", *options, "-version"], check=False)
    assert f"-XX:AOTCache={cache}" in options
    assert strictly.returncode == 0


def test_where_java_may_keep_nothing_a_directory_is_formatted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kafka, "_cache_path", tmp_path / "nowhere" / "kafka.aot")
    server = Kafka(tmp_path, free_port(), free_port())
    server.prepare()
    assert (server.directory / "log" / "meta.properties").exists()
    assert not any("AOT" in word for word in server.command())


def test_a_second_start_adopts_the_running_broker(kafka: str, servers_dir: Path) -> None:
    port = int(kafka.split(":")[1])
    second = Kafka(servers_dir, port, free_port())
    with second.running() as child:
        assert child.is_adopted
    assert second.answers(), "the adopter must not stop what its starter still uses"


def test_another_port_than_the_running_broker_has_is_refused(kafka: str, servers_dir: Path) -> None:
    port = kafka.split(":")[1]
    with pytest.raises(PortTaken, match=f"already runs on port {port} .*HUITOU_KAFKA_PORT={port}"):
        Kafka(servers_dir, free_port(), free_port()).launch()


@pytest.mark.parametrize("variable", ["HUITOU_KAFKA_PORT", "HUITOU_KAFKA_CONTROLLER_PORT"])
def test_a_port_somebody_else_has_is_refused_by_name(tmp_path: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        ports = (taken, free_port()) if variable == "HUITOU_KAFKA_PORT" else (free_port(), taken)
        with pytest.raises(PortTaken) as caught:
            Kafka(tmp_path, *ports).launch()
    assert str(caught.value).startswith(f"port {taken} is taken by ")
    assert str(caught.value).endswith(f"set {variable} to a free port")
    assert f"pid {os.getpid()}" in str(caught.value)


def test_a_broker_that_cannot_start_says_so_in_its_own_words(tmp_path: Path) -> None:
    server = Kafka(tmp_path, free_port(), free_port())
    server.prepare()
    (server.directory / "log" / "meta.properties").write_text(
        "version=1\ncluster.id=x\nnode.id=7\n"
    )
    with pytest.raises(NotStarted) as caught, server.running():
        pass
    assert "kafka ended with code 1 while starting" in str(caught.value)
    assert "node id matches" in str(caught.value)
