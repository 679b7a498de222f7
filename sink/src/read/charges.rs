//! Rows of `charges` as the charges they were made of: a row alone suffices to reprice, re-attribute and take back.

use anyhow::{Context, anyhow};
use arrow::array::{Array, AsArray, RecordBatch};
use schemas::{
    Allocation, Charge, ChargeClass, Costs, Counterfactual, Dimensions, Flag, Id128, Line, Meter, Metered, Money,
    Position, PriceContext, Quantity, ReportedCost, Tag, Text, UnpricedMeter, UsageEvent,
};

use super::{Cells, Days, LakeReader, Scan};
use crate::catalogue;
use crate::rows::meter_name;

impl LakeReader {
    /// Scans every column of `charges`, for [`charges_of`].
    ///
    /// # Errors
    /// As [`LakeReader::scan`].
    pub fn whole_charges(&self, days: Days) -> anyhow::Result<Scan> {
        let schema = catalogue::table("charges").context("the lake has charges")?.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        self.charges(&columns, days)
    }
}

/// The charges of a batch that [`LakeReader::whole_charges`] read, exactly as they were written.
///
/// A row that is older than the column `event_flags` takes all its flags for the event's.
///
/// # Errors
/// When a cell holds what no charge holds.
pub fn charges_of(batch: &RecordBatch) -> anyhow::Result<Vec<Charge>> {
    (0..batch.num_rows()).map(|row| charge(Cells(batch), row).context("read a row of the table charges")).collect()
}

fn charge(cells: Cells<'_>, row: usize) -> anyhow::Result<Charge> {
    let class: ChargeClass = cells.parsed("class", row)?;
    let flags = flags(cells, "flags", row)?.unwrap_or_default();
    let event = event(cells, row, class, &flags)?;
    let mut owner = Dimensions::default();
    for name in Dimensions::NAMES {
        if let (Some(value), Some(field)) = (cells.text(name, row)?, owner.named_mut(name)) {
            *field = Some(value.into());
        }
    }
    let costs = |prefix: &str| -> anyhow::Result<Option<Costs>> {
        let Some(currency) = optional(cells, &format!("{prefix}currency"), row)? else { return Ok(None) };
        let amount = |kind: &str| cells.money(&format!("{prefix}{kind}_cost"), row);
        let (list, contracted) = (amount("list")?, amount("contracted")?);
        Ok(Some(Costs { currency, list, contracted, effective: amount("effective")?, billed: amount("billed")? }))
    };
    Ok(Charge {
        charge_id: cells.id("charge_id", row)?,
        revision: cells.must_int("revision", row)?,
        class,
        corrects: maybe(cells, "corrects", row)?,
        correction_reason: maybe(cells, "correction_reason", row)?,
        correction_id: maybe(cells, "correction_id", row)?,
        booked_at: cells.must_time("booked_at", row)?,
        event,
        requests: i32::try_from(cells.must_long("requests", row)?).context("column requests")?,
        status: cells.parsed("pricing_status", row)?,
        lines: nested(cells, "lines", row, line)?,
        unpriced: nested(cells, "unpriced", row, unpriced)?,
        costs: costs("")?.context("column currency is null")?,
        reporting: costs("reporting_")?,
        fx_rate_id: optional(cells, "fx_rate_id", row)?,
        counterfactuals: nested(cells, "counterfactuals", row, counterfactual)?,
        sku: optional(cells, "sku", row)?,
        model_class: optional(cells, "model_class", row)?,
        book_version: cells.must_text("book_version", row)?,
        owner,
        rule: optional(cells, "attribution_rule", row)?,
        confidence: cells.parsed("attribution_confidence", row)?,
        directory_version: cells.must_text("directory_version", row)?,
        allocation: allocation(cells, row)?,
        flags,
    })
}

impl Cells<'_> {
    /// Meters without a price, as the column `unpriced` lists them.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn unpriced_meters(self, name: &str, row: usize) -> anyhow::Result<Vec<(Meter, Quantity)>> {
        Ok(nested(self, name, row, unpriced)?.into_iter().map(|row| (row.meter, row.quantity)).collect())
    }
}

