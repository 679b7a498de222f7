//! Cuts a protobuf batch of OTLP that is larger than one raw record may be, between its entries. Every piece repeats the
//! resource and scope of its entries, so that each is a batch of its own. Field numbers are the same for all signals:
//! a batch holds resources (1), a resource scopes (2), a scope entries (2); everything else describes them.

/// A message's field: its number, all its bytes, and its content where it has a length.
struct Field<'a> {
    number: u64,
    whole: &'a [u8],
    content: Option<&'a [u8]>,
}

/// The fields of a message; `None` where the bytes are no message.
fn fields(mut bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let mut rest = bytes;
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
        let whole = &bytes[..bytes.len() - after.len()];
        found.push(Field { number: tag >> 3, whole, content: sized.then_some(content) });
        bytes = after;
    }
    Some(found)
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

/// What describes the parts of a message, and the parts themselves.
fn parts(bytes: &[u8]) -> Option<(Vec<u8>, Vec<&[u8]>)> {
    let (mut about, mut parts) = (Vec::new(), Vec::new());
    for field in fields(bytes)? {
        match (field.number, field.content) {
            (2, Some(part)) => parts.push(part),
            _ => about.extend_from_slice(field.whole),
        }
    }
    Some((about, parts))
}

/// Bytes that tags and lengths of the three levels add to a piece, at most.
const OVERHEAD: usize = 3 * 11;

/// Pieces of at most `most` bytes each, in order; a single entry that is larger is a piece by itself. `None` when the
/// bytes are no batch.
pub(super) fn split(batch: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    let mut pieces = Vec::new();
    for field in fields(batch)? {
        let (1, Some(resource)) = (field.number, field.content) else { continue };
        let (about_resource, scopes) = parts(resource)?;
        for scope in scopes {
            let (about_scope, entries) = parts(scope)?;
            let fixed = about_resource.len() + about_scope.len() + OVERHEAD;
            let mut entries = entries.into_iter().peekable();
            while entries.peek().is_some() {
                let mut inner = about_scope.clone();
                let mut size = fixed;
                while let Some(entry) = entries.next_if(|entry| size == fixed || size + entry.len() + 11 <= most) {
                    size += entry.len() + 11;
                    put_bytes(2, entry, &mut inner);
                }
                let mut outer = about_resource.clone();
                put_bytes(2, &inner, &mut outer);
                let mut piece = Vec::with_capacity(size);
                put_bytes(1, &outer, &mut piece);
                pieces.push(piece);
            }
        }
    }
    Some(pieces)
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
        for field in fields(batch).unwrap() {
            let (resource, scopes) = parts(field.content.unwrap()).unwrap();
            for scope in scopes {
                let (about, entries) = parts(scope).unwrap();
                found.extend(entries.iter().map(|entry| (resource.clone(), about.clone(), entry.to_vec())));
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
}
