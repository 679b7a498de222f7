use std::sync::Arc;

use schemas::{CostBasis, Flag, IdentityKind};

use super::{arrival, check, check_rejected, config, decoded, event, events, line, record};
use crate::users::Keys;
use crate::{Config, Customers, Item, decode};

const EVENT: &str = r#"{"specversion":"1.0","type":"ai.usage","id":"7","source":"checkout","time":"2026-08-01T09:59:59Z",
    "datacontenttype":"application/json","data":{"provider":"openai","model":"gpt-5.4","operation":"chat",
    "usage":{"input_text_tokens":10,"cache_read_text_tokens":"90","output_text_tokens":5},
    "key_id":"key-1","team":"search","dimensions":{"environment":"production","feature":"autocomplete"},
    "tags":{"job":"nightly","n":3},"user":"alice@example.com","cost_basis":"included",
    "price_context":{"service_tier":"priority","region":"eu"},"reported_cost":{"amount":"0.01","currency":"usd"},
    "response_id":"resp_9","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}}"#;

#[test]
fn our_event_keeps_everything_the_producer_states() {
    check(
        EVENT,
        "cloudevents/ai.usage",
        &["openai gpt-5.4: input_text_tokens 10, cache_read_text_tokens 90, output_text_tokens 5"],
    );
    let event = event(EVENT);
    assert_eq!((event.identity, &*event.call_key), (IdentityKind::ResponseId, "openai/resp_9"));
    assert_eq!(event.weaker_keys, ["span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7", "event/checkout/7"]);
    assert_eq!((event.key_id.as_deref(), event.claimed.team.as_deref()), (Some("key-1"), Some("search")));
    assert_eq!(event.claimed.environment.as_deref(), Some("production"));
    assert_eq!(event.claimed.feature.as_deref(), Some("autocomplete"));
    assert_eq!(event.cost_basis, CostBasis::Included);
    assert_eq!(event.price_context.service_tier.as_deref(), Some("priority"));
    let tags: Vec<(&str, &str)> = event.tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect();
    assert_eq!(tags, [("job", "nightly"), ("n", "3")]);
    let reported = event.reported_cost.unwrap();
    assert_eq!((reported.amount.to_string(), &*reported.currency), ("0.01".to_owned(), "USD"));
    let user = event.claimed.user.unwrap();
    assert!(user.len() == 32 && !user.contains("alice"), "{user}");
    assert_eq!((event.event_time.to_string(), event.received_at), ("2026-08-01T09:59:59Z".to_owned(), arrival()));
}

#[test]
fn an_event_sends_a_link_for_each_weaker_key() {
    let decoded = decoded(EVENT);
    let links: Vec<(&str, &str)> = decoded
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Link(link) => Some((&*link.weaker, &*link.stronger)),
            _ => None,
        })
        .collect();
    assert_eq!(
        links,
        [
            ("span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7", "openai/resp_9"),
            ("event/checkout/7", "openai/resp_9")
        ]
    );
}

#[test]
fn a_binary_mode_event_is_the_same_event() {
    let data = crate::json::Json::parse(EVENT).unwrap().object().unwrap().get("data").unwrap().text();
    let headers: [(&str, &[u8]); 5] = [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"ai.usage"),
        ("ce_id", b"7"),
        ("ce_source", b"checkout"),
        ("ce_time", b"2026-08-01T09:59:59Z"),
    ];
    let binary = decode(&record(data.as_bytes(), &headers), &config());
    assert_eq!(binary.recognised_as, "cloudevents/ai.usage");
    assert_eq!(binary.items, decoded(EVENT).items);
}

