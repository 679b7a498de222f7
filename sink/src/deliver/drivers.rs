//! What drives the spend that an alert is about: the model, the key and the use case that cost most of it, as far as the
//! lake has it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use arrow::array::{Array, AsArray};
use chrono::NaiveDate;
use schemas::{Alert, Money, ReferenceRow, Text, per_mille};
use serde::{Deserialize, Serialize};
use stream::reference::{Compiled, Reference};
use stream::{Follower, Log};

use crate::lake::Lake;
use crate::read::{Cells, Days, LakeReader};

/// Longest look into the lake for one alert: it must not hold up the alerts behind it.
pub(crate) const LOOK_MAX: Duration = Duration::from_secs(5);

/// Values of a dimension that are told apart; a scope with more has no single driver worth naming.
const VALUES_MAX: usize = 10_000;

/// Column of `charges`, and what people call it.
const DIMENSIONS: [(&str, &str); 3] = [("model", "model"), ("key_id", "key"), ("use_case", "use case")];

/// The largest part of an alert's spend by one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// `model`, `key` or `use case`.
    pub dimension: String,
    /// Its value; `None` where charges state none.
    pub value: Option<String>,
    /// Its part of the spend in thousandths.
    pub per_mille: i64,
}

impl std::fmt::Display for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = per_mille(self.per_mille.into());
        match &self.value {
            Some(value) => write!(f, "{} {value} ({share})", self.dimension),
            None => write!(f, "no {} stated ({share})", self.dimension),
        }
    }
}

/// Dimensions that a charge must have to count; null is a charge without it.
type Scope = BTreeMap<Text, Option<Text>>;

/// Scopes of the budgets of one version, by tenant and budget.
#[derive(Debug, Default)]
struct Scopes(HashMap<(Text, Text), Scope>);

impl Compiled for Scopes {
    const SET: &'static str = "budgets";

    fn compile(_: &str, rows: &[&ReferenceRow]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Budget {
            id: Text,
            tenant: Text,
            #[serde(default)]
            scope: Scope,
        }
        let mut scopes = HashMap::new();
        for row in rows {
            let budget: Budget = serde_json::from_str(&row.body).with_context(|| row.origin.to_string())?;
            scopes.insert((budget.tenant, budget.id), budget.scope);
        }
        Ok(Scopes(scopes))
    }
}

/// Finds drivers: knows which charges a budget counts, and where they are.
pub(crate) struct Drivers {
    lake: Lake,
    log: Arc<dyn Log>,
    scopes: Arc<Reference<Scopes>>,
    follower: Mutex<Follower>,
}

impl Drivers {
    /// By the budgets that were published to a log.
    pub(crate) fn new(lake: &Lake, log: Arc<dyn Log>) -> Self {
        let scopes = Arc::<Reference<Scopes>>::default();
        let follower = Mutex::new(Follower::new([scopes.clone() as _]));
        Drivers { lake: lake.clone(), log, scopes, follower }
    }

    /// What drives an alert's spend; nothing where that is not known, which must not keep the alert from being sent.
    pub(crate) fn of(&self, alert: &Alert, at_most: Duration) -> Vec<Driver> {
        self.try_of(alert, at_most).unwrap_or_else(|error| {
            let error = format!("{error:#}");
            tracing::warn!(alert = %alert.alert_id, error, "what drives the spend is not known");
            Vec::new()
        })
    }

    fn try_of(&self, alert: &Alert, at_most: Duration) -> anyhow::Result<Vec<Driver>> {
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        follower.refresh(&*self.log).context("read the scopes of budgets")?;
        drop(follower);
        let versions = self.scopes.versions();
        let budget = (alert.tenant.clone(), alert.budget_id.clone());
        match versions.at(alert.booked_at).and_then(|scopes| scopes.0.get(&budget)) {
            Some(scope) => drivers(&self.lake, alert, scope, at_most),
            None => Ok(Vec::new()),
        }
    }
}

/// Column of `charges` that holds a dimension of a scope.
fn column(dimension: &str) -> &str {
    if dimension == "api_key" { "key_id" } else { dimension }
}

