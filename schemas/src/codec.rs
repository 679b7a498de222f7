//! Framing: which schema a payload was written with.
//!
//! Default is Avro single-object encoding (`C3 01`, the schema's CRC-64-AVRO fingerprint, the datum). The current schema
//! is decoded directly; an older one known to this release goes through `apache-avro`'s resolution; any other is
//! refused by its fingerprint: a newer writer is upgraded around, not guessed at.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;

use crate::projection::Projection;
use crate::registry::Registry;
use crate::wire::{Reader, Wire, WireError};
use crate::{Batch, BatchItem, Lineage};

/// Marker that opens a single-object payload.
const MARKER: [u8; 2] = [0xc3, 0x01];

/// Marker that opens a payload framed for a Confluent schema registry.
const REGISTRY_MARKER: u8 = 0;

/// Why a payload could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Neither single-object encoding nor the framing that was configured.
    #[error("payload of {0} bytes does not begin with the Avro single-object marker C3 01")]
    NotAvro(usize),
    /// Framed for a schema registry, and none was named.
    #[error("payload carries id {0} of a schema registry: name the registry with --schema-registry URL")]
    NoRegistry(u32),
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
    current: Arc<Current>,
    older: HashMap<[u8; 8], apache_avro::Schema>,
    /// Registry and the id of the current schema in it, where payloads are framed that way.
    registered: Option<(Arc<Registry>, u32)>,
    of: PhantomData<fn() -> T>,
}

/// What the current schema of a type comes to.
#[derive(Debug)]
struct Current {
    /// Single-object header: marker and fingerprint.
    header: [u8; 10],
    /// The schema as [`without_logical_types`], to resolve older payloads to.
    plain: apache_avro::Schema,
}

/// Made once a type: parsing takes milliseconds, and every partition of every stage has several formats.
static CURRENT: LazyLock<Mutex<HashMap<TypeId, Arc<Current>>>> = LazyLock::new(Mutex::default);

impl Current {
    fn of<T: Wire>() -> Arc<Current> {
        let mut known = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(Current::parse(schema_json::<T>()))).clone()
    }

    fn parse(json: serde_json::Value) -> Current {
        let plain = without_logical_types(json).expect("our own schemas are valid Avro");
        let mut header = [0; 10];
        header[..2].copy_from_slice(&MARKER);
        header[2..].copy_from_slice(&fingerprint(&plain));
        Current { header, plain }
    }

    fn fingerprint(&self) -> [u8; 8] {
        let [_, _, fingerprint @ ..] = self.header;
        fingerprint
    }
}

/// The Avro schema of a type, as JSON with documentation.
pub fn schema_json<T: Wire>() -> serde_json::Value {
    T::schema(&mut BTreeSet::new())
}

fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.split('<').next_back().and_then(|part| part.rsplit("::").next()).unwrap_or(name).trim_end_matches('>')
}

/// A schema with every logical type reduced to the primitive beneath it; the bytes are the same.
///
/// Fingerprints are taken of this form because Avro's canonical form has no logical types, while `apache-avro` 0.22
/// leaves them as `{"type":"bytes"}`. Resolution uses it because that crate refuses decimals shorter than their
/// precision could need ("Precision 38 too small to hold decimal values with 5 bytes"), though Avro allows them.
pub(crate) fn without_logical_types(mut json: serde_json::Value) -> Result<apache_avro::Schema, apache_avro::Error> {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
            serde_json::Value::Object(object) if object.contains_key("logicalType") => {
                if let Some(primitive) = object.remove("type") {
                    *value = primitive;
                }
            }
            serde_json::Value::Object(object) => object.values_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut json);
    apache_avro::Schema::parse(&json)
}

pub(crate) fn fingerprint(schema: &apache_avro::Schema) -> [u8; 8] {
    let digest = schema.fingerprint::<Rabin>().bytes;
    digest.try_into().expect("a Rabin fingerprint is eight bytes")
}

/// What follows the framing of a payload, whatever schema it was written with.
pub fn datum(payload: &[u8]) -> &[u8] {
    let framing = if payload.first() == Some(&REGISTRY_MARKER) { 5 } else { 10 };
    payload.get(framing..).unwrap_or_default()
}

impl<T: Wire> Default for Format<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Wire> Format<T> {
    /// The current schema, and the older ones of this type that are still read.
    pub fn new() -> Self {
        Self::reading(&crate::published::older(short_name::<T>()))
    }

