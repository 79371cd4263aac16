"""Role `web` as a process of its own."""

import asyncio
import signal

import pytest
from aiohttp import ClientError, ClientSession

from streams.prepare import prepare
from streams.secrets import load_secrets
from streams.settings import Settings
from streams.web import config_of
from tests.real.rig import Role


def test_the_server_is_told_what_the_settings_say(tmp_path: object) -> None:
    settings = Settings(
        data_dir=tmp_path,  # type: ignore[arg-type]
        namespace="n-",
        web_host="0.0.0.0",
        api_key="secret",  # type: ignore[arg-type]
        currency="JPY",
    )
    config = config_of(settings)
    assert (config.loopback, config.api_key, config.control_topic) == (False, "secret", "n-control")
    assert config.token_key == load_secrets(settings).token_key
    assert config.shop.currency == "JPY"
    assert "secret" not in repr(config)


@pytest.mark.real
async def test_the_role_serves_says_so_and_stops_when_told(settings: Settings) -> None:
    await asyncio.to_thread(prepare, settings)
    role = Role(settings, "web")
    status = settings.data_dir / "run" / "web.json"
    try:
        async with asyncio.timeout(60), ClientSession() as client:
            while True:
                try:
                    async with client.get(
                        f"http://127.0.0.1:{settings.web_port}/healthz"
                    ) as answer:
                        assert await answer.json() == {"status": "ok"}
                        break
                except ClientError:
                    await asyncio.sleep(0.1)
            while b"ready" not in status.read_bytes():
                await asyncio.sleep(0.05)
        role.signal(signal.SIGTERM)
        assert await asyncio.to_thread(role.process.wait, 20) == 0
    finally:
        role.kill()
