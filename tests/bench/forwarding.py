"""A gateway that only forwards: `python -m tests.bench.forwarding PORT TOPIC DEAD_LETTERS`.

The same HTTP server, event loop and log writer as the product's gateway; the answer waits for the
broker as there. At `/v1/batch` a request's bytes go into the topic as they came, as one record; at
`/v1/records` the batch is split, and each event is a record of its own that nobody has looked into.
"""

import asyncio
import signal
import sys
from itertools import count

import orjson
import uvloop
from aiohttp import web

from sinks.log import LogWriter, Prepared
from streams.settings import Settings


async def serve(settings: Settings, port: int, topic: str, dead_letters: str) -> None:
    """Forward until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    writer = LogWriter(
        bootstrap=settings.kafka_bootstrap,
        topic_events=topic,
        topic_dead_letters=dead_letters,
        partitions=settings.partitions,
    )
    await writer.start()
    turns = count()

    async def forward(request: web.Request) -> web.Response:
        partition = next(turns) % settings.partitions
        await writer.write_prepared({partition: [(None, await request.read())]})
        return web.json_response({"accepted": True})

    async def forward_records(request: web.Request) -> web.Response:
        groups: Prepared = {}
        for event in orjson.loads(await request.read())["batch"]:
            partition = next(turns) % settings.partitions
            groups.setdefault(partition, []).append((None, orjson.dumps(event)))
        await writer.write_prepared(groups)
        return web.json_response({"accepted": True})

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(status=503 if writer.trouble else 200)

    app = web.Application(client_max_size=settings.max_body_bytes)
    app.router.add_post("/v1/batch", forward)
    app.router.add_post("/v1/records", forward_records)
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await stop.wait()
    await runner.cleanup()
    await writer.stop()


def main() -> None:
    port, topic, dead_letters = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Settings(), int(port), topic, dead_letters))


if __name__ == "__main__":
    main()