    /// As [`Format::new`], reading payloads of these older schemas as well.
    pub fn reading(older: &[&str]) -> Self {
        let older = older.iter().map(|text| {
            let json = serde_json::from_str(text).expect("stored schemas are JSON");
            let schema = without_logical_types(json).expect("stored schemas are valid Avro");
            (fingerprint(&schema), schema)
        });
        let current = Current::of::<T>();
        let mut format = Format { current, older: older.collect(), registered: None, of: PhantomData };
        format.registered = crate::registry::installed().and_then(|registry| format.known_to(registry));
        format
    }

    /// Framed by registry id; `None` when the registry has no such schema.
    pub fn registered(registry: &Arc<Registry>) -> Option<Self> {
        let mut format = Self::new();
        format.registered = Some(format.known_to(registry.clone())?);
        Some(format)
    }

    /// The registry's id of the current schema, where payloads are framed that way.
    pub fn registered_id(&self) -> Option<u32> {
        self.registered.as_ref().map(|(_, id)| *id)
    }

    fn known_to(&self, registry: Arc<Registry>) -> Option<(Arc<Registry>, u32)> {
        let id = registry.id_of(self.current.fingerprint())?;
        Some((registry, id))
    }

    /// Encodes a value, framing included.
    pub fn encode(&self, value: &T) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.encode_into(value, &mut out);
        out
    }

    /// Appends an encoded value, framing included.
    pub fn encode_into(&self, value: &T, out: &mut Vec<u8>) {
        self.put_header(out);
        value.put(out);
    }

    /// Appends the framing alone, for writers that put the datum themselves.
    pub fn put_header(&self, out: &mut Vec<u8>) {
        match &self.registered {
            None => out.extend_from_slice(&self.current.header),
            Some((_, id)) => {
                out.push(REGISTRY_MARKER);
                out.extend_from_slice(&id.to_be_bytes());
            }
        }
    }

    /// Decodes a payload.
    pub fn decode(&self, payload: &[u8]) -> Result<T, CodecError> {
        let datum = self.datum(payload)?;
        let mut reader = Reader::new(&datum);
        T::get(&mut reader).and_then(|value| reader.finish().map(|()| value)).map_err(corrupt::<T>)
    }

    /// The datum of a payload in the current schema, its framing taken off.
    fn datum<'a>(&self, payload: &'a [u8]) -> Result<Cow<'a, [u8]>, CodecError> {
        if let Some(([REGISTRY_MARKER, id @ ..], datum)) = payload.split_first_chunk::<5>() {
            let id = u32::from_be_bytes(*id);
            return match &self.registered {
                Some((_, ours)) if id == *ours => Ok(Cow::Borrowed(datum)),
                Some((registry, _)) => self.datum_registered(registry, id, datum),
                None => Err(CodecError::NoRegistry(id)),
            };
        }
        let Some((header, datum)) = payload.split_first_chunk::<10>() else {
            return Err(CodecError::NotAvro(payload.len()));
        };
        if *header == self.current.header {
            return Ok(Cow::Borrowed(datum));
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
        self.resolve(writer, datum).map(Cow::Owned)
    }

    fn datum_registered<'a>(&self, registry: &Registry, id: u32, datum: &'a [u8]) -> Result<Cow<'a, [u8]>, CodecError> {
        let writer = registry.schema(id).map_err(|error| CodecError::UnknownSchema {
            name: short_name::<T>(),
            fingerprint: format!("{id} of the registry ({error})"),
        })?;
        if fingerprint(&writer) == self.current.fingerprint() {
            return Ok(Cow::Borrowed(datum));
        }
        self.resolve(&writer, datum).map(Cow::Owned)
    }

    fn resolve(&self, writer: &apache_avro::Schema, mut datum: &[u8]) -> Result<Vec<u8>, CodecError> {
        let resolved = GenericDatumReader::builder(writer).reader_schema(&self.current.plain).build();
        resolved
            .and_then(|reader| reader.read_value(&mut datum))
            .and_then(|value| GenericDatumWriter::builder(&self.current.plain).build()?.write_value_to_vec(value))
            .map_err(|error| CodecError::Unresolvable { name: short_name::<T>(), error: error.to_string() })
    }
}

fn corrupt<T>(error: WireError) -> CodecError {
    CodecError::Corrupt { name: short_name::<T>(), error }
}

