//! Columns that divide one by another: exactly, rounded half-even to 12 places. SQL would divide in floats, or each
//! engine in its own way.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema, i256};
use schemas::PICO;

/// A column to be added.
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    /// Its name.
    pub name: &'static str,
    /// Column that is divided.
    pub part: &'static str,
    /// What it is divided by.
    pub whole: Whole,
    /// What the quotient is multiplied by.
    pub times: i64,
}

/// What a column is divided by.
#[derive(Debug, Clone, Copy)]
pub enum Whole {
    /// Another column of the same row.
    Column(&'static str),
    /// The sum of a column over all rows of the same currency, where all are of one sign.
    OfCurrency(&'static str),
}

/// `part * times / whole`, all in 10^-12; `None` when there is nothing to divide by, or it does not fit.
pub fn divide(part: i128, whole: i128, times: i64) -> Option<i128> {
    if whole == 0 {
        return None;
    }
    let scaled = i256::from_i128(part).checked_mul(i256::from_i128(PICO))?;
    let scaled = scaled.checked_mul(i256::from_i128(i128::from(times)))?;
    let divisor = i256::from_i128(whole);
    let (quotient, rest) = (scaled.checked_div(divisor)?.to_i128()?, scaled.checked_rem(divisor)?.to_i128()?);
    let (rest, half) = (rest.unsigned_abs(), whole.unsigned_abs() - rest.unsigned_abs());
    let away = rest > half || (rest == half && quotient % 2 != 0);
    let sign = if (part < 0) == (whole < 0) { 1 } else { -1 };
    Some(if away { quotient + sign } else { quotient })
}

/// A number in 10^-12, whatever column it is in.
pub fn picos(column: &dyn Array, row: usize) -> anyhow::Result<Option<i128>> {
    if column.is_null(row) {
        return Ok(None);
    }
    match column.data_type() {
        DataType::Decimal128(_, 12) => Ok(Some(column.as_primitive::<Decimal128Type>().value(row))),
        DataType::Int64 => {
            let value = i128::from(column.as_primitive::<Int64Type>().value(row));
            value.checked_mul(PICO).context("a count is too large").map(Some)
        }
        other => bail!("a column of {other} is no number"),
    }
}

/// Adds columns to an answer.
///
/// # Errors
/// When a column is missing or no number.
pub fn add(rows: &RecordBatch, ratios: &[Ratio]) -> anyhow::Result<RecordBatch> {
    let mut fields: Vec<Arc<Field>> = rows.schema().fields().iter().cloned().collect();
    let mut columns = rows.columns().to_vec();
    for ratio in ratios {
        fields.push(Arc::new(Field::new(ratio.name, DataType::Decimal128(38, 12), true)));
        columns.push(column(rows, ratio)?);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn column(rows: &RecordBatch, ratio: &Ratio) -> anyhow::Result<ArrayRef> {
    let found = |name: &str| rows.column_by_name(name).with_context(|| format!("the answer has no column {name}"));
    let part = found(ratio.part)?;
    let totals = match ratio.whole {
        Whole::Column(_) => BTreeMap::new(),
        Whole::OfCurrency(name) => wholes(rows, found(name)?)?,
    };
    let currency = found("currency")?.as_string_opt::<i32>().context("the column currency is no text")?;
    let mut values = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let whole = match ratio.whole {
            Whole::Column(name) => picos(found(name)?, row)?,
            Whole::OfCurrency(_) => totals.get(currency.value(row)).copied(),
        };
        let part = picos(part, row)?;
        values.push(part.zip(whole).and_then(|(part, whole)| divide(part, whole, ratio.times)));
    }
    Ok(Arc::new(Decimal128Array::from(values).with_precision_and_scale(38, 12)?))
}

/// Sums of a column by currency that are wholes: with credits among charges, parts would be more than all, or less than nothing.
fn wholes(rows: &RecordBatch, column: &ArrayRef) -> anyhow::Result<BTreeMap<String, i128>> {
    let mut wholes = totals(rows, column)?;
    let currency = rows.column_by_name("currency").and_then(|column| column.as_string_opt::<i32>());
    let currency = currency.context("the answer has no column currency")?;
    let mut signs: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let amount = picos(column, row)?.unwrap_or(0);
        let seen = signs.entry(currency.value(row)).or_default();
        *seen = [seen[0] || amount < 0, seen[1] || amount > 0];
    }
    wholes.retain(|code, _| signs.get(code.as_str()) != Some(&[true, true]));
    Ok(wholes)
}

/// Sums of a column by currency, null counted as nothing.
pub(super) fn totals(rows: &RecordBatch, column: &ArrayRef) -> anyhow::Result<BTreeMap<String, i128>> {
    let currency = rows.column_by_name("currency").and_then(|column| column.as_string_opt::<i32>());
    let currency = currency.context("the answer has no column currency")?;
    let mut totals = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let total = totals.entry(currency.value(row).to_owned()).or_insert(0i128);
        *total = total.checked_add(picos(column, row)?.unwrap_or(0)).context("a sum needs more than 38 digits")?;
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_parts_of_both_signs_has_no_shares() {
        let costs = [3, 1, 5, -2, -1, -3].map(|units| Some(units * PICO)).to_vec();
        let costs = Decimal128Array::from(costs).with_precision_and_scale(38, 12).unwrap();
        let codes = arrow::array::StringArray::from(vec!["USD", "USD", "EUR", "EUR", "JPY", "JPY"]);
        let columns: [(&str, ArrayRef); 2] = [("currency", Arc::new(codes)), ("effective_cost", Arc::new(costs))];
        let whole = Whole::OfCurrency("effective_cost");
        let share = Ratio { name: "share", part: "effective_cost", whole, times: 1 };
        let shares = add(&RecordBatch::try_from_iter(columns).unwrap(), &[share]).unwrap();
        let shares = (0..6).map(|row| picos(shares.column(2), row).unwrap().map(|share| share * 100 / PICO));
        assert_eq!(shares.collect::<Vec<_>>(), [Some(75), Some(25), None, None, Some(25), Some(75)]);
    }

    #[test]
    fn quotients_are_rounded_half_even_and_never_by_floats() {
        let pico = PICO;
        assert_eq!(divide(pico, 3 * pico, 1), Some(333_333_333_333));
        assert_eq!(divide(2 * pico, 3 * pico, 1), Some(666_666_666_667));
        assert_eq!(divide(-2 * pico, 3 * pico, 1), Some(-666_666_666_667));
        assert_eq!(divide(1, 2 * pico, 1), Some(0));
        assert_eq!(divide(3, 2 * pico, 1), Some(2));
        assert_eq!(divide(-3, 2 * pico, 1), Some(-2));
        assert_eq!(divide(1, -2 * pico, 1), Some(0));
        assert_eq!(divide(pico, 0, 1), None);
        assert_eq!(divide(10i128.pow(30), 10i128.pow(30), 1_000_000), Some(1_000_000 * pico));
        assert_eq!(divide(i128::MAX, 1, 1_000_000), None);
    }
}
