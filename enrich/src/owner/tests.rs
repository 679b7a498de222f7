//! The example directory, and what must hold for every directory.

use schemas::UsageEvent;

use super::*;
use crate::sample::{call, tags};

fn example() -> Directory {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"));
    compile(&read_owners(dir).unwrap_or_else(|findings| panic!("{}", text(&findings))))
}

fn compile(rows: &[ReferenceRow]) -> Directory {
    Directory::compile("test", &rows.iter().collect::<Vec<_>>()).unwrap()
}

fn file(yaml: &str) -> [(String, String); 1] {
    [("owners.yaml".to_string(), yaml.to_string())]
}

fn text(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// Checks who a call belongs to, written `team, rule, confidence`.
fn check(directory: &Directory, change: impl Fn(&mut UsageEvent), expected: &str) {
    let mut event = call("openai/gpt-5", "2026-11-20T12:00:00Z", "input_text_tokens 1");
    change(&mut event);
    let Attribution { owner, rule, confidence } = directory.attribute(&event);
    let or_none = |text: Option<schemas::Text>| text.map_or("none".to_string(), String::from);
    assert_eq!(format!("{}, {}, {confidence}", or_none(owner.team), or_none(rule)), expected);
}

#[test]
fn a_listed_key_decides_whatever_the_producer_claims() {
    let directory = example();
    let event = |event: &mut UsageEvent| {
        event.key_id = Some("key-support-prod".into());
        event.claimed.team = Some("growth".into());
        event.tags = tags("purpose=evaluation");
    };
    check(&directory, event, "support, key:key-support-prod, exact");
}

#[test]
fn a_key_that_moves_takes_its_calls_along_from_the_first_instant_and_no_earlier() {
    let directory = example();
    let at = |time: &'static str| {
        move |event: &mut UsageEvent| {
            event.key_id = Some("key-search-prod".into());
            event.event_time = time.parse().unwrap();
            event.received_at = "2026-11-20".parse().unwrap();
        }
    };
    check(&directory, at("2026-08-31T23:59:59.999999Z"), "data-science, key:key-search-prod, exact");
    check(&directory, at("2026-09-01T00:00:00Z"), "search, key:key-search-prod, exact");
}

#[test]
fn a_row_known_to_be_wrong_owns_nothing() {
    let yaml = "teams: [{team: a}, {team: b}]
keys:
  - {key: k, owner: {team: a}, known_to: 2026-10-01}
  - {key: k, owner: {team: b}, known_from: 2026-10-01}
  - {key: gone, owner: {team: a}, known_to: 2026-10-01}
";
    let directory = compile(&parse_owners(&file(yaml)).unwrap_or_else(|findings| panic!("{}", text(&findings))));
    check(&directory, |event| event.key_id = Some("k".into()), "b, key:k, exact");
    check(&directory, |event| event.key_id = Some("gone".into()), "none, none, none");
}

#[test]
fn a_row_for_a_provider_that_has_ended_leaves_the_key_to_the_row_for_all_of_them() {
    let yaml = "teams: [{team: a}, {team: b}]
keys:
  - {key: k, provider: openai, owner: {team: a}, valid_to: 2026-06-01}
  - {key: k, owner: {team: b}}
";
    let directory = compile(&parse_owners(&file(yaml)).unwrap());
    check(&directory, |event| event.key_id = Some("k".into()), "b, key:k, exact");
    let before = |event: &mut UsageEvent| {
        event.key_id = Some("k".into());
        event.event_time = "2026-05-31".parse().unwrap();
    };
    check(&directory, before, "a, key:k, exact");
}

#[test]
fn a_provider_is_known_by_the_names_people_give_it() {
    let yaml = "teams: [{team: a}, {team: b}]
keys: [{key: k, provider: bedrock, owner: {team: a}}]
rules: [{id: azure, when: {provider: [azure, vertex_ai]}, owner: {team: b}}]
";
    let directory = compile(&parse_owners(&file(yaml)).unwrap());
    let of = |provider: &'static str| {
        move |event: &mut UsageEvent| {
            event.key_id = Some("k".into());
            event.provider = provider.into();
        }
    };
    check(&directory, of("aws.bedrock"), "a, key:k, exact");
    check(&directory, of("azure.ai.openai"), "b, azure, assumed");
    check(&directory, of("gcp.vertex_ai"), "b, azure, assumed");
    check(&directory, of("openai"), "none, none, none");
}

