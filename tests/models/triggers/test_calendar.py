"""When a moment that only time brings comes next, to the millisecond."""

from datetime import date
from typing import Any

import pytest

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.customer import Customer, OrderRef, ref_of
from models.events import Line
from models.item_memory import SPOILT, VIEWED, buy, item_ref, mark
from models.playbook.playbook import Playbook
from models.playbook.shop import Calendar, Shop
from models.playbook.when import (
    OnCadence,
    OnCustomerDate,
    OnEvent,
    OnHoliday,
    OnReplenishment,
    OnSilence,
    When,
)
from models.triggers.calendar import Due, next_due, refill_due, refills
from models.triggers.places import ShopPlace, shop_place
from tests.builders import on

TAIPEI, NEW_YORK, BERLIN = "Asia/Taipei", "America/New_York", "Europe/Berlin"
OWN = {"anniversary_sale": Calendar((date(2026, 5, 20), date(2027, 5, 20), date(2026, 11, 20)))}


def shop(**more: Any) -> ShopPlace:
    filled = {"country": "TW", "calendars": OWN} | more
    return shop_place(Playbook(shop=Shop(TAIPEI, "TWD", **filled)))


def born(birthday: object, zone: str = TAIPEI) -> Customer:
    return Customer(traits={"birthday": birthday, "timezone": zone})  # type: ignore[dict-item]


def when_born(**more: Any) -> OnCustomerDate:
    return OnCustomerDate("birthday", **more)


def holiday(*names: str, **more: Any) -> OnHoliday:
    return OnHoliday(names, **more)


@pytest.mark.parametrize(
    ("leap_day", "after", "expected"),
    [
        ("feb_28", "2026-01-01", "2026-02-28"),
        ("mar_1", "2026-01-01", "2026-03-01"),
        ("feb_28", "2027-12-31", "2028-02-29"),
        ("mar_1", "2027-12-31", "2028-02-29"),
        # 2100 is no leap year, 2000 was one.
        ("feb_28", "2100-01-01", "2100-02-28"),
        ("mar_1", "2100-01-01", "2100-03-01"),
        # On 28 February of a leap year it is still to come.
        ("feb_28", "2028-02-28", "2028-02-29"),
    ],
)
@pytest.mark.parametrize("zone", [TAIPEI, NEW_YORK])
def test_a_birthday_on_29_february_comes_every_year(
    zone: str, leap_day: str, after: str, expected: str
) -> None:
    found = next_due(
        when_born(leap_day=leap_day), born("2004-02-29", zone), shop(), on(zone, after)
    )
    assert found == Due(on(zone, expected, 10), f"birthday@{expected[:4]}")


@pytest.mark.parametrize(
    ("before", "after", "expected", "year"),
    [
        (7 * DAY_MS, "2026-02-01", ("2026-02-26", 10, 0), 2026),
        (0, "2026-02-01", ("2026-03-05", 10, 0), 2026),
        # Half a day before ten in the morning is ten the evening before.
        (12 * HOUR_MS, "2026-02-01", ("2026-03-04", 22, 0), 2026),
        (DAY_MS + 12 * HOUR_MS, "2026-02-01", ("2026-03-03", 22, 0), 2026),
        (7 * DAY_MS, "2026-02-27", ("2027-02-26", 10, 0), 2027),
        (DAY_MS, "2026-12-31", ("2027-03-04", 10, 0), 2027),
    ],
)
def test_days_before_a_birthday_are_days_on_the_wall(
    before: int, after: str, expected: tuple[str, int, int], year: int
) -> None:
    found = next_due(when_born(before_ms=before), born("1990-03-05"), shop(), on(TAIPEI, after))
    assert found == Due(on(TAIPEI, *expected), f"birthday@{year}")


@pytest.mark.parametrize(
    ("when", "customer"),
    [
        (when_born(), born("1990-03-05")),
        (when_born(before_ms=90 * MINUTE_MS), born("1990-03-05")),
        (holiday("spring_festival", before_ms=DAY_MS), Customer()),
        (holiday("anniversary_sale"), Customer()),
    ],
)
def test_at_its_very_moment_a_date_is_over(when: When, customer: Customer) -> None:
    first = next_due(when, customer, shop(), on(TAIPEI, "2026-01-01"))
    assert first is not None
    assert next_due(when, customer, shop(), first.at_ms - 1) == first
    second = next_due(when, customer, shop(), first.at_ms)
    assert second is not None
    assert second.at_ms > first.at_ms + 30 * DAY_MS
    assert second.occasion != first.occasion


