//! Reads a report's facts from the lake, and its ledger from the log.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Decimal128Type;
use enrich::{PriceBook, exposure};
use schemas::{
    BudgetState, ChargeCategory, ChargeClass, CostBasis, CounterfactualKind, CurrencySum, Flag, Meter, Money, Quantity,
    Text, Timestamp,
};
use sink::LakeReader;
use sink::read::{Cells, Days};
use stream::Log;
use stream::books::add_money;

use super::saving::{Cost, Other};
use super::{Group, Report, Saving, Unallocated, Unpriced};
use crate::books;
use crate::reprice::versions;

/// Gathers the report.
///
/// # Errors
/// When lake or log cannot be read.
pub fn gather(lake: &LakeReader, address: &str, log: Option<&dyn Log>) -> anyhow::Result<Report> {
    let mut sums = Sums::default();
    let tokens: Vec<&str> = Meter::ALL.iter().filter(|meter| meter.is_tokens()).map(|meter| meter.as_str()).collect();
    let mut columns = vec![
        "event_date",
        "tenant",
        "class",
        "charge_category",
        "operation",
        "team",
        "provider",
        "model",
        "key_id",
        "source",
        "currency",
        "requests",
        "pricing_status",
        "effective_cost",
        "list_cost",
        "cost_basis",
        "reporting_currency",
        "reporting_effective_cost",
        "counterfactuals",
        "unpriced",
        "flags",
    ];
    columns.extend(&tokens);
    for batch in lake.charges(&columns, Days::ALL).context("read the charges")? {
        sums.add(&batch.context("read the charges")?, &tokens)?;
    }
    let ledger = log.map(|log| books::audit(log, Some(lake))).transpose()?;
    let rejected = lake.rejected_by_reason(Days::ALL).context("read the rejections")?;
    let by_cost = |groups: Groups| {
        let mut groups: Vec<Group> = groups.into_values().filter(|group| !group.is_nothing()).collect();
        groups.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| b.charged_requests.cmp(&a.charged_requests)));
        groups
    };
    // What was corrected since adds up to nothing.
    let left = |requests: i64, tokens: Quantity| requests != 0 || tokens != Quantity::ZERO;
    let mut unpriced: Vec<Unpriced> =
        sums.unpriced.into_values().filter(|row| left(row.requests, row.tokens)).collect();
    unpriced.iter_mut().for_each(|row| row.others.retain(|_, used| *used != Quantity::ZERO));
    if let Some(log) = log {
        estimate(&mut unpriced, &sums.exposed, sums.to, log)?;
    }
    unpriced.sort_by_key(|row| std::cmp::Reverse(row.tokens));
    let mut unallocated: Vec<Unallocated> =
        sums.unallocated.into_values().filter(|row| row.requests != 0 || !row.cost.is_zero()).collect();
    unallocated.sort_by_key(|row| std::cmp::Reverse(row.cost));
    let savings = savings(sums.savings, &sums.on_demand)?;
    let budgets = newest_periods(lake.latest_budgets().context("read the budgets")?);
    let of_charges = sums.teams.keys().filter_map(|(tenant, ..)| tenant.clone());
    Ok(Report {
        tenants: of_charges.chain(budgets.iter().map(|budget| budget.tenant.clone())).collect(),
        from: sums.from.map(|day| day.to_string()),
        to: sums.to.map(|day| day.to_string()),
        converted: converted(&sums.total, &sums.reported, &sums.as_charged),
        unconverted: unconverted(&sums.reported, &sums.as_charged),
        total: sums.total,
        requests: sums.requests,
        tokens: sums.tokens,
        teams: by_cost(sums.teams),
        models: by_cost(sums.models),
        savings,
        budgets,
        alerts: lake.alerts(Days::ALL).context("read the alerts")?,
        unpriced,
        unallocated,
        without_id: sums.without_id,
        without_time: sums.without_time,
        rejected: rejected.into_iter().map(|(reason, count)| (reason.to_string(), count)).collect(),
        lake: address.to_owned(),
        ledger,
    })
}

/// What was saved, beside what everything billed by use would have cost at list without that.
fn savings(
    savings: BTreeMap<(CounterfactualKind, Text), Money>,
    on_demand: &[CurrencySum],
) -> anyhow::Result<Vec<Saving>> {
    let saving = |((kind, currency), amount): ((CounterfactualKind, Text), Money)| {
        let list = on_demand.iter().find(|sum| sum.currency == currency).map_or(Money::ZERO, |sum| sum.amount);
        let without = list.checked_add(amount)?;
        anyhow::Ok(Saving { kind: kind.as_str().to_owned(), currency, amount, without })
    };
    savings.into_iter().map(saving).collect()
}

