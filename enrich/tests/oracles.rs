//! Prices compared with two libraries that nobody here wrote: litellm and genai-prices.
//!
//! A book imported from a library's data must give that library's answer, digit for digit, before anything is rounded.
//! The cases and answers are in `tests/oracles`; `SPENDSTREAM_ORACLE_DIR` names another folder of the same form. The
//! libraries' data come from PyPI, by name and version; `SPENDSTREAM_ORACLE_PACKAGES` names a folder that has them
//! already, one sub-folder a package as `pip install --target` makes it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_enrich as enrich;
extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use enrich::PriceBook;
use enrich::price::import::{Imported, Options, Source, import};
use enrich::quote::{Answer, Question, quote};
use schemas::{Meter, PICO, ReferenceRow};
use serde_json::{Value, json};
use stream::reference::Compiled;

const LITELLM: &str = "1.106.2";
const GENAI: &str = "0.2.3";

#[test]
fn a_book_of_litellms_data_gives_litellms_answers() {
    let imported = imported(Source::Litellm, "litellm", LITELLM, "litellm/model_prices_and_context_window_backup.json");
    let quirks: BTreeMap<String, Value> = serde_json::from_str(&text("quirks_litellm.json")).unwrap();
    let mut score = Score::new("litellm", quirks);
    let cases = lines("cases.jsonl");
    let book = with_contracts(imported.rows, &cases);
    score.compare(&book, &cases, &lines("expected_litellm.jsonl"), "litellm");
    score.compare(&book, &lines("twins.jsonl"), &lines("expected_twins_litellm.jsonl"), "litellm");
    score.finish();
}

#[test]
fn savings_by_litellms_definition_are_litellms() {
    let imported = imported(Source::Litellm, "litellm", LITELLM, "litellm/model_prices_and_context_window_backup.json");
    let cases = lines("cases.jsonl");
    let mut score = Score::new("litellm's cache savings", BTreeMap::new());
    score.compare_savings(&compiled(&imported.rows), &cases, &lines("expected_cache_savings_litellm.jsonl"));
    score.finish();
}

#[test]
fn a_book_of_genai_prices_data_gives_its_answers() {
    let imported = imported(Source::GenaiPrices, "genai-prices", GENAI, "genai_prices/data.py");
    let mut score = Score::new("genai-prices", BTreeMap::new());
    let book = compiled(&imported.rows);
    score.compare(&book, &lines("cases.jsonl"), &lines("expected_genai_prices.jsonl"), "genai");
    score.compare(&book, &lines("twins.jsonl"), &lines("expected_twins_genai_prices.jsonl"), "genai");
    score.finish();
}

/// How an answer compares with the library's.
struct Score {
    name: &'static str,
    quirks: BTreeMap<String, Value>,
    equal: u64,
    explained: u64,
    not_applicable: u64,
    different: Vec<String>,
    /// Meters the library counts as nothing and we as unpriced.
    silent: u64,
}

impl Score {
    fn new(name: &'static str, quirks: BTreeMap<String, Value>) -> Self {
        Score { name, quirks, equal: 0, explained: 0, not_applicable: 0, different: Vec::new(), silent: 0 }
    }

    fn compare(&mut self, book: &PriceBook, cases: &[Value], answers: &[Value], library: &str) {
        assert_eq!(cases.len(), answers.len(), "{}: cases and answers are aligned by line", self.name);
        for (case, expected) in cases.iter().zip(answers) {
            let id = case["case_id"].as_str().unwrap();
            assert_eq!(expected["case_id"], case["case_id"]);
            if expected["ok"] != json!(true) {
                self.not_applicable += 1;
                continue;
            }
            let answer = quote(book, &question(case, library));
            self.silent += answer.unpriced.len() as u64;
            let cost = expected["cost"].as_str().unwrap();
            let stated = self.quirks.get(id).map_or(cost, |quirk| quirk["documented"].as_str().unwrap());
            let ours = exact(&answer);
            assert_rounded_once(&answer, &ours);
            let seconds = answer.lines.iter().any(|line| matches!(line.per, 3600));
            if ours.equals(&Fraction::parse(stated), seconds) {
                self.equal += 1;
                self.explained += u64::from(stated != cost);
            } else {
                let context = format!("{} {}", case[library]["provider"], case[library]["model"]);
                let lines: Vec<_> =
                    answer.lines.iter().map(|line| (line.meter, line.list_unit_price.0, line.per)).collect();
                self.different.push(format!(
                    "{id} {context} {}: {stated}, ours {ours} ({:?}, {lines:?}, unpriced {:?})",
                    case["meters"], answer.sku, answer.unpriced
                ));
            }
        }
    }

