"""ClickHouse's HTTP protocol in front of the embedded engine, for this machine only.

Any ClickHouse HTTP client works: parameters, settings, inserts in every format, compression both
ways, error codes. There are no users, no sessions (a SET lasts for its own request) and no external
tables, and an answer is sent when it is complete.

    python -m streams.servers.clickhouse_front PATH PORT DATABASE
"""

import asyncio
import os
import signal
import sys
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pyarrow
from aiohttp import web

from streams.exit import FAILED
from streams.servers import statement
from streams.servers.clickhouse_engine import Answer, EngineError, Handle, Request, WriteFailed
from streams.servers.ports import LOOPBACK

HANDLES = 6
LOOK_EVERY_S = 1.0
ANSWERS_OUT_S = 0.2
BODY_LIMIT_BYTES = 2**30
SYNTAX_ERROR = 62
NOT_IMPLEMENTED = 48
CANNOT_DECOMPRESS = 271
NOT_FOUND_CODES = {60, 81}
BAD_REQUEST_CODES = {6, 16, 26, 27, 33, 38, 41, 42, 43, 46, 47, 53, 62, 73, 115, 117, 456, 457}

TRANSPORT_ARGUMENTS = {
    "query", "database", "default_format", "query_id", "quota_key", "user", "password", "role",
    "session_id", "session_timeout", "session_check", "close_session", "stacktrace", "compress",
    "decompress", "buffer_size", "wait_end_of_query", "client_protocol_version",
    "enable_http_compression", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
ARROW_CODECS = {"zstd": "zstd", "lz4": "lz4", "gzip": "gzip", "br": "brotli"}
Found = TypeVar("Found")
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "[::1]"}


class Refused(Exception):
    """A request that never reaches the engine; `code` is ClickHouse's, `status` HTTP's."""

    def __init__(self, text: str, code: int = NOT_IMPLEMENTED, status: int = 400) -> None:
        self.code = code
        self.status = status
        super().__init__(f"Code: {code}. DB::Exception: {text}")


class Front:
    """The requests' way to a free handle and back."""

    def __init__(self, path: Path, handles: int = HANDLES) -> None:
        self._all = [Handle(path) for _ in range(handles)]
        self._free: asyncio.Queue[Handle] = asyncio.Queue()
        for handle in self._all:
            self._free.put_nowait(handle)
        self._threads = ThreadPoolExecutor(handles, thread_name_prefix="engine")
        request = Request(statement.read(b"SELECT timezone()"))
        self._timezone = self._all[0].execute(request).body.decode().strip()
        self._failure: asyncio.Future[WriteFailed] = asyncio.get_running_loop().create_future()

    async def execute(self, request: Request) -> Answer:
        """Run a request on the next free handle, in a thread."""
        return await self._on_a_handle(lambda handle: handle.execute(request))

    async def write_failed(self) -> WriteFailed:
        """Wait until the disk has refused a write: then this process must end."""
        while not self._failure.done():
            with suppress(EngineError):  # a lost write ends the loop, all else is asked again
                await self._on_a_handle(Handle.trust_disk)
            await asyncio.wait([self._failure], timeout=LOOK_EVERY_S)
        return self._failure.result()

    async def _on_a_handle(self, work: Callable[[Handle], Found]) -> Found:
        if self._failure.done():
            raise self._failure.result()
        async with self._handle() as handle:
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._threads, work, handle)
            except WriteFailed as error:
                if not self._failure.done():
                    self._failure.set_result(error)
                raise

    @asynccontextmanager
    async def _handle(self) -> AsyncIterator[Handle]:
        handle = await self._free.get()
        try:
            yield handle
        finally:
            self._free.put_nowait(handle)

    async def close(self) -> None:
        """Wait for what runs and close the engine."""
        for _ in self._all:
            (await self._free.get()).close()
        self._threads.shutdown()

    async def answer(self, http: web.Request) -> web.Response:
        """Answer one HTTP request with rows or with ClickHouse's error."""
        headers = {
            "X-ClickHouse-Query-Id": http.query.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Server-Display-Name": "huitou",
            "X-ClickHouse-Timezone": self._timezone,
        }
        try:
            _refuse_strangers(http)
            request = await read_request(http)
            answer = await self.execute(request)
        except Refused as error:
            return _failure(str(error), error.code, error.status, headers)
        except EngineError as error:
            return _failure(error.text, error.code, http_status(error.code), headers)
        headers["X-ClickHouse-Summary"] = answer.summary()
        if request.statement.answers:
            headers["X-ClickHouse-Format"] = request.answer_format
        return await _packed(http, answer.body, headers)


async def ping(_: web.Request) -> web.Response:
    """Answer as ClickHouse's own /ping does."""
    return web.Response(text="Ok.\n")


