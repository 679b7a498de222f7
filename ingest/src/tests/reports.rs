//! Reports: what adds up calls, what is a bill, what is a list of money, and tables as spreadsheets write them.

use super::{check, decoded, event, events, line};
use crate::{IgnoreReason, Item};

#[test]
fn reports_that_add_up_calls_are_no_calls() {
    for payload in [
        r#"{"daily":[{"date":"2026-08-01","inputTokens":277,"outputTokens":31456,"totalCost":17.5,"modelsUsed":["claude-opus-4-5"],
        "modelBreakdowns":[]}],"totals":{"inputTokens":277}}"#,
        r#"{"blocks":[{"id":"b","isActive":true,"tokenCounts":{"inputTokens":1},"costUSD":0.1}]}"#,
        r#"{"date":"2026-08-01","model":"gpt-5.4","prompt_tokens":100000,"completion_tokens":6000,"spend":1.2,"api_requests":120}"#,
        r#"{"id":"d","date":"2026-08-01","model":"gpt-5.4","prompt_tokens":"120","completion_tokens":"30","spend":"0.0006","api_requests":"1",
        "successful_requests":"1","failed_requests":"0"}"#,
        r#"{"data":[{"date":"2026-08-01","model":"openai/gpt-5.4","usage":0.015,"byok_usage_inference":0.01,"requests":5,"prompt_tokens":50}]}"#,
        r#"{"data":[{"date":"2026-08-01","core_metrics":{"num_sessions":5},"model_breakdown":[]}],"has_more":false,"next_page":null}"#,
        r#"{"uncached_input_tokens":1500,"cache_read_input_tokens":200,"output_tokens":500,"model":"claude-sonnet-4-6"}"#,
        r#"{"total_tokens":1060,"prompt_tokens":1000,"cached_prompt_tokens":400,"completion_tokens":60,"successful_requests":3}"#,
        r#"{"id":"s","total_tokens":1060,"input_tokens":1000,"accumulated_total_tokens":90000,"accumulated_input_tokens":80000}"#,
        r#"{"id":"s","title":"x","message_count":10,"prompt_tokens":1000,"completion_tokens":60,"cost":0.1}"#,
        r#"{"id":"1","ts":1785578390000,"task":"x","tokensIn":12,"tokensOut":250,"totalCost":0.01}"#,
        r#"{"model":"claude-sonnet-4-6","assistantActiveTimeMs":1000,"tokenUsage":{"inputTokens":100,"outputTokens":500}}"#,
        r#"{"session_id":"s","response":"x","stats":{"models":{"gemini-2.5-pro":{"tokens":{"prompt":24939}}}}}"#,
        r#"{"id":"c","project_id":"e/p","op_name":"weave:///e/p/op/step:1","started_at":"2026-08-01T09:59:50Z","output":"x",
        "summary":{"usage":{"gpt-5.4":{"requests":2,"prompt_tokens":60}}}}"#,
        "start_time,num_model_requests,model,input_tokens,output_tokens\n1785500000,5,gpt-5.4,1000,500\n",
        "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_output_tokens\n2026-07-31,claude-sonnet-4-6,1000,300\n",
    ] {
        let read = decoded(payload);
        assert!(read.recognised_as.ends_with("usage_sum"), "{payload}: {read:?}");
        assert!(
            matches!(read.items[..], [Item::Ignored { reason: IgnoreReason::RunSummary, .. }]),
            "{payload}: {read:?}"
        );
    }
}

#[test]
fn a_record_of_one_request_is_a_call() {
    check(
        r#"{"id":"1","time":"2026-08-01T09:59:50Z","model":"gpt-5.4","provider":"openai","num_requests":1,"prompt_tokens":30,"completion_tokens":9}"#,
        "flat_usage",
        &["openai gpt-5.4: input_text_tokens 30, output_text_tokens 9"],
    );
}

