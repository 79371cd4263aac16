"""The fold in plain Faust: `faust_fold.py KAFKA APP SOURCE DATA_DIR PARTITIONS`.

As its documentation advises: a record type, a topic, an agent, a table in memory with its changelog
topic. It sends no results. All else by default, but for the web server, which is off.
"""

import sys

import faust


class Purchase(faust.Record, serializer="json"):
    customer: str
    amount_cents: int
    occurred_at_ms: int


def main(kafka: str, name: str, source: str, data_dir: str, partitions: str) -> None:
    app = faust.App(
        name,
        broker=f"kafka://{kafka}",
        datadir=data_dir,
        web_enabled=False,
        topic_partitions=int(partitions),
        topic_disable_leader=True,
    )
    purchases = app.topic(source, key_type=str, value_type=Purchase)
    tallies = app.Table("tallies", default=list, partitions=int(partitions))

    @app.agent(purchases)
    async def fold(stream: faust.Stream[Purchase]) -> None:
        async for purchase in stream:
            events, total_cents, last_at_ms = tallies[purchase.customer] or (0, 0, 0)
            tallies[purchase.customer] = [
                events + 1,
                total_cents + purchase.amount_cents,
                max(last_at_ms, purchase.occurred_at_ms),
            ]

    faust.Worker(app, loglevel="WARNING").execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