#[test]
fn rules_are_tried_in_order_and_a_claim_only_when_none_names_a_team() {
    let directory = example();
    let tagged = |labels: &'static str, source: &'static str| {
        move |event: &mut UsageEvent| {
            event.tags = tags(labels);
            event.source = source.into();
            event.claimed.team = Some("platform".into());
        }
    };
    check(&directory, tagged("purpose=evaluation", "gateway/eu"), "data-science, evaluations, stated");
    check(&directory, tagged("team=search", "gateway/eu"), "search, gateway-team-tag, stated");
    // A tag that names nobody is no owner, and the claim is next.
    check(&directory, tagged("team=serch", "gateway/eu"), "platform, claim, stated");
    check(&directory, tagged("team=search", "app/x"), "platform, claim, stated");
}

#[test]
fn unallocated_is_a_value_that_keeps_what_else_is_known() {
    let directory = example();
    let event = |event: &mut UsageEvent| {
        event.key_id = Some("key-legacy-7f3a".into());
        event.claimed.team = Some("nobody".into());
        event.claimed.feature = Some("chat".into());
        event.tags = tags("application=old-bot");
    };
    check(&directory, event, "none, none, none");
    let mut unallocated = call("openai/gpt-5", "2026-11-20T12:00:00Z", "");
    event(&mut unallocated);
    let owner = directory.attribute(&unallocated).owner;
    assert_eq!((owner.application.as_deref(), owner.feature.as_deref()), (Some("old-bot"), Some("chat")));
}

#[test]
fn records_and_claims_fill_what_the_rule_leaves_open() {
    let mut event = call("openai/gpt-5", "2026-11-20T12:00:00Z", "");
    event.key_id = Some("key-platform-ci".into());
    event.claimed.environment = Some("staging".into());
    event.claimed.customer = Some("acme".into());
    event.tags = tags("application=review-bot");
    let owner = example().attribute(&event).owner;
    // The key's row, the team's, its parent's, a rule without a team, and a claim.
    assert_eq!(owner.environment.as_deref(), Some("production"));
    assert_eq!(owner.cost_center.as_deref(), Some("cc-410"));
    assert_eq!(owner.business_unit.as_deref(), Some("technology"));
    assert_eq!(owner.application.as_deref(), Some("review-bot"));
    assert_eq!(owner.customer.as_deref(), Some("acme"));
}

#[test]
fn with_no_teams_listed_any_claim_counts() {
    let directory = compile(&parse_owners(&file("{}")).unwrap());
    check(&directory, |event| event.claimed.team = Some("anybody".into()), "anybody, claim, stated");
    let never = compile(&parse_owners(&file("claims: never")).unwrap());
    check(&never, |event| event.claimed.team = Some("anybody".into()), "none, none, none");
}

#[test]
fn a_bad_directory_is_refused_whole() {
    let teams = "teams: [{team: a}]\n";
    for (yaml, part) in [
        ("teams: [{team: a, parent: b}, {team: b, parent: a}]", "part of itself"),
        ("keys: [{key: k, owner: {team: b}}]", "not listed"),
        ("keys: [{key: k, owner: {environment: production}}]", "names no team"),
        ("keys: [{key: k, owner: {team: a}}, {key: k, owner: {team: a}}]", "begin at the same time"),
        (
            "keys: [{key: k, owner: {team: a}, valid_to: 2026-06-01}, {key: k, owner: {team: a}, valid_from: 2026-05-01}]",
            "overlaps",
        ),
        ("rules: [{id: r, owner: {teem: a}}]", "no dimension"),
        ("rules: [{id: r, owner: {team: a}}, {id: r, owner: {team: a}}]", "there twice"),
        ("rules: [{id: r}]", "states no owner"),
        ("projects: [{project: p, team: z}]", "not listed"),
        ("keyz: []", "keyz"),
    ] {
        let head = if yaml.starts_with("teams") { "" } else { teams };
        let findings = parse_owners(&file(&format!("{head}{yaml}"))).expect_err("a bad directory was taken");
        assert!(text(&findings).contains(part), "{yaml} was refused with {:?}, not {part:?}", text(&findings));
        assert!(findings.iter().all(|finding| finding.file == "owners.yaml" && !finding.remedy.is_empty()));
    }
}

