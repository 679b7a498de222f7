//! Avro binary encoding of our own records, with the schema derived from the Rust types.
//!
//! One declaration gives the struct, its documentation, its Avro schema and its codec, so the four cannot drift apart.
//! Only the *current* schema is decoded here, field by field without an intermediate value; anything older goes through
//! `apache-avro`'s schema resolution first (see [`crate::codec`]). `DESIGN.md` says why this is not serde.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::Text;

/// Why a payload could not be decoded. Positions are byte offsets into the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The payload ends inside a value.
    #[error("payload ends at byte {0}, inside a value")]
    Truncated(usize),
    /// A value is outside what its type can hold.
    #[error("byte {at}: {what}")]
    Invalid {
        /// Byte offset of the value.
        at: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Bytes were left over after the record.
    #[error("{0} bytes follow the record")]
    Trailing(usize),
}

/// A read position in a payload.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader::starting_at(bytes, 0)
    }

    /// Starts at a byte.
    pub fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at: at.min(bytes.len()) }
    }

    /// The next byte to read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Ends the read; every byte must have been used.
    pub fn finish(self) -> Result<(), WireError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            rest => Err(WireError::Trailing(rest)),
        }
    }

    /// An error at the current position.
    pub fn invalid(&self, what: &'static str) -> WireError {
        WireError::Invalid { at: self.at, what }
    }

    /// Takes `n` raw bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(WireError::Truncated(self.bytes.len()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A zig-zag variable-length integer.
    #[inline]
    pub fn long(&mut self) -> Result<i64, WireError> {
        let first = *self.bytes.get(self.at).ok_or(WireError::Truncated(self.at))?;
        if first < 0x80 {
            self.at += 1;
            let raw = u64::from(first);
            return Ok((raw >> 1) as i64 ^ -((raw & 1) as i64));
        }
        self.long_of_many()
    }

    fn long_of_many(&mut self) -> Result<i64, WireError> {
        const BYTES_MAX: usize = 10;
        let rest = self.rest();
        let mut raw = 0u64;
        for (place, byte) in rest.iter().take(BYTES_MAX).enumerate() {
            raw |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.at += place + 1;
                return Ok((raw >> 1) as i64 ^ -((raw & 1) as i64));
            }
        }
        if rest.len() < BYTES_MAX {
            return Err(WireError::Truncated(self.bytes.len()));
        }
        Err(self.invalid("integer longer than 64 bits"))
    }

    /// Passes over the branch of a null, if that is what comes next.
    #[inline]
    fn null(&mut self) -> bool {
        let null = self.bytes.get(self.at) == Some(&0);
        self.at += usize::from(null);
        null
    }

    /// A length, checked against what is left so that a corrupt one cannot make us allocate.
    #[inline]
    pub fn length(&mut self) -> Result<usize, WireError> {
        let length = usize::try_from(self.long()?).map_err(|_| self.invalid("negative length"))?;
        if length > self.bytes.len() - self.at {
            return Err(WireError::Truncated(self.bytes.len()));
        }
        Ok(length)
    }

    /// Passes over length-prefixed bytes.
    #[inline]
    pub fn skip_bytes(&mut self) -> Result<(), WireError> {
        let length = self.length()?;
        self.take(length).map(drop)
    }

    /// The number of items in the next block of an array; 0 at its end.
    #[inline]
    pub fn block(&mut self) -> Result<usize, WireError> {
        let mut count = self.long()?;
        if count < 0 {
            // A writer may state the block's size in bytes so that readers can skip it; we never skip.
            count = count.checked_neg().ok_or_else(|| self.invalid("array block too long"))?;
            self.long()?;
        }
        // Every item takes at least a byte, so a count beyond what is left is corrupt, not large.
        let count = usize::try_from(count).map_err(|_| self.invalid("array block too long"))?;
        if count > self.bytes.len() - self.at {
            return Err(WireError::Truncated(self.bytes.len()));
        }
        Ok(count)
    }

    /// Length-prefixed UTF-8 text.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.invalid("text is not UTF-8"))
    }
}

/// Appends a zig-zag variable-length integer.
#[inline]
pub fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Appends length-prefixed bytes.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// A type with an Avro schema and a binary encoding.
pub trait Wire: Sized + 'static {
    /// The schema as JSON. A named type is written out once and by name afterwards, as Avro requires.
    fn schema(named: &mut BTreeSet<&'static str>) -> Value;
    /// Appends the encoded value.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads one value.
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError>;
    /// Passes over one value, without looking at more of it than its length.
    fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
        Self::get(from).map(drop)
    }
    /// What a reader takes when the writer's schema had no such field; `None` makes the field mandatory for ever.
    fn schema_default() -> Option<Value> {
        None
    }
}

impl Wire for bool {
    fn schema(_: &mut BTreeSet<&'static str>) -> Value {
        json!("boolean")
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        match from.take(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(from.invalid("boolean is neither 0 nor 1")),
        }
    }
    fn schema_default() -> Option<Value> {
        Some(json!(false))
    }
}

