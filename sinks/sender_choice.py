"""Which sender each outlet has: what is set up, and the mailbox for all the rest."""

from dataclasses import dataclass, field, replace

from models.events import MessageChannel
from sinks.mailbox import Mailbox, MailboxSender, mailbox_for_all
from sinks.sender_apprise import AppriseSender
from sinks.sender_email import EmailSender, SmtpServer
from sinks.sender_webhook import WebhookSender
from sinks.senders import TASKS, WEBHOOKS, Message, Outlet, Sender, Senders, SendResult


@dataclass(frozen=True)
class SenderConfig:
    """What is set up; empty is not. `secrets` sign every webhook, parted by commas.

    `apprise` are apprise URLs by outlet, where the extra is installed.
    """

    smtp: SmtpServer | None = None
    webhooks: dict[MessageChannel, str] = field(default_factory=dict)
    tasks_url: str = ""
    secrets: str = field(default="", repr=False)
    apprise: dict[Outlet, str] = field(default_factory=dict, repr=False)


class TaskSender:
    """Puts a task into the mailbox and tells its owner's program of it."""

    takes_history = False

    def __init__(self, mailbox: Sender, told: Sender) -> None:
        self._mailbox = mailbox
        self._told = told

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        """Both, in this order: the mailbox knows what it has already."""
        await self._mailbox.send(message, idempotency_key)
        result = await self._told.send(message, idempotency_key)
        return replace(result, delivered=True)

    async def close(self) -> None:
        """Close the owner's connection."""
        await self._told.close()


def senders_of(config: SenderConfig, mailbox: Mailbox) -> Senders:
    """Wire the outlets; calls of other programs leave the house only when they can be signed."""
    chosen: dict[Outlet, Sender] = dict(mailbox_for_all(mailbox))
    if config.smtp:
        chosen[MessageChannel.EMAIL] = EmailSender(config.smtp)
    for channel, url in config.webhooks.items():
        if url:
            chosen[channel] = WebhookSender(url, config.secrets)
    if config.tasks_url:
        told = WebhookSender(config.tasks_url, config.secrets)
        chosen[TASKS] = TaskSender(MailboxSender(mailbox), told)
    for outlet, url in config.apprise.items():
        teller = AppriseSender(url)
        chosen[outlet] = TaskSender(MailboxSender(mailbox), teller) if outlet == TASKS else teller
    if config.secrets:
        chosen[WEBHOOKS] = WebhookSender("", config.secrets)
    return chosen