/// Everything in the one currency that costs were converted to; charges in that currency were not.
fn converted(total: &[CurrencySum], reported: &[CurrencySum], as_charged: &[CurrencySum]) -> Option<CurrencySum> {
    let [reported] = reported else { return None };
    let mut all = reported.amount;
    for sum in as_charged.iter().filter(|sum| !sum.amount.is_zero()) {
        all = all.checked_add((sum.currency == reported.currency).then_some(sum.amount)?).ok()?;
    }
    (total.len() > 1).then(|| CurrencySum { currency: reported.currency.clone(), amount: all })
}

/// What stays in its own currency for want of an exchange rate, where the rest was converted.
fn unconverted(reported: &[CurrencySum], as_charged: &[CurrencySum]) -> Vec<CurrencySum> {
    let [reported] = reported else { return Vec::new() };
    let others = as_charged.iter().filter(|sum| sum.currency != reported.currency && !sum.amount.is_zero());
    others.cloned().collect()
}

/// Says what usage without a price may cost, by the newest price book at the end of the report's last day.
fn estimate(
    unpriced: &mut [Unpriced],
    exposed: &BTreeMap<(String, String), BTreeMap<Meter, Quantity>>,
    to: Option<chrono::NaiveDate>,
    log: &dyn Log,
) -> anyhow::Result<()> {
    if unpriced.is_empty() {
        return Ok(());
    }
    let Some(day) = to else { return Ok(()) };
    let at = Timestamp::from(day.and_time(chrono::NaiveTime::MIN).and_utc()).plus_seconds(86_399);
    let books = versions::<PriceBook>(log)?;
    let Some(book) = books.newest() else { return Ok(()) };
    for row in unpriced {
        if let Some(usage) = exposed.get(&(row.provider.clone(), row.model.clone())) {
            let used = usage.iter().filter(|(_, quantity)| quantity.picos() > 0);
            let used = used.map(|(meter, quantity)| (*meter, *quantity)).collect();
            row.estimate = exposure::estimate(book, &row.provider, &row.model, &used, at);
        }
    }
    Ok(())
}

/// The newest period of every budget, and every other in which a threshold is crossed.
fn newest_periods(budgets: Vec<BudgetState>) -> Vec<BudgetState> {
    let mut newest = BTreeMap::new();
    for budget in &budgets {
        let key = (budget.tenant.clone(), budget.budget_id.clone(), budget.period);
        let place = newest.entry(key).or_insert(budget.period_start);
        *place = budget.period_start.max(*place);
    }
    let keep = |budget: &BudgetState| {
        let key = (budget.tenant.clone(), budget.budget_id.clone(), budget.period);
        budget.crossed.is_some() || newest.get(&key) == Some(&budget.period_start)
    };
    budgets.into_iter().filter(keep).collect()
}

/// By tenant, where the name is a tenant's, name and currency.
type Groups = BTreeMap<(Option<Text>, Option<String>, Text), Group>;

#[derive(Default)]
struct Sums {
    from: Option<chrono::NaiveDate>,
    to: Option<chrono::NaiveDate>,
    total: Vec<CurrencySum>,
    /// What was converted, in the reporting currency, and what was not, in its own.
    reported: Vec<CurrencySum>,
    as_charged: Vec<CurrencySum>,
    requests: i64,
    tokens: Quantity,
    teams: Groups,
    models: Groups,
    savings: BTreeMap<(CounterfactualKind, Text), Money>,
    /// List cost of what is billed by use.
    on_demand: Vec<CurrencySum>,
    unpriced: BTreeMap<(String, String), Unpriced>,
    /// What was used without a price, by provider and model.
    exposed: BTreeMap<(String, String), BTreeMap<Meter, Quantity>>,
    unallocated: BTreeMap<(Option<String>, String, Text), Unallocated>,
    without_id: i64,
    without_time: i64,
}

/// What one charge adds to a group.
struct Row<'a> {
    currency: &'a Text,
    of_call: bool,
    /// Calls of models.
    calls: i64,
    /// Calls, and whatever else is charged for by the piece.
    requests: i64,
    tokens: Quantity,
    cache_read: Quantity,
    cost: Option<Money>,
    unpriced: bool,
}

