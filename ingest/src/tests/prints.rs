//! What programs print of answers and spans rather than keep them as JSON, composed after prints that others published.

use super::{check, event, events, line};

#[test]
fn an_answer_is_read_as_print_r_prints_it() {
    let answer = "Array\n(\n    [id] => chatcmpl-P1\n    [object] => chat.completion\n    [created] => 1785402000\n    [model] => gpt-4o-mini\n\
                  \x20   [choices] => Array\n        (\n            [0] => Array\n                (\n                    [index] => 0\n\
                  \x20                   [message] => Array\n                        (\n                            [role] => assistant\n\
                  \x20                           [content] => \n\n1. One\n2. Array\n(\n    [usage] => two\n)\n\
                  \x20                       )\n\n                    [logprobs] => \n                    [finish_reason] => stop\n\
                  \x20               )\n\n        )\n\n    [usage] => Array\n        (\n            [prompt_tokens] => 54\n\
                  \x20           [completion_tokens] => 32\n            [total_tokens] => 86\n            [completion_tokens_details] => Array\n\
                  \x20               (\n                    [reasoning_tokens] => 12\n                )\n\n        )\n\n)\n";
    check(
        answer,
        "openai.chat_completion",
        &["openai gpt-4o-mini: input_text_tokens 54, output_text_tokens 20, output_reasoning_tokens 12"],
    );
    // An object, and one of its fields that is not public.
    let object = answer.replace("Array\n(\n    [id]", "stdClass Object\n(\n    [id:protected]");
    assert_eq!(line(&event(&object)), line(&event(answer)));
}

#[test]
fn an_answer_is_read_as_var_dump_prints_it() {
    let dump = |content: &str| {
        format!(
            "object(stdClass)#35 (5) {{\n  [\"id\"]=>\n  string(11) \"chatcmpl-P2\"\n  [\"object\":protected]=>\n  string(15) \"chat.completion\"\n\
             \x20 [\"model\"]=>\n  string(11) \"gpt-4o-mini\"\n  [\"choices\"]=>\n  array(1) {{\n    [0]=>\n    array(3) {{\n      [\"index\"]=>\n\
             \x20     int(0)\n      [\"text\"]=>\n      {content}\n      [\"logprobs\"]=>\n      NULL\n    }}\n  }}\n  [\"usage\"]=>\n  array(4) {{\n\
             \x20   [\"prompt_tokens\"]=>\n    int(10)\n    [\"prompt_time\"]=>\n    float(0.0036)\n    [\"completion_tokens\"]=>\n    int(7)\n\
             \x20   [\"total_tokens\"]=>\n    int(17)\n  }}\n}}\n"
        )
    };
    for content in ["string(24) \"a \"quoted\" word\n} é more\"", "string(3) \"longer than it says\"", "bool(true)"] {
        check(
            &dump(content),
            "openai.chat_completion",
            &["openai gpt-4o-mini: input_text_tokens 10, output_text_tokens 7 [time_assumed]"],
        );
    }
}

#[test]
fn an_answer_is_read_as_var_export_prints_it() {
    for (open, close) in [("array (", ")"), ("(object) array(", ")"), ("stdClass::__set_state(array(", "))")] {
        let answer = format!(
            "{open}\n  'id' => 'chatcmpl-P3',\n  'object' => 'chat.completion',\n  'model' => 'gpt-4o-mini',\n  'choices' => \n  array (\n    0 => \n\
             \x20   array (\n      'text' => 'It\\'s => (one)',\n      'logprobs' => NULL,\n    ),\n  ),\n  'usage' => \n  {open}\n\
             \x20   'prompt_tokens' => 5,\n    'completion_tokens' => 6,\n    'total_tokens' => 11,\n  {close},\n{close}\n"
        );
        check(
            &answer,
            "openai.chat_completion",
            &["openai gpt-4o-mini: input_text_tokens 5, output_text_tokens 6 [time_assumed]"],
        );
    }
}

