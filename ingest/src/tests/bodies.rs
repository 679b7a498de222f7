//! Providers' answers in full, and what is written around them: resources and reports that are no calls, errors in the words of
//! each provider, and answers as clients, recorders and Python keep them. Composed from what is known of the services.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::CostBasis;

use super::{check, check_rejected, decoded, event, events, line};
use crate::{IgnoreReason, Item};

const BODY: &str = r#"{"id":"chatcmpl-W","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
const COUNTED: &str = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":7,"output_tokens":3}}"#;

/// Checks that a record holds nothing but this.
#[track_caller]
fn check_ignored(payload: &str, expected: IgnoreReason) {
    let decoded = decoded(payload);
    let ignored = |item: &Item| matches!(item, Item::Ignored { reason, .. } if *reason == expected);
    assert!(decoded.items.iter().all(ignored), "{payload} is {decoded:#?}");
}

#[track_caller]
fn check_lines(payload: &str, expected: &[&str]) {
    let decoded = decoded(payload);
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines, expected, "{payload} is {decoded:#?}");
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn resources_and_rows_of_reports_are_no_calls() {
    for resource in [
        r#"{"object":"organization.usage.completions.result","input_tokens":5000,"output_tokens":1000,"num_model_requests":5,"model":"gpt-4o"}"#,
        r#"{"id":"e1","object":"eval.run","model":"gpt-5.4","per_model_usage":[{"model_name":"gpt-5.4","prompt_tokens":9,"total_tokens":9}]}"#,
        r#"{"id":"o1","object":"eval.run.output_item","sample":{"model":"gpt-5.4","usage":{"prompt_tokens":1,"total_tokens":1}}}"#,
        r#"{"id":"m1","object":"thread.message.delta","delta":{"content":[]}}"#,
        r#"{"id":"c1","object":"chat.completion.deleted","deleted":true}"#,
        r#"{"object":"list","data":[{"id":"b1","object":"batch","status":"completed","usage":{"input_tokens":9,"output_tokens":1,"total_tokens":10}}],"has_more":false}"#,
        r#"{"id":"msgbatch_1","type":"message_batch","processing_status":"ended","request_counts":{"succeeded":2}}"#,
        r#"{"data":[{"type":"model","id":"claude-sonnet-4-6"}],"has_more":false,"first_id":"a","last_id":"b"}"#,
        r#"{"starting_at":"2026-08-01T00:00:00Z","ending_at":"2026-08-02T00:00:00Z","results":[{"uncached_input_tokens":1,"output_tokens":5}]}"#,
        r#"{"name":"cachedContents/a","model":"models/gemini-2.5-flash","createTime":"2026-08-01T09:00:00Z","usageMetadata":{"totalTokenCount":43130}}"#,
        r#"{"cachedContents":[{"name":"cachedContents/a","usageMetadata":{"totalTokenCount":43130}}]}"#,
        r#"{"custom_id":"r1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-5.4","messages":[]}}"#,
        r#"{"inputTokens":12}"#,
        r#"{"model":"llama3.2","created_at":"2026-08-01T09:00:00Z","response":"","done":true,"done_reason":"load"}"#,
        r#"{"id":"cgt-1","model":"doubao-seedance-1-0-pro","status":"running","created_at":1785578390}"#,
        r#"{"id":"2024","model":"glm-4.6","request_id":"r","task_status":"PROCESSING"}"#,
        r#"{"id":"b1","status":"Pending","result":null,"progress":0.4}"#,
    ] {
        check_ignored(resource, IgnoreReason::StatusOnly);
    }
    let row =
        r#"{"uncached_input_tokens":1500,"cache_read_input_tokens":200,"output_tokens":500,"model":"claude-opus-4-1"}"#;
    check_ignored(row, IgnoreReason::RunSummary);
}

