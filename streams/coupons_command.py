"""`huitou coupons`: what the coupons that are out may yet cost, and what became of the others."""

import json

import typer
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.table import Table

from sinks.clickhouse import connect
from sinks.clickhouse_queries import OfferLiability, coupon_liability
from streams.answers import answers
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.sink_roles import clickhouse_address

_TITLES = (
    "offer",
    "issued",
    "open",
    "may cost",
    "no limit",
    "redeemed",
    "cost",
    "expired",
    "revoked",
)


class CouponTrouble(ServerError):
    """The analytics can't be asked; the text is one sentence for the operator."""


def show_liability(settings: Settings, *, as_json: bool) -> None:
    """Tell by offer what is open and what was redeemed; raises CouponTrouble."""
    offers = _asked(settings)
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in offers], indent=1))
        return
    out = answers()
    if not offers:
        out.print("no coupon was ever issued")
        return
    table = Table(box=None, header_style="bold")
    for title in _TITLES:
        table.add_column(title, justify="left" if title == "offer" else "right")
    for offer in offers:
        table.add_row(*map(_cell, offer))
    out.print(table)
    out.print("money in each currency's smallest coins; what has no limit can't be summed up")


def _cell(value: object) -> str:
    """Write a name, a count, or money with a line for each currency."""
    if isinstance(value, dict):
        lines = (f"{cents:,} {currency}".rstrip() for currency, cents in sorted(value.items()))
        return "\n".join(lines) or "0"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _asked(settings: Settings) -> list[OfferLiability]:
    try:
        client = connect(clickhouse_address(settings))
        try:
            return coupon_liability(client)
        finally:
            client.close()
    except ClickHouseError as error:
        text = str(error).partition("\n")[0]
        raise CouponTrouble(
            f"no answer about coupons from ClickHouse ({text}): start `huitou up` first"
        ) from None
