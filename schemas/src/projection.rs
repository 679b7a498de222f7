//! Reading some fields of a record and passing over the rest.
//!
//! A charge has over a hundred fields; those who add it up need a tenth of them. [`projection!`](crate::projection!) declares
//! which, and the compiler checks that the record has them, in this order and of these types.

use crate::wire::{Reader, Wire, WireError};

/// What is read of a record: all of it, or some of its fields.
pub trait Projection: Sized {
    /// The record as it was written.
    type Of: Wire;

    /// Reads one. What is passed over is measured, not looked at: text in it may be no text.
    ///
    /// # Errors
    /// As [`Wire::get`].
    fn read(from: &mut Reader<'_>) -> Result<Self, WireError>;
}

impl<T: Wire> Projection for T {
    type Of = T;

    #[inline]
    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        T::get(from)
    }
}

/// Passes over one value.
pub type Skip = fn(&mut Reader<'_>) -> Result<(), WireError>;

/// What [`record!`](crate::record) says of a record's fields, in wire order.
pub trait Fields: Wire {
    /// Names.
    const NAMES: &'static [&'static str];
    /// How each is passed over.
    const SKIPS: &'static [Skip];
}

/// Passes over fields.
///
/// # Errors
/// As [`Wire::get`].
pub fn skip(from: &mut Reader<'_>, fields: &[Skip]) -> Result<(), WireError> {
    fields.iter().try_for_each(|skip| skip(from))
}

/// Where a field stands; evaluated by the compiler, which stops where there is no such field.
pub const fn position(names: &[&str], name: &str) -> usize {
    let mut at = 0;
    while at < names.len() {
        if same(names[at].as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("the record has no such field");
}

/// True when each is larger than the one before; evaluated by the compiler.
pub const fn ascending(positions: &[usize]) -> bool {
    let mut at = 1;
    while at < positions.len() {
        if positions[at] <= positions[at - 1] {
            return false;
        }
        at += 1;
    }
    true
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// What a projection takes from a record that was not written yet.
///
/// # Errors
/// As [`Wire::get`].
pub fn project<P: Projection>(whole: &P::Of) -> Result<P, WireError> {
    let mut bytes = Vec::new();
    whole.put(&mut bytes);
    let mut reader = Reader::new(&bytes);
    let some = P::read(&mut reader)?;
    reader.finish().map(|()| some)
}

/// Declares which fields of a record are read: a struct of some of them, in the record's order, each whole or itself a
/// projection.
#[macro_export]
macro_rules! projection {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident of $whole:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident : $type:ty ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl $crate::projection::Projection for $name {
            type Of = $whole;

            fn read(from: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::WireError> {
                use $crate::projection::{Fields, Projection, ascending, position, skip};
                const _: fn(&$whole) = |whole| {
                    $( let _: &<$type as Projection>::Of = &whole.$field; )*
                };
                const NAMES: &[&str] = <$whole as Fields>::NAMES;
                const SKIPS: &[$crate::projection::Skip] = <$whole as Fields>::SKIPS;
                const _: () = assert!(ascending(&[$( position(NAMES, stringify!($field)) ),*]), "fields out of order");
                let mut next = 0;
                $(
                    let $field = {
                        const AT: usize = position(NAMES, stringify!($field));
                        skip(from, &SKIPS[next..AT])?;
                        next = AT + 1;
                        Projection::read(from)?
                    };
                )*
                skip(from, &SKIPS[next..])?;
                Ok($name { $($field),* })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Id128;
    use crate::{Charge, Costs, PriceContext, Text, UsageEvent, fixture};

    projection! {
        /// Fields at the beginning, in the middle and at the end.
        pub struct Parts of Charge {
            /// The first.
            pub charge_id: Id128,
            /// A projection itself.
            pub event: Call,
            /// After lists.
            pub costs: Costs,
        }
    }

    projection! {
        /// Fields of a record within a record.
        pub struct Call of UsageEvent {
            /// After an optional record.
            pub price_context: PriceContext,
            /// Before the last.
            pub tags: Vec<crate::Tag>,
        }
    }

    #[test]
    fn a_projection_has_what_the_whole_has() {
        for charge in fixture::charge_batch().items {
            let some: Parts = project(&charge).unwrap();
            assert_eq!(some.charge_id, charge.charge_id);
            assert_eq!(some.event.price_context, charge.event.price_context);
            assert_eq!(some.event.tags, charge.event.tags);
            assert_eq!(some.costs, charge.costs);
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_an_error() {
        for charge in fixture::charge_batch().items {
            let mut bytes = Vec::new();
            charge.put(&mut bytes);
            for length in 0..bytes.len() {
                assert!(Parts::read(&mut Reader::new(&bytes[..length])).is_err(), "{length} of {} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn what_is_skipped_is_what_is_read() {
        fn check<T: Wire>(bytes: &[u8]) {
            let (mut read, mut passed) = (Reader::new(bytes), Reader::new(bytes));
            T::get(&mut read).unwrap();
            T::skip(&mut passed).unwrap();
            assert_eq!(read.position(), passed.position());
        }
        for item in fixture::event_batch().items {
            let mut bytes = Vec::new();
            item.put(&mut bytes);
            check::<crate::EventItem>(&bytes);
        }
        // An array whose block states its size in bytes: it is passed over at once.
        let mut sized = Vec::new();
        crate::wire::put_long(&mut sized, -2);
        crate::wire::put_long(&mut sized, 4);
        sized.extend_from_slice(&[2, b'a', 2, b'b', 0]);
        check::<Vec<Text>>(&sized);
    }
}
