//! Calls as notebooks, dumps and answers of databases, journals and interfaces of trace stores hold them, composed after what their users
//! published.

use super::{check, decoded, event, events, ignored, line, meters};
use crate::{Dump, IgnoreReason, Journal};

const CALL: &str = "openai gpt-5.4: input_text_tokens 120, output_text_tokens 30";
const COUNTS: &str = "input_text_tokens 120, output_text_tokens 30";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const KEY: &str = "span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7";
const ATTRIBUTES: &str = r#"{"gen_ai.operation.name":"chat","gen_ai.provider.name":"openai","gen_ai.request.model":"gpt-5.4","gen_ai.usage.input_tokens":120,"gen_ai.usage.output_tokens":30}"#;

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A notebook whose cells put these out.
fn notebook(outputs: &[String]) -> String {
    let cells: Vec<String> = outputs
        .iter()
        .map(|output| format!(r#"{{"cell_type":"code","source":["ask()"],"metadata":{{}},"outputs":[{output}]}}"#))
        .collect();
    format!(
        r#"{{"cells":[{{"cell_type":"markdown","source":["usage: 3 tokens"]}},{}],"metadata":{{}},"nbformat":4,"nbformat_minor":5}}"#,
        cells.join(",")
    )
}

fn printed(id: &str) -> String {
    format!(
        "ChatCompletion(id='{id}', choices=[Choice(finish_reason='stop', index=0, message=ChatCompletionMessage(content='It is \"so\"', \
         role='assistant'))], created=1785578390, model='gpt-5.4', object='chat.completion', \
         usage=CompletionUsage(completion_tokens=30, prompt_tokens=120, total_tokens=150))"
    )
}

#[test]
fn answers_that_a_notebook_shows_are_calls_and_all_else_in_it_is_none() {
    let shown =
        |text: &str| format!(r#"{{"output_type":"execute_result","data":{{"text/plain":[{}]}}}}"#, quoted(text));
    let stream = |text: &str| format!(r#"{{"output_type":"stream","name":"stdout","text":[{}]}}"#, quoted(text));
    let body = r#"{"id":"chatcmpl-N3","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],
      "usage":{"prompt_tokens":120,"completion_tokens":30,"total_tokens":150}}"#;
    let json =
        format!(r#"{{"output_type":"display_data","data":{{"application/json":{body},"text/plain":["<JSON>"]}}}}"#);
    for (outputs, calls) in [
        (vec![shown(&printed("chatcmpl-N1"))], 1),
        (vec![stream(&format!("{}\n", printed("chatcmpl-N1")))], 1),
        (vec![stream(body)], 1),
        (vec![stream(&format!("Answer: so\n{}\nbye\n", printed("chatcmpl-N1")))], 1),
        (vec![json], 1),
        (vec![shown(&printed("chatcmpl-N1")), stream(&printed("chatcmpl-N2"))], 2),
    ] {
        check(&notebook(&outputs), "notebook", &vec![CALL; calls]);
    }
    let none = [shown("42"), stream("the usage was 12 tokens\n")];
    assert_eq!(ignored(&notebook(&none)), [IgnoreReason::NotAModelCall]);
}

#[test]
fn rows_of_a_query_are_the_objects_they_are() {
    for answer in [
        // Log Analytics, Trino, pandas, InfluxDB
        r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"model","type":"string"},{"name":"prompt_tokens","type":"long"},
        {"name":"completion_tokens","type":"long"}],"rows":[["gpt-5.4",120,30]]}]}"#,
        r#"{"id":"q","columns":[{"name":"model"},{"name":"prompt_tokens"},{"name":"completion_tokens"}],"data":[["gpt-5.4",120,30]]}"#,
        r#"{"columns":["model","prompt_tokens","completion_tokens"],"index":[0],"data":[["gpt-5.4",120,30]]}"#,
        r#"{"results":[{"statement_id":0,"series":[{"name":"calls","columns":["time","model","prompt_tokens","completion_tokens"],
        "values":[["2026-08-01T09:59:50Z","gpt-5.4",120,30]]}]}]}"#,
        // BigQuery, Athena, Databricks, Snowflake, ClickHouse
        r#"{"kind":"bigquery#queryResponse","schema":{"fields":[{"name":"model"},{"name":"prompt_tokens"},{"name":"completion_tokens"}]},
        "rows":[{"f":[{"v":"gpt-5.4"},{"v":"120"},{"v":"30"}]}]}"#,
        r#"{"ResultSet":{"Rows":[{"Data":[{"VarCharValue":"model"},{"VarCharValue":"prompt_tokens"},{"VarCharValue":"completion_tokens"}]},
        {"Data":[{"VarCharValue":"gpt-5.4"},{"VarCharValue":"120"},{"VarCharValue":"30"}]}],
        "ResultSetMetadata":{"ColumnInfo":[{"Name":"model"},{"Name":"prompt_tokens"},{"Name":"completion_tokens"}]}}}"#,
        r#"{"statement_id":"s","manifest":{"schema":{"columns":[{"name":"model"},{"name":"prompt_tokens"},{"name":"completion_tokens"}]}},
        "result":{"data_array":[["gpt-5.4","120","30"]]}}"#,
        r#"{"resultSetMetaData":{"rowType":[{"name":"MODEL"},{"name":"PROMPT_TOKENS"},{"name":"COMPLETION_TOKENS"}]},
        "data":[["gpt-5.4","120","30"]],"code":"090001"}"#,
        r#"{"meta":[{"name":"model","type":"String"},{"name":"prompt_tokens"},{"name":"completion_tokens"}],"data":[["gpt-5.4","120","30"]]}"#,
        // Column by column
        r#"{"model":{"0":"gpt-5.4"},"prompt_tokens":{"0":120},"completion_tokens":{"0":30}}"#,
        r#"{"model":["gpt-5.4"],"prompt_tokens":[120],"completion_tokens":[30]}"#,
    ] {
        let read = decoded(answer);
        let calls: Vec<String> = events(&read).into_iter().map(meters).collect();
        assert_eq!((read.recognised_as.as_str(), calls), ("rows", vec![COUNTS.to_owned()]), "{answer}");
    }
    // Nothing in them can be told.
    check(r#"{"columns":["a","b"],"data":[[1,2]]}"#, "", &[]);
}

