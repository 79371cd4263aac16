"""What is read is what stands there: every kind of part, with its values in the fold's units."""

from datetime import date

import msgspec

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.playbook.check import check
from models.playbook.copy import Message, Words
from models.playbook.offer import (
    AmountOff,
    Budget,
    FreeShipping,
    Gift,
    PercentOff,
    SaveBySteps,
    SpendAndSave,
)
from models.playbook.playbook import Guard, Playbook, Segment, Trigger
from models.playbook.reader import Reader
from models.playbook.shop import (
    Alerts,
    Calendar,
    Cap,
    Channel,
    Holdout,
    Perk,
    QuietHours,
    Shop,
    TierPerks,
)
from models.playbook.source import compose
from models.playbook.then import (
    Arm,
    Branch,
    Call,
    Give,
    Grant,
    Send,
    Split,
    Tag,
    Task,
    Untag,
    Wait,
    steps_in,
)
from models.playbook.when import (
    OnCadence,
    OnCustomerDate,
    OnDormancy,
    OnEnteringSegment,
    OnEnteringTier,
    OnEvent,
    OnHazard,
    OnHoliday,
    OnLeavingSegment,
    OnLeavingTier,
    OnReplenishment,
    OnRisingHazard,
    OnSilence,
    OnValue,
)

