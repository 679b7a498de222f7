package spendstream.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.time.Instant;

/** A raw record of the benchmark, read by a streaming parser into the fields the job needs and no others. */
final class Event {
    private static final JsonFactory JSON = new JsonFactory();

    String id, team, key, model, environment, project, useCase;
    long millis, prompt, completion, cached, reasoning;

    static Event parse(byte[] bytes) {
        Event event = new Event();
        try (JsonParser parser = JSON.createParser(bytes)) {
            parser.nextToken();
            for (String field; (field = parser.nextFieldName()) != null; ) {
                switch (field) {
                    case "id" -> event.id = parser.nextTextValue();
                    case "time" -> event.millis = Instant.parse(parser.nextTextValue()).toEpochMilli();
                    case "team_hint" -> event.team = parser.nextTextValue();
                    case "api_key_id" -> event.key = parser.nextTextValue();
                    case "response" -> event.response(parser);
                    case "tags" -> event.tags(parser);
                    default -> skip(parser);
                }
            }
        } catch (IOException error) {
            throw new IllegalArgumentException(error);
        }
        return event;
    }

    private static void skip(JsonParser parser) throws IOException {
        parser.nextToken();
        parser.skipChildren();
    }

    private void response(JsonParser parser) throws IOException {
        parser.nextToken();
        for (String field; (field = parser.nextFieldName()) != null; ) {
            switch (field) {
                case "model" -> model = parser.nextTextValue();
                case "usage" -> usage(parser);
                default -> skip(parser);
            }
        }
    }

    private void usage(JsonParser parser) throws IOException {
        parser.nextToken();
        for (String field; (field = parser.nextFieldName()) != null; ) {
            switch (field) {
                case "prompt_tokens" -> prompt = parser.nextLongValue(0);
                case "completion_tokens" -> completion = parser.nextLongValue(0);
                case "cached_tokens" -> cached = parser.nextLongValue(0);
                case "reasoning_tokens" -> reasoning = parser.nextLongValue(0);
                case "prompt_tokens_details", "completion_tokens_details" -> usage(parser);
                default -> skip(parser);
            }
        }
    }

    private void tags(JsonParser parser) throws IOException {
        parser.nextToken();
        for (String field; (field = parser.nextFieldName()) != null; ) {
            switch (field) {
                case "environment" -> environment = parser.nextTextValue();
                case "project" -> project = parser.nextTextValue();
                case "use_case" -> useCase = parser.nextTextValue();
                default -> skip(parser);
            }
        }
    }
}