#[test]
fn rows_of_a_dump_are_calls_where_they_can_be_told() {
    let body = r#"{"id": "chatcmpl-D1", "object": "chat.completion", "model": "gpt-5.4", "choices": [{"message": {"content": "a\\nb \\"q\\""}}], "usage": {"prompt_tokens": 120, "completion_tokens": 30}}"#;
    let dump = format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\nCREATE TABLE public.calls (\n    id bigint\n);\n\n\
         COPY public.users (id, email) FROM stdin;\n1\ta@b.c\n\\.\n\n\
         COPY public.calls (id, created_at, response, note) FROM stdin;\n1\t2026-08-01 09:59:50+00\t{body}\t\\N\n\\.\n"
    );
    let call = event(&dump);
    assert_eq!(meters(&call), COUNTS);
    assert!(call.call_key.contains("chatcmpl-D1"), "{call:?}");
    for dump in [
        "CREATE TABLE calls (id INTEGER PRIMARY KEY, model TEXT, prompt_tokens INTEGER, completion_tokens INTEGER, note TEXT);\n\
         INSERT INTO calls VALUES(1,'gpt-5.4',120,30,'it''s (so), ok;\nyes');\n",
        "INSERT INTO `calls` (`model`,`prompt_tokens`,`completion_tokens`,`note`) VALUES ('gpt-5.4',120,30,'it\\'s');\n",
        "INSERT INTO public.\"calls\" (model, prompt_tokens, completion_tokens, at) VALUES ('gpt-5.4', 120, 30, '2026-08-01'::date);\n",
        " model   | prompt_tokens | completion_tokens \n---------+---------------+-------------------\n gpt-5.4 |           120 |                30\n(1 row)\n",
        "+---------+---------------+-------------------+\n| model   | prompt_tokens | completion_tokens |\n+---------+---------------+-------------------+\n| gpt-5.4 |           120 |                30 |\n+---------+---------------+-------------------+\n",
        "| model | prompt_tokens | completion_tokens |\n| --- | ---: | ---: |\n| gpt-5.4 | 120 | 30 |\n",
    ] {
        let read = decoded(dump);
        let calls: Vec<String> = events(&read).into_iter().map(meters).collect();
        assert_eq!(calls, [COUNTS], "{dump} {read:?}");
    }
    // What is cut off, or opens brackets without end, ends nobody.
    let mut dump = Dump::default();
    for text in ["INSERT INTO a VALUES (((", "';", "COPY (", "\\.", "INSERT INTO a VALUES ('x", "CREATE TABLE", ";"] {
        assert!(dump.line(text).is_empty(), "{text}");
    }
}

