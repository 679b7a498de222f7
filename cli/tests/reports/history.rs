//! Ninety days of charges from a seed: weekends, growth, an incident, a price change, corrections that came weeks later,
//! late arrivals, calls without a price, an owner, a user or a workload; outcomes, units of value and budgets beside them.

use schemas::codec::Format;
use schemas::ids::{charge_id, dedup_key, hash_parts};
use schemas::{
    Batch, BatchItem, BudgetPeriod, BudgetState, Carries, Charge, ChargeClass, CorrectionReason, CostBasis, Costs,
    Counterfactual, CounterfactualKind, CurrencySum, Dimensions, Fact, FactKind, Flag, Lineage, Meter, Metered, Money,
    Position, PricingStatus, Quantity, Text, Timestamp, UnpricedMeter, fixture, topics,
};
use sink::{Lake, LakeConfig, TABLES};
use stream::Record;

/// 2026-09-01T00:00:00Z, the first day: a month of the third quarter, and two of the fourth.
const FIRST: Timestamp = Timestamp::from_micros(1_788_220_800_000_000);
pub const DAYS: i64 = 90;
const DAY: i64 = 86_400;

/// A model: provider, name, class, and prices of an input and an output token in 10^-12; the last has none.
const MODELS: [(&str, &str, Option<&str>, i64, i64); 5] = [
    ("openai", "gpt-5.5", Some("premium"), 5_000_000, 30_000_000),
    ("openai", "gpt-5.4-mini", Some("economy"), 750_000, 4_500_000),
    ("anthropic", "claude-sonnet-5-5", Some("standard"), 3_000_000, 15_000_000),
    ("anthropic", "claude-haiku-4-5", None, 1_000_000, 5_000_000),
    ("openai", "gpt-nebula-preview", None, 0, 0),
];
const UNPRICED: usize = 4;
const TEAMS: [(&str, &str); 5] = [
    ("growth", "commercial"),
    ("support", "commercial"),
    ("platform", "engineering"),
    ("search", "engineering"),
    ("risk", "finance"),
];
const PROFILES: [&str; 4] =
    ["support and retail", "finance, health and public sector", "engineering copilots", "prototypes"];

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// True so many times of a hundred.
    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

fn text(value: &str) -> Option<Text> {
    Some(Text::from(value))
}

fn picos(value: i64) -> Money {
    Money::from_picos(i128::from(value)).expect("a small amount")
}

/// How many of a hundred thousand calls come on a day.
fn weight(day: i64) -> u64 {
    let weekend = matches!(day % 7, 4 | 5);
    let grown = 100 + day as u64;
    let incident = if day == 40 { 3 } else { 1 };
    grown * incident * if weekend { 40 } else { 100 }
}

