"""`huitou coupons`: what the coupons that are out may yet cost, and what became of the others."""

import json

import typer
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Table

from sinks.clickhouse import connect
from sinks.clickhouse_queries import OfferLiability, coupon_liability
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.sink_roles import clickhouse_address


class CouponTrouble(ServerError):
    """The analytics can't be asked; the text is one sentence for the operator."""


def show_liability(settings: Settings, *, as_json: bool) -> None:
    """Tell by offer what is open and what was redeemed; raises CouponTrouble."""
    offers = _asked(settings)
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in offers], indent=1))
        return
    out = Console(highlight=False)
    if not offers:
        out.print("no coupon was ever issued")
        return
    table = Table(box=None, header_style="bold")
    for title in ("offer", "issued", "open", "may cost", "redeemed", "cost", "expired", "revoked"):
        table.add_column(title, justify="left" if title == "offer" else "right")
    for one in offers:
        table.add_row(*cells(one))
    out.print(table)


def cells(one: OfferLiability) -> tuple[str, ...]:
    """Put an offer's sums into words; money in the currency's smaller coins.

    >>> cells(OfferLiability("w", 3, 2, 500, 1, 1, 450, 0, 0))[3]
    '500 + 1 without a limit'
    """
    unlimited = f" + {one.open_unlimited} without a limit" if one.open_unlimited else ""
    return (
        one.offer,
        f"{one.issued:,}",
        f"{one.open:,}",
        f"{one.open_cents:,}{unlimited}",
        f"{one.redeemed:,}",
        f"{one.redeemed_cents:,}",
        f"{one.expired:,}",
        f"{one.revoked:,}",
    )


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