#[test]
fn a_chat_of_vs_code_is_played_back_from_its_changes() {
    let journal = [
        r#"{"kind":0,"v":{"version":3,"sessionId":"s1","requests":[],"responderUsername":"GitHub Copilot"}}"#,
        r#"{"kind":2,"k":["requests"],"v":[{"requestId":"request_1","timestamp":1785578390000,"modelId":"copilot/auto","message":{"text":"x"}}]}"#,
        r#"{"kind":1,"k":["requests",0,"promptTokens"],"v":90}"#,
        r#"{"kind":1,"k":["requests",0,"promptTokens"],"v":120}"#,
        r#"{"kind":1,"k":["requests",0,"completionTokens"],"v":30}"#,
        r#"{"kind":1,"k":["requests",0,"result"],"v":{"metadata":{"resolvedModel":"gpt-5.4","promptTokens":110}}}"#,
        r#"{"kind":2,"k":["requests",0,"response"],"v":[{"value":"y"}]}"#,
        // It was asked again: the second request gives way to another.
        r#"{"kind":2,"k":["requests"],"v":[{"requestId":"request_2","timestamp":1785578391000,"modelId":"copilot/gpt-5.4","promptTokens":7}]}"#,
        r#"{"kind":2,"k":["requests"],"i":1,"v":[{"requestId":"request_3","timestamp":1785578392000,"modelId":"copilot/gpt-5.4"}]}"#,
        r#"{"kind":1,"k":["requests",1,"result","metadata"],"v":{"promptTokens":5,"outputTokens":6}}"#,
        r#"{"kind":3,"k":["requests",1,"response"]}"#,
        "{\"kind\":1,\"k\":[\"requests\",",
    ];
    let lines = [
        "github gpt-5.4: input_text_tokens 120, output_text_tokens 30",
        "github gpt-5.4: input_text_tokens 5, output_text_tokens 6",
    ];
    check(&journal.join("\n"), "records", &lines);
    // A change alone says nothing of whose it is.
    assert_eq!(ignored(journal[3]), [IgnoreReason::StreamFragment]);
    let mut played = Journal::begun(journal[0]).unwrap();
    played.line(r#"{"kind":1,"k":["requests",4096,"promptTokens"],"v":1}"#);
    played.line(r#"{"kind":1,"k":[],"v":1}"#);
    assert_eq!(played.chat(), r#"{"sessionId":"s1","requests":[]}"#);
}

#[test]
fn a_span_is_one_call_in_whichever_interface_holds_it() {
    let listed = serde_json::from_str::<std::collections::BTreeMap<String, serde_json::Value>>(ATTRIBUTES).unwrap();
    let pairs = |text: fn(&str) -> String| -> Vec<String> {
        let value = |value: &serde_json::Value| match value.as_str() {
            Some(word) => format!(r#"{{"stringValue":{}}}"#, text(word)),
            None => format!(r#"{{"intValue":"{value}"}}"#),
        };
        listed.iter().map(|(name, stated)| format!("{}\t{}", quoted(name), value(stated))).collect()
    };
    let keyed: Vec<String> =
        pairs(quoted).iter().map(|pair| format!(r#"{{"key":{}}}"#, pair.replace('\t', r#","value":"#))).collect();
    let map: Vec<String> =
        pairs(|word| format!(r#"{{"value":"{word}"}}"#)).iter().map(|pair| pair.replace('\t', ":")).collect();
    let lined =
        ATTRIBUTES.replace("gen_ai.", "gen_ai_").replace("operation.", "operation_").replace("request.", "request_");
    let lined = lined.replace("provider.", "provider_").replace("usage.", "usage_");
    let span = format!(
        r#"{{"spanID":"00f067aa0ba902b7","startTimeUnixNano":"1785578390000000000","attributes":[{}]}}"#,
        keyed.join(",")
    );
    let node = format!(
        r#"{{"name":"chat","spanKind":"llm","startTime":"2026-08-01T09:59:50Z","tokenCountPrompt":120,"tokenCountCompletion":30,
        "context":{{"spanId":"00f067aa0ba902b7","traceId":"{TRACE}"}},"attributes":{}}}"#,
        quoted(r#"{"llm":{"model_name":"gpt-5.4","provider":"openai"}}"#)
    );
    for (holder, payload) in [
        (
            "Tempo's search",
            format!(
                r#"{{"traces":[{{"traceID":"{TRACE}","rootServiceName":"shop","startTimeUnixNano":"1785578390000000000",
                "spanSet":{{"spans":[{span}],"matched":1}},"spanSets":[{{"spans":[{span}],"matched":1}}]}}],"metrics":{{}}}}"#
            ),
        ),
        (
            "Phoenix",
            format!(
                r#"{{"data":{{"node":{{"spans":{{"edges":[{{"span":{node}}}],"pageInfo":{{"hasNextPage":false}}}}}}}}}}"#
            ),
        ),
        (
            "Cloud Trace",
            format!(
                r#"{{"spans":[{{"name":"projects/p/traces/{TRACE}/spans/00f067aa0ba902b7","spanId":"00f067aa0ba902b7",
                "displayName":{{"value":"chat"}},"startTime":"2026-08-01T09:59:50Z","attributes":{{"attributeMap":{{{}}}}}}}]}}"#,
                map.join(",")
            ),
        ),
        (
            "X-Ray",
            format!(
                r#"{{"trace_id":"1-4bf92f35-77b34da6a3ce929d0e0e4736","id":"11f067aa0ba902b7","name":"shop","start_time":1785578389.5,
                "annotations":{{"service":"shop"}},"subsegments":[{{"id":"00f067aa0ba902b7","name":"chat","start_time":1785578390,
                "metadata":{{"default":{ATTRIBUTES}}}}}]}}"#
            ),
        ),
        (
            "X-Ray, indexed",
            format!(
                r#"{{"trace_id":"1-4bf92f35-77b34da6a3ce929d0e0e4736","id":"00f067aa0ba902b7","name":"chat","start_time":1785578390,
                "annotations":{lined},"metadata":{{"default":{{}}}}}}"#
            ),
        ),
        (
            "Application Insights, older ids",
            format!(
                r#"{{"timestamp":"2026-08-01T09:59:50Z","id":"|{TRACE}.00f067aa0ba902b7.","name":"chat","customDimensions":{},
                "operation_Id":"{TRACE}","operation_ParentId":"|{TRACE}.11f067aa0ba902b7."}}"#,
                quoted(ATTRIBUTES)
            ),
        ),
        (
            "Application Insights, as it is sent",
            format!(
                r#"{{"ver":1,"name":"Microsoft.ApplicationInsights.RemoteDependency","time":"2026-08-01T09:59:50Z","iKey":"k",
                "tags":{{"ai.cloud.role":"shop","ai.operation.id":"{TRACE}","ai.operation.parentId":"11f067aa0ba902b7"}},
                "data":{{"baseType":"RemoteDependencyData","baseData":{{"ver":2,"name":"chat","id":"00f067aa0ba902b7",
                "properties":{ATTRIBUTES}}}}}}}"#
            ),
        ),
        (
            "a store without dots",
            format!(
                r#"{{"trace_id":"{TRACE}","span_id":"00f067aa0ba902b7","timestamp":"2026-08-01T09:59:50Z",{}"#,
                &lined[1..]
            ),
        ),
    ] {
        let call = event(&payload);
        assert_eq!((line(&call).as_str(), &*call.call_key), (CALL, KEY), "{holder}");
        assert_eq!(call.event_time.to_string(), "2026-08-01T09:59:50Z", "{holder}");
    }
}

