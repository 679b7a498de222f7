//! What costs money without being a call: seats, GPUs and clusters, credits; and house formats.

use schemas::FactKind;

use super::{check_rejected, config, decoded, event, events, line, record};
use crate::{Config, IgnoreReason, Item, Mapping, decode};

fn seat(more: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"ai.seat.period","id":"s1","source":"billing","data":{{"vendor":"github",
        "product":"copilot-business","currency":"USD","period_start":"2026-08-01","period_end":"2026-09-01",{more}}}}}"#
    )
}

#[test]
fn seats_are_spread_over_the_days_of_their_period_to_the_last_picounit() {
    let read = decoded(&seat(r#""quantity":10,"unit_price":"19.00""#));
    let days = events(&read);
    assert_eq!(days.len(), 31);
    let sum: i128 = days.iter().map(|day| day.stated_cost.as_ref().unwrap().amount.picos()).sum();
    assert_eq!(sum, 190 * schemas::PICO);
    let amounts: Vec<i128> = days.iter().map(|day| day.stated_cost.as_ref().unwrap().amount.picos()).collect();
    assert!(amounts.iter().max().unwrap() - amounts.iter().min().unwrap() <= 1);
    assert!(days.iter().all(|day| line(day) == "github copilot-business: seat_days 10"));
    assert_eq!(days[30].event_time.to_string(), "2026-08-31T00:00:00Z");
    assert_eq!(days[30].charge_period_end.unwrap().to_string(), "2026-09-01T00:00:00Z");
    assert_eq!((read.iterations(), days[0].iteration, days[30].iteration), (30, 0, 30));
    let keys: std::collections::BTreeSet<_> = days.iter().map(|day| day.dedup_key).collect();
    assert_eq!(keys.len(), 31, "each day is charged, and corrected, by itself");
}

#[test]
fn more_or_fewer_seats_amend_the_same_days() {
    let of = |payload: &str| events(&decoded(payload)).into_iter().cloned().collect::<Vec<_>>();
    let (before, after) = (
        of(&seat(r#""quantity":10,"unit_price":"19.00""#)),
        of(&seat(r#""quantity":4,"unit_price":"19.00","amends":true"#)),
    );
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.dedup_key, after.amends), (after.dedup_key, true));
        assert_ne!(before.content_hash, after.content_hash);
    }
}

#[test]
fn lists_of_saas_managers_are_seats() {
    let table = "Application Name,License Type,Licenses,Cost per License,Currency,Contract Start Date,Contract End Date,Department\n\
                 Cursor,Business,\"1,200\",$40.00,usd,2026-08-01,2026-08-31,growth\n";
    let read = decoded(table);
    let days = events(&read);
    assert_eq!((&*read.recognised_as, days.len()), ("csv/saas.seats", 30));
    assert_eq!(line(days[0]), "Cursor Business: seat_days 1200");
    let sum: i128 = days.iter().map(|day| day.stated_cost.as_ref().unwrap().amount.picos()).sum();
    assert_eq!(sum, 48_000 * schemas::PICO);
    assert_eq!(days[0].claimed.team.as_deref(), Some("growth"));
    assert_eq!(days[0].call_key, "event/seats/Cursor/Business/growth/2026-08-01T00:00:00Z");
    assert!(days[0].amends, "the list of next week says how it is then");
    // Zylo's API names the renewal and the cost of the year before it.
    let zylo = r#"{"id":"sub_1","name":"Claude Team","applicationName":"Claude","status":"active","renewalDate":"2026-12-01",
        "annualCost":36500,"licenseCount":50,"usedLicenseCount":31}"#;
    let read = decoded(zylo);
    assert_eq!((&*read.recognised_as, events(&read).len()), ("saas.seats", 365));
    assert_eq!(events(&read)[0].stated_cost.as_ref().unwrap().amount.to_string(), "100");
    let backwards = table.replace("2026-08-31", "2026-07-01");
    assert!(matches!(&decoded(&backwards).items[..], [Item::Rejected(rejection)] if rejection.field == "end_date"));
}

#[test]
fn a_record_never_becomes_more_events_than_memory_is_for() {
    let row = "GitHub,Copilot,5,2024-01-01,2026-12-01\n";
    let table = format!("vendor,product,seats,start_date,end_date\n{}", row.repeat(60));
    let decoded = decoded(&table);
    assert!(events(&decoded).len() <= 50_000);
    assert!(
        decoded
            .items
            .iter()
            .any(|item| matches!(item, Item::Rejected(rejection) if rejection.reason.as_str() == "too_large"))
    );
}

#[test]
fn runpod_bills_time_and_states_its_amount() {
    let read = decoded(
        r#"[{"amount":0.4200000000000001,"diskSpaceBilledGb":30,"gpuTypeId":"NVIDIA RTX 4090","podId":"pod-123",
            "time":"2026-08-01T09:00:00Z","timeBilledMs":120000},
            {"amount":1.5,"endpointId":"ep-1","time":"2026-08-01T09:00:00Z","timeBilledMs":3600000}]"#,
    );
    let lines: Vec<String> = events(&read).into_iter().map(line).collect();
    assert_eq!(lines, ["runpod NVIDIA RTX 4090: gpu_seconds 120", "runpod gpu: gpu_seconds 3600"]);
    let first = events(&read)[0];
    assert_eq!(first.stated_cost.as_ref().unwrap().amount.to_string(), "0.42");
    assert_eq!(
        (&*first.call_key, first.resource.as_deref()),
        ("event/runpod/pod-123/2026-08-01T09:00:00Z", Some("pod-123"))
    );
    assert!(first.amends, "the bucket of today is not the last word");
}

