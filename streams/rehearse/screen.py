"""Rehearsals for a terminal."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from models.segment_values import exponent_of

_SHOWN = ("at", "customer_id", "rule", "kind", "channel", "offer", "coupon", "status", "reason")
_COLOURS = {"sent": "green", "held": "yellow"}
Line = Table | Text


def show_scenario(found: dict[str, Any]) -> Iterator[Line]:
    """What followed from a scenario: actions, what was rejected and why, tiers, differences."""
    languages = found.get("languages") or {"": found}
    for language, one in languages.items():
        if language:
            yield Text(language, "bold")
        yield _decisions(f"{_many(len(one['actions']), 'action')}", one["actions"])
        if one["rejected"]:
            yield _decisions(f"{len(one['rejected'])} rejected", one["rejected"])
        tiers = ", ".join(f"{name} {tier}" for name, tier in one["tiers"].items())
        yield Text(f"tiers at the end: {tiers or 'nobody is there'}")
    if "comparison" in found:
        yield from _comparison(found["comparison"])


def show_log(found: dict[str, Any]) -> Iterator[Line]:
    """What a playbook would have done to a shop's customers, and how another one differs."""
    for one in found.get("playbooks") or [found]:
        yield from _history(one)
    if "comparison" in found:
        yield from _comparison(found["comparison"])


def show_packs(found: dict[str, Any]) -> Iterator[Line]:
    """How each pack did in each language."""
    table = _table("", ("pack", "language", "actions", "passed"))
    for one in found["played"]:
        passed = Text("yes", "green") if one["passed"] else Text("no", "red")
        table.add_row(one["pack"], one["language"], str(one["actions"]), passed)
    yield table
    for one in found["played"]:
        for line in one["differences"]:
            yield Text(f"{one['pack']} {one['language']}: {line}", "red")
    counts = ("packs", "languages", "scenarios", "passed")
    yield Text(", ".join(f"{found[name]} {name}" for name in counts))


def _decisions(title: str, decisions: list[dict[str, Any]]) -> Table:
    columns = tuple(name for name in _SHOWN if any(said[name] for said in decisions))
    table = _table(title, columns)
    for said in decisions:
        style = _COLOURS.get(said["status"], "")
        table.add_row(*(Text(_cell(name, said), style) for name in columns))
    return table


def _cell(name: str, said: dict[str, Any]) -> str:
    """A value for people: a time to the minute, with its offset."""
    value = str(said[name] or "")
    return f"{value[:10]} {value[11:16]} {value[-6:]}" if name == "at" else value


def _history(one: dict[str, Any]) -> Iterator[Line]:
    yield Text(
        f"{one['playbook']} over {one['source']}, {one['from'][:10]} to {one['until'][:10]}: "
        f"{one['events']:,} events of {one['customers']:,} customers"
    )
    yield Text(
        f"{_many(one['messages'], 'message')} to {_many(one['customers_reached'], 'customer')}, "
        f"{one['most_messages_to_one']} at most to one; offers cost at worst "
        f"{_money(one['worst_cost_cents'], one['currency'])}"
    )
    statuses = sorted(one["statuses"])
    table = _table("by rule", ("rule", "messages", "customers", *statuses, "cost at worst"))
    for rule, said in one["rules"].items():
        counts = (str(said["statuses"].get(status, 0)) for status in statuses)
        cost = _money(said["worst_cost_cents"], one["currency"])
        table.add_row(rule, str(said["messages"]), str(said["customers"]), *counts, cost)
    yield table
    tiers = ", ".join(f"{tier} {count:,}" for tier, count in one["tiers"].items())
    yield Text(f"messages by tier: {tiers or 'none'}")
    if one["days"]:
        day, rules = max(one["days"].items(), key=lambda pair: sum(pair[1].values()))
        yield Text(f"busiest day: {day} with {_many(sum(rules.values()), 'message')}")
    for collision in one["collisions"]:
        first, second = collision["rules"]
        yield Text(f"{first} and {second} wanted the same moment {collision['times']} times")


def _comparison(found: dict[str, Any]) -> Iterator[Line]:
    if found["same"]:
        yield Text(f"{found['first']} and {found['second']} decide the same")
        return
    columns = ("rule", "sent first", "sent second", "more", "only first", "only second")
    title = f"first: {found['first']}; second: {found['second']}"
    table = _table(title, (*columns, "customers"))
    for rule, one in found["rules"].items():
        counts = ("sent_first", "sent_second", "more", "only_first", "only_second", "customers")
        table.add_row(rule, *(str(one[name]) for name in counts))
    yield table
    yield Text(f"decisions differ for {_many(found['customers_differing'], 'customer')}")
    for side in ("first", "second"):
        only = [said for said in found["examples"] if said["only_in"] == found[side]]
        if only:
            yield _decisions(f"for example, only in the {side}", only)


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(box=None, header_style="bold", title=title or None, title_justify="left")
    for name in columns:
        # A time that is broken in two can't be read.
        table.add_column(name.replace("_", " "), overflow="fold", no_wrap=name == "at")
    return table


def _money(cents: int, currency: str) -> str:
    exponent = exponent_of(currency)
    return f"{cents / 10**exponent:,.{exponent}f} {currency}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
