//! Seats: a purchase for a period, spread evenly over its days, so that growth, shrinkage and the end of a month fall where
//! they belong. A day is a part of the call; sent again with other numbers, the days that differ are corrected.

use std::borrow::Cow;

use schemas::{ChargeCategory, Meter, Money, RejectReason, ReportedCost, Text, Timestamp};
use smallvec::SmallVec;

use crate::assemble::{Call, Out, Part, Share, precedence};
use crate::envelope::{Envelope, time_value};
use crate::json::{Json, Object};
use crate::number;
use crate::problem::{Problem, Result};

const DAY_MICROS: i64 = 86_400_000_000;

/// Longest period: three years, one of them leap.
const DAYS_MAX: i64 = 1_096;

/// Seats for a period, and what all of them cost together.
pub(super) struct Purchase {
    pub seats: i64,
    pub start: Timestamp,
    pub end: Timestamp,
    pub cost: Option<ReportedCost>,
}

impl Purchase {
    /// The purchase as a call: a part for each day, whose costs add up to the whole to the last picounit.
    pub(super) fn spread(self, call: &mut Call<'_>) -> Result<()> {
        let Purchase { seats, start, end, cost } = self;
        let days = end.micros_since(start) / DAY_MICROS;
        if !(1..=DAYS_MAX).contains(&days) {
            let message = format!("the period of a seat covers {days} days; it must cover 1 to {DAYS_MAX}");
            return Err(Problem::new(RejectReason::InvalidField, "period_end", message));
        }
        let total = cost.as_ref().map_or(0, |cost| cost.amount.picos());
        // What the first `days` of the period cost: rounded once, so neighbours share the remainder.
        let until = |day: i64| total * i128::from(day) / i128::from(days);
        let mut parts: SmallVec<[Part; 1]> = SmallVec::with_capacity(days as usize);
        for day in 0..days {
            let from = Timestamp::from_micros(start.micros() + day * DAY_MICROS);
            let to = if day + 1 == days { end } else { Timestamp::from_micros(from.micros() + DAY_MICROS) };
            let stated_cost = cost.as_ref().map(|cost| {
                let amount = Money::from_picos(until(day + 1) - until(day)).unwrap_or_default();
                ReportedCost { amount, ..cost.clone() }
            });
            let share = Share { start: from, end: to, stated_cost };
            let mut part =
                Part { checked: "seat days = seats x days", share: Some(Box::new(share)), ..Part::default() };
            part.iteration = i32::try_from(day).unwrap_or(i32::MAX);
            part.usage.add(Meter::SeatDays, seats);
            parts.push(part);
        }
        call.parts = parts;
        call.raw_usage = Cow::Owned(format!("{{\"quantity\":{seats},\"days\":{days}}}"));
        call.time = Some(start);
        call.charge_category = ChargeCategory::Purchase;
        Ok(())
    }
}

/// What the lists of SaaS managers call their columns, without case and with `_` for whatever is no letter or digit. Zylo's
/// names are those of its API (<https://developer.zylo.com/reference>, read 2026-11-27); for Productiv, Torii and
/// spreadsheets they are the usual ones, from documentation only.
const VENDOR: &[&str] =
    &["vendor", "application_name", "app_name", "application", "applicationname", "app", "software", "supplier"];
const PRODUCT: &[&str] =
    &["product", "sku", "plan", "license_type", "license_name", "subscription", "name", "tier", "edition"];
const SEATS: &[&str] = &[
    "seats",
    "licenses",
    "license_count",
    "licensecount",
    "total_licenses",
    "licenses_purchased",
    "purchased_licenses",
    "purchased_seats",
    "seats_purchased",
    "total_seats",
    "number_of_licenses",
];
const UNIT_PRICE: &[&str] = &[
    "unit_price",
    "price_per_license",
    "cost_per_license",
    "price_per_seat",
    "cost_per_seat",
    "license_cost",
    "unit_cost",
];
const TOTAL: &[&str] =
    &["total_cost", "contract_value", "total_contract_value", "contract_amount", "annual_cost", "annualcost", "amount"];
const START: &[&str] =
    &["period_start", "start_date", "contract_start_date", "contract_start", "term_start", "startdate"];
const END: &[&str] = &[
    "period_end",
    "end_date",
    "contract_end_date",
    "contract_end",
    "term_end",
    "enddate",
    "renewal_date",
    "renewaldate",
];
const TEAM: &[&str] = &["team", "department", "owner_team"];
const ID: &[&str] = &["id", "subscription_id", "contract_id", "license_id"];

