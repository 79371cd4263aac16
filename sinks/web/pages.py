"""The pages as HTML: a frame, a body, and the words of the reader's language put in place.

Everything that is put in is escaped; what stands in `sinks/web/pages` is trusted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sinks.web.panels import Panel
from sinks.web.words import HTML_LANGUAGES, Words

PAGES_DIR = Path(__file__).parent / "pages"
_PLACE = re.compile(r"\{\{(\w+)\}\}")


class Markup(str):
    """Text that is HTML already."""


@dataclass(frozen=True)
class Shop:
    """What the pages must know of the installation; `gateway_url` is where events are sent."""

    currency: str
    timezone: str
    gateway_url: str


class Pages:
    """All pages, their templates read once."""

    def __init__(
        self, words: Words, panels: tuple[Panel, ...], shop: Shop, *, can_sign_out: bool
    ) -> None:
        self._templates = {
            path.stem: path.read_text("utf-8") for path in sorted(PAGES_DIR.glob("*.html"))
        }
        self._words = words
        self._panels = panels
        self._shop = shop
        self._can_sign_out = can_sign_out

    def dashboard(self, language: str) -> str:
        """Write the first page, a card for each panel."""
        cards = Markup("\n".join(self._card(language, panel) for panel in self._panels))
        command = example_order(self._shop)
        own = {"cards": cards, "welcome_command": command}
        return self._page(language, "dashboard", "dashboard", "nav_today", own)

    def customer(self, language: str, token: str) -> str:
        """Write one customer's page."""
        return self._page(language, "customer", "customer", "customer", {"token": token})

    def mailbox(self, language: str, customer: str = "") -> str:
        """Write the mailbox page, of one customer or of all."""
        own = {"customer": customer}
        return self._page(language, "mailbox", "mailbox", "mailbox_title", own)

    def lift(self, language: str) -> str:
        """Write the page of what rules brought."""
        return self._page(language, "lift", "lift", "lift_title", {})

    def playbook(self, language: str) -> str:
        """Write the playbook's room."""
        return self._page(language, "playbook", "playbook", "nav_playbook", {})

    def login(self, language: str, problem: str = "") -> str:
        """Write the form that asks for the API key; `problem` is the key of a word."""
        own: dict[str, str] = {"login_problem": "", "login_described": ""}
        if problem:
            text = escape(self._words.say(language, problem))
            own["login_problem"] = Markup(
                f'<p class="problem" id="problem" role="alert">{text}</p>'
            )
            own["login_described"] = Markup('aria-describedby="problem" aria-invalid="true"')
        return self._page(language, "login", "shell", "login_title", own)

    def message(self, language: str, heading: str, text: str) -> str:
        """Write a page that only says something; both are keys of words."""
        own = {
            "heading": self._words.say(language, heading),
            "text": self._words.say(language, text),
        }
        return self._page(language, "message", "shell", heading, own)

    def _page(
        self, language: str, template: str, script: str, title: str, own: Mapping[str, str]
    ) -> str:
        words = self._words.by_language[language]
        sign_out = ""
        if self._can_sign_out and template != "login":
            label = escape(words["sign_out"])
            sign_out = f'<form action="/logout" method="post"><button>{label}</button></form>'
        return fill(
            self._templates["frame"],
            {
                **words,
                "html_language": HTML_LANGUAGES[language],
                "language": language,
                "currency": self._shop.currency,
                "timezone": self._shop.timezone,
                "title": words[title],
                "script": script,
                "current_dashboard": _current(template == "dashboard"),
                "current_mailbox": _current(template == "mailbox"),
                "current_lift": _current(template == "lift"),
                "current_playbook": _current(template == "playbook"),
                "sign_out": Markup(sign_out),
                "signed_out": Markup("data-signed-out" if template == "login" else ""),
                "content": Markup(fill(self._templates[template], {**words, **own})),
            },
        )

    def _card(self, language: str, panel: Panel) -> str:
        title = panel.title[language]
        return fill(
            self._templates["card"],
            {
                "id": panel.id,
                "kind": panel.kind,
                "unit": panel.unit,
                "width": str(panel.width),
                "title": title,
                "definition": panel.definition[language],
                "definition_of": self._words.say(language, "definition_of").replace(
                    "{title}", title
                ),
            },
        )


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in their places, escaped unless they are Markup; raises KeyError."""

    def put(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value if isinstance(value, Markup) else escape(value)

    return _PLACE.sub(put, template)


def example_order(shop: Shop) -> str:
    """Give the command with which a newcomer sends a first order."""
    return (
        f"curl -u demo: -H 'Content-Type: application/json' {shop.gateway_url}/v1/track -d '\n"
        '  {"userId": "anna", "event": "Order Completed", "properties": {\n'
        f'    "order_id": "order-1", "total": 19.90, "currency": "{shop.currency}",\n'
        '    "products": [{"product_id": "tea", "name": "Oolong tea", "price": 19.90,'
        ' "quantity": 1}]}}\''
    )


def _current(here: bool) -> Markup:
    return Markup('aria-current="page"' if here else "")
