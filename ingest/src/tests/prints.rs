//! What programs print of answers and spans rather than keep them as JSON, composed after prints that others published.

use super::{check, decoded, event, events, line};

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
fn long_prints_take_no_more_than_their_length() {
    // Anything that looks for the end again at every step would take minutes.
    let resource = format!("ResourceSpans #0\nResource attributes:\n     -> a: Str({})\n", "x".repeat(300_000));
    let spans = format!("{resource}{}", "InstrumentationScope a 1\nSpan #0\n".repeat(20_000));
    let exported = format!("array (\n{})\n", "  0 => \n  array (\n  ),\n".repeat(40_000));
    let printed = format!("ChatCompletion{{id=a, usage=CompletionUsage{{{}a=1}}}}", "a=1, ".repeat(200_000));
    for payload in [spans, exported, printed] {
        assert!(events(&decoded(&payload)).is_empty());
    }
}

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
    let decoded = decoded(logged);
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
    assert!(events(&decoded(&nested)).is_empty());
    assert!(events(&decoded(&"array(1) {\n[0]=>\n".repeat(5000))).is_empty());
}

#[test]
fn answers_are_read_as_sdks_of_java_and_go_print_them() {
    let said = "a {b}, model=none, usage=CompletionUsage{completionTokens=1, promptTokens=2}";
    let java = format!(
        "ChatCompletion{{id=chatcmpl-P5, choices=[Choice{{finishReason=stop, index=0, logprobs=, message=ChatCompletionMessage{{content={said}, \
         refusal=, role=assistant, additionalProperties={{}}}}, additionalProperties={{}}}}], created=1785402000, model=gpt-4o-mini, \
         object_=chat.completion, serviceTier=default, systemFingerprint=, usage=CompletionUsage{{completionTokens=66, promptTokens=10, totalTokens=76, \
         completionTokensDetails=, promptTokensDetails=PromptTokensDetails{{audioTokens=, cachedTokens=4, additionalProperties={{}}}}, \
         additionalProperties={{}}}}, additionalProperties={{}}}}"
    );
    check(
        &java,
        "openai.chat_completion",
        &["openai gpt-4o-mini: input_text_tokens 6, cache_read_text_tokens 4, output_text_tokens 66"],
    );
    let found = event(&java);
    assert_eq!(
        (&*found.call_key, found.price_context.service_tier.as_deref()),
        ("openai/chatcmpl-P5", Some("default"))
    );
    check(
        "Message{id=msg_P6, content=[ContentBlock{text=TextBlock{citations=null, text=Hi, type=text}}], model=claude-haiku-4-5, role=assistant, \
         stopReason=end_turn, type=message, usage=Usage{cacheCreation=CacheCreation{ephemeral1hInputTokens=2, ephemeral5mInputTokens=5}, \
         cacheCreationInputTokens=7, cacheReadInputTokens=3, inputTokens=10, outputTokens=12, serverToolUse=null, serviceTier=standard, \
         additionalProperties={}}, additionalProperties={}}",
        "anthropic.message",
        &[
            "anthropic claude-haiku-4-5: input_text_tokens 10, cache_read_text_tokens 3, cache_write_5m_tokens 5, cache_write_1h_tokens 2, \
           output_text_tokens 12 [time_assumed]",
        ],
    );
    check(
        "{ID:chatcmpl-P7 Object:chat.completion Created:1785402000 Model:gpt-4o-mini Choices:[{Index:0 Message:{Role:assistant Content:Hi there \
         Name: FunctionCall:<nil>} FinishReason:stop}] Usage:{PromptTokens:9 CompletionTokens:12 TotalTokens:21 PromptTokensDetails:<nil> \
         CompletionTokensDetails:0xc0001} SystemFingerprint:fp_1}",
        "openai.chat_completion",
        &["openai gpt-4o-mini: input_text_tokens 9, output_text_tokens 12"],
    );
    // Cut off before its usage ends.
    assert!(events(&decoded(&java[..java.len() - 80])).is_empty());
}

#[test]
fn what_may_be_there_and_is_counts_in_prints_of_rust_and_swift() {
    let usage = "usage: Some(CompletionUsage { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21, prompt_tokens_details: \
                 Some(PromptTokensDetails { audio_tokens: Some(0), cached_tokens: Some(4) }), completion_tokens_details: None })";
    check(
        &format!(
            "CreateChatCompletionResponse {{ id: \"chatcmpl-P8\", choices: [ChatChoice {{ index: 0, message: Message {{ content: Some(\"Hi \\\"x\\\")\") }}, \
             finish_reason: Some(Stop) }}], created: 1785402000, model: \"gpt-4o-mini\", service_tier: Some(Default), object: \"chat.completion\", {usage} }}"
        ),
        "openai.chat_completion",
        &["openai gpt-4o-mini: input_text_tokens 5, cache_read_text_tokens 4, output_text_tokens 12"],
    );
    check(
        "ChatResult(id: \"chatcmpl-P9\", object: \"chat.completion\", created: 1785402000.0, model: \"gpt-4o-mini\", choices: [], \
         usage: Optional(OpenAI.ChatResult.CompletionUsage(completionTokens: 12, promptTokens: 9, totalTokens: 21)))",
        "openai.chat_completion",
        &["unknown gpt-4o-mini: input_text_tokens 9, output_text_tokens 12 [id_from_position]"],
    );
}