macro_rules! integer {
    ($type:ty, $avro:literal) => {
        impl Wire for $type {
            fn schema(_: &mut BTreeSet<&'static str>) -> Value {
                json!($avro)
            }
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                put_long(out, i64::from(*self));
            }
            #[inline]
            fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
                <$type>::try_from(from.long()?).map_err(|_| from.invalid("integer out of range"))
            }
            fn schema_default() -> Option<Value> {
                Some(json!(0))
            }
        }
    };
}
integer!(i32, "int");
integer!(u32, "long");
integer!(i64, "long");

impl Wire for u64 {
    fn schema(_: &mut BTreeSet<&'static str>) -> Value {
        json!("long")
    }
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_long(out, *self as i64);
    }
    #[inline]
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(from.long()? as u64)
    }
    fn schema_default() -> Option<Value> {
        Some(json!(0))
    }
}

impl Wire for Text {
    fn schema(_: &mut BTreeSet<&'static str>) -> Value {
        json!("string")
    }
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.as_bytes());
    }
    #[inline]
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Text::from(from.text()?))
    }
    #[inline]
    fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
        from.skip_bytes()
    }
    fn schema_default() -> Option<Value> {
        Some(json!(""))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn schema(named: &mut BTreeSet<&'static str>) -> Value {
        json!(["null", T::schema(named)])
    }
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(2);
                value.put(out);
            }
        }
    }
    #[inline]
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        // Of a hundred fields nearly all are null: those are read in place, without a call.
        if from.null() { Ok(None) } else { get_some(from) }
    }
    #[inline]
    fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
        match from.long()? {
            0 => Ok(()),
            1 => T::skip(from),
            _ => Err(from.invalid("union branch out of range")),
        }
    }
    fn schema_default() -> Option<Value> {
        Some(Value::Null)
    }
}

#[inline(never)]
fn get_some<T: Wire>(from: &mut Reader<'_>) -> Result<Option<T>, WireError> {
    match from.long()? {
        0 => Ok(None),
        1 => T::get(from).map(Some),
        _ => Err(from.invalid("union branch out of range")),
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn schema(named: &mut BTreeSet<&'static str>) -> Value {
        json!({"type": "array", "items": T::schema(named)})
    }
    fn put(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            put_long(out, self.len() as i64);
            self.iter().for_each(|item| item.put(out));
        }
        out.push(0);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut items = Vec::new();
        loop {
            let count = from.block()?;
            if count == 0 {
                return Ok(items);
            }
            items.reserve(count);
            for _ in 0..count {
                items.push(T::get(from)?);
            }
        }
    }
    fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
        loop {
            match from.long()? {
                0 => return Ok(()),
                // Its size in bytes is stated.
                ..0 => from.skip_bytes()?,
                // Not checked against what is left: whatever an item is, it cannot be passed over beyond the end.
                count => (0..count).try_for_each(|_| T::skip(from))?,
            }
        }
    }
    fn schema_default() -> Option<Value> {
        Some(json!([]))
    }
}

impl<T: Wire> Wire for Box<T> {
    fn schema(named: &mut BTreeSet<&'static str>) -> Value {
        T::schema(named)
    }
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        T::get(from).map(Box::new)
    }
    fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
        T::skip(from)
    }
    fn schema_default() -> Option<Value> {
        T::schema_default()
    }
}

/// A 128-bit value, such as a keyed hash. Avro `fixed(16)`; lower-case hexadecimal in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id128(pub [u8; 16]);

impl std::fmt::Display for Id128 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Id128 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Id128 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Id128 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl std::str::FromStr for Id128 {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match u128::from_str_radix(text, 16) {
            Ok(value) if text.len() == 32 => Ok(Id128(value.to_be_bytes())),
            _ => Err(format!("{text:?} is not 32 hexadecimal digits")),
        }
    }
}

impl Wire for Id128 {
    fn schema(named: &mut BTreeSet<&'static str>) -> Value {
        if named.insert("Id128") { json!({"type": "fixed", "name": "Id128", "size": 16}) } else { json!("Id128") }
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut id = [0; 16];
        id.copy_from_slice(from.take(16)?);
        Ok(Id128(id))
    }
    fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
        from.take(16).map(drop)
    }
    fn schema_default() -> Option<Value> {
        Some(json!("\u{0}".repeat(16)))
    }
}

