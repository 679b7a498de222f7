//! Bodies that were kept in the pieces in which they came over the wire, wherever those were cut: fixtures of ReqLLM and archives of
//! Polly write each in Base64, nock the pieces of what was zipped in hexadecimal (recordings that others published, read 2026-11-30;
//! those of Polly and nock from knowledge of them).

use std::borrow::Cow;

use crate::encoded;
use crate::json::{Json, Kind};

/// Names under which a piece stands in an object of its own.
const NAMES: [&str; 2] = ["b64", "base64"];

/// A piece as it was written.
fn written(piece: Json<'_>) -> Option<Cow<'_, str>> {
    match piece.kind() {
        Kind::String => piece.string(),
        Kind::Object => piece.object()?.first(&NAMES)?.1.string(),
        _ => None,
    }
}

/// True for the first piece of a body.
pub(crate) fn is_first(piece: Json<'_>) -> bool {
    written(piece).is_some_and(|text| encoded::is_encoded(&text) || is_zipped(&text))
}

/// True for a list of the pieces of a body.
pub(crate) fn is_list(list: Json<'_>) -> bool {
    list.array().is_some_and(|pieces| pieces.first().is_some_and(|piece| is_first(*piece)))
}

/// The body that the pieces of a list make together; `None` if they are none.
pub(crate) fn joined(list: Json<'_>) -> Option<String> {
    let pieces = list.array()?;
    let first = pieces.first().copied().filter(|piece| is_first(*piece))?;
    let decode = if is_zipped(&written(first)?) { hexadecimal } else { encoded::decoded };
    let mut whole = Vec::new();
    for piece in pieces {
        whole.extend(decode(&written(piece)?)?);
    }
    encoded::text(whole)
}

/// True for what begins like gzip, in hexadecimal.
fn is_zipped(text: &str) -> bool {
    text.starts_with("1f8b08") && text.len().is_multiple_of(2) && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| encoded::hexadecimal(*high, *low)).collect();
    if rest.is_empty() { bytes } else { None }
}
