//! What must not be billed, not twice, and not with the wrong provider: questions that quote answers, contents, reports and lists,
//! one call in two places, marks of providers that are empty. Composed from what is known of the services.

use schemas::UsageEvent;

use super::{check_rejected, decoded, events, line};
use crate::{IgnoreReason, Item};

const BODY: &str = r#"{"id":"chatcmpl-W","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
const COUNTED: &str = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":7,"output_tokens":3}}"#;

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[track_caller]
fn check_lines(payload: &str, expected: &[&str]) {
    let decoded = decoded(payload);
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines, expected, "{payload} is {decoded:#?}");
}

#[track_caller]
fn check_not_billed(payload: &str) {
    check_lines(payload, &[]);
}

/// The provider of a chat completion with this model and these further fields of it and of its usage.
fn provider(model: &str, fields: &str, usage: &str) -> String {
    let body = format!(
        r#"{{"id":"c1","object":"chat.completion","created":1785578390,"model":"{model}","choices":[]{fields},
            "usage":{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15{usage}}}}}"#
    );
    let decoded = decoded(&body);
    let found: Vec<&UsageEvent> = events(&decoded);
    assert_eq!(found.len(), 1, "{body} is {decoded:#?}");
    found[0].provider.to_string()
}

#[test]
fn questions_expectations_and_examples_may_quote_answers() {
    let text = quoted(BODY);
    for asked in [
        format!(r#"{{"question":{BODY}}}"#),
        format!(r#"{{"query":{{"prior":{BODY}}}}}"#),
        format!(r#"{{"httpRequest":{{"body":{text}}}}}"#),
        format!(r#"{{"input":"x","expected":{BODY},"scores":{{"a":1}}}}"#),
        format!(r#"{{"input":"x","expected_output":{text}}}"#),
        format!(r#"{{"input":"x","ground_truth":{BODY}}}"#),
        format!(
            r#"{{"input":{{}},"preferred_output":[{{"role":"assistant","content":{text}}}],"non_preferred_output":[]}}"#
        ),
        format!(r#"{{"name":"sample","example":{BODY}}}"#),
        format!(r#"{{"type":"object","examples":[{BODY}]}}"#),
        format!(
            r#"{{"openapi":"3.0.0","paths":{{"/v1":{{"post":{{"200":{{"content":{{"application/json":{{"example":{BODY}}}}}}}}}}}}}}}"#
        ),
        format!(r#"{{"model":"m","system":[{{"type":"text","data":{text}}}],"messages":[]}}"#),
        format!(r#"{{"mocks":{{"chat":{BODY}}}}}"#),
        format!(r#"{{"model":"gpt-5.4","tools":[{{"function":{{"name":"f","parameters":{{"x":{BODY}}}}}}}]}}"#),
        format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"functionResponse":{{"name":"x","response":{BODY}}}}}]}}]}}"#
        ),
    ] {
        check_not_billed(&asked);
    }
    let before = BODY.replace("chatcmpl-W", "chatcmpl-V");
    let earlier = quoted(&before);
    for pair in [
        format!(r#"{{"input_body":{earlier},"output_body":{text}}}"#),
        format!(r#"{{"inputJson":{before},"outputJson":{BODY}}}"#),
        format!(r#"{{"user_input":{before},"llm_output":{BODY}}}"#),
        format!(r#"{{"http_request":{{"body":{earlier}}},"http_response":{{"body":{text}}}}}"#),
        format!(r#"{{"previous_response":{before},"new_response":{BODY}}}"#),
        format!(r#"{{"input":"x","expected_output":{before},"actual_output":{BODY}}}"#),
        // What names both is a pair.
        format!(r#"{{"request_response":{{"request":{before},"response":{BODY}}}}}"#),
    ] {
        check_lines(&pair, &[COUNTED]);
        assert!(events(&decoded(&pair))[0].call_key.contains("chatcmpl-W"), "{pair}");
    }
}

#[test]
fn contents_of_messages_documents_and_tools_are_no_recorded_answers() {
    let text = quoted(BODY);
    for contents in [
        format!(r#"{{"role":"assistant","content":{text}}}"#),
        format!(r#"{{"role":"tool","tool_call_id":"x","content":{text}}}"#),
        format!(r#"{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"x","content":{text}}}]}}"#),
        format!(r#"{{"type":"function_call_output","call_id":"c","output":{text}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[],"structuredContent":{BODY},"isError":false}}}}"#),
        format!(r#"{{"id":"d","title":"Notes","content":{text},"embedding":[0.1]}}"#),
        format!(r#"{{"name":"a.json","sha":"3d21","content":{text},"encoding":"utf-8"}}"#),
        // What a vector store, a search and a set of examples hold.
        format!(r#"{{"id":"1","version":3,"score":0.81,"payload":{{"text":{text}}},"vector":null}}"#),
        format!(r#"{{"id":"1","values":[0.1],"metadata":{{"output":{BODY}}}}}"#),
        format!(r#"{{"class":"Doc","vector":[0.1],"properties":{{"response":{BODY}}}}}"#),
        format!(r#"{{"url":"https://docs.example/a","content":{text}}}"#),
        format!(r#"{{"query":"q","results":[{{"url":"https://docs.example/a","content":{text},"score":0.5}}]}}"#),
        format!(r#"{{"prompt":"p","completion":{text}}}"#),
        // An answer that counts nothing is not counted by what it says.
        format!(
            r#"{{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{{"type":"text","text":{text}}}]}}"#
        ),
    ] {
        check_not_billed(&contents);
    }
    // A queue's messages are records.
    check_lines(&format!(r#"{{"Messages":[{{"MessageId":"1","Body":{text}}}]}}"#), &[COUNTED]);
    // Who recorded an answer says more than where it is from.
    check_lines(&format!(r#"{{"url":"https://api.openai.com/v1","status":200,"content":{text}}}"#), &[COUNTED]);
    check_lines(&format!(r#"{{"prompt":"p","completion":{text},"latency_ms":5}}"#), &[COUNTED]);
    // What a message says beside its contents is not one of them.
    check_lines(&format!(r#"{{"role":"assistant","content":"hi","raw":{BODY}}}"#), &[COUNTED]);
}

#[test]
fn rows_that_sum_up_requests_are_reports() {
    for row in [
        r#"{"date":"2026-08-01","model":"gpt-5.4","requests":120,"prompt_tokens":12000,"completion_tokens":400}"#,
        r#"{"object":"usage","n_requests":5,"model":"gpt-5.4","prompt_tokens":10,"completion_tokens":5}"#,
        r#"{"model":"gpt-5.4","request_count":"7","usage":{"prompt_tokens":10,"completion_tokens":5}}"#,
    ] {
        let decoded = decoded(row);
        let ignored = matches!(decoded.items[..], [Item::Ignored { reason: IgnoreReason::StatusOnly, .. }]);
        assert!(ignored, "{row} is {decoded:#?}");
    }
    check_lines(
        r#"{"time":1785578390,"model":"gpt-5.4","requests":1,"prompt_tokens":12,"completion_tokens":4}"#,
        &["openai gpt-5.4: input_text_tokens 12, output_text_tokens 4 [id_from_position]"],
    );
}

#[test]
fn good_news_is_no_failed_call() {
    for news in [
        r#"{"status":"success","message":"Model deployed","id":"1"}"#,
        r#"{"code":0,"message":"success","request_id":"r"}"#,
        r#"{"status":200,"message":"OK"}"#,
        r#"{"ok":true,"message":"saved"}"#,
    ] {
        check_rejected(news, "unknown_format", "", &[]);
    }
    for failed in [r#"{"code":0,"error":"model not found"}"#, r#"{"code":0,"status":"error","message":"x"}"#] {
        let decoded = decoded(failed);
        let ignored = matches!(decoded.items[..], [Item::Ignored { reason: IgnoreReason::FailedCall, .. }]);
        assert!(ignored, "{failed} is {decoded:#?}");
    }
}

#[test]
fn pictures_and_sounds_of_others_were_not_made_by_a_model() {
    for other in [
        r#"{"images":["front.png","back.png"]}"#,
        r#"{"id":"p","title":"Shoe","images":[{"url":"https://shop.example/a.png","content_type":"image/png"}]}"#,
        r#"{"status":"Ready","result":{"sample":[1,2]}}"#,
        r#"{"task":"transcribe","duration":12,"status":"done","owner":"bob"}"#,
    ] {
        check_not_billed(other);
    }
    let kept = r#"{"images":[{"url":"https://v3.fal.media/files/a.png","content_type":"image/png"}],"description":""}"#;
    check_lines(kept, &["fal unknown: output_images 1 [id_from_position, time_assumed]"]);
}

#[test]
fn one_answer_in_two_places_is_one_call() {
    let native = r#"{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"end_turn","usage":{"inputTokens":30,"outputTokens":6,"totalTokens":36}}"#;
    let spread = native.replace(',', " ,\n ");
    let counted = "aws.bedrock unknown: input_text_tokens 30, output_text_tokens 6 [id_from_position, time_assumed]";
    check_lines(&format!(r#"{{"raw_result":{},"parsed":{native}}}"#, quoted(&spread)), &[counted]);
    check_lines(&format!(r#"{{"one":{native},"two":{spread}}}"#), &[counted]);
    check_lines(&format!(r#"{{"raw_text":{},"parsed":{BODY}}}"#, quoted(BODY)), &[COUNTED]);
    // What was said stands beside the answer as it came.
    for raw in ["raw_response", "rawResponse", "body"] {
        check_lines(&format!(r#"{{"response":"hi there","{raw}":{}}}"#, quoted(BODY)), &[COUNTED]);
        check_lines(&format!(r#"{{"response":"hi there","{raw}":{BODY}}}"#), &[COUNTED]);
    }
}

#[test]
fn marks_that_are_empty_name_nobody() {
    for mark in ["x_groq", "time_info", "base_resp", "prompt_filter_results", "provider", "search_results"] {
        assert_eq!(provider("gpt-5.4", &format!(r#","{mark}":null"#), ""), "openai", "{mark}");
    }
    for mark in [
        "estimated_cost",
        "cost_in_usd_ticks",
        "num_search_queries",
        "neurons",
        "prompt_cache_hit_tokens",
        "tool_calls_details",
        "is_byok",
        "queue_time",
    ] {
        assert_eq!(provider("gpt-5.4", "", &format!(r#","{mark}":null"#)), "openai", "{mark}");
    }
    // Groq's own client prints it empty, of models that many serve.
    assert_eq!(provider("llama-3.3-70b-versatile", r#","x_groq":null"#, ""), "groq");
    let cached = r#","prompt_cache_hit_tokens":0"#;
    assert_eq!(provider("deepseek-chat", "", cached), "deepseek");
    assert_eq!(provider("deepseek-ai/DeepSeek-V3", "", cached), "unknown");
}

#[test]
fn names_of_weights_and_tags_prove_no_provider() {
    for model in [
        "mistral-small:24b",
        "codestral:22b",
        "command-r:35b",
        "gpt-4-all.gguf",
        "devstral-small-2505-GGUF",
        "mistral.gguf",
        "gpt-j-6b",
        "gpt-neox-20b",
        "o1mini-local",
        "o3de",
    ] {
        assert_eq!(provider(model, "", ""), "unknown", "{model}");
    }
    for model in ["o1", "o3", "o1-mini", "o3-pro", "ft:gpt-4o-mini-2024-07-18:acme::9a"] {
        assert_eq!(provider(model, "", ""), "openai", "{model}");
    }
    assert_eq!(provider("anthropic.claude-3-5-sonnet-20240620-v1:0", "", ""), "aws.bedrock");
    let message = MESSAGE.replace("claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert!(line(events(&decoded(&message))[0]).starts_with("aws.bedrock us.anthropic."));
}

#[test]
fn a_megabyte_of_what_looks_like_answers_is_read_in_bounded_time() {
    let object = |index: usize| format!(r#""res_{index}":{{"response":{{"x":{{"y":1}}}},"body":"b"}}"#);
    let text = |index: usize| format!(r#""raw_response_{index}":{}"#, quoted(r#"{"response":{"a":{"b":[1,2,3]}}}"#));
    let started = std::time::Instant::now();
    for wide in [(0..18_000).map(object).collect::<Vec<_>>(), (0..14_000).map(text).collect()] {
        check_not_billed(&format!("{{{}}}", wide.join(",")));
    }
    // Generous, as machines are slow: what is looked into twice on each level would take hours.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn what_people_write_and_what_is_configured_may_quote_answers() {
    let text = quoted(BODY);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, BODY);
    for quoting in [
        format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x"}},"data":{{"response.json":{text}}}}}"#
        ),
        format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"x"}},"data":{{"response":"{encoded}"}}}}"#),
        format!(r#"{{"model_name":"x","litellm_params":{{"model":"openai/x","mock_response":{text}}}}}"#),
        format!(r#"{{"type":"message","user":"U1","channel":"C1","ts":"1785578390.1","text":{text}}}"#),
        format!(
            r#"{{"type":"event_callback","event":{{"type":"message","user":"U","channel":"C","ts":"1.1","text":{text}}}}}"#
        ),
        format!(r#"{{"id":"1","channel_id":"2","author":{{"username":"x"}},"content":{text}}}"#),
        format!(r#"{{"subject":"x","from":"a@b.c","body":{text}}}"#),
        format!(r#"{{"action":"opened","issue":{{"number":1,"title":"bug","body":{text}}}}}"#),
        format!(r#"{{"page_content":{text},"metadata":{{"source":"a.json"}}}}"#),
        format!(r#"{{"hits":{{"hits":[{{"_source":{{"title":"x","body":{text}}}}}]}}}}"#),
        format!(r#"{{"value":[{{"@search.score":1.5,"id":"1","content":{text}}}]}}"#),
        format!(
            r#"{{"type":"document","source":{{"type":"base64","media_type":"application/json","data":"{encoded}"}}}}"#
        ),
        format!(r#"{{"method":"tools/call","params":{{"name":"x","arguments":{{"body":{BODY}}}}}}}"#),
    ] {
        check_not_billed(&quoting);
    }
    // A log in a store is a record, whatever finds it.
    check_lines(
        &format!(
            r#"{{"hits":{{"hits":[{{"_score":null,"_source":{{"@timestamp":"2026-08-01T09:59:50Z","message":{text}}}}}]}}}}"#
        ),
        &[COUNTED],
    );
}

#[test]
fn what_a_gateways_cache_answered_costs_nothing_and_is_not_the_call_it_repeats() {
    for said in [
        r#""cache_hit":true"#,
        r#""cacheHit":"True""#,
        r#""cached":true"#,
        r#""from_cache":true"#,
        r#""cache_status":"HIT""#,
    ] {
        let decoded = decoded(&format!(r#"{{"id":"e1","source":"gw",{said},"response":{BODY}}}"#));
        let call = events(&decoded)[0];
        assert_eq!((call.cost_basis, &*call.call_key), (schemas::CostBasis::GatewayCache, "event/gw/e1"), "{said}");
    }
    let basis = |payload: &str| events(&decoded(payload))[0].cost_basis;
    assert_eq!(basis(&format!(r#"{{"cache_hit":false,"response":{BODY}}}"#)), schemas::CostBasis::OnDemand);
    // The provider's own cache shows in its counts.
    let read = BODY.replace(r#""total_tokens":15"#, r#""total_tokens":15,"prompt_tokens_details":{"cached_tokens":8}"#);
    assert_eq!(basis(&format!(r#"{{"cache_hit":true,"response":{read}}}"#)), schemas::CostBasis::OnDemand);
    let flat = r#"{"id":"f","model":"gpt-5.4","input_tokens":30,"output_tokens":9,"cache_hit":true}"#;
    assert_eq!(basis(flat), schemas::CostBasis::GatewayCache);
    let bifrost = BODY.replace(r#""choices""#, r#""extra_fields":{"cache_debug":{"cache_hit":true}},"choices""#);
    assert_eq!(basis(&bifrost), schemas::CostBasis::GatewayCache);
}
