"""Doubts: what is right word by word and probably not meant."""

from datetime import date

import pytest

from models.holidays import NAMES
from models.playbook.cel_parser import parse
from models.playbook.cel_rooms import can_hold
from models.playbook.check import check
from models.playbook.event_fields import EVENT_FIELDS
from models.playbook.fields import CUSTOMER_FIELDS
from models.playbook.shop import HOLIDAYS
from tests.models.playbook.broken import SHOP, rule

FIELDS = {**CUSTOMER_FIELDS, **EVENT_FIELDS["product_viewed"]}
TODAY = date(2026, 11, 26)
SILENCE = "{silence: 30d}"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("customer.orders > 5 && customer.orders < 3", False),
        ("customer.orders > 2 && customer.orders < 3", False),
        ("customer.value > 2.0 && customer.value < 3.0", True),
        ("customer.value > 2.0 && customer.value < 2.0", False),
        ("customer.value >= 2.0 && customer.value <= 2.0", True),
        ("customer.value >= 2.0 && customer.value <= 2.0 && customer.value != 2.0", False),
        ("customer.orders < 0", False),
        ("0 > customer.orders", False),
        ("customer.hazard > 1", False),
        ("customer.hazard >= 1", True),
        ("customer.orders == 1 && customer.orders == 2", False),
        ("customer.orders == 1.5", False),
        ("customer.orders == 1 || customer.orders == 2", True),
        ("customer.orders == 1 && customer.orders != 1", False),
        ("customer.orders in [1, 2] && customer.orders > 2", False),
        ("customer.orders >= 1 && customer.orders <= 1 && !(customer.orders in [1])", False),
        ("customer.tier == 'new' && customer.tier == 'dormant'", False),
        ("customer.tier != 'new' && customer.tier in ['new']", False),
        ("!(customer.tier in ['new', 'regular', 'potential', 'high_value', 'dormant'])", False),
        ("customer.known && !customer.known", False),
        ("customer.known == true && customer.known == false", False),
        ("!(customer.known || !customer.known)", False),
        ("has(customer.hazard) && !has(customer.hazard)", False),
        ("!has(customer.hazard) && customer.hazard > 0.5", False),
        ("!has(customer.hazard) || customer.hazard > 0.5", True),
        ("customer.traits.city == 'a' && customer.traits.city == 'b'", False),
        ("customer.traits.city == 'a' && customer.traits['town'] == 'b'", True),
        ("customer.traits.n == 1 && customer.traits.n == 1.0", True),
        ("customer.traits.n == 1 && customer.traits.n == true", False),
        ("'sms' in customer.unsubscribed && !('sms' in customer.unsubscribed)", False),
        ("'sms' in customer.unsubscribed && 'email' in customer.unsubscribed", True),
        ("event.category == 'shoes' && event.category != 'shoes'", False),
        ("event.category == 'shoes' && event.brand != 'shoes'", True),
        ("false", False),
        ("true", True),
        ("customer.known ? false : customer.known", False),
        ("customer.known ? customer.orders > 1 : false", True),
        ("customer.orders + 1 < 0", True),
        (" && ".join(["(customer.orders > 1 || customer.views > 1)"] * 12), True),
    ],
)
def test_a_condition_that_nobody_can_fulfil_is_recognised(condition: str, expected: bool) -> None:
    assert can_hold(parse(condition), FIELDS) is expected


def doubts(text: str, today: date = TODAY) -> list[tuple[str, str]]:
    found = check("p.yaml", (SHOP + text).encode(), today=today)
    assert found.errors == ()
    return [(str(one.place), one.message) for one in found.warnings]


@pytest.mark.parametrize(
    ("when", "guard"),
    [
        (SILENCE, "{if: customer.orders == 0}"),
        (SILENCE, "{if: customer.silence_days < 30}"),
        ("{silence: 30d, if: customer.orders > 3}", "{if: customer.orders < 3}"),
        ("{enters_tier: high_value}", "{tiers: [new, dormant]}"),
        ("{enters_tier: high_value}", "{if: customer.tier == 'new'}"),
        ("{dormancy: lost}", "{if: customer.dormancy == 'cooling'}"),
        ("{every: 14d, while: customer.orders == 0}", "{if: customer.orders >= 1}"),
        ("{event: product_viewed, if: customer.orders == 0}", "{if: customer.orders >= 1}"),
        ("{every: 14d, while: customer.tier == 'new'}", "{tiers: dormant}"),
    ],
)
def test_a_rule_whose_conditions_exclude_each_other_can_never_fire(when: str, guard: str) -> None:
    found = doubts(rule(when, guard=guard))
    assert found == [
        ("p.yaml:6:5", "trigger one can never fire: its conditions exclude each other")
    ]


def test_a_segment_that_excludes_the_guard_is_found() -> None:
    text = rule(SILENCE, guard="{segments: small, if: customer.orders > 3}")
    found = doubts(text + "segments: {small: {if: customer.orders < 3}}\n")
    assert [message for _, message in found] == [
        "trigger one can never fire: its conditions exclude each other"
    ]


def test_what_held_at_the_event_need_not_hold_after_a_wait() -> None:
    when = "{event: product_viewed, if: customer.orders == 0, wait: 24h}"
    assert doubts(rule(when, guard="{if: customer.orders >= 1}")) == []


def test_a_condition_that_never_holds_is_told_at_its_place() -> None:
    found = doubts(rule(SILENCE, guard="{if: customer.orders > 5 && customer.orders < 3}"))
    assert found == [("p.yaml:8:17", "this condition can never hold")]


def test_a_cap_that_lets_nothing_through_is_told() -> None:
    assert doubts("caps: [{at_most: 0, per: 7d}]") == [
        ("p.yaml:4:18", "this cap lets nothing through")
    ]


