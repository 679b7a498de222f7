//! A column of a chunk while it waits: of what repeats, and of digits that are all zeros, there is little to keep.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, ListArray, NullBufferBuilder, StringArray, StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Fields};
use arrow::error::ArrowError;

/// Texts of which there are no more in a chunk are kept once.
const FEW: usize = 128;

/// A column that has a value in some row.
#[derive(Debug)]
pub(crate) enum Packed {
    /// As it came.
    Whole(ArrayRef),
    /// For each row which of a few texts it has; null is one of them.
    Few { which: Vec<u8>, texts: StringArray },
    /// Decimals that fit into 64 bits.
    Narrow { values: Vec<i64>, nulls: Option<NullBuffer> },
    /// Lists, none of them null, and all of their items.
    Lists { offsets: OffsetBuffer<i32>, items: Option<Box<Packed>> },
    /// Structs, none of them null; a field that is null in all of them is `None`.
    Structs { rows: usize, fields: Vec<Option<Packed>> },
}

impl Packed {
    /// `None` where every row is null.
    pub(crate) fn new(mut array: ArrayRef) -> Option<Self> {
        if array.null_count() == array.len() {
            return None;
        }
        let packed = match array.data_type() {
            DataType::Utf8 => few(array.as_string()),
            DataType::Decimal128(_, _) => narrow(array.as_primitive()),
            DataType::List(_) => lists(array.as_list()),
            DataType::Struct(_) => structs(array.as_struct()),
            _ => None,
        };
        Some(packed.unwrap_or_else(|| {
            array.shrink_to_fit();
            Packed::Whole(array)
        }))
    }

    fn rows(&self) -> usize {
        match self {
            Packed::Whole(array) => array.len(),
            Packed::Few { which, .. } => which.len(),
            Packed::Narrow { values, .. } => values.len(),
            Packed::Lists { offsets, .. } => offsets.len() - 1,
            Packed::Structs { rows, .. } => *rows,
        }
    }

    /// What structs have of one of their fields.
    fn field(&self, index: usize) -> Option<&Packed> {
        match self {
            Packed::Structs { fields, .. } => fields.get(index)?.as_ref(),
            _ => None,
        }
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Packed::Whole(array) => array.get_array_memory_size(),
            Packed::Few { which, texts } => which.capacity() + texts.get_array_memory_size(),
            Packed::Narrow { values, nulls } => {
                size_of_val(&values[..]) + nulls.as_ref().map_or(0, |nulls| nulls.buffer().capacity())
            }
            Packed::Lists { offsets, items } => {
                size_of_val(&offsets[..]) + items.as_ref().map_or(0, |items| items.bytes())
            }
            Packed::Structs { fields, .. } => fields.iter().flatten().map(Packed::bytes).sum(),
        }
    }

    /// All of it, as an array of this type.
    pub(crate) fn whole(&self, of: &DataType) -> Result<ArrayRef, ArrowError> {
        if let Packed::Whole(array) = self {
            return Ok(array.clone());
        }
        let all: Vec<_> = (0..self.rows()).map(|row| (0, row)).collect();
        gather(of, &[Some(self)], &all)
    }
}

/// Rows in any order, each named by a part of the column and its place in it; a part that is `None` is null in every row.
pub(crate) fn gather(
    of: &DataType,
    parts: &[Option<&Packed>],
    places: &[(usize, usize)],
) -> Result<ArrayRef, ArrowError> {
    match of {
        DataType::Utf8 => Ok(Arc::new(gather_texts(parts, places)?)),
        DataType::Decimal128(_, _) => Ok(Arc::new(gather_decimals(parts, places).with_data_type(of.clone()))),
        DataType::List(item) if parts.iter().flatten().all(|part| matches!(part, Packed::Lists { .. })) => {
            Ok(Arc::new(gather_lists(item, parts, places)?))
        }
        DataType::Struct(fields) if parts.iter().flatten().all(|part| matches!(part, Packed::Structs { .. })) => {
            Ok(Arc::new(gather_structs(fields, parts, places)?))
        }
        _ => gather_whole(of, parts, places),
    }
}