#[test]
fn rows_of_bills_are_not_billed_again() {
    for payload in [
        r#"{"line_item_product_code":"AmazonBedrock","line_item_usage_type":"USE1-input-tokens","line_item_unblended_cost":"0.0375"}"#,
        r#"{"billing_account_id":"b","sku":{"id":"s"},"usage_start_time":"2026-07-31T00:00:00Z","cost":0.12}"#,
        r#"{"object":"organization.costs.result","amount":{"value":0.06,"currency":"usd"}}"#,
        r#"{"object":"organization.usage.completions.result","input_tokens":1000,"output_tokens":500,"num_model_requests":5}"#,
        r#"{"object":"billing.meter_event","event_name":"api_requests","payload":{"value":"25"},"timestamp":1785578390}"#,
        "start_time,amount_value,amount_currency,line_item\n1785500000,12.5,usd,\"gpt-5.4, input\"\n",
        "Date,MeterCategory,MeterName,Quantity,CostInBillingCurrency\n07/31/2026,Cognitive Services,gpt Input Tokens,100,0.25\n",
    ] {
        let read = decoded(payload);
        assert!(
            matches!(read.items[..], [Item::Ignored { reason: IgnoreReason::StatusOnly, .. }]),
            "{payload}: {read:?}"
        );
    }
}

#[test]
fn of_githubs_report_copilot_is_ai_spend() {
    let table = "date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,organization,cost_center_name\n\
        2026-07-01,alice,copilot,copilot_premium_request,Claude Sonnet 4,3.6,requests,0.04,0.144,0.144,0,acme,CC-1\n\
        2026-07-01,bob,copilot,copilot_ai_credit,GPT-5,10,ai-credits,0.01,0.1,0,0.1,acme,CC-1\n\
        2026-07-01,,actions,actions_linux,,10,minutes,0.006,0.06,0,0.06,acme,\n";
    let read = decoded(table);
    assert_eq!(read.recognised_as, "csv/github.usage_report");
    let [requests, credits] = events(&read)[..] else { panic!("{read:?}") };
    assert_eq!(
        (line(requests).as_str(), line(credits).as_str()),
        ("github Claude Sonnet 4: credits 3.6", "github GPT-5: credits 10")
    );
    let cost = |event: &schemas::UsageEvent| event.stated_cost.as_ref().unwrap().amount.to_string();
    assert_eq!((cost(requests), cost(credits)), ("0".to_owned(), "0.1".to_owned()));
    assert_eq!(
        (credits.claimed.business_unit.as_deref(), credits.claimed.cost_center.as_deref()),
        (Some("acme"), Some("CC-1"))
    );
    assert!(requests.amends && requests.claimed.user.is_some() && !requests.call_key.contains("alice"), "{requests:?}");
    let page = r#"{"usageItems":[{"date":"2026-07-01T00:00:00Z","product":"Copilot","sku":"Copilot Business","quantity":100,
        "unitType":"user-months","netAmount":63.3,"organizationName":"acme"}]}"#;
    let seats = event(page);
    assert_eq!((&*seats.operation, cost(&seats)), ("seat", "63.3".to_owned()));
}

#[test]
fn tables_are_read_as_spreadsheets_write_them() {
    let plain = "openai gpt-5.4: input_text_tokens 1030, output_text_tokens 9";
    for table in [
        "request_id,model,provider,input_tokens,output_tokens,time\nr1,gpt-5.4,openai,\"1,030\",9,2026-08-01T09:59:50Z\n",
        "request_id;model;provider;input_tokens;output_tokens;cost;time\nr1;gpt-5.4;openai;1030;9;0,0012;2026-08-01T09:59:50Z\n",
        "\u{feff}Request ID\tModel\tProvider\tInput Tokens\tOutput Tokens\tTime\r\n\r\nr1\tgpt-5.4\topenai\t1030\t9\t2026-08-01T09:59:50Z\r\n",
    ] {
        let call = event(table);
        assert_eq!((line(&call).as_str(), &*call.call_key), (plain, "event/usage.raw/r1"), "{table}");
    }
    let seats = "Vendor;Product;Seats;Unit Price;Currency;Start Date;End Date\nOpenAI;ChatGPT;12;60,50 €;EUR;2026-07-01;2026-07-02\n";
    assert_eq!(event(seats).stated_cost.unwrap().amount.to_string(), "726");
}