#[test]
fn snapshots_are_read_with_their_names_and_their_lists_on_several_lines() {
    check(
        "Object {\n  \"choices\": Array [\n    Object {\n      \"index\": 0,\n    },\n  ],\n  \"id\": \"chatcmpl-P10\",\n  \"model\": \"gpt-4o-mini\",\n\
         \x20 \"object\": \"chat.completion\",\n  \"usage\": Object {\n    \"completion_tokens\": 5,\n    \"prompt_tokens\": 9,\n  },\n}",
        "openai.chat_completion",
        &["openai gpt-4o-mini: input_text_tokens 9, output_text_tokens 5 [time_assumed]"],
    );
    let dumped = decoded(
        "[\n    ModelRequest(parts=[UserPromptPart(content='a', timestamp=IsDatetime())], run_id=IsStr()),\n    ModelResponse(\n\
         \x20       parts=[TextPart(content='b')],\n        usage=RequestUsage(input_tokens=20, cache_read_tokens=4, output_tokens=8),\n\
         \x20       model_name='claude-haiku-4-5',\n        timestamp=IsDatetime(),\n        provider_name='anthropic',\n\
         \x20       provider_response_id=IsStr(),\n    ),\n]",
    );
    let lines: Vec<String> = events(&dumped).into_iter().map(line).collect();
    let expected = "anthropic claude-haiku-4-5: input_text_tokens 16, cache_read_text_tokens 4, output_text_tokens 8 [id_from_position, time_assumed]";
    assert_eq!((lines, dumped.items.len()), (vec![expected.to_owned()], 2), "{dumped:#?}");
}

#[test]
fn numbers_that_are_none_and_commas_too_many_do_not_spoil_an_answer() {
    let answer = |chance: &str, end: &str| {
        format!(
            r#"{{"id":"chatcmpl-P11","object":"chat.completion","model":"gpt-4o-mini","choices":[{{"logprobs":{{"content":[{{"token":"NaN","logprob":{chance}}}]}}}}],
            "usage":{{"prompt_tokens":9,"completion_tokens":12{end}}}}}"#
        )
    };
    for payload in [answer("NaN", ""), answer("-Infinity", ""), answer("Infinity", ","), answer("-0.5", ",\n  ")] {
        check(
            &payload,
            "openai.chat_completion",
            &["openai gpt-4o-mini: input_text_tokens 9, output_text_tokens 12 [time_assumed]"],
        );
    }
    // A count that is no number is still none.
    let rejection = super::rejection(&answer("NaN", "").replace(":9,", ":NaN,"));
    assert_eq!(&*rejection.field, "usage.prompt_tokens");
}

#[test]
fn spans_that_javascript_prints_whole_keep_their_identity_and_their_time() {
    let span = |id: &str, operation: &str| {
        format!(
            "SpanImpl {{\n    _spanContext: {{ traceId: '7af2c8f4d81a7e4d8365d24342d58833', spanId: '{id}', traceState: undefined }},\n\
             \x20   parentSpanContext: {{ traceId: '7af2c8f4d81a7e4d8365d24342d58833', spanId: '84acc5ea845f2bf9' }},\n    attributes: {{\n\
             \x20     'ai.operationId': '{operation}',\n      'ai.model.id': 'gemini-2.5-flash',\n      'gen_ai.system': 'google.vertex.chat',\n\
             \x20     'gen_ai.request.model': 'gemini-2.5-flash',\n      'gen_ai.usage.input_tokens': 2,\n      'gen_ai.usage.output_tokens': 22\n    }},\n\
             \x20   startTime: [ 1785402000, 289000000 ],\n    resource: ResourceImpl {{ _rawAttributes: [Array] }},\n    name: 'generate_text',\n\
             \x20   _spanLimits: {{ attributeValueLengthLimit: Infinity }},\n    _performanceOffset: -0.59\n  }}"
        )
    };
    let printed = format!(
        "[\n  {},\n  {}\n]",
        span("84acc5ea845f2bf7", "ai.generateText.doGenerate"),
        span("84acc5ea845f2bf8", "ai.generateText")
    );
    check(&printed, "otel.span", &["gcp.vertex_ai gemini-2.5-flash: input_text_tokens 2, output_text_tokens 22"]);
    let found = event(&printed);
    assert_eq!(&*found.call_key, "span/7af2c8f4d81a7e4d8365d24342d58833/84acc5ea845f2bf7");
    assert_eq!(found.event_time, "2026-07-30T09:00:00.289Z".parse().unwrap());
}

