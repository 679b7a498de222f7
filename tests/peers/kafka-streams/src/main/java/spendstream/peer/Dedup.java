package spendstream.peer;

import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.WindowStore;

/** Lets an id through once. A copy carries the time of its original, so a point look-up is exact. */
final class Dedup implements FixedKeyProcessor<String, Event, Event> {
    static final String STORE = "dedup";
    private static final byte[] SEEN = {1};

    private FixedKeyProcessorContext<String, Event> context;
    private WindowStore<String, byte[]> store;

    @Override
    public void init(FixedKeyProcessorContext<String, Event> context) {
        this.context = context;
        store = context.getStateStore(STORE);
    }

    @Override
    public void process(FixedKeyRecord<String, Event> record) {
        long millis = record.value().millis;
        if (store.fetch(record.key(), millis) != null) return;
        store.put(record.key(), SEEN, millis);
        context.forward(record);
    }
}
