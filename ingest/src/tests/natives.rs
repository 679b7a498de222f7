//! Servers and gateways in shapes of their own: Text Generation Inference, chunks of Bedrock, Workers AI, Veo, Kong. Composed from
//! what their documentation and public code say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::CostBasis;

use super::{check, check_rejected, decoded, event, events, line};
use crate::{IgnoreReason, Item};

fn ignored(payload: &str) -> Vec<IgnoreReason> {
    let reason = |item: &Item| match item {
        Item::Ignored { reason, .. } => Some(*reason),
        _ => None,
    };
    decoded(payload).items.iter().filter_map(reason).collect()
}

fn sse(frames: &[&str]) -> String {
    frames.iter().map(|frame| format!("data:{frame}\n\n")).collect()
}

#[test]
fn tgi_counts_what_it_generated_and_says_when_nobody_states_the_prompt() {
    let answer = |details: &str| {
        format!(
            r#"{{"generated_text":"x","details":{{"finish_reason":"length","generated_tokens":20,"seed":1,{details}}}}}"#
        )
    };
    let token = r#"{"id":1,"text":"a","logprob":-0.5}"#;
    let unknown = "huggingface unknown: ";
    for (details, counted) in [
        (
            r#""prefill":[],"tokens":[]"#.to_owned(),
            "output_text_tokens 20 [id_from_position, time_assumed, usage_missing]",
        ),
        (
            format!(r#""prefill":[{token},{token},{token}],"tokens":[]"#),
            "input_text_tokens 3, output_text_tokens 20 [id_from_position, time_assumed]",
        ),
        (
            r#""prefill":[],"tokens":[],"input_length":7"#.to_owned(),
            "input_text_tokens 7, output_text_tokens 20 [id_from_position, time_assumed]",
        ),
        (
            r#""prefill":[],"input_length":7,"best_of_sequences":[{"generated_text":"y","generated_tokens":15}]"#
                .to_owned(),
            "input_text_tokens 7, output_text_tokens 35 [id_from_position, time_assumed]",
        ),
    ] {
        check(&answer(&details), "tgi.generate", &[&format!("{unknown}{counted}")]);
    }
    let named = event(&format!(
        r#"{{"id":"1","source":"app","time":1785578390,"request":{{"model":"llama-3.3-70b"}},"response":{}}}"#,
        answer(r#""prefill":[],"input_length":7"#)
    ));
    assert_eq!(line(&named), "huggingface llama-3.3-70b: input_text_tokens 7, output_text_tokens 20");
    assert_eq!(named.cost_basis, CostBasis::SelfHosted);
    check_rejected(
        &answer(r#""prefill":[],"input_length":-7"#),
        "invalid_field",
        "details.input_length",
        &["negative"],
    );
}

#[test]
fn the_last_token_of_a_stream_of_tgi_has_the_details() {
    let frame = |text: &str, details: &str| {
        format!(
            r#"{{"index":1,"token":{{"id":9,"text":"a","logprob":-0.1,"special":false}},"generated_text":{text},"details":{details}}}"#
        )
    };
    let pieces = [frame("null", "null"), frame("null", "null")];
    let last = frame(r#""aaa""#, r#"{"finish_reason":"eos_token","generated_tokens":3,"seed":null,"input_length":12}"#);
    let plain = frame(r#""aaa""#, "null");
    let stream = |frames: &[&String]| sse(&frames.iter().map(|frame| frame.as_str()).collect::<Vec<_>>());
    let counted = "huggingface unknown: input_text_tokens 12, output_text_tokens 3 [id_from_position, time_assumed]";
    check(&stream(&[&pieces[0], &pieces[1], &last]), "tgi.generate", &[counted]);
    check(&stream(&[&pieces[0], &last, &pieces[1], &last]), "tgi.generate", &[counted, counted]);
    check(
        &stream(&[&pieces[0], &plain]),
        "tgi.generate",
        &["huggingface unknown:  [id_from_position, time_assumed, usage_missing]"],
    );
    check(
        &stream(&[&pieces[0], &pieces[1]]),
        "tgi.generate",
        &["huggingface unknown:  [id_from_position, time_assumed, usage_missing, partial_stream]"],
    );
    assert_eq!(ignored(&pieces[0]), [IgnoreReason::StreamFragment]);
}

/// Chunks around these events.
fn chunks(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| format!(r#"{{"chunk":{{"bytes":"{}"}}}}"#, STANDARD.encode(event))).collect()
}

const METRICS: &str =
    r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":4,"invocationLatency":1}"#;

#[test]
fn chunks_of_bedrock_are_decoded_and_put_together() {
    let anthropic = [
        r#"{"type":"message_start","message":{"id":"msg_bdrk_1","type":"message","model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":9,"cache_read_input_tokens":50,"output_tokens":1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}"#,
        &format!(r#"{{"type":"message_stop",{METRICS}}}"#),
    ];
    let counted = "aws.bedrock claude-sonnet-4-6: input_text_tokens 9, cache_read_text_tokens 50, output_text_tokens 4 \
                   [time_assumed]";
    let frames = chunks(&anthropic);
    let list = format!("[{}]", frames.join(","));
    check(&list, "bedrock.stream_chunk/anthropic.message", &[counted]);
    check(&frames.join("\n"), "bedrock.stream_chunk/anthropic.message", &[counted]);
    check(
        &list.replace(r#"{"chunk":"#, "").replace(r#""}}"#, r#"","p":"abcd"}"#),
        "bedrock.stream_chunk/anthropic.message",
        &[counted],
    );
    // Within what a producer puts around it, which also names the model that no chunk of most models does.
    let titan = chunks(&[
        r#"{"outputText":"a","index":0,"inputTextTokenCount":9,"totalOutputTextTokenCount":null}"#,
        &format!(r#"{{"outputText":"b","totalOutputTextTokenCount":4,"completionReason":"FINISH",{METRICS}}}"#),
    ]);
    let mistral = chunks(&[
        r#"{"outputs":[{"text":"a","stop_reason":null}]}"#,
        &format!(r#"{{"outputs":[{{"text":"b","stop_reason":"stop"}}],{METRICS}}}"#),
    ]);
    for frames in [titan, mistral] {
        let wrapped = format!(r#"{{"id":"7","time":1785578390,"model":"m.v1:0","response":[{}]}}"#, frames.join(","));
        check(
            &wrapped,
            "envelope/bedrock.stream_chunk/bedrock.invoke_model",
            &["aws.bedrock m.v1:0: input_text_tokens 9, output_text_tokens 4"],
        );
    }
}

#[test]
fn chunks_of_bedrock_that_cannot_be_read_say_so() {
    check_rejected(r#"{"chunk":{"bytes":"%%%"}}"#, "malformed", "chunk.bytes", &["base64"]);
    check_rejected(&chunks(&["no json"])[0], "malformed", "chunk.bytes", &["JSON"]);
    assert_eq!(ignored(&chunks(&[r#"{"outputs":[{"text":"a"}]}"#])[0]), [IgnoreReason::StreamFragment]);
    let cut = [&chunks(&[&format!(r#"{{"generation":"",{METRICS}}}"#)])[0], r#"{"chunk":{"bytes":"eyJ0"}}"#].join("\n");
    check(
        &cut,
        "bedrock.stream_chunk/bedrock.invoke_model",
        &[
            "aws.bedrock unknown: input_text_tokens 9, output_text_tokens 4 [id_from_position, time_assumed, partial_stream]",
        ],
    );
    // Chunks within chunks end somewhere.
    let mut nested = format!(r#"{{"generation":"",{METRICS}}}"#);
    for _ in 0..10 {
        nested = chunks(&[&nested])[0].clone();
    }
    check_rejected(&nested, "too_large", "chunk.bytes", &["envelopes"]);
}

const WORKERS: &str = r#""usage":{"prompt_tokens":21,"completion_tokens":14,"total_tokens":35}"#;

#[test]
fn workers_ai_counts_whole_and_in_streams() {
    let counted = "cloudflare unknown: input_text_tokens 21, output_text_tokens 14 [id_from_position, time_assumed]";
    let rest = format!(
        r#"{{"result":{{"response":"x",{WORKERS},"tool_calls":[]}},"success":true,"errors":[],"messages":[]}}"#
    );
    check(&rest, "cloudflare.workers_ai", &[counted]);
    check(&format!(r#"{{"response":"x",{WORKERS}}}"#), "cloudflare.workers_ai", &[counted]);
    check(
        &rest.replace("35}", r#"35,"prompt_tokens_details":{"cached_tokens":16},"neurons":1.5}"#),
        "cloudflare.workers_ai",
        &["cloudflare unknown: input_text_tokens 5, cache_read_text_tokens 16, output_text_tokens 14 \
           [id_from_position, time_assumed]"],
    );
    let last = format!(r#"{{"response":"",{WORKERS}}}"#);
    for frames in [
        vec![r#"{"response":"Hel","p":"abc"}"#, r#"{"response":"lo","p":"a"}"#, &last],
        vec![r#"{"response":"Hel"}"#, r#"{"response":"lo"}"#, &last],
        vec![
            r#"{"response":"a","tool_calls":[],"p":"ab","usage":{"prompt_tokens":21,"completion_tokens":1,"total_tokens":22}}"#,
            r#"{"response":"b","tool_calls":[],"p":"a","usage":{"prompt_tokens":21,"completion_tokens":2,"total_tokens":23}}"#,
            &last,
        ],
    ] {
        check(&(sse(&frames) + "data: [DONE]\n\n"), "cloudflare.workers_ai", &[counted]);
    }
    check(&format!("[{last},{last}]"), "cloudflare.workers_ai", &[counted, counted]);
    check(
        &sse(&[r#"{"response":"Hel","p":"abc"}"#, r#"{"response":"lo","p":"a"}"#]),
        "cloudflare.workers_ai",
        &["cloudflare unknown:  [id_from_position, time_assumed, usage_missing, partial_stream]"],
    );
    // A producer says what was asked for, and houses write down others' answers like this.
    for (model, provider) in [("@cf/meta/llama-3.1-8b-instruct", "cloudflare"), ("gpt-5.4", "openai")] {
        check(
            &format!(r#"{{"id":"7","time":1785578390,"model":"{model}","response":{{"response":"x",{WORKERS}}}}}"#),
            "envelope/cloudflare.workers_ai",
            &[&format!("{provider} {model}: input_text_tokens 21, output_text_tokens 14")],
        );
    }
    // Its chat completions end in the same frame, whose counts are the true ones.
    let chunk = |choices: &str, more: &str| {
        format!(
            r#"{{"id":"c1","object":"chat.completion.chunk","created":1785578390,"model":"@cf/m","choices":[{choices}]{more}}}"#
        )
    };
    check(
        &sse(&[
            &chunk(r#"{"index":0,"delta":{"content":"x"}}"#, ""),
            &chunk("", r#","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#),
            &last.replace("35}", r#"35,"neurons":1.5}"#),
        ]),
        "openai.chat_completion",
        &["cloudflare @cf/m: input_text_tokens 21, output_text_tokens 14 [id_from_position]"],
    );
    check_rejected(&rest.replace("21", "-1"), "invalid_field", "usage.prompt_tokens", &["negative"]);
    check_rejected(&sse(&[r#"{"response":"a"}"#, r#"{"response":"b"}"#]), "unknown_format", "response", &["whose"]);
}

#[test]
fn images_of_imagen_are_counted_bare_and_without_those_that_were_filtered() {
    let image = r#"{"mimeType":"image/png","bytesBase64Encoded":"A"}"#;
    let filtered = r#"{"raiFilteredReason":"x"}"#;
    for predictions in [
        format!("{image},{image}"),
        format!("{filtered},{image},{image}"),
        format!(r#"{image},{image},{{"safetyAttributes":{{"categories":[]}},"contentType":"Positive Prompt"}}"#),
    ] {
        check(
            &format!(r#"{{"predictions":[{predictions}]}}"#),
            "openai.image",
            &["gcp.vertex_ai unknown: output_images 2 [id_from_position, time_assumed]"],
        );
    }
}

#[test]
fn videos_of_veo_are_billed_by_the_second_where_it_was_asked_for() {
    let vertex = "projects/p/locations/us-central1/publishers/google/models/veo-3.0-generate-001/operations/o1";
    let done = |name: &str, response: &str, more: &str| {
        format!(r#"{{"name":"{name}","done":true,"response":{response}{more}}}"#)
    };
    let videos = r#"{"raiMediaFilteredCount":0,"videos":[{"gcsUri":"gs://b/1.mp4","mimeType":"video/mp4"},{"gcsUri":"gs://b/2.mp4"}]}"#;
    let asked = r#","request":{"parameters":{"durationSeconds":8,"sampleCount":2}}"#;
    check(
        &done(vertex, videos, asked),
        "gemini.video",
        &["gcp.vertex_ai veo-3.0-generate-001: output_video_seconds 16 [time_assumed]"],
    );
    let sample = r#"{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://x"}}]}}"#;
    let gemini = "models/veo-3.1-generate-preview/operations/o2";
    let event = event(&done(gemini, sample, ""));
    assert_eq!(line(&event), "gcp.gemini veo-3.1-generate-preview:  [time_assumed, usage_missing]");
    assert_eq!(&*event.call_key, format!("event/veo/{gemini}"));
    assert_eq!(ignored(&format!(r#"{{"name":"{gemini}"}}"#)), [IgnoreReason::StatusOnly]);
    let refused = format!(r#"{{"name":"{gemini}","done":true,"error":{{"code":3,"message":"x"}}}}"#);
    assert_eq!(ignored(&refused), [IgnoreReason::FailedCall]);
    let wrong = asked.replace('8', "-8");
    check_rejected(&done(vertex, videos, &wrong), "invalid_field", "request.parameters.durationSeconds", &["negative"]);
}

/// A log of Kong around these entries.
fn kong(status: u32, entries: &str) -> String {
    format!(
        r#"{{"request":{{"id":"b6c1","method":"POST","uri":"/chat","headers":{{}}}},"response":{{"status":{status},"headers":{{}}}},
        "started_at":1785578390123,"latencies":{{"proxy":900}},"client_ip":"10.0.0.1","service":{{"id":"s1","name":"ai-service"}},
        "route":{{"id":"r1","name":"chat-route"}},"consumer":{{"id":"c0ffee","username":"shop"}},"workspace_name":"default",
        "ai":{{{entries}}}}}"#
    )
}

fn entry(name: &str, usage: &str, more: &str) -> String {
    format!(
        r#""{name}":{{"usage":{{{usage}}},"meta":{{"plugin_id":"p","provider_name":"azure","request_model":"gpt-4o",
        "response_model":"gpt-4o-2024-08-06","llm_latency":900}}{more}}}"#
    )
}

#[test]
fn every_plugin_of_kong_that_called_a_model_is_a_call() {
    let counts = r#""prompt_tokens":28,"completion_tokens":20,"total_tokens":48,"cost":0.0038,"time_per_token":45"#;
    let older = r#""prompt_token":89,"completion_token":56,"total_tokens":145,"cost":0"#;
    let payload = kong(
        200,
        &format!(
            r#"{},{},"payload":{{"request":"x"}}"#,
            entry("ai-request-transformer", older, ""),
            entry("proxy", counts, r#","cache":{}"#)
        ),
    );
    let named = "azure.ai.openai gpt-4o-2024-08-06: ";
    check(
        &payload,
        "kong.ai_log",
        &[
            &format!("{named}input_text_tokens 89, output_text_tokens 56"),
            &format!("{named}input_text_tokens 28, output_text_tokens 20"),
        ],
    );
    let read = decoded(&payload);
    let [first, second] = events(&read)[..] else { panic!("{read:#?}") };
    assert_eq!(
        (&*second.call_key, second.event_time.to_string()),
        ("event/kong/b6c1/proxy", "2026-08-01T09:59:50.123Z".into())
    );
    assert_eq!(second.requested_model.as_deref(), Some("gpt-4o"));
    assert_eq!(
        (second.reported_cost.as_ref().unwrap().amount.to_string(), &first.reported_cost),
        ("0.0038".into(), &None)
    );
    assert_eq!(second.key_id.as_deref(), Some("c0ffee"));
    assert!(second.claimed.user.as_ref().is_some_and(|user| &**user != "shop"));
    assert!(second.tags.iter().any(|tag| &*tag.key == "route" && &*tag.value == "chat-route"));
}

#[test]
fn kong_says_what_its_cache_answered_and_what_it_could_not_count() {
    let counts = r#""prompt_tokens":28,"completion_tokens":20,"total_tokens":48"#;
    let hit = event(&kong(200, &entry("ai-proxy", counts, r#","cache":{"cache_status":"Hit","fetch_latency":2}"#)));
    assert_eq!(hit.cost_basis, CostBasis::GatewayCache);
    let none = entry("proxy", r#""prompt_tokens":0,"completion_tokens":0,"total_tokens":0"#, "");
    check(&kong(200, &none), "kong.ai_log", &["azure.ai.openai gpt-4o-2024-08-06:  [usage_missing]"]);
    assert_eq!(ignored(&kong(429, &none)), [IgnoreReason::FailedCall]);
    let wrong = entry("proxy", r#""prompt_tokens":28,"completion_tokens":20,"total_tokens":50"#, "");
    check_rejected(&kong(200, &wrong), "contradiction", "ai.proxy.usage.total_tokens", &["50", "48"]);
    // A log without an entry of a model is none of a call.
    let plain = decoded(&kong(200, ""));
    assert!(events(&plain).is_empty(), "{plain:#?}");
}

#[test]
fn providers_elsewhere_count_by_names_of_their_own() {
    for (payload, recognised, expected) in [
        (
            r#"{"Response":{"RequestId":"r","Choices":[{"FinishReason":"stop","Message":{"Role":"assistant","Content":"x"}}],"Created":1785578390,
                "Id":"i","Usage":{"PromptTokens":12,"CompletionTokens":8,"TotalTokens":20}}}"#,
            "envelope/tool.log",
            "tencent unknown: input_text_tokens 12, output_text_tokens 8 [id_from_position]",
        ),
        (
            r#"{"model_version":"luminous-base","completions":[{"completion":"x"}],"num_tokens_prompt_total":12,"num_tokens_generated":8}"#,
            "tool.log",
            "aleph_alpha luminous-base: input_text_tokens 12, output_text_tokens 8 [id_from_position, time_assumed]",
        ),
        (
            r#"{"vectors":[[0.1]],"total_tokens":7,"base_resp":{"status_code":0,"status_msg":"success"}}"#,
            "tool.log",
            "minimax unknown: input_text_tokens 7 [id_from_position, time_assumed]",
        ),
        (
            r#"{"results":[{"text":"x","finish_reason":"length","prompt_tokens":11,"completion_tokens":20}]}"#,
            "koboldcpp.generate",
            "koboldcpp unknown: input_text_tokens 11, output_text_tokens 20 [id_from_position, time_assumed]",
        ),
        (
            r#"{"embeddings":[{"embeddingType":"TEXT","embedding":[0.1]}]}"#,
            "bedrock.invoke_model",
            "aws.bedrock unknown:  [id_from_position, time_assumed, usage_missing]",
        ),
        (
            r#"{"ResponseMetadata":{"RequestId":"a","HTTPHeaders":{"x-amzn-bedrock-input-token-count":"9"}},
                "body":{"embeddings":[{"embeddingType":"TEXT","embedding":[0.1]}]}}"#,
            "bedrock.response_headers",
            "aws.bedrock unknown: input_text_tokens 9 [time_assumed]",
        ),
        (
            r#"{"id":"l","generation_type":"video","state":"completed","created_at":"2026-08-01T09:00:00Z","assets":{"video":"https://x/y"},
                "model":"ray-2","request":{"prompt":"p","resolution":"720p","duration":"5s"}}"#,
            "luma.generation",
            "luma ray-2: output_video_seconds 5",
        ),
        // GigaChat's cache is in neither the prompt nor the total.
        (
            r#"{"object":"chat.completion","created":1785578390,"model":"GigaChat-2-Max:2.0.28","choices":[],
                "usage":{"prompt_tokens":18,"completion_tokens":68,"total_tokens":86,"precached_prompt_tokens":37}}"#,
            "openai.chat_completion",
            "gigachat GigaChat-2-Max:2.0.28: input_text_tokens 18, cache_read_text_tokens 37, output_text_tokens 68 [id_from_position]",
        ),
        // What Qianfan's search put into the prompt, beside it or inside: the total tells.
        (
            r#"{"id":"as-1","object":"chat.completion","created":1785578390,"result":"x","need_clear_history":false,
                "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"search_tokens":100}}"#,
            "openai.chat_completion",
            "qianfan unknown: input_text_tokens 110, output_text_tokens 5 [id_from_position]",
        ),
        (
            r#"{"id":"as-1","object":"chat.completion","created":1785578390,"model":"ernie-4.0","choices":[],"usage":{"prompt_tokens":110,
                "completion_tokens":5,"total_tokens":115,"prompt_tokens_details":{"search_tokens":100}}}"#,
            "openai.chat_completion",
            "qianfan ernie-4.0: input_text_tokens 110, output_text_tokens 5 [id_from_position]",
        ),
    ] {
        check(payload, recognised, &[expected]);
    }
    let frame = |output: u32, reason: &str| {
        format!(
            r#"{{"Choices":[{{"Delta":{{"Content":"x"}},"FinishReason":"{reason}"}}],"Created":1785578390,"Id":"i",
            "Usage":{{"PromptTokens":3,"CompletionTokens":{output},"TotalTokens":{}}}}}"#,
            3 + output
        )
        .replace('\n', "")
    };
    check(
        &sse(&[&frame(1, ""), &frame(2, "stop")]),
        "tool.log",
        &["tencent unknown: input_text_tokens 3, output_text_tokens 2 [id_from_position]"],
    );
    let begun = r#"{"id":"l","generation_type":"video","state":"dreaming","assets":{}}"#;
    assert_eq!(ignored(begun), [IgnoreReason::StatusOnly]);
}
