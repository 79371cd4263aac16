"""Nobody else's page may change anything here: a token in the page, bound to a cookie beside it.

The cookie is SameSite=Strict and HttpOnly, the token is its signature; a foreign page can neither
read the one nor send the other. A program asks GET /v1/playbook for both.
"""

import hashlib
import hmac
import secrets

from aiohttp import web

from sinks.web.access import from_here

COOKIE = "huitou_form"
HEADER = "X-Huitou-Token"


class Forgery:
    """The secret of one server's run: a page loaded before a restart asks for a new token."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def token_for(self, request: web.Request) -> tuple[str, str]:
        """Cookie and token for a page; the cookie it has is kept."""
        nonce = request.cookies.get(COOKIE, "")
        if not (len(nonce) == 43 and nonce.isascii()):
            nonce = secrets.token_urlsafe(32)
        return nonce, self._sign(nonce)

    def hand_out(self, response: web.Response, nonce: str, *, secure: bool) -> None:
        """Give the browser the cookie."""
        response.set_cookie(
            COOKIE, nonce, httponly=True, samesite="Strict", secure=secure, path="/"
        )

    def refuse_foreign(self, request: web.Request) -> None:
        """Raise web.HTTPForbidden for what another's page sent, and 415 for what is no JSON."""
        if not from_here(request):
            raise web.HTTPForbidden(text="this may be sent by our own pages and by programs only")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="expected Content-Type: application/json")

    def refuse_forged(self, request: web.Request) -> None:
        """Besides, raise web.HTTPForbidden without a token that fits the cookie."""
        self.refuse_foreign(request)
        token = request.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
        nonce = request.cookies.get(COOKIE, "")
        if not nonce or not hmac.compare_digest(token, self._sign(nonce).encode()):
            raise web.HTTPForbidden(
                text=f"{HEADER}: expected the form_token of GET /v1/playbook, with its cookie"
            )

    def _sign(self, nonce: str) -> str:
        text = nonce.encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