/// True for a row that names who sells, how many and until when.
pub(crate) fn is_list(object: &Object<'_>) -> bool {
    // Nearly everything is no list of seats, and this tells at a glance.
    let told = |name: &str| name.contains("icense") || name.contains("eats");
    if !object.iter().any(|(name, _)| told(name)) {
        return false;
    }
    let columns = Columns::of(object);
    columns.get(VENDOR).is_some() && columns.get(SEATS).is_some() && columns.get(END).is_some()
}

/// The columns of a row by their plain names.
struct Columns<'a>(Vec<(String, Json<'a>)>);

impl<'a> Columns<'a> {
    fn of(object: &Object<'a>) -> Self {
        let plain = |name: &str| -> String {
            let name = name.trim().to_ascii_lowercase();
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
        };
        let known = object.iter().filter(|(name, value)| name.len() <= 64 && !value.is_null());
        Columns(known.map(|(name, value)| (plain(name), value)).collect())
    }

    fn get(&self, names: &[&'static str]) -> Option<(&'static str, Json<'a>)> {
        names.iter().find_map(|name| {
            let found = self.0.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| (*name, *value))
        })
    }

    fn text(&self, names: &[&'static str]) -> Option<Text> {
        let text = self.get(names)?.1.string()?;
        Some(text.trim()).filter(|text| !text.is_empty() && text.len() <= crate::TEXT_BYTES_MAX).map(Text::from)
    }

    fn time(&self, names: &[&'static str]) -> Result<Option<Timestamp>> {
        self.get(names).map(|(name, value)| time_value(value, name)).transpose()
    }

    /// An amount of money: `$1,200.50` is 1200.50.
    fn money(&self, names: &[&'static str]) -> Result<Option<Money>> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let text = value.string().unwrap_or(Cow::Borrowed(value.text()));
        let digits: String = text.chars().filter(|c| !matches!(c, '$' | ',' | ' ')).collect();
        number::money(&digits).map(Some).map_err(|error| Problem::number(name, value, error))
    }
}

/// A row of a list of seats. Rows have seldom an id: vendor, product, team and start make one, so a list that is sent again
/// with other numbers amends what it said before.
pub(crate) fn row<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let columns = Columns::of(object);
    let mut call = Call::new("saas.seats", "seat", precedence::STATED);
    let vendor = columns.text(VENDOR).ok_or_else(|| Problem::missing("vendor", "name who sells the seats"))?;
    let product = columns.text(PRODUCT).unwrap_or_else(|| vendor.clone());
    let (name, value) = columns.get(SEATS).ok_or_else(|| Problem::missing("seats", "say how many there are"))?;
    let digits = value.number().ok_or_else(|| Problem::wrong_type(name, value, "a whole number"))?;
    let seats = number::count(&digits.replace(',', "")).map_err(|error| Problem::number(name, value, error))?;
    let end = columns.time(END)?.ok_or_else(|| Problem::missing("end_date", "say until when the seats are paid"))?;
    // A list that names the renewal alone speaks of the year before it.
    let start = columns.time(START)?.unwrap_or_else(|| end.plus_seconds(-365 * 86_400));
    if start >= end {
        let message = format!("the seats end at {end}, not after they start at {start}");
        return Err(Problem::contradiction("end_date", message));
    }
    let unit = columns.money(UNIT_PRICE)?;
    let currency = columns.text(&["currency", "currency_code"]).unwrap_or_else(|| "USD".into());
    let (amount, basis) = match (columns.money(TOTAL)?, unit) {
        (Some(total), _) => (Some(total), "contract"),
        (None, Some(unit)) => (times(unit, seats), "seats_times_unit_price"),
        (None, None) => (None, ""),
    };
    let cost =
        amount.map(|amount| ReportedCost { amount, currency: currency.to_ascii_uppercase(), basis: basis.into() });
    let team = columns.text(TEAM);
    if envelope.event_id.is_none() {
        let made = || format!("{vendor}/{product}/{}/{start}", team.as_deref().unwrap_or(""));
        envelope.event_id = Some(Cow::Owned(columns.text(ID).map_or_else(made, String::from)));
        envelope.source = Some(Cow::Borrowed("seats"));
    }
    envelope.amends = true;
    envelope.claimed.team = team.or(envelope.claimed.team);
    envelope.claimed.cost_center = columns.text(&["cost_center", "cost_centre"]);
    envelope.claimed.cost_category.get_or_insert_with(|| "api_and_licences".into());
    envelope.provider = Some(vendor);
    call.model = Some(Cow::Owned(product.into_string()));
    Purchase { seats, start, end, cost }.spread(&mut call)?;
    out.call(call, envelope, json);
    Ok(())
}

/// A price times a count; `None` beyond 38 digits.
pub(super) fn times(price: Money, count: i64) -> Option<Money> {
    price.picos().checked_mul(i128::from(count)).and_then(Money::from_picos)
}