#[test]
fn what_openclaw_writes_into_a_transcript_itself_is_no_call() {
    let usage =
        r#""usage":{"input":120,"output":30,"cacheRead":0,"cacheWrite":0,"totalTokens":150,"cost":{"total":0.2}}"#;
    let said = |about: &str| {
        format!(
            r#"{{"type":"message","id":"e1","parentId":"m","timestamp":"2026-08-01T09:59:50Z","message":{{"role":"assistant","content":[],
            {about},{usage},"stopReason":"stop"}}}}"#
        )
    };
    check(&said(r#""api":"openai-responses","provider":"openai","model":"gpt-5.4""#), "pi.session", &[CALL]);
    for about in [
        r#""api":"openai-responses","provider":"openclaw","model":"delivery-mirror""#,
        r#""api":"openclaw-transcript","provider":"openclaw","model":"gateway-injected""#,
    ] {
        assert_eq!(ignored(&said(about)), [IgnoreReason::StreamFragment], "{about}");
    }
}

#[test]
fn answers_over_several_lines_among_those_of_a_log_are_calls() {
    let answer = |id: u8| {
        format!(
            "{{\n  \"id\": \"chatcmpl-{id}\",\n  \"object\": \"chat.completion\",\n  \"model\": \"gpt-5.4\",\n  \"created\": 1785578390,\n  \"choices\": [],\n  \
             \"usage\": {{\n    \"prompt_tokens\": 120,\n    \"completion_tokens\": 30\n  }}\n}}"
        )
    };
    for stamp in ["[2026-08-01 09:59:50][INFO][gpt-5.4] Generated: ", "2026-08-01 INFO answer "] {
        let log = format!(
            "{stamp}asked {{\n  \"what\": \"is it\"\n}}\n{stamp}{}\nwords {{of}} a program\n{stamp}{}\nbye\n",
            answer(1),
            answer(2)
        );
        check(&log, "openai.chat_completion", &[CALL, CALL]);
    }
}

#[test]
fn lines_of_qwen_code_have_the_cache_in_their_input() {
    let said = |model: &str, total: &str| {
        format!(
            r#"{{"type":"assistant","uuid":"u1","session_id":"s1","parent_tool_use_id":null,"message":{{"id":"m1","type":"message",
            "role":"assistant","model":"{model}","content":[],"stop_reason":null,
            "usage":{{"input_tokens":120,"output_tokens":30,"cache_read_input_tokens":100{total}}}}}}}"#
        )
    };
    let inside = "cache_read_text_tokens 100, input_text_tokens 20, output_text_tokens 30";
    let beside = "cache_read_text_tokens 100, input_text_tokens 120, output_text_tokens 30";
    let read = |model: &str, total: &str| meters(&event(&said(model, total)));
    assert_eq!(read("qwen3.5-plus", r#","total_tokens":150"#), inside);
    // Whose total has the cache beside, or who states none, means what Anthropic does.
    assert_eq!(read("qwen3.5-plus", r#","total_tokens":250"#), beside);
    assert_eq!(read("qwen3.5-plus", ""), beside);
    assert_eq!(read("claude-sonnet-5", r#","total_tokens":150"#), beside);
}

#[test]
fn agents_that_keep_sessions_and_statistics_of_their_own_are_read() {
    let message = r#"{"id":"m1","role":"assistant","timestamp":"2026-08-01T09:59:50Z","token_usage":{"input_tokens":120,"output_tokens":30,
      "cache_read_input_tokens":7,"cache_creation_input_tokens":0}}"#;
    let jcode = "openai gpt-5.4: input_text_tokens 120, cache_read_text_tokens 7, output_text_tokens 30";
    for session in [
        format!(
            r#"{{"id":"s1","provider_key":"openai","model":"gpt-5.4","messages":[{{"id":"m0","role":"user"}},{message}]}}"#
        ),
        format!(r#"{{"meta":{{"provider_key":"openai","model":"gpt-5.4"}},"append_messages":[{message}]}}"#),
    ] {
        check(&session, "records", &[jcode]);
    }
    check(
        r#"{"ts":"2026-08-01T09:59:50Z","model":"openai/gpt-5.4","prompt":120,"completion":30,"reasoning":5,"cache_hit":20,"cache_miss":100,
        "total":150,"requests":1}"#,
        "tool.log",
        &[
            "openai gpt-5.4: input_text_tokens 100, cache_read_text_tokens 20, output_text_tokens 25, output_reasoning_tokens 5",
        ],
    );
    assert_eq!(ignored(r#"{"ts":"2026-08-01T09:59:50Z","turn":true}"#), [IgnoreReason::StreamFragment]);
    check(
        r#"{"model_name":"GPT-5.4","session_id":"s1","usage_time":1785578390,"dollar_float":0.5,"extra_info":{"input_token":120,
        "output_token":30,"cache_read_token":20,"cache_write_token":0}}"#,
        "tool.log",
        &["trae GPT-5.4: input_text_tokens 120, cache_read_text_tokens 20, output_text_tokens 30"],
    );
    let sum = r#"{"version":1,"byModel":{"openai:gpt-5.4":{"input":{"tokens":1},"output":{"tokens":2}}},"lastRequest":{"timestamp":1}}"#;
    assert_eq!(ignored(sum), [IgnoreReason::RunSummary]);
}

#[test]
fn chats_of_open_webui_say_what_ollama_counted() {
    let chat = |counts: &str| {
        format!(
            r#"{{"id":"c1","chat":{{"title":"t","history":{{"messages":{{"m1":{{"id":"m1","role":"user","content":"q"}},"m2":{{"id":"m2",
            "role":"assistant","content":"a","model":"llama3.2:3b","timestamp":1785578390,{counts}}}}}}}}}}}"#
        )
    };
    for counts in [
        r#""usage":{"response_token/s":50.1,"prompt_eval_count":120,"prompt_tokens":120,"eval_count":30,"completion_tokens":30,
        "total_tokens":150,"approximate_total":"0h0m5s"}"#,
        r#""info":{"total_duration":5,"prompt_eval_count":120,"eval_count":30,"eval_duration":3}"#,
    ] {
        check(&chat(counts), "records", &["ollama llama3.2:3b: input_text_tokens 120, output_text_tokens 30"]);
    }
}
