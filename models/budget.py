"""A budget that many partitions spend from without asking each time, and that is never exceeded.

The purse of an offer (one fold, keyed by the offer) grants slices to partitions; a partition spends
from its slice alone. Both sides only ever tell totals that grow: how much was granted in all, how
much was returned in all. A message that is lost, late, repeated or overtaken therefore does no
harm: the larger total holds, a partition never believes to have more than the purse thinks it
granted, so all that is spent stays within what was granted, and that within the budget.

A partition begins with a part of its own, which it need not ask for (`opening`), and which the
purse sets apart until it hears of it; so a purse whose answers come late, as while a history is
replayed, stops nothing at first. As long as there is plenty a slice is larger than what was asked
for. The first time the purse can't give what is wanted it is scarce: it calls all back that is not
spent, and from then on gives exactly what is wanted or nothing. So what is refused would not have
fitted into the budget; a partition that is down delays a refusal, never what there is money for.
"""

from enum import Enum
from typing import NamedTuple

import msgspec

SLICES_PER_PARTITION = 8
OPENINGS_PER_PARTITION = 2
_HINTED = -1


class Slice(msgspec.Struct, array_like=True, gc=False):
    """A partition's side of one offer, in cents.

    `heard` numbers the purse's answers, `recall` its calls for returns. Whoever lacks `short` or
    more gets nothing, so the purse said last; 0: it said nothing of the kind. When no more than
    `low` is left it is time to ask ahead of need. `opened` is what it began with.
    """

    granted: int = 0
    returned: int = 0
    spent: int = 0
    wanted: int = 0
    short: int = 0
    heard: int = 0
    recall: int = 0
    low: int = _HINTED
    opened: int = 0


class Account(msgspec.Struct, array_like=True, gc=False):
    """The purse's side of one partition."""

    granted: int = 0
    returned: int = 0
    wanted: int = 0
    recall: int = 0
    answers: int = 0
    short: int = 0


class Purse(msgspec.Struct, array_like=True):
    """The budget of one offer in cents, and what of it is out; `partitions` is how many share it.

    `recall` numbers the calls for returns, `opening` is set apart for who was not heard of yet.
    """

    budget: int = 0
    partitions: int = 1
    accounts: dict[int, Account] = {}
    scarce: bool = False
    recall: int = 0
    opening: int = 0


class Asked(NamedTuple):
    """A partition's totals: what it wants granted, what it returned; the last call it answered.

    `ahead`: nobody waits there, and whatever there is plenty of is welcome. `opened` is what the
    partition began with; it counts as granted.
    """

    partition: int
    wanted: int
    returned: int = 0
    recall: int = 0
    ahead: bool = False
    opened: int = 0


class Granted(NamedTuple):
    """The purse's answer to one partition: granted so much in all, the `number`th answer."""

    partition: int
    granted: int
    number: int
    short: int = 0


class Answers(NamedTuple):
    """What the purse says: to some partitions, and the number of a call to all of them, or 0."""

    granted: list[Granted]
    recall: int = 0


class Spending(Enum):
    """What came of an attempt to spend."""

    SPENT = "spent"
    # The slice is too small: ask, and decide again when the answer comes.
    WAIT = "wait"
    OUT = "out of budget"


def opening(budget: int, partitions: int) -> int:
    """What a partition begins with: half of an equal share.

    >>> opening(1_000, 4), opening(7, 4)
    (125, 0)
    """
    return budget // (OPENINGS_PER_PARTITION * partitions)


