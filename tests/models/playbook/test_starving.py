"""How many messages a trigger may send, counted along its longest way."""

from models.clock import DAY_MS
from models.playbook.playbook import Trigger
from models.playbook.shop import Cap
from models.playbook.starving import SENDINGS_MAX, Sending, sendings_of, starved
from models.playbook.then import Arm, Send, Split, Wait
from models.playbook.when import OnCadence, OnSilence

HI = Send(message="hi")
SILENCE = OnSilence(silence_ms=30 * DAY_MS)


def sent_after_days(trigger: Trigger) -> list[float]:
    return [one.after_ms / DAY_MS for one in sendings_of("a", trigger, {"hi": "marketing"})]


def test_waits_add_up_and_the_longest_arm_counts() -> None:
    split = Split(
        split=(
            Arm(arm="a", share=0.5, then=(HI, Wait(wait_ms=DAY_MS), HI)),
            Arm(arm="b", share=0.5, then=(HI,)),
        )
    )
    steps = (HI, Wait(wait_ms=2 * DAY_MS), split, HI)
    assert sent_after_days(Trigger(when=SILENCE, then=steps)) == [0, 2, 3, 3]


def test_so_many_messages_are_counted_and_no_more() -> None:
    trigger = Trigger(when=SILENCE, then=(HI,) * (SENDINGS_MAX + 50))
    assert len(sent_after_days(trigger)) == SENDINGS_MAX


def test_a_cadence_counts_as_often_as_it_comes() -> None:
    when = OnCadence(every_ms=DAY_MS, while_="true")
    sendings = sendings_of("a", Trigger(when=when, then=(HI,)), {})
    assert [name for name, _ in starved(Cap(at_most=6, per_ms=7 * DAY_MS), sendings)] == ["a"]
    assert list(starved(Cap(at_most=7, per_ms=7 * DAY_MS), sendings)) == []


def test_messages_exactly_a_period_apart_fit_the_cap() -> None:
    sendings = [Sending("a", 50, "marketing", ("email",), at * DAY_MS, 0) for at in (0, 7, 14)]
    assert list(starved(Cap(at_most=1, per_ms=7 * DAY_MS), sendings)) == []
    assert list(starved(Cap(at_most=1, per_ms=7 * DAY_MS + 1), sendings)) != []
