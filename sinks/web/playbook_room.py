"""The playbook on the page and for programs: shown, checked while it is typed, applied, put back.

Writing it to the log is not for the web server: `Desk` does it, given from outside.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import orjson
from aiohttp import web

from models.playbook.check import Checked, check
from models.playbook.difference import differences, written
from models.playbook.edition import Edition
from models.playbook.source import Unreadable
from sinks.web.api import answer
from sinks.web.forgery import Forgery

BODY_BYTES = 2_000_000
FILES_AT_MOST = 100
NOTE_CHARS = 500
NAME_CHARS = 200
MAIN = "playbook.yaml"


class Desk(Protocol):
    """Where editions are kept."""

    async def editions(self) -> tuple[list[Edition], int, list[dict[str, Any]]]:
        """Give all editions, the number in use, and the adoptions, oldest first."""

    async def apply(self, main: str, files: Mapping[str, str], note: str, based_on: int) -> Edition:
        """Make the next edition; raises Conflict and Refused."""

    async def roll_back(self, version: int, note: str) -> Edition:
        """Use an edition again; raises Refused."""


class Conflict(Exception):
    """Somebody else was first: `newest` is theirs."""

    def __init__(self, newest: Edition, said: str) -> None:
        super().__init__(said)
        self.newest = newest


class Refused(Exception):
    """It can't be done now; the text says why."""


class PlaybookRoom:
    """Handlers of the playbook's JSON; `currency` is that of events that name none."""

    def __init__(self, desk: Desk, forgery: Forgery, currency: str) -> None:
        self._desk = desk
        self._forgery = forgery
        self._currency = currency

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [
            web.get("/v1/playbook", self.current),
            web.get("/v1/playbook/editions/{version}", self.edition),
            web.post("/v1/playbook/check", self.check),
            web.post("/v1/playbook", self.apply),
            web.post("/v1/playbook/rollback", self.roll_back),
        ]

    async def current(self, request: web.Request) -> web.Response:
        """Answer the edition in use with its rules, and the history; gives the form's token."""
        known, in_use, adoptions = await self._read()
        current = next((one for one in known if one.version == in_use), None)
        nonce, token = self._forgery.token_for(request)
        response = answer(
            {
                "in_use": in_use,
                "newest": known[-1].version if known else 0,
                "edition": None if current is None else _whole(current),
                "editions": [_told(one) for one in known],
                "adoptions": adoptions,
                "form_token": token,
            }
        )
        self._forgery.hand_out(response, nonce, secure=request.secure)
        return response

    async def edition(self, request: web.Request) -> web.Response:
        """Answer one edition with its files."""
        known, _, _ = await self._read()
        for one in known:
            if str(one.version) == request.match_info["version"]:
                return answer(_whole(one))
        raise web.HTTPNotFound(text="no such edition")

    async def check(self, request: web.Request) -> web.Response:
        """Answer everything wrong or doubtful about a draft, and what it would change; no more."""
        self._forgery.refuse_foreign(request)
        main, files = draft_of(await read_body(request))
        checked = await asyncio.to_thread(checked_draft, main, files, self._currency)
        told: dict[str, Any] = {
            "ok": not checked.errors,
            "problems": [one.told() for one in checked.problems],
            "changes": None,
        }
        if not checked.errors:
            known, in_use, _ = await self._read()
            current = next((one for one in known if one.version == in_use), None)
            changes = differences({} if current is None else current.files, files)
            told["changes"] = msgspec.to_builtins(changes)
        return answer(told)

    async def apply(self, request: web.Request) -> web.Response:
        """Make a draft the next edition; 422 with its mistakes, 409 when somebody was first."""
        self._forgery.refuse_forged(request)
        body = await read_body(request)
        main, files = draft_of(body)
        note, based_on = _note(body), body.get("based_on")
        if not isinstance(based_on, int) or based_on < 0:
            raise web.HTTPBadRequest(text="based_on: expected the newest edition's number, or 0")
        checked = await asyncio.to_thread(checked_draft, main, files, self._currency)
        if checked.errors:
            problems = [one.told() for one in checked.problems]
            return answer({"error": "it has mistakes", "problems": problems}, status=422)
        try:
            edition = await self._desk.apply(main, files, note, based_on)
        except Conflict as conflict:
            theirs = _whole(conflict.newest)
            yours = {"main": main, "files": files}
            told = {"error": str(conflict), "theirs": theirs, "yours": yours}
            return answer(told, status=409)
        except Refused as refused:
            raise web.HTTPServiceUnavailable(text=str(refused)) from None
        return answer(_told(edition), status=201)

    async def roll_back(self, request: web.Request) -> web.Response:
        """Use an edition again."""
        self._forgery.refuse_forged(request)
        body = await read_body(request)
        version = body.get("version")
        if not isinstance(version, int) or version < 1:
            raise web.HTTPBadRequest(text="version: expected an edition's number")
        try:
            return answer(_told(await self._desk.roll_back(version, _note(body))))
        except Refused as refused:
            raise web.HTTPServiceUnavailable(text=str(refused)) from None

    async def _read(self) -> tuple[list[Edition], int, list[dict[str, Any]]]:
        try:
            return await self._desk.editions()
        except Refused as refused:
            raise web.HTTPServiceUnavailable(text=str(refused)) from None


