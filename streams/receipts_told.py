"""Receipts as sentences: what was decided, at what event, what passed, what stood in the way."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

Told = dict[str, Any]
_STATUSES = {
    "sent": "was sent",
    "held": "is held",
    "capped": "was left out: a cap was reached",
    "muted": "was left out: a complaint is open",
    "no_consent": "was left out: the customer may not be written to",
    "holdout": "was left out: the customer is in the holdout",
    "cancelled": "was called off",
    "out_of_budget": "was left out: the offer's budget is used up",
    "superseded": "was left out: another rule had the moment",
}
_COLOURS = {"sent": "green", "held": "yellow"}
_PERCENT = 100
_HIDDEN = frozenset({"tier", "orders"})


def told_story(story: Told) -> Iterator[Text]:
    """Tell all about one action, from the event to its delivery."""
    last = story["decisions"][-1]
    yield Text(f"{story['rule']}, about {story['occasion'] or 'nothing in particular'}", "bold")
    yield Text(f"  action    {story['action_id']}")
    yield Text(f"  customer  {story['customer']}")
    yield Text(f"  began     {_event(story['event'])}")
    for decision in story["decisions"]:
        yield from _decision(decision)
    if last["rivals"]:
        yield Text(f"  rivals    {', '.join(last['rivals'])} wanted the same moment")
    for one in story["beside"]:
        yield Text(f"  beside    {one['rule']} {_status(one)}")
    for action in story["actions"]:
        yield Text(f"  asked     {_action(action)}")
    if not story["delivery"] and any(_of(one) == "sent" for one in story["decisions"]):
        yield Text("  delivery  nothing was heard of it yet")
    for one in story["delivery"]:
        yield Text(f"  delivery  {when(one['occurred_at'])}  {_delivery(one)}")
    for one in story["coupon"]:
        yield Text(f"  coupon    {when(one['at'])}  {_coupon(one)}")


def _coupon(one: Told) -> str:
    order = f", order {one['order_id']}" if one["order_id"] else ""
    return f"{one['asked']}: {one['outcome']}{order}"


def told_decisions(customer: str, decisions: list[Told], stories: list[Told]) -> Iterator[Text]:
    """Tell why a customer got something by a rule, or did not; the newest first."""
    count = len(decisions)
    yield Text(f"{decisions[0]['rule']} decided {count} time{'s'[: count != 1]} about {customer}")
    for story in stories:
        yield from told_story(story)
    rest = {one["action_id"] for one in stories}
    for one in decisions:
        if one["action_id"] not in rest:
            yield Text(f"{when(one['at'])}  {one['occasion']}  {_status(one)}  {one['action_id']}")


def told_absence(customer: str, rule: str, absence: Told) -> Iterator[Text]:
    """Tell what has not happened where a rule never decided anything about a customer."""
    if not absence["known"]:
        yield Text(f"no customer goes by {customer}")
        return
    if not absence["rule_known"]:
        said = absence["findings"][0]["said"]
        yield Text(f"{said} (version {absence['playbook_version']} is in use)")
        return
    yield Text(f"{rule} has decided nothing about {customer} so far", "bold")
    if not absence["playbook_version"]:
        yield Text("  no playbook is in use: nothing is decided")
        return
    yield Text(f"  by version {absence['playbook_version']} of the playbook, as things stand now:")
    for one in absence["findings"]:
        sign = {True: "yes", False: "no", None: " · "}[one["holds"]]
        style = {True: "green", False: "red", None: ""}[one["holds"]]
        at = f" {when(one['at_ms'])}" if one["at_ms"] else ""
        yield Text(f"  {sign:>3}  {one['said']}{at}", style)


def when(at_ms: int) -> str:
    """A moment of the log, to the second, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _decision(one: Told) -> Iterator[Text]:
    status = _of(one)
    reason = f": {one['reason']}" if one["reason"] else ""
    until = f", until {when(one['held_until'])}" if one["held_until"] else ""
    style = _COLOURS.get(status, "red")
    yield Text(
        f"  decided   {when(one['at'])}  {one['action']} {_status(one)}{reason}{until}", style
    )
    for name, said in _known(one):
        yield Text(f"            {name} {said}")


def _known(one: Told) -> Iterator[tuple[str, str]]:
    """What was known and asked when it was decided."""
    inputs = {name: value for name, value in one["inputs"].items() if name not in _HIDDEN}
    yield (
        "customer:",
        f"{one['inputs'].get('tier') or 'no tier'}, {one['inputs'].get('orders', 0)} orders",
    )
    version = one["hazard_version"]
    by = f"version {version}" if version else "the closed form: nothing is learned yet"
    yield "likely to order within 30 days:", f"{one['hazard']:.1%}, by {by}"
    book = one["playbook_version"]
    yield "by", f"version {book} of the playbook" if book else "an earlier release's own rules"
    if inputs:
        yield "inputs:", ", ".join(f"{name} {value}" for name, value in sorted(inputs.items()))
    if one["passed"]:
        yield "passed:", ", ".join(one["passed"])
    if one["arm"] or one["propensity"] < 1:
        yield "drawn:", f"{one['arm'] or 'holdout'}, {one['propensity'] * _PERCENT:.3g}% likely"
    if one["offer"]:
        coupon = f", coupon {one['coupon']}" if one["coupon"] else ""
        yield "offer:", f"{one['offer']}{coupon}"


def _status(one: Told) -> str:
    by = f" by {one['message_channel']}" if one["message_channel"] and _of(one) == "sent" else ""
    return _STATUSES.get(_of(one), "was left out") + by


def _of(one: Told) -> str:
    return str(one["status"] or ("sent" if one["verdict"] == "sent" else ""))


def _event(event: Told | None) -> str:
    if event is None:
        return "with the clock: a timer was due"
    what = event["properties"]
    about = (
        what.get("order_id") or what.get("product_id") or (what.get("line") or {}).get("product_id")
    )
    said = f"with {event['type']}" + (f" of {about}" if about else "")
    return f"{said}, {when(event['occurred_at'])}, over {event['channel']}"


def _action(one: Told) -> str:
    if one["kind"] == "task":
        due = f" by {when(one['task_due'])}" if one["task_due"] else ""
        return f"task for {one['owner']}: {one['task']}{due}"
    if one["kind"] != "message":
        return str(one["kind"])
    return (
        f"{one['template']} in {one['locale']} by {one['message_channel']}, "
        f"good until {when(one['expires_at'])}"
    )


def _delivery(one: Told) -> str:
    said = str(one["type"]).removeprefix("message_").replace("_", " ")
    reason = one["properties"].get("reason") or one["properties"].get("url")
    return f"{said}: {reason}" if reason else said