async def read_request(http: web.Request) -> Request:
    """Put together what URL, headers and body say; Refused when it is not understood."""
    arguments = dict(http.query)
    text = arguments.get("query", "").rstrip().encode()
    if http.content_type == "multipart/form-data":
        form = await _form(http)
        arguments |= form
        text = form.get("query", "").encode() or text
    else:
        body = await _body(http)
        if encoding := http.headers.get("Content-Encoding"):
            body = await asyncio.to_thread(unpack, body, encoding)
        text = text + b"\n" + body if text and body else text or body
    if not text.strip():
        raise Refused("Empty query. (SYNTAX_ERROR)", SYNTAX_ERROR)
    parameters = {k[6:]: v for k, v in arguments.items() if k.startswith("param_")}
    return Request(
        statement.read(text),
        arguments.get("database") or http.headers.get("X-ClickHouse-Database") or "",
        _settings(arguments),
        parameters,
        arguments.get("default_format")
        or http.headers.get("X-ClickHouse-Format")
        or "TabSeparated",
    )


def _settings(arguments: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in arguments.items()
        if name not in TRANSPORT_ARGUMENTS and not name.startswith("param_")
    }


async def _body(http: web.Request) -> bytes:
    try:
        return await http.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(f"body over {BODY_LIMIT_BYTES} bytes", status=413) from error


async def _form(http: web.Request) -> dict[str, str]:
    form = {}
    for name, value in (await http.post()).items():
        if not isinstance(value, str):
            raise Refused(f"external table {name!r}: not in the embedded engine. (NOT_IMPLEMENTED)")
        form[name] = value
    return form


def _refuse_strangers(http: web.Request) -> None:
    """Keep web pages out: a browser on this machine would pass their requests on."""
    host = http.host.rsplit(":", 1)[0] if not http.host.endswith("]") else http.host
    if host not in LOOPBACK_HOSTS or "Origin" in http.headers:
        raise Refused("only programs on this machine are served. (ACCESS_DENIED)", 497, 403)


def unpack(body: bytes, encoding: str) -> bytes:
    """Decompress by the name in Content-Encoding; Refused when broken or unknown."""
    if not body or encoding in ("", "identity"):
        return body
    try:
        if encoding == "deflate":
            return zlib.decompress(body)
        if encoding in ARROW_CODECS:
            source = pyarrow.BufferReader(body)
            with pyarrow.CompressedInputStream(source, ARROW_CODECS[encoding]) as stream:
                return bytes(stream.read())
    except (OSError, zlib.error) as error:
        raise Refused(f"{encoding} body: {error}", CANNOT_DECOMPRESS) from error
    raise Refused(f"unknown Content-Encoding {encoding!r}. (NOT_IMPLEMENTED)")


def pack(body: bytes, encoding: str) -> bytes:
    """Compress by the name in Accept-Encoding."""
    if encoding == "deflate":
        return zlib.compress(body, 1)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, ARROW_CODECS[encoding]) as stream:
        stream.write(body)
    return bytes(sink.getvalue())


async def _packed(http: web.Request, body: bytes, headers: dict[str, str]) -> web.Response:
    if http.query.get("enable_http_compression") == "1" and body:
        encoding = _encoding_wanted(http.headers.get("Accept-Encoding", ""))
        if encoding:
            headers["Content-Encoding"] = encoding
            body = await asyncio.to_thread(pack, body, encoding)
    return web.Response(body=body, headers=headers, content_type="application/octet-stream")


def _encoding_wanted(accepted: str) -> str:
    names = (part.split(";")[0].strip() for part in accepted.split(","))
    return next((name for name in names if name in ARROW_CODECS or name == "deflate"), "")


def http_status(code: int) -> int:
    """Find the HTTP status ClickHouse sends along with an error code."""
    if code in NOT_FOUND_CODES:
        return 404
    return 400 if code in BAD_REQUEST_CODES else 500


def _failure(text: str, code: int, status: int, headers: dict[str, str]) -> web.Response:
    headers["X-ClickHouse-Exception-Code"] = str(code)
    return web.Response(text=text.rstrip() + "\n", status=status, headers=headers)


async def serve(path: Path, port: int, database: str) -> None:
    """Serve until SIGTERM or SIGINT; `database` exists afterwards."""
    path.mkdir(parents=True, exist_ok=True)
    front = Front(path)
    name = database.replace("`", "")
    await front.execute(Request(statement.read(f"CREATE DATABASE IF NOT EXISTS `{name}`".encode())))
    app = web.Application(client_max_size=BODY_LIMIT_BYTES)
    app.router.add_get("/ping", ping)
    app.router.add_route("*", "/", front.answer)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port, shutdown_timeout=5.0).start()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    stopping = asyncio.create_task(told_to_stop.wait())
    failing = asyncio.create_task(front.write_failed())
    await asyncio.wait([stopping, failing], return_when=asyncio.FIRST_COMPLETED)
    if failing.done():
        await _end_at_once(failing.result())
    failing.cancel()
    await runner.cleanup()
    await front.close()


async def _end_at_once(failure: WriteFailed) -> None:
    """End without giving the engine time to build on what it could not write."""
    with suppress(OSError):  # the log may lie on the same disk
        sys.stderr.write(f"{failure}\n")
        sys.stderr.flush()
    await asyncio.sleep(ANSWERS_OUT_S)
    os._exit(FAILED)


def main(arguments: list[str]) -> None:
    """Entry point of the server's process."""
    path, port, database = arguments
    asyncio.run(serve(Path(path), int(port), database))


if __name__ == "__main__":
    main(sys.argv[1:])
