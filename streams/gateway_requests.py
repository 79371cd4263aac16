"""Reading a request with care: who may ask, from where, how much, and whether it is JSON."""

import asyncio
import hashlib
import hmac
import time
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

import orjson
from aiohttp import ClientError, web

from streams.settings import Settings, is_loopback
from streams.webhooks import BadSignature, verify

READ_WITHIN_S = 15.0
_CHUNK_BYTES = 65_536


class Refused(Exception):
    """A request that is answered with an error; `raw` is what could not be read, if anything."""

    def __init__(
        self, status: int, error: str, *, headers: dict[str, str] | None = None, raw: bytes = b""
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = headers or {}
        self.raw = raw

    def response(self) -> web.Response:
        """Make the answer."""
        return answer({"error": self.error}, status=self.status, headers=self.headers)


def answer(
    content: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Answer in JSON; what can't be written as JSON text is shown as far as it can."""
    body = orjson.dumps(content)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def retry_later(status: int, error: str, after_s: int) -> Refused:
    """Ask the sender to send the same again."""
    return Refused(status, error, headers={"Retry-After": str(after_s)})


def require_local_name(request: web.Request) -> None:
    """Refuse a request whose Host is not this machine.

    A web page elsewhere can make its own name point at 127.0.0.1 (DNS rebinding), but the browser
    still says that name.
    """
    host = request.host
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if not is_loopback(name):
        raise Refused(403, "this gateway listens on loopback and answers to its names only")


def require_write_key(request: web.Request, write_key: str) -> None:
    """Refuse a request without the write key as Basic user name; an empty key asks for none."""
    if not write_key:
        return
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    given = b""
    if scheme.lower() == "basic":
        try:
            given = b64decode(encoded.strip(), validate=True).partition(b":")[0]
        except (Base64Error, ValueError):
            given = b""
    # Digests of one length: neither the key's length nor its bytes show in the time taken.
    digests = [hashlib.sha256(one).digest() for one in (given, write_key.encode())]
    if not hmac.compare_digest(*digests):
        raise Refused(
            401,
            "expected the write key as user name (Basic)",
            headers={"WWW-Authenticate": 'Basic realm="huitou", charset="UTF-8"'},
        )


async def read_sent(request: web.Request, limit_bytes: int) -> bytes:
    """Read a body as it was sent, up to the limit, within the time allowed."""
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
                chunks += chunk
                if len(chunks) > limit_bytes:
                    raise _too_large(limit_bytes)
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {READ_WITHIN_S:g} s") from None
    except (ClientError, ConnectionError, web.HTTPException, ValueError) as error:
        raise Refused(400, f"the body broke off: {type(error).__name__}") from None
    return bytes(chunks)


async def read_signed(request: web.Request, settings: Settings) -> bytes:
    """Read a body whose `{source}` has signed it; Refused for a stranger or another's signature."""
    source = request.match_info["source"]
    secrets = settings.webhook_secrets.get(source)
    if secrets is None:
        raise Refused(404, "no such source; HUITOU_WEBHOOK_SECRETS names those that are")
    sent = await read_sent(request, settings.max_body_bytes)
    try:
        verify(source, secrets.get_secret_value(), request.headers, sent, time.time())
    except BadSignature as error:
        raise Refused(401, str(error)) from None
    return sent


def unpacked(request: web.Request, sent: bytes, limit_bytes: int) -> bytes:
    """Undo the content encoding, never beyond the limit."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return sent
    if encoding not in ("gzip", "x-gzip"):
        raise Refused(415, "expected Content-Encoding gzip or none")
    inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = inflate.decompress(sent, limit_bytes + 1)
    except zlib.error:
        raise Refused(400, "the body is not gzip", raw=sent) from None
    if len(body) > limit_bytes:
        raise _too_large(limit_bytes)
    if not inflate.eof or inflate.unused_data:
        raise Refused(400, "the gzip body is not whole", raw=sent)
    return body


def json_of(body: bytes) -> Any:
    """Parse a body; of two equal names in an object the last one counts."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"expected JSON: {error.msg} at byte {error.pos}", raw=body) from None


def _too_large(limit_bytes: int) -> Refused:
    return Refused(413, f"expected a body of at most {limit_bytes} bytes")
