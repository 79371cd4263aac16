"""Role `web`: settings in, the page and the profile API out (sinks/web does the work)."""

import asyncio
import signal

from sinks.clickhouse import ClickHouseAddress
from sinks.web.pages import Shop
from sinks.web.server import PageConfig, serve
from streams.loop import run_role
from streams.playbook_desk import LogDesk
from streams.rehearsal_desk import AsideRehearser
from streams.secrets import key_store_path, load_secrets
from streams.servers.status import READY, STARTING, StatusFile
from streams.settings import Settings, is_loopback
from streams.topics import CONTROL, LEARNER, SNAPSHOTS

ROLE = "web"


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    run_role(_run(settings))


async def _run(settings: Settings) -> None:
    status = StatusFile(settings.data_dir, ROLE)
    status.write(state=STARTING)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(config_of(settings), stop, lambda: status.write(state=READY))


def config_of(settings: Settings) -> PageConfig:
    """Choose what the web server must know."""
    secrets = load_secrets(settings)
    return PageConfig(
        host=settings.web_host,
        port=settings.web_port,
        loopback=is_loopback(settings.web_host),
        api_key=settings.api_key.get_secret_value(),
        bootstrap=settings.kafka_bootstrap,
        control_topic=settings.named(CONTROL),
        learner_topic=settings.named(LEARNER),
        snapshots_topic=settings.named(SNAPSHOTS),
        redis_url=settings.redis_address,
        namespace=settings.namespace,
        clickhouse=ClickHouseAddress(
            url=settings.clickhouse_address,
            user=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            database=settings.clickhouse_database,
        ),
        key_store=key_store_path(settings),
        master_key=secrets.master_key,
        token_key=secrets.token_key,
        desk=LogDesk(settings),
        rehearser=AsideRehearser(settings),
        shop=Shop(
            currency=settings.currency,
            timezone=settings.timezone,
            gateway_url=f"http://{settings.gateway_host}:{settings.gateway_port}",
        ),
    )