#[test]
fn opencost_allocations_with_a_gpu_are_spend_and_others_are_not() {
    let answer = r#"{"code":200,"data":[{
        "prod/llm-0":{"name":"prod/llm-0","window":{"start":"2026-07-31T00:00:00Z","end":"2026-08-01T00:00:00Z"},
         "gpuHours":24,"gpuCost":50.0,"totalCost":61.25,"minutes":1440,"properties":{"cluster":"c1","namespace":"prod",
         "labels":{"team":"search","app.kubernetes.io/name":"ranker","nvidia.com/gpu.product":"NVIDIA-H100"}}},
        "prod/web":{"name":"prod/web","window":{"start":"2026-07-31T00:00:00Z","end":"2026-08-01T00:00:00Z"},
         "gpuHours":0,"totalCost":3.0,"properties":{}},
        "__idle__":{"name":"__idle__","window":{"start":"2026-07-31T00:00:00Z","end":"2026-08-01T00:00:00Z"},
         "gpuHours":2.5,"totalCost":5.0,"properties":{"cluster":"c1"}}}]}"#;
    let read = decoded(answer);
    let found = events(&read);
    assert_eq!(found.len(), 2, "{read:#?}");
    assert_eq!(line(found[0]), "kubernetes NVIDIA-H100: gpu_seconds 86400");
    assert_eq!(found[0].stated_cost.as_ref().unwrap().amount.to_string(), "61.25");
    assert_eq!(
        (found[0].claimed.team.as_deref(), found[0].claimed.application.as_deref()),
        (Some("search"), Some("ranker"))
    );
    assert_eq!(line(found[1]), "kubernetes gpu: gpu_seconds 9000");
    assert!(found[1].tags.iter().any(|tag| (&*tag.key, &*tag.value) == ("idle", "true")));
    assert!(matches!(read.items[1], Item::Ignored { reason: IgnoreReason::NotAModelCall, .. }));
    check_rejected(
        r#"{"name":"a","window":{"start":"2026-07-31T00:00:00Z","end":"2026-08-01T00:00:00Z"},"gpuHours":"x","totalCost":1,"properties":{}}"#,
        "invalid_field",
        "gpuHours",
        &["not a number"],
    );
}

