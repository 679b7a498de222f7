//! Cuts a protobuf batch of OTLP that is larger than one raw record may be, between its entries. Every piece repeats the
//! resources and scopes of its entries, so that each is a batch of its own. Field numbers are the same for all signals:
//! a batch holds resources (1), a resource scopes (2), a scope entries (2); everything else describes them.

/// A message's field: its number, all its bytes, and its content where it has a length.
struct Field<'a> {
    number: u64,
    whole: &'a [u8],
    content: Option<&'a [u8]>,
}

/// The fields of a message, one after the other: there may be millions. Ends with an error where the bytes are no message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let mut rest = self.0;
        let tag = varint(&mut rest)?;
        let (length, sized) = match tag & 7 {
            0 => {
                varint(&mut rest)?;
                (0, false)
            }
            1 => (8, false),
            2 => (usize::try_from(varint(&mut rest)?).ok()?, true),
            5 => (4, false),
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Field { number: tag >> 3, whole, content: sized.then_some(content) })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Uncut>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Uncut::Malformed))
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The part that a field of a resource or scope is.
fn part<'a>(field: &Field<'a>) -> Option<&'a [u8]> {
    field.content.filter(|_| field.number == 2)
}

/// What describes the parts of a resource or scope: all but the parts themselves.
fn about(bytes: &[u8]) -> Result<Vec<u8>, Uncut> {
    let mut about = Vec::new();
    for field in Fields(bytes) {
        let field = field?;
        if part(&field).is_none() {
            about.extend_from_slice(field.whole);
        }
    }
    Ok(about)
}

/// Bytes that the tags and lengths of an entry, its scope and its resource add to a piece, at most.
const OVERHEAD: usize = 3 * 11;

/// The pieces of a batch are together at most this many times as long as the batch. What describes a resource stands in each of
/// its pieces, so a few megabytes of it over a million entries of a few bytes would fill any memory.
const GROWTH_MAX: usize = 4;

/// Why a batch is not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uncut {
    /// The bytes are no batch.
    Malformed,
    /// What describes resources and scopes, repeated in each piece, would be most of all pieces.
    Grows,
}

/// Pieces of at most `most` bytes each, in order; a single entry that is larger is a piece by itself.
pub(super) fn split(batch: &[u8], most: usize) -> Result<Vec<Vec<u8>>, Uncut> {
    let mut pieces = Vec::new();
    let mut room = batch.len().saturating_mul(GROWTH_MAX);
    // The piece that is being made: its resources, the scopes of the newest, and the entries of the newest of these. What nothing was put
    // into is as long as it was begun.
    let mut resources = Vec::new();
    for field in Fields(batch) {
        let Field { number: 1, content: Some(resource), .. } = field? else { continue };
        let about_resource = about(resource)?;
        let mut scopes = about_resource.clone();
        for field in Fields(resource) {
            let Some(scope) = part(&field?) else { continue };
            let about_scope = about(scope)?;
            let mut entries = about_scope.clone();
            for field in Fields(scope) {
                let Some(entry) = part(&field?) else { continue };
                let begun =
                    !resources.is_empty() || scopes.len() > about_resource.len() || entries.len() > about_scope.len();
                let length = resources.len() + scopes.len() + entries.len() + entry.len() + OVERHEAD;
                if begun && length > most {
                    close(2, &mut entries, &about_scope, &mut scopes);
                    close(1, &mut scopes, &about_resource, &mut resources);
                    let piece = std::mem::take(&mut resources);
                    room = room.checked_sub(piece.len()).ok_or(Uncut::Grows)?;
                    pieces.push(piece);
                }
                put_bytes(2, entry, &mut entries);
            }
            close(2, &mut entries, &about_scope, &mut scopes);
        }
        close(1, &mut scopes, &about_resource, &mut resources);
    }
    if !resources.is_empty() {
        pieces.push(resources);
    }
    Ok(pieces)
}