/// A call of a day.
fn charge(dice: &mut Dice, number: u64, day: i64) -> Charge {
    let mut charge = fixture::everyday_charge(number);
    let choice = dice.below(100);
    let model = if choice < 3 { UNPRICED } else { (choice % 4) as usize };
    let (provider, name, class, input_price, output_price) = MODELS[model];
    let event = &mut charge.event;
    event.event_time = FIRST.plus_seconds(day * DAY + dice.below(DAY as u64) as i64);
    let late = if dice.percent(2) { 3_600 * (2 + dice.below(48) as i64) } else { 0 };
    event.received_at = event.event_time.plus_seconds(1 + dice.below(90) as i64 + late);
    (event.provider, event.model) = (provider.into(), name.into());
    event.source = format!("app-{}", dice.below(4)).into();
    event.key_id = text(&format!("key-{}", dice.below(12)));
    let (input, output) = (200 + dice.below(4_000) as i64, 20 + dice.below(900) as i64);
    let cached = if dice.percent(40) { dice.below(9_000) as i64 } else { 0 };
    let (wrote, thought) = if dice.percent(10) { (dice.below(2_000) as i64, dice.below(500) as i64) } else { (0, 0) };
    event.usage = vec![
        Metered { meter: Meter::InputTextTokens, quantity: Quantity::from_units(input) },
        Metered { meter: Meter::OutputTextTokens, quantity: Quantity::from_units(output) },
    ];
    let mut also = |meter, units| {
        if units > 0 {
            event.usage.push(Metered { meter, quantity: Quantity::from_units(units) });
        }
    };
    also(Meter::CacheReadTextTokens, cached);
    also(Meter::CacheWrite5mTokens, wrote);
    also(Meter::OutputReasoningTokens, thought);
    charge.booked_at = event.received_at;
    charge.requests = 1;
    charge.model_class = class.map(Text::from);
    charge.book_version = if day < 45 { "book-1".into() } else { "book-2".into() };
    // Input became cheaper in the middle.
    let input_price = if day < 45 { input_price } else { input_price / 2 };
    let list = picos((input + wrote) * input_price + (output + thought) * output_price + cached * input_price / 10);
    let contracted = if provider == "anthropic" { picos((list.picos() * 9 / 10) as i64) } else { list };
    (charge.costs.list, charge.costs.contracted, charge.costs.effective) =
        (Some(list), Some(contracted), Some(contracted));
    charge.costs.billed = None;
    // Some of the prices are told by lines.
    charge.lines.truncate(usize::from(number.is_multiple_of(10)));
    for line in &mut charge.lines {
        line.meter = Meter::InputTextTokens;
        (line.quantity, line.billed_quantity) = (Quantity::from_units(input), Quantity::from_units(input));
        line.rate_id = format!("{name}/{input_price}").into();
        (line.list_cost, line.contracted_cost) = (list, contracted);
    }
    compare(dice, &mut charge, (input + wrote + cached) * input_price + (output + thought) * output_price);
    if model == UNPRICED {
        charge.status = PricingStatus::Unpriced;
        (charge.costs.list, charge.costs.contracted, charge.costs.effective) = (None, None, None);
        charge.counterfactuals.clear();
        charge.lines.clear();
        charge.unpriced = charge
            .event
            .usage
            .iter()
            .map(|used| UnpricedMeter { meter: used.meter, quantity: used.quantity, reason: "unknown_model".into() })
            .collect();
    }
    // What one provider charges was converted.
    charge.reporting = (provider == "openai").then(|| converted(&charge.costs));
    charge.owner = Dimensions::default();
    if !dice.percent(4) {
        // The incident is one team's.
        let (team, unit) = if day == 40 && dice.percent(66) { TEAMS[0] } else { TEAMS[dice.below(5) as usize] };
        (charge.owner.team, charge.owner.business_unit) = (text(team), text(unit));
    }
    if !dice.percent(20) {
        charge.owner.workload_profile = text(PROFILES[dice.below(4) as usize]);
    }
    if !dice.percent(50) {
        charge.owner.user = text(&format!("user-{}", dice.below(300)));
    }
    if dice.percent(5) {
        charge.flags = vec![Flag::TimeAssumed, Flag::AliasedModel];
    }
    charge
}

/// Costs in the currency of the reports.
fn converted(costs: &Costs) -> Costs {
    let euros = |amount: Option<Money>| amount.map(|amount| picos((amount.picos() * 9 / 10) as i64));
    Costs {
        currency: "EUR".into(),
        list: euros(costs.list),
        contracted: euros(costs.contracted),
        effective: euros(costs.effective),
        billed: None,
    }
}

