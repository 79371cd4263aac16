"""Who may come in: the Host check of a loopback server, the API key, the page's cookie, headers.

Without a key only this machine is served, and only under a loopback name, so that no foreign web
page can reach in through a name of its own (DNS rebinding). With a key, programs send it as a
bearer token and people trade it for a cookie at /login.
"""

import hashlib
import hmac
import secrets
import time
from collections import deque
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

COOKIE = "huitou_session"
SESSION_S = 7 * 24 * 3600
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = frozenset({"/healthz", "/login"})
OPEN_PREFIXES = ("/static/", "/words/")
_FAILURES_AT_MOST = 10
_FAILURES_WITHIN_S = 60.0

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Access:
    """The rules of one server; an empty `api_key` asks nobody for anything."""

    def __init__(self, api_key: str, *, loopback: bool) -> None:
        self._api_key = api_key.encode()
        self._loopback = loopback
        self._failures: deque[float] = deque(maxlen=_FAILURES_AT_MOST)

    @property
    def asks_for_key(self) -> bool:
        """Whether anybody must show a key."""
        return bool(self._api_key)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse who may not come in."""
        refusal = self.refusal(request)
        return refusal if refusal is not None else await handler(request)

    def refusal(self, request: web.Request) -> web.Response | None:
        """Answer for a request that may not go on; None: it may."""
        if self._loopback and not self._api_key and not _loopback_name(request.host):
            return _refused(421, "this server answers to localhost only")
        if not self._api_key or _is_open(request.path) or self._shows_key(request):
            return None
        if _wants_page(request):
            return web.Response(status=303, headers={"Location": "/login"})
        return _refused(
            401, "send the API key as: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"}
        )

    def accepts(self, key: str) -> bool:
        """Whether this is the key, told in constant time."""
        return hmac.compare_digest(_bytes(key), self._api_key)

    def too_many_failures(self) -> bool:
        """Whether somebody is guessing."""
        oldest = self._failures[0] if len(self._failures) == _FAILURES_AT_MOST else None
        return oldest is not None and time.monotonic() - oldest < _FAILURES_WITHIN_S

    def note_failure(self) -> None:
        """Remember a wrong key."""
        self._failures.append(time.monotonic())

    def let_in(self, response: web.StreamResponse, *, secure: bool) -> None:
        """Give the browser a session."""
        until = str(int(time.time()) + SESSION_S)
        nonce = secrets.token_urlsafe(12)
        response.set_cookie(
            COOKIE,
            f"{until}.{nonce}.{self._sign(until, nonce)}",
            max_age=SESSION_S,
            httponly=True,
            samesite="Strict",
            secure=secure,
            path="/",
        )

    def _shows_key(self, request: web.Request) -> bool:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.accepts(key.strip())
        return self._valid(request.cookies.get(COOKIE, ""))

    def _valid(self, cookie: str) -> bool:
        until, _, rest = cookie.partition(".")
        nonce, _, signature = rest.partition(".")
        if not hmac.compare_digest(_bytes(signature), _bytes(self._sign(until, nonce))):
            return False
        return int(until) > time.time()

    def _sign(self, until: str, nonce: str) -> str:
        text = _bytes(f"session\x00{until}\x00{nonce}")
        return hmac.new(self._api_key, text, hashlib.sha256).hexdigest()


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: every answer carries the headers, its own stricter policy winning."""
    if request.path.startswith("/static/"):
        # Asked about each time, so that an upgrade never meets an old script.
        response.headers.setdefault("Cache-Control", "no-cache")
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if "Server" in response.headers:
        del response.headers["Server"]


def from_here(request: web.Request) -> bool:
    """Whether the browser says that our own page sent this (always true for programs)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _loopback_name(host: str) -> bool:
    try:
        return (urlsplit(f"//{host}").hostname or "") in LOOPBACK_NAMES
    except ValueError:
        return False


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _wants_page(request: web.Request) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "")


def _refused(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": text}, status=status, headers=headers)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
