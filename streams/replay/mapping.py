"""What the columns of a shop's own export mean: a mapping.yaml, checked before a row is read.

`mappings/example.yaml` shows every key with a comment.
"""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
import yaml

from streams.replay.history import BadHistory

_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
_Column = Annotated[str, msgspec.Meta(min_length=1)]
_Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]


class BadMapping(BadHistory):
    """A mapping cannot be used; the text names the file, the key and what was expected."""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Column of the file for each thing the contract knows; empty: the file has none."""

    order: _Column
    time: _Column
    customer: str = ""
    product: str = ""
    name: str = ""
    category: str = ""
    brand: str = ""
    variant: str = ""
    quantity: str = ""
    unit_price: str = ""
    line_total: str = ""
    discount: str = ""
    currency: str = ""
    coupon: str = ""
    store: str = ""


class TimeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How times are written: `iso`, `epoch_s`, `epoch_ms`, or a pattern of strptime.

    `zone` is for times that carry none; of an hour that comes twice the first is taken.
    """

    format: str = "iso"
    zone: str = "UTC"


class CancellationRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Orders whose id starts so take back goods of earlier ones (streams/replay/returns.py)."""

    order_prefix: Annotated[str, msgspec.Meta(min_length=1)]


class IgnoreRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rows that are no sales, by one column; cancellations are never ignored."""

    column: _Column
    because: _Column
    starts_with: str = ""
    equals: str = ""
    below: float | None = None


class CsvRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a CSV file is written."""

    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    quote: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8-sig"
    decimal: Literal[".", ","] = "."


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole mapping file."""

    name: _Name
    columns: Columns
    time: TimeRule = TimeRule()
    currency: _Currency | None = None
    channel: Literal["web", "app", "store", "service"] = "web"
    traits: dict[str, _Column] = {}
    anonymous: Literal["keep", "ignore", "reject"] = "keep"
    repeats: Literal["keep", "drop"] = "keep"
    cancellations: CancellationRule | None = None
    categories: dict[str, str] = {}
    ignore: tuple[IgnoreRule, ...] = ()
    extra: tuple[_Column, ...] = ()
    csv: CsvRule = CsvRule()

    def wanted(self) -> tuple[str, ...]:
        """Every column of the file that is looked at, once."""
        named = [getattr(self.columns, field) for field in self.columns.__struct_fields__]
        ruled = [rule.column for rule in self.ignore]
        wanted = [*named, *self.traits.values(), *ruled, *self.extra]
        return tuple(dict.fromkeys(column for column in wanted if column))


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping file; BadMapping says what is wrong with it."""
    try:
        # Plain texts only: a column may be called `no`, which YAML takes for a truth value.
        said = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506
        mapping = msgspec.convert(said, Mapping, strict=False)
    except FileNotFoundError:
        raise BadMapping(f"{path}: there is no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadMapping(f"{path}: not readable as YAML: {error}") from None
    except msgspec.ValidationError as error:
        raise BadMapping(f"{path}: {error}") from None
    _check(path, mapping)
    return mapping


def mappings_shipped() -> dict[str, Path]:
    """List the mappings that come with the product, by name."""
    folder = Path(__file__).parent / "mappings"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _check(path: Path, mapping: Mapping) -> None:
    columns = mapping.columns
    if bool(columns.unit_price) == bool(columns.line_total):
        raise BadMapping(f"{path}: columns: expected either unit_price or line_total")
    if not columns.currency and mapping.currency is None:
        raise BadMapping(f"{path}: expected currency or columns.currency")
    try:
        ZoneInfo(mapping.time.zone)
    except (KeyError, ValueError, OSError):
        raise BadMapping(
            f"{path}: time.zone: {mapping.time.zone!r} is no time zone, expected e.g. Europe/London"
        ) from None
    if mapping.time.format not in ("iso", "epoch_s", "epoch_ms") and "%" not in mapping.time.format:
        raise BadMapping(
            f"{path}: time.format: {mapping.time.format!r}, expected iso, epoch_s, epoch_ms "
            "or a pattern such as %d/%m/%Y %H:%M"
        )
    for number, rule in enumerate(mapping.ignore):
        tests = [bool(rule.starts_with), bool(rule.equals), rule.below is not None]
        if sum(tests) != 1:
            raise BadMapping(
                f"{path}: ignore[{number}]: expected exactly one of starts_with, equals, below"
            )