#[test]
fn pages_of_stored_answers_are_calls_each() {
    let stored = format!(
        r#"{{"object":"list","data":[{BODY},{}],"first_id":"a","last_id":"b","has_more":false}}"#,
        BODY.replace("chatcmpl-W", "chatcmpl-X")
    );
    check(&stored, "records", &[COUNTED, COUNTED]);
    check(
        r#"{"object":"list","data":[{"id":"run_1","object":"thread.run","created_at":1785578390,"status":"completed","model":"gpt-4o",
            "usage":{"prompt_tokens":12,"completion_tokens":4,"total_tokens":16}}],"has_more":false}"#,
        "records",
        &["openai gpt-4o: input_text_tokens 12, output_text_tokens 4"],
    );
    // What has usage of its own is an answer, whether it names its model or not.
    check(
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
        "openai.embedding",
        &["unknown unknown: input_text_tokens 8 [id_from_position, time_assumed]"],
    );
}

#[test]
fn errors_are_failed_calls_in_whatever_words() {
    for error in [
        r#"{"statusCode":401,"message":"Unauthorized"}"#,
        r#"{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required","input":{}}]}"#,
        r#"{"object":"error","message":{"detail":[]},"type":"invalid_request_error","param":null,"code":null,"raw_status_code":422}"#,
        r#"{"message":"invalid api token"}"#,
        r#"{"__type":"ThrottlingException","message":"Too many requests"}"#,
        r#"{"Error":{"Message":"Too many","Code":"ThrottlingException"},"ResponseMetadata":{"HTTPStatusCode":429}}"#,
        r#"{"throttlingException":{"message":"Too many requests"}}"#,
        r#"{"code":"Client specified an invalid argument","error":"Model not found"}"#,
        r#"{"error":"model not found"}"#,
        r#"{"error":["too long"],"warnings":["w"]}"#,
        r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"x"}"#,
        r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"r"}"#,
        r#"{"error_code":17,"error_msg":"daily limit","id":"as-1"}"#,
        r#"{"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#,
        r#"{"id":"x","choices":null,"model":"MiniMax-M2","object":"","usage":{"total_tokens":0},"base_resp":{"status_code":1008,"status_msg":"x"}}"#,
        r#"{"detail":{"status":"quota_exceeded","message":"x"}}"#,
        r#"{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials.","request_id":"r"}"#,
        r#"{"id":"x","name":"bad_request","errors":["some-field: is required"]}"#,
        r#"{"result":null,"success":false,"errors":[{"code":10000,"message":"x"}],"messages":[]}"#,
        r#"{"type":"error","code":"rate_limit_exceeded","message":"x","param":null,"sequence_number":3}"#,
        r#"{"id":"9ea6","acoustic_model":"a","status":"error","audio_url":"x","audio_duration":null,"error":"Download error"}"#,
    ] {
        check_ignored(error, IgnoreReason::FailedCall);
    }
    // What only has a message beside other things is no answer at all.
    for other in [r#"{"level":"info","message":"hello","timestamp":1785578390}"#, r#"{"message":"{}"}"#] {
        check_rejected(other, "unknown_format", "", &[]);
    }
}