const COLLECTED: &str = "2026-07-30T09:00:02.500Z\tinfo\tResourceSpans #0
Resource SchemaURL: 
Resource attributes:
     -> service.name: Str(shop)
ScopeSpans #0
InstrumentationScope opentelemetry.instrumentation.openai_v2 2.1b0
Span #0
    Trace ID       : a7e2722c0a36d000e8df425e350999d0
    Parent ID      : 
    ID             : 24bdac1671f0c883
    Name           : chat gpt-4o-mini
    Start time     : 2026-07-30 09:00:00.25 +0000 UTC
    End time       : 2026-07-30 09:00:02.1 +0000 UTC
Attributes:
     -> gen_ai.system: Str(openai)
     -> gen_ai.request.model: Str(gpt-4o-mini)
     -> gen_ai.prompt: Str(first
     -> gen_ai.usage.input_tokens: Int(999
last)
     -> gen_ai.response.finish_reasons: Slice([\"stop\"])
     -> gen_ai.usage.input_tokens: Int(192)
     -> gen_ai.usage.cache_read.input_tokens: Int(64)
     -> gen_ai.usage.output_tokens: Int(18)
Events:
SpanEvent #0
     -> Name: gen_ai.choice
     -> Attributes::
          -> gen_ai.usage.output_tokens: Int(7)
Span #1
    Trace ID       : a7e2722c0a36d000e8df425e350999d0
    ID             : 24bdac1671f0c884
    Name           : GET
Attributes:
     -> http.request.method: Str(GET)
	{\"kind\": \"exporter\", \"data_type\": \"traces\", \"name\": \"debug\"}
";

#[test]
fn spans_are_read_as_the_collector_prints_them() {
    let expected = "openai gpt-4o-mini: input_text_tokens 128, cache_read_text_tokens 64, output_text_tokens 18";
    check(COLLECTED, "otlp.traces", &[expected]);
    assert_eq!(event(COLLECTED).event_time, "2026-07-30T09:00:00.25Z".parse().unwrap());
    // Docker puts the name of a container before each line.
    let composed: String = COLLECTED.lines().map(|line| format!("otel-collector-1  | {line}\n")).collect();
    check(&composed, "otlp.traces", &[expected]);
    // Metrics between them are none of their attributes; logs are read like spans.
    let metered = COLLECTED.replace(
        "Events:",
        "ResourceMetrics #0\nResource attributes:\n     -> gen_ai.usage.output_tokens: Int(1)\nEvents:",
    );
    check(&metered, "otlp.traces", &[expected]);
    let logged = "ResourceLog #0\nScopeLogs #0\nInstrumentationScope claude\nLogRecord #0\nTimestamp: 2026-07-30 09:00:00 +0000 UTC\n\
                  Body: Str(claude_code.api_request)\nAttributes:\n     -> model: Str(claude-haiku-4-5)\n     -> input_tokens: Str(12)\n\
                  \x20    -> output_tokens: Str(5)\n     -> request_id: Str(req_P4)\nTrace ID: \nSpan ID: \nFlags: 0\n";
    let decoded = super::decoded(logged);
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines, ["anthropic claude-haiku-4-5: input_text_tokens 12, output_text_tokens 5"], "{decoded:#?}");
}

#[test]
fn prints_that_were_cut_off_are_rejected() {
    for payload in [
        "Array\n(\n    [id] => x\n",
        "array(1) {\n  [\"id\"]=>\n  string(4) \"ab",
        "array (\n  'id' => 'x",
        "Array\n(\n)\nmore",
    ] {
        let rejection = super::rejection(payload);
        assert_eq!(rejection.reason.as_str(), "malformed", "{payload}");
    }
    let nested = "Array\n(\n".to_owned() + &"array(1) {\n[0]=>\n".repeat(400);
    assert!(events(&super::decoded(&nested)).is_empty());
    assert!(events(&super::decoded(&"array(1) {\n[0]=>\n".repeat(5000))).is_empty());
}
