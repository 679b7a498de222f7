//! A column of a lake table: its name, unit and meaning, and how it is filled from a row.
//!
//! The list of columns is the one source of a table's Arrow schema, its Delta schema and its documentation. Columns are
//! filled one after the other over a run of rows, so that no row allocates anything.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, ListArray, ListBuilder, MapArray,
    NullBufferBuilder, RecordBatch, StringBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use schemas::{Id128, Money, Price, Quantity, Timestamp};

/// How a column is filled from a run of rows.
type Fill<T> = Box<dyn Fn(&[&T]) -> ArrayRef + Send + Sync>;

/// Gives each text of a row to a callback.
pub type EachText<T> = fn(&T, &mut dyn FnMut(&str));

/// Gives each pair of texts of a row to a callback.
pub type EachPair<T> = fn(&T, &mut dyn FnMut(&str, &str));

/// A column of rows of type `T`. Every column is nullable, so that later releases can add some.
pub struct Column<T> {
    /// Name.
    pub name: &'static str,
    /// Unit; empty where there is none.
    pub unit: &'static str,
    /// Meaning.
    pub doc: String,
    /// Arrow type.
    pub data_type: DataType,
    fill: Fill<T>,
}

impl<T> std::fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.data_type)
    }
}

impl<T> Column<T> {
    fn field(&self) -> Field {
        Field::new(self.name, self.data_type.clone(), true)
    }

    /// As a row of a Markdown table.
    pub fn markdown(&self) -> String {
        format!("| `{}` | {} | {} | {} |\n", self.name, self.sql_type(), self.unit, self.doc)
    }

    /// The type as SQL names it.
    pub fn sql_type(&self) -> String {
        fn name(of: &DataType) -> String {
            match of {
                DataType::Utf8 => "string".to_owned(),
                DataType::Int32 => "int".to_owned(),
                DataType::Int64 => "bigint".to_owned(),
                DataType::Date32 => "date".to_owned(),
                DataType::Timestamp(..) => "timestamp".to_owned(),
                DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
                DataType::List(element) => format!("list&lt;{}&gt;", name(element.data_type())),
                DataType::Map(..) => "map&lt;string, string&gt;".to_owned(),
                DataType::Struct(fields) => {
                    let fields: Vec<_> =
                        fields.iter().map(|f| format!("{} {}", f.name(), name(f.data_type()))).collect();
                    format!("struct&lt;{}&gt;", fields.join(", "))
                }
                other => other.to_string().to_lowercase(),
            }
        }
        name(&self.data_type)
    }

    /// Meaning and unit in one line.
    pub fn comment(&self) -> String {
        if self.unit.is_empty() { self.doc.clone() } else { format!("{} Unit: {}.", self.doc, self.unit) }
    }
}

/// The Arrow schema of columns.
pub fn schema<T>(columns: &[Column<T>]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()))
}

impl<T> Column<T> {
    /// The column of a run of rows.
    pub(crate) fn filled(&self, rows: &[&T]) -> ArrayRef {
        (self.fill)(rows)
    }
}

/// A run of rows as Arrow columns.
pub fn batch<T>(schema: &SchemaRef, columns: &[Column<T>], rows: &[&T]) -> RecordBatch {
    let arrays = columns.iter().map(|column| column.filled(rows)).collect();
    RecordBatch::try_new(schema.clone(), arrays).expect("each array is as long as the rows and of its column's type")
}

fn column<T>(
    name: &'static str,
    unit: &'static str,
    doc: impl Into<String>,
    data_type: DataType,
    fill: impl Fn(&[&T]) -> ArrayRef + Send + Sync + 'static,
) -> Column<T> {
    Column { name, unit, doc: doc.into(), data_type, fill: Box::new(fill) }
}

/// Text.
pub fn text<T: 'static>(name: &'static str, doc: &str, get: fn(&T) -> Option<&str>) -> Column<T> {
    column(name, "", doc, DataType::Utf8, move |rows| {
        let mut values = StringBuilder::with_capacity(rows.len(), rows.len() * 8);
        rows.iter().for_each(|row| values.append_option(get(row)));
        Arc::new(values.finish())
    })
}

