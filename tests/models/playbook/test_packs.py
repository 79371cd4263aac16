"""The ready packs: complete in three languages, sound alone and together, ready to be included."""

import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest

import models.playbook
from models.playbook.check import Checked, check
from models.playbook.copy import Message, Words
from models.playbook.packs import check_part, in_locales, is_part, part_text, whole_text
from models.playbook.playbook import Playbook
from models.playbook.scalars import LOCALES
from models.playbook.then import Send, steps_in
from models.playbook.when import OnCouponEnding
from models.playbook.wording import LISTS, bare_names_in, line_of
from models.playbook.words import number_or_text, texts_of
from tests.models.playbook.scripts import SIMPLIFIED, TO_SIMPLIFIED, TRADITIONAL

FOLDER = Path(models.playbook.__file__).parent
PACKS = FOLDER / "packs"
SHOP = (FOLDER / "pack_shop.yaml").read_text()
STARTER = (FOLDER / "starter.yaml").read_text()
TODAY = date(2026, 11, 26)
NAMES = (
    "first_order_care",
    "browse_24h",
    "cart",
    "wishlist_price_drop",
    "back_in_stock",
    "silence_30d",
    "model_dormancy",
    "win_back_ladder",
    "birthday",
    "anniversary",
    "spring_festival",
    "mid_autumn",
    "dragon_boat",
    "national_day",
    "double_11",
    "christmas",
    "replenishment",
    "maintenance_reminder",
    "upgrade_notice",
    "high_value_welcome",
    "early_access",
    "potential_cadence",
    "post_complaint_care",
    "review_request",
    "refund_follow_up",
    "delivery_delay_apology",
    "tier_about_to_drop",
    "expiring_coupon",
    "vip_silence_call",
)
PROMISES = re.compile(r"% off|[Ff]ree ship|little something|優惠|优惠|免運|包邮|回購禮|回归礼")
TYPICAL = {
    "first_name": "Anna",
    "product": "Linen shirt",
    "product_id": "sku-1042",
    "order_id": "o-100234",
    "offer_percent": 10,
    "offer_amount": "48",
    "coupon": "87RX-FYNX-5H7C",
    "coupon_until": "2026-12-24",
    "days_silent": 42,
    "price": "29.90 EUR",
    "recommended": [{"name": "Wool socks", "product_id": "sku3"}],
    "reviews": [{"text": "Keeps warm", "rating": 5, "product_id": "sku3"}],
}
SMS_CHARS = {"en": 160, "zh-TW": 70, "zh-CN": 70}
NEEDED = ("subject", "preheader", "greeting", "closing", "signature", "unsubscribe", "short")


@cache
def text_of(name: str) -> str:
    return (PACKS / f"{name}.yaml").read_text()


@cache
def checked(name: str) -> Checked:
    return check_part(SHOP, f"{name}.yaml", text_of(name).encode(), lambda _: None, today=TODAY)


def book_of(name: str) -> Playbook:
    book = checked(name).playbook
    assert book is not None
    return book


def messages() -> list[tuple[str, Message]]:
    return [pair for name in NAMES for pair in book_of(name).messages.items()]


MESSAGES = messages()
BY_MESSAGE = pytest.mark.parametrize("message", [pytest.param(m, id=n) for n, m in MESSAGES])


def known(words: Words) -> dict[str, object]:
    """What is known of nobody in particular."""
    return {name: number_or_text(text) for name, text in words.defaults.items()}


def filled(words: Words, values: dict[str, object]) -> list[str]:
    return [line_of(text).fill({**known(words), **values}) for _, text in texts_of(words)]


def test_all_packs_are_there_and_no_others() -> None:
    assert sorted(path.stem for path in PACKS.glob("*.yaml")) == sorted(NAMES)
    assert len(NAMES) == 29


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_has_neither_mistake_nor_doubt(name: str) -> None:
    assert [str(one) for one in checked(name).problems] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_says_what_it_does_and_what_to_measure(name: str) -> None:
    book = book_of(name)
    assert list(book.packs) == [name]
    assert len(book.packs[name].description) > 40
    assert "gainst" in book.packs[name].measure or "before and after" in book.packs[name].measure
    assert all(trigger.description for trigger in book.triggers.values())
    assert all(offer.description for offer in book.offers.values())