#[test]
fn a_cluster_of_skypilot_costs_what_its_report_says_so_far() {
    let event = event(
        r#"{"name":"train","cluster_hash":"abc","cloud":"GCP","region":"us-central1","num_nodes":2,"launched_at":1785571200,
            "duration":3600,"accelerators":{"H100":8},"use_spot":true,"total_cost":57.6,"team":"research"}"#,
    );
    assert_eq!(line(&event), "gcp H100: gpu_seconds 57600");
    assert_eq!(event.price_context.service_tier.as_deref(), Some("spot"));
    assert_eq!((&*event.call_key, event.claimed.team.as_deref()), ("event/skypilot/abc", Some("research")));
}

#[test]
fn credits_are_metered_and_cost_what_one_of_them_costs() {
    let event = event(
        r#"{"specversion":"1.0","type":"ai.credit.usage","id":"c1","source":"billing","time":"2026-08-01T09:00:00Z",
            "data":{"vendor":"github","product":"premium-requests","quantity":"12.5","unit_price":"0.04","currency":"usd"}}"#,
    );
    assert_eq!(line(&event), "github premium-requests: credits 12.5");
    let cost = event.stated_cost.unwrap();
    assert_eq!((cost.amount.to_string(), &*cost.currency), ("0.5".to_owned(), "USD"));
}

#[test]
fn a_decision_of_keeptrusts_is_an_outcome_and_a_call_where_tokens_were_used() {
    let row = |decision: &str, tokens: &str| {
        decoded(&format!(
            r#"{{"id":"evt_1","timestamp":"2026-08-01T09:00:00Z","gateway_id":"gw","user":"alice@example.com","provider":"openai",
            "model":"gpt-4o","decision":"{decision}","policies_triggered":[],{tokens}"latency_ms":10,"metadata":{{"job":"x"}}}}"#
        ))
    };
    let allowed = row("allow", r#""input_tokens":100,"output_tokens":20,"cost":0.00045,"#);
    assert_eq!(line(events(&allowed)[0]), "openai gpt-4o: input_text_tokens 100, output_text_tokens 20");
    assert!(matches!(&allowed.items[0], Item::Fact(fact) if fact.kind == FactKind::Outcome && fact.name == "allowed"));
    assert!(!format!("{allowed:?}").contains("alice"));
    let blocked = row("block", "");
    assert!(matches!(&blocked.items[..], [Item::Fact(fact)] if fact.name == "blocked"), "{blocked:#?}");
    let csv = decoded(
        "id,timestamp,gateway_id,provider,model,decision,input_tokens,output_tokens,cost\ne2,2026-08-01T09:00:00Z,gw,openai,gpt-4o,allow,7,8,0.1\n",
    );
    assert_eq!((events(&csv).len(), csv.items.len()), (1, 2), "{csv:#?}");
}