/// What the call would have cost otherwise: without a cache, in no batch, on another model, without a seat.
fn compare(dice: &mut Dice, charge: &mut Charge, plainly: i64) {
    let uses = |meter| charge.event.usage.iter().any(|used| used.meter == meter);
    let (read, wrote) = (uses(Meter::CacheReadTextTokens), uses(Meter::CacheWrite5mTokens));
    let (currency, list) = (charge.costs.currency.clone(), charge.costs.list.unwrap_or_default());
    let mut otherwise = |kind, cost: Money, basis: &str| {
        charge.counterfactuals.push(Counterfactual { kind, cost, currency: currency.clone(), basis: basis.into() });
    };
    // Of those that only wrote to a cache, nobody knows.
    if read {
        otherwise(CounterfactualKind::Uncached, picos(plainly), "list");
    }
    if dice.percent(6) {
        charge.event.price_context.batch = true;
        let basis = if read || wrote { "list, uncached" } else { "list" };
        otherwise(CounterfactualKind::Unbatched, picos(plainly * 2), basis);
    }
    if dice.percent(4) {
        otherwise(CounterfactualKind::BaselineModel, picos(plainly * 3), "gpt-9: list, standard tier, uncached");
        otherwise(CounterfactualKind::CheapestEqualClass, picos(list.picos() as i64 / 2), "gpt-9-mini: list");
    }
    if dice.percent(5) {
        charge.event.cost_basis = CostBasis::Included;
        charge.costs.effective = Some(Money::ZERO);
        otherwise(CounterfactualKind::Retail, list, "list");
    }
}

/// A charge taken back, and what took its place: dearer, and another team's.
fn corrected(standing: &Charge, days: i64) -> [Charge; 2] {
    let turned = |amount: Option<Money>| amount.and_then(|amount| Money::from_picos(-amount.picos()));
    let mut back = standing.clone();
    back.class = ChargeClass::Reversal;
    back.charge_id = charge_id(back.event.dedup_key, 0, ChargeClass::Reversal);
    back.corrects = Some(standing.charge_id);
    back.correction_reason = Some(CorrectionReason::Amend);
    back.booked_at = standing.booked_at.plus_seconds(days * DAY);
    back.requests = -1;
    let costs = &mut back.costs;
    (costs.list, costs.contracted, costs.effective) =
        (turned(costs.list), turned(costs.contracted), turned(costs.effective));
    back.reporting = standing.reporting.as_ref().map(|_| converted(&back.costs));
    for line in &mut back.lines {
        for cost in [&mut line.list_cost, &mut line.contracted_cost] {
            *cost = turned(Some(*cost)).expect("a small amount");
        }
    }
    for other in &mut back.counterfactuals {
        other.cost = turned(Some(other.cost)).expect("a small amount");
    }
    let mut anew = standing.clone();
    (anew.class, anew.revision, anew.booked_at) = (ChargeClass::Replacement, 1, back.booked_at);
    anew.charge_id = charge_id(anew.event.dedup_key, 1, ChargeClass::Replacement);
    (anew.corrects, anew.correction_reason) = (Some(standing.charge_id), Some(CorrectionReason::Amend));
    anew.owner.team = text("risk");
    let dearer = |amount: Option<Money>| amount.and_then(|amount| Money::from_picos(amount.picos() * 11 / 10));
    let costs = &mut anew.costs;
    (costs.list, costs.contracted, costs.effective) =
        (dearer(costs.list), dearer(costs.contracted), dearer(costs.effective));
    for line in &mut anew.lines {
        for cost in [&mut line.list_cost, &mut line.contracted_cost] {
            *cost = dearer(Some(*cost)).expect("a small amount");
        }
    }
    anew.reporting = standing.reporting.as_ref().map(|_| converted(&anew.costs));
    [back, anew]
}

