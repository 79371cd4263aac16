import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The fold in Kafka Streams: KAFKA APPLICATION_ID SOURCE OUTPUT STATE_DIR GUARANTEE [NAME=VALUE ...].
 *
 * A result per event, as all engines give: so a processor with a store, for the DSL's aggregate
 * passes results on only as often as its cache is flushed. The store is RocksDB behind Kafka
 * Streams' record cache, which sends a row to the changelog once a commit. Its rows are 24 bytes.
 * One thread; all else by default but for the settings given as NAME=VALUE.
 */
public final class KafkaStreamsFold {
    static final String STORE = "tallies";

    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Purchase(String customer, long amount_cents, long occurred_at_ms) {}

    public record Tally(String customer, long events, long total_cents, long last_at_ms) {}

    public record Row(long events, long totalCents, long lastAtMs) {
        static final Row NOTHING = new Row(0, 0, 0);

        byte[] toBytes() {
            return ByteBuffer.allocate(24)
                .putLong(events).putLong(totalCents).putLong(lastAtMs).array();
        }

        static Row fromBytes(byte[] bytes) {
            ByteBuffer read = ByteBuffer.wrap(bytes);
            return new Row(read.getLong(), read.getLong(), read.getLong());
        }
    }

    static final class Fold extends ContextualFixedKeyProcessor<byte[], Purchase, Tally> {
        private KeyValueStore<byte[], Row> rows;

        @Override
        public void init(FixedKeyProcessorContext<byte[], Tally> context) {
            super.init(context);
            rows = context.getStateStore(STORE);
        }

        @Override
        public void process(FixedKeyRecord<byte[], Purchase> record) {
            Purchase purchase = record.value();
            Row found = rows.get(record.key());
            Row before = found == null ? Row.NOTHING : found;
            Row row = new Row(
                before.events() + 1,
                before.totalCents() + purchase.amount_cents(),
                Math.max(before.lastAtMs(), purchase.occurred_at_ms()));
            rows.put(record.key(), row);
            context().forward(record.withValue(new Tally(
                purchase.customer(), row.events(), row.totalCents(), row.lastAtMs())));
        }
    }

    static Serde<Row> rowSerde() {
        Serializer<Row> write = (topic, row) -> row == null ? null : row.toBytes();
        Deserializer<Row> read = (topic, bytes) -> bytes == null ? null : Row.fromBytes(bytes);
        return Serdes.serdeFrom(write, read);
    }

    static <T> Serde<T> jsonSerde(Class<T> type) {
        ObjectMapper mapper = new ObjectMapper();
        ObjectReader reader = mapper.readerFor(type);
        ObjectWriter writer = mapper.writerFor(type);
        Serializer<T> write = (topic, value) -> {
            try {
                return value == null ? null : writer.writeValueAsBytes(value);
            } catch (JsonProcessingException error) {
                throw new IllegalArgumentException(error);
            }
        };
        Deserializer<T> read = (topic, bytes) -> {
            try {
                return bytes == null ? null : reader.readValue(bytes);
            } catch (IOException error) {
                throw new IllegalArgumentException(error);
            }
        };
        return Serdes.serdeFrom(write, read);
    }

    public static void main(String[] arguments) throws InterruptedException {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments[5]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        for (int at = 6; at < arguments.length; at++) {
            String[] pair = arguments[at].split("=", 2);
            settings.put(pair[0], pair[1]);
        }

        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(STORE), Serdes.ByteArray(), rowSerde()
        ).withCachingEnabled());
        builder.stream(arguments[2], Consumed.with(Serdes.ByteArray(), jsonSerde(Purchase.class)))
            .processValues(Fold::new, STORE)
            .to(arguments[3], Produced.with(Serdes.ByteArray(), jsonSerde(Tally.class)));

        CountDownLatch ended = new CountDownLatch(1);
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            ended.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        ended.await();
        Runtime.getRuntime().halt(1);
    }

    private KafkaStreamsFold() {}
}
