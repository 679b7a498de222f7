//! Records a second and core from bytes to `UsageEvent`, beside `serde_json::Value` of the same bytes as the floor.
//!
//! `cargo run --release -p spendstream-ingest --example decode_speed`

extern crate spendstream_ingest as ingest;
extern crate spendstream_schemas as schemas;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ingest::{Config, RawRecord, decode};
use schemas::Timestamp;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MEASURED: Duration = Duration::from_secs(2);

fn main() {
    let words = "Sure. Here is what I found about the question that you asked. ".repeat(4);
    let openai = format!(
        r#"{{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[{{"index":0,"message":{{"role":"assistant","content":"{words}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1117,"completion_tokens":46,"total_tokens":1163,"prompt_tokens_details":{{"cached_tokens":512,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":12,"audio_tokens":0}}}},"service_tier":"default"}}"#
    );
    let anthropic = format!(
        r#"{{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{{"type":"text","text":"{words}"}}],"stop_reason":"end_turn","usage":{{"input_tokens":21,"cache_creation_input_tokens":300,"cache_read_input_tokens":188086,"cache_creation":{{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200}},"output_tokens":393,"service_tier":"standard"}}}}"#
    );
    let event = r#"{"specversion":"1.0","type":"ai.usage","id":"0f8fad5b-d9cb-469f-a165-70867728950e","source":"checkout","time":"2026-08-01T09:59:59Z","datacontenttype":"application/json","data":{"provider":"openai","model":"gpt-5.4","operation":"chat","usage":{"input_text_tokens":1210,"cache_read_text_tokens":900,"output_text_tokens":505},"key_id":"key-1","team":"search","dimensions":{"environment":"production","feature":"autocomplete"},"tags":{"job":"nightly"},"response_id":"resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"}}"#;
    for (name, body) in [("openai", openai.as_str()), ("anthropic", &anthropic), ("ai.usage", event)] {
        let config = Config::default();
        let record = RawRecord {
            topic: "usage.raw",
            partition: 0,
            offset: 0,
            timestamp: Timestamp::from_millis(1_785_578_400_000),
            key: None,
            headers: &[],
            payload: Some(body.as_bytes()),
        };
        let decoded = rate(|| {
            black_box(decode(black_box(&record), &config));
        });
        let floor = rate(|| {
            let _ = black_box(serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes())));
        });
        println!("{name:10} {:4} bytes: {decoded:>8} records/s; serde_json::Value alone {floor:>8} /s", body.len());
    }
}

/// Calls a second.
fn rate(mut work: impl FnMut()) -> u128 {
    let started = Instant::now();
    let mut calls: u128 = 0;
    while started.elapsed() < MEASURED {
        (0..1_000).for_each(|_| work());
        calls += 1_000;
    }
    calls * 1_000_000 / started.elapsed().as_micros().max(1)
}
