//! An independent answer to "what should all this have cost": single-threaded, over the raw records and the reference
//! files, sharing no code with the services (not even their types).
//!
//! It knows just what the sample traffic holds: OpenAI and Anthropic bodies in envelopes and CloudEvents, our own usage
//! events, copies of calls, and records nobody can read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::Value;

/// A record as it stands in the raw topic.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
    /// Value.
    pub payload: Vec<u8>,
}

/// What one call should have been charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    /// Provider.
    pub provider: String,
    /// Model.
    pub model: String,
    /// Cost in 10^-12 dollars; `None` when the book has no price.
    pub cost: Option<i128>,
    /// Team that pays; `None` when nobody does.
    pub team: Option<String>,
    /// Environment.
    pub environment: Option<String>,
    /// When the call was made.
    pub time: DateTime<Utc>,
    /// Tokens of its input, read from a cache, written to one, and of its output.
    pub tokens: [i128; 4],
}

/// Sums of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Calls and cost.
    pub sum: Sum,
    /// Tokens, as of each call.
    pub tokens: [i128; 4],
    /// Tokens of calls without a price.
    pub unpriced: i128,
}

/// Calls and what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Calls.
    pub requests: i64,
    /// Cost in 10^-12 dollars.
    pub cost: i128,
}

/// What a window is kept by, as far as the oracle knows: team, environment, provider, model.
pub type Key = (Option<String>, Option<String>, String, String);

/// The oracle's answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Final charge of every call, by call key.
    pub charges: BTreeMap<String, Charged>,
    /// Records that hold a usable call, copies among them.
    pub events: usize,
    /// Records that hold none.
    pub rejected: usize,
}

impl Answer {
    /// Sum of all charges in 10^-12 dollars.
    pub fn cost(&self) -> i128 {
        self.charges.values().filter_map(|charge| charge.cost).sum()
    }

    /// Sums by key and start of the window; `truncate` gives the start of the window a time falls into.
    pub fn windows(&self, truncate: fn(DateTime<Utc>) -> DateTime<Utc>) -> BTreeMap<(Key, DateTime<Utc>), Held> {
        let mut windows = BTreeMap::<_, Held>::new();
        for charge in self.charges.values() {
            let key = (charge.team.clone(), charge.environment.clone(), charge.provider.clone(), charge.model.clone());
            let held = windows.entry((key, truncate(charge.time))).or_default();
            held.sum.requests += 1;
            held.sum.cost += charge.cost.unwrap_or(0);
            for (total, tokens) in held.tokens.iter_mut().zip(charge.tokens) {
                *total += tokens;
            }
            if charge.cost.is_none() {
                held.unpriced += charge.tokens.iter().sum::<i128>();
            }
        }
        windows
    }

    /// What every budget should say of every period that has spend, by budget id, kind of period and its start.
    pub fn budgets(&self, folder: &Path) -> BTreeMap<(String, String, DateTime<Utc>), Period> {
        let file = yaml(&folder.join("budgets.yaml"));
        let mut periods = BTreeMap::new();
        for budget in file["budgets"].as_array().expect(DATA) {
            let zone: chrono_tz::Tz = budget["time_zone"].as_str().unwrap_or("UTC").parse().expect(DATA);
            let fiscal = budget["fiscal_year_start"].as_u64().unwrap_or(1) as u32;
            for (period, amount) in budget["amounts"].as_object().expect(DATA) {
                let mut sums = BTreeMap::<DateTime<Utc>, Sum>::new();
                for charge in self.charges.values().filter(|charge| charge.in_scope(&budget["scope"])) {
                    let sum = sums.entry(start(period, charge.time, zone, fiscal)).or_default();
                    sum.requests += 1;
                    sum.cost += charge.cost.unwrap_or(0);
                }
                let amount = picos(&text(amount).expect(DATA));
                for (start, sum) in sums {
                    let key = (text(&budget["id"]).expect(DATA), period.clone(), start);
                    periods.insert(key, Period::judge(&budget["thresholds"], period, amount, sum));
                }
            }
        }
        periods
    }
}

/// What a budget says of one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Calls and cost.
    pub sum: Sum,
    /// What is left of the amount, in 10^-12 dollars.
    pub left: i128,
    /// Shares of the thresholds that were reached, smallest first.
    pub reached: Vec<String>,
    /// Whether one of them blocks.
    pub blocked: bool,
}

