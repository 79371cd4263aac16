"""Releases that follow each other: the next reads the last one's rows, the last not the next's."""

import msgspec
import pytest

from models.customer import STATE_VERSION, Customer, decode_row, encode_row
from models.events import Absorbed, decode, encode
from models.tokens import partition_of
from streams import topics
from streams.exit import REFUSED
from streams.settings import Settings
from tests.builders import make, named, viewed
from tests.golden.test_golden import EVENTS
from tests.real.rig import Crew, Log, Role, until

pytestmark = pytest.mark.real

NAMES = [named(str(number)) for number in range(20)]
FIELDS_ADDED = 10
NEXT_RELEASE = """
import msgspec
from models import customer

class Next(customer.Customer):
    loyalty: str = "new in this release"

customer.STATE_VERSION = {version}
customer._decode_row = msgspec.msgpack.Decoder(Next).decode

from streams.settings import Settings
from streams.worker import run
run(Settings())
"""


def rows_of_long_ago() -> list[bytes]:
    """Rows as they stand in the golden log, and such without the fields that came last."""
    records = [decode(line) for line in EVENTS.read_bytes().splitlines()]
    rows = [one.row for one in records if isinstance(one, Absorbed) and one.row]
    return rows + [
        msgspec.msgpack.encode(msgspec.msgpack.decode(row)[:-FIELDS_ADDED]) for row in rows
    ]


async def put_row(log: Log, customer: str, row: bytes) -> None:
    await log.producer.send_and_wait(
        log.settings.named(topics.CUSTOMERS),
        row,
        customer.encode(),
        partition=partition_of(customer, log.settings.partitions),
    )


async def folded(log: Log, count: int) -> bool:
    return await log.folded() >= count


def refusal(role: Role) -> str:
    """Wait for a role's end, and see that it refused; its last word."""
    assert role.process.wait(60) == REFUSED
    return str(msgspec.json.decode(role.output.splitlines()[-1])["reason"])


async def test_rows_of_the_last_release_are_read_and_folded_on(settings: Settings) -> None:
    old = rows_of_long_ago()
    assert len(old) >= 4
    before = {name: decode_row(row) for name, row in zip(NAMES, old, strict=False)}
    async with Log(settings) as log:
        for name, row in zip(NAMES, old, strict=False):
            await put_row(log, name, row)
        await log.write([viewed(customer=name) for name in before])
        wanted = sum(row.events for row in before.values()) + len(before)
        with Crew(settings) as crew:
            crew.start("worker")
            await until(lambda: folded(log, wanted), "all to be folded on top", 60)
        after = await log.customers()
        assert await log.records(topics.DEAD_LETTERS) == []
    assert {name: (row.events - 1, row.value_cents) for name, row in after.items()} == {
        name: (row.events, row.value_cents) for name, row in before.items()
    }


async def test_a_downgrade_is_refused_and_changes_nothing(settings: Settings) -> None:
    next_release = NEXT_RELEASE.format(version=STATE_VERSION + 1)
    async with Log(settings) as log:
        with Crew(settings) as crew:
            first = crew.start("worker")
            await log.write([viewed(customer=name) for name in NAMES])
            await until(lambda: folded(log, 20), "this release to fold", 60)
            first.kill()
            following = crew.start("worker", code=next_release)
            await log.write([viewed(customer=name) for name in NAMES[:5]])
            await until(lambda: _written_by_the_next(log, 5), "the next release to fold on", 60)
            following.kill()

            await log.write([viewed(customer=name) for name in NAMES])
            before = await log.records(topics.CUSTOMERS)
            said = refusal(crew.start("worker"))
            assert f"state version {STATE_VERSION + 1}" in said
            assert "start the newer release again" in said
            assert await log.records(topics.CUSTOMERS) == before, "nothing was folded"
            assert await log.records(topics.DEAD_LETTERS) == [], "and nothing taken for poison"


async def _written_by_the_next(log: Log, count: int) -> bool:
    rows = await _raw_rows(log)
    return sum(row[0] == STATE_VERSION + 1 for row in rows.values()) >= count


async def _raw_rows(log: Log) -> dict[bytes, list[object]]:
    return {
        record.key: msgspec.msgpack.decode(record.value)
        for record in await log.records(topics.CUSTOMERS)
        if record.key.decode() in NAMES
    }


async def test_a_later_releases_row_that_comes_in_a_merge_is_refused_not_buried(
    settings: Settings,
) -> None:
    """While one worker runs the next release already and another does not yet."""
    later = encode_row(Customer(version=STATE_VERSION + 1, events=1))
    merge = make(Absorbed, customer=NAMES[0], origin=NAMES[1], row=later)
    assert decode(encode(merge)) == merge
    async with Log(settings) as log:
        await log.write([merge])
        with Crew(settings) as crew:
            assert f"state version {STATE_VERSION + 1}" in refusal(crew.start("worker"))
        assert await log.records(topics.DEAD_LETTERS) == []