@pytest.mark.parametrize("birthday", [None, "", "05/03/1990", "1970-01-01", "2190-01-01", True])
def test_a_birthday_that_is_none_never_comes(birthday: object) -> None:
    assert next_due(when_born(), born(birthday), shop(), on(TAIPEI, "2026-01-01")) is None


def test_who_moves_or_corrects_the_birthday_has_a_new_moment_and_the_same_occasion() -> None:
    customer, after_ms = born("1990-03-05"), on(TAIPEI, "2026-01-01")
    asked = [next_due(when_born(), customer, shop(), after_ms)]
    customer.traits["timezone"] = NEW_YORK
    asked.append(next_due(when_born(), customer, shop(), after_ms))
    customer.traits["birthday"] = "1990-04-05"
    asked.append(next_due(when_born(), customer, shop(), after_ms))
    assert [one.at_ms for one in asked if one] == [
        on(TAIPEI, "2026-03-05", 10),
        on(NEW_YORK, "2026-03-05", 10),
        on(NEW_YORK, "2026-04-05", 10),
    ]
    assert {one.occasion for one in asked if one} == {"birthday@2026"}


def test_a_first_orders_day_is_that_of_the_customers_wall() -> None:
    when = OnCustomerDate("first_order")
    at_ms = on(TAIPEI, "2025-03-01", 7)
    customer = Customer(orders=1, first_order_ms=at_ms, traits={"timezone": NEW_YORK})
    found = next_due(when, customer, shop(), at_ms)
    assert found == Due(on(NEW_YORK, "2026-02-28", 10), "first_order@2026")
    customer.orders = 0
    assert next_due(when, customer, shop(), at_ms) is None


@pytest.mark.parametrize(
    ("created_at", "month_day"),
    [
        ("2024-03-05T20:00:00Z", "03-06"),
        ("2024-03-05T20:00:00+08:00", "03-05"),
        # Without a zone it is the day as it is written.
        ("2024-03-05T20:00:00", "03-05"),
        ("2024-03-05", "03-05"),
        (1_709_668_800, "03-06"),
        (1_709_668_800_000, "03-06"),
        # What is no time, long gone or still to come: the day of the first visit.
        ("soon", "06-01"),
        ("1970-01-01", "06-01"),
        ("2190-01-01", "06-01"),
        (0, "06-01"),
        (10**30, "06-01"),
        (True, "06-01"),
        (None, "06-01"),
    ],
)
def test_a_sign_up_comes_round_by_what_the_shop_says(created_at: Any, month_day: str) -> None:
    customer = Customer(known=True, first_seen_ms=on(TAIPEI, "2025-06-01", 12))
    customer.traits["created_at"] = created_at
    found = next_due(OnCustomerDate("sign_up"), customer, shop(), on(TAIPEI, "2026-01-01"))
    assert found == Due(on(TAIPEI, f"2026-{month_day}", 10), "sign_up@2026")
    customer.known = False
    assert next_due(OnCustomerDate("sign_up"), customer, shop(), 0) is None


def test_the_eve_of_a_holiday_comes_at_two_moments_in_two_zones() -> None:
    eve = holiday("spring_festival", before_ms=DAY_MS)
    after_ms = on(TAIPEI, "2026-01-01")
    home, away = Customer(), Customer(traits={"timezone": NEW_YORK})
    assert next_due(eve, home, shop(), after_ms) == Due(on(TAIPEI, "2026-02-16", 10), "2026-02-17")
    assert next_due(eve, away, shop(), after_ms) == Due(
        on(NEW_YORK, "2026-02-16", 10), "2026-02-17"
    )
    assert on(NEW_YORK, "2026-02-16", 10) - on(TAIPEI, "2026-02-16", 10) == 13 * HOUR_MS
    # In Taipei it is over, in New York still to come.
    between_ms = on(TAIPEI, "2026-02-16", 12)
    assert next_due(eve, home, shop(), between_ms) == Due(
        on(TAIPEI, "2027-02-05", 10), "2027-02-06"
    )
    assert next_due(eve, away, shop(), between_ms) == next_due(eve, away, shop(), after_ms)


