"""Before the roles start: every topic as it must be, the analytics schema, a first playbook."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

import models.playbook
from models.playbook.check import check
from streams.playbook_packs import DEFAULT, default_text
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.topics import TOPICS, Topic

DYNAMIC_TOPIC_CONFIG = 1
VISIBLE_WITHIN_S = 20.0
DEMO = Path(models.playbook.__file__).with_name("demo.yaml")


class TopicTrouble(ServerError):
    """A topic that is not as it must be and can't be mended."""


def begin(settings: Settings) -> list[str]:
    """Prepare what is there and, in a new installation, begin with a playbook; what was done.

    TopicTrouble, KafkaError as `prepare`; PlaybookTrouble when the playbook can't be applied.
    """
    return prepare(settings) + asyncio.run(begin_playbook(settings))


def prepare(settings: Settings) -> list[str]:
    """Create or mend the topics and bring the analytics schema up to date; what was done, in words.

    TopicTrouble when a topic can't be mended, KafkaError when the broker can't be reached.
    """
    from sinks.clickhouse_migrations import migrate  # noqa: PLC0415  (heavy, and only needed here)

    done = asyncio.run(ensure_topics(settings))
    applied = migrate(
        settings.clickhouse_address,
        settings.clickhouse_user,
        settings.clickhouse_password.get_secret_value(),
        settings.clickhouse_database,
    )
    return done + [f"migration {name} applied" for name in applied]


async def begin_playbook(settings: Settings) -> list[str]:
    """Where no edition of the playbook is, make the demo's or the release's default the first."""
    from streams.playbook_editions import apply_files, read_editions  # noqa: PLC0415  (as above)

    if (await read_editions(settings)).known:
        return []
    if settings.awaits_history:
        note = "the demo's cases, of this release"
        await apply_files(settings, DEMO.name, demo_files(), by="demo", note=note, based_on=0)
        return ["the demo's playbook applied as edition 1"]
    files = {DEFAULT.name: default_text(settings.timezone, settings.currency)}
    note = "what a new installation does before anybody says otherwise"
    await apply_files(settings, DEFAULT.name, files, by="release", note=note, based_on=0)
    return ["the release's default playbook applied as edition 1"]


def demo_files() -> dict[str, str]:
    """Read the demo's playbook: its first file and the ready packs that it includes."""
    read: dict[str, str] = {}

    def fetch(name: str) -> bytes | None:
        path = DEMO.parent / name
        if not path.is_file():
            return None
        read[name] = path.read_text("utf-8")
        return read[name].encode()

    main = fetch(DEMO.name)
    assert main is not None  # noqa: S101
    check(DEMO.name, main, fetch)
    return read


async def ensure_topics(settings: Settings) -> list[str]:
    """Create the missing topics and mend the settings of the others; what was done, in words."""
    log = structlog.get_logger()
    async with _admin(settings) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if settings.named(topic.name) not in existing]
        await _create(admin, settings, missing)
        await _await_visible(admin, {settings.named(topic.name) for topic in missing})
        present = [topic for topic in TOPICS if topic not in missing]
        _refuse_wrong_counts(settings, await _partition_counts(admin, settings, present))
        differences = await _differences(admin, settings, present)
        await _alter(admin, settings, differences)
    done = [f"topic {settings.named(topic.name)} created" for topic in missing]
    done += [_spoken(settings, topic, wrong) for topic, wrong in differences.items()]
    for text in done:
        log.info("topics", done=text)
    return done


async def topic_trouble(settings: Settings) -> list[str]:
    """Tell, without changing anything, which topics are not as they must be."""
    async with _admin(settings) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if settings.named(topic.name) not in existing]
        present = [topic for topic in TOPICS if topic not in missing]
        counts = await _partition_counts(admin, settings, present)
        differences = await _differences(admin, settings, present)
    trouble = [f"topic {settings.named(topic.name)} is missing" for topic in missing]
    trouble += _wrong_counts(settings, counts)
    return trouble + [_spoken(settings, topic, wrong) for topic, wrong in differences.items()]


@contextlib.asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def _partitions(settings: Settings, topic: Topic) -> int:
    return topic.partitions or settings.partitions


