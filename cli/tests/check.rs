#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! The contract of `spendstream check -o json`, field by field, with the real binary.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Runs `check -o json` on this input; gives its lines and its exit code.
fn check(folder: &Path, arguments: &[&str], input: &str) -> (Vec<Value>, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spendstream"));
    command.arg("check").args(arguments).args(["-o", "json"]).current_dir(folder);
    for name in ["SPENDSTREAM_DATA", "SPENDSTREAM_BROKERS", "SPENDSTREAM_MAPPINGS", "RUST_LOG"] {
        command.env_remove(name);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

const CHAT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"gpt-4o-2024-08-06","choices":[],"service_tier":"default","usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}"#;

#[test]
fn a_priced_event_has_every_field_of_the_contract_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, code) = check(folder.path(), &["--provider", "openai"], CHAT);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!(code, 0);
    assert_eq!(names(line), ["events", "ignored", "recognised_as", "record", "rejected"]);
    assert_eq!((&line["record"], &line["recognised_as"]), (&json!(1), &json!("openai.chat_completion")));
    assert_eq!((&line["ignored"], &line["rejected"]), (&json!([]), &json!([])));
    let event = &line["events"][0];
    let expected = [
        "cost_usd",
        "event_id",
        "event_time",
        "flags",
        "lines",
        "model",
        "operation",
        "price_context",
        "provider",
        "reported_cost_usd",
        "rule",
        "source",
        "status",
        "team",
        "usage",
    ];
    let mut found = names(event);
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(event["event_id"], "openai/chatcmpl-1");
    assert_eq!(event["source"], "-");
    assert_eq!((&event["provider"], &event["operation"]), (&json!("openai"), &json!("chat")));
    assert_eq!(event["event_time"], "2026-09-21T14:13:20Z");
    assert_eq!(event["price_context"]["service_tier"], "default");
    assert_eq!(event["price_context"]["batch"], false);
    assert_eq!(event["usage"], json!({"input_text_tokens": 10, "output_text_tokens": 10}));
    assert_eq!((&event["flags"], &event["reported_cost_usd"]), (&json!([]), &Value::Null));
    // 10 x 2.50 + 10 x 10.00 USD per million tokens, as decimal strings.
    assert_eq!((&event["cost_usd"], &event["status"]), (&json!("0.000125"), &json!("priced")));
    let priced = &event["lines"][0];
    let mut found = names(priced);
    found.sort_unstable();
    assert_eq!(found, ["billed_quantity", "cost_usd", "currency", "meter", "per", "price", "quantity", "rate_id"]);
    let rate = priced["rate_id"].as_str().unwrap();
    assert!(!rate.is_empty());
    assert_eq!(
        *priced,
        json!({"meter": "input_text_tokens", "quantity": "10", "billed_quantity": "10", "price": "2.5", "per": 1_000_000,
            "currency": "USD", "rate_id": rate, "cost_usd": "0.000025"})
    );
}