/// Puts a message into the one it is part of, if anything was put into it since it was begun with what describes it, and begins it anew.
fn close(number: u64, message: &mut Vec<u8>, about: &[u8], into: &mut Vec<u8>) {
    if message.len() > about.len() {
        put_bytes(number, message, into);
        message.truncate(about.len());
    }
}

/// Appends a field of bytes.
pub(super) fn put_bytes(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(number << 3 | 2, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a field that holds a number.
pub(super) fn put_number(number: u64, value: u64, out: &mut Vec<u8>) {
    put_varint(number << 3, out);
    put_varint(value, out);
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(number, content, &mut out);
        out
    }

    /// A batch of resources of scopes of entries, each level with a description before and after its parts.
    fn batch(resources: &[Vec<Vec<Vec<u8>>>]) -> Vec<u8> {
        let mut batch = Vec::new();
        for (index, scopes) in resources.iter().enumerate() {
            let mut resource = bytes(1, &[index as u8]);
            for (index, entries) in scopes.iter().enumerate() {
                let mut scope = bytes(1, &[index as u8; 3]);
                entries.iter().for_each(|entry| put_bytes(2, entry, &mut scope));
                put_bytes(3, b"schema", &mut scope);
                put_bytes(2, &scope, &mut resource);
            }
            put_bytes(1, &resource, &mut batch);
        }
        batch
    }

    /// Every entry with what describes its resource and scope.
    fn entries(batch: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        let parts = |bytes| Fields(bytes).filter_map(|field| part(&field.unwrap()));
        for field in Fields(batch) {
            let resource = field.unwrap().content.unwrap();
            for scope in parts(resource) {
                let about = (about(resource).unwrap(), about(scope).unwrap());
                found.extend(parts(scope).map(|entry| (about.0.clone(), about.1.clone(), entry.to_vec())));
            }
        }
        found
    }

    proptest! {
        #[test]
        fn pieces_hold_every_entry_once_in_order_under_its_own_resource_and_scope(
            resources in prop::collection::vec(prop::collection::vec(prop::collection::vec(
                prop::collection::vec(any::<u8>(), 0..200), 0..6), 0..4), 0..4),
            most in 1usize..1000,
        ) {
            let batch = batch(&resources);
            let pieces = split(&batch, most).unwrap();
            let found: Vec<_> = pieces.iter().flat_map(|piece| entries(piece)).collect();
            prop_assert_eq!(&found, &entries(&batch));
            for piece in pieces {
                prop_assert!(piece.len() <= most || entries(&piece).len() == 1, "{} > {}", piece.len(), most);
            }
        }

        #[test]
        fn no_bytes_are_too_odd_to_look_at(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = split(&bytes, 10);
        }
    }

    #[test]
    fn a_piece_holds_as_many_resources_and_scopes_as_there_is_room_for() {
        let small = batch(&vec![vec![vec![vec![7; 20]]; 3]; 100]);
        let pieces = split(&small, 1_000).unwrap();
        assert!(pieces.len() <= small.len() / 900 + 1, "{} pieces of {} bytes", pieces.len(), small.len());
    }

    #[test]
    fn a_long_description_of_many_small_entries_fills_no_memory() {
        let entries = [2 << 3 | 2, 0].repeat(100_000);
        let described = |level: usize| {
            let about = bytes(1, &[0; 100_000]);
            let (of_resource, of_scope) = if level == 0 { (about, Vec::new()) } else { (Vec::new(), about) };
            bytes(1, &[of_resource, bytes(2, &[of_scope, entries.clone()].concat())].concat())
        };
        for batch in [described(0), described(1)] {
            assert_eq!(split(&batch, 50_000), Err(Uncut::Grows));
            let whole: usize = split(&batch, 150_000).unwrap().iter().map(Vec::len).sum();
            assert!(whole <= GROWTH_MAX * batch.len());
        }
        // A scope for each entry.
        let scopes = bytes(2, &[2 << 3 | 2, 0]).repeat(100_000);
        let batch = bytes(1, &[bytes(1, &[0; 100_000]), scopes].concat());
        assert_eq!(split(&batch, 50_000), Err(Uncut::Grows));
        assert!(split(&batch, 150_000).is_ok());
    }
}
