"""The histories at hand, as the files that `huitou evaluate` reads.

Complete Journey is in a package of the lock file, CDNOW in a wheel that is fetched once; the
others lie in the directory that HUITOU_TEST_DATA names, where there is one.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd

from streams.replay.complete_journey import package_directory

PROJECT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("HUITOU_TEST_DATA", PROJECT.parent / "shared" / "data"))
CDNOW_WHEEL = "lifetimes==0.11.3"
CDNOW_WHOLE = "CDNOW_master.txt"
CDNOW_SAMPLE = "CDNOW_sample.txt"


class Missing(Exception):
    """A history is not at hand; the text says which and why."""


def complete_journey(folder: Path) -> Path:
    """Lines of a grocer's year: 2,469 households, 1.5 million lines."""
    path = folder / "complete_journey.parquet"
    if not path.exists():
        lines = pd.read_parquet(package_directory() / "transactions.parquet")
        pd.DataFrame(
            {
                "customer_id": lines.household_id.astype(str),
                "occurred_at": lines.transaction_timestamp,
                "basket": lines.basket_id.astype(str),
                "product_id": lines.product_id.astype(str),
                "amount": lines.sales_value,
            }
        ).to_parquet(path)
    return path


def online_retail(folder: Path) -> Path:
    """Lines of a wholesaler's year as they are, returns and strangers left out."""
    source = SHARED / "online_retail_2009_2010.parquet"
    if not source.exists():
        raise Missing(f"{source.name} is not there; HUITOU_TEST_DATA names its directory")
    path = folder / "online_retail.parquet"
    if not path.exists():
        lines = pd.read_parquet(source)
        lines = lines[
            lines["Customer ID"].notna() & ~lines.Invoice.str.startswith("C") & (lines.Quantity > 0)
        ]
        pd.DataFrame(
            {
                "customer_id": lines["Customer ID"].astype(int).astype(str),
                "occurred_at": lines.InvoiceDate,
                "basket": lines.Invoice,
                "product_id": lines.StockCode,
                "amount": lines.Quantity * lines.Price,
            }
        ).to_parquet(path)
    return path


def cdnow(folder: Path) -> Path:
    """Purchases of 23,570 customers of a music shop, 1997 and half of 1998."""
    return _written(folder, "cdnow.csv", CDNOW_WHOLE)


def cdnow_sample(folder: Path) -> Path:
    """Every tenth of those customers: the sample that papers are written about."""
    return _written(folder, "cdnow_sample.csv", CDNOW_SAMPLE)


def nab() -> tuple[list[Path], Path]:
    """Series of the Numenta Anomaly Benchmark at hand, and their labels."""
    folder = SHARED / "nab"
    series = sorted([*folder.glob("*/*.csv"), *folder.glob("*/*.csv.gz")])
    if not series:
        raise Missing(f"no series in {folder.name}; HUITOU_TEST_DATA names the directory above it")
    return series, folder / "combined_windows.json"


def _written(folder: Path, name: str, table_name: str) -> Path:
    """A table of the wheel as CSV with the columns that the commands expect."""
    path = folder / name
    if not path.exists():
        table = folder / table_name
        if not table.exists():
            table.write_bytes(_fetched(folder, table_name))
        skipped = 1 if table_name == CDNOW_WHOLE else 0
        rows = pd.read_csv(table, sep=r"\s+", header=None, skiprows=skipped)
        customer, day, _, amount = rows.columns[-4:]
        pd.DataFrame(
            {
                "customer_id": rows[customer],
                "occurred_at": pd.to_datetime(rows[day].astype(str)).dt.strftime("%Y-%m-%d"),
                "amount": rows[amount],
            }
        ).to_csv(path, index=False)
    return path


def _fetched(folder: Path, table_name: str) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", CDNOW_WHEEL]
    done = subprocess.run([*command, "--dest", str(folder)], check=False)
    wheels = sorted(folder.glob("[Ll]ifetimes-*.whl"))
    if done.returncode or not wheels:
        raise Missing(f"{CDNOW_WHEEL} could not be fetched, which holds CDNOW")
    with zipfile.ZipFile(wheels[0]) as wheel:
        return wheel.read(f"lifetimes/datasets/{table_name}")