impl Sums {
    fn add(&mut self, batch: &RecordBatch, tokens: &[&str]) -> anyhow::Result<()> {
        let cells = Cells(batch);
        // Of all kinds of tokens a call has a few, and most kinds no call at all.
        let counted =
            |name: &&str| batch.column_by_name(name).is_none_or(|column| column.null_count() < batch.num_rows());
        let tokens: Vec<&str> = tokens.iter().copied().filter(counted).collect();
        for row in 0..batch.num_rows() {
            let day = cells.date("event_date", row)?;
            self.from = Some(self.from.map_or(day, |from| from.min(day)));
            self.to = Some(self.to.map_or(day, |to| to.max(day)));
            let currency = cells.must_text("currency", row)?;
            let (requests, of_call) = (cells.must_long("requests", row)?, of_call(cells, row)?);
            let mut charge = Row {
                currency: &currency,
                of_call,
                calls: if of_call { requests } else { 0 },
                requests,
                tokens: Quantity::ZERO,
                cache_read: Quantity::ZERO,
                cost: cells.money("effective_cost", row)?,
                unpriced: matches!(cells.text("pricing_status", row)?, Some("unpriced" | "partial")),
            };
            for name in &tokens {
                let Some(quantity) = cells.maybe_quantity(name, row)? else { continue };
                charge.tokens.accrue(quantity)?;
                if name.starts_with("cache_read") {
                    charge.cache_read.accrue(quantity)?;
                }
            }
            self.requests += charge.calls;
            for (flag, calls) in
                [(Flag::IdFromPosition, &mut self.without_id), (Flag::TimeAssumed, &mut self.without_time)]
            {
                // Those of a reversal are negative.
                *calls += if cells.lists("flags", row, flag.as_str())? { charge.requests } else { 0 };
            }
            self.tokens.accrue(charge.tokens)?;
            if let Some(cost) = charge.cost {
                add_money(&mut self.total, &currency, cost)?;
                match (cells.text("reporting_currency", row)?, cells.money("reporting_effective_cost", row)?) {
                    (Some(reporting), Some(cost)) => add_money(&mut self.reported, &reporting.into(), cost)?,
                    _ => add_money(&mut self.as_charged, &currency, cost)?,
                }
            }
            let (provider, model) = (cells.must_text("provider", row)?, cells.must_text("model", row)?);
            let team = cells.text("team", row)?.map(str::to_owned);
            let unallocated = team.is_none();
            group(&mut self.teams, Some(cells.must_text("tenant", row)?), team, &charge)?;
            group(&mut self.models, None, Some(format!("{provider}/{model}")), &charge)?;
            if charge.unpriced {
                let place =
                    self.unpriced.entry((provider.to_string(), model.to_string())).or_insert_with(|| Unpriced {
                        provider: provider.to_string(),
                        model: model.to_string(),
                        requests: 0,
                        tokens: Quantity::ZERO,
                        others: BTreeMap::new(),
                        estimate: None,
                    });
                place.requests += charge.requests;
                let taken_back = cells.text("class", row)? == Some("reversal");
                let exposed = self.exposed.entry((provider.to_string(), model.to_string())).or_default();
                for (meter, quantity) in cells.unpriced_meters("unpriced", row)? {
                    let quantity = if taken_back { quantity.negated() } else { quantity };
                    exposed.entry(meter).or_insert(Quantity::ZERO).accrue(quantity)?;
                    match meter.is_tokens() {
                        true => place.tokens.accrue(quantity)?,
                        false => place.others.entry(meter).or_insert(Quantity::ZERO).accrue(quantity)?,
                    }
                }
            }
            if unallocated {
                let key_id = cells.text("key_id", row)?.map(str::to_owned);
                let source = cells.must_text("source", row)?.to_string();
                let place = self.unallocated.entry((key_id.clone(), source.clone(), currency.clone()));
                let place = place.or_insert_with(|| Unallocated {
                    key_id,
                    source,
                    requests: 0,
                    cost: Money::ZERO,
                    currency: currency.clone(),
                });
                place.requests += charge.requests;
                place.cost.accrue(charge.cost.unwrap_or_default())?;
            }
            self.add_savings(batch, row, &charge)?;
        }
        Ok(())
    }

    fn add_savings(&mut self, batch: &RecordBatch, row: usize, charge: &Row<'_>) -> anyhow::Result<()> {
        let cells = Cells(batch);
        // No choice of model, batch or cache made a seat or a machine cheaper.
        if !charge.of_call {
            return Ok(());
        }
        let (Some(effective), Some(list)) = (charge.cost, cells.money("list_cost", row)?) else {
            return Ok(());
        };
        let on_demand = cells.text("cost_basis", row)? == Some(CostBasis::OnDemand.as_str());
        if on_demand {
            add_money(&mut self.on_demand, charge.currency, list)?;
        }
        let column = batch.column_by_name("counterfactuals").and_then(|column| column.as_list_opt::<i32>());
        let column = column.context("column counterfactuals is not a list")?;
        if column.is_null(row) {
            return Ok(());
        }
        let entries = column.value(row);
        let entries = entries.as_struct_opt().context("column counterfactuals is not a list of records")?;
        let field =
            |name: &str| entries.column_by_name(name).with_context(|| format!("counterfactuals have no {name}"));
        let (kinds, currencies) = (field("kind")?.as_string::<i32>(), field("currency")?.as_string::<i32>());
        let bases = field("basis")?.as_string::<i32>();
        let costs = field("cost")?.as_primitive::<Decimal128Type>();
        let other = |at: usize| {
            let kind = kinds
                .value(at)
                .parse::<CounterfactualKind>()
                .map_err(|error: String| anyhow!("counterfactuals: {error}"))?;
            let cost = Money::from_picos(costs.value(at)).context("a counterfactual needs more than 38 digits")?;
            anyhow::Ok(Other { kind, cost, currency: currencies.value(at), basis: bases.value(at) })
        };
        let others = (0..entries.len()).map(other).collect::<anyhow::Result<Vec<_>>>()?;
        let charged = Cost { list, effective, on_demand };
        for other in others.iter().filter(|other| other.currency == charge.currency.as_str()) {
            if let Some(cost) = charged.beside(*other, &others) {
                let place = self.savings.entry((other.kind, charge.currency.clone())).or_default();
                place.accrue(other.cost.checked_sub(cost)?)?;
            }
        }
        Ok(())
    }
}