WHOLE = """
playbook: 1
shop:
  name: 小店
  time_zone: Asia/Taipei
  currency: TWD
  locale: zh-TW
  locales: [zh-TW, en]
  country: TW
  calendars: {sale: {dates: [2027-05-20, 2028-05-20]}}
channels: {sms: {enabled: no, sender: Shop, rate_per_minute: 60}}
caps: [{at_most: 3, per: 7d, channels: [email, sms]}]
quiet_hours: {from: 21:00, to: 8:30, clock: shop}
holdout: {share: 5%, salt: autumn}
alerts: {owner: crm, owners: {orders: ops}}
perks: {lounge: {description: A quiet room, valid_for: 52w}}
tiers: {high_value: {label: {en: Gold}, perks: lounge}}
segments: {big: {if: customer.value > 500.0, description: Spends much}}
offers:
  ten: {percent: 10%, budget: {most: 1000, coupons: 50, per: 30d}}
  five: {amount: 5 TWD, valid_for: 2w, min_order: 50.5, code: shared, owner_only: false}
  steps: {spend_and_save: [{spend: 100, save: 5}, {spend: 200, save: 15}]}
  mug: {gift: sku9}
  free: {free_shipping: true, stackable: yes, after_refund: give_back}
messages:
  hi: {consent: service, words: {en: {subject: Hi, paragraphs: [a, b], defaults: {name: you}}}}
triggers:
  event:
    when: {event: [product_viewed], if: customer.known, wait: 24h, unless: order_completed}
    then:
      - {message: hi, channels: [sms, email], offer: ten, recommend: 3, reviews: 2, expires: 36h}
      - {wait: 90m, unless: order_completed}
      - {if: customer.known, then: {give: ten}, else: [{tag: a}, {untag: b}]}
      - {split: [{arm: a, share: 50%, then: {grant: lounge}}, {arm: b, share: 50%}]}
      - {task: Call her, for: service, due: 4h}
      - {webhook: "https://a.example/hook"}
    guard:
      if: customer.known
      tiers: new
      segments: [big]
      once: 30d
      priority: 90
      caps: false
      quiet_hours: drop
      holdout: false
      mute_after_complaint: false
      no_offer_above: 80%
    description: All of it
  silence: {when: {silence: 30d}, then: {tag: a}, enabled: off}
  dormancy: {when: {dormancy: lost}, then: {tag: a}}
  enters_tier: {when: {enters_tier: new}, then: {tag: a}}
  leaves_tier: {when: {leaves_tier: [new, regular]}, then: {tag: a}}
  enters_segment: {when: {enters_segment: big}, then: {tag: a}}
  leaves_segment: {when: {leaves_segment: big}, then: {tag: a}}
  hazard: {when: {hazard_falls_below: 20%}, then: {tag: a}}
  rising: {when: {hazard_rises_above: 0.9}, then: {tag: a}}
  worth: {when: {value_reaches: 1000}, then: {tag: a}}
  birthday: {when: {date_of: birthday, before: 1d, at: 9:30, leap_day: mar_1}, then: {tag: a}}
  holiday: {when: {holiday: [spring_festival, sale], before: 1d}, then: {tag: a}}
  refill: {when: {replenishment: all, before: 2d}, then: {tag: a}}
  cadence: {when: {every: 14d, while: customer.known, until: order_completed}, then: {tag: a}}
"""
TAGGED = (Tag(tag="a"),)
EXPECTED = Playbook(
    shop=Shop(
        name="小店",
        time_zone="Asia/Taipei",
        currency="TWD",
        locale="zh-TW",
        locales=("zh-TW", "en"),
        country="TW",
        calendars={"sale": Calendar(dates=(date(2027, 5, 20), date(2028, 5, 20)))},
    ),
    channels={"sms": Channel(enabled=False, sender="Shop", rate_per_minute=60)},
    caps=(Cap(at_most=3, per_ms=7 * DAY_MS, channels=("email", "sms")),),
    quiet_hours=(QuietHours(from_minutes=1_260, to_minutes=510, clock="shop"),),
    holdout=Holdout(share=0.05, salt="autumn"),
    alerts=Alerts(owner="crm", owners={"orders": "ops"}),
    perks={"lounge": Perk(description="A quiet room", valid_ms=364 * DAY_MS)},
    tiers={"high_value": TierPerks(label={"en": "Gold"}, perks=("lounge",))},
    segments={"big": Segment(if_="customer.value > 500.0", description="Spends much")},
    offers={
        "ten": PercentOff(
            percent=0.1, budget=Budget(most_cents=100_000, coupons=50, per_ms=30 * DAY_MS)
        ),
        "five": AmountOff(
            amount_cents=500,
            valid_ms=14 * DAY_MS,
            min_order_cents=5_050,
            code="shared",
            owner_only=False,
        ),
        "steps": SaveBySteps(
            spend_and_save=(
                SpendAndSave(spend_cents=10_000, save_cents=500),
                SpendAndSave(spend_cents=20_000, save_cents=1_500),
            )
        ),
        "mug": Gift(gift="sku9"),
        "free": FreeShipping(free_shipping=True, stackable=True, after_refund="give_back"),
    },
    messages={
        "hi": Message(
            consent="service",
            words={"en": Words(subject="Hi", paragraphs=("a", "b"), defaults={"name": "you"})},
        )
    },
    triggers={
        "event": Trigger(
            when=OnEvent(
                event=("product_viewed",),
                if_="customer.known",
                wait_ms=24 * HOUR_MS,
                unless=("order_completed",),
            ),
            then=(
                Send(
                    message="hi",
                    channels=("sms", "email"),
                    offer="ten",
                    recommend=3,
                    reviews=2,
                    expires_ms=36 * HOUR_MS,
                ),
                Wait(wait_ms=90 * MINUTE_MS, unless=("order_completed",)),
                Branch(
                    if_="customer.known",
                    then=(Give(give="ten"),),
                    else_=(Tag(tag="a"), Untag(untag="b")),
                ),
                Split(
                    split=(
                        Arm(arm="a", share=0.5, then=(Grant(grant="lounge"),)),
                        Arm(arm="b", share=0.5),
                    )
                ),
                Task(task="Call her", owner="service", due_ms=4 * HOUR_MS),
                Call(webhook="https://a.example/hook"),
            ),
            guard=Guard(
                if_="customer.known",
                tiers=("new",),
                segments=("big",),
                once=30 * DAY_MS,
                priority=90,
                caps=False,
                quiet_hours="drop",
                holdout=False,
                mute_after_complaint=False,
                no_offer_above=0.8,
            ),
            description="All of it",
        ),
        "silence": Trigger(when=OnSilence(silence_ms=30 * DAY_MS), then=TAGGED, enabled=False),
        "dormancy": Trigger(when=OnDormancy(dormancy="lost"), then=TAGGED),
        "enters_tier": Trigger(when=OnEnteringTier(enters_tier=("new",)), then=TAGGED),
        "leaves_tier": Trigger(when=OnLeavingTier(leaves_tier=("new", "regular")), then=TAGGED),
        "enters_segment": Trigger(when=OnEnteringSegment(enters_segment=("big",)), then=TAGGED),
        "leaves_segment": Trigger(when=OnLeavingSegment(leaves_segment=("big",)), then=TAGGED),
        "hazard": Trigger(when=OnHazard(hazard_falls_below=0.2), then=TAGGED),
        "rising": Trigger(when=OnRisingHazard(hazard_rises_above=0.9), then=TAGGED),
        "worth": Trigger(when=OnValue(value_reaches_cents=100_000), then=TAGGED),
        "birthday": Trigger(
            when=OnCustomerDate(
                date_of="birthday", before_ms=DAY_MS, at_minutes=570, leap_day="mar_1"
            ),
            then=TAGGED,
        ),
        "holiday": Trigger(
            when=OnHoliday(holiday=("spring_festival", "sale"), before_ms=DAY_MS), then=TAGGED
        ),
        "refill": Trigger(
            when=OnReplenishment(replenishment=("all",), before_ms=2 * DAY_MS), then=TAGGED
        ),
        "cadence": Trigger(
            when=OnCadence(
                every_ms=14 * DAY_MS, while_="customer.known", until=("order_completed",)
            ),
            then=TAGGED,
        ),
    },
)


def test_everything_of_the_language_is_read_as_it_is_written() -> None:
    found = check("p.yaml", WHOLE.encode())
    assert found.errors == ()
    assert found.playbook is not None
    for name in Playbook.__struct_fields__:
        assert getattr(found.playbook, name) == getattr(EXPECTED, name), name


def test_what_was_read_can_be_written_as_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(EXPECTED))["shop"]["time_zone"] == "Asia/Taipei"


def test_steps_inside_of_steps_know_their_path() -> None:
    paths = {path for path, _ in steps_in(EXPECTED.triggers["event"].then, ("then",))}
    assert ("then", 2, "then", 0) in paths
    assert ("then", 2, "else", 1) in paths
    assert ("then", 3, "split", 0, "then", 0) in paths
    assert len(paths) == 10


def test_places_and_references_are_noted_though_a_part_is_wrong() -> None:
    root, _ = compose("p.yaml", b"triggers: {a: {when: {silence: 3}, then: {message: hi}}}")
    assert root is not None
    reader = Reader("EUR")
    assert reader.read_part(Playbook, root) is None
    assert [one.scalar.value for one in reader.references] == ["hi"]
    assert reader.places["triggers", "a", "when", "silence"].place.column == 32
    assert len(reader.problems) == 1