#[test]
fn a_batch_and_json_lines_are_items_of_one_record() {
    let line = EVENT.replace('\n', " ");
    for payload in [format!("[{line},{line}]"), format!("{line}\n{line}\n")] {
        let decoded = decoded(&payload);
        let events = events(&decoded);
        assert_eq!(events.iter().map(|event| event.position.item).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(events[0].content_hash, events[1].content_hash);
        assert_eq!(events[0].dedup_key, events[1].dedup_key);
    }
}

#[test]
fn one_bad_line_does_not_spoil_the_others() {
    let line = EVENT.replace('\n', " ");
    let decoded = decoded(&format!("{line}\n{{\"trunc\n{line}"));
    assert_eq!(events(&decoded).len(), 2);
    let Some(Item::Rejected(rejection)) = decoded.items.iter().find(|item| matches!(item, Item::Rejected(_))) else {
        panic!("{decoded:#?}")
    };
    assert!(rejection.message.starts_with("line 2:"), "{}", rejection.message);
}

#[test]
fn a_plain_envelope_holds_a_body_and_says_whose_it_is() {
    let event = event(
        r#"{"id":"42","source":"gateway","time":"2026-08-01T09:00:00Z","key":"sk-proj-0123456789abcdef","team":"support",
            "tags":{"tier":"gold"},"response":{"id":"chatcmpl-B2","object":"chat.completion","created":1785578390,
            "model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}}"#,
    );
    assert_eq!(line(&event), "openai gpt-5.4: input_text_tokens 3, output_text_tokens 4");
    assert_eq!(event.event_time.to_string(), "2026-08-01T09:59:50Z");
    assert!(event.key_id.unwrap().starts_with("key_"));
    assert_eq!(event.claimed.team.as_deref(), Some("support"));
    assert_eq!(event.weaker_keys, ["event/gateway/42"]);
}

#[test]
fn a_providers_usage_object_in_our_event_is_made_exclusive() {
    let usage = |provider: &str, usage: &str| {
        format!(r#"{{"id":"1","source":"s","time":1785578390,"provider":"{provider}","model":"m","usage":{usage}}}"#)
    };
    check(
        &usage("openai", r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":40},"output_tokens":1}"#),
        "ai.usage",
        &["openai m: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 1"],
    );
    check(
        &usage("anthropic", r#"{"input_tokens":100,"cache_read_input_tokens":40,"output_tokens":1}"#),
        "ai.usage",
        &["anthropic m: input_text_tokens 100, cache_read_text_tokens 40, output_text_tokens 1"],
    );
    check(
        &usage("groq", r#"{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101}"#),
        "ai.usage",
        &["groq m: input_text_tokens 100, output_text_tokens 1"],
    );
}

#[test]
fn meters_are_checked_by_name_and_by_their_total() {
    let usage = |usage: &str| {
        format!(r#"{{"id":"1","source":"s","time":1785578390,"provider":"p","model":"m","usage":{usage}}}"#)
    };
    check(&usage(r#"{"input_audio_seconds":12.5}"#), "ai.usage", &["p m: input_audio_seconds 12.5"]);
    check_rejected(&usage(r#"{"input_text_tokens":1,"inptu_tokens":2}"#), "invalid_field", "usage.inptu_tokens", &[]);
    check_rejected(
        &usage(r#"{"input_text_tokens":1,"output_text_tokens":2,"total_tokens":4}"#),
        "contradiction",
        "usage.total_tokens",
        &["4", "3"],
    );
    check_rejected(&usage(r#"{"input_text_tokens":1.5}"#), "invalid_field", "usage.input_text_tokens", &["1.5"]);
}

#[test]
fn the_same_call_sent_again_has_the_same_content_wherever_it_lands() {
    let body = r#"{"provider":"openai","model":"gpt-5.4","usage":{"input_text_tokens":1},"response_id":"resp_3"}"#;
    let first = record(body.as_bytes(), &[]);
    let mut second = first;
    (second.partition, second.offset, second.timestamp) = (1, 99, arrival().plus_seconds(60));
    let hash = |record| match &decode(&record, &config()).items[0] {
        Item::Event(event) => (event.content_hash, event.dedup_key),
        other => panic!("{other:?}"),
    };
    assert_eq!(hash(first), hash(second));
}

#[test]
fn a_time_ahead_of_its_arrival_is_flagged_and_an_impossible_one_refused() {
    let at = |time: &str| {
        format!(r#"{{"id":"1","source":"s","time":{time},"provider":"p","model":"m","usage":{{"requests":1}}}}"#)
    };
    assert_eq!(event(&at(r#""2026-08-01T10:05:00Z""#)).flags, []);
    assert_eq!(event(&at(r#""2026-08-01T10:05:01Z""#)).flags, [Flag::ClockSkew]);
    for time in [r#""1970-01-01T00:00:00Z""#, "0", r#""2014-12-31T23:59:59Z""#, r#""2100-01-01T00:00:00Z""#] {
        check_rejected(&at(time), "time_out_of_range", "time", &["2015"]);
    }
    check_rejected(&at(r#""yesterday""#), "invalid_field", "time", &["RFC 3339"]);
}

#[test]
fn tags_beyond_the_bounds_are_dropped_and_flagged() {
    let tags: Vec<String> = (0..70).map(|n| format!("\"t{n}\":\"v\"")).collect();
    let body = |tags: &str| {
        format!(
            r#"{{"id":"1","source":"s","time":1785578390,"provider":"p","model":"m","usage":{{"requests":1}},"tags":{{{tags}}}}}"#
        )
    };
    let many = event(&body(&tags.join(",")));
    assert_eq!((many.tags.len(), &many.flags[..]), (64, &[Flag::TagsDropped][..]));
    let long = event(&body(&format!("\"a\":\"{}\",\"b\":\"kept\"", "x".repeat(257))));
    assert_eq!((long.tags.len(), &long.flags[..]), (1, &[Flag::TagsDropped][..]));
    let mut only = config();
    only.tag_keys = Some(["b".into()].into());
    let payload = body(r#""a":"1","b":"2""#);
    let decoded = decode(&record(payload.as_bytes(), &[]), &only);
    assert_eq!(events(&decoded)[0].tags.iter().map(|tag| &*tag.key).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn contents_never_leave() {
    let secret = "SECRET-PROMPT";
    let bodies = [
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":
            [{{"message":{{"content":"{secret}"}}}}],"usage":{{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}}}"#
        ),
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":
            [{{"message":{{"content":"{secret}"}}}}],"usage":{{"prompt_tokens":"{secret}"}}}}"#
        ),
        format!(r#"{{"whatever":["{secret}"],"other":"{secret}"}}"#),
        format!(r#"{{"broken":"{secret}"#),
        format!(r#"{{"specversion":"1.0","type":"ai.usage","id":"1","source":"s","data":"{secret}"}}"#),
        format!(r#"{{"provider":"p","model":"m","time":"{secret}","usage":{{"requests":1}}}}"#),
        format!(r#"{{"provider":"p","model":"m","cost_basis":"{}","usage":{{"requests":1}}}}"#, secret.repeat(5)),
    ];
    for body in bodies {
        let shown = format!("{:?}", decoded(&body).items);
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_customer_who_is_a_person_is_a_pseudonym_that_can_be_forgotten_and_a_company_is_itself() {
    let about = |customer: &str| {
        let stated = serde_json::Value::from(customer);
        format!(
            r#"{{"id":"1","source":"s","provider":"openai","model":"gpt-5","customer":{stated},"usage":{{"input_text_tokens":1}}}}"#
        )
    };
    let keys = Keys::new(|| *b"sixteen byte key");
    let read = |customers: Customers, keys: Option<Keys>, customer: &str| {
        let config = Config { customers, users: keys.map(Arc::new), ..Config::default() };
        let payload = about(customer);
        let decoded = decode(&record(payload.as_bytes(), &[]), &config);
        events(&decoded)[0].clone()
    };
    let claude = "user_5f2e_account_0b7c3b2e-0000-4000-8000-000000000000_session_9d1c3b2e-0000-4000-8000-000000000000";
    for (customers, customer, is_person) in [
        (Customers::Mixed, "acme-gmbh", false),
        (Customers::Mixed, "cus_NffrFeUfNV2Hib", false),
        (Customers::Mixed, "@acme", false),
        (Customers::Mixed, "alice@example.com", true),
        (Customers::Mixed, "Alice <alice@example.com>", true),
        (Customers::Mixed, claude, true),
        (Customers::Companies, "alice@example.com", false),
        (Customers::People, "acme-gmbh", true),
    ] {
        let event = read(customers, Some(keys.clone()), customer);
        let expected = if is_person { keys.pseudonym(customer) } else { customer.into() };
        assert_eq!(event.claimed.customer, Some(expected), "{customer}");
        let without = read(customers, None, customer).claimed.customer;
        assert_eq!(without.is_none(), is_person, "without keys, {customer}");
        // Sent once more after they were forgotten, the call is a copy and no conflict.
        let mut forgotten = keys.clone();
        forgotten.forget(customer, [2; 16]);
        let again = read(customers, Some(forgotten), customer);
        assert_eq!(again.content_hash, event.content_hash, "{customer}");
        assert_eq!(again.claimed.customer != event.claimed.customer, is_person, "{customer}");
    }
    let (acme, other) = (read(Customers::Mixed, None, "acme"), read(Customers::Mixed, None, "other"));
    assert_ne!(acme.content_hash, other.content_hash, "whom a company resells a call to is part of it");
}

#[test]
fn whoever_a_gateway_or_a_cloudevent_or_a_fact_is_about_is_no_clear_address() {
    let litellm = r#"{"id":"c1","call_type":"acompletion","model":"gpt-4o-mini","custom_llm_provider":"openai","end_user":"alice@example.com",
        "startTime":1785578390.0,"endTime":1785578391.0,"response_cost":0.1,"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,
        "metadata":{"user_api_key_alias":"k"}}"#;
    let openmeter = r#"{"specversion":"1.0","type":"prompt","id":"1","source":"app","subject":"alice@example.com",
        "time":"2026-08-01T09:59:50Z","data":{"tokens":"5","model":"gpt-4o","type":"input"}}"#;
    for payload in [litellm, openmeter] {
        let customer = event(payload).claimed.customer.unwrap();
        assert_eq!(customer, Keys::new(|| *b"sixteen byte key").pseudonym("alice@example.com"), "{payload}");
    }
    let fact = r#"{"specversion":"1.0","type":"ai.value_unit","id":"1","source":"crm","time":"2026-08-01T09:59:50Z",
        "subject":"alice@example.com","data":{"name":"resolution","quantity":"1"}}"#;
    let decoded = decoded(fact);
    let [Item::Fact(fact)] = &decoded.items[..] else { panic!("{decoded:?}") };
    assert!(fact.claimed.customer.as_deref().is_some_and(|customer| !customer.contains('@')), "{fact:?}");
}
