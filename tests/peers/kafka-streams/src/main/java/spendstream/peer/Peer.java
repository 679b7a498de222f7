package spendstream.peer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The job of the benchmark in Kafka Streams, exactly_once_v2: parse, count each id once (RocksDB), price, name the
 * owner, commit charges keyed by team, sum them by team and minute. Reads the raw topic from its beginning, ends when
 * everything is committed, and prints what that took from the first record on.
 *
 * <p>It does less than the pipeline: one sum instead of four windows and budgets over six dimensions, no rejections, no
 * ledger, binary charges of some 150 bytes. Its settings are those that were fastest on two cores.
 */
public final class Peer {
    private record Sum(long calls, long cost) {}

    private static final Serde<Sum> SUM = Serdes.serdeFrom(
        (topic, sum) -> sum == null ? null : ByteBuffer.allocate(16).putLong(sum.calls).putLong(sum.cost).array(),
        (topic, bytes) -> {
            if (bytes == null) return null;
            ByteBuffer in = ByteBuffer.wrap(bytes);
            return new Sum(in.getLong(), in.getLong());
        });

    /** Processor time of this process and of the broker, and the wall clock, at one moment. */
    private record Moment(long nanos, double own, double broker) {
        static Moment now() {
            return new Moment(System.nanoTime(), processorSeconds("self"), processorSeconds(variable("BROKER_PID")));
        }
    }

    private static volatile Moment first;

    private static String variable(String name) {
        String value = System.getenv("SPENDSTREAM_BENCH_" + name);
        if (value == null) throw new IllegalArgumentException("SPENDSTREAM_BENCH_" + name + " is not set: spendstream-bench --peers runs this");
        return value;
    }

    private static double processorSeconds(String process) {
        try {
            String stat = Files.readString(Path.of("/proc/" + process + "/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / 100.0;
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Event take(byte[] bytes) {
        if (first == null) {
            synchronized (Peer.class) {
                if (first == null) first = Moment.now();
            }
        }
        return Event.parse(bytes);
    }

    private static Properties properties(String application, Path folder) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, variable("BROKERS"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5_000);
        settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        settings.put(StreamsConfig.MAX_TASK_IDLE_MS_CONFIG, 0);
        settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        settings.put(StreamsConfig.producerPrefix("linger.ms"), 20);
        settings.put(StreamsConfig.producerPrefix("batch.size"), 262_144);
        settings.put(StreamsConfig.producerPrefix("buffer.memory"), 67_108_864);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 4_000);
        settings.put(StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), 4_194_304);
        settings.put(StreamsConfig.consumerPrefix("fetch.max.wait.ms"), 100);
        return settings;
    }

    private static StreamsBuilder topology(String raw, String charges, String windows) {
        StreamsBuilder builder = new StreamsBuilder();
        Serde<Event> events = Serdes.serdeFrom(
            (topic, event) -> { throw new UnsupportedOperationException("events are only read"); },
            (Deserializer<Event>) (topic, bytes) -> take(bytes));
        Duration horizon = Duration.ofHours(2);
        builder.addStateStore(Stores.windowStoreBuilder(
            Stores.persistentWindowStore(Dedup.STORE, horizon, horizon.dividedBy(2), false), Serdes.String(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of()).withCachingDisabled());
        KStream<String, Event> once = builder
            .stream(raw, Consumed.with(Serdes.String(), events).withTimestampExtractor((record, previous) -> ((Event) record.value()).millis))
            .processValues(Dedup::new, Dedup.STORE);
        once.map((id, event) -> KeyValue.pair(Charge.team(event), Charge.of(event)))
            .to(charges, Produced.with(Serdes.String(), Charge.SERDE));
        builder.stream(charges, Consumed.with(Serdes.String(), Charge.SERDE))
            .groupByKey()
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofHours(3)))
            .aggregate(() -> new Sum(0, 0), (team, charge, sum) -> new Sum(sum.calls + 1, Math.addExact(sum.cost, charge.cost)),
                Materialized.<String, Sum, WindowStore<Bytes, byte[]>>as("spend")
                    .withKeySerde(Serdes.String()).withValueSerde(SUM).withRetention(Duration.ofHours(4)).withCachingEnabled())
            .toStream((window, sum) -> window.key() + "@" + window.window().start())
            .to(windows, Produced.with(Serdes.String(), SUM));
        return builder;
    }

    /** True when the group has committed every record of the topic; a marker may stand behind the last one. */
    private static boolean through(Admin admin, String group, String topic, int partitions) throws Exception {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        IntStream.range(0, partitions).forEach(at -> asked.put(new TopicPartition(topic, at), OffsetSpec.latest()));
        var ends = admin.listOffsets(asked).all().get();
        Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        return ends.entrySet().stream().allMatch(end -> {
            OffsetAndMetadata at = committed.get(end.getKey());
            return end.getValue().offset() - (at == null ? 0 : at.offset()) <= 1;
        });
    }

    public static void main(String[] arguments) throws Exception {
        String raw = variable("TOPIC"), application = "peer-" + System.currentTimeMillis();
        String charges = application + ".charges", windows = application + ".windows";
        int partitions = Integer.parseInt(variable("PARTITIONS"));
        Path folder = Files.createTempDirectory("kafka-streams-peer");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", variable("BROKERS")))) {
            admin.createTopics(List.of(new NewTopic(charges, partitions, (short) 1), new NewTopic(windows, partitions, (short) 1))).all().get();
            KafkaStreams streams = new KafkaStreams(topology(raw, charges, windows).build(), properties(application, folder));
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            // A record that is written later than the first look at the raw topic's end belongs to somebody else.
            while (first == null || !through(admin, application, raw, partitions) || !through(admin, application, charges, partitions)) {
                Thread.sleep(50);
            }
            Moment last = Moment.now();
            String peak = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:")).findFirst().orElseThrow().replaceAll("\\D", "");
            System.out.printf(Locale.ROOT, "measured seconds=%.3f cpu_seconds=%.2f broker_cpu_seconds=%.2f memory_mib=%d%n",
                (last.nanos - first.nanos) / 1e9, last.own - first.own, last.broker - first.broker, Long.parseLong(peak) / 1024);
            streams.close(Duration.ofSeconds(10));
        }
    }
}