    /// What the cache saved, by litellm's definition, from our rates: no write premium where no write price is
    /// published, and no read that costs more than none.
    fn compare_savings(&mut self, book: &PriceBook, cases: &[Value], answers: &[Value]) {
        let cases: BTreeMap<&str, &Value> =
            cases.iter().map(|case| (case["case_id"].as_str().unwrap(), case)).collect();
        for expected in answers {
            let id = expected["case_id"].as_str().unwrap();
            let mut case = (*cases[id]).clone();
            // Litellm leaves these factors out of savings, and prices every hit as text.
            for left_out in ["inference_geo", "speed", "contract", "batch"] {
                case.as_object_mut().unwrap().remove(left_out);
            }
            // Its own function for Fireworks prices a call by the tier and its savings without, although the data has both.
            if case["litellm"]["provider"] == "fireworks_ai" {
                case.as_object_mut().unwrap().remove("service_tier");
            }
            let mut text_only = serde_json::Map::new();
            for (meter, amount) in case["meters"].as_object().unwrap() {
                let amount = amount.as_i64().unwrap_or_default();
                let meter: Meter = meter.parse().unwrap();
                let kind = match meter {
                    Meter::CacheReadAudioTokens | Meter::CacheReadImageTokens => Meter::CacheReadTextTokens,
                    other if other.is_input_tokens() => other,
                    _ => continue,
                };
                let sum = text_only.get(kind.as_str()).and_then(Value::as_i64).unwrap_or_default() + amount;
                text_only.insert(kind.as_str().to_string(), json!(sum));
            }
            case["meters"] = Value::Object(text_only.clone());
            let cached = quote(book, &question(&case, "litellm"));
            let tokens: i64 = text_only.values().filter_map(Value::as_i64).sum();
            case["meters"] = json!({ "input_text_tokens": tokens });
            let uncached = quote(book, &question(&case, "litellm"));
            let Some(input) = uncached.lines.first().map(|line| Fraction::price(line.list_unit_price, line.per)) else {
                self.different.push(format!("{id}: no input price"));
                continue;
            };
            let mut saved = Fraction::ZERO;
            for line in &cached.lines {
                let rate = Fraction::price(line.list_unit_price, line.per);
                let less = match line.meter {
                    Meter::CacheReadTextTokens => input.minus(&rate).max(Fraction::ZERO),
                    Meter::CacheWrite5mTokens | Meter::CacheWrite1hTokens if rate.n != 0 => input.minus(&rate),
                    _ => Fraction::ZERO,
                };
                saved = saved.plus(&less.times(line.billed_quantity.picos() / PICO));
            }
            let stated = expected["cache_savings"].as_str().unwrap();
            if saved.equals(&Fraction::parse(stated), false) {
                self.equal += 1;
            } else {
                self.different
                    .push(format!("{id} {} {}: {stated}, ours {saved}", case["litellm"], cases[id]["meters"]));
            }
        }
    }

    fn finish(self) {
        let Score { name, equal, explained, not_applicable, different, silent, .. } = self;
        println!(
            "{name}: {equal} equal ({explained} by the documented answer), {} different, {not_applicable} not applicable; \
             {silent} meters unpriced that it counts as nothing",
            different.len()
        );
        for difference in &different {
            println!("  {difference}");
        }
        assert!(different.is_empty(), "{name}: {} answers differ", different.len());
        assert!(equal > 0, "{name}: no case was compared");
    }
}

/// A case as a question: what our own events would say of the same call.
fn question(case: &Value, library: &str) -> Question {
    let given = |field: &str| case.get(field).filter(|value| !value.is_null() && **value != json!("")).cloned();
    let mut context = serde_json::Map::new();
    context.insert("batch".into(), given("batch").unwrap_or(json!(false)));
    for (ours, theirs) in [
        ("service_tier", "service_tier"),
        ("speed", "speed"),
        ("residency", "data_residency"),
        ("residency", "inference_geo"),
        ("region", "vertex_location"),
        ("endpoint", "route"),
        ("endpoint", "search_type"),
        ("size", "image_size"),
        ("quality", "image_quality"),
        ("resolution", "video_resolution"),
        ("search_context", "search_context_size"),
    ] {
        // What only the other library is told is no part of this one's question.
        let told = match theirs {
            "data_residency" | "inference_geo" | "vertex_location" => library == "litellm",
            "route" | "search_type" => library == "genai",
            _ => true,
        };
        if let Some(value) = given(theirs).filter(|_| told) {
            context.insert(ours.into(), value);
        }
    }
    let question = json!({
        "event_id": case["case_id"],
        "tenant": case["case_id"],
        "provider": case[library]["provider"],
        "model": case[library]["model"],
        "operation": case["operation"],
        "event_time": case["timestamp"],
        "price_context": context,
        "usage": case["meters"],
    });
    serde_json::from_value(question.clone()).unwrap_or_else(|error| panic!("{question}: {error}"))
}