/// Of each leaf of a column, in the order of Parquet, whether it is text that repeats, as far as its parts tell.
pub(crate) fn repeats(of: &DataType, parts: &[Option<&Packed>]) -> Vec<bool> {
    match of {
        DataType::Utf8 => vec![parts.iter().flatten().all(|part| matches!(part, Packed::Few { .. }))],
        DataType::List(item) => {
            let items = parts.iter().map(|part| match part {
                Some(Packed::Lists { items, .. }) => items.as_deref(),
                _ => None,
            });
            repeats(item.data_type(), &items.collect::<Vec<_>>())
        }
        DataType::Struct(fields) => {
            let leaves = |(index, field): (usize, &FieldRef)| {
                repeats(
                    field.data_type(),
                    &parts.iter().map(|part| part.and_then(|part| part.field(index))).collect::<Vec<_>>(),
                )
            };
            fields.iter().enumerate().flat_map(leaves).collect()
        }
        // Keys and values of labels.
        DataType::Map(_, _) => vec![true; 2],
        _ => vec![false],
    }
}

fn gather_texts(parts: &[Option<&Packed>], places: &[(usize, usize)]) -> Result<StringArray, ArrowError> {
    /// Where the texts of a part are.
    enum Texts<'a> {
        Each(&'a StringArray),
        Few(&'a [u8], &'a StringArray),
        None,
    }
    let texts: Vec<Texts<'_>> = parts
        .iter()
        .map(|part| match part {
            Some(Packed::Whole(array)) => Texts::Each(array.as_string()),
            Some(Packed::Few { which, texts }) => Texts::Few(which, texts),
            _ => Texts::None,
        })
        .collect();
    let mut bytes = Vec::with_capacity(places.len() * 16);
    let mut offsets = Vec::with_capacity(places.len() + 1);
    let mut nulls = NullBufferBuilder::new(places.len());
    offsets.push(0);
    for (part, row) in places {
        let (array, row) = match &texts[*part] {
            Texts::Each(array) => (*array, *row),
            Texts::Few(which, array) => (*array, usize::from(which[*row])),
            Texts::None => {
                nulls.append_null();
                offsets.push(bytes.len() as i32);
                continue;
            }
        };
        // A null takes no bytes.
        bytes.extend_from_slice(array.value(row).as_bytes());
        nulls.append(array.is_valid(row));
        offsets.push(i32::try_from(bytes.len()).map_err(|_| ArrowError::OffsetOverflowError(bytes.len()))?);
    }
    // SAFETY: every offset is an end of one of the texts, which are put one after the other.
    Ok(unsafe {
        let offsets = OffsetBuffer::new_unchecked(offsets.into());
        StringArray::new_unchecked(offsets, bytes.into(), nulls.finish())
    })
}

fn gather_decimals(parts: &[Option<&Packed>], places: &[(usize, usize)]) -> Decimal128Array {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Some(Packed::Whole(array)) => (None, Some(array.as_primitive::<Decimal128Type>())),
            Some(Packed::Narrow { values, nulls }) => (Some((values, nulls.as_ref())), None),
            _ => (None, None),
        })
        .collect();
    let mut nulls = NullBufferBuilder::new(places.len());
    let mut values: Vec<i128> = Vec::with_capacity(places.len());
    for (part, row) in places {
        let (value, valid) = match parts[*part] {
            (Some((values, nulls)), _) => (values[*row].into(), nulls.is_none_or(|nulls| nulls.is_valid(*row))),
            (None, Some(array)) => (array.value(*row), array.is_valid(*row)),
            (None, None) => (0, false),
        };
        values.push(value);
        nulls.append(valid);
    }
    Decimal128Array::new(values.into(), nulls.finish())
}

fn gather_lists(
    item: &FieldRef,
    parts: &[Option<&Packed>],
    places: &[(usize, usize)],
) -> Result<ListArray, ArrowError> {
    let (offsets, items): (Vec<_>, Vec<_>) = parts
        .iter()
        .map(|part| match part {
            Some(Packed::Lists { offsets, items }) => (Some(offsets), items.as_deref()),
            _ => (None, None),
        })
        .unzip();
    let of = |part: usize, row: usize| -> Range<usize> {
        offsets[part].map_or(0..0, |offsets| offsets[row] as usize..offsets[row + 1] as usize)
    };
    let lengths = OffsetBuffer::from_lengths(places.iter().map(|(part, row)| of(*part, *row).len()));
    let inner: Vec<_> = places.iter().flat_map(|(part, row)| of(*part, *row).map(|item| (*part, item))).collect();
    let mut nulls = NullBufferBuilder::new(places.len());
    places.iter().for_each(|(part, _)| nulls.append(offsets[*part].is_some()));
    let values = gather(item.data_type(), &items, &inner)?;
    ListArray::try_new(item.clone(), lengths, values, nulls.finish())
}

