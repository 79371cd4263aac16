"""The histories that benchmarks feed: whole lives, copied without mixing them up."""

from collections import Counter
from functools import cache

import pytest

from models.customer import decode_row
from models.events import MessageSent, OrderCompleted, Released, decode
from models.tokens import partition_of
from tests.bench.histories import (
    SNAPSHOT,
    FoldedShop,
    Hour,
    adopted_fold,
    copied_token,
    invented_hours,
    placed,
    placed_rows,
)

PEOPLE, DAYS = 40, 20


@cache
def hours() -> tuple[Hour, ...]:
    return tuple(invented_hours(PEOPLE, DAYS))


@cache
def shop() -> FoldedShop:
    return FoldedShop(hours())


def test_a_history_holds_what_a_shop_sees_and_the_receipts_of_its_messages() -> None:
    kinds = Counter(type(decode(told.value)) for hour in hours() for told in hour.told)
    assert kinds[OrderCompleted] > PEOPLE / 2
    assert kinds[Released] > PEOPLE / 2
    assert kinds[MessageSent] > PEOPLE / 2
    assert len(kinds) > 12


def test_the_same_people_and_days_give_the_same_events() -> None:
    again = invented_hours(PEOPLE, DAYS)
    ids = [decode(told.value).id for hour in again for told in hour.told]  # type: ignore[union-attr]
    assert ids == [decode(told.value).id for hour in hours() for told in hour.told]  # type: ignore[union-attr]


def test_a_copy_lives_the_same_life_under_its_own_tokens() -> None:
    def folded(copy: int) -> dict[str, int]:
        """Orders of each original customer, as this copy's rows have them."""
        wanted = {copied_token(key.decode(), copy) for key in shop().rows()}
        told = [
            hour._replace(
                told=[
                    one._replace(token=token, value=value, target="")
                    for one, (token, value) in zip(hour.told, copied, strict=True)
                ]
            )
            for hour, copied in zip(hours(), in_copy(copy), strict=True)
        ]
        rows = FoldedShop(told).rows()
        assert {key.decode() for key in rows} == wanted
        return {
            key.decode(): decode_row(rows[copied_token(key.decode(), copy).encode()]).orders
            for key in shop().rows()
        }

    assert folded(3) == {key.decode(): decode_row(row).orders for key, row in shop().rows().items()}


def in_copy(copy: int) -> list[list[tuple[str, bytes]]]:
    """The told of one copy out of four, hour by hour."""
    found: list[list[tuple[str, bytes]]] = []
    for hour in hours():
        records = [one for one in placed([hour], 1, 4, adopts=()) if one.key is not None]
        size = len(hour.told)
        mine = records[copy * size : (copy + 1) * size]
        found.append([(one.key.decode(), one.value) for one in mine])  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("partitions", [1, 4])
def test_each_record_stands_in_its_customers_partition(partitions: int) -> None:
    records = list(placed(hours(), partitions, copies=3))
    events = [one for one in records if one.key is not None]
    assert len(events) == 3 * sum(len(hour.told) for hour in hours())
    assert len(records) - len(events) == (len(hours()) + 1) * partitions
    for one in events:
        assert one.partition == partition_of(one.key.decode(), partitions)  # type: ignore[union-attr]
        assert decode(one.value).customer.encode() == one.key  # type: ignore[union-attr]


def test_rows_are_copied_under_as_many_names() -> None:
    rows = list(placed_rows(shop().rows(), shop().clock_row(), 4, copies=5))
    keys = {(one.partition, one.key) for one in rows}
    assert len(keys) == len(rows) == 5 * len(shop().rows()) + 4


def test_the_fold_decides_by_the_learned_snapshot() -> None:
    assert adopted_fold().clock.hazard_version == SNAPSHOT.version
    rows = [decode_row(row) for row in shop().rows().values()]
    assert {row.hazard_version for row in rows if row.orders} == {SNAPSHOT.version}
