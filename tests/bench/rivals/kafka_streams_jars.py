"""Kafka Streams' jar files, pinned like the broker's, and the rival's compiled class.

`python -m tests.bench.rivals.kafka_streams_jars` loads and compiles (`make bench-setup` calls it);
with `--repin` it resolves the coordinates anew first.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import jgo
from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from streams.servers.kafka_jars import VERSION, Jar, repositories
from tests.bench.rig import PROJECT, CannotRun

STREAMS = f"org.apache.kafka:kafka-streams:{VERSION}"
PINS = Path(__file__).parent / "kafka-streams-jars.json"
SOURCE = Path(__file__).parent / "KafkaStreamsFold.java"
CLASSES = PROJECT / ".bench" / "kafka-streams"
JAVA_RELEASE = "17"


def absent() -> str:
    """Why Kafka Streams can't run here; empty when it can."""
    if not (CLASSES / f"{SOURCE.stem}.class").exists():
        if shutil.which("javac") is None:
            return "no JDK: javac is not on the PATH"
        return "not compiled: run `make bench-setup`"
    return ""


def class_path() -> str:
    """The class path of the rival; CannotRun when a jar is not what was pinned."""
    repository = GlobalSettings.load().repo_cache
    paths = [_verified(jar, jar.path(repository)) for jar in _pinned()]
    return os.pathsep.join(str(path) for path in [CLASSES, *paths])


def _pinned() -> list[Jar]:
    return [Jar(**entry) for entry in json.loads(PINS.read_text())]


def _verified(jar: Jar, path: Path) -> Path:
    if not path.exists():
        raise CannotRun(f"{path} is gone: run `make bench-setup`")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise CannotRun(f"{path} is not the pinned {jar.coordinate}: SHA-256 {found}")
    return path


def load() -> None:
    """Load what is missing into the account's Maven cache."""
    repository = GlobalSettings.load().repo_cache
    context = MavenContext(repo_cache=repository, remote_repos=repositories())
    for jar in _pinned():
        if not jar.path(repository).exists():
            group, name, version = jar.coordinate.split(":")
            context.project(group, name).at_version(version).artifact().resolve()


def compile_source(javac: str) -> None:
    """Compile the rival; CalledProcessError with javac's words shown when it does not."""
    CLASSES.mkdir(parents=True, exist_ok=True)
    options = ["--release", JAVA_RELEASE, "-d", str(CLASSES), "-cp", class_path()]
    subprocess.run([javac, *options, str(SOURCE)], check=True)


def repin() -> None:
    """Pin what Maven's registry has today."""
    jars = []
    for artifact in jgo.resolve(STREAMS):
        found = artifact.resolve().read_bytes()
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        jars.append(Jar(coordinate, len(found), hashlib.sha256(found).hexdigest()))
    PINS.write_text(json.dumps([asdict(jar) for jar in jars], indent=1) + "\n")


def main() -> None:
    if "--repin" in sys.argv[1:]:
        repin()
    javac = shutil.which("javac")
    if javac is None:
        print("Kafka Streams is left out: no JDK here, javac is not on the PATH")
        return
    load()
    compile_source(javac)


if __name__ == "__main__":
    main()
