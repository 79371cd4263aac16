"""Macros: one SQL for Grafana and for the page."""

import pytest

from sinks.web.macros import Scope, UnknownMacro, expand, replace_calls

FROM, TO = "toDateTime({from_s:UInt32})", "toDateTime({to_s:UInt32})"


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("$__timeFilter(at)", f"(at >= {FROM} AND at <= {TO})"),
        ("$__timeFilter(max(a, (b)))", f"(max(a, (b)) >= {FROM} AND max(a, (b)) <= {TO})"),
        ("a > $__fromTime", f"a > {FROM}"),
        ("a > $__toTime - INTERVAL 1 DAY", f"a > {TO} - INTERVAL 1 DAY"),
        ("$__money(sum(cents))", "(sum(cents))"),
        ("$__money(a) + $__money(b)", "(a) + (b)"),
        ("toTimeZone(at, '${timezone}')", "toTimeZone(at, {timezone:String})"),
        ("currency = '${currency}'", "currency = {currency:String}"),
        ("no macro at all", "no macro at all"),
    ],
)
def test_macros_become_query_parameters(written: str, asked: str) -> None:
    assert expand(written) == asked


@pytest.mark.parametrize(
    "written", ["$__interval", "${shop}", "${currency}", "$__timeFilter_ms(at)"]
)
def test_an_unknown_macro_is_named(written: str) -> None:
    with pytest.raises(UnknownMacro, match=r"expected one of"):
        expand(written)


def test_an_open_parenthesis_is_an_error_and_no_endless_search() -> None:
    with pytest.raises(UnknownMacro, match="never closed"):
        expand("SELECT $__money(sum(a)")


def test_calls_within_calls_are_rewritten_too() -> None:
    assert replace_calls("$m($m(a))", "$m", lambda one: f"[{one}]") == "[[a]]"


def test_every_parameter_of_an_expanded_query_is_given() -> None:
    asked = expand("$__timeFilter(at) '${timezone}' '${currency}'")
    for name in Scope(1, 2, "UTC", "EUR").parameters():
        assert f"{{{name}:" in asked