#[test]
fn rows_that_langfuse_exports_are_its_observations() {
    let call = event(
        r#"{"id":"o1","trace_id":"t1","project_id":"p","environment":"production","type":"GENERATION","start_time":"2026-08-01 09:59:50.123",
        "provided_model_name":"claude-sonnet-4-6","model_parameters":"{\"max_tokens\":9}","metadata":"{\"team\":\"search\"}","user_id":"u",
        "usage_details":{"input":500,"input_cache_read":4000,"input_cache_creation":500,"output":60,"total":5060},"cost_details":{"total":0.02}}"#,
    );
    assert_eq!(
        line(&call),
        "anthropic claude-sonnet-4-6: input_text_tokens 500, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
         output_text_tokens 60 [assumed_5m]"
    );
    assert_eq!((&*call.call_key, call.claimed.team.as_deref()), ("event/langfuse/o1", Some("search")));
    assert_eq!(
        (call.claimed.user.is_some(), call.reported_cost.unwrap().amount.to_string()),
        (true, "0.02".to_owned())
    );
}

#[test]
fn a_trace_of_langfuse_says_whose_its_generations_are() {
    let trace = r#""userId":"u7","sessionId":"s7","tags":["beta","env:staging"],"metadata":{"team":"search"}"#;
    let generation = r#""id":"g1","traceId":"t1","startTime":"2026-08-01T09:59:50Z","model":"gpt-5.4","usage":{"input":30,"output":9,"unit":"TOKENS"}"#;
    for payload in [
        format!(
            r#"{{"batch":[{{"id":"e0","type":"trace-create","body":{{"id":"t1",{trace}}}}},{{"id":"e1","type":"generation-create","body":{{{generation}}}}}]}}"#
        ),
        format!(
            r#"{{"id":"t1","timestamp":"2026-08-01T09:59:50Z",{trace},"observations":[{{"type":"GENERATION",{generation}}}]}}"#
        ),
    ] {
        let call = event(&payload);
        assert_eq!(line(&call), "openai gpt-5.4: input_text_tokens 30, output_text_tokens 9", "{payload}");
        let claimed = &call.claimed;
        assert_eq!((claimed.team.as_deref(), claimed.session.as_deref()), (Some("search"), Some("s7")));
        assert_eq!((claimed.environment.as_deref(), claimed.user.is_some()), (Some("staging"), true));
    }
}

#[test]
fn rows_of_litellms_database_say_whose_they_are_in_columns_and_in_text() {
    let table = "request_id,call_type,api_key,spend,prompt_tokens,completion_tokens,total_tokens,startTime,model,custom_llm_provider,user,metadata,request_tags,team_id,end_user,session_id\n\
        chatcmpl-L1,acompletion,hash1,0.0021,1000,60,1060,2026-08-01 09:59:50.123,gpt-5.4,openai,u1,\"{\"\"usage_object\"\": {\"\"prompt_tokens\"\": 1000, \"\"completion_tokens\"\": 60, \"\"total_tokens\"\": 1060, \"\"prompt_tokens_details\"\": {\"\"cached_tokens\"\": 600}}}\",\"[\"\"prod\"\"]\",team-1,c1,s1\n";
    let call = event(table);
    assert_eq!(line(&call), "openai gpt-5.4: input_text_tokens 400, cache_read_text_tokens 600, output_text_tokens 60");
    let claimed = &call.claimed;
    assert_eq!((claimed.team.as_deref(), claimed.session.as_deref()), (Some("team-1"), Some("s1")));
    assert_eq!((claimed.user.is_some(), call.key_id.as_deref(), call.tags.len()), (true, Some("hash1"), 1));
}

