//! What coding agents keep on a machine: chats and telemetry of Gemini CLI, storage of opencode. Composed from their source.

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

fn said(id: &str, tokens: &str) -> String {
    format!(
        r#"{{"id":"{id}","timestamp":"2026-08-01T09:00:00.000Z","type":"gemini","content":"x","thoughts":[],"tokens":{tokens},"model":"gemini-2.5-pro"}}"#
    )
}

const TOKENS: &str = r#"{"input":100,"output":20,"cached":60,"thoughts":7,"tool":3,"total":130}"#;
const COUNTED: &str = "gcp.gemini gemini-2.5-pro: input_text_tokens 43, cache_read_text_tokens 60, output_text_tokens 20, \
                       output_reasoning_tokens 7";
const ASKED: &str = r#"{"id":"u1","timestamp":"2026-08-01T08:59:00.000Z","type":"user","content":"hi"}"#;
const OPENED: &str = r#"{"sessionId":"s1","projectHash":"f00d","startTime":"2026-08-01T08:59:00.000Z","lastUpdated":"2026-08-01T09:00:00.000Z"}"#;

#[test]
fn the_answers_of_a_chat_of_gemini_cli_are_its_calls() {
    let chat =
        OPENED.replace('}', &format!(r#","messages":[{ASKED},{},{}]}}"#, said("a1", TOKENS), said("a2", "null")));
    check(&chat, "gemini_cli.session", &[COUNTED]);
    assert_eq!(ignored(&chat), [IgnoreReason::NotAModelCall, IgnoreReason::StreamFragment]);
    let read = event(&chat);
    assert_eq!(&*read.call_key, "event/gemini-cli/a1");
    assert_eq!(
        (read.claimed.session.as_deref(), read.claimed.application.as_deref()),
        (Some("s1"), Some("gemini-cli"))
    );
}

#[test]
fn a_line_of_a_chat_that_is_written_anew_is_the_same_call() {
    let grown = TOKENS.replace("20", "25").replace("130", "135");
    let changed = format!(r#"{{"$set":{{"messages":[{ASKED},{}]}}}}"#, said("a1", &grown));
    let lines = [
        OPENED,
        ASKED,
        &said("a1", "null"),
        &said("a1", TOKENS),
        r#"{"$set":{"lastUpdated":"2026-08-01T09:00:00.000Z"}}"#,
        r#"{"$rewindTo":"u1"}"#,
        &changed,
    ]
    .join("\n");
    let read = decoded(&lines);
    let found = events(&read);
    assert_eq!(found.len(), 2, "{read:#?}");
    assert_eq!(found[0].dedup_key, found[1].dedup_key);
    assert_eq!(line(found[0]), COUNTED);
    assert_eq!(found[0].claimed.session.as_deref(), Some("s1"));
    assert!(!read.items.iter().any(|item| matches!(item, Item::Rejected(_))), "{read:#?}");
}

#[test]
fn counts_of_a_chat_of_gemini_cli_are_checked_by_their_total() {
    let hidden = r#"{"input":100,"output":20,"cached":0,"total":150}"#;
    check(
        &said("a3", hidden),
        "gemini_cli.session",
        &[
            "gcp.gemini gemini-2.5-pro: input_text_tokens 100, output_text_tokens 20, output_reasoning_tokens 30 [hidden_reasoning]",
        ],
    );
    let nothing = r#"{"input":0,"output":0,"cached":0,"thoughts":0,"tool":0,"total":0}"#;
    check(&said("a4", nothing), "gemini_cli.session", &["gcp.gemini gemini-2.5-pro:  [usage_missing]"]);
    for (tokens, reason, field) in [
        (TOKENS.replace("130", "129"), "contradiction", "tokens.total"),
        (TOKENS.replace(":60", ":160"), "contradiction", "tokens.input"),
        (TOKENS.replace(":60", ":\"x\""), "invalid_field", "tokens.cached"),
        ("[]".to_owned(), "invalid_field", "tokens"),
    ] {
        check_rejected(&said("a5", &tokens), reason, field, &[]);
    }
}

fn recorded(name: &str, auth: &str) -> String {
    format!(
        r#"{{
  "hrTime": [1785578390, 0],
  "body": "API response from gemini-2.5-pro",
  "resource": {{"attributes": {{"service.name": "gemini-cli"}}}},
  "attributes": {{
    "session.id": "s1", "event.name": "{name}", "event.timestamp": "2026-08-01T09:59:50.000Z", "model": "gemini-2.5-pro",
    "input_token_count": 100, "output_token_count": 20, "cached_content_token_count": 60, "thoughts_token_count": 7,
    "tool_token_count": 3, "total_token_count": 130, "prompt_id": "p1", "auth_type": "{auth}"
  }}
}}"#
    )
}

#[test]
fn the_telemetry_file_of_gemini_cli_says_what_its_logs_over_otlp_say() {
    let metrics = r#"{"resource":{"attributes":{}},"scopeMetrics":[{"metrics":[]}]}"#;
    let file =
        [&recorded("gemini_cli.api_request", ""), &recorded("gemini_cli.api_response", "oauth-personal"), metrics]
            .join("\n");
    check(&file, "gemini_cli.telemetry", &[COUNTED]);
    assert_eq!(ignored(&file), [IgnoreReason::NotAModelCall, IgnoreReason::TokenMetric]);
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let attributes = [
        attribute("event.name", "gemini_cli.api_response"),
        attribute("session.id", "s1"),
        attribute("event.timestamp", "2026-08-01T09:59:50.000Z"),
        attribute("model", "gemini-2.5-pro"),
        attribute("input_token_count", "100"),
        attribute("output_token_count", "20"),
        attribute("cached_content_token_count", "60"),
        attribute("thoughts_token_count", "7"),
        attribute("tool_token_count", "3"),
        attribute("auth_type", "oauth-personal"),
    ];
    let sent = event(&format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1785578390000000000","attributes":[{}]}}]}}]}}]}}"#,
        attributes.join(",")
    ));
    let read = event(&file);
    assert_eq!((line(&sent), &sent.call_key), (line(&read), &read.call_key));
    assert_eq!(sent.content_hash, read.content_hash, "{sent:#?} {read:#?}");
}