#[test]
fn what_was_recorded_with_a_status_of_an_error_is_a_failed_call_whatever_its_body() {
    for recorded in [
        r#"{"status":429,"headers":{"retry-after":"1"},"body":"Too Many Requests"}"#.to_owned(),
        r#"{"request":{"url":"https://api.openai.com/v1/chat/completions","body":{"model":"gpt-5.4"}},
            "response":{"status":502,"headers":{},"body":"<html></html>"}}"#
            .to_owned(),
        r#"{"status":{"code":503,"message":"x"},"headers":{},"body":""}"#.to_owned(),
        r#"{"status_code":500,"response":null,"request":{"model":"gpt-5.4"}}"#.to_owned(),
        "HTTP/2 429 \r\nretry-after: 1\r\n\r\nrate limited".to_owned(),
    ] {
        check_ignored(&recorded, IgnoreReason::FailedCall);
    }
    // A call that was counted all the same is billed.
    check_lines(&format!(r#"{{"status":499,"headers":{{}},"body":{}}}"#, quoted(BODY)), &[COUNTED]);
}

#[test]
fn an_answer_is_found_under_any_name_but_that_of_a_question() {
    let text = quoted(BODY);
    for logged in [
        format!(r#"{{"req":{{"model":"gpt-5.4"}},"res":{BODY}}}"#),
        format!(r#"{{"llm_request":{{}},"llm_response":{BODY}}}"#),
        format!(r#"{{"rawRequest":"{{}}","rawResponse":{text}}}"#),
        format!(r#"{{"calls":[{{"request":{{}},"response":{BODY}}}]}}"#),
        format!(
            r#"{{"http_interactions":[{{"request":{{}},"response":{{"body":{{"encoding":"UTF-8","string":{text}}}}}}}]}}"#
        ),
        format!(r#"{{"mappings":[{{"request":{{}},"response":{{"status":200,"jsonBody":{BODY}}}}}]}}"#),
        format!(r#"{{"data":{{"pairs":[{{"request":{{}},"response":{{"status":200,"body":{text}}}}}]}},"meta":{{}}}}"#),
        format!(r#"{{"raw_completion":{BODY},"parsed":{BODY}}}"#),
    ] {
        check_lines(&logged, &[COUNTED]);
    }
    // A question may quote an answer; and of two that differ, neither may be lost.
    for logged in [
        format!(r#"{{"id":"1","question":{text},"note":"it is a completion"}}"#),
        format!(r#"{{"messages":[{BODY}]}}"#),
        format!(r#"{{"first":{BODY},"second":{MESSAGE}}}"#),
    ] {
        check_rejected(&logged, "unknown_format", "", &[]);
    }
}

#[test]
fn encoded_bodies_and_frames_that_were_kept_as_texts_are_read() {
    let encoded = STANDARD.encode(BODY);
    for recorded in [
        encoded.clone(),
        format!(r#"{{"statusCode":200,"isBase64Encoded":true,"body":"{encoded}"}}"#),
        format!(
            r#"{{"log":{{"entries":[{{"request":{{"url":"https://api.openai.com/v1/chat/completions"}},
            "response":{{"status":200,"content":{{"mimeType":"application/json","encoding":"base64","text":"{encoded}"}}}}}}]}}}}"#
        ),
        format!(r#"{{"message":{{"data":"{encoded}","messageId":"1"}},"subscription":"s"}}"#),
    ] {
        check_lines(&recorded, &[COUNTED]);
    }
    let start = format!(r#"{{"type":"message_start","message":{MESSAGE}}}"#);
    let delta = r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":15}}"#;
    let counted = "anthropic claude-sonnet-4-6: input_text_tokens 7, output_text_tokens 15 [time_assumed]";
    let frames = format!("[{},{}]", quoted(&format!("data: {start}\n\n")), quoted(&format!("data: {delta}\n\n")));
    check_lines(&frames, &[counted]);
    check_lines(&format!(r#"{{"response":{frames}}}"#), &[counted]);
    let commented = quoted(&format!(": ping\n\ndata: {start}\n\ndata: {delta}\n\n"));
    check_lines(&format!(r#"{{"status":200,"data":{commented}}}"#), &[counted]);
}

#[test]
fn what_python_prints_is_read_as_the_json_it_would_have_been() {
    for printed in [
        r#"{'id': 'chatcmpl-W', 'object': 'chat.completion', 'created': 1785578390, 'model': 'gpt-5.4', 'stored': True,
            'choices': [{'message': {'content': "it's \u00e9 \x41", 'refusal': None}, 'at': datetime.datetime(2026, 8, 1)}],
            'usage': {'prompt_tokens': 10, 'completion_tokens': 5, 'total_tokens': 15}}"#,
        r#"ChatCompletion(id='chatcmpl-W', choices=[Choice(finish_reason='stop', index=0, message=ChatCompletionMessage(content='(a=b)',
            role='assistant', tool_calls=None))], created=1785578390, model='gpt-5.4', object='chat.completion',
            pair=(1,), usage=CompletionUsage(completion_tokens=5, prompt_tokens=10, total_tokens=15))"#,
    ] {
        check_lines(printed, &[COUNTED]);
        check_lines(&format!(r#"{{"response":{}}}"#, quoted(printed)), &[COUNTED]);
    }
    check_lines(
        "GenerateContentResponse(candidates=[Candidate(finish_reason=<FinishReason.STOP: 'STOP'>)], model_version='gemini-2.5-flash',
            usage_metadata=GenerateContentResponseUsageMetadata(candidates_token_count=9, prompt_token_count=5, prompt_tokens_details=[
            ModalityTokenCount(modality=<MediaModality.TEXT: 'TEXT'>, token_count=5)], total_token_count=14))",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 5, output_text_tokens 9 [id_from_position, time_assumed]"],
    );
    for broken in ["Name(", "{'a': 'b", "{'a': <b", "Name(a=(1, 2)", "{'a': \\", "{'a': '\\u12"] {
        assert!(matches!(decoded(broken).items[..], [Item::Rejected(_)]), "{broken}");
    }
    check_lines(
        "model_version='gemini-2.5-flash' parsed=None headers=<dict len=11> usage_metadata=Usage(prompt_token_count=5, \
         candidates_token_count=9, total_token_count=14)",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 5, output_text_tokens 9 [id_from_position, time_assumed]"],
    );
    let deep = format!("Name(a={}{})", "(".repeat(200), ")".repeat(200));
    assert!(matches!(decoded(&deep).items[..], [Item::Rejected(_)]));
}

#[test]
fn what_javascript_prints_is_read_too() {
    let printed = "{\n  id: 'chatcmpl-W',\n  object: 'chat.completion',\n  created: 1785578390,\n  model: 'gpt-5.4',\n  request: undefined,
        choices: [ { index: 0, message: [Object], text: 'a' +\n  \"b'\" } ],\n  headers: Headers { a: `x` },
        usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }\n}";
    check_lines(printed, &[COUNTED]);
}

#[test]
fn what_is_too_deep_or_too_long_to_be_printed_is_left_out() {
    for printed in [
        "ChatCompletion {\n  id: 'chatcmpl-W', object: 'chat.completion', created: 1785578390, model: 'gpt-5.4',
            choices: [ { index: 0, message: [Object] }, ... 2 more items ],
            usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, prompt_tokens_details: [Object] }\n}",
        "{ id: 'chatcmpl-W', object: 'chat.completion', created: 1785578390, model: 'gpt-5.4', choices: [Array], self: [Circular *1],
            headers: [Object: null prototype] { a: 'b' }, usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } }",
    ] {
        check_lines(printed, &[COUNTED]);
    }
}

#[test]
fn what_ruby_and_elixir_print_is_read_too() {
    for printed in [
        r#"{"id"=>"chatcmpl-W", "object"=>"chat.completion", "created"=>1785578390, "model"=>"gpt-5.4", "choices"=>[{"index"=>0,
            "logprobs"=>nil}], "usage"=>{"prompt_tokens"=>10, "completion_tokens"=>5, "total_tokens"=>15}}"#,
        r#"{:id=>"chatcmpl-W", :object=>"chat.completion", :created=>1785578390, :model=>"gpt-5.4", :choices=>[{:kind=>:text}],
            :usage=>{:prompt_tokens=>10, :completion_tokens=>5, :total_tokens=>15}}"#,
        r#"%{"id" => "chatcmpl-W", "object" => "chat.completion", "created" => 1785578390, "model" => "gpt-5.4", "choices" => [%{}],
            "usage" => %{"prompt_tokens" => 10, "completion_tokens" => 5, "total_tokens" => 15}}"#,
    ] {
        check_lines(printed, &[COUNTED]);
    }
}

