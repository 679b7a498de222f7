//! Bodies that recorders write as Base64: HTTP archives, gateways of clouds, and whoever keeps what came zipped.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json::deeper_than;

/// Most bytes an encoded body may become: those of a record.
const BYTES_MAX: u64 = 1_000_000;
/// A text that is shorter holds no body.
const BYTES_MIN: usize = 32;

/// True for a text that begins as JSON, events of a stream, or either zipped begin in Base64.
pub(crate) fn is_encoded(text: &str) -> bool {
    const BEGINNINGS: [&str; 9] = ["eyJ", "ewo", "ew0", "eyA", "W3s", "Wwo", "ZGF0YT", "ZXZlbnQ6", "H4sI"];
    text.len() >= BYTES_MIN && BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// The text of an encoded body, if it is one that may be read.
pub(crate) fn plain(text: &str) -> Option<String> {
    if !is_encoded(text) {
        return None;
    }
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(compact).ok()?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { unzipped(&bytes)? } else { bytes };
    let plain = String::from_utf8(bytes).ok()?;
    (!deeper_than(plain.as_bytes(), crate::DEPTH_MAX)).then_some(plain)
}

fn unzipped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut unzipped = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).take(BYTES_MAX + 1).read_to_end(&mut unzipped).ok()?;
    (unzipped.len() as u64 <= BYTES_MAX).then_some(unzipped)
}