@pytest.mark.parametrize("name", NAMES)
def test_events_of_the_shops_own_are_named_in_what_it_needs(name: str) -> None:
    asked = re.findall(r'event\.name == "([^"]+)"', text_of(name))
    assert all(f'track "{one}"' in book_of(name).packs[name].needs for one in asked)


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_can_be_included_by_any_shop(name: str) -> None:
    raw = text_of(name).encode()
    assert is_part(raw)
    shop = f"shop: {{time_zone: Europe/Berlin, currency: USD, country: CN}}\ninclude: {name}.yaml\n"
    found = check("mine.yaml", shop.encode(), {f"{name}.yaml": raw}.get)
    assert found.errors == ()


def test_all_packs_go_together_and_with_the_starter() -> None:
    included = [f"{name}.yaml" for name in NAMES]
    text = f"{STARTER}\ninclude: [{', '.join(included)}]\n"
    text = text.replace("currency: EUR\n", "currency: EUR\n  country: TW\n")
    files = {f"{name}.yaml": text_of(name).encode() for name in NAMES}
    found = check("all.yaml", text.encode(), files.get, today=TODAY)
    assert [str(one) for one in found.problems] == []
    assert found.playbook is not None
    assert set(found.playbook.packs) == set(NAMES)
    assert len(found.playbook.triggers) >= len(NAMES) + 3


@BY_MESSAGE
def test_a_message_is_whole_in_every_language(message: Message) -> None:
    assert tuple(message.words) == LOCALES
    for words in message.words.values():
        assert all(getattr(words, name) for name in NEEDED)
        assert words.paragraphs


@BY_MESSAGE
def test_every_name_in_the_words_has_a_default_or_is_asked_for(message: Message) -> None:
    for words in message.words.values():
        printed = {name for _, text in texts_of(words) for name in bare_names_in(text)}
        assert printed - set(words.defaults) - set(LISTS) == set()
        assert printed


@BY_MESSAGE
@pytest.mark.parametrize("values", [{}, TYPICAL], ids=["nothing known", "all known"])
def test_words_read_well_with_nothing_known_and_with_all(
    message: Message, values: dict[str, object]
) -> None:
    for words in message.words.values():
        texts = filled(words, values)
        assert len([one for one in texts if one]) >= len(NEEDED) + len(words.paragraphs)
        holes = re.compile(r"[{}]|  |^\s|\s$|「」|“”|。。|, \.|：。")
        assert [one for one in texts if holes.search(one)] == []


@BY_MESSAGE
@pytest.mark.parametrize("values", [{}, TYPICAL], ids=["nothing known", "all known"])
def test_the_short_text_fits_one_text_message(message: Message, values: dict[str, object]) -> None:
    for locale, words in message.words.items():
        short = line_of(words.short).fill({**known(words), **values})
        assert len(short) <= SMS_CHARS[locale]
        # Outside its own alphabet a text message holds 70 characters only.
        assert short.isascii() or locale != "en"


@BY_MESSAGE
def test_each_chinese_is_written_in_its_own_script(message: Message) -> None:
    for locale, foreign in (("zh-TW", SIMPLIFIED), ("zh-CN", TRADITIONAL)):
        words = message.words[locale]
        texts = [text for _, text in texts_of(words)] + list(words.defaults.values())
        assert foreign.intersection("".join(texts)) == set()


@BY_MESSAGE
def test_each_chinese_is_written_and_not_converted(message: Message) -> None:
    def plain(text: str) -> str:
        signs = str.maketrans({"「": "“", "」": "”"})
        return "".join(TO_SIMPLIFIED.get(one, one) for one in text.translate(signs))

    taiwan, china = message.words["zh-TW"], message.words["zh-CN"]
    pairs = list(zip(taiwan.paragraphs, china.paragraphs, strict=True))
    pairs += [(taiwan.closing, china.closing), (taiwan.short, china.short)]
    assert [theirs for ours, theirs in pairs if plain(ours) == theirs] == []