@pytest.mark.parametrize(
    ("country", "when", "day"),
    [
        ("TW", holiday("national_day"), "2026-10-10"),
        ("cn", holiday("national_day"), "2026-10-01"),
        ("GB", holiday("mothers_day"), "2026-03-15"),
        ("US", holiday("mothers_day"), "2026-05-10"),
        # The shop's own where the country is not known, or no country of two letters.
        ("Atlantis", holiday("national_day"), "2026-10-10"),
        (None, holiday("national_day"), "2026-10-10"),
        # A rule may keep one country's day for everybody.
        ("CN", holiday("national_day", country="TW"), "2026-10-10"),
        # The moon's days are each country's own.
        ("KR", holiday("spring_festival"), "2026-02-17"),
    ],
)
def test_holidays_come_as_they_are_kept_in_the_customers_country(
    country: str | None, when: OnHoliday, day: str
) -> None:
    customer = Customer(traits={"country": country} if country else {})
    found = next_due(when, customer, shop(), on(TAIPEI, "2026-01-01"))
    assert found == Due(on(TAIPEI, day, 10), day)


def test_who_lives_where_a_holiday_is_not_kept_has_none_but_the_shops_own_days() -> None:
    customer = Customer(traits={"country": "US", "timezone": "America/New_York"})
    after_ms = on(TAIPEI, "2026-01-01")
    assert next_due(holiday("mid_autumn"), customer, shop(), after_ms) is None
    both = next_due(holiday("mid_autumn", next(iter(OWN))), customer, shop(), after_ms)
    assert both is not None


@pytest.mark.parametrize(
    ("when", "country", "after", "expected", "day"),
    [
        (holiday("mid_autumn"), "TW", "2026-01-01", "2026-09-25", "2026-09-25"),
        (holiday("dragon_boat", before_ms=DAY_MS), "TW", "2026-01-01", "2026-06-18", "2026-06-19"),
        (holiday("national_day", before_ms=DAY_MS), "TW", "2026-01-01", "2026-10-09", "2026-10-10"),
        (holiday("national_day", country="CN"), "TW", "2026-01-01", "2026-10-01", "2026-10-01"),
        (holiday("double_11", before_ms=7 * DAY_MS), "", "2026-01-01", "2026-11-04", "2026-11-11"),
        # A new year's eve is last year's.
        (holiday("new_year", before_ms=DAY_MS), "TW", "2026-12-31", "2026-12-31", "2027-01-01"),
        # Of several the first, each in its turn.
        (holiday("christmas", "double_12"), "TW", "2026-12-01", "2026-12-12", "2026-12-12"),
        (holiday("christmas", "double_12"), "TW", "2026-12-13", "2026-12-25", "2026-12-25"),
        (holiday("anniversary_sale"), "TW", "2026-05-21", "2026-11-20", "2026-11-20"),
        (holiday("anniversary_sale", "double_11"), "TW", "2026-06-01", "2026-11-11", "2026-11-11"),
        # What is not kept there, or unknown, does not stop the others.
        (holiday("thanksgiving", "christmas"), "TW", "2026-11-01", "2026-12-25", "2026-12-25"),
    ],
)
def test_holidays_come_as_they_are_kept_in_the_rules_country(
    when: OnHoliday, country: str, after: str, expected: str, day: str
) -> None:
    found = next_due(when, Customer(), shop(country=country), on(TAIPEI, after))
    assert found == Due(on(TAIPEI, expected, 10), day)


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("thanksgiving", "2026-01-01"),
        ("no_such_day", "2026-01-01"),
        ("anniversary_sale", "2027-05-21"),
        ("spring_festival", "2051-01-01"),
    ],
)
def test_a_holiday_without_a_date_never_comes(name: str, after: str) -> None:
    assert next_due(holiday(name), Customer(), shop(), on(TAIPEI, after)) is None


def test_two_holidays_on_one_day_are_one_occasion() -> None:
    own = {"our_own": Calendar((date(2026, 12, 25),))}
    both = holiday("christmas", "our_own")
    found = next_due(both, Customer(), shop(calendars=own), on(TAIPEI, "2026-06-01"))
    assert found == Due(on(TAIPEI, "2026-12-25", 10), "2026-12-25")
    after = next_due(both, Customer(), shop(calendars=own), found.at_ms)
    assert after == Due(on(TAIPEI, "2027-12-25", 10), "2027-12-25")


