"""The words of an action: its own edition's, and the release's where there is none."""

from typing import Any

import pytest

from models.events import MessageChannel
from models.playbook.edition import Edition
from models.snapshot import recorded
from sinks.dispatch_words import Wording
from sinks.editions import EditionAwaited, Editions, NoEdition
from sinks.templates import UnknownTemplate, released_book
from tests.sinks.test_dispatch_messages import action
from tests.sinks.test_editions import say

PLAYBOOK = """\
shop: {time_zone: UTC, currency: EUR, name: Tea House, locale: zh-TW}
channels: {email: {sender: Tea}, sms: {rate_per_minute: 9}}
triggers:
  hello: {when: {event: order_completed}, then: [{message: hello, recommend: 2}]}
  look: {when: {event: product_viewed}, then: [{message: look, reviews: 1}]}
messages:
  hello:
    consent: marketing
    words:
      en: {subject: "Hi", paragraphs: ["{{ shop }} {{ recommended | join(', ') }}{{ coupon }}"],
           short: "Short {{ first_name }}", unsubscribe: "Stop?"}
      zh-TW: {subject: "您好", paragraphs: ["{{ shop }}"]}
  look:
    consent: marketing
    words:
      en: {subject: "{{ product }} {{ product_rating }}", signature: "Us", unsubscribe: "Stop?",
           paragraphs: ["{% for one in reviews %}{{ one.text }}{% endfor %}"]}
"""


class Asked:
    """Recommends two items, knows a product, and how often it was asked."""

    times = 0

    async def about(self, product_id: str, quotes: int, locale: str) -> dict[str, Any]:
        self.times += 1
        assert locale == "en", "the language of the words, whatever the customer's"
        said = [{"text": "Fine", "rating": 5.0, "product_id": product_id}]
        return {"product": "Pot", "product_rating": 4.5, "product_reviews": 2} | {
            "reviews": said[:quotes]
        }

    async def of(self, customer: str, n: int, at_ms: int) -> list[dict[str, Any]]:
        self.times += 1
        return [{"name": "Pot"}, {"name": "Cup"}][:n]


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def wording(asked: Asked) -> Wording:
    editions = Editions("127.0.0.1:9", "snapshots")
    say(editions, recorded("playbook", Edition(3, "p.yaml", {"p.yaml": PLAYBOOK})))
    return Wording(released_book(), editions, asked, lambda one: "https://x.example/u/1")  # type: ignore[arg-type]


async def test_without_an_edition_the_release_speaks(wording: Wording) -> None:
    words = await wording.written(action(template="thank_you"), {"first_name": "Anna"}, 5)
    assert words.text.startswith("Hi Anna,")
    assert "https://x.example/u/1" in words.text
    assert (await wording.channel(action())).rate_per_minute == 0


async def test_an_editions_words_are_filled_with_all_that_is_known(
    wording: Wording, asked: Asked
) -> None:
    one = action(playbook_version=3, recommend=2, coupon="A1")
    assert "Tea House Pot, CupA1" in (await wording.written(one, {}, 5)).text
    assert (await wording.channel(one)).sender == "Tea"
    assert asked.times == 1


async def test_what_the_words_do_not_show_is_not_asked_for(wording: Wording, asked: Asked) -> None:
    await wording.written(action(playbook_version=3), {}, 5)
    assert asked.times == 0


async def test_the_name_rating_and_words_about_a_product_are_filled_in(
    wording: Wording, asked: Asked
) -> None:
    one = action(
        playbook_version=3, template="look", reviews=1, locale="fr", variables={"product_id": "p1"}
    )
    words = await wording.written(one, {}, 5)
    assert words.subject == "Pot 4.5"
    assert "Fine" in words.text
    assert asked.times == 1


async def test_the_name_that_the_event_told_stands(wording: Wording) -> None:
    known = {"product_id": "p1", "product": "Blue pot"}
    one = action(playbook_version=3, template="look", variables=known)
    assert (await wording.written(one, {}, 5)).subject == "Blue pot 4.5"


async def test_about_no_product_in_particular_nothing_is_asked(
    wording: Wording, asked: Asked
) -> None:
    await wording.written(action(playbook_version=3, template="look", variables={}), {}, 5)
    assert asked.times == 0


async def test_who_speaks_no_language_of_it_gets_the_shops(wording: Wording) -> None:
    assert (await wording.written(action(playbook_version=3, locale="fr"), {}, 5)).subject == "您好"


async def test_other_channels_get_the_short_form(wording: Wording) -> None:
    one = action(playbook_version=3, message_channel=MessageChannel.SMS)
    assert (await wording.written(one, {"name": "Bo"}, 5)).text == "Short Bo"
    assert (await wording.channel(one)).rate_per_minute == 9


async def test_what_is_not_there_is_told_apart(wording: Wording) -> None:
    with pytest.raises(EditionAwaited):
        await wording.written(action(playbook_version=4), {}, 5)
    with pytest.raises(UnknownTemplate):
        await wording.written(action(playbook_version=3, template="bye"), {}, 5)
    with pytest.raises(NoEdition):
        await Wording(released_book()).written(action(playbook_version=3), {}, 5)