MARKETING = """
messages:
  hi: {consent: marketing, words: {en: {subject: a, paragraphs: [a], short: a}}}
"""


def capped(triggers: str, cap: str = "{at_most: 2, per: 7d}") -> list[str]:
    return [message for _, message in doubts(f"caps: {cap}\n{MARKETING}triggers:\n{triggers}")]


def test_a_cadence_faster_than_its_cap_starves() -> None:
    often = "  a: {when: {every: 1d, while: customer.known}, then: {message: hi}}\n"
    assert capped(often) == [
        "trigger a sends 7 messages in a time in which 2 may be sent",
    ]
    assert capped(often.replace("every: 1d", "every: 4d")) == []
    assert capped(often, "{at_most: 2, per: 7d, consent: service}") == []
    assert capped(often, "{at_most: 2, per: 7d, channels: sms}") == []
    free = often.replace("then: {message: hi}", "then: {message: hi}, guard: {caps: false}")
    assert capped(free) == []


def test_a_row_of_messages_longer_than_its_cap_starves() -> None:
    steps = "[{message: hi}, {wait: 1d}, {message: hi}, {wait: 1d}, {message: hi}]"
    row = f"  a: {{when: {SILENCE}, then: {steps}}}\n"
    assert capped(row) == ["trigger a sends 3 messages in a time in which 2 may be sent"]
    assert capped(row.replace("wait: 1d", "wait: 4d")) == []


def test_the_longest_way_through_branches_counts() -> None:
    branch = "{if: customer.known, then: [{message: hi}, {message: hi}], else: {message: hi}}"
    row = f"  a: {{when: {SILENCE}, then: [{{message: hi}}, {branch}]}}\n"
    assert capped(row) == ["trigger a sends 3 messages in a time in which 2 may be sent"]


def test_a_rule_behind_a_cadence_that_uses_up_the_cap_is_told() -> None:
    when = "when: {every: 84h, while: customer.known}"
    first = f"  a: {{{when}, then: {{message: hi}}, guard: {{priority: 90}}}}\n"
    second = f"  b: {{when: {SILENCE}, then: {{message: hi}}}}\n"
    assert capped(first + second) == ["a may use up the cap before trigger b gets a turn"]
    assert capped(first.replace("90", "10") + second) == []


def test_a_message_without_consent_or_a_language_is_told() -> None:
    shop = SHOP + "  locales: [en, zh-TW]\n"
    text = "messages: {hi: {words: {en: {subject: a, paragraphs: [a]}}}}\n"
    found = check("p.yaml", (shop + text).encode())
    assert [(str(one.place), one.message) for one in found.warnings] == [
        ("p.yaml:5:16", "message hi has no consent, marketing is assumed"),
        ("p.yaml:5:24", "message hi is not written in zh-TW"),
    ]


def test_a_message_that_would_go_out_empty_is_told() -> None:
    text = (
        "messages: {hi: {consent: service, words: {en: {subject: a}}}}\n"
        "triggers: {a: {when: {silence: 30d}, then: {message: hi, channels: [email, sms]}}}\n"
    )
    assert [message for _, message in doubts(text)] == [
        "message hi has no subject or no paragraphs in en",
        "message hi has no short in en",
    ]
    closed = "channels: {email: {enabled: false}}\n" + rule(SILENCE)
    assert [message for _, message in doubts(closed)] == [
        "email is not enabled, nothing can be sent"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("holdout: {share: 100%}", "everybody is held out, no rule can fire"),
        ("offers: {a: {percent: 5%, budget: {coupons: 0}}}", "offer a has nothing to give"),
        (
            rule("{event: product_viewed, unless: order_completed}"),
            "unless does nothing where nothing is waited for",
        ),
    ],
)
def test_what_does_nothing_is_told(text: str, message: str) -> None:
    assert [said for _, said in doubts(text)] == [message]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("2026-11-01", ["calendar sale runs out: all days of it are over"]),
        ("2027-06-01", ["calendar sale runs out: its last day is 2027-06-01"]),
        ("2028-01-01", []),
    ],
)
def test_a_calendar_that_runs_out_is_told(last: str, expected: list[str]) -> None:
    text = f"  calendars: {{sale: {{dates: [{last}]}}}}\n"
    assert [message for _, message in doubts(text)] == expected


def test_a_holiday_beyond_what_is_known_is_told() -> None:
    text = rule("{holiday: [christmas, spring_festival], country: TW}")
    assert doubts(text) == []
    assert doubts(text, date(2050, 6, 1)) == [
        ("p.yaml:6:33", "days of spring_festival are known up to 2050 only")
    ]


def test_a_holiday_that_the_country_does_not_keep_is_told() -> None:
    text = rule("{holiday: [qingming], country: DE}")
    assert [said for _, said in doubts(text)] == ["qingming is not kept in DE"]


def test_every_holiday_of_the_language_has_days() -> None:
    assert set(HOLIDAYS) <= set(NAMES)


@pytest.mark.parametrize(
    ("events_currency", "is_doubted"), [("", False), ("EUR", False), ("USD", True)]
)
def test_a_shop_in_another_currency_than_its_events_is_told(
    events_currency: str, *, is_doubted: bool
) -> None:
    found = check("p.yaml", SHOP.encode(), today=TODAY, events_currency=events_currency).warnings
    told = [(str(one.place), one.value, one.message, one.expected) for one in found]
    doubt = (
        "p.yaml:3:13",
        "EUR",
        "events that name no currency are read in USD",
        "USD, or HUITOU_CURRENCY=EUR",
    )
    assert told == [doubt] * is_doubted