#[test]
fn exports_of_langsmith_helicone_portkey_and_bifrost_have_more_than_counts() {
    let run = event(
        r#"{"id":"r1","run_type":"llm","start_time":"2026-08-01T09:59:50","trace_id":"t1","prompt_tokens":5000,"completion_tokens":60,
        "total_tokens":5060,"prompt_token_details":{"cache_read":4000,"cache_creation":500},"extra":{"metadata":{"ls_provider":"anthropic",
        "ls_model_name":"claude-sonnet-4-6","user_id":"u","thread_id":"th"}},"outputs":null}"#,
    );
    assert_eq!(
        line(&run),
        "anthropic claude-sonnet-4-6: input_text_tokens 500, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
         output_text_tokens 60 [assumed_5m]"
    );
    assert_eq!((run.claimed.session.as_deref(), run.claimed.user.is_some()), (Some("th"), true));
    let helicone = |copy: &str| {
        event(&format!(
            r#"{{"request_id":"h1","request_created_at":"2026-08-01 09:59:50","model":"gpt-5.4","provider":"OPENAI","prompt_tokens":30,
            "completion_tokens":9,"status":200,"cost":3300000,"cache_reference_id":"{copy}"}}"#
        ))
    };
    let (own, copied) =
        (helicone("00000000-0000-0000-0000-000000000000"), helicone("11111111-1111-1111-1111-111111111111"));
    assert_eq!(own.reported_cost.unwrap().amount.to_string(), "0.0033");
    assert_eq!((own.cost_basis, copied.cost_basis), (schemas::CostBasis::OnDemand, schemas::CostBasis::GatewayCache));
    let portkey = event(
        r#"{"id":"p1","created_at":"2026-08-01T09:59:50Z","ai_org":"openai","ai_model":"gpt-5.4","req_units":30,"res_units":9,
        "cost":0.01,"metadata":{"_user":"u1","team":"x","environment":"prod"}}"#,
    );
    assert_eq!((portkey.claimed.team.as_deref(), portkey.claimed.environment.as_deref()), (Some("x"), Some("prod")));
    assert!(portkey.claimed.user.is_some() && portkey.tags.is_empty() && portkey.reported_cost.is_some());
    check(
        r#"{"id":"b1","timestamp":"2026-08-01T09:59:50Z","object_type":"chat.completion","provider":"openai","model":"gpt-5.4","status":"success",
        "token_usage":"{\"prompt_tokens\":30,\"completion_tokens\":9,\"total_tokens\":39,\"prompt_tokens_details\":{\"cached_tokens\":10}}"}"#,
        "bifrost.log",
        &["openai gpt-5.4: input_text_tokens 20, cache_read_text_tokens 10, output_text_tokens 9"],
    );
    let vercel = event(
        r#"{"data":{"id":"gen_1","total_cost":0.001,"created_at":"2026-08-01T09:59:50Z","model":"anthropic/claude-sonnet-4.5","is_byok":false,
        "provider_name":"anthropic","native_tokens_prompt":100,"native_tokens_completion":50,"native_tokens_cached":40}}"#,
    );
    assert_eq!((&*vercel.provider, &*vercel.call_key), ("vercel", "event/vercel/gen_1"));
    let cloudflare = event(
        r#"{"id":"01J","created_at":"2026-08-01T09:59:50Z","provider":"openai","model":"gpt-5.4","cached":false,"tokens_in":30,"tokens_out":9,
        "metadata":"{\"team\":\"search\",\"user\":\"u1\"}"}"#,
    );
    assert_eq!((cloudflare.claimed.team.as_deref(), cloudflare.claimed.user.is_some()), (Some("search"), true));
}