impl<T: BatchItem> Format<Batch<T>> {
    /// Reads the lineage of a batch, and its items, or what a projection wants of them, as they are asked for.
    ///
    /// A batch of half a megabyte takes several times as much once it is decoded; one item at a time stays in the
    /// processor's cache.
    pub fn open<'a, P: Projection<Of = T>>(&self, payload: &'a [u8]) -> Result<(Lineage, Items<'a, P>), CodecError> {
        let datum = self.datum(payload)?;
        let mut reader = Reader::new(&datum);
        let opened = || -> Result<_, WireError> {
            let (lineage, left) = (Lineage::get(&mut reader)?, reader.block()?);
            let at = reader.position();
            if left == 0 {
                reader.finish()?;
            }
            Ok((lineage, at, left))
        };
        let (lineage, at, left) = opened().map_err(corrupt::<Batch<T>>)?;
        Ok((lineage, Items { datum, at, left, last: 0..0, of: PhantomData }))
    }
}

/// The items of a batch, decoded one after the other.
#[derive(Debug)]
pub struct Items<'a, T> {
    datum: Cow<'a, [u8]>,
    at: usize,
    /// Items left in the block; none after the last block.
    left: usize,
    /// Where the item that was read last stands.
    last: Range<usize>,
    of: PhantomData<fn() -> T>,
}

impl<P: Projection<Of: BatchItem>> Items<'_, P> {
    /// True when there are no more.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The item that was read last, as it is written.
    pub fn written(&self) -> &[u8] {
        &self.datum[self.last.clone()]
    }

    /// Reads the next item; `None` after the last.
    pub fn read(&mut self) -> Result<Option<P>, CodecError> {
        self.get().map_err(corrupt::<Batch<P::Of>>)
    }

    fn get(&mut self) -> Result<Option<P>, WireError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut reader = Reader::starting_at(&self.datum, self.at);
        let item = P::read(&mut reader)?;
        self.last = self.at..reader.position();
        self.left -= 1;
        if self.left == 0 {
            self.left = reader.block()?;
        }
        self.at = reader.position();
        if self.left == 0 {
            reader.finish()?;
        }
        Ok(Some(item))
    }
}

#[cfg(test)]
mod tests {
    use apache_avro::schema_compatibility::SchemaCompatibility;

    use super::*;
    use crate::wire::put_long;
    use crate::{BudgetState, Charge, EventItem, fixture};

    fn survives<T: Wire + PartialEq + std::fmt::Debug>(value: &T) -> Vec<u8> {
        let format = Format::new();
        let payload = format.encode(value);
        assert_eq!(format.decode(&payload).as_ref(), Ok(value));
        payload
    }

    #[test]
    fn every_record_survives_its_own_codec() {
        survives(&fixture::charge_batch());
        survives(&fixture::event_batch());
    }