/// What is known of a day besides charges.
fn facts(dice: &mut Dice, day: i64) -> Vec<Fact> {
    let mut facts = Vec::new();
    for number in 0..40 {
        let (kind, name, quantity) = match dice.below(10) {
            0 => (FactKind::Outcome, if number % 2 == 0 { "blocked" } else { "Blocked" }, 1),
            1 => (FactKind::Outcome, "escalated", 1),
            2..=5 => (FactKind::Outcome, "allowed", 1),
            _ => (FactKind::ValueUnits, "resolutions", 1 + dice.below(20) as i64),
        };
        let event_time = FIRST.plus_seconds(day * DAY + dice.below(DAY as u64) as i64);
        // Some state no workload, which ingest calls so.
        let workload = PROFILES[dice.below(4) as usize];
        let mut fact = Fact {
            tenant: "acme".into(),
            fact_id: hash_parts([b"fact".as_slice(), format!("{day}/{number}").as_bytes()]),
            kind,
            workload: if number % 10 == 4 { "default" } else { workload }.into(),
            name: name.into(),
            quantity: Quantity::from_units(quantity),
            unit: None,
            value: None,
            currency: None,
            call_key: None,
            event_time,
            received_at: event_time.plus_seconds(dice.below(3 * DAY as u64) as i64),
            source: "gateway".into(),
            claimed: Dimensions::default(),
            tags: Vec::new(),
            position: Position { topic: topics::RAW.into(), partition: 0, offset: number, item: 0 },
        };
        if fact.kind == FactKind::ValueUnits {
            // Some say for whom; one workload delivers documents.
            fact.claimed.team = (number % 3 != 0).then(|| TEAMS[number as usize % TEAMS.len()].0.into());
            if fact.workload == PROFILES[3] {
                fact.name = "documents".into();
            }
        }
        // Some come twice, and some say something else the second time: what arrived first holds, wherever it stands.
        if dice.percent(10) {
            facts.push(fact.clone());
        }
        if dice.percent(10) {
            let mut other = Fact { quantity: Quantity::from_units(dice.below(40) as i64), ..fact.clone() };
            other.received_at = fact.received_at.plus_seconds(dice.below(DAY as u64) as i64);
            other.position.offset += 1_000;
            other.claimed.team = None;
            facts.push(other);
        }
        facts.push(fact);
    }
    facts
}