/// Operations whose money was paid for no call: bills of machines, credits, seats, entries of the ledger. The queries that ship say the
/// same.
const NO_CALLS: [&str; 4] = ["gpu", "credits", "seat", "ledger_entry"];

/// True for the charge of a call: what [`NO_CALLS`] names and shares of shared charges are none.
fn of_call(cells: Cells<'_>, row: usize) -> anyhow::Result<bool> {
    let usage = cells.text("charge_category", row)? == Some(ChargeCategory::Usage.as_str());
    let share = cells.text("class", row)? == Some(ChargeClass::Allocation.as_str());
    let operation = cells.text("operation", row)?;
    Ok(usage && !share && !operation.is_some_and(|operation| NO_CALLS.contains(&operation)))
}

fn group(groups: &mut Groups, tenant: Option<Text>, name: Option<String>, charge: &Row<'_>) -> anyhow::Result<()> {
    let group = groups.entry((tenant.clone(), name.clone(), charge.currency.clone())).or_insert_with(|| Group {
        name,
        tenant,
        currency: charge.currency.clone(),
        requests: 0,
        charged_requests: 0,
        tokens: Quantity::ZERO,
        cache_read_tokens: Quantity::ZERO,
        cost: Money::ZERO,
        unpriced_requests: 0,
    });
    group.requests += charge.calls;
    group.charged_requests += charge.requests;
    group.tokens.accrue(charge.tokens)?;
    group.cache_read_tokens.accrue(charge.cache_read)?;
    group.cost.accrue(charge.cost.unwrap_or_default())?;
    if charge.unpriced {
        group.unpriced_requests += charge.requests;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_that_counts_calls_leaves_out_the_same_operations() {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/lake/reports")];
        let mut queries = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the queries are there") {
                let path = entry.expect("a file").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => queries.push(path),
                }
            }
        }
        let listed = NO_CALLS.map(|operation| format!("'{operation}'")).join(", ");
        let mut counting = Vec::new();
        for path in queries {
            let text = std::fs::read_to_string(&path).expect("a query");
            let shown = path.display();
            let lists = text.matches("operation NOT IN").count();
            assert_eq!(text.matches(&format!("operation NOT IN ({listed})")).count(), lists, "{shown}");
            if lists > 0 {
                assert_eq!(text.matches("class <> 'allocation'").count(), lists, "{shown}");
                assert_eq!(text.matches("charge_category = 'usage'").count(), lists, "{shown}");
                counting.push(path.file_name().expect("a name").to_string_lossy().into_owned());
            }
        }
        counting.sort();
        assert_eq!(counting, ["books.sql", "cache.sql", "charges.sql", "savings.sql", "unit_cost.sql"]);
    }

    #[test]
    fn what_was_charged_in_several_currencies_is_added_up_when_all_of_it_can_be() {
        let sum =
            |currency: &str, amount: &str| CurrencySum { currency: currency.into(), amount: amount.parse().unwrap() };
        let total = [sum("EUR", "100"), sum("USD", "49.83")];
        let reported = [sum("USD", "110")];
        let all = converted(&total, &reported, &[sum("USD", "49.83")]);
        assert_eq!(all, Some(sum("USD", "159.83")));
        assert_eq!(converted(&total, &reported, &[sum("USD", "49.83"), sum("JPY", "1")]), None, "yen have no rate");
        assert_eq!(unconverted(&reported, &[sum("USD", "49.83"), sum("JPY", "1"), sum("CHF", "0")]), [sum("JPY", "1")]);
        assert!(unconverted(&[], &total).is_empty(), "nothing was converted");
        assert_eq!(converted(&total, &[], &total), None, "nothing was converted");
        assert_eq!(converted(&total[1..], &reported, &[]), None, "it is there already");
    }
}
