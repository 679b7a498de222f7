//! From a request to the text of a query.
//!
//! A file of SQL is a query as it stands: its standard dimensions, all time, all knowledge. What a request may change
//! stands between `/*name*/` and `/*end*/`.

use anyhow::{Context, bail, ensure};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use schemas::Timestamp;
use sink::TABLES;
use sink::read::Days;

use super::margin;
use super::ratio::{Ratio, Whole};

/// Days, first and last included; an open end is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub from: Option<NaiveDate>,
    /// Last day.
    pub to: Option<NaiveDate>,
}

impl Period {
    /// As the reader of the lake takes it.
    pub fn days(&self) -> Days {
        Days { from: self.from, until: self.to.and_then(|to| to.succ_opt()) }
    }
}

/// The reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// What was charged.
    Spend,
    /// What a call and a token cost.
    UnitCost,
    /// What other choices would have cost.
    Savings,
    /// Usage without a price.
    Unpriced,
    /// Spend without an owner.
    Unallocated,
    /// What arrived late.
    Late,
    /// How far the figures can be relied on.
    Quality,
    /// What units of value bring in by the internal rate card, and what they cost.
    Margin,
}

impl What {
    /// Every report that needs nothing but the lake: the margin needs the rate card, too.
    pub const ALL: [What; 7] =
        [What::Spend, What::UnitCost, What::Savings, What::Unpriced, What::Unallocated, What::Late, What::Quality];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            What::Spend => "spend",
            What::UnitCost => "unit-cost",
            What::Savings => "savings",
            What::Unpriced => "unpriced",
            What::Unallocated => "unallocated",
            What::Late => "late",
            What::Quality => "quality",
            What::Margin => "margin",
        }
    }

    /// Its query, as it ships.
    pub fn file(self) -> &'static str {
        match self {
            What::Spend => include_str!("../../../schemas/lake/reports/spend.sql"),
            What::UnitCost => include_str!("../../../schemas/lake/reports/unit_cost.sql"),
            What::Savings => include_str!("../../../schemas/lake/reports/savings.sql"),
            What::Unpriced => include_str!("../../../schemas/lake/reports/unpriced.sql"),
            What::Unallocated => include_str!("../../../schemas/lake/reports/unallocated.sql"),
            What::Late => include_str!("../../../schemas/lake/reports/late.sql"),
            What::Quality => include_str!("../../../schemas/lake/reports/quality.sql"),
            What::Margin => include_str!("../../../schemas/lake/reports/margin.sql"),
        }
    }

    /// True when its rows are parts of a whole: no call is in two of them, and all of one currency count the same things.
    pub(super) fn adds_up(self) -> bool {
        matches!(self, What::Spend | What::UnitCost | What::Unallocated | What::Late)
    }

    /// Columns that are added to what the query finds.
    pub fn ratios(self) -> &'static [Ratio] {
        const fn of(name: &'static str, part: &'static str, whole: &'static str) -> Ratio {
            Ratio { name, part, whole: Whole::Column(whole), times: 1 }
        }
        match self {
            What::Spend => {
                &[Ratio { name: "share", part: "effective_cost", whole: Whole::OfCurrency("effective_cost"), times: 1 }]
            }
            What::UnitCost => {
                const RATIOS: &[Ratio] = &[
                    of("cost_per_request", "effective_cost", "priced_requests"),
                    Ratio {
                        name: "cost_per_million_tokens",
                        part: "effective_cost",
                        whole: Whole::Column("priced_tokens"),
                        times: 1_000_000,
                    },
                    of("coverage", "priced_requests", "requests"),
                ];
                RATIOS
            }
            What::Savings => {
                const RATIOS: &[Ratio] = &[of("saved_share", "saved", "other_cost")];
                RATIOS
            }
            What::Late => {
                const RATIOS: &[Ratio] = &[
                    of("late_for_hour_share", "late_for_hour_requests", "requests"),
                    of("late_for_day_share", "late_for_day_requests", "requests"),
                ];
                RATIOS
            }
            What::Margin => {
                const RATIOS: &[Ratio] = &[of("margin_share", "margin", "chargeback")];
                RATIOS
            }
            What::Unpriced | What::Unallocated | What::Quality => &[],
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The report.
    pub what: What,
    /// Dimensions; `None` is the report's own.
    pub by: Option<Vec<String>>,
    /// Days of event time, in UTC.
    pub period: Period,
    /// What was booked later is left out.
    pub as_of: Option<Timestamp>,
}

/// Most dimensions of a report.
const DIMENSIONS_MAX: usize = 8;

/// Dimensions that are no columns, but made of the day.
pub(super) const CALENDAR: [&str; 4] = ["day", "week", "month", "quarter"];

/// Columns that every report has, or makes of others: dimensions may not be called so.
const TAKEN: [&str; 2] = ["currency", "requests"];

impl Request {
    /// The query.
    ///
    /// # Errors
    /// When a dimension is unknown.
    pub fn sql(&self) -> anyhow::Result<String> {
        let mut text = self.what.file().to_owned();
        if let Some(by) = &self.by {
            if self.what == What::Margin {
                margin::known(by)?;
            }
            text = fill(&text, "by", &dimensions(by)?)?;
            // Days and months follow one another; only within one of them the dearest comes first.
            let times: Vec<String> = by.iter().filter(|name| CALENDAR.contains(&name.as_str())).cloned().collect();
            text = fill(&text, "time", &dimensions(&times)?)?;
        }
        bounded(&text, self.period, self.as_of)
    }

    /// The dimensions that are asked for, or the report's own.
    pub fn dimensions(&self) -> Vec<String> {
        match &self.by {
            Some(by) => by.clone(),
            None => own_dimensions(self.what.file()),
        }
    }
}

