"""Alerts to people, against a receiver that answers as real ones do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from sinks.alerts import AlertSink, NotDelivered, Webhook
from tests.contract.records import alert, alerts


@dataclass
class Receiver:
    """Answers with the next of `answers`, then 200; keeps what it was asked."""

    answers: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    url: str = ""

    async def receive(self, request: web.Request) -> web.Response:
        self.ids.append(request.headers["webhook-id"])
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook/secret-in-the-path", made.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook/secret-in-the-path"
    yield made
    await runner.cleanup()


@pytest.fixture
async def sink(receiver: Receiver) -> AsyncIterator[AlertSink]:
    made = AlertSink(Webhook(receiver.url, "a secret"))
    await made.open()
    yield made
    await made.close()


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_a_receiver_in_trouble_is_asked_again_with_the_same_id(
    receiver: Receiver, sink: AlertSink, status: int
) -> None:
    receiver.answers = [status]
    with pytest.raises(NotDelivered, match=str(status)):
        await sink.tell(alert())
    await sink.tell(alert())
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 302])
async def test_a_receiver_that_refuses_is_not_asked_again(
    receiver: Receiver, sink: AlertSink, status: int
) -> None:
    receiver.answers = [status]
    with capture_logs() as logs:
        await sink.tell(alert())
        await sink.tell(alert())
    assert len(receiver.ids) == 1
    assert any(line["log_level"] == "error" and line["answer"] == status for line in logs)


async def test_the_first_that_fails_holds_back_the_later_ones(
    receiver: Receiver, sink: AlertSink
) -> None:
    receiver.answers = [200, 500]
    batch = alerts(0, range(3))
    with pytest.raises(NotDelivered):
        await sink.write(batch)
    assert len(receiver.ids) == 2
    await sink.write(batch)
    first, failed, again, last = receiver.ids
    assert failed == again
    assert len({first, failed, last}) == 3


async def test_the_log_says_it_once_and_before_the_receiver_is_reached(
    receiver: Receiver, sink: AlertSink
) -> None:
    receiver.answers = [500]
    with capture_logs() as logs:
        with pytest.raises(NotDelivered):
            await sink.tell(alert(0))
        await sink.tell(alert(0))
        await sink.tell(alert(1))
    said = [(line["status"], line["log_level"]) for line in logs if line["event"] == "alert"]
    assert said == [("firing", "warning"), ("resolved", "info")]


async def test_an_unreachable_receiver_is_named_without_its_path() -> None:
    sink = AlertSink(Webhook("http://127.0.0.1:9/hook/secret-in-the-path", "a secret"))
    await sink.open()
    with pytest.raises(NotDelivered) as failed:
        await sink.tell(alert())
    await sink.close()
    assert "127.0.0.1" in str(failed.value)
    assert "secret" not in str(failed.value)
    assert "secret" not in repr(sink._webhook)


async def test_without_a_webhook_the_log_has_it() -> None:
    sink = AlertSink(Webhook())
    with capture_logs() as logs:
        await sink.tell(alert())
    assert [line["alert"] for line in logs] == ["orders_per_hour"]