#[test]
fn how_somebody_signed_in_says_who_is_paid() {
    let read = |auth: &str| event(&recorded("gemini_cli.api_response", auth));
    assert_eq!(read("oauth-personal").cost_basis, CostBasis::Included);
    assert_eq!(&*read("vertex-ai").provider, "gcp.vertex_ai");
    assert_eq!(read("gemini-api-key").cost_basis, CostBasis::OnDemand);
    let wrong = recorded("gemini_cli.api_response", "").replace("130", "131");
    check_rejected(&wrong, "contradiction", "attributes.total_token_count", &["131", "130"]);
}

fn answered(provider: &str, model: &str, tokens: &str, more: &str) -> String {
    format!(
        r#"{{"id":"msg_1","sessionID":"ses_1","role":"assistant","parentID":"msg_0","mode":"build","agent":"build","path":{{"cwd":"/w","root":"/w"}},
        "time":{{"created":1785574800000,"completed":1785574802000}},"modelID":"{model}","providerID":"{provider}","cost":0.0125,
        "system":[],"tokens":{tokens}{more}}}"#
    )
}

#[test]
fn reasoning_of_opencode_is_inside_the_output_where_the_total_or_the_age_says_so() {
    let tokens = |output: u32, total: &str| {
        format!(r#"{{"input":100,"output":{output},"reasoning":30,"cache":{{"read":1000,"write":0}}{total}}}"#)
    };
    let openai = "openai gpt-5.4: input_text_tokens 100, cache_read_text_tokens 1000";
    let gemini = "gcp.gemini gemini-3-pro: input_text_tokens 100, cache_read_text_tokens 1000";
    let both = "output_text_tokens 50, output_reasoning_tokens 30";
    for (provider, model, tokens, counted) in [
        ("openai", "gpt-5.4", tokens(50, r#","total":1180"#), format!("{openai}, {both}")),
        ("openai", "gpt-5.4", tokens(80, r#","total":1180"#), format!("{openai}, {both}")),
        ("openai", "gpt-5.4", tokens(80, ""), format!("{openai}, {both}")),
        ("google", "gemini-3-pro", tokens(50, ""), format!("{gemini}, {both}")),
        ("openai", "gpt-5.4", tokens(50, r#","total":7"#), format!("{openai}, {both} [total_mismatch]")),
    ] {
        check(&answered(provider, model, &tokens, ""), "opencode.message", &[&counted]);
    }
    let anthropic = r#"{"input":5,"output":40,"reasoning":0,"cache":{"read":9000,"write":700}}"#;
    let read = event(&answered("anthropic", "claude-sonnet-4-6", anthropic, ""));
    assert_eq!(
        line(&read),
        "anthropic claude-sonnet-4-6: input_text_tokens 5, cache_read_text_tokens 9000, cache_write_5m_tokens 700, \
         output_text_tokens 40 [assumed_5m]"
    );
    assert_eq!(&*read.call_key, "event/opencode/msg_1");
    assert_eq!(read.reported_cost.unwrap().amount.to_string(), "0.0125");
    assert_eq!((read.claimed.session.as_deref(), read.claimed.agent.as_deref()), (Some("ses_1"), Some("build")));
}

#[test]
fn the_steps_of_a_message_of_opencode_are_its_requests() {
    let step = |output: u32| {
        format!(
            r#"{{"id":"prt_{output}","sessionID":"ses_1","messageID":"msg_1","type":"step-finish","reason":"stop","cost":0.005,
            "tokens":{{"input":10,"output":{output},"reasoning":0,"cache":{{"read":0,"write":0}}}}}}"#
        )
    };
    let last = r#"{"input":10,"output":7,"reasoning":0,"cache":{"read":0,"write":0}}"#;
    let info = answered("anthropic", "claude-sonnet-4-6", last, "");
    let asked = r#"{"id":"msg_0","sessionID":"ses_1","role":"user","time":{"created":1785574700000},"model":{"providerID":"anthropic","modelID":"claude-sonnet-4-6"}}"#;
    let session = r#"{"id":"ses_1","version":"1.0.0","projectID":"p","directory":"/w","title":"t","time":{"created":1,"updated":2}}"#;
    let text = r#"{"id":"prt_t","sessionID":"ses_1","messageID":"msg_1","type":"text","text":"x"}"#;
    let exported = format!(
        r#"{{"info":{session},"messages":[{{"info":{asked},"parts":[]}},{{"info":{info},"parts":[{text},{},{}]}}]}}"#,
        step(5),
        step(7)
    );
    let one = |output: u32| format!("anthropic claude-sonnet-4-6: input_text_tokens 10, output_text_tokens {output}");
    check(&exported, "opencode.message", &[&one(5), &one(7)]);
    let read = decoded(&exported);
    let costs: Vec<bool> = events(&read).iter().map(|event| event.reported_cost.is_some()).collect();
    assert_eq!(costs, [true, false], "the cost is the whole message's");
    for (stored, reason) in [
        (asked, IgnoreReason::NotAModelCall),
        (text, IgnoreReason::NotAModelCall),
        (&step(5), IgnoreReason::RunSummary),
        (session, IgnoreReason::NotAModelCall),
        (&session.replace("\"title\"", r#""cost":1,"tokens":{"input":10},"title""#), IgnoreReason::RunSummary),
    ] {
        assert_eq!(ignored(stored), [reason], "{stored}");
    }
}

#[test]
fn a_message_of_opencode_that_used_nothing_is_running_or_failed() {
    let nothing = r#"{"input":0,"output":0,"reasoning":0,"cache":{"read":0,"write":0}}"#;
    let done = answered("openai", "gpt-5.4", nothing, "");
    assert_eq!(ignored(&done.replace(r#","completed":1785574802000"#, "")), [IgnoreReason::StatusOnly]);
    let failed = answered("openai", "gpt-5.4", nothing, r#","error":{"name":"MessageAbortedError","data":{}}"#);
    assert_eq!(ignored(&failed), [IgnoreReason::FailedCall]);
    check(&done, "opencode.message", &["openai gpt-5.4:  [usage_missing]"]);
    let wrong = answered("openai", "gpt-5.4", r#"{"input":1,"output":1,"cache":{"read":-1}}"#, "");
    check_rejected(&wrong, "invalid_field", "tokens.cache.read", &["negative"]);
}