/// A 128-bit id as 32 lower-case hexadecimal digits.
pub fn id<T: 'static>(name: &'static str, doc: &str, get: fn(&T) -> Option<Id128>) -> Column<T> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    column(name, "32 hexadecimal digits", doc, DataType::Utf8, move |rows| {
        let mut values = StringBuilder::with_capacity(rows.len(), rows.len() * 32);
        for row in rows {
            let hex = get(row).map(|id| {
                let mut hex = [0; 32];
                for (pair, byte) in hex.chunks_exact_mut(2).zip(id.0) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                hex
            });
            values
                .append_option(hex.as_ref().map(|hex| std::str::from_utf8(hex).expect("hexadecimal digits are ASCII")));
        }
        Arc::new(values.finish())
    })
}

fn decimal<T: 'static>(
    name: &'static str,
    unit: &'static str,
    doc: impl Into<String>,
    scale: i8,
    get: impl Fn(&T) -> Option<i128> + Send + Sync + 'static,
) -> Column<T> {
    let data_type = DataType::Decimal128(38, scale);
    let of = data_type.clone();
    column(name, unit, doc, data_type, move |rows| {
        let values: Decimal128Array = rows.iter().map(|row| get(row)).collect();
        Arc::new(values.with_data_type(of.clone()))
    })
}

/// Money, `DECIMAL(38,12)` of the currency that `unit` names.
pub fn money<T: 'static>(name: &'static str, unit: &'static str, doc: &str, get: fn(&T) -> Option<Money>) -> Column<T> {
    decimal(name, unit, doc, 12, move |row| get(row).map(Money::picos))
}

/// A quantity, `DECIMAL(38,12)`.
pub fn quantity<T: 'static>(
    name: &'static str,
    unit: &'static str,
    doc: impl Into<String>,
    get: impl Fn(&T) -> Option<Quantity> + Send + Sync + 'static,
) -> Column<T> {
    decimal(name, unit, doc, 12, move |row| get(row).map(Quantity::picos))
}

/// A unit price, `DECIMAL(38,18)`.
pub fn price<T: 'static>(name: &'static str, unit: &'static str, doc: &str, get: fn(&T) -> Option<Price>) -> Column<T> {
    decimal(name, unit, doc, 18, move |row| get(row).map(Price::scaled))
}

/// A 64-bit integer.
pub fn long<T: 'static>(name: &'static str, unit: &'static str, doc: &str, get: fn(&T) -> Option<i64>) -> Column<T> {
    column(name, unit, doc, DataType::Int64, move |rows| {
        Arc::new(rows.iter().map(|row| get(row)).collect::<Int64Array>())
    })
}

/// A 32-bit integer.
pub fn int<T: 'static>(name: &'static str, unit: &'static str, doc: &str, get: fn(&T) -> Option<i32>) -> Column<T> {
    column(name, unit, doc, DataType::Int32, move |rows| {
        Arc::new(rows.iter().map(|row| get(row)).collect::<Int32Array>())
    })
}

/// True or false.
pub fn boolean<T: 'static>(name: &'static str, doc: &str, get: fn(&T) -> Option<bool>) -> Column<T> {
    column(name, "", doc, DataType::Boolean, move |rows| {
        Arc::new(rows.iter().map(|row| get(row)).collect::<BooleanArray>())
    })
}

/// A calendar date, UTC.
pub fn date<T: 'static>(name: &'static str, doc: &str, get: fn(&T) -> i32) -> Column<T> {
    column(name, "date, UTC", doc, DataType::Date32, move |rows| {
        Arc::new(rows.iter().map(|row| Some(get(row))).collect::<Date32Array>())
    })
}