/// Declares a record: struct, documentation, Avro schema and codec in one place.
///
/// Field order is the wire order. A field may be appended when its type has a default
/// ([`Wire::schema_default`]); it is never renamed, reordered or removed.
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),*)])?
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident : $type:ty ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize $($(, $derive)*)?)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl $name {
            /// Appends the encoded value, as `Wire::put` does. `instead` is asked before each field, and has appended it
            /// itself where it says so.
            #[inline]
            pub fn put_with(&self, out: &mut Vec<u8>, mut instead: impl FnMut(&'static str, &mut Vec<u8>) -> bool) {
                $(
                    if !instead(stringify!($field), out) {
                        $crate::wire::Wire::put(&self.$field, out);
                    }
                )*
            }
        }

        impl $crate::wire::Wire for $name {
            fn schema(named: &mut std::collections::BTreeSet<&'static str>) -> serde_json::Value {
                if !named.insert(stringify!($name)) {
                    return serde_json::json!(stringify!($name));
                }
                let fields = vec![$( $crate::wire::field(
                    stringify!($field),
                    concat!($($field_doc),*),
                    <$type as $crate::wire::Wire>::schema(named),
                    <$type as $crate::wire::Wire>::schema_default(),
                ) ),*];
                serde_json::json!({
                    "type": "record",
                    "name": stringify!($name),
                    "namespace": "spendstream",
                    "doc": concat!($($doc),*).trim(),
                    "fields": fields,
                })
            }
            fn put(&self, out: &mut Vec<u8>) {
                $( $crate::wire::Wire::put(&self.$field, out); )*
            }
            fn get(from: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::WireError> {
                Ok($name { $( $field: $crate::wire::Wire::get(from)?, )* })
            }
            fn skip(from: &mut $crate::wire::Reader<'_>) -> Result<(), $crate::wire::WireError> {
                $( <$type as $crate::wire::Wire>::skip(from)?; )*
                Ok(())
            }
        }

        impl $crate::projection::Fields for $name {
            const NAMES: &'static [&'static str] = &[$( stringify!($field) ),*];
            const SKIPS: &'static [$crate::projection::Skip] = &[$( <$type as $crate::wire::Wire>::skip ),*];
        }
    };
}

/// Declares a closed set of symbols: enum, documentation, Avro enum and text form (`snake_case`, the same everywhere).
#[macro_export]
macro_rules! symbols {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            $( $(#[doc = $symbol_doc:literal])* $symbol:ident = $text:literal ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $symbol_doc])* #[serde(rename = $text)] $symbol ),*
        }

        impl $name {
            /// Every symbol, in wire order. Symbols are appended, never reordered.
            pub const ALL: &[$name] = &[$($name::$symbol),*];

            /// The name people and files see.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$symbol => $text),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok($name::$symbol),)*
                    _ => Err(format!(concat!("{:?} is not a ", stringify!($name), "; known: {}"), text,
                        $name::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", "))),
                }
            }
        }

        impl $crate::wire::Wire for $name {
            fn schema(named: &mut std::collections::BTreeSet<&'static str>) -> serde_json::Value {
                if !named.insert(stringify!($name)) {
                    return serde_json::json!(stringify!($name));
                }
                serde_json::json!({
                    "type": "enum",
                    "name": stringify!($name),
                    "namespace": "spendstream",
                    "doc": concat!($($doc),*).trim(),
                    "symbols": [$($text),*],
                })
            }
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                $crate::wire::put_long(out, *self as i64);
            }
            #[inline]
            fn get(from: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::WireError> {
                usize::try_from(from.long()?).ok().and_then(|index| $name::ALL.get(index)).copied()
                    .ok_or_else(|| from.invalid(concat!("unknown symbol of ", stringify!($name))))
            }
        }
    };
}

/// Gives an enum of one-field variants the encoding of an Avro union, branches in the order given.
#[macro_export]
macro_rules! wire_union {
    ($name:ident { $($variant:ident($type:ty)),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn schema(named: &mut std::collections::BTreeSet<&'static str>) -> serde_json::Value {
                serde_json::Value::Array(vec![$(<$type as $crate::wire::Wire>::schema(named)),*])
            }
            fn put(&self, out: &mut Vec<u8>) {
                let mut branch = 0i64;
                $(
                    if let $name::$variant(value) = self {
                        $crate::wire::put_long(out, branch);
                        $crate::wire::Wire::put(value, out);
                    }
                    branch += 1;
                )*
                let _ = branch;
            }
            fn get(from: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::WireError> {
                let branch = from.long()?;
                let mut this = 0i64;
                $(
                    if branch == this {
                        return <$type as $crate::wire::Wire>::get(from).map($name::$variant);
                    }
                    this += 1;
                )*
                let _ = this;
                Err(from.invalid("union branch out of range"))
            }
            fn skip(from: &mut $crate::wire::Reader<'_>) -> Result<(), $crate::wire::WireError> {
                let branch = from.long()?;
                let skips: &[$crate::projection::Skip] = &[$( <$type as $crate::wire::Wire>::skip ),*];
                let skip = usize::try_from(branch).ok().and_then(|branch| skips.get(branch));
                skip.ok_or_else(|| from.invalid("union branch out of range"))?(from)
            }
        }
    };
}

/// One field of a record schema.
pub fn field(name: &str, doc: &str, schema: Value, default: Option<Value>) -> Value {
    let mut field = json!({"name": name, "doc": doc.trim(), "type": schema});
    if let Some(default) = default {
        field["default"] = default;
    }
    field
}