#[test]
fn what_google_prints_of_an_answer_is_made_of_a_dictionary() {
    check(
        "response:\nGenerateContentResponse(\n    done=True,\n    iterator=None,\n    result=protos.GenerateContentResponse({\n      \"candidates\": [\n\
         \x20       {\n          \"content\": {\n            \"parts\": [\n              {\n                \"text\": \"Hi (there)\\n\"\n              }\n\
         \x20           ],\n            \"role\": \"model\"\n          },\n          \"finish_reason\": \"STOP\"\n        }\n      ],\n\
         \x20     \"usage_metadata\": {\n        \"prompt_token_count\": 5,\n        \"candidates_token_count\": 3,\n        \"total_token_count\": 8\n\
         \x20     },\n      \"model_version\": \"gemini-1.5-flash\"\n    }),\n)",
        "envelope/gemini.generate_content",
        &["gcp.gemini gemini-1.5-flash: input_text_tokens 5, output_text_tokens 3 [id_from_position, time_assumed]"],
    );
}

#[test]
fn details_too_deep_for_a_console_are_no_modalities() {
    let printed = "[APP] <- turn 3: GenerateContentResponse {\n  sdkHttpResponse: { headers: { date: 'Thu, 30 Jul 2026 09:00:00 GMT' } },\n\
                   \x20 candidates: [ { content: [Object], finishReason: 'STOP', index: 0 } ],\n  modelVersion: 'gemini-2.5-flash',\n\
                   \x20 responseId: 'R-deep',\n  usageMetadata: {\n    promptTokenCount: 1200,\n    candidatesTokenCount: 40,\n\
                   \x20   totalTokenCount: 1250,\n    cachedContentTokenCount: 1000,\n    promptTokensDetails: [ [Object], [Object] ],\n\
                   \x20   cacheTokensDetails: [ [Object] ],\n    thoughtsTokenCount: 10\n  }\n}";
    check(
        printed,
        "gemini.generate_content",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 40, \
           output_reasoning_tokens 10 [time_assumed]"],
    );
}

#[test]
fn what_a_console_prints_after_a_word_keeps_its_times() {
    let printed = "part {\n  type: 'finish-step',\n  finishReason: 'stop',\n  usage: {\n    inputTokens: 300,\n    inputTokenDetails: {\n\
                   \x20     noCacheTokens: 44,\n      cacheReadTokens: 256,\n      cacheWriteTokens: undefined\n    },\n    outputTokens: 9,\n\
                   \x20   totalTokens: 309,\n    raw: { prompt_tokens: 300, prompt_tokens_details: [Object] },\n    cachedInputTokens: 256\n  },\n\
                   \x20 providerMetadata: { openai: {} },\n  response: {\n    id: 'R-part',\n    timestamp: 2026-07-30T09:00:00.000Z,\n\
                   \x20   modelId: 'deepseek-v4-flash'\n  }\n}";
    check(
        printed,
        "ai_sdk.result",
        &["deepseek deepseek-v4-flash: input_text_tokens 44, cache_read_text_tokens 256, output_text_tokens 9"],
    );
    assert_eq!(event(printed).event_time, "2026-07-30T09:00:00Z".parse().unwrap());
}

#[test]
fn an_answer_is_read_as_langchain4j_prints_it() {
    let printed = |kind: &str, model: &str, usage: &str| {
        format!(
            "2026-07-30T09:00:02.100+00:00  INFO 7 --- [app] c.e.Listener : onResponse(): ChatResponse {{ aiMessage = AiMessage {{ text = \
             \"a, tokenUsage=b {{ id='c', \", thinking = null, toolExecutionRequests = [], attributes = {{}} }}, metadata = \
             {kind}ChatResponseMetadata{{id='R-l4j', modelName='{model}', tokenUsage={kind}TokenUsage {{ {usage} }}, finishReason=STOP, \
             created=1785402000, serviceTier='null', rawServerSentEvents=[]}} }}"
        )
    };
    let counts = "inputTokenCount = 20, inputTokensDetails = OpenAiTokenUsage.InputTokensDetails { cachedTokens = 4 }, outputTokenCount \
                  = 31, outputTokensDetails = OpenAiTokenUsage.OutputTokensDetails { reasoningTokens = 11 }, totalTokenCount = 51";
    let text = printed("OpenAi", "gpt-5-mini", counts);
    check(
        &text,
        "tool.log",
        &[
            "openai gpt-5-mini: input_text_tokens 16, cache_read_text_tokens 4, output_text_tokens 20, output_reasoning_tokens 11",
        ],
    );
    let found = event(&text);
    assert_eq!(&*found.call_key, "openai/R-l4j");
    assert_eq!(found.event_time, "2026-07-30T09:00:00Z".parse().unwrap());
    let plain = printed("", "gpt-5-mini", "inputTokenCount = 20, outputTokenCount = 31, totalTokenCount = 51");
    check(&plain, "tool.log", &["openai gpt-5-mini: input_text_tokens 20, output_text_tokens 31"]);
}