#[test]
fn what_python_prints_on_several_lines_is_read_whole() {
    let texts = [
        r#""""It's a "path"
of lines\n""""#,
        "'one '\n 'after the other'",
        "'''a'b'''",
    ];
    for text in texts {
        let printed = format!(
            "sdk_http_response=HttpResponse(\n  headers=<dict len=11>\n) candidates=[Candidate(\n  content=Content(parts=[Part(\n
            text={text},\n thought=True)], role='model'),\n  finish_reason=<FinishReason.STOP: 'STOP'>\n)] create_time=None
            model_version='gemini-2.5-pro' response_id='r77' usage_metadata=Usage(\n  candidates_token_count=9,\n  prompt_token_count=5,\n
            thoughts_token_count=20, total_token_count=34)"
        );
        check_lines(
            &printed,
            &[
                "gcp.gemini gemini-2.5-pro: input_text_tokens 5, output_text_tokens 9, output_reasoning_tokens 20 [time_assumed]",
            ],
        );
    }
}

#[test]
fn times_of_python_are_told_by_their_parts() {
    let printed = |time: &str| {
        format!(
            "ModelResponse(parts=[TextPart(content='ok')], usage=RequestUsage(input_tokens=51, cache_read_tokens=20, output_tokens=5), \
             model_name='gpt-5.4', timestamp={time}, provider_name='openai', id=UUID('a-b'), provider_response_id='chatcmpl-P')"
        )
    };
    let counted = "openai gpt-5.4: input_text_tokens 31, cache_read_text_tokens 20, output_text_tokens 5";
    for time in [
        "datetime.datetime(2026, 7, 1, 10, 30, 15, 250000, tzinfo=datetime.timezone.utc)",
        "datetime.datetime(2026, 7, 1, 10, 30, 15, 250000, tzinfo=TzInfo(UTC))",
        "datetime.datetime(2026, 7, 1, 10, 30, 15, 250000)",
    ] {
        check_lines(&printed(time), &[counted]);
        assert_eq!(events(&decoded(&printed(time)))[0].event_time.to_string(), "2026-07-01T10:30:15.250Z", "{time}");
    }
    let elsewhere = "datetime.datetime(2026, 7, 1, 10, 30, tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin'))";
    check_lines(&printed(elsewhere), &[&format!("{counted} [time_assumed]")]);
}

#[test]
fn what_is_nested_deeply_is_looked_into_once_on_each_level() {
    for (open, close) in [
        (r#"{"status":500,"headers":{"x-amzn-bedrock-input-token-count":"1"},"x":"#, "}"),
        (r#"{"status":500,"headers":{},"usage":{"prompt_tokens":1},"response":"#, "}"),
        (r#"{"usage":{"input_tokens":1},"response":"#, "}"),
        (r#"{"records":["#, "]}"),
        (r#"{"log":{"entries":["#, "]}}"),
        (r#"{"object":"list","data":["#, "]}"),
        (r#"{"x":["#, "]}"),
    ] {
        let levels = 120 / open.matches(['{', '[']).count().min(2);
        let levels = levels.min(if open.contains("entries") { 38 } else { 58 });
        let nested = format!("{}{{}}{}", open.repeat(levels), close.repeat(levels));
        assert!(!decoded(&nested).items.is_empty());
    }
}

#[test]
fn what_a_gateway_gave_out_of_its_cache_was_no_call() {
    for header in
        [r#""helicone-cache":"HIT""#, r#""x-portkey-cache-status":"SEMANTIC HIT""#, r#""cf-aig-cache-status":"HIT""#]
    {
        let recorded = format!(r#"{{"status":200,"headers":{{{header}}},"body":{BODY}}}"#);
        assert_eq!(event(&recorded).cost_basis, CostBasis::GatewayCache);
    }
    let missed = format!(r#"{{"status":200,"headers":{{"helicone-cache":"MISS"}},"body":{BODY}}}"#);
    assert_eq!(event(&missed).cost_basis, CostBasis::OnDemand);
}

#[test]
fn events_of_a_session_in_an_envelope_each_have_its_model() {
    let wrapped = |event: &str| format!(r#"{{"ts":"2026-08-01T09:00:00Z","direction":"in","event":{event}}}"#);
    let done =
        r#"{"type":"response.done","response":{"object":"realtime.response","id":"resp_r1","usage":{"total_tokens":15,
        "input_tokens":10,"output_tokens":5}}}"#
            .replace('\n', "");
    let session = r#"{"type":"session.created","session":{"id":"s1","model":"gpt-realtime","audio":{"input":{"transcription":{"model":"whisper-1"}}}}}"#;
    let heard = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"x","usage":{"type":"duration","seconds":3}}"#;
    let decoded = decoded(&[wrapped(session), wrapped(&done), wrapped(heard)].join("\n"));
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "openai gpt-realtime: input_text_tokens 10, output_text_tokens 5",
            "openai whisper-1: input_audio_seconds 3 [id_from_position]"
        ]
    );
}

#[test]
fn the_last_head_of_a_recorded_answer_counts_and_says_when_it_was() {
    let recorded = format!(
        "HTTP/1.1 200 Connection established\r\n\r\nHTTP/2 200 \r\ndate: Sat, 01 Aug 2026 09:00:00 GMT\r\n\r\n{MESSAGE}"
    );
    let event = event(&recorded);
    assert_eq!(line(&event), "anthropic claude-sonnet-4-6: input_text_tokens 7, output_text_tokens 3");
    assert_eq!(event.event_time.to_string(), "2026-08-01T09:00:00Z");
}

#[test]
fn who_served_an_answer_is_told_by_its_address_or_its_head() {
    let body = BODY.replace("gpt-5.4", "m");
    for (recorded, provider) in [
        (format!(r#"{{"status":200,"url":"https://api.groq.com/openai/v1/chat/completions","body":{body}}}"#), "groq"),
        (
            format!(
                r#"{{"status":200,"config":{{"url":"https://a.openai.azure.com/openai/deployments/d/chat"}},"data":{body}}}"#
            ),
            "azure.ai.openai",
        ),
        (format!(r#"{{"status":200,"headers":[["x-ms-deployment-name","d"]],"body":{body}}}"#), "azure.ai.openai"),
    ] {
        assert!(line(&event(&recorded)).starts_with(&format!("{provider} m: ")), "{recorded}");
    }
}

#[test]
fn fields_of_one_provider_alone_name_it_and_nulls_do_not() {
    let chat = |model: &str, more: &str, usage: &str| {
        event(&format!(
            r#"{{"id":"c1","object":"chat.completion","created":1785578390,"model":"{model}","choices":[]{more},
            "usage":{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15{usage}}}}}"#
        ))
    };
    for (model, more, usage, provider) in [
        ("gpt-5.4", r#","content_filters":null,"prompt_filter_results":null"#, "", "openai"),
        ("ernie-4.5", r#","search_results":[]"#, "", "unknown"),
        ("sonar-pro", r#","search_results":[]"#, "", "perplexity"),
        ("Llama-3.3", "", r#","acceptance_rate":3.1"#, "sambanova"),
        ("Llama-3.3", "", r#","estimated_cost":0.0000025"#, "deepinfra"),
        ("Llama-3.3", r#","prompt":[]"#, "", "together_ai"),
        ("MiniMax-M2", r#","base_resp":{"status_code":0}"#, "", "minimax"),
        ("accounts/fireworks/models/a", "", "", "fireworks"),
        ("doubao-seed-1-6", "", "", "volcengine"),
        ("gpt-3.5-turbo", r#","timings":{"prompt_n":10,"predicted_n":5}"#, "", "llama_cpp"),
        ("qwen3", r#","stats":{},"runtime":{}"#, "", "lm_studio"),
    ] {
        let event = chat(model, more, usage);
        assert_eq!(event.provider, provider, "{model} {more} {usage}");
        let own = matches!(provider, "llama_cpp" | "lm_studio");
        assert_eq!(event.cost_basis == CostBasis::SelfHosted, own);
    }
    let filtered = BODY.replace(r#""choices":[]"#, r#""choices":[{"index":0,"content_filter_results":{}}]"#);
    assert_eq!(event(&filtered).provider, "azure.ai.openai");
}

#[test]
fn vercels_gateway_says_whom_it_asked_and_what_it_cost() {
    let gateway = r#"{"gateway":{"routing":{"finalProvider":"anthropic"},"cost":"0.0006","generationId":"gen_1"}}"#;
    let usage = r#""usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"is_byok":false}"#;
    for told in [
        format!(r#""choices":[],"provider_metadata":{gateway}"#),
        format!(r#""choices":[{{"message":{{"content":"x","provider_metadata":{gateway}}}}}]"#),
    ] {
        let event = event(&format!(
            r#"{{"id":"gen_1","object":"chat.completion","created":1785578390,"model":"anthropic/claude-sonnet-4.5",{told},{usage}}}"#
        ));
        assert_eq!(
            line(&event),
            "vercel anthropic/claude-sonnet-4.5: input_text_tokens 10, output_text_tokens 5 [id_from_position]"
        );
        assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.0006");
    }
}

#[test]
fn what_mistral_heard_in_a_stream_is_one_transcription() {
    let stream = [
        r#"{"type":"transcription.language","audio_language":"en"}"#,
        r#"{"type":"transcription.text.delta","text":"x"}"#,
        r#"{"type":"transcription.done","model":"voxtral-mini-2507","text":"x","segments":[],"usage":{"prompt_audio_seconds":3,
            "prompt_tokens":4,"completion_tokens":10,"total_tokens":60}}"#,
    ];
    let decoded = decoded(&format!("[{}]", stream.join(",")));
    let [event] = events(&decoded)[..] else { panic!("{decoded:#?}") };
    assert_eq!(&*event.operation, "transcription");
    assert!(line(event).starts_with(
        "mistral_ai voxtral-mini-2507: input_text_tokens 4, output_text_tokens 10, input_audio_seconds 3 "
    ));
    assert!(!decoded.items.iter().any(|item| matches!(item, Item::Rejected(_))));
}

#[test]
fn pictures_and_sound_of_those_who_count_no_tokens_are_counted() {
    let place = "[id_from_position, time_assumed]";
    for (answer, expected) in [
        (r#"{"images":["iVBOR"],"maskImage":null,"error":null}"#, "aws.bedrock unknown: output_images 1"),
        (r#"{"seeds":[1,2],"finish_reasons":[null,null],"images":["a","b"]}"#, "aws.bedrock unknown: output_images 2"),
        (r#"{"artifacts":[{"base64":"A","finishReason":"SUCCESS","seed":1}]}"#, "stability unknown: output_images 1"),
        (r#"{"image":"AAA","finish_reason":"SUCCESS","seed":1}"#, "stability unknown: output_images 1"),
        (
            r#"{"id":"b1","status":"Ready","result":{"sample":"https://x","seed":1}}"#,
            "black_forest_labs unknown: output_images 1",
        ),
        (
            r#"{"images":[{"url":"https://x","content_type":"image/jpeg"}],"seed":1,"prompt":"x"}"#,
            "fal unknown: output_images 1",
        ),
        (
            r#"{"id":"a1","status":"completed","audio_url":"x","speech_model":"universal","text":"x","audio_duration":281}"#,
            "assemblyai universal: input_audio_seconds 281",
        ),
        (
            r#"{"language_code":"en","language_probability":0.98,"text":"x","words":[],"audio_duration_secs":12.3}"#,
            "elevenlabs unknown: input_audio_seconds 12.3",
        ),
        (
            r#"{"status":200,"headers":{"character-cost":"11","content-type":"audio/mpeg"},"body":""}"#,
            "elevenlabs unknown: input_characters 11",
        ),
    ] {
        // A job has an id, which its answer has whenever somebody looks at it.
        let place = if answer.starts_with(r#"{"id":"#) { "[time_assumed]" } else { place };
        check_lines(answer, &[&format!("{expected} {place}")]);
    }
    check_lines(
        r#"{"text":"x","x_groq":{"id":"req_01"}}"#,
        &["groq unknown:  [id_from_position, time_assumed, usage_missing]"],
    );
}

#[test]
fn units_that_others_than_openai_count_are_read_where_they_stand() {
    let place = "[id_from_position, time_assumed]";
    for (answer, expected) in [
        (
            r#"{"model":"bge-reranker","data":[{"index":0,"score":0.9}],"usage":{"rerank_units":1}}"#,
            format!("pinecone bge-reranker: rerank_searches 1 {place}"),
        ),
        (
            r#"{"api":"2.0","content":{},"elements":[],"model":"document-parse","usage":{"pages":3}}"#,
            format!("upstage document-parse: ocr_pages 3 {place}"),
        ),
        (
            r#"{"id":"cgt-1","model":"doubao-seedance-1-0-pro","status":"succeeded","content":{"video_url":"x"},
                "usage":{"completion_tokens":246840,"total_tokens":246840},"created_at":1785578390}"#,
            "volcengine doubao-seedance-1-0-pro: output_text_tokens 246840".to_owned(),
        ),
        (
            r#"{"embeddings":[[0.1]],"usage":{"prompt_tokens":10,"total_tokens":10},"model":"nomic"}"#,
            format!("unknown nomic: input_text_tokens 10 {place}"),
        ),
    ] {
        check_lines(answer, &[&expected]);
    }
    let converse = event(
        r#"{"$metadata":{"httpStatusCode":200,"requestId":"r2"},"output":{},"stopReason":"end_turn",
            "usage":{"inputTokens":22,"outputTokens":70,"totalTokens":92}}"#,
    );
    assert_eq!(&*converse.call_key, "aws.bedrock/r2");
}

#[test]
fn places_of_a_map_that_support_an_answer_are_billed_by_the_prompt() {
    check_lines(
        r#"{"candidates":[{"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"maps":{"uri":"x"}},{"maps":{"uri":"y"}}]}}],
            "usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":12,"totalTokenCount":20},"modelVersion":"gemini-2.5-flash"}"#,
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 8, output_text_tokens 12, maps_groundings 1 \
           [id_from_position, time_assumed]"],
    );
}

#[test]
fn a_streamed_conversation_of_mistral_is_one_call() {
    let stream = [
        r#"{"type":"conversation.response.started","created_at":"2026-08-01T09:00:00Z","conversation_id":"conv_9"}"#,
        r#"{"type":"message.output.delta","id":"m","model":"mistral-medium-2505","role":"assistant","content":"x"}"#,
        r#"{"type":"conversation.response.done","usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}"#,
    ];
    let stream: String = stream.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    check(
        &stream,
        "openai.chat_completion",
        &["mistral_ai mistral-medium-2505: input_text_tokens 10, output_text_tokens 20 [id_from_position]"],
    );
}

#[test]
fn choices_may_stand_beside_counts_in_the_spelling_of_the_responses() {
    check(
        r#"{"model":"gpt-5.4","choices":[{"message":{"role":"assistant","content":"x"}}],
        "usage":{"input_tokens":100,"output_tokens":20,"total_tokens":120,"reasoning_tokens":5}}"#,
        "openai.chat_completion",
        &["openai gpt-5.4: input_text_tokens 100, output_text_tokens 15, output_reasoning_tokens 5 \
           [id_from_position, time_assumed]"],
    );
}

#[test]
fn bedrocks_log_counts_pictures_and_no_tokens_that_were_only_counted() {
    let entry = |operation: &str, model: &str, body: &str| {
        format!(
            r#"{{"schemaType":"ModelInvocationLog","timestamp":"2026-08-01T09:59:50Z","region":"us-east-1","requestId":"b1",
            "operation":"{operation}","modelId":"{model}","input":{{"inputBodyJson":{{}}}},"output":{{"outputBodyJson":{body}}}}}"#
        )
    };
    check(
        &entry("InvokeModel", "amazon.nova-canvas-v1:0", r#"{"images":["a","b"]}"#),
        "bedrock.invocation_log",
        &["aws.bedrock amazon.nova-canvas-v1:0: output_images 2"],
    );
    let counted = decoded(&entry("CountTokens", "anthropic.claude-sonnet-4", r#"{"inputTokens":8}"#));
    let ignored = matches!(counted.items[..], [Item::Ignored { reason: IgnoreReason::StatusOnly, .. }]);
    assert!(ignored, "{counted:?}");
}
