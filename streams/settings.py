"""One frozen `Settings`, read once per process from `HUITOU_*` and the command line."""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEMO_WRITE_KEY = "demo"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """Everything a role needs to know, embedded or under compose.

    Raises pydantic's ValidationError, which names the variable, the value and what was expected.
    """

    model_config = SettingsConfigDict(env_prefix="HUITOU_", frozen=True, extra="forbid")

    data_dir: Path = Path("data")

    kafka: str = Field("", description="host:port of a broker; empty: start the embedded one")
    kafka_port: int = 9492
    kafka_controller_port: int = 9493
    redis_url: str = Field("", description="redis:// address; empty: start the embedded Valkey")
    valkey_port: int = 6479
    clickhouse_url: str = Field("", description="http:// address; empty: start the embedded engine")
    clickhouse_port: int = 8523
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_database: str = "huitou"

    namespace: str = Field(
        "", description="prefix of topics, groups, transactional ids and Redis keys"
    )
    incarnation: int = Field(
        1, ge=1, description="which writing of the log this is; a rebuild adds one"
    )
    partitions: int = Field(4, ge=1, le=1024)
    replication: int = Field(1, ge=1, le=5)
    workers: int = Field(1, ge=1, le=64)

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8470
    web_host: str = "127.0.0.1"
    web_port: int = 8471
    write_key: SecretStr = SecretStr(DEMO_WRITE_KEY)
    api_key: SecretStr = SecretStr("")
    webhook_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="JSON object: source name -> signing secret"
    )
    awaits_history: bool = Field(
        False, description="take no event before a history is begun; `up --demo` sets it"
    )
    intake_topic: str = Field("", description="a Kafka topic of Segment JSON to read; empty: none")
    token_key: SecretStr = Field(SecretStr(""), description="hex; empty: made and kept in data_dir")
    master_key: SecretStr = Field(
        SecretStr(""), description="hex; empty: made and kept in data_dir"
    )
    public_url: str = Field(
        "", description="http(s):// address under which customers reach the gateway"
    )
    smtp_host: str = Field("", description="empty: e-mail ends in the mailbox")
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_security: str = Field("starttls", pattern="^(starttls|tls|none)$")
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    email_from: str = Field("", description="address, or NAME <ADDRESS>, that e-mail is from")
    email_reply_to: str = ""
    email_unsubscribe_to: str = Field("", description="address for List-Unsubscribe by e-mail")
    sms_webhook_url: str = Field("", description="empty: text messages end in the mailbox")
    push_webhook_url: str = ""
    chat_webhook_url: str = ""
    task_webhook_url: str = Field("", description="where people's tasks are posted to as well")
    sender_webhook_secrets: SecretStr = Field(
        SecretStr(""), description="sign what is posted, parted by commas while one is replaced"
    )
    apprise_urls: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="JSON object: sms, push, chat, task -> apprise URL, {to} is the address",
    )
    sends_per_minute: dict[str, int] = Field(
        default_factory=dict, description="JSON object: email, sms, ... -> messages a minute"
    )
    alert_webhook_url: str = ""
    alert_webhook_secret: SecretStr = SecretStr("")

    currency: str = Field("USD", pattern="^[A-Z]{3}$")
    timezone: str = "UTC"

    commit_interval_ms: int = Field(50, ge=1, le=10_000)
    mark_interval_ms: int = Field(1_000, ge=100, le=60_000)
    session_timeout_ms: int = Field(8_000, ge=1_000)
    max_body_bytes: int = Field(500_000, ge=1_000)
    max_batch_events: int = Field(500, ge=1)
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="a worker's /metrics on loopback, the next worker's one higher; 0: none",
    )
    adopt_every_days: int = Field(7, ge=1, description="log days between two adoptions of a model")
    adopt_segments_every_days: int = Field(
        1, ge=1, description="the same of clusters and tier edges, which age within days"
    )
    dormant_after_days: int = Field(
        0, ge=0, description="days of silence that make a customer dormant; 0: the shop's own edges"
    )
    automatic_tiers: bool = Field(
        False, description="edges of the tiers from the shop's own quantiles, not fixed ones"
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")

    @model_validator(mode="after")
    def _keyed_beyond_loopback(self) -> Self:
        if not is_loopback(self.gateway_host) and self.write_key.get_secret_value() in (
            "",
            DEMO_WRITE_KEY,
        ):
            raise ValueError(
                f"HUITOU_GATEWAY_HOST={self.gateway_host} is not loopback: "
                "set HUITOU_WRITE_KEY to a secret of your own"
            )
        if not is_loopback(self.web_host) and not self.api_key.get_secret_value():
            raise ValueError(
                f"HUITOU_WEB_HOST={self.web_host} is not loopback: set HUITOU_API_KEY to a secret"
            )
        return self

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.smtp_host and "@" not in self.email_from:
            raise ValueError("HUITOU_SMTP_HOST is set: set HUITOU_EMAIL_FROM to an address")
        posts = (self.sms_webhook_url, self.push_webhook_url, self.chat_webhook_url)
        if any((*posts, self.task_webhook_url)) and not (
            self.sender_webhook_secrets.get_secret_value()
        ):
            raise ValueError("a webhook for messages is set: set HUITOU_SENDER_WEBHOOK_SECRETS")
        return self

    @model_validator(mode="after")
    def _one_way_out_each(self) -> Self:
        posts = {
            "sms": self.sms_webhook_url,
            "push": self.push_webhook_url,
            "chat": self.chat_webhook_url,
            "task": self.task_webhook_url,
        }
        for outlet in self.apprise_urls:
            if outlet not in posts:
                raise ValueError(f"HUITOU_APPRISE_URLS: {outlet} is none of {', '.join(posts)}")
            if posts[outlet]:
                raise ValueError(f"HUITOU_APPRISE_URLS: {outlet} has a webhook, too: set one")
        return self

    def named(self, name: str) -> str:
        """Put the namespace before the name of a topic, group or transactional id."""
        return f"{self.namespace}{name}"

    @property
    def kafka_bootstrap(self) -> str:
        """Address of the broker, embedded or given."""
        return self.kafka or f"127.0.0.1:{self.kafka_port}"

    @property
    def redis_address(self) -> str:
        """URL of Redis or Valkey, embedded or given."""
        return self.redis_url or f"redis://127.0.0.1:{self.valkey_port}/0"

    @property
    def clickhouse_address(self) -> str:
        """URL of ClickHouse, embedded or given."""
        return self.clickhouse_url or f"http://127.0.0.1:{self.clickhouse_port}"
