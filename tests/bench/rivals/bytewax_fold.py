"""The fold in Bytewax: `bytewax_fold.py KAFKA SOURCE PROGRESS_FILE`.

As its documentation advises: its Kafka source with the batch size by default, a keyed stream, a
stateful map; decoded by the batch, which was measured to be the quicker way. Nothing is durable and
nothing is sent: without recovery no offset is committed anywhere, so the last step counts what
reached it.
"""

import sys
import time
from pathlib import Path

from tests.bench.rivals.progress import PROGRESS_EVERY_S, write_progress


def fold(tally, purchase):
    events, total_cents, last_at_ms = tally or (0, 0, 0)
    tally = (
        events + 1,
        total_cents + purchase["amount_cents"],
        max(last_at_ms, purchase["occurred_at_ms"]),
    )
    return tally, tally


def main(kafka, source, progress_file):
    import orjson  # noqa: PLC0415  (these are only in the rivals' environment)
    from bytewax import operators as op  # noqa: PLC0415
    from bytewax.connectors.kafka import KafkaSource  # noqa: PLC0415
    from bytewax.dataflow import Dataflow  # noqa: PLC0415
    from bytewax.outputs import DynamicSink, StatelessSinkPartition  # noqa: PLC0415
    from bytewax.testing import run_main  # noqa: PLC0415

    class CountingPartition(StatelessSinkPartition):
        def __init__(self):
            self._events = 0
            self._told_at = 0.0

        def write_batch(self, items):
            self._events += len(items)
            now = time.monotonic()
            if now - self._told_at >= PROGRESS_EVERY_S:
                write_progress(Path(progress_file), self._events)
                self._told_at = now

    class Counting(DynamicSink):
        def build(self, step_id, worker_index, worker_count):
            return CountingPartition()

    def keyed(messages):
        return [(message.key.decode(), orjson.loads(message.value)) for message in messages]

    flow = Dataflow("fold")
    messages = op.input("purchases", flow, KafkaSource([kafka], [source]))
    purchases = op.flat_map_batch("decode", messages, keyed)
    tallies = op.stateful_map("fold", purchases, fold)
    op.output("count", tallies, Counting())
    run_main(flow)


if __name__ == "__main__":
    main(*sys.argv[1:])