fn gather_structs(
    fields: &Fields,
    parts: &[Option<&Packed>],
    places: &[(usize, usize)],
) -> Result<StructArray, ArrowError> {
    let field = |index: usize| {
        let parts = parts.iter().map(|part| part.and_then(|part| part.field(index)));
        gather(fields[index].data_type(), &parts.collect::<Vec<_>>(), places)
    };
    let columns = (0..fields.len()).map(field).collect::<Result<Vec<_>, _>>()?;
    let mut nulls = NullBufferBuilder::new(places.len());
    places.iter().for_each(|(part, _)| nulls.append(parts[*part].is_some()));
    StructArray::try_new_with_length(fields.clone(), columns, nulls.finish(), places.len())
}

/// Rows of parts of which some may be packed and others not.
fn gather_whole(of: &DataType, parts: &[Option<&Packed>], places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    let missing = places.iter().filter(|(part, _)| parts[*part].is_none()).map(|(_, row)| row + 1).max();
    let nulls = new_null_array(of, missing.unwrap_or_default());
    let arrays = parts.iter().map(|part| match part {
        None => Ok(nulls.clone()),
        Some(Packed::Whole(array)) => Ok(array.clone()),
        Some(packed) => packed.whole(of),
    });
    let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
    interleave(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>(), places)
}

/// Texts of which there are few.
fn few(array: &StringArray) -> Option<Packed> {
    /// Twice as many as texts, so that two rarely meet.
    const SLOTS: usize = 2 * FEW;
    let text = |row: usize| array.value(row).as_bytes();
    // For each slot the number of its text, counted from one; for each text the first row that has it.
    let (mut slots, mut firsts) = ([0u8; SLOTS], Vec::with_capacity(FEW));
    let mut which = Vec::with_capacity(array.len());
    let (mut null, mut last) = (None, None);
    for row in 0..array.len() {
        let same = |first: usize| array.is_valid(first) && text(first) == text(row);
        let number = if array.is_null(row) {
            *null.get_or_insert_with(|| {
                firsts.push(row);
                firsts.len() - 1
            })
        } else if let Some(number) = last.filter(|number: &usize| same(firsts[*number])) {
            number
        } else {
            let mut slot = spread(text(row)) % SLOTS;
            loop {
                match usize::from(slots[slot]) {
                    0 => {
                        firsts.push(row);
                        slots[slot] = firsts.len() as u8;
                        break firsts.len() - 1;
                    }
                    number if same(firsts[number - 1]) => break number - 1,
                    _ => slot = (slot + 1) % SLOTS,
                }
            }
        };
        if firsts.len() > FEW {
            return None;
        }
        last = Some(number);
        which.push(number as u8);
    }
    let mut texts: StringArray = firsts.iter().map(|row| array.is_valid(*row).then(|| array.value(*row))).collect();
    texts.shrink_to_fit();
    Some(Packed::Few { which, texts })
}