/// Adds the contracts some cases state, each for a tenant of its own.
fn with_contracts(rows: Vec<ReferenceRow>, cases: &[Value]) -> PriceBook {
    let list = compiled(&rows);
    let mut all = rows;
    for case in cases.iter().filter(|case| case.get("contract").is_some_and(|contract| !contract.is_null())) {
        let Some(sku) = quote(&list, &question(case, "litellm")).sku else { continue };
        let (contract, id) = (&case["contract"], &case["case_id"]);
        let when = json!({ "tenant": id, "tier": "any", "speed": "any", "batch": "any" });
        let plain = |factor: String, fee: Option<&Value>| {
            let mut row =
                json!({ "id": id, "skus": [sku], "when": when, "factor": factor, "period": {}, "provenance": {} });
            if let Some(fee) = fee {
                row["per_call"] = fee.clone();
            }
            json!({ "discount": row })
        };
        let decimal = |value: &Value| value.as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
        let one = rust_decimal::Decimal::ONE;
        let body = if let Some(discount) = contract.get("discount") {
            plain((one - decimal(discount)).to_string(), None)
        } else if let Some(margin) = contract.get("margin") {
            let factor = margin.get("percentage").map_or(one, |percentage| one + decimal(percentage));
            plain(factor.to_string(), margin.get("fixed_amount"))
        } else {
            let rates = &contract["rates"];
            let prices: BTreeMap<Meter, String> = Meter::ALL
                .iter()
                .filter(|meter| meter.is_tokens())
                .map(|meter| {
                    let input = &rates["input_cost_per_token"];
                    let or_input = |name: &str| rates.get(name).unwrap_or(input);
                    let price = match meter {
                        Meter::CacheReadTextTokens | Meter::CacheReadAudioTokens | Meter::CacheReadImageTokens => {
                            or_input("cache_read_input_token_cost")
                        }
                        Meter::CacheWrite5mTokens | Meter::CacheWrite1hTokens => {
                            or_input("cache_creation_input_token_cost")
                        }
                        meter if meter.is_input_tokens() => input,
                        _ => &rates["output_cost_per_token"],
                    };
                    (*meter, (decimal(price) * rust_decimal::Decimal::from(1_000_000)).normalize().to_string())
                })
                .collect();
            json!({ "rate": { "sku": sku, "when": when, "per": 1_000_000, "prices": prices, "period": {}, "provenance": {} } })
        };
        all.push(stream::reference::row("prices", &format!("contract of {id}"), &body.to_string()));
    }
    compiled(&all)
}

fn compiled(rows: &[ReferenceRow]) -> PriceBook {
    let rows: Vec<&ReferenceRow> = rows.iter().collect();
    PriceBook::compile("oracle", &rows).unwrap()
}

/// The cost before anything is rounded.
fn exact(answer: &Answer) -> Fraction {
    let mut sum = Fraction::ZERO;
    for line in &answer.lines {
        let price = line.contracted_unit_price.unwrap_or(line.list_unit_price);
        let each = Fraction::price(price, line.per);
        let picos = line.billed_quantity.picos();
        sum = sum.plus(&if picos % PICO == 0 { each.times(picos / PICO) } else { each.times(picos).over(PICO) });
    }
    sum
}

/// What a charge states is that sum, rounded once.
fn assert_rounded_once(answer: &Answer, exact: &Fraction) {
    let Some(contracted) = answer.costs.contracted else { return };
    let difference = Fraction { n: contracted.picos(), d: PICO }.minus(exact);
    let half = Fraction { n: 1, d: 2 * PICO };
    let magnitude = Fraction { n: difference.n.abs(), d: difference.d };
    assert!(half.minus(&magnitude).n >= 0, "{}: {contracted} is not {exact} rounded", answer.event_id);
    let sum: i128 = answer.lines.iter().map(|line| line.contracted_cost.picos()).sum();
    assert_eq!(sum, contracted.picos(), "{}: lines add up", answer.event_id);
}

/// An exact fraction.
#[derive(Debug, Clone, Copy)]
struct Fraction {
    n: i128,
    d: i128,
}

impl Fraction {
    const ZERO: Fraction = Fraction { n: 0, d: 1 };

    fn new(n: i128, d: i128) -> Self {
        let (mut a, mut b) = (n.abs(), d);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Fraction { n: n / a.max(1), d: d / a.max(1) }
    }

    fn price(price: schemas::Price, per: i64) -> Self {
        Self::new(price.0.mantissa(), 10i128.pow(price.0.scale()) * i128::from(per))
    }

    fn parse(text: &str) -> Self {
        let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
        let n: i128 = format!("{whole}{digits}").parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        Self::new(n, 10i128.pow(digits.len() as u32))
    }

