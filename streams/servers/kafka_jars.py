"""The broker's jar files: Maven coordinates, sizes and SHA-256 pinned in kafka-jars.json.

They are loaded once, by jgo, into the account's Maven cache, and verified at every start.
`python -m streams.servers.kafka_jars` resolves the coordinates anew and rewrites the pins.
"""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from xml.etree import ElementTree

import jgo
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from streams.servers.errors import NotStarted, WrongJars
from streams.servers.server import Progress, silent

VERSION = "4.4.0"
BROKER = f"org.apache.kafka:kafka_2.13:{VERSION}"
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"
PINS = Path(__file__).parent / "kafka-jars.json"
LOADS_AT_ONCE = 6
MAVEN_CENTRAL_IDS = {"central", "*", "external:*"}


@dataclass(frozen=True)
class Jar:
    """One pinned file."""

    coordinate: str
    size: int
    sha256: str

    def path(self, repository: Path) -> Path:
        """Where Maven's layout puts it."""
        group, name, version = self.coordinate.split(":")
        return repository.joinpath(*group.split("."), name, version, f"{name}-{version}.jar")


def pinned_jars() -> list[Jar]:
    """List the files a broker of `VERSION` needs, in class path order."""
    return [Jar(**entry) for entry in json.loads(PINS.read_text())]


def ready_jars(progress: Progress = silent) -> list[Path]:
    """Load what is missing, verify everything, return the class path.

    NotStarted when a file cannot be loaded, WrongJars when one is not what was pinned.
    """
    repository = GlobalSettings.load().repo_cache
    jars = pinned_jars()
    if not all(_is_whole(jar, repository) for jar in jars):
        with alone(repository):
            _load([jar for jar in jars if not _is_whole(jar, repository)], repository, progress)
    with ThreadPoolExecutor(LOADS_AT_ONCE) as pool:
        return list(pool.map(lambda jar: _verified(jar, repository), jars))


def are_loaded() -> bool:
    """Whether a start needs no network."""
    repository = GlobalSettings.load().repo_cache
    return all(_is_whole(jar, repository) for jar in pinned_jars())


def _is_whole(jar: Jar, repository: Path) -> bool:
    path = jar.path(repository)
    return path.exists() and path.stat().st_size >= jar.size


@contextmanager
def alone(repository: Path) -> Iterator[None]:
    """One loader at a time in a cache that programs share."""
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".huitou.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _verified(jar: Jar, repository: Path) -> Path:
    path = jar.path(repository)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise WrongJars(
            f"{path} is not the pinned {jar.coordinate}: SHA-256 {found}, expected {jar.sha256}; "
            "remove the file to load it anew, and do not trust its source if that repeats"
        )
    return path


class _Tally:
    """Adds up the bytes of loads that run side by side."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._done = 0
        self._lock = Lock()
        self._progress = progress

    @contextmanager
    def of_file(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """In the shape jgo wants: a context that yields the function told of every chunk."""
        yield self.add

    def add(self, size: int) -> None:
        """Count `size` bytes more."""
        with self._lock:
            self._done += size
            megabytes = self._total / 1e6
            text = f"loading Apache Kafka {VERSION} from Maven, {megabytes:.0f} MB, once"
            self._progress(text, min(1.0, self._done / self._total))


def _load(jars: list[Jar], repository: Path, progress: Progress) -> None:

    tally = _Tally(sum(jar.size for jar in jars), progress)
    context = MavenContext(
        repo_cache=repository,
        remote_repos=repositories(),
        resolver=PythonResolver(progress_callback=tally.of_file),
        timeout=30,
    )

    def load(jar: Jar) -> None:
        group, name, version = jar.coordinate.split(":")
        jar.path(repository).unlink(missing_ok=True)
        context.project(group, name).at_version(version).artifact().resolve()

    try:
        with ThreadPoolExecutor(LOADS_AT_ONCE) as pool:
            list(pool.map(load, jars))
    except Exception as error:
        raise NotStarted(
            f"cannot load Apache Kafka's files from {' or '.join(repositories().values())} "
            f"({type(error).__name__}: {error}). Name a mirror in ~/.m2/settings.xml or in "
            "~/.config/jgo.conf, or use a broker of your own with --kafka ADDRESS"
        ) from error


def repositories() -> dict[str, str]:
    """Name where to load from: jgo's own settings, a mirror of Maven's settings, or Central."""
    configured = GlobalSettings.load().repositories
    central = mirror_of_central(Path.home() / ".m2" / "settings.xml") or MAVEN_CENTRAL_URL
    return {**configured, "central": central} if "central" not in configured else dict(configured)


def mirror_of_central(maven_settings: Path) -> str | None:
    """Find the mirror that Maven's settings name for the central repository; None without one."""
    if not maven_settings.exists():
        return None
    try:
        root = ElementTree.parse(maven_settings).getroot()  # noqa: S314
    except ElementTree.ParseError as error:
        raise NotStarted(f"{maven_settings} is not readable XML: {error}") from error
    for mirror in root.iterfind(".//{*}mirror"):
        covered = {part.strip() for part in mirror.findtext("{*}mirrorOf", "").split(",")}
        url = mirror.findtext("{*}url", "").strip()
        if url and covered & MAVEN_CENTRAL_IDS and "!central" not in covered:
            return url.rstrip("/")
    return None


def repin() -> list[Jar]:
    """Resolve the broker with everything it needs and pin what Maven's registry has today.

    The binding that makes the broker's log visible is resolved apart and alone: as a second root
    its own dependency management would choose older versions for the broker.
    """
    group, name, version = LOG_BINDING.split(":")
    binding = MavenContext().project(group, name).at_version(version).artifact()
    jars = []
    for artifact in [*jgo.resolve(BROKER), binding]:
        found = artifact.resolve().read_bytes()
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        jars.append(Jar(coordinate, len(found), hashlib.sha256(found).hexdigest()))
    PINS.write_text(json.dumps([asdict(jar) for jar in jars], indent=1) + "\n")
    return jars


if __name__ == "__main__":
    repin()
