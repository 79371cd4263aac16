"""A message step made ready: on which channels it may go, and what each of them asks for."""

from typing import NamedTuple

from models.events import MessageChannel
from models.playbook.playbook import Playbook
from models.playbook.then import Send

_ADDRESSES = {MessageChannel.EMAIL: "email", MessageChannel.SMS: "phone"}
# Mailing, push and chat may know customers by the shop's id; a telephone does not.
_KNOWS_NOBODY = MessageChannel.SMS


class Way(NamedTuple):
    """One channel of a message.

    `address` is the sealed field it needs, empty for none; `suffices_known`: it may do without, for
    whom the shop knows. `counted_as` is its name among the caps, `passed` what a receipt says of
    the consent.
    """

    name: str
    channel: MessageChannel
    is_on: bool
    address: str
    suffices_known: bool
    counted_as: str
    passed: str


class Sending(NamedTuple):
    """A message step: the consent it needs, and its channels in the order they are tried."""

    consent: str
    is_marketing: bool
    ways: tuple[Way, ...]


def sending_of(step: Send, book: Playbook) -> Sending:
    """Make a step ready; a message that says nothing of consent needs that to marketing."""
    message = book.messages.get(step.message)
    consent = (message.consent if message else "") or "marketing"
    ways = tuple(_way(name, consent, book) for name in step.channels)
    return Sending(consent, consent == "marketing", ways)


def _way(name: str, consent: str, book: Playbook) -> Way:
    channel = MessageChannel(name)
    return Way(
        name,
        channel,
        name not in book.channels or book.channels[name].enabled,
        _ADDRESSES.get(channel, ""),
        channel is not _KNOWS_NOBODY,
        sent_on(name, consent),
        f"consent to {consent} by {name}",
    )


def sent_on(channel: str, consent: str) -> str:
    """Name under which a message is counted for caps: those of one consent on one channel."""
    return channel if consent == "marketing" else f"{consent}:{channel}"