/// A point in time, microseconds in UTC. The ends of the scale mean "none yet" and are null.
pub fn time<T: 'static>(name: &'static str, doc: &str, get: fn(&T) -> Option<Timestamp>) -> Column<T> {
    let data_type = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    column(name, "timestamp, UTC, microseconds", doc, data_type, move |rows| {
        let stated = |time: &Timestamp| *time != Timestamp::MIN && *time != Timestamp::MAX;
        let values = rows.iter().map(|row| get(row).filter(stated).map(Timestamp::micros));
        Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    })
}

/// A list of texts; the getter gives each to its callback.
pub fn texts<T: 'static>(name: &'static str, doc: &str, each: EachText<T>) -> Column<T> {
    let element = Arc::new(Field::new("element", DataType::Utf8, true));
    let of = element.clone();
    column(name, "", doc, DataType::List(element), move |rows| {
        let mut values = ListBuilder::new(StringBuilder::new()).with_field(of.clone());
        for row in rows {
            each(row, &mut |text| values.values().append_value(text));
            values.append(true);
        }
        Arc::new(values.finish())
    })
}

/// A map from text to text; the getter gives each pair to its callback.
pub fn pairs<T: 'static>(name: &'static str, doc: &str, each: EachPair<T>) -> Column<T> {
    let fields: Fields =
        vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)].into();
    let entries = Arc::new(Field::new("key_value", DataType::Struct(fields.clone()), false));
    let of = entries.clone();
    column(name, "", doc, DataType::Map(entries, false), move |rows| {
        let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
        let mut lengths = Vec::with_capacity(rows.len());
        for row in rows {
            let mut length = 0;
            each(row, &mut |key, value| {
                keys.append_value(key);
                values.append_value(value);
                length += 1;
            });
            lengths.push(length);
        }
        let pairs = StructArray::new(fields.clone(), vec![Arc::new(keys.finish()), Arc::new(values.finish())], None);
        Arc::new(MapArray::new(of.clone(), OffsetBuffer::from_lengths(lengths), pairs, None, false))
    })
}

/// A list of structs, one for each item of a slice.
pub fn list<T: 'static, S: 'static>(
    name: &'static str,
    doc: &str,
    items: Vec<Column<S>>,
    get: fn(&T) -> &[S],
) -> Column<T> {
    let fields: Fields = items.iter().map(Column::field).collect::<Vec<_>>().into();
    let element = Arc::new(Field::new("element", DataType::Struct(fields.clone()), true));
    let of = element.clone();
    let names: Vec<String> = items
        .iter()
        .map(|item| if item.unit.is_empty() { item.name.to_owned() } else { format!("{} ({})", item.name, item.unit) })
        .collect();
    let doc = format!("{doc} Each: {}.", names.join(", "));
    column(name, "", doc, DataType::List(element), move |rows| {
        let inner: Vec<&S> = rows.iter().flat_map(|row| get(row)).collect();
        let arrays = items.iter().map(|item| (item.fill)(&inner)).collect();
        let structs = StructArray::new(fields.clone(), arrays, None);
        let lengths = OffsetBuffer::from_lengths(rows.iter().map(|row| get(row).len()));
        Arc::new(ListArray::new(of.clone(), lengths, Arc::new(structs), None))
    })
}

/// A struct that is null where the getter finds nothing.
pub fn group<T: 'static, S: Clone + 'static>(
    name: &'static str,
    doc: &str,
    items: Vec<Column<Option<S>>>,
    get: fn(&T) -> &Option<S>,
) -> Column<T> {
    let fields: Fields = items.iter().map(Column::field).collect::<Vec<_>>().into();
    let inner_fields = fields.clone();
    column(name, "", doc, DataType::Struct(fields), move |rows| {
        let inner: Vec<&Option<S>> = rows.iter().map(|row| get(row)).collect();
        let mut nulls = NullBufferBuilder::new(rows.len());
        inner.iter().for_each(|item| nulls.append(item.is_some()));
        let arrays = items.iter().map(|item| (item.fill)(&inner)).collect();
        Arc::new(StructArray::new(inner_fields.clone(), arrays, nulls.finish()))
    })
}
