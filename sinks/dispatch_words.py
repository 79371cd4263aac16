"""The words of an action: of the edition it was decided by, filled in with what is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.effects import Action
from models.events import MessageChannel
from models.playbook.shop import Channel
from sinks.editions import Editions, NoEdition, OpenEdition
from sinks.recommended import Recommended
from sinks.templates import UNSUBSCRIBE_URL, Rendered, TemplateBook

RECOMMENDED, REVIEWS, PRODUCT = "recommended", "reviews", "product"
_OF_REVIEWS = frozenset({REVIEWS, "product_rating", "product_reviews"})
SHORT_AFTER = frozenset(MessageChannel) - {MessageChannel.EMAIL}
WaysOut = Callable[[Action], str]
"""Address of the page by which a customer ends an action's channel; empty where there is none."""


def no_way_out(_: Action) -> str:
    """Without an address of its own the installation has no such page."""
    return ""


@dataclass(frozen=True)
class Wording:
    """Writes messages; without `editions` there are the release's own alone."""

    released: TemplateBook
    editions: Editions | None = None
    recommended: Recommended | None = None
    way_out: WaysOut = no_way_out

    async def written(self, action: Action, personal: Mapping[str, str], at_ms: int) -> Rendered:
        """Fill in the action's message.

        Raises UnknownTemplate, WordsBroken, NoEdition or EditionAwaited.
        """
        book = (await self._edition(action)).book if action.playbook_version else self.released
        variables: dict[str, Any] = {
            **action.variables,
            "first_name": personal.get("first_name") or personal.get("name", ""),
            UNSUBSCRIBE_URL: self.way_out(action),
        }
        if action.coupon:
            variables["coupon"] = action.coupon
        variables |= await self._of_the_shop(action, book, at_ms)
        short = action.message_channel in SHORT_AFTER
        return book.render(action.template, action.locale, variables, short=short)

    async def _of_the_shop(self, action: Action, book: TemplateBook, at_ms: int) -> dict[str, Any]:
        """What the shop knows that these words speak of: items to recommend, the product itself."""
        found: dict[str, Any] = {}
        if self.recommended is None:
            return found
        named = book.names_used(action.template)
        if action.recommend and RECOMMENDED in named:
            found[RECOMMENDED] = await self.recommended.of(action.customer, action.recommend, at_ms)
        product_id = action.variables.get("product_id")
        wants_name = PRODUCT in named and action.variables.get(PRODUCT) in (None, "", product_id)
        if product_id and (wants_name or not named.isdisjoint(_OF_REVIEWS)):
            about = await self.recommended.about(
                str(product_id), action.reviews, book.language_of(action.template, action.locale)
            )
            if not wants_name:
                about.pop(PRODUCT, None)
            found |= about
        return found

    async def channel(self, action: Action) -> Channel:
        """How the action's edition uses its channel; raises NoEdition or EditionAwaited."""
        if not action.playbook_version:
            return Channel()
        edition = await self._edition(action)
        return edition.channels.get(action.message_channel.value, Channel())

    async def _edition(self, action: Action) -> OpenEdition:
        if self.editions is None:
            raise NoEdition(f"there is no edition {action.playbook_version}")
        return await self.editions.of(action.playbook_version)