async def _create(admin: AIOKafkaAdminClient, settings: Settings, topics: Iterable[Topic]) -> None:
    wanted = [
        NewTopic(
            name=settings.named(topic.name),
            num_partitions=_partitions(settings, topic),
            replication_factor=settings.replication,
            topic_configs=topic.config(),
        )
        for topic in topics
    ]
    if not wanted:
        return
    answer = await admin.create_topics(wanted)
    for name, code, text in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicTrouble(f"the broker would not create {name}: {error.__name__} {text or ''}")


async def _await_visible(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Wait until the broker that created the topics also tells of them."""
    deadline = asyncio.get_running_loop().time() + VISIBLE_WITHIN_S
    while not names <= set(await admin.list_topics()):
        if asyncio.get_running_loop().time() > deadline:
            raise TopicTrouble(f"topics created but not seen in {VISIBLE_WITHIN_S} s: {names}")
        await asyncio.sleep(0.02)


async def _partition_counts(
    admin: AIOKafkaAdminClient, settings: Settings, topics: list[Topic]
) -> dict[Topic, int]:
    if not topics:
        return {}
    names = [settings.named(topic.name) for topic in topics]
    found = {entry["topic"]: entry for entry in await admin.describe_topics(names)}
    return {
        topic: len(found[name]["partitions"]) for topic, name in zip(topics, names, strict=True)
    }


def _wrong_counts(settings: Settings, counts: dict[Topic, int]) -> list[str]:
    return [
        f"topic {settings.named(topic.name)} has {count} partitions, not "
        f"{_partitions(settings, topic)}: customers would move between partitions; set "
        f"HUITOU_PARTITIONS={count} or start a new namespace"
        for topic, count in counts.items()
        if count != _partitions(settings, topic)
    ]


def _refuse_wrong_counts(settings: Settings, counts: dict[Topic, int]) -> None:
    wrong = _wrong_counts(settings, counts)
    if wrong:
        raise TopicTrouble("; ".join(wrong))


async def _differences(
    admin: AIOKafkaAdminClient, settings: Settings, topics: list[Topic]
) -> dict[Topic, dict[str, str]]:
    """Find the settings that are not as they must be: what the broker has now, per topic."""
    found = await _configs(admin, [settings.named(topic.name) for topic in topics])
    differences = {}
    for topic in topics:
        now = {name: value for name, (value, _) in found[settings.named(topic.name)].items()}
        wrong = {
            name: now.get(name, "") for name, v in topic.config().items() if now.get(name) != v
        }
        if wrong:
            differences[topic] = wrong
    return differences


async def _configs(
    admin: AIOKafkaAdminClient, names: list[str]
) -> dict[str, dict[str, tuple[str, int]]]:
    """Read every setting of the topics with its source."""
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = {}
    for answer in await admin.describe_configs(asked):
        for code, text, _, name, entries in answer.resources:
            if code:
                raise TopicTrouble(f"the broker would not describe {name}: {text}")
            found[name] = {entry[0]: (entry[1], entry[3]) for entry in entries}
    return found


async def _alter(
    admin: AIOKafkaAdminClient, settings: Settings, differences: dict[Topic, dict[str, str]]
) -> None:
    """Set what is wrong; what an operator has set besides stays."""
    if not differences:
        return
    now = await _configs(admin, [settings.named(topic.name) for topic in differences])
    wanted = []
    for topic in differences:
        name = settings.named(topic.name)
        kept = {k: v for k, (v, source) in now[name].items() if source == DYNAMIC_TOPIC_CONFIG}
        wanted.append(ConfigResource(ConfigResourceType.TOPIC, name, {**kept, **topic.config()}))
    for answer in await admin.alter_configs(wanted):
        for code, text, _, name in answer.resources:
            if code:
                raise TopicTrouble(f"the broker would not alter {name}: {text}")


def _spoken(settings: Settings, topic: Topic, wrong: dict[str, str]) -> str:
    wanted = topic.config()
    parts = [f"{name} was {value}, must be {wanted[name]}" for name, value in wrong.items()]
    return f"topic {settings.named(topic.name)}: " + ", ".join(parts)
