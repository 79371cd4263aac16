"""The wiring of role `sinks`: who reads what, under which name."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from models.effects import Fact
from models.events import MessageChannel
from sinks.alerts import AlertSink, Webhook
from sinks.clickhouse_facts import FACTS
from sinks.sender_choice import SenderConfig
from sinks.senders import TASKS
from streams import topics
from streams.settings import Settings
from streams.sink_roles import (
    clickhouse_runners,
    dispatcher_config,
    other_runners,
    sender_config,
    watch_config,
    webhook_of,
)

KINDS = {kind.__struct_config__.tag for kind in Fact.__args__}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, namespace="n-", alert_webhook_secret="whsec_c2VjcmV0")


def test_every_sink_has_a_group_of_its_own_in_the_namespace(settings: Settings) -> None:
    runners = [*clickhouse_runners(settings), *other_runners(settings, AlertSink(Webhook()))]
    groups = Counter(runner.feed.group for runner in runners)
    assert len(groups) == len(runners) == 8
    assert all(group.startswith("n-sink-") for group in groups)


def test_every_output_for_the_world_has_its_readers(settings: Settings) -> None:
    runners = [*clickhouse_runners(settings), *other_runners(settings, AlertSink(Webhook()))]
    read = Counter(runner.feed.topic for runner in runners)
    assert read == {
        settings.named(topics.FACTS): 1,
        settings.named(topics.CUSTOMERS): 2,
        settings.named(topics.ACTIONS): 1,
        settings.named(topics.ALERTS): 2,
        settings.named(topics.COUPON_VERDICTS): 1,
        settings.named(topics.DEAD_LETTERS): 1,
    }


def test_every_kind_of_fact_has_a_table() -> None:
    assert len(KINDS) == 5
    names = {table.name for table in FACTS.tables}
    assert {"events", "tier_changes", "decisions", "merges", "forgotten"} <= names


def test_the_watch_looks_at_every_topic_and_at_no_others(settings: Settings) -> None:
    config = watch_config(settings)
    assert config.topics == {f"n-{topic.name}" for topic in topics.TOPICS}
    assert config.prefix == "n-"


def test_secrets_do_not_show(settings: Settings) -> None:
    assert "c2VjcmV0" not in repr(webhook_of(settings))
    assert dispatcher_config(settings).master_key.hex() not in repr(dispatcher_config(settings))


def test_without_settings_no_message_leaves_the_house(tmp_path: Path) -> None:
    assert sender_config(Settings(data_dir=tmp_path)) == SenderConfig(
        webhooks=dict.fromkeys((MessageChannel.SMS, MessageChannel.PUSH, MessageChannel.CHAT), "")
    )


def test_senders_are_set_up_as_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        smtp_host="mail.example",
        email_from="Tea <hello@tea.example>",
        sms_webhook_url="https://sms.example",
        sender_webhook_secrets=SecretStr("whsec_x"),
        sends_per_minute={"sms": 60},
        public_url="https://tea.example",
        apprise_urls={"chat": SecretStr("json://x/{to}"), "task": SecretStr("json://y")},
    )
    config = sender_config(settings)
    assert config.apprise == {MessageChannel.CHAT: "json://x/{to}", TASKS: "json://y"}
    assert "json://x" not in repr(settings)
    assert config.smtp is not None
    assert (config.smtp.host, config.smtp.security) == ("mail.example", "starttls")
    assert config.webhooks[MessageChannel.SMS] == "https://sms.example"
    assert config.secrets == "whsec_x"
    dispatcher = dispatcher_config(settings)
    assert dispatcher.per_minute == {"sms": 60}
    assert dispatcher.public_url == "https://tea.example"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"smtp_host": "mail.example"}, "HUITOU_EMAIL_FROM"),
        ({"sms_webhook_url": "https://sms.example"}, "HUITOU_SENDER_WEBHOOK_SECRETS"),
        ({"smtp_security": "ssl"}, "smtp_security"),
        ({"apprise_urls": {"email": "json://x"}}, "email is none of sms, push, chat, task"),
        (
            {
                "apprise_urls": {"sms": "json://x"},
                "sms_webhook_url": "https://sms.example",
                "sender_webhook_secrets": "whsec_x",
            },
            "sms has a webhook, too",
        ),
    ],
)
def test_half_a_sender_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(**fields)