def test_a_time_that_spring_skips_is_the_first_moment_after_the_gap() -> None:
    # Clocks go from 02:00 to 03:00 in New York on 8 March 2026, and in autumn back.
    at_half_past_two = when_born(at_minutes=150)
    found = next_due(
        at_half_past_two, born("1990-03-08", NEW_YORK), shop(), on("UTC", "2026-02-01")
    )
    assert found == Due(on("UTC", "2026-03-08", 7), "birthday@2026")
    at_half_past_one = when_born(at_minutes=90)
    found = next_due(
        at_half_past_one, born("1990-11-01", NEW_YORK), shop(), on("UTC", "2026-10-01")
    )
    assert found == Due(on("UTC", "2026-11-01", 5, 30), "birthday@2026")
    # The second 01:30 of that night is no second birthday.
    again = next_due(at_half_past_one, born("1990-11-01", NEW_YORK), shop(), found.at_ms)
    assert again is not None
    assert again.occasion == "birthday@2027"


def cadence(every_ms: int, **more: Any) -> OnCadence:
    return OnCadence(every_ms=every_ms, while_="customer.tier == 'potential'", **more)


def beats(when: OnCadence, zone: str, since_ms: int, count: int) -> list[Due]:
    customer, after_ms, found = Customer(traits={"timezone": zone}), since_ms, []
    for _ in range(count):
        due = next_due(when, customer, shop(), after_ms, since_ms)
        assert due is not None
        found.append(due)
        after_ms = due.at_ms
    return found


def test_a_cadence_beats_at_one_time_of_day_over_a_change_of_clocks() -> None:
    since_ms = on(NEW_YORK, "2026-02-20", 23, 30)
    found = beats(cadence(14 * DAY_MS), NEW_YORK, since_ms, 3)
    assert [one.at_ms for one in found] == [
        on(NEW_YORK, "2026-03-06", 10),
        on(NEW_YORK, "2026-03-20", 10),
        on(NEW_YORK, "2026-04-03", 10),
    ]
    assert [one.occasion for one in found] == [f"every@{since_ms}#{number}" for number in (1, 2, 3)]


def test_a_beat_that_was_missed_is_left_out_and_keeps_its_number() -> None:
    since_ms = on(TAIPEI, "2026-02-01", 8)
    after_ms = on(TAIPEI, "2026-03-10")
    found = next_due(cadence(14 * DAY_MS), Customer(), shop(), after_ms, since_ms)
    assert found == Due(on(TAIPEI, "2026-03-15", 10), f"every@{since_ms}#3")


def test_a_cadence_in_hours_is_counted_from_its_start() -> None:
    since_ms = on(NEW_YORK, "2026-03-07", 20)
    found = beats(cadence(12 * HOUR_MS), NEW_YORK, since_ms, 3)
    assert [one.at_ms - since_ms for one in found] == [HOUR_MS * hours for hours in (12, 24, 36)]
    at_it = next_due(cadence(36 * HOUR_MS), Customer(), shop(), since_ms + 36 * HOUR_MS, since_ms)
    assert at_it == Due(since_ms + 72 * HOUR_MS, f"every@{since_ms}#2")


def test_a_cadence_that_has_not_begun_has_no_beat() -> None:
    assert next_due(cadence(DAY_MS), Customer(), shop(), on(TAIPEI, "2026-01-01")) is None


def test_a_silence_is_over_to_the_millisecond_and_is_about_its_last_order() -> None:
    at_ms = on(TAIPEI, "2026-01-01", 12)
    order = OrderRef(ref_of("o2"), at_ms, 1_000)
    earlier = OrderRef(ref_of("o1"), at_ms - DAY_MS, 1_000)
    customer = Customer(orders=2, last_order_ms=at_ms, recent_orders=[earlier, order])
    when = OnSilence(30 * DAY_MS)
    expected = Due(at_ms + 30 * DAY_MS, f"silence@{at_ms}", f"{ref_of('o2'):016x}")
    assert next_due(when, customer, shop(), at_ms) == expected
    assert next_due(when, customer, shop(), expected.at_ms - 1) == expected
    assert next_due(when, customer, shop(), expected.at_ms) is None
    customer.orders = 0
    assert next_due(when, customer, shop(), at_ms) is None