def opened(cents: int) -> Slice:
    """Begin a slice with its opening."""
    return Slice(granted=cents, low=cents // 2 if cents else _HINTED, opened=cents)


def available(part: Slice) -> int:
    """What a partition may spend without asking."""
    return part.granted - part.returned - part.spent


def spend(part: Slice, cents: int) -> Spending:
    """Spend from a slice, if there is enough in it; ValueError below 0.

    >>> part = Slice(granted=500)
    >>> spend(part, 400), spend(part, 400), available(part)
    (<Spending.SPENT: 'spent'>, <Spending.WAIT: 'wait'>, 100)
    """
    found = judge(part, cents)
    if found is Spending.SPENT:
        part.spent += cents
    return found


def judge(part: Slice, cents: int) -> Spending:
    """What would come of an attempt to spend; ValueError below 0."""
    if cents < 0:
        raise ValueError(f"{cents} can't be spent")
    lacks = cents - available(part)
    if lacks <= 0:
        return Spending.SPENT
    return Spending.OUT if 0 < part.short <= lacks else Spending.WAIT


def unspend(part: Slice, cents: int) -> None:
    """Take spending back, such as that of an action which did not go out, never below nothing."""
    part.spent -= min(max(cents, 0), part.spent)


def ask(part: Slice, partition: int, cents: int) -> Asked:
    """Ask for what is lacking to spend `cents`; asked again it is the same wish."""
    part.wanted = max(part.wanted, part.granted + cents - available(part))
    return Asked(partition, part.wanted, part.returned, part.recall)


def runs_low(part: Slice) -> bool:
    """Whether it is time to ask ahead of need; true once for each grant."""
    if part.low == _HINTED or available(part) > part.low:
        return False
    part.low = _HINTED
    return True


def hear(part: Slice, answer: Granted) -> None:
    """Take what the purse granted; of its answers the newest says what it is short of.

    What waited for it is to be decided before a call for returns is answered.
    """
    if answer.granted > part.granted:
        part.granted = answer.granted
        part.low = available(part) // 2
    if answer.number > part.heard:
        part.heard, part.short = answer.number, answer.short
        if answer.short:
            part.wanted = part.granted


def give_back(part: Slice, partition: int, recall: int) -> Asked:
    """Answer a call for returns with all that is not spent; called again it answers the same."""
    if recall > part.recall:
        part.recall = recall
        release(part)
    return Asked(partition, part.wanted, part.returned, part.recall)


def release(part: Slice) -> None:
    """Return all that is not spent, to be told to the purse."""
    unspent = available(part)
    if part.wanted > part.granted:
        # Who waits wants this back, too.
        part.wanted += unspent
    part.returned += unspent


def answer(purse: Purse, asked: Asked) -> Answers:
    """Take what a partition returned, and give to it and to who waits.

    >>> purse = Purse(budget=1_000)
    >>> answer(purse, Asked(0, wanted=700))
    Answers(granted=[Granted(partition=0, granted=737, number=1, short=0)], recall=0)
    >>> answer(purse, Asked(1, wanted=400))
    Answers(granted=[], recall=1)
    >>> answer(purse, Asked(0, wanted=737, returned=37, recall=1)).granted
    []
    >>> answer(purse, Asked(1, wanted=400, recall=1)).granted
    [Granted(partition=1, granted=0, number=1, short=301)]
    """
    if asked.partition not in purse.accounts:
        # Who began with nothing has nothing to give back.
        recall = 0 if asked.opened else purse.recall
        purse.accounts[asked.partition] = Account(asked.opened, recall=recall)
    account = purse.accounts[asked.partition]
    account.returned = max(account.returned, min(asked.returned, account.granted))
    account.recall = max(account.recall, min(asked.recall, purse.recall))
    account.wanted = max(account.wanted, asked.wanted)
    served = _serve(purse)
    return Answers(served + _gifts(purse, asked) + _news(purse, served), _call(purse))


def refill(purse: Purse, budget: int) -> Answers:
    """Change the budget; nobody is short of anything until the purse is scarce again.

    What was granted stays granted: a budget can't be cut below what is out.
    """
    purse.budget, purse.scarce = budget, False
    served = _serve(purse)
    told = {one.partition for one in served}
    others = [_told(purse, number) for number in sorted(purse.accounts) if number not in told]
    return Answers(served + others, _call(purse))


def left(purse: Purse) -> int:
    """What can still be granted; below 0 when the budget was cut below what is out."""
    unheard = purse.partitions - len(purse.accounts)
    return purse.budget - outstanding(purse) - purse.opening * unheard


def outstanding(purse: Purse) -> int:
    """What partitions that were heard of may have spent, at most."""
    return sum(account.granted - account.returned for account in purse.accounts.values())


def _serve(purse: Purse) -> list[Granted]:
    """Answer those who wait, in the partitions' order."""
    free, found = left(purse), []
    slices = SLICES_PER_PARTITION * purse.partitions
    is_known = _is_known(purse)
    for number, account in sorted(purse.accounts.items()):
        lacks = account.wanted - account.granted
        if lacks <= 0:
            continue
        if lacks <= free:
            given = lacks if purse.scarce else lacks + (free - lacks) // slices
            account.granted += given
            free -= given
            found.append(_told(purse, number))
        elif purse.scarce and is_known:
            account.wanted = account.granted
            found.append(_told(purse, number, max(0, free) + 1))
    return found


def _is_known(purse: Purse) -> bool:
    """Whether everybody has answered the last call for returns."""
    if purse.opening and len(purse.accounts) < purse.partitions:
        return False
    return all(account.recall == purse.recall for account in purse.accounts.values())


def _gifts(purse: Purse, asked: Asked) -> list[Granted]:
    """Give ahead of need while there is plenty."""
    account, found = purse.accounts[asked.partition], list[Granted]()
    if not asked.ahead or purse.scarce or account.wanted > account.granted:
        return found
    gift = left(purse) // (SLICES_PER_PARTITION * purse.partitions)
    if gift > 0:
        account.granted += gift
        found.append(_told(purse, asked.partition))
    return found


def _news(purse: Purse, served: list[Granted]) -> list[Granted]:
    """Tell partitions that were refused of what has come back since."""
    free, told = left(purse), {one.partition for one in served}
    return [
        _told(purse, number, free + 1)
        for number, account in sorted(purse.accounts.items())
        if 0 < account.short <= free and number not in told
    ]


def _told(purse: Purse, number: int, short: int = 0) -> Granted:
    account = purse.accounts[number]
    account.answers += 1
    account.short = short
    return Granted(number, account.granted, account.answers, short)


def _call(purse: Purse) -> int:
    """Become scarce when somebody still waits, and call for returns; 0 for no call."""
    waiting = any(account.wanted > account.granted for account in purse.accounts.values())
    if purse.scarce or not waiting:
        return 0
    purse.scarce = True
    purse.recall += 1
    return purse.recall
