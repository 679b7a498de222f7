//! Framing: which schema a payload was written with.
//!
//! Default is Avro single-object encoding (`C3 01`, the schema's CRC-64-AVRO fingerprint, the datum). The current schema
//! is decoded directly; an older one known to this release goes through `apache-avro`'s resolution; any other is
//! refused by its fingerprint: a newer writer is upgraded around, not guessed at.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;

use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;

use crate::wire::{Reader, Wire, WireError};

/// Marker that opens a single-object payload.
const MARKER: [u8; 2] = [0xc3, 0x01];

/// Why a payload could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Neither single-object encoding nor the framing that was configured.
    #[error("payload of {0} bytes does not begin with the Avro single-object marker C3 01")]
    NotAvro(usize),
    /// Written with a schema this release does not know.
    #[error(
        "{name} payload was written with schema {fingerprint}, which this release does not know; upgrade the reader"
    )]
    UnknownSchema {
        /// Record name this reader expected.
        name: &'static str,
        /// Fingerprint (or registry id) found.
        fingerprint: String,
    },
    /// The datum does not fit its schema.
    #[error("{name} payload is corrupt: {error}")]
    Corrupt {
        /// Record name.
        name: &'static str,
        /// What is wrong.
        error: WireError,
    },
    /// An older datum could not be brought to the current schema.
    #[error("{name} payload of an older schema cannot be read: {error}")]
    Unresolvable {
        /// Record name.
        name: &'static str,
        /// What `apache-avro` says.
        error: String,
    },
}

/// Encodes and decodes payloads of one type.
#[derive(Debug)]
pub struct Format<T> {
    header: [u8; 10],
    current: apache_avro::Schema,
    older: HashMap<[u8; 8], apache_avro::Schema>,
    of: PhantomData<fn() -> T>,
}

/// The Avro schema of a type, as JSON with documentation.
pub fn schema_json<T: Wire>() -> serde_json::Value {
    T::schema(&mut BTreeSet::new())
}

fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.split('<').next_back().and_then(|part| part.rsplit("::").next()).unwrap_or(name).trim_end_matches('>')
}

fn fingerprint(schema: &apache_avro::Schema) -> [u8; 8] {
    let digest = schema.fingerprint::<Rabin>().bytes;
    digest.try_into().expect("a Rabin fingerprint is eight bytes")
}

impl<T: Wire> Default for Format<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Wire> Format<T> {
    /// The current schema, and the older ones of this type that are still read.
    pub fn new() -> Self {
        Self::reading(&[])
    }

    /// As [`Format::new`], reading payloads of these older schemas as well.
    pub fn reading(older: &[&str]) -> Self {
        let current = apache_avro::Schema::parse(&schema_json::<T>()).expect("our own schemas are valid Avro");
        let older = older.iter().map(|text| {
            let schema = apache_avro::Schema::parse_str(text).expect("stored schemas are valid Avro");
            (fingerprint(&schema), schema)
        });
        let mut header = [0; 10];
        header[..2].copy_from_slice(&MARKER);
        header[2..].copy_from_slice(&fingerprint(&current));
        Format { header, older: older.collect(), current, of: PhantomData }
    }

    /// The current schema.
    pub fn schema(&self) -> &apache_avro::Schema {
        &self.current
    }

    /// Encodes a value, framing included.
    pub fn encode(&self, value: &T) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.encode_into(value, &mut out);
        out
    }

    /// Appends an encoded value, framing included.
    pub fn encode_into(&self, value: &T, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
        value.put(out);
    }

    /// Appends the framing alone, for writers that put the datum themselves.
    pub fn put_header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
    }

    /// Decodes a payload.
    pub fn decode(&self, payload: &[u8]) -> Result<T, CodecError> {
        let Some((header, datum)) = payload.split_first_chunk::<10>() else {
            return Err(CodecError::NotAvro(payload.len()));
        };
        if *header == self.header {
            return Self::read(datum);
        }
        if header[..2] != MARKER {
            return Err(CodecError::NotAvro(payload.len()));
        }
        let mut print = [0; 8];
        print.copy_from_slice(&header[2..]);
        let Some(writer) = self.older.get(&print) else {
            let fingerprint = print.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(CodecError::UnknownSchema { name: short_name::<T>(), fingerprint });
        };
        Self::read(&self.resolve(writer, datum)?)
    }

    fn read(datum: &[u8]) -> Result<T, CodecError> {
        let mut reader = Reader::new(datum);
        let value = T::get(&mut reader).and_then(|value| reader.finish().map(|()| value));
        value.map_err(|error| CodecError::Corrupt { name: short_name::<T>(), error })
    }

    fn resolve(&self, writer: &apache_avro::Schema, mut datum: &[u8]) -> Result<Vec<u8>, CodecError> {
        let resolved = GenericDatumReader::builder(writer).reader_schema(&self.current).build();
        resolved
            .and_then(|reader| reader.read_value(&mut datum))
            .and_then(|value| GenericDatumWriter::builder(&self.current).build()?.write_value_to_vec(value))
            .map_err(|error| CodecError::Unresolvable { name: short_name::<T>(), error: error.to_string() })
    }
}