#[test]
fn bodies_that_are_text_and_lines_that_end_in_commas_are_read() {
    let call = event(
        r#"{"request_id":"h1","user_id":"u","response_body":"{\"id\":\"chatcmpl-H\",\"object\":\"chat.completion\",\"created\":1785578390,\"model\":\"gpt-5.4\",\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":9,\"total_tokens\":39}}",
        "metadata":{"cost":0.0001},"provider":"OPENAI"}"#,
    );
    assert_eq!(
        (line(&call).as_str(), &*call.call_key),
        ("openai gpt-5.4: input_text_tokens 30, output_text_tokens 9", "openai/chatcmpl-H")
    );
    let record = |id: u32| {
        format!(
            r#"{{"id":"{id}","time":"2026-08-01T09:59:50Z","provider":"openai","model":"gpt-5.4","usage":{{"prompt_tokens":1,"completion_tokens":1}}}}"#
        )
    };
    assert_eq!(events(&decoded(&format!("{},\n{}\n", record(1), record(2)))).len(), 2);
}

#[test]
fn wrappers_within_wrappers_take_no_longer_on_every_level() {
    for (open, close) in [
        (r#"{"data":["#, "]}"),
        (r#"{"id":"1","type":"t","message":"m","attributes":"#, "}"),
        (r#"{"events":["#, "]}"),
        (r#"{"items":["#, "]}"),
        (r#"{"spans":[{"traceId":"1","attributes":"#, "}]}"),
        (r#"{"usage":{},"response":"#, "}"),
        (r#"{"logName":"l","timestamp":1,"jsonPayload":"#, "}"),
    ] {
        let started = std::time::Instant::now();
        decoded(&format!("{}{{}}{}", open.repeat(30), close.repeat(30)));
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "{open}");
    }
}

#[test]
fn a_row_of_modals_report_is_what_an_app_cost() {
    let row = event(
        r#"{"object_id":"ap-1","description":"train","environment_name":"main","interval_start":"2026-07-31T00:00:00Z","cost":"1.23",
        "tags":{"team":"ml"}}"#,
    );
    assert_eq!(line(&row), "modal compute: ");
    assert_eq!(row.stated_cost.as_ref().unwrap().amount.to_string(), "1.23");
    let claimed = &row.claimed;
    assert_eq!((claimed.team.as_deref(), claimed.application.as_deref()), (Some("ml"), Some("train")));
    assert_eq!((&*row.call_key, row.amends), ("event/modal/ap-1/2026-07-31T00:00:00Z", true));
}

#[test]
fn of_snowflakes_views_requests_and_queries_are_billed_and_hours_add_up() {
    check(
        r#"{"START_TIME":"2026-08-01 09:00:00.000 +0000","END_TIME":"2026-08-01 09:00:02.000 +0000","REQUEST_ID":"r-1",
            "MODEL_NAME":"claude-4-sonnet","TOKENS":1735,"TOKENS_GRANULAR":"{\"input\":1500,\"output\":235}","INFERENCE_REGION":"AWS_US"}"#,
        "snowflake.usage",
        &["snowflake claude-4-sonnet: input_text_tokens 1500, output_text_tokens 235"],
    );
    let query = event(
        r#"{"query_id":"01b","model_name":"llama3.1-70b","function_name":"COMPLETE","tokens":1735,"token_credits":"0.0021",
            "usage_time":"2026-08-01T09:00:00Z"}"#,
    );
    assert_eq!(line(&query), "snowflake llama3.1-70b: credits 0.0021");
    assert_eq!(&*query.call_key, "event/snowflake/01b/COMPLETE/llama3.1-70b");
    check(
        r#"{"START_TIME":"2026-08-01T09:00:00Z","REQUEST_ID":"r-2","TOKENS":9,"TOKEN_CREDITS":0.5,"TOKENS_GRANULAR":[{"a":{"m":{"input":9}}}]}"#,
        "snowflake.usage",
        &["snowflake unknown: credits 0.5"],
    );
    let hour = r#"{"START_TIME":"2026-08-01 09:00:00","END_TIME":"2026-08-01 10:00:00","FUNCTION_NAME":"COMPLETE","MODEL_NAME":"m",
        "TOKEN_CREDITS":0.1,"TOKENS":1735}"#;
    assert!(matches!(decoded(hour).items[..], [Item::Ignored { reason: IgnoreReason::RunSummary, .. }]));
}