def test_a_moment_that_time_alone_does_not_bring_is_none() -> None:
    assert next_due(OnEvent(("order_completed",)), Customer(), shop(), 0) is None
    assert next_due(OnReplenishment(("all",)), Customer(), shop(), 0) is None


FOOD = OnReplenishment(("food",))


def buyer(*days: str, product_id: str = "beans", zone: str = TAIPEI) -> Customer:
    customer = Customer(traits={"timezone": zone})
    for day in days:
        buy(customer.items, [item_ref(product_id)], on("UTC", day, 12))
    return customer


def of_day(zone: str, day: str, product_id: str = "beans") -> int:
    return on(zone, day, 10) + item_ref(product_id) % MINUTE_MS


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["2026-01-01"], None),
        (["2026-01-01", "2026-01-01"], None),
        (["2026-01-01", "2026-01-31"], "2026-03-02"),
        # Three purchases in 40 days are 20 days apart, wherever the second was.
        (["2026-01-01", "2026-01-06", "2026-02-10"], "2026-03-02"),
        # An order that was told late counts in its place.
        (["2026-01-31", "2026-01-01"], "2026-03-02"),
    ],
)
def test_a_product_is_used_up_after_the_customers_own_interval(
    days: list[str], expected: str | None
) -> None:
    for zone in (TAIPEI, BERLIN):
        customer = buyer(*days, zone=zone)
        found = refill_due(FOOD, customer, shop(), "beans", on("UTC", days[-1], 12))
        if expected is None:
            assert found is None
        else:
            last = on("UTC", max(days)) // DAY_MS
            assert found == Due(of_day(zone, expected), f"refill@beans@{last}", "beans")


def test_a_refill_is_told_before_and_is_over_at_its_moment() -> None:
    customer, when = buyer("2026-01-01", "2026-01-31"), OnReplenishment(("all",), 3 * DAY_MS)
    at_ms = of_day(TAIPEI, "2026-02-27")
    found = refill_due(when, customer, shop(), "beans", at_ms - 1)
    assert found is not None
    assert found.at_ms == at_ms
    assert refill_due(when, customer, shop(), "beans", at_ms) is None
    # Bought again, it comes later and is another occasion.
    buy(customer.items, [item_ref("beans")], on("UTC", "2026-02-20", 12))
    again = refill_due(when, customer, shop(), "beans", at_ms - 1)
    assert again is not None
    assert again.at_ms > at_ms
    assert again.occasion != found.occasion


def test_what_turned_out_bad_or_was_only_looked_at_is_not_refilled() -> None:
    customer, at_ms = buyer("2026-01-01", "2026-01-31"), on("UTC", "2026-02-01")
    mark(customer.items, item_ref("tea"), at_ms, VIEWED)
    assert refill_due(FOOD, customer, shop(), "tea", at_ms) is None
    mark(customer.items, item_ref("beans"), at_ms, SPOILT)
    assert refill_due(FOOD, customer, shop(), "beans", at_ms) is None


def test_an_orders_products_of_the_rules_categories_are_due_one_after_another() -> None:
    customer = buyer("2026-01-01", "2026-01-31")
    for name, days in (
        ("tea", ("2026-01-21", "2026-01-31")),
        ("soap", ("2026-01-01", "2026-01-31")),
    ):
        for day in days:
            buy(customer.items, [item_ref(name)], on("UTC", day, 12))
    lines = [
        Line("beans", category="food"),
        Line("beans", category="food"),
        Line("tea", category="food"),
        Line("soap", category="household"),
        Line("new", category="food"),
        Line("", category="food"),
    ]
    after_ms = on("UTC", "2026-01-31", 12)
    found = refills(FOOD, customer, shop(), lines, after_ms)
    assert [one.item for one in found] == ["tea", "beans"]
    every = refills(OnReplenishment(("all",)), customer, shop(), lines, after_ms)
    assert {one.item for one in every} == {"tea", "beans", "soap"}
    # Due on one day, and yet not in one millisecond.
    assert len({one.at_ms for one in every}) == 3