    fn plus(&self, other: &Self) -> Self {
        let common = Self::new(self.d, other.d);
        let (left, right) = (self.n.checked_mul(common.d).unwrap(), other.n.checked_mul(common.n).unwrap());
        Self::new(left + right, self.d.checked_mul(common.d).unwrap())
    }

    fn minus(&self, other: &Self) -> Self {
        self.plus(&Fraction { n: -other.n, d: other.d })
    }

    fn times(&self, factor: i128) -> Self {
        let common = Self::new(factor, self.d);
        Fraction { n: self.n.checked_mul(common.n).unwrap(), d: common.d }
    }

    fn over(&self, divisor: i128) -> Self {
        let common = Self::new(self.n, divisor);
        Fraction { n: common.n, d: self.d.checked_mul(common.d).unwrap() }
    }

    fn max(self, other: Self) -> Self {
        if self.minus(&other).n < 0 { other } else { self }
    }

    /// Whether they are the same number; of prices per hour, whose library divides last, to 24 decimal places.
    fn equals(&self, other: &Self, to_24_places: bool) -> bool {
        if !to_24_places {
            return Self::new(self.n, self.d).n == Self::new(other.n, other.d).n
                && Self::new(self.n, self.d).d == Self::new(other.n, other.d).d;
        }
        // self - other, without a common denominator: a/b = c/10^k to 10^-24 when |a * 10^k - c * b| <= b * 10^(k-24).
        let apart = self.times(1).approximate() - other.approximate();
        apart.abs() <= 1
    }

    /// In units of 10^-24, rounded down.
    fn approximate(&self) -> i128 {
        let (whole, mut rest) = (self.n.div_euclid(self.d), self.n.rem_euclid(self.d));
        let mut digits = whole;
        for _ in 0..24 {
            rest *= 10;
            digits = digits * 10 + rest / self.d;
            rest %= self.d;
        }
        digits
    }
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.approximate();
        let sign = if digits < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:024}", digits.abs() / 10i128.pow(24), digits.abs() % 10i128.pow(24));
        write!(f, "{}", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

fn folder() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/oracles");
    std::env::var_os("SPENDSTREAM_ORACLE_DIR").map_or_else(default, PathBuf::from)
}

/// A file of the folder, or the same compressed.
fn text(name: &str) -> String {
    let plain = folder().join(name);
    let packed = folder().join(format!("{name}.gz"));
    let mut text = String::new();
    let read = if plain.is_file() {
        std::fs::File::open(&plain).and_then(|mut file| file.read_to_string(&mut text))
    } else {
        std::fs::File::open(&packed).and_then(|file| flate2::read::GzDecoder::new(file).read_to_string(&mut text))
    };
    read.unwrap_or_else(|error| panic!("neither {} nor its .gz can be read: {error}", plain.display()));
    text
}

fn lines(name: &str) -> Vec<Value> {
    let text = text(name);
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The data of a package, read into rows with every digit.
fn imported(source: Source, package: &str, version: &str, file: &str) -> Imported {
    let path = package_folder(package, version).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let options = Options { source, version: version.into(), checked: "2026-11-23".into(), exact: true };
    let imported = import(&text, &options).unwrap_or_else(|findings| {
        let findings: Vec<String> = findings.iter().take(20).map(ToString::to_string).collect();
        panic!("{package}: {} findings\n{}", findings.len(), findings.join("\n"))
    });
    let remarks: BTreeSet<&String> = imported.remarks.iter().collect();
    println!("{package} {version}: {} rows, {} remarks", imported.rows.len(), remarks.len());
    for remark in remarks {
        println!("  {remark}");
    }
    imported
}

/// Where the files of a package are; installs them, and nothing they depend on, when they are not there.
fn package_folder(package: &str, version: &str) -> PathBuf {
    let name = format!("{package}-{version}");
    if let Some(folder) = std::env::var_os("SPENDSTREAM_ORACLE_PACKAGES") {
        let folder = PathBuf::from(folder).join(&name);
        assert!(folder.is_dir(), "SPENDSTREAM_ORACLE_PACKAGES is set, and {} is not there", folder.display());
        return folder;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    if !folder.join("complete").is_file() {
        let status = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
            .arg(&folder)
            .arg(format!("{package}=={version}"))
            .status();
        let remedy = format!(
            "the oracle test needs {package} {version} from PyPI: install python3 with pip and allow it to reach PyPI, or set \
             SPENDSTREAM_ORACLE_PACKAGES to a folder that holds {name} (pip install --no-deps --target {name} {package}=={version})"
        );
        assert!(status.is_ok_and(|status| status.success()), "{remedy}");
        std::fs::write(folder.join("complete"), "").expect("write beside what was installed");
    }
    folder
}