/// Sums the charges of a scope in the alert's period by each dimension, and gives the largest of each.
fn drivers(lake: &Lake, alert: &Alert, scope: &Scope, at_most: Duration) -> anyhow::Result<Vec<Driver>> {
    let began = Instant::now();
    let from = alert.counts_from.unwrap_or(alert.period_start);
    let mut columns = vec![
        "tenant",
        "currency",
        "event_time",
        "effective_cost",
        "reporting_currency",
        "reporting_effective_cost",
        "tags",
    ];
    columns.extend(DIMENSIONS.iter().map(|(column, _)| *column));
    columns.extend(scope.keys().filter(|name| !name.starts_with("tag.")).map(|name| column(name)));
    columns.sort_unstable();
    columns.dedup();
    let until = alert.booked_at.min(alert.period_end).days().saturating_add(1);
    let days = Days { from: NaiveDate::from_epoch_days(from.days()), until: NaiveDate::from_epoch_days(until) };
    let mut sums: [HashMap<Option<String>, Money>; 3] = Default::default();
    let mut total = Money::ZERO;
    for batch in LakeReader::new(lake).charges(&columns, days)? {
        if began.elapsed() > at_most {
            anyhow::bail!("the charges of the period take longer than {at_most:?} to read");
        }
        let batch = batch?;
        let cells = Cells(&batch);
        for row in 0..batch.num_rows() {
            let time = cells.must_time("event_time", row)?;
            let counts =
                from <= time && time < alert.period_end && cells.text("tenant", row)? == Some(alert.tenant.as_str());
            let Some(cost) = counts.then(|| counted(&alert.currency, cells, row)).transpose()?.flatten() else {
                continue;
            };
            if !holds(scope, cells, row)? {
                continue;
            }
            total.accrue(cost)?;
            for (sums, (column, _)) in sums.iter_mut().zip(DIMENSIONS) {
                let value = cells.text(column, row)?.map(str::to_owned);
                let room = sums.len() < VALUES_MAX;
                match sums.get_mut(&value) {
                    Some(sum) => sum.accrue(cost)?,
                    None if room => drop(sums.insert(value, cost)),
                    None => {}
                }
            }
        }
    }
    if total <= Money::ZERO {
        return Ok(Vec::new());
    }
    let largest = sums.into_iter().zip(DIMENSIONS).filter_map(|(sums, (_, dimension))| {
        // Of equal ones the first by name, so that two looks at the same lake agree.
        let (value, sum) = sums.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))?;
        let per_mille = sum.picos().checked_mul(1000)?.checked_div(total.picos())?;
        Some(Driver { dimension: dimension.to_owned(), value, per_mille: i64::try_from(per_mille).ok()? })
    });
    Ok(largest.collect())
}

/// What a charge adds to a budget in this currency: its reporting cost if that is in it, else its own if that is.
fn counted(currency: &str, cells: Cells<'_>, row: usize) -> anyhow::Result<Option<Money>> {
    let costs = [("reporting_currency", "reporting_effective_cost"), ("currency", "effective_cost")];
    for (of, cost) in costs {
        if cells.text(of, row)? == Some(currency) {
            return cells.money(cost, row);
        }
    }
    Ok(None)
}