impl Period {
    fn judge(thresholds: &Value, period: &str, amount: i128, sum: Sum) -> Self {
        let share = |threshold: &Value| text(&threshold["share"]).expect(DATA);
        let mut reached: Vec<&Value> = thresholds.as_array().expect(DATA).iter().collect();
        reached.retain(|threshold| {
            // share x amount, both in 10^-12, against a sum in 10^-12.
            threshold["period"] == period && sum.cost * 1_000_000_000_000 >= picos(&share(threshold)) * amount
        });
        reached.sort_by_key(|threshold| picos(&share(threshold)));
        Period {
            sum,
            left: amount - sum.cost,
            blocked: reached.iter().any(|threshold| threshold["action"] == "block"),
            reached: reached.into_iter().map(share).collect(),
        }
    }
}

impl Charged {
    fn in_scope(&self, scope: &Value) -> bool {
        scope.as_object().into_iter().flatten().all(|(name, value)| {
            let mine = match name.as_str() {
                "team" => self.team.as_deref(),
                "environment" => self.environment.as_deref(),
                "provider" => Some(self.provider.as_str()),
                "model" => Some(self.model.as_str()),
                other => panic!("the oracle knows no scope {other}"),
            };
            mine == value.as_str()
        })
    }
}

/// First instant of the period a time falls into.
fn start(period: &str, time: DateTime<Utc>, zone: chrono_tz::Tz, fiscal: u32) -> DateTime<Utc> {
    let date = time.with_timezone(&zone).date_naive();
    let since = (date.month() + 12 - fiscal) % 12;
    let back = match period {
        "day" => None,
        "month" => Some(0),
        "quarter" => Some(since % 3),
        "year" => Some(since),
        other => panic!("unknown period {other}"),
    };
    let first = match back {
        None => date,
        Some(months) => date.with_day(1).expect("every month has a first") - chrono::Months::new(months),
    };
    first.and_time(chrono::NaiveTime::MIN).and_local_timezone(zone).earliest().expect(DATA).to_utc()
}

/// Start of the hour.
pub fn hour(time: DateTime<Utc>) -> DateTime<Utc> {
    day(time) + chrono::Duration::hours(i64::from(time.hour()))
}

/// Start of the day.
pub fn day(time: DateTime<Utc>) -> DateTime<Utc> {
    time.date_naive().and_time(chrono::NaiveTime::MIN).and_utc()
}

/// Start of the calendar month.
pub fn month(time: DateTime<Utc>) -> DateTime<Utc> {
    day(time) - chrono::Duration::days(i64::from(time.day0()))
}

/// Start of the calendar quarter.
pub fn quarter(time: DateTime<Utc>) -> DateTime<Utc> {
    month(time) - chrono::Months::new(time.month0() % 3)
}

/// A fact the oracle cannot do without is missing: the test's own data is wrong.
const DATA: &str = "the test's own reference data is complete";

/// The reference files, as far as the sample needs them.
#[derive(Debug)]
pub struct Oracle {
    skus: Vec<Sku>,
    keys: Vec<KeyOwner>,
}

#[derive(Debug)]
struct Sku {
    provider: String,
    models: Vec<String>,
    tiers: BTreeMap<String, String>,
    fallbacks: BTreeMap<String, String>,
    rates: Vec<Value>,
}

#[derive(Debug)]
struct KeyOwner {
    key: String,
    team: String,
    environment: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

impl Oracle {
    /// Reads `prices/*.yaml` and `owners.yaml` of a folder of reference data.
    pub fn read(folder: &Path) -> Self {
        let mut skus = Vec::new();
        for file in std::fs::read_dir(folder.join("prices")).expect(DATA) {
            let path = file.expect(DATA).path();
            // The notices and the list of differences lie beside the prices.
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let file = yaml(&path);
            for sku in file["skus"].as_array().into_iter().flatten() {
                skus.push(Sku {
                    provider: text(&file["provider"]).expect(DATA),
                    models: strings(&sku["models"]),
                    tiers: map(&file["tiers"]),
                    fallbacks: map(&file["fallbacks"]),
                    rates: sku["rates"].as_array().cloned().unwrap_or_default(),
                });
            }
        }
        Oracle { skus, keys: owners(&yaml(&folder.join("owners.yaml"))) }
    }

    /// What these records should have cost.
    pub fn answer(&self, records: &[Raw]) -> Answer {
        let mut answer = Answer::default();
        let mut seen = BTreeSet::new();
        for record in records {
            assert!(seen.insert((record.partition, record.offset)), "the same record was given twice");
            match self.call(&record.payload) {
                None => answer.rejected += 1,
                Some((key, charged)) => {
                    answer.events += 1;
                    // Copies of a call in the sample say the same, so whichever comes first will do.
                    let kept = answer.charges.entry(key).or_insert_with(|| charged.clone());
                    assert_eq!(*kept, charged, "copies of a call in the sample must agree");
                }
            }
        }
        answer
    }

