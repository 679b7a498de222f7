package spendstream.peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** A priced event in picodollars, and its compact binary form: numbers, then short strings. */
final class Charge {
    /** Picodollars a token. Any prices do, as long as each model has one. */
    private record Rates(long input, long cached, long output) {}

    private static final Map<String, Rates> RATES = new HashMap<>();
    private static final Map<String, String> TEAM_OF_KEY = new HashMap<>();

    static {
        List<String> models = List.of("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "gpt-4.1-2025-04-14", "gpt-4.1-mini-2025-04-14",
            "gpt-5-2025-08-07", "gpt-5-mini-2025-08-07", "gpt-5-nano-2025-08-07", "o3-2025-04-16", "gpt-4o-2024-05-13", "gpt-4o-2024-11-20");
        for (int at = 0; at < models.size(); at++) {
            RATES.put(models.get(at), new Rates(2_500_000L + at * 125_000, 1_250_000L + at * 62_500, 10_000_000L + at * 500_000));
        }
        for (int key = 0; key < 2_000; key++) TEAM_OF_KEY.put("key-" + key, "team-" + key % 200);
    }

    final long millis, cost, prompt, completion, cached, reasoning;
    private Event event;

    private Charge(long millis, long cost, long prompt, long completion, long cached, long reasoning) {
        this.millis = millis;
        this.cost = cost;
        this.prompt = prompt;
        this.completion = completion;
        this.cached = cached;
        this.reasoning = reasoning;
    }

    static Charge of(Event event) {
        Rates rates = RATES.get(event.model);
        if (rates == null) throw new IllegalStateException("no price for " + event.model);
        long input = Math.addExact(Math.multiplyExact(event.prompt - event.cached, rates.input), Math.multiplyExact(event.cached, rates.cached));
        long cost = Math.addExact(input, Math.multiplyExact(event.completion, rates.output));
        Charge charge = new Charge(event.millis, cost, event.prompt, event.completion, event.cached, event.reasoning);
        charge.event = event;
        return charge;
    }

    static String team(Event event) {
        return TEAM_OF_KEY.getOrDefault(event.key, event.team);
    }

    /** Whoever only sums does not pay for the strings: they are left where they are. */
    static final Serde<Charge> SERDE = Serdes.serdeFrom((topic, charge) -> charge.write(), (Deserializer<Charge>) (topic, bytes) -> {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        return new Charge(in.getLong(), in.getLong(), in.getLong(), in.getLong(), in.getLong(), in.getLong());
    });

    private byte[] write() {
        ByteBuffer out = ByteBuffer.allocate(512);
        out.putLong(millis).putLong(cost).putLong(prompt).putLong(completion).putLong(cached).putLong(reasoning);
        for (String text : new String[] {event.id, event.key, event.model, event.environment, event.project, event.useCase}) {
            byte[] bytes = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
            out.put((byte) bytes.length).put(bytes);
        }
        return Arrays.copyOf(out.array(), out.position());
    }
}