fn holds(scope: &Scope, cells: Cells<'_>, row: usize) -> anyhow::Result<bool> {
    for (name, wanted) in scope {
        let found = match name.strip_prefix("tag.") {
            Some(key) => tag(cells, key, row)?,
            None => cells.text(column(name), row)?.map(str::to_owned),
        };
        if found.as_deref() != wanted.as_deref() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A label of a charge.
fn tag(cells: Cells<'_>, key: &str, row: usize) -> anyhow::Result<Option<String>> {
    let tags = cells.0.column_by_name("tags").and_then(|column| column.as_map_opt());
    let tags = tags.context("column tags is not a map")?;
    if tags.is_null(row) {
        return Ok(None);
    }
    let entries = tags.value(row);
    let names = entries.column(0).as_string_opt::<i32>().context("keys of tags are not text")?;
    let values = entries.column(1).as_string_opt::<i32>().context("values of tags are not text")?;
    let place = (0..entries.len()).find(|place| names.value(*place) == key && values.is_valid(*place));
    Ok(place.map(|place| values.value(place).to_owned()))
}

#[cfg(test)]
mod tests {
    use schemas::Direction;

    use super::*;
    use crate::deliver::message::tests::alert;
    use crate::rows::Charges;
    use crate::tests::sample::{NOW, charge, charges_log};
    use crate::tests::{config, drive, in_memory};
    use crate::{LakeTable, Rows};

    fn scope(parts: &[(&str, Option<&str>)]) -> Scope {
        parts.iter().map(|(name, value)| ((*name).into(), value.map(Text::from))).collect()
    }

    /// By the charges themselves, not by the lake.
    fn expected(count: i64, holds: impl Fn(&schemas::Charge) -> bool) -> i64 {
        let cost = |charge: &schemas::Charge| charge.costs.effective.unwrap().picos();
        let all: Vec<_> = (0..count).map(charge).filter(holds).collect();
        let total: i128 = all.iter().map(cost).sum();
        let of = |model: &str| all.iter().filter(|charge| charge.event.model == model).map(cost).sum::<i128>();
        i64::try_from(of("gpt-5").max(of("gpt-5-mini")) * 1000 / total).unwrap()
    }

    #[test]
    fn the_largest_model_key_and_use_case_of_a_scope_are_found_in_the_lake() {
        let lake = in_memory();
        drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &charges_log(2, 5, 4), 9);
        let mut alert = alert(1, Direction::Up);
        (alert.tenant, alert.period_start, alert.period_end) =
            ("acme".into(), NOW.plus_seconds(-30 * 86_400), NOW.plus_seconds(86_400));
        alert.booked_at = NOW;
        let find = |parts: &[_]| drivers(&lake, &alert, &scope(parts), LOOK_MAX).unwrap();

        let found = find(&[]);
        let names: Vec<_> = found.iter().map(|driver| driver.dimension.as_str()).collect();
        assert_eq!(names, ["model", "key", "use case"]);
        assert_eq!(found[0].per_mille, expected(40, |_| true));
        assert_eq!(found[1].to_string(), "key key-1 (100.0 %)");
        assert_eq!(found[2].to_string(), "no use case stated (100.0 %)");
        assert_eq!(
            find(&[("team", Some("team-1"))])[0].per_mille,
            expected(40, |charge| { charge.owner.team.as_deref() == Some("team-1") })
        );
        assert_eq!(
            find(&[("team", None), ("tag.env", Some("prod")), ("api_key", Some("key-1"))])[0].per_mille,
            expected(40, |charge| charge.owner.team.is_none())
        );
        assert_eq!(find(&[("tag.env", Some("test"))]), []);
        assert_eq!(find(&[("tag.env", None)]), []);
        alert.currency = "EUR".into();
        assert_eq!(drivers(&lake, &alert, &Scope::new(), LOOK_MAX).unwrap(), []);
    }

    #[test]
    fn a_charge_adds_what_the_budget_counts_of_it() {
        use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
        let amounts = |amounts: Vec<Option<i128>>| {
            Arc::new(Decimal128Array::from(amounts).with_precision_and_scale(38, 12).unwrap()) as ArrayRef
        };
        let texts = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
        // In dollars; in euros, converted; in euros, not converted; in yen.
        let batch = RecordBatch::try_from_iter([
            ("currency", texts(vec![Some("USD"), Some("EUR"), Some("EUR"), Some("JPY")])),
            ("effective_cost", amounts(vec![Some(1), Some(20), Some(30), Some(400)])),
            ("reporting_currency", texts(vec![None, Some("USD"), None, Some("USD")])),
            ("reporting_effective_cost", amounts(vec![None, Some(22), None, None])),
        ])
        .unwrap();
        let of = |currency: &str| -> Vec<Option<i128>> {
            let counted = (0..4).map(|row| counted(currency, Cells(&batch), row).unwrap());
            counted.map(|cost| cost.map(Money::picos)).collect()
        };
        assert_eq!(of("USD"), [Some(1), Some(22), None, None]);
        assert_eq!(of("EUR"), [None, Some(20), Some(30), None]);
    }

    #[test]
    fn every_dimension_that_a_scope_may_name_is_a_column() {
        // The names a scope may use are aggregate's, which this crate does not know: those of owners, and these.
        let schema = crate::catalogue::table(Charges::TABLE).unwrap().schema();
        let event = [
            "provider",
            "publisher",
            "model",
            "model_class",
            "sku",
            "operation",
            "region",
            "residency",
            "api_key",
            "resource",
            "cost_basis",
            "charge_category",
        ];
        for name in schemas::Dimensions::NAMES.iter().chain(&event) {
            assert!(schema.field_with_name(column(name)).is_ok(), "{name}");
        }
    }
}