    fn call(&self, payload: &[u8]) -> Option<(String, Charged)> {
        let record: Value = serde_json::from_slice(payload).ok()?;
        let (data, time) = match record.get("specversion") {
            Some(_) => (record.get("data")?, record.get("time")?),
            None => (&record, record.get("time")?),
        };
        let time: DateTime<Utc> = time.as_str()?.parse().ok()?;
        let response = data.get("response").unwrap_or(data);
        let provider = data.get("provider")?.as_str()?.to_owned();
        let model = response.get("model")?.as_str()?.to_owned();
        let id = response.get("id").or(response.get("response_id"))?.as_str()?;
        let usage = usage(response)?;
        let tier = response.get("service_tier").and_then(Value::as_str);
        let cost = self.cost(&provider, &model, tier, &usage, time);
        let key = data.get("key").and_then(Value::as_str).unwrap_or_default();
        let holds = |owner: &&KeyOwner| {
            owner.key == key && owner.from.is_none_or(|from| from <= time) && owner.to.is_none_or(|to| time < to)
        };
        // Of rows that hold, the one that took effect last.
        let owner = self.keys.iter().filter(holds).max_by_key(|owner| owner.from);
        let tag = data["tags"]["environment"].as_str().map(str::to_owned);
        let charged = Charged {
            cost,
            team: owner.map(|owner| owner.team.clone()),
            environment: owner.and_then(|owner| owner.environment.clone()).or(tag),
            time,
            model,
            provider: provider.clone(),
            tokens: tokens(&usage),
        };
        Some((format!("{provider}/{id}"), charged))
    }

