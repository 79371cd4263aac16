"""The broker's files: loaded once from where Maven's settings say, and exactly the pinned ones."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jgo.config import GlobalSettings

from streams.servers import kafka_jars
from streams.servers.errors import NotStarted, WrongJars
from streams.servers.kafka_jars import Jar, mirror_of_central, pinned_jars, ready_jars

MAVEN_SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>
<mirror><id>m</id><mirrorOf>{of}</mirrorOf><url>{url}/</url></mirror></mirrors></settings>"""
COORDINATE = "shop.example:thing:1.0"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def registry(files: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(files))) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / ".m2").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for name in ("M2_REPO", "JGO_CONFIG_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return home


def use_mirror(home: Path, url: str, of: str = "central") -> None:
    (home / ".m2" / "settings.xml").write_text(MAVEN_SETTINGS.format(of=of, url=url))


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """One small file stands for the broker's forty-five."""
    content = b"pretend this is Java" * 10_000
    jar = Jar(COORDINATE, len(content), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(kafka_jars, "pinned_jars", lambda: [jar])
    return content


def place(content: bytes, repository: Path) -> Path:
    path = Jar(COORDINATE, 0, "").path(repository)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_first_start_loads_from_the_mirror_and_the_next_needs_no_network(
    tmp_path: Path, home: Path, pinned: bytes
) -> None:
    place(pinned, tmp_path / "registry")
    told: list[tuple[str, float]] = []
    with registry(tmp_path / "registry") as url:
        use_mirror(home, url)
        (first,) = ready_jars(lambda what, done: told.append((what, done)))
    assert first.read_bytes() == pinned
    assert told[-1][1] == 1.0
    assert "loading Apache Kafka" in told[0][0]
    assert ready_jars() == [first]


def test_a_file_that_is_not_the_pinned_one_is_refused_by_name(
    tmp_path: Path, home: Path, pinned: bytes
) -> None:
    place(b"X" + pinned[1:], tmp_path / "registry")
    with registry(tmp_path / "registry") as url:
        use_mirror(home, url)
        with pytest.raises(WrongJars, match=r"thing-1\.0\.jar is not the pinned shop\.example"):
            ready_jars()


def test_an_interrupted_load_is_begun_again(tmp_path: Path, home: Path, pinned: bytes) -> None:
    place(pinned, tmp_path / "registry")
    half = place(pinned[:1000], home / ".m2" / "repository")
    with registry(tmp_path / "registry") as url:
        use_mirror(home, url)
        assert ready_jars() == [half]
    assert half.read_bytes() == pinned


def test_without_a_network_the_ways_out_are_named(home: Path, pinned: bytes) -> None:
    use_mirror(home, "http://127.0.0.1:9")
    with pytest.raises(NotStarted, match=r"cannot load .*127\.0\.0\.1:9.*--kafka ADDRESS"):
        ready_jars()


@pytest.mark.parametrize(
    ("of", "chosen"),
    [
        ("central", True),
        ("*", True),
        ("external:*", True),
        ("other, central", True),
        ("other", False),
        ("*,!central", False),
        ("external:http:*", False),
    ],
)
def test_a_mirror_counts_when_it_stands_for_central(tmp_path: Path, of: str, chosen: bool) -> None:
    path = tmp_path / "settings.xml"
    path.write_text(MAVEN_SETTINGS.format(of=of, url="https://maven.example/repo"))
    assert mirror_of_central(path) == ("https://maven.example/repo" if chosen else None)


def test_jgos_own_settings_come_first(home: Path) -> None:
    (home / ".config").mkdir()
    config = home / ".config" / "jgo.conf"
    config.write_text("[repositories]\ncentral = https://maven.example/own\n")
    use_mirror(home, "https://maven.example/mirror")
    assert kafka_jars.repositories() == {"central": "https://maven.example/own"}


@pytest.mark.real
def test_every_pinned_file_is_what_maven_central_has_signed(kafka: str) -> None:
    assert kafka
    repository = GlobalSettings.load().repo_cache
    jars = pinned_jars()
    assert len(jars) > 40
    assert len({jar.coordinate for jar in jars}) == len(jars)
    for jar in jars:
        found = jar.path(repository).read_bytes()
        assert (len(found), hashlib.sha256(found).hexdigest()) == (jar.size, jar.sha256)
