"""The web server whole, on real servers: profiles, search, panels, stream, mailbox, pages."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from models.clock import DAY_MS, HOUR_MS, LogClock
from models.events import MessageChannel
from sinks.clickhouse import ClickHouseAddress
from sinks.senders import Message
from sinks.web import server as server_module
from tests.builders import make, order, released
from tests.sinks.web.conftest import HOSTILE, LANDED_MS
from tests.sinks.web.shop import NOW_MS, Shop, named, served

pytestmark = pytest.mark.real


async def get(client: ClientSession, path: str) -> tuple[int, Any]:
    async with client.get(path) as answer:
        return answer.status, await answer.json()


async def events_of(client: ClientSession, count: int) -> list[dict[str, Any]]:
    """The first messages of the stream."""
    messages = []
    async with asyncio.timeout(20), client.get("/api/stream") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        async for line in answer.content:
            if line.startswith(b"data: "):
                messages.append(json.loads(line[6:]))
                if len(messages) == count:
                    break
    return messages


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers/anna",
        "/v1/customers/Anna@Example.com?by=email",
        "/v1/customers/0049%2030%20123456?by=phone",
        f"/v1/customers/{named('anna')}?by=token",
    ],
)
async def test_a_profile_is_found_by_id_email_phone_and_token(
    client: ClientSession, path: str
) -> None:
    status, profile = await get(client, path)
    assert status == 200
    assert (profile["id"], profile["token"]) == ("anna", named("anna"))


async def test_a_profile_says_everything_a_person_asks(client: ClientSession) -> None:
    _, anna = await get(client, "/v1/customers/anna")
    assert anna["personal"] == {
        "name": f"Anna {HOSTILE}",
        "email": "anna@example.com",
        "phone": "+4930123456",
    }
    assert "sealed" not in anna
    assert "lookup" not in anna
    assert (anna["tier"], anna["orders"], anna["currency"]) == ("high_value", 8, "EUR")
    assert anna["mean_gap_days"] == 7
    assert anna["traits"] == {"city": "台北"}
    assert anna["windows"]["365"] == {"orders": 8, "value_cents": 160_028}
    window = anna["expected_next_order"]
    assert anna["hazard_at_ms"] < window["from_ms"] < window["to_ms"]
    assert window["from_ms"] < anna["next_order_expected_ms"] < window["to_ms"]
    assert [one["about"] for one in anna["reasons"]] == ["tier", "dormancy", "next_order"]
    assert anna["recent"][0]["type"] == "product_viewed"
    assert {one["rule"] for one in anna["timers"]} >= {"browse_reminder", "sleep"}


async def test_what_depends_on_the_moment_is_told_for_the_log_time_now(empty_shop: Shop) -> None:
    shop = empty_shop
    await shop.fold(order("o1", at_ms=NOW_MS, customer=named("anna")))
    async with served(shop.config()) as client:
        _, fresh = await get(client, "/v1/customers/anna")
        assert (fresh["silence_days"], fresh["dormancy"]) == (0, "awake")
        assert fresh["windows"]["30"] == {"orders": 1, "value_cents": 2_000}
        later_ms = NOW_MS + 31 * DAY_MS
        await shop.pass_time(later_ms)
        async with asyncio.timeout(10):
            while (await get(client, "/api/clock"))[1]["now_ms"] != later_ms:
                await asyncio.sleep(0.05)
        _, old = await get(client, "/v1/customers/anna")
    assert (old["silence_days"], old["dormancy"]) == (31, "dormant")
    assert old["windows"]["30"] == {"orders": 0, "value_cents": 0}
    assert old["windows"]["90"] == {"orders": 1, "value_cents": 2_000}


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/customers/nobody", 404, "no customer goes by this name"),
        ("/v1/customers/x@y.example?by=email", 404, "no customer has this email"),
        ("/v1/customers/not-an-address?by=email", 404, "this is no email"),
        ("/v1/customers/12?by=phone", 404, "this is no phone"),
        ("/v1/customers/anna?by=name", 400, "by: expected one of id, email, phone, token"),
        ("/v1/customers/%00%ff?by=token", 404, "no customer goes by this name"),
        ("/v1/mailbox?limit=0", 400, "limit: expected a number from 1 to 200"),
        ("/v1/mailbox?limit=x", 400, "limit: expected a number from 1 to 200"),
        ("/v1/mailbox/nobody/nothing", 404, "no such message"),
        ("/api/panels?language=fr", 400, "language: expected one of en, zh-TW, zh-CN"),
        ("/words/fr.json", 404, "no such language"),
        ("/nowhere", 404, "404: Not Found"),
        ("/static/../server.py", 404, "404: Not Found"),
    ],
)
async def test_what_is_not_there_or_not_meant_is_said_in_json(
    client: ClientSession, path: str, status: int, said: str
) -> None:
    assert await get(client, path) == (status, {"error": said})


async def test_an_erased_customer_is_gone_for_good(empty_shop: Shop) -> None:
    shop = empty_shop
    await shop.fold(shop.identified("anna", name="Anna", email="anna@example.com"))
    async with served(shop.config()) as client:
        assert (await get(client, "/v1/customers/anna"))[0] == 200
        await asyncio.to_thread(shop.store.destroy, named("anna"))
        async with asyncio.timeout(5):
            while (await get(client, "/v1/customers/anna"))[0] == 200:
                await asyncio.sleep(0.05)
        status, body = await get(client, "/v1/customers/anna")
        assert (status, body) == (410, {"error": "this customer was erased"})
        async with Redis.from_url(shop.redis_url) as redis:
            await redis.delete(f"{shop.namespace}profile:{named('anna')}")
        assert (await get(client, "/v1/customers/anna"))[0] == 410
        async with client.get(f"/customers/{named('anna')}") as page:
            assert page.status == 410


async def test_a_merged_name_leads_to_the_history_of_the_other(empty_shop: Shop) -> None:
    shop = empty_shop
    await shop.fold(
        order("o1", at_ms=NOW_MS - 9_000, customer=named("anon:x"), anonymous=True),
        released(named("anna"), at_ms=NOW_MS - 8_000, customer=named("anon:x")),
        order("o2", at_ms=NOW_MS - 7_000, customer=named("anna")),
    )
    async with served(shop.config()) as client:
        status, profile = await get(client, "/v1/customers/anon:x")
    assert (status, profile["token"]) == (200, named("anna"))
    assert profile["asked_token"] == named("anon:x")


async def test_a_field_sealed_under_another_name_stays_closed_and_is_named(
    empty_shop: Shop,
) -> None:
    foreign = empty_shop.sealer.seal(named("bo"), "name", "Bo")
    event = make(type(empty_shop.identified("anna")), customer=named("anna"), at_ms=NOW_MS)
    event.sealed = {"name": foreign}
    await empty_shop.fold(event)
    async with served(empty_shop.config()) as client:
        _, profile = await get(client, "/v1/customers/anna")
    assert (profile["personal"], profile["unreadable"]) == ({}, ["name"])


@pytest.mark.parametrize("what", ["anna", "anna@example.com", "+49 30 123456", named("anna")])
async def test_a_search_leads_to_the_page_and_leaves_no_trace_in_the_address(
    client: ClientSession, what: str
) -> None:
    async with client.post("/search", data={"what": what}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, f"/customers/{named('anna')}")
    async with client.post("/v1/lookup", json={"what": what}) as answer:
        assert await answer.json() == {"customer": named("anna")}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"what": 1}', '{"what": " "}', "{", "\xff"])
async def test_an_unreadable_lookup_is_refused(client: ClientSession, body: str) -> None:
    async with client.post("/v1/lookup", data=body.encode("latin-1")) as answer:
        assert answer.status == 400
        assert "error" in await answer.json()


async def test_a_foreign_page_may_not_search(client: ClientSession) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    async with client.post("/search", data={"what": "anna"}, headers=headers) as answer:
        assert answer.status == 403


async def test_panels_are_given_with_their_words_for_the_first_paint(client: ClientSession) -> None:
    snapshot: dict[str, Any] = {"panels": {"none yet": {"rows": []}}}
    async with asyncio.timeout(60):
        while not all(one["rows"] for one in snapshot["panels"].values()):
            _, snapshot = await get(client, "/api/panels?language=zh-TW")
    repurchase = snapshot["panels"]["repurchase"]
    assert snapshot["now_ms"] == LANDED_MS
    assert snapshot["clock"] == {"mode": "replay", "replay": None}
    assert (repurchase["title"], repurchase["error"]) == ("復購率", None)
    assert [one["days"] for one in repurchase["rows"]] == [30, 60, 90]
    assert snapshot["labels"][named("bo")] == named("bo")[:8]
    assert snapshot["labels"][named("anna")] == f"Anna {HOSTILE}"[:40]


async def test_the_stream_says_everything_once_and_then_only_what_changed(shop: Shop) -> None:
    async with served(shop.config()) as client:
        everything, first, second = await events_of(client, 3)
    assert set(everything["panels"]) > {"orders_today", "last_events"}
    assert everything["now_ms"] == LANDED_MS
    assert second["panels"].keys() < first["panels"].keys()


async def test_a_new_event_comes_to_a_page_that_is_open(empty_shop: Shop) -> None:
    shop = empty_shop
    async with served(shop.config()) as client, client.get("/api/stream") as stream:
        await stream.content.readuntil(b"\n\n")
        await shop.fold(order("new-one", at_ms=NOW_MS - 1_000, customer=named("anna")))
        async with asyncio.timeout(10):
            while b"new-one" not in await stream.content.readuntil(b"\n\n"):
                pass


async def test_a_running_replay_is_told_with_its_progress(empty_shop: Shop) -> None:
    standing = {"source": "a history", "progress": 0.4, "state": "running", "events": 7}
    await empty_shop.say(replay=json.dumps(standing).encode())
    async with served(empty_shop.config()) as client:
        _, clock = await get(client, "/api/clock")
        assert clock["replay"] == standing | {"until_ms": 0}
        await empty_shop.say(replay=json.dumps(standing | {"state": "done"}).encode())
        async with asyncio.timeout(10):
            while (await get(client, "/api/clock"))[1]["replay"] is not None:
                await asyncio.sleep(0.05)


async def test_a_server_with_open_streams_stops_at_once(shop: Shop) -> None:
    async with asyncio.timeout(20):
        async with served(shop.config()) as client:
            stream = await client.get("/api/stream")
            await stream.content.readuntil(b"\n\n")
            stopping_s = asyncio.get_running_loop().time()
        stream.close()
    assert asyncio.get_running_loop().time() - stopping_s < 10


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "CANCEL_AGAIN_S", 0.01)
    swallowed = []

    async def deaf() -> None:
        while len(swallowed) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(1)
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await server_module.ended(task)
    assert task.cancelled()


async def test_scripts_are_asked_about_again_and_not_sent_again(client: ClientSession) -> None:
    async with client.get("/static/panels.js") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
        known = answer.headers["ETag"]
    async with client.get("/static/panels.js", headers={"If-None-Match": known}) as answer:
        assert answer.status == 304


async def test_while_a_replay_runs_the_page_speaks_of_what_has_landed(empty_shop: Shop) -> None:
    shop, landed_ms = empty_shop, NOW_MS - DAY_MS
    await shop.fold(order("o1", at_ms=landed_ms, customer=named("anna")))
    async with served(shop.config()) as client:
        [everything] = await events_of(client, 1)
        assert everything["now_ms"] == landed_ms
        assert everything["panels"]["orders_today"]["rows"][0]["value"] == 1
        await shop.say(clock=msgspec.json.encode(LogClock(mode="wall", wall_offset_ms=0)))
        async with asyncio.timeout(20):
            while (await get(client, "/api/panels"))[1]["clock"]["mode"] != "wall":
                await asyncio.sleep(0.1)
        assert (await get(client, "/api/panels"))[1]["now_ms"] > landed_ms + DAY_MS


async def test_without_clickhouse_panels_say_so_and_profiles_go_on(shop: Shop) -> None:
    nowhere = ClickHouseAddress("http://127.0.0.1:1", database="huitou")
    async with served(shop.config(clickhouse=nowhere)) as client:
        _, snapshot = await get(client, "/api/panels")
        assert all(one["error"] for one in snapshot["panels"].values())
        assert (await get(client, "/v1/customers/anna"))[0] == 200
        status, story = await get(client, "/v1/customers/anna/story")
        assert status == 503
        assert "error" in story


async def test_without_redis_profiles_say_so_and_the_server_stays(shop: Shop) -> None:
    async with served(shop.config(redis_url="redis://127.0.0.1:1/0")) as client:
        status, body = await get(client, "/v1/customers/anna")
        assert (status, body) == (503, {"error": "profiles can't be read right now"})
        first, second = await events_of(client, 2)
        assert first["panels"]["sleepers"]["rows"]
        assert first["labels"] == second["labels"] == {}
        assert (await get(client, "/healthz"))[0] == 200


async def test_a_story_tells_decisions_with_their_receipts(shop: Shop) -> None:
    async with served(shop.config()) as client:
        _, story = await get(client, "/v1/customers/anna/story")
    assert {one["rule"] for one in story["decisions"]} == {"thank_you"}
    first = story["decisions"][0]
    assert json.loads(first["inputs"])["orders"] == 1
    assert (first["status"], first["action"]) == ("sent", "message")
    assert "consent to marketing by email" in first["passed"]
    assert (first["held_until"], first["propensity"]) == (None, 1.0)
    assert story["tier_changes"][0]["to_tier"] == "high_value"


async def test_the_api_tells_what_rules_brought(client: ClientSession) -> None:
    """Nobody of this shop is left alone; tests/sinks/test_clickhouse_lift.py has one who is."""
    status, told = await get(client, "/v1/lift?days=14")
    assert status == 200
    assert (told["days"], told["currency"], told["lifts"]) == (14, "EUR", [])
    status, told = await get(client, "/v1/lift?days=15")
    assert (status, told["error"]) == (400, "days: expected 14 or 30")
    async with client.get("/lift") as answer:
        assert 'id="lift"' in await answer.text()


async def test_a_letter_is_served_in_a_sandbox_of_its_own(empty_shop: Shop) -> None:
    shop, html = empty_shop, f"<p style='color:red'>Hello {HOSTILE}</p>"
    async with shop.mailbox() as mailbox:
        await mailbox.put(
            Message(
                message_id="m1",
                action_id="m1",
                customer=named("anna"),
                rule="thank_you",
                channel=MessageChannel.EMAIL,
                subject="Thank you",
                text="Hello",
                html=html,
                at_ms=NOW_MS - HOUR_MS,
            )
        )
    async with served(shop.config()) as client:
        _, mail = await get(client, "/v1/mailbox")
        [letter] = mail["letters"]
        assert (letter["subject"], letter["customer"]) == ("Thank you", named("anna"))
        assert "html" not in letter
        assert (await get(client, f"/v1/mailbox?customer={named('bo')}"))[1]["letters"] == []
        async with client.get(f"/v1/mailbox/{named('anna')}/m1") as answer:
            assert await answer.text() == html
            policy = answer.headers["Content-Security-Policy"]
    assert "sandbox" in policy.split("; ")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


async def test_beyond_loopback_the_key_opens_the_page_by_form_and_the_api_by_token(
    shop: Shop,
) -> None:
    config = shop.config(api_key="the-key", loopback=False)
    async with served(config) as client:
        assert (await get(client, "/v1/customers/anna"))[0] == 401
        async with client.post("/login", data={"key": "wrong"}) as answer:
            assert answer.status == 403
            assert 'role="alert"' in await answer.text()
        async with client.post("/login", data={"key": "the-key"}, allow_redirects=False) as answer:
            assert answer.status == 303
            cookie = answer.cookies["huitou_session"].value
        for headers in (
            {"Cookie": f"huitou_session={cookie}"},
            {"Authorization": "Bearer the-key"},
        ):
            async with client.get("/v1/customers/anna", headers=headers) as answer:
                assert answer.status == 200


async def test_the_server_counts_what_it_answers(client: ClientSession) -> None:
    await get(client, "/v1/customers/anna")
    await get(client, "/v1/customers/nobody")
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert 'huitou_web_answers_total{status="404"} 1.0' in text
    assert "huitou_web_profile_seconds_count 1.0" in text


async def test_nothing_personal_reaches_the_log(
    client: ClientSession, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await get(client, "/v1/customers/anna@example.com?by=email")
    await get(client, "/v1/customers/hidden@example.com?by=email")
    async with client.post("/search", data={"what": "hidden@example.com"}) as answer:
        assert answer.status == 404
        assert "hidden@example.com" not in await answer.text()
    said = capfd.readouterr()
    assert "example.com" not in said.out + said.err