fn event(cells: Cells<'_>, row: usize, class: ChargeClass, charge_flags: &[Flag]) -> anyhow::Result<Box<UsageEvent>> {
    let text = |name: &str| optional(cells, name, row);
    let mut claimed = Dimensions::default();
    for (name, value) in cells.pairs("claimed", row)? {
        *claimed.named_mut(&name).with_context(|| format!("column claimed names {name:?}"))? = Some(value);
    }
    let tags = cells.pairs("tags", row)?.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(Box::new(UsageEvent {
        tenant: cells.must_text("tenant", row)?,
        call_key: cells.must_text("call_key", row)?,
        identity: cells.parsed("identity", row)?,
        weaker_keys: texts(cells, "weaker_keys", row)?.unwrap_or_default(),
        iteration: cells.must_int("iteration", row)?,
        dedup_key: cells.id("dedup_key", row)?,
        content_hash: cells.id("content_hash", row)?,
        precedence: cells.must_int("precedence", row)?,
        amends: cells.truth("amends", row)?,
        event_id: text("event_id")?,
        source: cells.must_text("source", row)?,
        position: Position {
            topic: cells.must_text("raw_topic", row)?,
            partition: cells.must_int("raw_partition", row)?,
            offset: cells.must_long("raw_offset", row)?,
            item: cells.must_int("raw_item", row)?,
        },
        event_time: cells.must_time("event_time", row)?,
        received_at: cells.must_time("received_at", row)?,
        charge_period_start: cells.time("charge_period_start", row)?,
        charge_period_end: cells.time("charge_period_end", row)?,
        provider: cells.must_text("provider", row)?,
        publisher: text("publisher")?,
        model: cells.must_text("model", row)?,
        requested_model: text("requested_model")?,
        operation: cells.must_text("operation", row)?,
        price_context: PriceContext {
            service_tier: text("service_tier")?,
            requested_tier: text("requested_tier")?,
            batch: cells.truth("batch", row)?,
            speed: text("speed")?,
            region: text("region")?,
            residency: text("residency")?,
            endpoint: text("endpoint")?,
            size: text("size")?,
            quality: text("quality")?,
            resolution: text("resolution")?,
            search_context: text("search_context")?,
        },
        usage: usage(cells, row, class == ChargeClass::Reversal)?,
        checked: cells.must_text("usage_checked", row)?,
        raw_usage: cells.must_text("raw_usage", row)?,
        raw_usage_hash: cells.id("raw_usage_hash", row)?,
        extractor: cells.must_text("extractor", row)?,
        extractor_version: cells.must_int("extractor_version", row)?,
        flags: flags(cells, "event_flags", row)?.unwrap_or_else(|| charge_flags.to_vec()),
        key_id: text("key_id")?,
        resource: text("resource")?,
        tags,
        claimed,
        cost_basis: cells.parsed("cost_basis", row)?,
        charge_category: cells.parsed("charge_category", row)?,
        reported_cost: claim(cells, "reported", row)?,
        stated_cost: claim(cells, "stated", row)?,
    }))
}

fn usage(cells: Cells<'_>, row: usize, negated: bool) -> anyhow::Result<Vec<Metered>> {
    let mut usage = Vec::new();
    for meter in Meter::ALL {
        if let Some(quantity) = cells.maybe_quantity(meter_name(*meter), row)? {
            usage.push(Metered { meter: *meter, quantity: if negated { quantity.negated() } else { quantity } });
        }
    }
    Ok(usage)
}

fn claim(cells: Cells<'_>, which: &str, row: usize) -> anyhow::Result<Option<ReportedCost>> {
    let Some(amount) = cells.money(&format!("{which}_cost"), row)? else { return Ok(None) };
    let currency = cells.must_text(&format!("{which}_currency"), row)?;
    Ok(Some(ReportedCost { amount, currency, basis: cells.must_text(&format!("{which}_basis"), row)? }))
}

fn allocation(cells: Cells<'_>, row: usize) -> anyhow::Result<Option<Allocation>> {
    let Some(shared_charge) = maybe::<Id128>(cells, "allocation_shared_charge", row)? else { return Ok(None) };
    Ok(Some(Allocation {
        shared_charge,
        rule: cells.must_text("allocation_rule", row)?,
        method: cells.must_text("allocation_method", row)?,
        weight: cells.quantity("allocation_weight", row)?,
        weight_total: cells.quantity("allocation_weight_total", row)?,
    }))
}

fn line(cells: Cells<'_>, row: usize) -> anyhow::Result<Line> {
    Ok(Line {
        meter: cells.parsed("meter", row)?,
        quantity: cells.quantity("quantity", row)?,
        billed_quantity: cells.quantity("billed_quantity", row)?,
        list_unit_price: cells.price("list_unit_price", row)?.context("column list_unit_price is null")?,
        contracted_unit_price: cells.price("contracted_unit_price", row)?,
        per: cells.must_long("per", row)?,
        currency: cells.must_text("currency", row)?,
        rate_id: cells.must_text("rate_id", row)?,
        contracted_rate_id: optional(cells, "contracted_rate_id", row)?,
        list_cost: cells.must_money("list_cost", row)?,
        contracted_cost: cells.must_money("contracted_cost", row)?,
    })
}

fn unpriced(cells: Cells<'_>, row: usize) -> anyhow::Result<UnpricedMeter> {
    let (meter, quantity) = (cells.parsed("meter", row)?, cells.quantity("quantity", row)?);
    Ok(UnpricedMeter { meter, quantity, reason: cells.must_text("reason", row)? })
}

fn counterfactual(cells: Cells<'_>, row: usize) -> anyhow::Result<Counterfactual> {
    let (kind, cost): (_, Money) = (cells.parsed("kind", row)?, cells.must_money("cost", row)?);
    let (currency, basis) = (cells.must_text("currency", row)?, cells.must_text("basis", row)?);
    Ok(Counterfactual { kind, cost, currency, basis })
}

fn optional(cells: Cells<'_>, name: &str, row: usize) -> anyhow::Result<Option<Text>> {
    Ok(cells.text(name, row)?.map(Text::from))
}

