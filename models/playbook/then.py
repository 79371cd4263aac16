"""What a trigger does: steps one after another, each told by its first key."""

from typing import Annotated, Any

from msgspec import field

from models.playbook.keys import Key, Part
from models.playbook.scalars import (
    ADDRESS,
    CONDITION,
    DURATION,
    NAME,
    SHARE,
    TEXT,
    reference,
    whole,
)
from models.playbook.shop import CHANNEL
from models.playbook.when import EVENT


class Send(Part, frozen=True):
    """A message to the customer, perhaps with an offer and things to buy."""

    message: Annotated[str, Key("Which message.", reference("messages"))]
    channels: Annotated[
        tuple[str, ...], Key("The first of these on which it may reach the customer.", CHANNEL)
    ] = ("email",)
    offer: Annotated[str, Key("An offer that goes with it.", reference("offers"))] = ""
    recommend: Annotated[int, Key("So many recommended products.", whole(0, 20))] = 0
    reviews: Annotated[int, Key("So many reviews of the product.", whole(0, 10))] = 0
    expires_ms: Annotated[int, Key("Not sent when it is so late.", DURATION)] = field(
        name="expires", default=2 * 86_400_000
    )
    variables: Annotated[
        dict[str, str], Key("What else the words may name: a text or a field.", TEXT, NAME)
    ] = field(default_factory=dict)


class Give(Part, frozen=True):
    """An offer without a message."""

    give: Annotated[str, Key("Which offer.", reference("offers"))]


class Grant(Part, frozen=True):
    """A perk."""

    grant: Annotated[str, Key("Which perk.", reference("perks"))]


class Tag(Part, frozen=True):
    """A word on the customer."""

    tag: Annotated[str, Key("The word.", NAME)]


class Untag(Part, frozen=True):
    """A word off the customer."""

    untag: Annotated[str, Key("The word.", NAME)]


class Task(Part, frozen=True):
    """Something for a person to do, such as a call."""

    task: Annotated[str, Key("What is to be done.", TEXT)]
    owner: Annotated[str, Key("Whose task it is.", TEXT)] = field(name="for", default="")
    due_ms: Annotated[int, Key("How soon.", DURATION)] = field(name="due", default=86_400_000)


class Call(Part, frozen=True):
    """A signed call of another program."""

    webhook: Annotated[str, Key("Its address, beginning with https://.", ADDRESS)]


class Wait(Part, frozen=True):
    """Nothing for a while; the steps behind it follow unless something happens."""

    wait_ms: Annotated[int, Key("How long.", DURATION)] = field(name="wait")
    unless: Annotated[tuple[str, ...], Key("Ends here if one of these happens.", EVENT)] = ()


class Branch(Part, frozen=True):
    """One way or the other."""

    if_: Annotated[str, Key("The condition.", CONDITION)] = field(name="if")
    then: Annotated[tuple["Step", ...], Key("Steps if it holds.")]
    else_: Annotated[tuple["Step", ...], Key("Steps if it does not.")] = field(
        name="else", default=()
    )


class Arm(Part, frozen=True):
    """One way of a split."""

    arm: Annotated[str, Key("The arm's name.", NAME)]
    share: Annotated[float, Key("Share of customers who go this way.", SHARE)]
    then: Annotated[tuple["Step", ...], Key("What they get; nothing when left out.")] = ()


class Split(Part, frozen=True):
    """A fair test: customers fall into arms, each always into the same."""

    split: Annotated[tuple[Arm, ...], Key("The arms; their shares make 100% together.")]


Step = Send | Give | Grant | Tag | Untag | Task | Call | Wait | Branch | Split
"""One step of a trigger."""


def steps_in(steps: tuple[Any, ...], path: tuple[Any, ...]) -> list[tuple[tuple[Any, ...], Any]]:
    """All steps with their paths in the file, those inside branches and splits included."""
    found: list[tuple[tuple[Any, ...], Any]] = []
    for index, step in enumerate(steps):
        here = (*path, index)
        found.append((here, step))
        if isinstance(step, Branch):
            found += steps_in(step.then, (*here, "then")) + steps_in(step.else_, (*here, "else"))
        elif isinstance(step, Split):
            for place, arm in enumerate(step.split):
                found += steps_in(arm.then, (*here, "split", place, "then"))
    return found
