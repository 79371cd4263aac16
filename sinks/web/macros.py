"""The few Grafana macros that panels use, for the page's own queries.

A panel's SQL is written once, as Grafana reads it. Here "the end of the range" is the log's time
now and its start lies the panel's own range before it; `${…}` are the dashboard's variables. The
values go to the engine as query parameters, never as text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

PARAMETERS = {
    "'${timezone}'": "{timezone:String}",
    "'${currency}'": "{currency:String}",
}
_FROM = "toDateTime({from_s:UInt32})"
_TO = "toDateTime({to_s:UInt32})"
_PLAIN = {"$__fromTime": _FROM, "$__toTime": _TO}
_CALLED: dict[str, Callable[[str], str]] = {
    "$__timeFilter": lambda column: f"({column} >= {_FROM} AND {column} <= {_TO})",
    "$__money": lambda expression: f"({expression})",
}
_LEFT_OVER = re.compile(r"\$(__\w+|\{\w+\})")


class UnknownMacro(ValueError):
    """A query asks for a macro that the page does not know."""


@dataclass(frozen=True)
class Scope:
    """What the macros stand for: the range in seconds since the epoch, and the shop's own words."""

    from_s: int
    to_s: int
    timezone: str
    currency: str

    def parameters(self) -> dict[str, int | str]:
        """Query parameters of an expanded query."""
        return {
            "from_s": self.from_s,
            "to_s": self.to_s,
            "timezone": self.timezone,
            "currency": self.currency,
        }


def expand(sql: str) -> str:
    """Put query parameters in the place of macros; raises UnknownMacro."""
    for name, write in _CALLED.items():
        sql = replace_calls(sql, name, write)
    for name, text in {**_PLAIN, **PARAMETERS}.items():
        sql = sql.replace(name, text)
    left_over = _LEFT_OVER.search(sql)
    if left_over:
        known = ", ".join([*_CALLED, *_PLAIN, *PARAMETERS])
        raise UnknownMacro(f"{left_over[0]}: expected one of {known}")
    return sql


def replace_calls(sql: str, name: str, write: Callable[[str], str]) -> str:
    """Rewrite every `name(argument)`; parentheses within the argument are its own."""
    start = sql.find(f"{name}(")
    if start < 0:
        return sql
    opening = start + len(name)
    end = _closing(sql, opening)
    argument = replace_calls(sql[opening + 1 : end], name, write)
    return sql[:start] + write(argument) + replace_calls(sql[end + 1 :], name, write)


def _closing(sql: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if depth == 0:
            return at
    raise UnknownMacro(f"{sql[opening - 20 : opening + 20]}: the parenthesis is never closed")