    #[test]
    fn fingerprints_are_those_of_the_canonical_form() {
        let schema = &Format::<crate::Window>::new().current.plain;
        let canonical = schema.canonical_form();
        assert!(!canonical.contains("logicalType") && !canonical.contains(r#"{"type":"bytes"}"#), "{canonical}");
        let long = without_logical_types(serde_json::json!({"type": "long", "logicalType": "timestamp-micros"}));
        assert_eq!(long.expect("valid").canonical_form(), r#""long""#);
    }

    #[test]
    fn apache_avro_reads_what_we_write_and_we_read_what_it_writes() {
        let format = Format::<Batch<Charge>>::new();
        let payload = format.encode(&fixture::charge_batch());
        let again = format.resolve(&format.current.plain, &payload[10..]).expect("our bytes follow our schema");
        let framed = [&payload[..10], &again].concat();
        assert_eq!(format.decode(&framed), Ok(fixture::charge_batch()));
    }

    #[test]
    fn a_payload_cut_anywhere_is_an_error() {
        let format = Format::<Batch<EventItem>>::new();
        let payload = format.encode(&fixture::event_batch());
        for length in 0..payload.len() {
            assert!(format.decode(&payload[..length]).is_err(), "{length} of {} bytes were taken", payload.len());
            assert!(one_by_one(&format, &payload[..length]).is_err(), "{length} of {} bytes", payload.len());
        }
        assert!(one_by_one(&format, &[payload, vec![0]].concat()).is_err(), "a byte too many was taken");
    }

    fn one_by_one<T: BatchItem>(format: &Format<Batch<T>>, payload: &[u8]) -> Result<Batch<T>, CodecError> {
        let (lineage, mut open) = format.open::<T>(payload)?;
        let mut items = Vec::new();
        while let Some(item) = open.read()? {
            let mut written = Vec::new();
            item.put(&mut written);
            assert_eq!(open.written(), written);
            items.push(item);
        }
        Ok(Batch { lineage, items })
    }

    #[test]
    fn items_come_one_by_one_as_they_come_together() {
        let format = Format::new();
        let payload = format.encode(&fixture::event_batch());
        assert_eq!(one_by_one(&format, &payload), format.decode(&payload));
        // Two blocks, one of them with its size in bytes, as other writers may cut an array.
        let lineage = fixture::lineage();
        let mut cut = payload[..10].to_vec();
        lineage.put(&mut cut);
        let items = fixture::event_batch().items;
        let mut first = Vec::new();
        items[0].put(&mut first);
        put_long(&mut cut, -1);
        put_long(&mut cut, first.len() as i64);
        cut.extend_from_slice(&first);
        put_long(&mut cut, 2);
        items[1..].iter().for_each(|item| item.put(&mut cut));
        cut.push(0);
        assert_eq!(one_by_one(&format, &cut), Ok(fixture::event_batch()));
    }

    #[test]
    fn a_schema_from_the_future_is_refused_by_its_fingerprint() {
        let mut payload = Format::new().encode(&fixture::charge_batch());
        payload[2..10].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let error = Format::<Batch<Charge>>::new().decode(&payload).unwrap_err();
        assert!(error.to_string().contains("0102030405060708"), "{error}");
    }

    /// A payload written without the last field of a batch's lineage, as an older release would have.
    #[test]
    fn a_field_that_was_appended_reads_as_its_default_from_older_payloads() {
        let mut schema = schema_json::<Batch<Charge>>();
        let fields = schema["fields"][0]["type"]["fields"].as_array_mut().expect("lineage has fields");
        fields.pop();
        let older = apache_avro::Schema::parse(&schema).expect("still valid Avro");
        let mut header = MARKER.to_vec();
        header.extend_from_slice(&fingerprint(&without_logical_types(schema.clone()).expect("still valid Avro")));
        let mut lineage = Vec::new();
        fixture::lineage().put(&mut lineage);
        lineage.pop();
        let payload = [header, lineage, vec![0]].concat();
        let read = Format::<Batch<Charge>>::reading(&[&schema.to_string()]).decode(&payload);
        assert_eq!(read, Ok(Batch { lineage: fixture::lineage(), items: Vec::new() }));
        let current = apache_avro::Schema::parse(&schema_json::<Batch<Charge>>()).expect("valid Avro");
        SchemaCompatibility::can_read(&older, &current).expect("new readers read old payloads");
        SchemaCompatibility::can_read(&current, &older).expect("old readers read new payloads");
    }

    /// Payloads of every release, kept for ever. `UPDATE_FIXTURES=1` adds this release's.
    #[test]
    fn stored_payloads_of_every_release_still_decode() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let release = folder.join(concat!(env!("CARGO_PKG_VERSION")));
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::create_dir_all(&release).unwrap();
            std::fs::write(release.join("usage.charges.bin"), Format::new().encode(&fixture::charge_batch())).unwrap();
            std::fs::write(release.join("usage.events.bin"), Format::new().encode(&fixture::event_batch())).unwrap();
            std::fs::write(release.join("budget.state.bin"), Format::new().encode(&fixture::budget_state())).unwrap();
        }
        let mut read = 0;
        for release in std::fs::read_dir(&folder).unwrap() {
            let folder = release.unwrap().path();
            let charges = std::fs::read(folder.join("usage.charges.bin")).unwrap();
            let events = std::fs::read(folder.join("usage.events.bin")).unwrap();
            assert_eq!(Format::<Batch<Charge>>::new().decode(&charges), Ok(fixture::charge_batch()));
            assert_eq!(Format::<Batch<EventItem>>::new().decode(&events), Ok(fixture::event_batch()));
            // What this release appended is null in what others wrote.
            let state = std::fs::read(folder.join("budget.state.bin")).unwrap();
            let state = Format::<BudgetState>::new().decode(&state).unwrap();
            let now = fixture::budget_state();
            assert!(state == now || state == BudgetState { scope: None, ..now }, "{state:?}");
            read += 1;
        }
        assert!(read > 0, "no stored payloads");
    }
}