#[test]
fn a_fact_that_amends_is_refused_since_the_first_one_counts() {
    let fact = |more: &str| {
        format!(
            r#"{{"specversion":"1.0","type":"ai.value_unit","id":"v1","source":"desk","data":{{"name":"resolutions","quantity":5{more}}}}}"#
        )
    };
    check_rejected(&fact(r#","amends":true"#), "invalid_field", "amends", &["a fact with an id of its own"]);
    for more in ["", r#","amends":false"#] {
        let read = decoded(&fact(more));
        assert!(matches!(&read.items[..], [Item::Fact(fact)] if fact.name == "resolutions"), "{read:#?}");
    }
}

#[test]
fn labels_name_runs_and_workloads() {
    let event = event(
        r#"{"id":"e","source":"s","time":1785578390,"provider":"openai","model":"gpt-4o","usage":{"input_text_tokens":1},
            "labels":{"wandb.run_id":"run-7","app.kubernetes.io/name":"ranker","app.kubernetes.io/part-of":"shop"}}"#,
    );
    let claimed = &event.claimed;
    assert_eq!(
        (claimed.run_id.as_deref(), claimed.application.as_deref(), claimed.project.as_deref()),
        (Some("run-7"), Some("ranker"), Some("shop"))
    );
}

const HOUSE: &str = "formats:
- name: acme.calls
  when: {$.kind: llm_call}
  fields:
    id: $.call.uuid
    source: acme
    time: $.ts
    provider: $.vendor
    model: $.llm['model.name']
    usage.input_text_tokens: $.tokens[0]
    usage.output_text_tokens: $.tokens[1]
    price_context.service_tier: $.tier
    team: $.who.team
    user: $.who.mail
    tags.job: $.job
    reported_cost.amount: $.usd
- name: acme.raw
  topic: usage.raw
  when: {$.v: 2}
  fields: {id: $.id, model: $.m, provider: anthropic, usage: $.u, usage_format: anthropic.message}
- name: acme.gpu
  when: {$.gpu: '*'}
  type: ai.gpu.usage
  fields: {id: $.id, provider: acme, gpu_model: $.gpu, gpu_seconds_allocated: $.seconds}
";

fn mapped(payload: &str) -> crate::Decoded {
    let config = Config { mappings: Mapping::parse("formats.yaml", HOUSE).unwrap(), ..config() };
    decode(&record(payload.as_bytes(), &[]), &config)
}

#[test]
fn a_house_format_is_mapped_without_writing_rust() {
    let read = mapped(
        r#"{"kind":"llm_call","call":{"uuid":"u1"},"ts":"2026-08-01T09:00:00Z","vendor":"openai","llm":{"model.name":"gpt-4o"},
            "tokens":[100,"20"],"who":{"team":"search","mail":"bob@example.com"},"job":"nightly","usd":0.01,"prompt":"SECRET"}"#,
    );
    assert_eq!((&*read.recognised_as, &*read.evidence), ("house/acme.calls", "mapping"));
    let event = events(&read)[0];
    assert_eq!(line(event), "openai gpt-4o: input_text_tokens 100, output_text_tokens 20");
    assert_eq!((&*event.call_key, event.claimed.team.as_deref()), ("event/acme/u1", Some("search")));
    assert_eq!(event.reported_cost.as_ref().unwrap().amount.to_string(), "0.01");
    assert!(!format!("{read:?}").contains("SECRET") && !format!("{read:?}").contains("bob"));
    let anthropic = mapped(
        r#"{"v":2,"id":"7","m":"claude-sonnet-4-6","u":{"input_tokens":10,"cache_read_input_tokens":50,"output_tokens":2}}"#,
    );
    assert_eq!(
        line(events(&anthropic)[0]),
        "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 50, output_text_tokens 2 [time_assumed]"
    );
    let gpu = mapped(r#"{"id":"9","gpu":"H100","seconds":60}"#);
    assert_eq!(line(events(&gpu)[0]), "acme H100: gpu_seconds 60 [time_assumed]");
}

#[test]
fn what_a_mapping_leaves_out_is_rejected_by_name_and_others_are_read_as_ever() {
    let read = mapped(r#"{"kind":"llm_call","vendor":"openai","tokens":[1,-2],"llm":{"model.name":"gpt-4o"}}"#);
    assert!(
        matches!(&read.items[..], [Item::Rejected(rejection)] if rejection.field == "usage.output_text_tokens"
            && rejection.recognised_as == "house/acme.calls"),
        "{read:#?}"
    );
    let other = mapped(
        r#"{"kind":"metric","model":"gpt-4o","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
    );
    assert_eq!(other.recognised_as, "openai.chat_completion");
    // The operator's word for a record comes before the mappings.
    let config = Config { mappings: Mapping::parse("formats.yaml", HOUSE).unwrap(), ..config() };
    let body = br#"{"v":2,"model":"gpt-4o","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let told = decode(&record(body, &[("spend-format", &b"openai.chat_completion"[..])]), &config);
    assert_eq!(told.recognised_as, "openai.chat_completion");
}
