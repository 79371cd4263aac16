"""A message step made ready: consent, channels in their order, what each asks for."""

from typing import Any

from models.events import MessageChannel
from models.playbook.edition import Edition, opened
from models.playbook.sending import Sending, sent_on
from tests.models.triggers.playing import HEAD, rulebook

RULES = """
triggers:
  one:
    when: {event: page_viewed}
    then:
      - tag: a
      - {message: hello, channels: [sms, email, chat], offer: ten}
      - {message: news}
"""


def sendings() -> Any:
    return rulebook(RULES).rules["one"].sendings


def test_messages_are_found_by_their_places_among_the_steps() -> None:
    assert list(sendings()) == [1, 2]
    assert rulebook(RULES).rules["one"].gifts == ("ten",)


def test_channels_stand_in_the_order_they_are_tried_with_what_they_need() -> None:
    found: Sending = sendings()[1]
    assert found.is_marketing
    assert [(one.channel, one.address, one.suffices_known) for one in found.ways] == [
        (MessageChannel.SMS, "phone", False),
        (MessageChannel.EMAIL, "email", True),
        (MessageChannel.CHAT, "", True),
    ]


def test_a_channel_that_is_switched_off_is_known_to_be() -> None:
    off = (HEAD + RULES).replace("sms: {enabled: true}", "sms: {enabled: false}")
    book = opened(Edition(version=1, main="main", files={"main": off}))
    assert [one.is_on for one in sendings()[1].ways] == [True, True, True]
    assert [one.is_on for one in book.rules["one"].sendings[1].ways] == [False, True, True]


def test_a_service_message_is_counted_apart() -> None:
    found: Sending = sendings()[2]
    assert (found.consent, found.is_marketing) == ("service", False)
    assert found.ways[0].counted_as == sent_on("email", "service") == "service:email"
    assert sent_on("email", "marketing") == "email"
    assert found.ways[0].passed == "consent to service by email"