/// A number that texts which differ rarely share.
fn spread(text: &[u8]) -> usize {
    let eight = |part: &[u8]| {
        let mut bytes = [0; 8];
        bytes[..part.len()].copy_from_slice(part);
        u64::from_le_bytes(bytes)
    };
    let (head, tail) = (&text[..text.len().min(8)], &text[text.len().saturating_sub(8)..]);
    let mixed = (eight(head) ^ eight(tail).rotate_left(29) ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

/// Decimals that fit into 64 bits.
fn narrow(array: &Decimal128Array) -> Option<Packed> {
    let values = array.values();
    let fit = values.iter().all(|value| i64::try_from(*value).is_ok());
    fit.then(|| Packed::Narrow {
        values: values.iter().map(|value| *value as i64).collect(),
        nulls: array.nulls().cloned(),
    })
}

/// Lists without a null among them.
fn lists(array: &ListArray) -> Option<Packed> {
    (array.null_count() == 0).then(|| Packed::Lists {
        offsets: array.offsets().clone(),
        items: Packed::new(array.values().clone()).map(Box::new),
    })
}

/// Structs without a null among them.
fn structs(array: &StructArray) -> Option<Packed> {
    let fields = || array.columns().iter().map(|column| Packed::new(column.clone())).collect();
    (array.null_count() == 0).then(|| Packed::Structs { rows: array.len(), fields: fields() })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use parquet::arrow::ArrowSchemaConverter;
    use schemas::{Charge, Money, Text, fixture};

    use super::*;
    use crate::column::Column;
    use crate::rows::{Charges, Origin, Row, all_columns};

    fn rows(charges: impl Iterator<Item = Charge>) -> Vec<Row<Box<Charge>>> {
        let row = |(item, charge)| Row {
            item: Box::new(charge),
            origin: Origin { partition: 3, offset: i64::from(item) * 7, item, source: None },
        };
        (0..).zip(charges).map(row).collect()
    }

    /// Rows of all parts in an order of their own, some twice.
    fn places(lengths: &[usize]) -> Vec<(usize, usize)> {
        let all: Vec<_> =
            lengths.iter().enumerate().flat_map(|(part, rows)| (0..*rows).map(move |row| (part, row))).collect();
        (0..all.len() * 5 / 4).map(|number| all[number * 7919 % all.len()]).collect()
    }

    /// What is gathered of packed parts must be what is gathered of whole ones; says how much of
    /// their memory they take, in percent.
    fn check(of: &DataType, parts: &[ArrayRef]) -> usize {
        let packed: Vec<_> = parts.iter().map(|part| Packed::new(part.clone())).collect();
        let places = places(&parts.iter().map(Array::len).collect::<Vec<_>>());
        let gathered = gather(of, &packed.iter().map(Option::as_ref).collect::<Vec<_>>(), &places).unwrap();
        let whole = interleave(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &places).unwrap();
        assert_eq!(&gathered, &whole, "{of}");
        let field = Schema::new(vec![Field::new("it", of.clone(), true)]);
        let leaves = ArrowSchemaConverter::new().convert(&field).unwrap().num_columns();
        assert_eq!(repeats(of, &packed.iter().map(Option::as_ref).collect::<Vec<_>>()).len(), leaves, "{of}");
        for (packed, part) in packed.iter().zip(parts) {
            assert_eq!(packed.is_none(), part.null_count() == part.len(), "{of}");
            if let Some(packed) = packed {
                assert_eq!(&packed.whole(of).unwrap(), part, "{of}");
            }
        }
        let bytes: usize = packed.iter().flatten().map(Packed::bytes).sum();
        bytes * 100 / parts.iter().map(|part| part.get_array_memory_size()).sum::<usize>()
    }

    #[test]
    fn every_column_of_charges_comes_out_as_it_went_in() {
        let everyday = |number| {
            let mut charge = fixture::everyday_charge(number);
            if number % 3 == 0 {
                (charge.owner.team, charge.event.event_id) = (None, None);
                charge.costs.list = None;
            }
            if number % 400 == 5 {
                charge.costs.effective = Some(Money::from_picos(i128::from(i64::MAX) * 1_000).unwrap());
                charge.lines.clear();
            }
            charge
        };
        let other = |number: u64| {
            let mut charge = fixture::charge();
            charge.owner.project = Some(Text::from(format!("a project with a longer name {number}")));
            charge
        };
        let parts = [rows((0..700).map(everyday)), rows((0..300).map(other)), rows((700..900).map(everyday))];
        let columns: Vec<Column<Row<Box<Charge>>>> = all_columns::<Charges>();
        let mut shares = std::collections::BTreeMap::new();
        for column in &columns {
            let parts = parts.iter().map(|rows| column.filled(&rows.iter().collect::<Vec<_>>()));
            shares.insert(column.name, check(&column.data_type, &parts.collect::<Vec<_>>()));
        }
        for (name, most) in [("team", 50), ("currency", 30), ("list_cost", 60), ("lines", 50), ("call_key", 100)] {
            assert!(shares[name] <= most, "{name} takes {} %", shares[name]);
        }
    }

    #[test]
    fn texts_are_kept_once_as_long_as_there_are_few() {
        let of = |texts: usize, rows: usize| {
            let text = |row: usize| match row * 31 % texts {
                0 => None,
                1 => Some(String::new()),
                number => Some("x".repeat(number % 20) + &number.to_string() + &"y".repeat(number % 30)),
            };
            Arc::new((0..rows).map(text).collect::<StringArray>()) as ArrayRef
        };
        for (texts, is_few) in [(2, true), (50, true), (FEW, true), (FEW + 1, false), (600, false)] {
            let array = of(texts, 1_024);
            let packed = Packed::new(array.clone()).unwrap();
            assert_eq!(matches!(packed, Packed::Few { .. }), is_few, "{texts} texts");
            check(&DataType::Utf8, &[array, of(7, 30), new_null_array(&DataType::Utf8, 9)]);
        }
    }
}
