"""The fold in Quix Streams: `quix_fold.py KAFKA GROUP SOURCE OUTPUT STATE_DIR GUARANTEE`.

As its documentation advises: a streaming data frame over a topic with a JSON deserializer, a
stateful `apply`, RocksDB state with a changelog topic, results to a topic. All else by default.
"""

import sys


def fold(purchase, state):
    events, total_cents, last_at_ms = state.get("tally", (0, 0, 0))
    events += 1
    total_cents += purchase["amount_cents"]
    last_at_ms = max(last_at_ms, purchase["occurred_at_ms"])
    state.set("tally", (events, total_cents, last_at_ms))
    return {
        "customer": purchase["customer"],
        "events": events,
        "total_cents": total_cents,
        "last_at_ms": last_at_ms,
    }


def main(kafka, group, source, output, state_dir, guarantee):
    from quixstreams import Application  # noqa: PLC0415  (only in the rivals' environment)

    application = Application(
        broker_address=kafka,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        state_dir=state_dir,
    )
    purchases = application.topic(source, key_deserializer="bytes", value_deserializer="json")
    tallies = application.topic(output, key_serializer="bytes", value_serializer="json")
    frame = application.dataframe(purchases)
    frame.apply(fold, stateful=True).to_topic(tallies)
    application.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
