//! Typed access to the columns of a batch, by name.

use anyhow::{Context, anyhow};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use schemas::{CurrencySum, Id128, Money, Price, Quantity, Text, Timestamp};

/// The cells of a batch. Every getter fails on a column that is missing or of another type: a mistake in the caller.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a>(pub &'a RecordBatch);

impl<'a> Cells<'a> {
    pub(super) fn column(self, name: &str) -> anyhow::Result<&'a dyn Array> {
        self.0.column_by_name(name).map(AsRef::as_ref).with_context(|| format!("no column {name}"))
    }

    /// Text; `None` where null.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn text(self, name: &str, row: usize) -> anyhow::Result<Option<&'a str>> {
        let column = self.column(name)?;
        let values = column.as_string_opt::<i32>().with_context(|| format!("column {name} is not text"))?;
        Ok(values.is_valid(row).then(|| values.value(row)))
    }

    /// Text that must be there.
    ///
    /// # Errors
    /// When there is no such column of this type, or the cell is null.
    pub fn must_text(self, name: &str, row: usize) -> anyhow::Result<Text> {
        self.text(name, row)?.map(Text::from).with_context(|| format!("column {name} is null"))
    }

    /// Text read as one of a closed set, or an id.
    ///
    /// # Errors
    /// When there is no such column of this type, the cell is null, or its text is unknown.
    pub fn parsed<T: std::str::FromStr<Err = String>>(self, name: &str, row: usize) -> anyhow::Result<T> {
        self.must_text(name, row)?.parse().map_err(|error: String| anyhow!("column {name}: {error}"))
    }

    /// A 64-bit integer.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn long(self, name: &str, row: usize) -> anyhow::Result<Option<i64>> {
        let column = self.column(name)?;
        let values =
            column.as_primitive_opt::<Int64Type>().with_context(|| format!("column {name} is not a bigint"))?;
        Ok(values.is_valid(row).then(|| values.value(row)))
    }

    /// A 64-bit integer that must be there.
    ///
    /// # Errors
    /// When there is no such column of this type, or the cell is null.
    pub fn must_long(self, name: &str, row: usize) -> anyhow::Result<i64> {
        self.long(name, row)?.with_context(|| format!("column {name} is null"))
    }

    /// A 32-bit integer that must be there.
    ///
    /// # Errors
    /// When there is no such column of this type, or the cell is null.
    pub fn must_int(self, name: &str, row: usize) -> anyhow::Result<i32> {
        let column = self.column(name)?;
        let values = column.as_primitive_opt::<Int32Type>().with_context(|| format!("column {name} is not an int"))?;
        values.is_valid(row).then(|| values.value(row)).with_context(|| format!("column {name} is null"))
    }

    /// True or false; null is false.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn truth(self, name: &str, row: usize) -> anyhow::Result<bool> {
        let values = self.column(name)?.as_boolean_opt().with_context(|| format!("column {name} is not a boolean"))?;
        Ok(values.is_valid(row) && values.value(row))
    }

    fn decimal(self, name: &str, row: usize) -> anyhow::Result<Option<i128>> {
        let column = self.column(name)?;
        let values =
            column.as_primitive_opt::<Decimal128Type>().with_context(|| format!("column {name} is no decimal"))?;
        Ok(values.is_valid(row).then(|| values.value(row)))
    }

    /// Money.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn money(self, name: &str, row: usize) -> anyhow::Result<Option<Money>> {
        let picos = self.decimal(name, row)?;
        picos.map(|picos| Money::from_picos(picos).context("amount needs more than 38 digits")).transpose()
    }

    /// Money that must be there.
    ///
    /// # Errors
    /// When there is no such column of this type, or the cell is null.
    pub fn must_money(self, name: &str, row: usize) -> anyhow::Result<Money> {
        self.money(name, row)?.with_context(|| format!("column {name} is null"))
    }

    /// A quantity; null is nothing.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn quantity(self, name: &str, row: usize) -> anyhow::Result<Quantity> {
        Ok(self.maybe_quantity(name, row)?.unwrap_or(Quantity::ZERO))
    }

    /// A quantity; `None` where null.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn maybe_quantity(self, name: &str, row: usize) -> anyhow::Result<Option<Quantity>> {
        let picos = self.decimal(name, row)?;
        picos.map(|picos| Quantity::from_picos(picos).context("quantity needs more than 38 digits")).transpose()
    }

    /// A unit price.
    ///
    /// # Errors
    /// When there is no such column of this type, or the price needs more than 28 digits.
    pub fn price(self, name: &str, row: usize) -> anyhow::Result<Option<Price>> {
        let scaled = self.decimal(name, row)?;
        let price =
            |scaled| Price::from_scaled(scaled).with_context(|| format!("column {name} needs more than 28 digits"));
        scaled.map(price).transpose()
    }

    /// A point in time.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn time(self, name: &str, row: usize) -> anyhow::Result<Option<Timestamp>> {
        let column = self.column(name)?;
        let values = column.as_primitive_opt::<TimestampMicrosecondType>();
        let values = values.with_context(|| format!("column {name} is not a timestamp"))?;
        Ok(values.is_valid(row).then(|| Timestamp::from_micros(values.value(row))))
    }

    /// A point in time that must be there.
    ///
    /// # Errors
    /// When there is no such column of this type, or the cell is null.
    pub fn must_time(self, name: &str, row: usize) -> anyhow::Result<Timestamp> {
        self.time(name, row)?.with_context(|| format!("column {name} is null"))
    }

    /// An id that must be there.
    ///
    /// # Errors
    /// When there is no such column of this type, or the cell is null or no id.
    pub fn id(self, name: &str, row: usize) -> anyhow::Result<Id128> {
        self.parsed(name, row)
    }

    /// A day that must be there.
    ///
    /// # Errors
    /// When there is no such column of this type, or the cell is null.
    pub fn date(self, name: &str, row: usize) -> anyhow::Result<chrono::NaiveDate> {
        let column = self.column(name)?;
        let values = column.as_primitive_opt::<Date32Type>().with_context(|| format!("column {name} is not a date"))?;
        let day = values.is_valid(row).then(|| values.value(row)).with_context(|| format!("column {name} is null"))?;
        chrono::NaiveDate::from_epoch_days(day).with_context(|| format!("column {name} holds no date"))
    }

    /// Whether a list of texts has this one; null has none.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn lists(self, name: &str, row: usize, text: &str) -> anyhow::Result<bool> {
        let wrong = || format!("column {name} is not a list of texts");
        let list = self.column(name)?.as_list_opt::<i32>().with_context(wrong)?;
        let texts = list.values().as_string_opt::<i32>().with_context(wrong)?;
        let ends = list.value_offsets();
        let mut places = ends[row] as usize..ends[row + 1] as usize;
        Ok(list.is_valid(row) && places.any(|place| texts.value(place) == text))
    }

    /// A list of sums by currency.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn sums(self, name: &str, row: usize) -> anyhow::Result<Vec<CurrencySum>> {
        let wrong = || format!("column {name} is not a list of sums");
        let list = self.column(name)?.as_list_opt::<i32>().with_context(wrong)?;
        if list.is_null(row) {
            return Ok(Vec::new());
        }
        let sums = list.value(row);
        let inner = RecordBatch::from(sums.as_struct_opt().with_context(wrong)?);
        let cells = Cells(&inner);
        let sum = |index| {
            Ok(CurrencySum {
                currency: cells.must_text("currency", index)?,
                amount: cells.must_money("amount", index)?,
            })
        };
        (0..inner.num_rows()).map(sum).collect()
    }

    /// A map from text to text; null is empty.
    ///
    /// # Errors
    /// When there is no such column of this type.
    pub fn pairs(self, name: &str, row: usize) -> anyhow::Result<Vec<(Text, Text)>> {
        let wrong = || format!("column {name} is not a map of texts");
        let map = self.column(name)?.as_map_opt().with_context(wrong)?;
        if map.is_null(row) {
            return Ok(Vec::new());
        }
        let entries = map.value(row);
        let keys = entries.column(0).as_string_opt::<i32>().with_context(wrong)?;
        let values = entries.column(1).as_string_opt::<i32>().with_context(wrong)?;
        let pair = |(key, value): (Option<&str>, Option<&str>)| Some((Text::from(key?), Text::from(value?)));
        Ok(keys.iter().zip(values.iter()).filter_map(pair).collect())
    }
}