fn budgets() -> Vec<BudgetState> {
    let mut states = Vec::new();
    // Of teams and business units; of a unit whose teams have budgets within it; of a team's part that lies within it, of one
    // that its other budget overlaps, and of two that are apart; and of another tenant's team of a name that is there.
    let scopes = [
        ("acme", r#"{"business_unit":"retail","team":"growth"}"#),
        ("acme", r#"{"business_unit":"retail","team":"support"}"#),
        ("acme", r#"{"business_unit":"finance","team":"platform"}"#),
        ("acme", r#"{"business_unit":"finance","team":"search"}"#),
        ("acme", r#"{"team":"risk"}"#),
        ("acme", r#"{"business_unit":"finance"}"#),
        ("acme", r#"{"environment":"production","team":"risk"}"#),
        ("acme", r#"{"model":"gpt-5.5","team":"search"}"#),
        ("acme", r#"{"environment":"production","team":"data"}"#),
        ("acme", r#"{"environment":null,"team":"data"}"#),
        ("other", r#"{"team":"growth"}"#),
    ];
    for (team, (tenant, scope)) in scopes.into_iter().enumerate() {
        let named: std::collections::BTreeMap<&str, Option<&str>> = serde_json::from_str(scope).expect("a scope");
        let of = |dimension: &str| named.get(dimension).copied().flatten().map(Text::from);
        let name = format!("{} {team}", of("team").or_else(|| of("business_unit")).expect("whose it is"));
        for (month, days) in [(0, 30), (30, 31), (61, 30)] {
            // The last comes after an edit of the scope, of which the count of upserts begins anew.
            for (state, revision) in [(1, 7), (2, 8), (3, 1)] {
                let spent = picos((team as i64 + 1) * state * 123_456_789_000_000);
                let amount = Money::from_units(700);
                let start = FIRST.plus_seconds(month * DAY);
                states.push(BudgetState {
                    tenant: tenant.into(),
                    budget_id: format!("budget-{team}").into(),
                    name: name.as_str().into(),
                    budget_revision: if state < 3 { "r1" } else { "r2" }.into(),
                    period: BudgetPeriod::Month,
                    period_start: start,
                    period_end: start.plus_seconds(days * DAY),
                    counts_from: None,
                    amount,
                    currency: "USD".into(),
                    spent,
                    gross: spent,
                    remaining: Money::from_picos(amount.picos() - spent.picos()).expect("a small amount"),
                    requests: state,
                    blocked: false,
                    crossed: None,
                    revision,
                    emitted_at: start.plus_seconds(state * 9 * DAY),
                    team: of("team"),
                    business_unit: of("business_unit"),
                    scope: Some(scope.into()),
                });
            }
        }
    }
    states
}

/// Puts records into a table, as its runtime does.
pub struct Writer {
    table: Box<dyn stream::Table>,
    offset: i64,
    sequence: i64,
    items: i64,
    money: Vec<CurrencySum>,
}

impl Writer {
    pub fn open(lake: &Lake, name: &str) -> Self {
        let spec = TABLES.iter().find(|spec| spec.name == name).expect("a table");
        let mut table = spec.open(lake, &LakeConfig::at("unused")).expect("the table can be made");
        table.assign(&[0]).expect("the table can be read");
        Writer { table, offset: 0, sequence: 0, items: 0, money: Vec::new() }
    }

    fn append(&mut self, payload: &[u8]) {
        let record =
            Record { offset: self.offset, timestamp: FIRST, key: None, payload: Some(payload), headers: Vec::new() };
        self.table.append(0, &[record], self.offset + 1).expect("records follow one another");
        self.offset += 1;
    }

    pub fn batch<T: BatchItem>(&mut self, format: &Format<Batch<T>>, items: Vec<T>) {
        self.items += items.len() as i64;
        for (currency, amount) in items.iter().filter_map(Carries::money) {
            stream::books::add_money(&mut self.money, currency, amount).expect("a small sum");
        }
        let lineage = Lineage {
            sequence: self.sequence,
            source_from: self.sequence * 10,
            source_to: self.sequence * 10 + 10,
            items_total: self.items,
            money_total: self.money.clone(),
            ..fixture::lineage()
        };
        self.sequence += 1;
        self.append(&format.encode(&Batch { lineage, items }));
    }

    pub fn flush(&mut self) {
        self.table.flush(FIRST.plus_seconds(200 * DAY)).expect("the table can be written");
    }
}

/// Writes a history of about so many calls; gives the rows of charges written.
pub fn write(lake: &Lake, seed: u64, calls: u64) -> u64 {
    let mut dice = Dice(seed);
    let total: u64 = (0..DAYS).map(weight).sum();
    let (mut charges, mut known) = (Writer::open(lake, "charges"), Writer::open(lake, "facts"));
    let (charge_format, fact_format) = (Format::<Batch<Charge>>::new(), Format::<Batch<Fact>>::new());
    let (mut number, mut rows) = (0, 0);
    for day in 0..DAYS {
        let mut batch = Vec::new();
        for _ in 0..calls * weight(day) / total {
            let mut original = charge(&mut dice, number, day);
            // Bills of machines count as requests, and are no calls.
            if number % 331 == 7 {
                original.event.operation = "gpu".into();
            }
            // Of some users everything is taken back.
            let gone = number % 499 == 3;
            if gone {
                original.owner.user = text(&format!("gone-{number}"));
            }
            original.event.dedup_key = dedup_key("acme", &original.event.call_key, 0, &number.to_string());
            original.charge_id = charge_id(original.event.dedup_key, 0, ChargeClass::Original);
            number += 1;
            if gone {
                let [back, _] = corrected(&original, 5);
                batch.push(back);
            } else if dice.percent(1) {
                batch.extend(corrected(&original, 5 + dice.below(30) as i64));
            }
            batch.push(original);
            if batch.len() >= 500 {
                rows += batch.len() as u64;
                charges.batch(&charge_format, std::mem::take(&mut batch));
            }
        }
        rows += batch.len() as u64;
        charges.batch(&charge_format, batch);
        known.batch(&fact_format, facts(&mut dice, day));
        if day % 5 == 4 {
            charges.flush();
            known.flush();
        }
    }
    let (mut states, format) = (Writer::open(lake, "budgets"), Format::<BudgetState>::new());
    // A flush after each, so that every state is there.
    for state in budgets() {
        states.append(&format.encode(&state));
        states.flush();
    }
    rows
}
