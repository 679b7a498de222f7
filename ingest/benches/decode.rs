//! From the bytes of a raw record to its items, beside reading the same bytes into a `serde_json::Value`, which is the floor
//! that no decoder should be slower than: `cargo bench -p spendstream-ingest`.
#![expect(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion declares a function of its own; a failed unwrap ends a bench"
)]

extern crate spendstream_ingest as ingest;
extern crate spendstream_schemas as schemas;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ingest::{Config, RawRecord, decode};
use schemas::Timestamp;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn bodies() -> Vec<(&'static str, String)> {
    let words = "Sure. Here is what I found about the question that you asked. ".repeat(4);
    let openai = format!(
        r#"{{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[{{"index":0,"message":{{"role":"assistant","content":"{words}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1117,"completion_tokens":46,"total_tokens":1163,"prompt_tokens_details":{{"cached_tokens":512,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":12,"audio_tokens":0}}}},"service_tier":"default"}}"#
    );
    let anthropic = format!(
        r#"{{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{{"type":"text","text":"{words}"}}],"stop_reason":"end_turn","usage":{{"input_tokens":21,"cache_creation_input_tokens":300,"cache_read_input_tokens":188086,"cache_creation":{{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200}},"output_tokens":393,"service_tier":"standard"}}}}"#
    );
    let event = r#"{"specversion":"1.0","type":"ai.usage","id":"0f8fad5b-d9cb-469f-a165-70867728950e","source":"checkout","time":"2026-08-01T09:59:59Z","datacontenttype":"application/json","data":{"provider":"openai","model":"gpt-5.4","operation":"chat","usage":{"input_text_tokens":1210,"cache_read_text_tokens":900,"output_text_tokens":505},"key_id":"key-1","team":"search","dimensions":{"environment":"production","feature":"autocomplete"},"tags":{"job":"nightly"},"response_id":"resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"}}"#;
    let envelope = r#"{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","source":"gw-3","time":"2026-08-01T09:59:59.123Z","api_key_id":"key-417","response":{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1785578390,"model":"gpt-5-mini-2025-08-07","service_tier":"default","usage":{"prompt_tokens":1117,"completion_tokens":46,"total_tokens":1163,"prompt_tokens_details":{"cached_tokens":512,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":12,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}},"tags":{"environment":"production","project":"project-17","use_case":"search"}}"#;
    let responses = format!(
        r#"{{"id":"resp_67ccd2bed1ec8190b14f964abc054267","object":"response","created_at":1785578390,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"model":"gpt-5.4","output":[{{"type":"message","id":"msg_67ccd2bf17f0819081ff3bb2cf6508e6","status":"completed","role":"assistant","content":[{{"type":"output_text","text":"{words}","annotations":[]}}]}}],"parallel_tool_calls":true,"previous_response_id":null,"store":true,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"usage":{{"input_tokens":1117,"input_tokens_details":{{"cached_tokens":512}},"output_tokens":46,"output_tokens_details":{{"reasoning_tokens":12}},"total_tokens":1163}},"user":null,"metadata":{{}}}}"#
    );
    let gemini = format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{words}"}}],"role":"model"}},"finishReason":"STOP","avgLogprobs":-0.1}}],"usageMetadata":{{"promptTokenCount":7535,"candidatesTokenCount":24,"totalTokenCount":7621,"cachedContentTokenCount":7093,"thoughtsTokenCount":62,"promptTokensDetails":[{{"modality":"TEXT","tokenCount":7535}}],"cacheTokensDetails":[{{"modality":"TEXT","tokenCount":7093}}]}},"modelVersion":"gemini-2.5-flash","createTime":"2026-08-01T09:59:50Z","responseId":"r1f3aZ2mAc"}}"#
    );
    let converse = format!(
        r#"{{"id":"0f8fad5b","time":1785578390,"model":"amazon.nova-pro-v1:0","response":{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{words}"}}]}}}},"stopReason":"end_turn","usage":{{"inputTokens":10,"outputTokens":20,"totalTokens":130,"cacheReadInputTokens":60,"cacheWriteInputTokens":40}},"metrics":{{"latencyMs":551}}}}}}"#
    );
    let stream: String = (0..20)
        .map(|_| r#"data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1785578390,"model":"gpt-5.4","choices":[{"index":0,"delta":{"content":" words"},"finish_reason":null}],"usage":null}"#)
        .chain([r#"data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":20,"total_tokens":29}}"#])
        .map(|frame| format!("{frame}\n\n"))
        .collect();
    let litellm = r#"{"id":"chatcmpl-123","trace_id":"t","litellm_call_id":"b980db26-9512-45cc-b1da-c511a363b83f","call_type":"acompletion","response_cost":0.04708,"status":"success","custom_llm_provider":"bedrock","total_tokens":103925,"prompt_tokens":98805,"completion_tokens":5120,"startTime":1785578390.0,"endTime":1785578490.0,"model":"eu.anthropic.claude-opus-4-5-20251101-v1:0","model_group":"claude-opus-4-5","api_base":"https://bedrock-runtime.eu-west-1.amazonaws.com","metadata":{"user_api_key_alias":"test","user_api_key_team_alias":"search","usage_object":{"total_tokens":103925,"prompt_tokens":98805,"completion_tokens":5120,"prompt_tokens_details":{"cached_tokens":66360,"cache_creation_tokens":32435},"completion_tokens_details":{"reasoning_tokens":1710}}},"cache_hit":false,"request_tags":["env:prod"],"end_user":"","model_parameters":{}}"#;
    let span = |index: u32| {
        format!(
            r#"{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa{index:08x}","parentSpanId":"00f067aa0ba902b7","name":"chat gpt-4o","kind":3,"startTimeUnixNano":"1785578390000000000","endTimeUnixNano":"1785578391000000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},{{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},{{"key":"gen_ai.response.model","value":{{"stringValue":"gpt-4o-2024-08-06"}}}},{{"key":"gen_ai.response.id","value":{{"stringValue":"chatcmpl-{index}"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1117"}}}},{{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"46"}}}}]}}"#
        )
    };
    let spans: Vec<String> = (0..SPANS).map(span).collect();
    let otlp = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},"scopeSpans":[{{"scope":{{"name":"openai"}},"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    );
    vec![
        ("openai", openai),
        ("responses", responses),
        ("anthropic", anthropic),
        ("gemini", gemini),
        ("converse", converse),
        ("stream", stream),
        ("litellm", litellm.to_owned()),
        ("cloudevent", event.to_owned()),
        ("envelope", envelope.to_owned()),
        ("otlp_json_100_spans", otlp),
    ]
}

/// Spans of one batch.
const SPANS: u32 = 100;

/// The batch of spans as protobuf: one field after the other, as an exporter writes them.
fn protobuf() -> Vec<u8> {
    fn varint(mut value: u64, out: &mut Vec<u8>) {
        while value > 0x7f {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    fn bytes(number: u64, value: &[u8], out: &mut Vec<u8>) {
        varint(number << 3 | 2, out);
        varint(value.len() as u64, out);
        out.extend_from_slice(value);
    }
    fn pair(name: &str, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bytes(1, name.as_bytes(), &mut out);
        bytes(2, value, &mut out);
        out
    }
    let text = |text: &str| {
        let mut out = Vec::new();
        bytes(1, text.as_bytes(), &mut out);
        out
    };
    let whole = |count: u64| {
        let mut out = vec![3 << 3];
        varint(count, &mut out);
        out
    };
    let mut scope = Vec::new();
    for index in 0..SPANS {
        let mut span = Vec::new();
        bytes(1, &[0x4b; 16], &mut span);
        bytes(2, &u64::from(index + 1).to_be_bytes(), &mut span);
        bytes(4, &[7; 8], &mut span);
        bytes(5, b"chat gpt-4o", &mut span);
        for number in [7, 8] {
            varint(number << 3 | 1, &mut span);
            span.extend_from_slice(&1_785_578_390_000_000_000u64.to_le_bytes());
        }
        for (name, value) in [
            ("gen_ai.operation.name", text("chat")),
            ("gen_ai.provider.name", text("openai")),
            ("gen_ai.request.model", text("gpt-4o")),
            ("gen_ai.response.model", text("gpt-4o-2024-08-06")),
            ("gen_ai.response.id", text(&format!("chatcmpl-{index}"))),
            ("gen_ai.usage.input_tokens", whole(1117)),
            ("gen_ai.usage.output_tokens", whole(46)),
        ] {
            bytes(9, &pair(name, &value), &mut span);
        }
        bytes(2, &span, &mut scope);
    }
    let (mut resource, mut about, mut batch) = (Vec::new(), Vec::new(), Vec::new());
    bytes(1, &pair("service.name", &text("shop")), &mut about);
    bytes(1, &about, &mut resource);
    bytes(2, &scope, &mut resource);
    bytes(1, &resource, &mut batch);
    batch
}

fn record(payload: &[u8]) -> RawRecord<'_> {
    RawRecord {
        topic: "usage.raw",
        partition: 0,
        offset: 0,
        timestamp: Timestamp::from_millis(1_785_578_400_000),
        key: None,
        headers: &[],
        payload: Some(payload),
    }
}

fn decoding(criterion: &mut Criterion) {
    let config = Config::default();
    for (name, body) in bodies() {
        let record = record(body.as_bytes());
        let events = decode(&record, &config).items.len();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("decode", |bencher| bencher.iter(|| decode(black_box(&record), &config)));
        group.bench_function("floor", |bencher| {
            // A captured stream is read frame by frame.
            let frames: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            let documents = if frames.is_empty() { vec![body.as_str()] } else { frames };
            bencher.iter(|| {
                for document in &documents {
                    black_box(serde_json::from_slice::<serde_json::Value>(black_box(document.as_bytes())).unwrap());
                }
            });
        });
        group.finish();
        assert!(events > 0);
    }
    let spans = protobuf();
    let record = record(&spans);
    assert_eq!(decode(&record, &config).items.len(), 2 * SPANS as usize, "an event and a link for each span");
    let mut group = criterion.benchmark_group("otlp_protobuf_100_spans");
    group.throughput(Throughput::Elements(u64::from(SPANS)));
    group.bench_function("decode", |bencher| bencher.iter(|| decode(black_box(&record), &config)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = decoding
}
criterion_main!(benches);
