"""The page in a real browser: it moves, speaks three languages, fits a phone, lets nothing in."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession

from models import playbook
from models.clock import DAY_MS
from models.events import MessageChannel
from sinks.clickhouse import ClickHouseAddress, connect
from sinks.senders import Message
from sinks.web.words import LANGUAGES, load_words
from tests.browser.chromium import Page
from tests.builders import order
from tests.sinks.web.conftest import HOSTILE
from tests.sinks.web.shop import NOW_MS, Shop, named, served

pytestmark = [pytest.mark.browser, pytest.mark.real]

WORDS = load_words()
DRAWN = "document.readyState === 'complete' && !document.querySelector('.loading, [aria-busy]')"
TODAY = "document.querySelector('#panel-orders_today .big')?.textContent"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

PALE_TEXTS = (Path(__file__).parent / "pale_texts.js").read_text("utf-8")


def home(client: ClientSession) -> str:
    """Address of the first page."""
    return f"{str(client._base_url).rstrip('/')}/"


async def put_letter(shop: Shop) -> None:
    """One message with a hostile name in it."""
    async with shop.mailbox() as mailbox:
        message = Message(
            message_id="m1",
            action_id="m1",
            customer=named("anna"),
            rule="thank_you",
            channel=MessageChannel.EMAIL,
            at_ms=NOW_MS,
            subject=f"Thank you {HOSTILE}",
            text="Thank you",
            html=f"<p style='color: rgb(1, 2, 3)'>Thank you</p>{HOSTILE}<script>top.x=1</script>",
        )
        await mailbox.put(message)


async def test_the_page_moves_while_the_shop_does(page: Page, empty_shop: Shop) -> None:
    await empty_shop.fold(order("o1", at_ms=NOW_MS - 60_000, customer=named("anna")))
    async with served(empty_shop.config()) as client:
        await page.open(home(client))
        await page.until(f"{DRAWN} && {TODAY} === '1'", 20)
        await empty_shop.fold(order("o2", at_ms=NOW_MS, customer=named("anna")))
        await page.until(f"{TODAY} === '2'", 20)
        await page.until("document.querySelector('.events .feed').textContent.includes('o2')")
        assert await page.evaluate("document.getElementById('clock').textContent") == (
            "2017-08-03 14:20"
        )
    assert page.errors == []


async def test_a_page_whose_server_went_away_finds_it_again(page: Page, shop: Shop) -> None:
    config = shop.config()
    async with served(config) as client:
        await page.open(home(client))
        await page.until("document.querySelector('#pulse.live') && true", 20)
    await page.until("document.querySelector('#pulse.lost') && true", 20)
    async with served(config):
        await page.until("document.querySelector('#pulse.live') && true", 20)


async def test_what_customers_write_stays_text(page: Page, shop: Shop) -> None:
    await put_letter(shop)
    async with served(shop.config()) as client:
        for path in ("", f"customers/{named('anna')}", "mailbox"):
            await page.open(f"{home(client)}{path}")
            await page.until(DRAWN, 20)
            assert "<img src=x" in await page.evaluate("document.body.textContent")
            assert await page.evaluate("document.querySelectorAll('img').length") == 0
            assert await page.evaluate("document.title") != "taken"
            assert await page.evaluate("window.x") is None


async def test_a_letter_keeps_its_looks_and_runs_nothing(page: Page, shop: Shop) -> None:
    await put_letter(shop)
    async with served(shop.config()) as client:
        await page.open(f"{home(client)}v1/mailbox/{named('anna')}/m1")
        await page.until("document.querySelector('p')?.textContent === 'Thank you'")
        colour = await page.evaluate("getComputedStyle(document.querySelector('p')).color")
        assert colour == "rgb(1, 2, 3)"
        assert await page.evaluate("[window.x, document.title]") == [None, ""]
        await page.open(f"{home(client)}mailbox")
        await page.until("document.querySelector('.phone iframe') && true", 20)
        sandbox = await page.evaluate("document.querySelector('.phone iframe').sandbox.length")
        assert sandbox == 0
        assert await page.evaluate(
            "document.querySelector('.phone iframe').hasAttribute('sandbox')"
        )


async def test_what_waits_and_what_was_decided_is_told_in_the_language_of_the_page(
    page: Page, shop: Shop
) -> None:
    names = ["at", "customer", "rule", "status", "reason", "playbook_version", "inputs", "_offset"]
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    reason = "order_completed or order_cancelled in the meantime"
    client = connect(shop.clickhouse)
    client.insert(
        "decisions",
        [[at, named("anna"), "cart", "cancelled", reason, 1, "{}", 900_000]],
        column_names=names,
    )
    client.close()
    async with served(shop.config()) as client:
        await page.language("zh-TW", home(client))
        await page.open(f"{home(client)}customers/{named('anna')}")
        await page.until("document.querySelector('.receipt') && true", 20)
        said = await page.evaluate("document.body.textContent")
        assert "期間發生 下單或取消訂單" in said
        assert "瀏覽未下單提醒 · p9 · 等待時機" in said
    assert page.errors == []


async def left_alone(shop: Shop) -> None:
    """A rule that acted on sixty, half of whom ordered, and left thirty alone who did not."""
    at_ms = NOW_MS - 40 * DAY_MS
    names = ["at", "customer", "rule", "status", "arm", "propensity", "playbook_version", "inputs"]
    at, inputs = datetime.fromtimestamp(at_ms / 1000, UTC), '{"tier":"regular"}'
    rows = [
        [at, named(str(number)), "win_back", *side, 1, inputs, number]
        for number in range(90)
        for side in [("sent", "", 0.6) if number < 60 else ("holdout", "holdout", 0.4)]
    ]
    client = connect(shop.clickhouse)
    client.insert("decisions", rows, column_names=[*names, "_offset"])
    client.close()
    await shop.fold(
        *(
            order(f"o{number}", at_ms=at_ms + DAY_MS, customer=named(str(number)))
            for number in range(0, 60, 2)
        )
    )


@pytest.mark.parametrize("width", [375, 1280])
async def test_what_a_rule_brought_is_shown_with_its_bounds(
    page: Page, empty_shop: Shop, width: int
) -> None:
    await left_alone(empty_shop)
    async with served(empty_shop.config()) as client:
        await page.look(width, 900, still=True)
        await page.language("en", home(client))
        await page.open(f"{home(client)}lift")
        await page.until(f"{DRAWN} && document.querySelectorAll('.card').length === 2", 20)
        text = await page.evaluate("document.getElementById('lift').innerText")
        assert "win_back" in text
        assert "60 acted on, 30 left alone" in text
        assert "+30" in text
        assert await page.evaluate(OVERFLOW) <= 0
        assert await page.evaluate(PALE_TEXTS) == []
        await page.evaluate(
            "(() => { const c = document.getElementById('days'); c.value = '14';"
            " c.dispatchEvent(new Event('change')); })()"
        )
        await page.until(f"{DRAWN} && document.querySelectorAll('.card').length === 2", 20)
        assert page.errors == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["", "customers/{anna}", "mailbox", "lift", "playbook"])
async def test_each_page_speaks_each_language_on_a_phone(
    page: Page, shop: Shop, language: str, path: str
) -> None:
    await put_letter(shop)
    async with served(shop.config()) as client:
        await page.look(375, 800)
        await page.language(language, home(client))
        await page.open(f"{home(client)}{path.format(anna=named('anna'))}")
        await page.until(DRAWN, 20)
        assert await page.evaluate("document.documentElement.dataset.language") == language
        text = await page.evaluate("document.body.innerText")
        assert WORDS.say(language, "nav_mailbox") in text
        assert "{" not in text
        assert "undefined" not in text
        assert "NaN" not in text
        assert await page.evaluate(OVERFLOW) <= 0
    assert [one for one in page.errors if "blocked" not in one.lower()] == []


async def test_choosing_a_language_lasts(page: Page, shop: Shop) -> None:
    async with served(shop.config()) as client:
        await page.open(home(client))
        await page.until(DRAWN, 20)
        await page.evaluate(
            "(() => { const c = document.getElementById('language'); c.value = 'zh-TW';"
            " c.dispatchEvent(new Event('change')); })()"
        )
        await page.until("document.documentElement.lang === 'zh-Hant'", 20)
        await page.open(f"{home(client)}mailbox")
        await page.until("document.documentElement.lang === 'zh-Hant'", 20)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["", "customers/{anna}", "mailbox", "lift", "playbook"])
async def test_every_text_stands_out_from_its_ground(
    page: Page, shop: Shop, dark: bool, path: str
) -> None:
    await put_letter(shop)
    async with served(shop.config()) as client:
        await page.look(1280, 900, dark=dark, still=True)
        await page.open(f"{home(client)}{path.format(anna=named('anna'))}")
        await page.until(DRAWN, 20)
        assert await page.evaluate(PALE_TEXTS) == []


async def test_the_theme_follows_the_system_until_one_is_chosen(page: Page, shop: Shop) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    async with served(shop.config()) as client:
        await page.look(1280, 900)
        await page.open(home(client))
        await page.until(DRAWN, 20)
        light = await page.evaluate(ground)
        await page.look(1280, 900, dark=True)
        dark = await page.evaluate(ground)
        assert light != dark
        await page.evaluate("document.getElementById('theme').click()")
        assert await page.evaluate(ground) == light
        await page.open(f"{home(client)}mailbox")
        await page.until("document.readyState === 'complete'", 20)
        assert await page.evaluate(ground) == light


async def test_a_fresh_installation_says_how_to_begin(page: Page, fresh_shop: Shop) -> None:
    async with served(fresh_shop.config()) as client:
        await page.open(home(client))
        await page.until(f"{DRAWN} && !document.getElementById('welcome').hidden", 20)
        command = await page.evaluate("document.querySelector('#welcome code').textContent")
        assert command.startswith("curl -u demo: ")
        assert "http://127.0.0.1:8470/v1/track" in command
        text = await page.evaluate("document.body.innerText")
        for word in ("no_customers", "no_alerts", "nobody_falls_asleep", "no_dead_letters"):
            assert WORDS.say("en", word) in text
    assert page.errors == []


async def test_without_clickhouse_every_panel_says_why(page: Page, shop: Shop) -> None:
    nowhere = ClickHouseAddress("http://127.0.0.1:1", database="huitou")
    async with served(shop.config(clickhouse=nowhere)) as client:
        await page.open(home(client))
        count = "document.querySelectorAll('.trouble:not([hidden])').length"
        await page.until(f"{count} === document.querySelectorAll('.card').length", 20)


async def test_a_definition_is_one_key_away_and_closes_by_escape(page: Page, shop: Shop) -> None:
    opened = "document.querySelector('#panel-repurchase details').open"
    async with served(shop.config()) as client:
        await page.open(home(client))
        await page.until(DRAWN, 20)
        await page.evaluate("document.querySelector('#panel-repurchase summary').focus()")
        await page.press("Enter", 13)
        await page.until(opened)
        assert "first order" in await page.evaluate(
            "document.querySelector('#panel-repurchase details p').innerText"
        )
        await page.press("Escape", 27)
        await page.until(f"!{opened}")


async def test_the_first_tab_leads_past_the_head(page: Page, shop: Shop) -> None:
    async with served(shop.config()) as client:
        await page.open(home(client))
        await page.until(DRAWN, 20)
        await page.press("Tab", 9)
        assert await page.evaluate("document.activeElement.className") == "skip"
        assert await page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")


async def test_a_customer_is_found_by_typing_an_address(page: Page, shop: Shop) -> None:
    async with served(shop.config()) as client:
        await page.open(home(client))
        await page.until(DRAWN, 20)
        await page.evaluate(
            "(() => { const box = document.getElementById('search');"
            " box.value = 'ANNA@example.com'; box.form.requestSubmit(); })()"
        )
        await page.until(f"location.pathname === '/customers/{named('anna')}'", 20)
        await page.until(DRAWN, 20)
        assert "Anna" in await page.evaluate("document.querySelector('h1').textContent")
        assert "example.com" not in await page.evaluate("location.href + document.referrer")


async def test_the_key_is_asked_for_and_lets_in(page: Page, shop: Shop) -> None:
    async with served(shop.config(api_key="the-key", loopback=False)) as client:
        await page.open(home(client))
        await page.until("location.pathname === '/login' && !!document.getElementById('key')", 20)
        for key in ("wrong", "the-key"):
            await page.until("document.readyState === 'complete'")
            await page.evaluate(
                f"(() => {{ const box = document.getElementById('key'); box.value = '{key}';"
                " box.form.requestSubmit(); })()"
            )
            if key == "wrong":
                await page.until("document.querySelector('[role=alert]') && true", 20)
        await page.until(f"location.pathname === '/' && {DRAWN}", 20)
        await page.evaluate("document.querySelector('.tools form').requestSubmit()")
        await page.until("location.pathname === '/login'", 20)


async def test_a_hidden_page_asks_for_nothing(page: Page, shop: Shop) -> None:
    async with served(shop.config()) as client:
        await page.open(home(client))
        await page.until(DRAWN, 20)
        await page.evaluate(
            "(() => { Object.defineProperty(document, 'hidden', { value: true });"
            " document.dispatchEvent(new Event('visibilitychange')); })()"
        )
        async with asyncio.timeout(10):
            while True:
                async with client.get("/metrics") as answer:
                    if "huitou_web_open_pages 0.0" in await answer.text():
                        break
                await asyncio.sleep(0.1)


async def test_what_is_typed_into_the_playbook_is_checked_applied_and_put_back(
    page: Page, empty_shop: Shop
) -> None:
    text = (Path(playbook.__file__).with_name("starter.yaml")).read_text("utf-8")
    await empty_shop.desk.apply("playbook.yaml", {"playbook.yaml": text}, "first", 0)
    typed = (
        "(() => {{ const t = document.getElementById('text');"
        " t.value = t.value.replace({!r}, {!r});"
        " t.dispatchEvent(new Event('input')); }})()"
    )
    async with served(empty_shop.config()) as client:
        await page.look(1280, 900)
        await page.open(f"{home(client)}playbook")
        await page.until("document.querySelectorAll('.rule').length === 3", 20)
        await page.until("document.querySelector('.verdict.fine') && true", 20)
        assert await page.evaluate("document.getElementById('apply').disabled")
        await page.evaluate(typed.format("silence: 30d", "silence: 30"))
        await page.until("document.querySelector('.problems .error button') && true", 20)
        assert await page.evaluate("document.getElementById('apply').disabled")
        await page.evaluate("document.querySelector('.problems .error button').click()")
        chosen = "(t => t.value.slice(t.selectionStart, t.selectionEnd))(document.activeElement)"
        assert await page.evaluate(chosen) == "30"
        await page.evaluate(typed.format("silence: 30", "silence: 45d"))
        await page.until("document.querySelector('.change ins')?.textContent === '45d'", 20)
        await page.until("!document.getElementById('apply').disabled", 20)
        assert len(empty_shop.desk.known) == 1
        await page.evaluate("document.getElementById('apply').click()")
        await page.until("document.querySelectorAll('#history tr').length === 2", 20)
        assert empty_shop.desk.in_use == 2
        await page.until("document.getElementById('rules').textContent.includes('45d')", 20)
        await page.evaluate("document.querySelector('#history button').click()")
        await page.until("document.getElementById('rules').textContent.includes('30d')", 20)
        assert empty_shop.desk.in_use == 1
        assert page.errors == []


RULE = {"messages": 7, "customers": 5, "statuses": {"sent": 7, "holdout": 2, "held": 3}}
OVER_LOG = {
    "found": {
        "messages": 7,
        "customers_reached": 5,
        "worst_cost_cents": 0,
        "currency": "EUR",
        "from": "2017-08-01T00:00:00+00:00",
        "until": "2017-08-03T00:00:00+00:00",
        "rules": {"birthday": RULE},
        "by_day": {"2017-08-02": {"birthday": 7}},
        "before": {"messages": 4, "customers_reached": 4, "rules": {}},
        "comparison": {"same": False},
        "one_in": 4,
        "customers": 120,
    }
}
DECIDED = {
    "at": "2017-08-02T10:00:00+00:00",
    "customer_id": f"anna {HOSTILE}",
    "rule": "birthday",
    "channel": "email",
    "offer": "ten",
    "status": "sent",
    "reason": "",
}
OVER_SCENARIO = {
    "found": {
        "decided": [DECIDED, DECIDED | {"status": "muted", "reason": "a complaint is open"}],
        "more": 0,
        "differences": [],
        "comparison": {"same": False, "examples": [{"only_in": "in use", **DECIDED}]},
    }
}


async def test_what_is_typed_into_the_playbook_is_rehearsed_before_it_is_applied(
    page: Page, empty_shop: Shop
) -> None:
    text = (Path(playbook.__file__).with_name("starter.yaml")).read_text("utf-8")
    await empty_shop.desk.apply("playbook.yaml", {"playbook.yaml": text}, "first", 0)
    rehearsed = "document.getElementById('rehearsed').innerText"
    choose = (
        "(() => {{ const box = document.getElementById('{}'); box.value = '{}';"
        " box.dispatchEvent(new Event('{}')); }})()"
    )
    press = "document.getElementById('play').click()"
    async with served(empty_shop.config()) as client:
        await page.open(f"{home(client)}playbook")
        await page.until("!document.getElementById('play').disabled", 20)
        empty_shop.rehearser.says = [{"progress": 0.4}, OVER_LOG]
        await page.evaluate(press)
        await page.until(f"{rehearsed}.includes('7 messages to 5 customers')", 20)
        said = await page.evaluate(rehearsed)
        assert "The edition in use: 4 to 4" in said
        assert "+7" in said
        assert "one customer in 4 was played, 120 in all" in said
        assert "held back 3 · comparison group 2" in said
        assert await page.evaluate("document.querySelectorAll('.by-day rect').length") == 3
        added = choose.format("text", "", "input").replace("box.value = ''", "box.value += ' '")
        await page.evaluate(added)
        await page.until("document.querySelector('.stale') && true")
        await page.evaluate(choose.format("over", "scenario", "change"))
        await page.until("document.querySelectorAll('#ready option').length === 2", 20)
        await page.evaluate(choose.format("ready", "birthday", "change"))
        empty_shop.rehearser.says = [OVER_SCENARIO]
        await page.until("!document.getElementById('play').disabled", 20)
        await page.evaluate(press)
        await page.until(f"{rehearsed}.includes('a complaint is open')", 20)
        assert "Only the edition in use would do this" in await page.evaluate(rehearsed)
        await page.look(375, 800)
        assert await page.evaluate(OVERFLOW) <= 0
        assert "<img src=x" in await page.evaluate(rehearsed)
        empty_shop.rehearser.says = [{"stopped": "time"}]
        await page.evaluate(press)
        await page.until(f"{rehearsed}.includes('took too long')", 20)
        empty_shop.rehearser.is_busy = True
        await page.evaluate(press)
        await page.until(f"{rehearsed}.includes('Another rehearsal')", 20)
        assert [one for one in page.errors if "429" not in one] == []
    over_log, over_scenario, _ = empty_shop.rehearser.wishes
    assert (over_log.days, over_log.scenario) == (30, "")
    assert over_scenario.scenario == "until: 2026-01-02T00:00:00Z"


async def test_of_two_who_edit_the_playbook_none_loses_what_was_typed(
    page: Page, empty_shop: Shop
) -> None:
    text = (Path(playbook.__file__).with_name("starter.yaml")).read_text("utf-8")
    await empty_shop.desk.apply("playbook.yaml", {"playbook.yaml": text}, "first", 0)
    async with served(empty_shop.config()) as client:
        await page.open(f"{home(client)}playbook")
        await page.until("document.querySelector('.verdict.fine') && true", 20)
        other = {"playbook.yaml": text.replace("silence: 30d", "silence: 60d")}
        await empty_shop.desk.apply("playbook.yaml", other, "theirs", 1)
        await page.evaluate(
            "(() => { const t = document.getElementById('text'); t.value += '# mine\\n';"
            " t.dispatchEvent(new Event('input')); })()"
        )
        await page.until("!document.getElementById('apply').disabled", 20)
        await page.evaluate("document.getElementById('apply').click()")
        await page.until("document.querySelector('#conflict:not([hidden]) .trouble') && true", 20)
        assert "# mine" in await page.evaluate("document.getElementById('text').value")
        assert len(empty_shop.desk.known) == 2