    /// Exact cost, rounded once, half to even.
    fn cost(
        &self,
        provider: &str,
        model: &str,
        tier: Option<&str>,
        usage: &BTreeMap<&'static str, i128>,
        time: DateTime<Utc>,
    ) -> Option<i128> {
        let sku =
            self.skus.iter().find(|sku| sku.provider == provider && sku.models.iter().any(|name| name == model))?;
        let tier = tier.map(|tier| sku.tiers.get(tier).map_or(tier, String::as_str));
        let tier = tier.filter(|tier| !["default", "standard", "auto"].contains(tier));
        let context: i128 =
            usage.iter().filter(|(meter, _)| !meter.starts_with("output")).map(|(_, quantity)| quantity).sum();
        let mut numerator = 0;
        for (meter, quantity) in usage {
            let (price, per) = sku.rate(meter, tier, context, time)?;
            assert_eq!(per, 1_000_000, "the oracle knows prices per million only");
            numerator += price * quantity;
        }
        Some(round_half_even(numerator, 1_000_000))
    }
}

/// Of two rows that hold, the one with more conditions wins, then the one that took effect later.
type Rank = (usize, Option<DateTime<Utc>>);

impl Sku {
    /// Price in 10^-12 dollars and the quantity it is for, of the narrowest row that holds.
    fn rate(&self, meter: &str, tier: Option<&str>, context: i128, time: DateTime<Utc>) -> Option<(i128, i64)> {
        let mut best: Option<(Rank, (i128, i64))> = None;
        for rate in &self.rates {
            let when = rate.get("when").cloned().unwrap_or_else(|| serde_json::json!({}));
            let bands = |name: &str| when["band"].get(name).and_then(Value::as_i64).map(i128::from);
            let from = text(&rate["valid_from"]).map(|text| date(&text));
            let holds = when["batch"].as_bool() != Some(true)
                && when["tier"].as_str() == tier
                && bands("above").is_none_or(|above| context > above)
                && bands("from").is_none_or(|from| context >= from)
                && bands("up_to").is_none_or(|up_to| context <= up_to)
                && bands("below").is_none_or(|below| context < below)
                && from.is_none_or(|from| from <= time)
                && text(&rate["valid_to"]).is_none_or(|to| time < date(&to));
            let known = ["batch", "tier", "band"];
            let unknown = when.as_object().into_iter().flatten().any(|(name, _)| !known.contains(&name.as_str()));
            if !holds || unknown {
                continue;
            }
            let prices = &rate["prices"];
            let fallback = self.fallbacks.get(meter).map(String::as_str).unwrap_or(meter);
            let Some(price) = prices.get(meter).or(prices.get(fallback)) else { continue };
            let rank = (when.as_object().map_or(0, serde_json::Map::len), from);
            if best.is_none_or(|(other, _)| rank > other) {
                best = Some((rank, (picos(&price.to_string()), rate["per"].as_i64().expect(DATA))));
            }
        }
        best.map(|(_, price)| price)
    }
}

/// Disjoint meters of a body, or `None` when it cannot be trusted.
fn usage(response: &Value) -> Option<BTreeMap<&'static str, i128>> {
    let usage = response.get("usage")?;
    let number = |value: &Value| value.as_i64().filter(|number| *number >= 0).map(i128::from);
    let optional = |value: &Value| if value.is_null() { Some(0) } else { number(value) };
    let mut meters = BTreeMap::new();
    if usage.get("prompt_tokens").is_some() || usage.get("input_tokens_details").is_some() {
        let chat = usage.get("prompt_tokens").is_some();
        let names = if chat {
            ["prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"]
        } else {
            ["input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"]
        };
        let (input, output) = (number(&usage[names[0]])?, number(&usage[names[1]])?);
        let cached = optional(&usage[names[2]]["cached_tokens"])?;
        let reasoning = optional(&usage[names[3]]["reasoning_tokens"])?;
        if number(&usage["total_tokens"])? != input + output || cached > input || reasoning > output {
            return None;
        }
        meters.insert("input_text_tokens", input - cached);
        meters.insert("cache_read_text_tokens", cached);
        meters.insert("output_text_tokens", output - reasoning);
        meters.insert("output_reasoning_tokens", reasoning);
    } else if usage.get("input_tokens").is_some() {
        meters.insert("input_text_tokens", number(&usage["input_tokens"])?);
        meters.insert("cache_read_text_tokens", optional(&usage["cache_read_input_tokens"])?);
        meters.insert("cache_write_5m_tokens", optional(&usage["cache_creation"]["ephemeral_5m_input_tokens"])?);
        meters.insert("cache_write_1h_tokens", optional(&usage["cache_creation"]["ephemeral_1h_input_tokens"])?);
        meters.insert("output_text_tokens", number(&usage["output_tokens"])?);
    } else {
        const OURS: [&str; 5] = [
            "input_text_tokens",
            "cache_read_text_tokens",
            "cache_write_5m_tokens",
            "output_text_tokens",
            "output_reasoning_tokens",
        ];
        for (name, quantity) in usage.as_object()? {
            let meter = OURS.iter().find(|meter| *meter == name).expect("the sample uses these meters only");
            meters.insert(*meter, number(quantity)?);
        }
    }
    meters.retain(|_, quantity| *quantity > 0);
    Some(meters)
}

/// Tokens of the input, read from a cache, written to one, and of the output.
fn tokens(usage: &BTreeMap<&'static str, i128>) -> [i128; 4] {
    ["input_", "cache_read_", "cache_write_", "output_"].map(|kind| {
        let of_kind = usage.iter().filter(|(meter, _)| meter.starts_with(kind));
        of_kind.map(|(_, quantity)| quantity).sum()
    })
}

fn round_half_even(numerator: i128, denominator: i128) -> i128 {
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let up = 2 * rest > denominator || (2 * rest == denominator && floor % 2 != 0);
    floor + i128::from(up)
}

/// A decimal number, as it is written, in 10^-12.
fn picos(text: &str) -> i128 {
    let text = text.trim_matches('"');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 12 && !text.contains(['e', 'E', '-']), "{text} is not a plain price");
    whole.parse::<i128>().expect(DATA) * 1_000_000_000_000 + format!("{fraction:0<12}").parse::<i128>().expect(DATA)
}

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn owners(file: &Value) -> Vec<KeyOwner> {
    let keys = file["keys"].as_array().into_iter().flatten();
    let owner = |key: &Value| KeyOwner {
        key: text(&key["key"]).expect(DATA),
        team: text(&key["owner"]["team"]).expect(DATA),
        environment: text(&key["owner"]["environment"]),
        from: text(&key["valid_from"]).map(|from| date(&from)),
        to: text(&key["valid_to"]).map(|to| date(&to)),
    };
    keys.map(owner).collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
}

fn date(text: &str) -> DateTime<Utc> {
    match text.parse::<chrono::NaiveDate>() {
        Ok(date) => date.and_time(chrono::NaiveTime::MIN).and_utc(),
        Err(_) => text.parse().expect(DATA),
    }
}