@BY_MESSAGE
def test_advertising_says_how_to_stop_it_and_service_does_not(message: Message) -> None:
    stops = {"en": ("unsubscribe", "STOP"), "zh-TW": ("取消訂閱",) * 2, "zh-CN": ("退订",) * 2}
    for locale, (long, short) in stops.items():
        words = message.words[locale]
        says = (long in words.unsubscribe, short in words.short)
        assert says == ((True, True) if message.consent == "marketing" else (False, False))


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_is_guarded(name: str) -> None:
    book = book_of(name)
    for trigger in book.triggers.values():
        steps = [step for _, step in steps_in(trigger.then, ()) if isinstance(step, Send)]
        markets = any(book.messages[step.message].consent == "marketing" for step in steps)
        if markets:
            assert trigger.guard.holdout
            assert trigger.guard.mute_after_complaint
            assert trigger.guard.quiet_hours == "hold"
        assert 30 <= trigger.guard.priority <= 95
        # An occasion is a single one where a silence begins; else it is said how often.
        assert trigger.guard.once != "occasion" or hasattr(trigger.when, "silence_ms")


@pytest.mark.parametrize("name", ["browse_24h", "cart", "silence_30d", "tier_about_to_drop"])
def test_who_gets_no_offer_is_promised_none(name: str) -> None:
    """Sure buyers get the message without its coupon; the subject must not speak of one."""
    book = book_of(name)
    [rule] = book.triggers.values()
    assert rule.guard.no_offer_above
    for _, step in steps_in(rule.then, ()):
        if not isinstance(step, Send) or not step.offer:
            continue
        for locale, words in book.messages[step.message].words.items():
            for text in (words.subject, words.preheader, words.short):
                said = line_of(text).fill({**known(words), "coupon": ""})
                assert not PROMISES.search(said), (locale, said)


def test_the_reminder_of_coupons_comes_well_after_they_are_given() -> None:
    when = book_of("expiring_coupon").triggers["expiring_coupon"].when
    assert isinstance(when, OnCouponEnding)
    assert when.coupon_expires == ("all",)
    assert when.good_for_ms >= 4 * when.before_ms


def test_packs_put_together_are_one_playbook_with_each_section_once() -> None:
    text = whole_text(SHOP, [text_of("cart"), text_of("birthday"), text_of("early_access")])
    found = check("new.yaml", text.encode(), today=TODAY)
    assert found.problems == ()
    assert found.playbook is not None
    assert set(found.playbook.packs) == {"cart", "birthday", "early_access"}
    assert set(found.playbook.offers) == {"cart_free_shipping", "birthday_15"}
    assert set(found.playbook.perks) == {"early_access"}
    assert text.count("\ntriggers:\n") == 1


def test_what_is_put_together_says_what_its_packs_say() -> None:
    text = whole_text(SHOP, [text_of(name) for name in NAMES])
    together = check("new.yaml", text.encode(), today=TODAY)
    assert together.problems == ()
    assert together.playbook is not None
    for name in NAMES:
        alone = book_of(name)
        for section in ("perks", "offers", "messages", "triggers"):
            own = getattr(alone, section)
            assert {key: getattr(together.playbook, section)[key] for key in own} == own


def test_languages_that_are_not_wanted_are_left_out() -> None:
    text = in_locales(whole_text(SHOP, [text_of("cart")]), ["zh-TW", "en"])
    found = check("new.yaml", text.encode(), today=TODAY)
    assert found.problems == ()
    assert found.playbook is not None
    assert found.playbook.shop is not None
    assert (found.playbook.shop.locale, found.playbook.shop.locales) == ("zh-TW", ("zh-TW", "en"))
    for name, message in found.playbook.messages.items():
        alone = book_of("cart").messages[name].words
        assert message.words == {locale: alone[locale] for locale in ("en", "zh-TW")}
    assert TO_SIMPLIFIED["訂"] not in text


@pytest.mark.parametrize(
    "text", ["shop: {time_zone: UTC, currency: EUR}\npacks: {}\n", "triggers: {}\n", "- a\n", "{"]
)
def test_what_has_a_shop_or_names_no_pack_is_no_part(text: str) -> None:
    assert not is_part(text.encode())


@pytest.mark.parametrize("file", ["mine.yaml", "./mine.yaml", "packs/mine.yaml", "/a/mine.yaml"])
def test_mistakes_of_a_part_are_told_where_they_stand(file: str) -> None:
    text = part_text([text_of("cart")]).replace("event: product_added", "event: product_aded")
    found = check_part(SHOP, file, text.encode(), lambda _: None)
    (mistake,) = found.errors
    assert mistake.suggestion == "product_added"
    assert mistake.place.file == file.removeprefix("./")
    line = text.splitlines()[mistake.place.line - 1]
    assert line.strip() == "event: product_aded"