#[test]
fn gaps_and_rules_that_never_win_are_worth_a_look() {
    let yaml = "teams: [{team: a}]
keys:
  - {key: k, owner: {team: a}, valid_to: 2026-05-01}
  - {key: k, owner: {team: a}, valid_from: 2026-06-01}
rules:
  - {id: everything, owner: {team: a}}
  - {id: late, when: {model: x}, owner: {team: a}}
";
    let warnings = lint_owners(&file(yaml)).unwrap();
    let said = text(&warnings);
    assert_eq!(warnings.len(), 2, "{said}");
    assert!(
        said.contains("no owner from 2026-05-01T00:00:00Z to 2026-06-01T00:00:00Z")
            && said.contains("\"late\" never wins")
    );
    let example = include_str!("../../../deploy/example/owners.yaml");
    assert_eq!(lint_owners(&file(example)).unwrap(), []);
}

#[test]
fn tables_as_spreadsheets_export_them_make_a_directory() {
    let table = |name: &str, text: &str| (format!("owners/{name}.csv"), text.to_string());
    let files = [
        table("teams", "team,parent,cost_center\ntech,,\nsearch,tech,cc-1\ngrowth,,cc-2\n"),
        table("cost_centers", "cost_center,business_unit\r\ncc-1,technology\r\ncc-2,marketing\r\n"),
        table("keys", "key,team,environment,valid_from\nk,growth,production,\nk,search,production,2026-10-14\n"),
        ("owners/rules.yaml".to_string(), "rules: [{id: rest, owner: {team: tech}}]".to_string()),
    ];
    let directory = compile(&parse_owners(&files).unwrap_or_else(|findings| panic!("{}", text(&findings))));
    let at = |time: &'static str| {
        move |event: &mut UsageEvent| {
            event.key_id = Some("k".into());
            event.event_time = time.parse().unwrap();
            event.received_at = "2026-10-20".parse().unwrap();
        }
    };
    check(&directory, at("2026-10-13T23:00:00Z"), "growth, key:k, exact");
    check(&directory, at("2026-10-14"), "search, key:k, exact");
    check(&directory, |event| event.key_id = Some("other".into()), "tech, rest, assumed");
    let mut event = call("openai/gpt-5", "2026-11-20T12:00:00Z", "");
    at("2026-10-14")(&mut event);
    assert_eq!(directory.attribute(&event).owner.business_unit.as_deref(), Some("technology"));
    let spans: Vec<String> = directory
        .tenures("k")
        .into_iter()
        .map(|tenure| format!("{} until {}", tenure.owner.team.unwrap(), tenure.to.min("2027-01-01".parse().unwrap())))
        .collect();
    assert_eq!(spans, ["growth until 2026-10-14T00:00:00Z", "search until 2027-01-01T00:00:00Z"]);
}

#[test]
fn a_bad_table_is_refused_with_its_line() {
    for (name, table, part) in [
        ("keys", "key,team\nk,a,b\n", "line 2: has 3 cells where the header has 2"),
        ("keys", "key,team\n\nk,nobody\n", "line 3: team \"nobody\" is not listed"),
        ("keys", "key,teem\nk,a\n", "line 2: \"teem\" is no dimension"),
        ("teams", "team,colour\na,red\n", "line 1: has no column \"colour\""),
        ("teams", "name\na\n", "has no column \"team\""),
        ("projects", "project,team,valid_from\np,a,yesterday\n", "line 2: valid_from \"yesterday\" is no time"),
        ("rules", "id\nr\n", "is no table of a directory"),
        ("environments", "environment\nproduction\n", "environment \"prod\" is not listed"),
    ] {
        let yaml = "teams: [{team: a}]\nkeys: [{key: x, owner: {team: a, environment: prod}}]".to_string();
        let files = [("owners/all.yaml".to_string(), yaml), (format!("owners/{name}.csv"), table.to_string())];
        let findings = parse_owners(&files).expect_err("a bad table was taken");
        assert!(text(&findings).contains(part), "{table:?} was refused with {:?}, not {part:?}", text(&findings));
    }
}
