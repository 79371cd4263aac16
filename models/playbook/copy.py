"""Messages: their words in every language, and which consent they need."""

from typing import Annotated

from msgspec import field

from models.playbook.keys import Key, Part
from models.playbook.scalars import LOCALE, NAME, TEXT, one_of
from models.playbook.shop import CONSENTS


class Words(Part, frozen=True):
    """A message in one language, in the language of `wording.py`: `{{ name }}` is filled in."""

    subject: Annotated[str, Key("The subject of an e-mail, the title of a push message.", TEXT)] = (
        ""
    )
    preheader: Annotated[str, Key("The line that mail programs show behind it.", TEXT)] = ""
    greeting: Annotated[str, Key("The first line.", TEXT)] = ""
    paragraphs: Annotated[tuple[str, ...], Key("The text, a paragraph each.", TEXT)] = ()
    card_title: Annotated[str, Key("Large print of the box below the text.", TEXT)] = ""
    card_note: Annotated[str, Key("Small print of the box.", TEXT)] = ""
    closing: Annotated[str, Key("The last paragraph.", TEXT)] = ""
    signature: Annotated[str, Key("Who signs.", TEXT)] = ""
    unsubscribe: Annotated[str, Key("Why the customer gets this and how to stop it.", TEXT)] = ""
    short: Annotated[str, Key("All of it in one line, for SMS, push and chat.", TEXT)] = ""
    defaults: Annotated[
        dict[str, str], Key("What stands in for what is not known, by its name.", TEXT, NAME)
    ] = field(default_factory=dict)


class Message(Part, frozen=True):
    """One message, in every language of the shop."""

    words: Annotated[dict[str, Words], Key("The words, by locale.", names=LOCALE)]
    consent: Annotated[
        str,
        Key(
            "What the customer must have agreed to: marketing, or service for news of an order.",
            one_of("consent", CONSENTS),
        ),
    ] = ""
    description: Annotated[str, Key("What it is for, for people who work here.", TEXT)] = ""