/// Sets period and moment of knowledge in a file's text.
pub(crate) fn bounded(text: &str, period: Period, as_of: Option<Timestamp>) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    if let Some(from) = period.from {
        text = fill(&text, "from", &format!("DATE '{from}'"))?;
    }
    if let Some(to) = period.to {
        text = fill(&text, "to", &format!("DATE '{to}'"))?;
    }
    if let Some(at) = as_of {
        text = fill(&text, "as of", &literal(at))?;
    }
    Ok(text)
}

/// A time as it stands in a query. RFC 3339 with a `Z` is no literal everywhere; this is.
pub(super) fn literal(at: Timestamp) -> String {
    format!("TIMESTAMPTZ '{}'", at.to_string().replace('T', " ").replace('Z', "+00"))
}

/// Dimensions as they stand in a query: each quoted and followed by a comma.
pub(super) fn dimensions(by: &[String]) -> anyhow::Result<String> {
    ensure!(by.len() <= DIMENSIONS_MAX, "--by names {} dimensions; at most {DIMENSIONS_MAX}", by.len());
    let mut text = String::new();
    for (at, name) in by.iter().enumerate() {
        known(name)?;
        ensure!(!by[..at].contains(name), "--by names {name} twice");
        text.push_str(&format!("\"{name}\", "));
    }
    Ok(text.trim_end().to_owned())
}

/// Makes sure that charges can be grouped by a name.
fn known(name: &str) -> anyhow::Result<()> {
    if CALENDAR.contains(&name) {
        return Ok(());
    }
    ensure!(!TAKEN.contains(&name), "--by {name}: every report has that column; leave it out");
    let charges = TABLES.iter().find(|table| table.name == "charges").context("the lake has charges")?.schema();
    let groups =
        |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::Boolean | DataType::Int32 | DataType::Date32);
    if charges.field_with_name(name).is_ok_and(|field| groups(field.data_type())) {
        return Ok(());
    }
    let columns = "team, project, environment, business_unit, model, provider, use_case, workload_profile";
    bail!(
        "--by {name}: no such dimension; any column of charges that is text, true or false, or a whole number will do ({columns}, \
         ...; schemas/lake/charges.md lists them), and {}",
        CALENDAR.join(", ")
    )
}

/// The dimensions that a file stands with.
fn own_dimensions(text: &str) -> Vec<String> {
    let own = text.split_once("/*by*/").and_then(|(_, rest)| rest.split_once("/*end*/")).map_or("", |(own, _)| own);
    own.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Replaces what stands between `/*name*/` and `/*end*/`, wherever it does. The marks go with it.
pub(super) fn fill(text: &str, name: &str, value: &str) -> anyhow::Result<String> {
    let mark = format!("/*{name}*/");
    let mut pieces = text.split(&mark);
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    let mut found = false;
    for piece in pieces {
        let (_, rest) = piece.split_once("/*end*/").with_context(|| format!("a query has no end of its {name}"))?;
        filled.push_str(value);
        filled.push_str(rest);
        found = true;
    }
    ensure!(found, "a query has no place for its {name}");
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(by: &[&str]) -> Request {
        let by = by.iter().map(|name| (*name).to_owned()).collect();
        Request { what: What::Spend, by: Some(by), period: Period::default(), as_of: None }
    }

    #[test]
    fn what_is_asked_for_takes_the_place_of_what_the_file_stands_with() {
        let mut asked = request(&["business_unit", "month"]);
        asked.period.from = NaiveDate::from_ymd_opt(2026, 10, 1);
        asked.as_of = Some("2026-11-01T00:00:00Z".parse().unwrap());
        let sql = asked.sql().unwrap();
        assert!(sql.contains("GROUP BY \"business_unit\", \"month\", currency"), "{sql}");
        assert!(sql.contains("ORDER BY currency, \"month\", effective_cost DESC"), "by time, then by money: {sql}");
        assert!(sql.contains("event_date >= DATE '2026-10-01'"), "{sql}");
        assert!(sql.contains("booked_at <= TIMESTAMPTZ '2026-11-01 00:00:00+00'"), "{sql}");
        assert!(!sql.contains("/*by*/"), "{sql}");
    }

    #[test]
    fn a_report_without_dimensions_is_a_total() {
        assert!(request(&[]).sql().unwrap().contains("GROUP BY  currency"));
    }

    #[test]
    fn every_file_has_a_place_for_all_that_can_be_asked() {
        for what in What::ALL.into_iter().chain([What::Margin]) {
            let mut asked = Request { what, ..request(&["team", "week"]) };
            asked.period =
                Period { from: NaiveDate::from_ymd_opt(2026, 1, 1), to: NaiveDate::from_ymd_opt(2026, 1, 2) };
            asked.as_of = Some("2026-11-01T00:00:00Z".parse().unwrap());
            let sql = asked.sql().unwrap();
            // The prices of the margin are put in with the card.
            assert!(!sql.replace("/*rate card*/", "").replacen("/*end*/", "", 1).contains("/*"), "{}", what.name());
            let order = sql.rsplit_once("ORDER BY").unwrap().1;
            assert!(order.find("\"week\"") < order.find("\"team\""), "{order}");
            assert!(!Request { by: None, ..asked }.dimensions().is_empty(), "{}", what.name());
        }
    }

    #[test]
    fn dimensions_that_are_none_are_refused_with_what_would_do() {
        for (name, says) in [
            ("tem", "no such dimension"),
            ("team\" --", "no such dimension"),
            ("lines", "no such dimension"),
            ("effective_cost", "no such dimension"),
            ("currency", "leave it out"),
        ] {
            let error = request(&[name]).sql().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(request(&["team", "team"]).sql().unwrap_err().to_string().contains("twice"));
    }
}