def checked_draft(main: str, files: Mapping[str, str], events_currency: str = "") -> Checked:
    """Check a draft."""
    return check(
        main,
        files[main].encode("utf-8", "replace"),
        lambda name: files[name].encode("utf-8", "replace") if name in files else None,
        today=datetime.now(UTC).date(),
        events_currency=events_currency,
    )


def _told(edition: Edition) -> dict[str, Any]:
    return {
        "version": edition.version,
        "applied_at_ms": edition.applied_at_ms,
        "by": edition.by,
        "note": edition.note,
    }


def _whole(edition: Edition) -> dict[str, Any]:
    return _told(edition) | {
        "main": edition.main,
        "files": edition.files,
        "rules": rules_of(edition.files),
    }


def rules_of(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rules as they are written, for cards; none of what can't be read."""
    try:
        triggers = written(files).get("triggers")
    except Unreadable:
        return []
    return [
        {
            "name": name,
            "description": one.get("description", ""),
            "enabled": str(one.get("enabled", "true")).lower() not in ("false", "no", "off"),
            "when": one.get("when"),
            "then": one.get("then"),
            "guard": one.get("guard"),
        }
        for name, one in (triggers.items() if isinstance(triggers, dict) else ())
        if isinstance(one, dict)
    ]


async def read_body(request: web.Request) -> dict[str, Any]:
    """Read JSON, larger than elsewhere but not endless."""
    parts, length = [], 0
    async for part in request.content.iter_any():
        length += len(part)
        if length > BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(BODY_BYTES, length)
        parts.append(part)
    try:
        body = orjson.loads(b"".join(parts))
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"body: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="body: expected a JSON object")
    return body


def draft_of(body: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Take a draft out of what was sent; raises web.HTTPBadRequest for what is none."""
    main, files = body.get("main", MAIN), body.get("files")
    if not isinstance(files, dict) or not 1 <= len(files) <= FILES_AT_MOST:
        raise web.HTTPBadRequest(text="files: expected an object of texts by file name")
    if not all(isinstance(one, str) for one in files.values()):
        raise web.HTTPBadRequest(text="files: expected texts")
    if not isinstance(main, str) or main not in files or max(map(len, files)) > NAME_CHARS:
        raise web.HTTPBadRequest(text="main: expected the name of one of the files")
    return main, files


def _note(body: Mapping[str, Any]) -> str:
    note = body.get("note", "")
    if not isinstance(note, str) or len(note) > NOTE_CHARS:
        raise web.HTTPBadRequest(text=f"note: expected a text of {NOTE_CHARS} characters at most")
    return note
