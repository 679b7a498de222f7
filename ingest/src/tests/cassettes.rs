//! Recordings of HTTP as YAML, composed after those that others published.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{check, event};

const MESSAGE: &str = r#"{"id":"msg_C1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":3,"output_tokens":4}}"#;
const EXPECTED: &str = "anthropic claude-haiku-4-5: input_text_tokens 3, output_text_tokens 4";

fn of_ruby(body: &str) -> String {
    format!(
        "---\nhttp_interactions:\n- request:\n    method: post\n    uri: https://api.anthropic.com/v1/messages\n    body:\n      encoding: UTF-8\n\
         \x20     string: '{{\"model\":\"claude-haiku-4-5\"}}'\n  response:\n    status:\n      code: 200\n      message: OK\n    headers:\n      Date:\n\
         \x20     - Thu, 30 Jul 2026 09:00:00 GMT\n    body:\n      encoding: ASCII-8BIT\n      {body}\n  recorded_at: Thu, 30 Jul 2026 09:00:01 GMT\n\
         recorded_with: VCR 6.4.0\n"
    )
}

#[test]
fn cassettes_of_every_language_are_read() {
    let encoded = STANDARD.encode(MESSAGE);
    for body in [
        format!("string: '{MESSAGE}'"),
        format!("string: !binary |-\n        {encoded}"),
        format!("base64_string: {encoded}"),
    ] {
        check(&of_ruby(&body), "envelope/envelope/envelope/envelope/anthropic.message", &[EXPECTED]);
    }
    let python = format!(
        "interactions:\n- request:\n    body: '{{}}'\n    method: POST\n    uri: https://api.anthropic.com/v1/messages\n  response:\n    body:\n\
         \x20     string: !!binary |\n        {encoded}\n    headers:\n      date:\n      - Thu, 30 Jul 2026 09:00:00 GMT\n    status:\n      code: 200\n\
         \x20     message: OK\nversion: 1\n"
    );
    check(&python, "records", &[EXPECTED]);
    let go = format!(
        "---\nversion: 2\ninteractions:\n    - id: 0\n      request:\n        url: https://api.anthropic.com/v1/messages\n        method: POST\n\
         \x20     response:\n        proto: HTTP/2.0\n        uncompressed: true\n        body: '{MESSAGE}'\n        headers:\n            Date:\n\
         \x20               - Thu, 30 Jul 2026 09:00:00 GMT\n        status: 200 OK\n        code: 200\n        duration: 1.2s\n"
    );
    check(&go, "records", &[EXPECTED]);
    assert_eq!(event(&go).event_time, "2026-07-30T09:00:00Z".parse().unwrap());
}

#[test]
fn other_yaml_is_none() {
    for payload in ["version: 1\nservices: {}\n", "interactions: [", "interactions:\n"] {
        let decoded = super::decoded(payload);
        assert!(decoded.items.iter().all(|item| matches!(item, crate::Item::Rejected(_))), "{decoded:#?}");
    }
    // Names that stand for more and more of the same.
    let mut bomb = String::from("version: 1\na: &a [1,1,1,1,1,1,1,1,1]\n");
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"]) {
        bomb.push_str(&format!("{name}: &{name} [*{of},*{of},*{of},*{of},*{of},*{of},*{of},*{of},*{of}]\n"));
    }
    bomb.push_str("interactions: [*i]\n");
    // One that stands for much, often.
    let much = format!("version: &a {}\ninteractions: [{}*a]\n", "x".repeat(400_000), "*a,".repeat(100_000));
    for payload in [bomb, much] {
        assert!(super::events(&super::decoded(&payload)).is_empty());
    }
}