#[test]
fn a_record_of_several_items_says_what_became_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let span = |id: u32, attributes: &str| {
        format!(
            r#"{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b{id}","name":"x","startTimeUnixNano":"1790000000000000000","attributes":[{attributes}]}}"#
        )
    };
    let text = |name: &str, value: &str| format!(r#"{{"key":"{name}","value":{{"stringValue":"{value}"}}}}"#);
    let count = |name: &str, value: &str| format!(r#"{{"key":"{name}","value":{{"intValue":"{value}"}}}}"#);
    let call = |tokens: &str| {
        let attributes = [
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o"),
            count("gen_ai.usage.input_tokens", tokens),
        ];
        attributes.join(",")
    };
    let spans = [span(1, &text("gen_ai.operation.name", "invoke_agent")), span(2, &call("7")), span(3, &call("-7"))];
    let batch = format!(
        r#"{{"resourceSpans":[{{"resource":{{}},"scopeSpans":[{{"scope":{{"name":"s"}},"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    );
    let (lines, code) = check(folder.path(), &[], &batch);
    assert_eq!((lines.len(), code), (1, 1), "one record, of which one item is rejected");
    assert_eq!(lines[0]["ignored"], json!([{"item": 0, "reason": "agent_span"}]));
    assert_eq!(lines[0]["events"].as_array().unwrap().len(), 1);
    let rejected = &lines[0]["rejected"][0];
    assert_eq!(names(rejected), ["field", "item", "message", "reason"]);
    assert_eq!((&rejected["item"], &rejected["reason"]), (&json!(2), &json!("invalid_field")));
    assert_eq!(rejected["field"], "gen_ai.usage.input_tokens");
    assert!(rejected["message"].as_str().unwrap().contains("is negative"), "{rejected}");
}

#[test]
fn every_status_is_told_apart_and_an_unpriced_cost_is_null() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = CHAT.replace("gpt-4o-2024-08-06", "gpt-from-next-year");
    let partly =
        CHAT.replace(r#""total_tokens":20"#, r#""total_tokens":20,"completion_tokens_details":{"audio_tokens":4}"#);
    let free = r#"{"id":"modr-1","model":"omni-moderation-latest","results":[]}"#;
    let reported = r#"{"id":"gen-1","provider":"OpenAI","object":"chat.completion","created":1790000000,"model":"openai/gpt-4o","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10,"cost":1.5e-4}}"#;
    let (lines, code) = check(folder.path(), &[], &[CHAT, &unknown, &partly, free, reported, "nothing"].join("\n"));
    assert_eq!((lines.len(), code), (6, 1), "one line a record, whatever it is");
    let status: Vec<&Value> = lines.iter().map(|line| &line["events"][0]["status"]).collect();
    assert_eq!(status[..3], [&json!("priced"), &json!("unpriced"), &json!("partial")]);
    assert_eq!(lines[1]["events"][0]["cost_usd"], Value::Null);
    assert_eq!(lines[3]["events"][0]["cost_usd"], json!("0"));
    assert_eq!(status[3], &json!("free"));
    assert_eq!(lines[4]["events"][0]["reported_cost_usd"], json!("0.00015"));
    assert_eq!((&lines[5]["recognised_as"], &lines[5]["events"]), (&json!(""), &json!([])));
    assert_eq!(lines[5]["rejected"][0]["reason"], "malformed");
    assert_eq!(lines[5]["record"], 6);
}

/// A cost that is stated in a currency that the example's prices have no exchange rate for.
const KRONER: &str = r#"{"specversion":"1.0","type":"ai.ledger.entry","id":"l1","source":"finance","time":"2026-09-01T00:00:00Z","data":{"vendor":"acme","item":"consulting","cost":{"amount":"12.5","currency":"NOK"},"cost_category":"people"}}"#;

#[test]
fn a_charge_in_another_currency_has_no_dollars_and_a_price_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, code) = check(folder.path(), &[], KRONER);
    let event = &lines[0]["events"][0];
    assert_eq!((&event["status"], &event["cost_usd"], code), (&json!("priced"), &Value::Null, 0), "{event:#}");
    std::fs::write(folder.path().join("both.jsonl"), [KRONER, CHAT].join("\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spendstream"));
    let output = command.args(["check", "both.jsonl"]).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("  12.50 NOK (priced)  ") && !text.contains("unpriced ("), "{text}");
    assert!(text.contains("2 records: 2 events of 12.50 NOK and 0.000125 USD (0 unpriced, "), "{text}");
}

#[test]
fn the_provider_is_given_for_bodies_that_name_none_and_not_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let bare =
        r#"{"model":"claude-sonnet-4-5","usage":{"input_tokens":14,"output_tokens":65,"cache_read_input_tokens":0}}"#;
    let groq = r#"{"id":"q","object":"chat.completion","created":1790000000,"model":"llama-3.3-70b","choices":[],"x_groq":{"id":"r"},"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let (lines, _) = check(folder.path(), &["--provider", "bedrock"], &[bare, groq].join("\n"));
    let providers: Vec<&Value> = lines.iter().map(|line| &line["events"][0]["provider"]).collect();
    assert_eq!(providers, [&json!("aws.bedrock"), &json!("groq")]);
}

#[test]
fn a_house_format_is_shown_as_it_is_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = "formats:\n- name: acme\n  when: {$.kind: call}\n  fields: {id: $.id, source: acme, provider: openai, model: $.m, \
                   usage.input_text_tokens: $.n}\n";
    std::fs::write(folder.path().join("formats.yaml"), mapping).unwrap();
    let (lines, code) =
        check(folder.path(), &["--mappings", "formats.yaml"], r#"{"kind":"call","id":"1","m":"gpt-4o","n":1000}"#);
    assert_eq!(code, 0, "{lines:#?}");
    assert_eq!(
        (&lines[0]["recognised_as"], &lines[0]["events"][0]["cost_usd"]),
        (&json!("house/acme"), &json!("0.0025"))
    );
    assert_eq!(lines[0]["events"][0]["event_id"], "1");
}
