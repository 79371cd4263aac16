"""The pages people open: today, a customer, the mailbox, the search, signing in and out."""

from pathlib import Path

from aiohttp import web

from sinks.web.access import COOKIE, Access, from_here
from sinks.web.api import SEARCH_CHARS
from sinks.web.pages import Pages
from sinks.web.profiles import Forgotten, Profiles, Unknown
from sinks.web.words import LANGUAGES, Words, choose_language

STATIC_DIR = Path(__file__).parent / "static"
LANGUAGE_COOKIE = "huitou_language"


class Site:
    """Handlers of everything that answers HTML, and of what the pages load."""

    def __init__(self, pages: Pages, words: Words, profiles: Profiles, access: Access) -> None:
        self._pages = pages
        self._words = {language: words.for_browser(language) for language in LANGUAGES}
        self._profiles = profiles
        self._access = access

    def routes(self) -> list[web.AbstractRouteDef]:
        """Every route with its handler."""
        return [
            web.get("/", self.dashboard),
            web.get("/customers/{token}", self.customer),
            web.get("/mailbox", self.mailbox),
            web.get("/lift", self.lift),
            web.get("/playbook", self.playbook),
            web.post("/search", self.search),
            web.get("/login", self.login),
            web.post("/login", self.sign_in),
            web.post("/logout", self.sign_out),
            web.get("/words/{language}.json", self.words),
            web.static("/static", STATIC_DIR),
        ]

    async def dashboard(self, request: web.Request) -> web.Response:
        """Show the panels."""
        return _html(self._pages.dashboard(_language(request)))

    async def customer(self, request: web.Request) -> web.Response:
        """Show one customer."""
        token, language = request.match_info["token"], _language(request)
        try:
            await self._profiles.known(token)
        except Unknown:
            return _html(self._pages.message(language, "nobody_found", "nobody_found_text"), 404)
        except Forgotten:
            return _html(self._pages.message(language, "erased", "erased_text"), 410)
        return _html(self._pages.customer(language, token))

    async def mailbox(self, request: web.Request) -> web.Response:
        """Show messages, of all or of `?customer=`."""
        return _html(self._pages.mailbox(_language(request), request.query.get("customer", "")))

    async def lift(self, request: web.Request) -> web.Response:
        """Show what rules brought."""
        return _html(self._pages.lift(_language(request)))

    async def playbook(self, request: web.Request) -> web.Response:
        """Show the playbook, to read and to change."""
        return _html(self._pages.playbook(_language(request)))

    async def search(self, request: web.Request) -> web.Response:
        """Lead to the customer somebody means; what was typed stays out of every address."""
        form = await _own_form(request)
        what = form.get("what", "").strip()[:SEARCH_CHARS]
        try:
            token = await self._profiles.search(what)
        except Unknown:
            language = _language(request)
            return _html(self._pages.message(language, "nobody_found", "nobody_found_text"), 404)
        return web.Response(status=303, headers={"Location": f"/customers/{token}"})

    async def login(self, request: web.Request) -> web.Response:
        """Ask for the key."""
        return _html(self._pages.login(_language(request)))

    async def sign_in(self, request: web.Request) -> web.Response:
        """Trade the key for a session."""
        form = await _own_form(request)
        language = _language(request)
        if self._access.too_many_failures():
            return _html(self._pages.login(language, "login_wait"), 429)
        if not self._access.asks_for_key or not self._access.accepts(form.get("key", "")):
            self._access.note_failure()
            return _html(self._pages.login(language, "login_wrong"), 403)
        response = web.Response(status=303, headers={"Location": "/"})
        self._access.let_in(response, secure=request.secure)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session of this browser."""
        await _own_form(request)
        response = web.Response(status=303, headers={"Location": "/login"})
        response.del_cookie(COOKIE, path="/")
        return response

    async def words(self, request: web.Request) -> web.Response:
        """Give the scripts their words."""
        body = self._words.get(request.match_info["language"])
        if body is None:
            raise web.HTTPNotFound(text="no such language")
        headers = {"Cache-Control": "no-cache"}
        return web.Response(body=body, content_type="application/json", headers=headers)


def _language(request: web.Request) -> str:
    return choose_language(
        request.cookies.get(LANGUAGE_COOKIE), request.headers.get("Accept-Language", "")
    )


def _html(text: str, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


async def _own_form(request: web.Request) -> dict[str, str]:
    if not from_here(request):
        raise web.HTTPForbidden(text="this form is sent by our own pages only")
    return {name: str(value) for name, value in (await request.post()).items()}
