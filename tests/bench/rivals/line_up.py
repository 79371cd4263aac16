"""All rivals in the order of the table; each is an `Engine` of `tests/bench/rounds.py`."""

from tests.bench.rivals.bytewax import BYTEWAX
from tests.bench.rivals.ceiling import CEILING
from tests.bench.rivals.kafka_streams import KAFKA_STREAMS, KAFKA_STREAMS_EOS
from tests.bench.rivals.plain_faust import FAUST
from tests.bench.rivals.quix import QUIX, QUIX_EOS

ALL = (QUIX, QUIX_EOS, KAFKA_STREAMS, KAFKA_STREAMS_EOS, BYTEWAX, FAUST, CEILING)
