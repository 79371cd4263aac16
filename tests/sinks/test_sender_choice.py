"""Which sender each outlet has: what is set up leaves the house, nothing else does."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from models.events import MessageChannel
from sinks.keys import SqliteKeyStore
from sinks.mailbox import Mailbox, MailboxSender
from sinks.sealing import Sealer
from sinks.sender_apprise import AppriseSender
from sinks.sender_choice import SenderConfig, TaskSender, senders_of
from sinks.sender_email import EmailSender, SmtpServer
from sinks.sender_webhook import WebhookSender
from sinks.senders import TASKS, WEBHOOKS, Message, Senders, SendFailed, SendResult
from tests.sinks.test_sender_apprise import needs_apprise
from tests.sinks.test_sender_email import message

SMTP = SmtpServer("mail.example", 587, "hello@tea.example", password="pass-word")


def chosen(config: SenderConfig, folder: Path) -> Senders:
    store = SqliteKeyStore(folder / "keys.sqlite", bytes(32))
    try:
        return senders_of(config, Mailbox(Redis(), Sealer(store)))
    finally:
        store.close()


def test_without_settings_everything_ends_in_the_mailbox(tmp_path: Path) -> None:
    senders = chosen(SenderConfig(), tmp_path)
    assert set(senders) == {*MessageChannel, TASKS, WEBHOOKS}
    assert {type(one) for one in senders.values()} == {MailboxSender}


def test_what_is_set_up_reaches_people_and_the_rest_does_not(tmp_path: Path) -> None:
    config = SenderConfig(
        SMTP,
        {MessageChannel.SMS: "https://sms.example", MessageChannel.PUSH: ""},
        "https://desk.example",
        "secret",
    )
    senders = chosen(config, tmp_path)
    assert {str(name): type(one) for name, one in senders.items()} == {
        str(MessageChannel.EMAIL): EmailSender,
        str(MessageChannel.SMS): WebhookSender,
        str(MessageChannel.PUSH): MailboxSender,
        str(MessageChannel.CHAT): MailboxSender,
        TASKS: TaskSender,
        WEBHOOKS: WebhookSender,
    }
    assert not senders[TASKS].takes_history


@needs_apprise
def test_apprise_urls_take_the_place_of_the_mailbox(tmp_path: Path) -> None:
    url = "json://127.0.0.1:9/{to}"
    config = SenderConfig(apprise={MessageChannel.CHAT: url, TASKS: url})
    senders = chosen(config, tmp_path)
    assert type(senders[MessageChannel.CHAT]) is AppriseSender
    assert type(senders[TASKS]) is TaskSender
    assert type(senders[MessageChannel.SMS]) is MailboxSender
    assert url not in repr(config)


def test_no_secret_shows_where_it_is_printed() -> None:
    assert "pass-word" not in repr(SenderConfig(SMTP, secrets="whsec_x"))
    assert "whsec_x" not in repr(SenderConfig(SMTP, secrets="whsec_x"))


class Kept:
    """Keeps what it is sent; fails where it is told to."""

    takes_history = True

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.keys: list[str] = []
        self.closed = False

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        if self.fails:
            raise SendFailed("away")
        self.keys.append(idempotency_key)
        return SendResult("p")

    async def close(self) -> None:
        self.closed = True


async def test_a_task_lies_in_the_mailbox_even_while_its_owners_program_is_away() -> None:
    mailbox, told = Kept(), Kept(fails=True)
    sender = TaskSender(mailbox, told)
    with pytest.raises(SendFailed):
        await sender.send(message(kind="task"), "k")
    told.fails = False
    assert (await sender.send(message(kind="task"), "k")).delivered
    await sender.close()
    assert (mailbox.keys, told.keys, told.closed) == (["k", "k"], ["k"], True)