/// Text read as one of a closed set, or an id; `None` where null.
fn maybe<T: std::str::FromStr<Err = String>>(cells: Cells<'_>, name: &str, row: usize) -> anyhow::Result<Option<T>> {
    cells.text(name, row)?.map(str::parse).transpose().map_err(|error: String| anyhow!("column {name}: {error}"))
}

fn flags(cells: Cells<'_>, name: &str, row: usize) -> anyhow::Result<Option<Vec<Flag>>> {
    let Some(texts) = texts(cells, name, row)? else { return Ok(None) };
    let flags = texts.iter().map(|text| text.parse().map_err(|error: String| anyhow!("column {name}: {error}")));
    flags.collect::<anyhow::Result<_>>().map(Some)
}

/// A list of texts; `None` where null.
fn texts(cells: Cells<'_>, name: &str, row: usize) -> anyhow::Result<Option<Vec<Text>>> {
    let wrong = || format!("column {name} is not a list of texts");
    let list = cells.column(name)?.as_list_opt::<i32>().with_context(wrong)?;
    if list.is_null(row) {
        return Ok(None);
    }
    let texts = list.value(row);
    let texts = texts.as_string_opt::<i32>().with_context(wrong)?;
    Ok(Some(texts.iter().flatten().map(Text::from).collect()))
}

/// A list of structs, each read as a row of its own.
fn nested<T>(
    cells: Cells<'_>,
    name: &str,
    row: usize,
    read: fn(Cells<'_>, usize) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let wrong = || format!("column {name} is not a list of structs");
    let list = cells.column(name)?.as_list_opt::<i32>().with_context(wrong)?;
    if list.is_null(row) {
        return Ok(Vec::new());
    }
    let items = list.value(row);
    let inner = RecordBatch::from(items.as_struct_opt().with_context(wrong)?);
    (0..inner.num_rows()).map(|at| read(Cells(&inner), at).with_context(|| format!("column {name}"))).collect()
}

#[cfg(test)]
mod tests {
    use schemas::codec::Format;
    use schemas::{CorrectionReason, fixture};

    use super::*;
    use crate::column;
    use crate::rows::{Charges, Origin, Row, Rows};

    fn there_and_back(charges: Vec<Charge>) -> Vec<Charge> {
        let origin = Origin { partition: 0, offset: 0, item: 0, source: None };
        let rows: Vec<_> =
            charges.into_iter().map(|item| Row { item: Box::new(item), origin: origin.clone() }).collect();
        let columns = Charges::columns();
        let batch = column::batch(&column::schema(&columns), &columns, &rows.iter().collect::<Vec<_>>());
        charges_of(&batch).unwrap()
    }

    #[test]
    fn a_row_of_the_lake_is_the_charge_that_was_written_to_the_byte() {
        let whole = fixture::charge();
        let mut reversal = whole.clone();
        reversal.class = ChargeClass::Reversal;
        let mut bare = crate::tests::sample::charge(5);
        bare.event.weaker_keys.clear();
        bare.event.usage.clear();
        bare.correction_reason = Some(CorrectionReason::Amend);
        bare.costs = Costs { list: None, contracted: None, effective: None, ..bare.costs };
        let sent = vec![whole, reversal, bare];
        let format = Format::<Charge>::new();
        for (found, sent) in there_and_back(sent.clone()).iter().zip(&sent) {
            assert_eq!(found, sent);
            assert_eq!(format.encode(found), format.encode(sent));
        }
    }

    #[test]
    fn a_list_tells_which_texts_it_has() {
        let mut flagged = fixture::charge();
        flagged.flags = vec![Flag::IdFromPosition, Flag::Conflict];
        let mut bare = fixture::charge();
        bare.flags.clear();
        let origin = Origin { partition: 0, offset: 0, item: 0, source: None };
        let row = |item: Charge| Row { item: Box::new(item), origin: origin.clone() };
        let rows = [row(bare.clone()), row(flagged), row(bare)];
        let columns = Charges::columns();
        let batch = column::batch(&column::schema(&columns), &columns, &rows.iter().collect::<Vec<_>>());
        for (flag, expected) in [("conflict", true), ("id_from_position", true), ("time_assumed", false)] {
            let found = [0, 1, 2].map(|row| Cells(&batch).lists("flags", row, flag).unwrap());
            assert_eq!(found, [false, expected, false], "{flag}");
        }
        assert!(Cells(&batch.slice(1, 2)).lists("flags", 0, "conflict").unwrap());
    }

    #[test]
    fn every_dimension_and_meter_comes_back() {
        let mut charge = fixture::charge();
        for name in Dimensions::NAMES {
            *charge.owner.named_mut(name).unwrap() = Some(format!("owner {name}").into());
            *charge.event.claimed.named_mut(name).unwrap() = Some(format!("claimed {name}").into());
        }
        let metered =
            |(nth, meter): (usize, &Meter)| Metered { meter: *meter, quantity: Quantity::from_units(nth as i64 + 1) };
        charge.event.usage = Meter::ALL.iter().enumerate().map(metered).collect();
        assert_eq!(there_and_back(vec![charge.clone()]), [charge]);
    }
}
