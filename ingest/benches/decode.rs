//! From the bytes of a raw record to its items: `cargo bench -p spendstream-ingest`.
#![expect(missing_docs, reason = "criterion declares a function of its own")]

extern crate spendstream_ingest as ingest;
extern crate spendstream_schemas as schemas;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ingest::{Config, RawRecord, decode};
use schemas::Timestamp;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn bodies() -> [(&'static str, String); 4] {
    let words = "Sure. Here is what I found about the question that you asked. ".repeat(4);
    let openai = format!(
        r#"{{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[{{"index":0,"message":{{"role":"assistant","content":"{words}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1117,"completion_tokens":46,"total_tokens":1163,"prompt_tokens_details":{{"cached_tokens":512,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":12,"audio_tokens":0}}}},"service_tier":"default"}}"#
    );
    let anthropic = format!(
        r#"{{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{{"type":"text","text":"{words}"}}],"stop_reason":"end_turn","usage":{{"input_tokens":21,"cache_creation_input_tokens":300,"cache_read_input_tokens":188086,"cache_creation":{{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200}},"output_tokens":393,"service_tier":"standard"}}}}"#
    );
    let event = r#"{"specversion":"1.0","type":"ai.usage","id":"0f8fad5b-d9cb-469f-a165-70867728950e","source":"checkout","time":"2026-08-01T09:59:59Z","datacontenttype":"application/json","data":{"provider":"openai","model":"gpt-5.4","operation":"chat","usage":{"input_text_tokens":1210,"cache_read_text_tokens":900,"output_text_tokens":505},"key_id":"key-1","team":"search","dimensions":{"environment":"production","feature":"autocomplete"},"tags":{"job":"nightly"},"response_id":"resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"}}"#;
    let envelope = r#"{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","source":"gw-3","time":"2026-08-01T09:59:59.123Z","api_key_id":"key-417","response":{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1785578390,"model":"gpt-5-mini-2025-08-07","service_tier":"default","usage":{"prompt_tokens":1117,"completion_tokens":46,"total_tokens":1163,"prompt_tokens_details":{"cached_tokens":512,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":12,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}},"tags":{"environment":"production","project":"project-17","use_case":"search"}}"#;
    [("openai", openai), ("anthropic", anthropic), ("cloudevent", event.to_owned()), ("envelope", envelope.to_owned())]
}

fn decoding(criterion: &mut Criterion) {
    let config = Config::default();
    let mut group = criterion.benchmark_group("decode");
    for (name, body) in bodies() {
        let record = RawRecord {
            topic: "usage.raw",
            partition: 0,
            offset: 0,
            timestamp: Timestamp::from_millis(1_785_578_400_000),
            key: None,
            headers: &[],
            payload: Some(body.as_bytes()),
        };
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| decode(black_box(&record), &config)));
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
