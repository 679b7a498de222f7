//! Bodies that recorders write as Base64: HTTP archives, gateways of clouds, and whoever keeps what came zipped; and the frames in
//! which AWS streams (<https://smithy.io/2.0/aws/amazon-eventstream.html>, not opened: from knowledge of it, and streams that others
//! published, read 2026-11-29).

use std::fmt::Write;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json::deeper_than;

/// Most bytes an encoded body may become: those of a record.
const BYTES_MAX: u64 = 1_000_000;
/// A text that is shorter holds no body.
const BYTES_MIN: usize = 32;

/// True for a text that begins as JSON, events of a stream, or either zipped begin in Base64; or as frames of AWS do, whose first
/// header stands behind twelve bytes of lengths.
pub(crate) fn is_encoded(text: &str) -> bool {
    const BEGINNINGS: [&str; 9] = ["eyJ", "ewo", "ew0", "eyA", "W3s", "Wwo", "ZGF0YT", "ZXZlbnQ6", "H4sI"];
    // `:event-type`, `:message-type`, `:content-type` and `:exception-type`, each after its length.
    const HEADERS: [&str; 4] = ["CzpldmVudC10eXBl", "DTptZXNzYWdlLXR5", "DTpjb250ZW50LXR5", "DzpleGNlcHRpb24t"];
    let framed = || text.get(16..).is_some_and(|text| HEADERS.iter().any(|header| text.starts_with(header)));
    text.len() >= BYTES_MIN && (BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) || framed())
}

/// The events within frames of AWS, one a line, as its SDKs hand them on: each under its type, but for the chunks of
/// `InvokeModelWithResponseStream`. A frame that was cut off ends them.
pub(crate) fn unframed(bytes: &[u8]) -> Option<String> {
    let is_framed = bytes.get(12..).is_some_and(|frame| {
        let name = frame.split_first().and_then(|(length, rest)| rest.get(..usize::from(*length)));
        name.is_some_and(|name| name.starts_with(b":") && name.ends_with(b"-type"))
    });
    if !is_framed {
        return None;
    }
    let mut lines = String::new();
    let mut rest = bytes;
    while let Some([head, payload, after]) = frame(rest) {
        rest = after;
        let kind = header(head, b":event-type").or_else(|| header(head, b":exception-type"));
        let plain = |kind: &&str| kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let payload = std::str::from_utf8(payload).ok().filter(|payload| payload.starts_with('{'));
        if let (Some(kind), Some(payload)) = (kind.filter(plain), payload) {
            let _ = match kind {
                "chunk" => writeln!(lines, "{payload}"),
                kind => writeln!(lines, "{{\"{kind}\":{payload}}}"),
            };
        }
    }
    (!lines.is_empty()).then_some(lines)
}

/// The headers and the payload of a frame, and what follows it.
fn frame(bytes: &[u8]) -> Option<[&[u8]; 3]> {
    let length = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let (whole, head) = (length(0)?, length(4)?);
    let (frame, after) = bytes.split_at_checked(whole)?;
    // Two lengths and their checksum, the headers, the payload, another checksum.
    let payload = 12_usize.checked_add(head)?;
    Some([frame.get(12..payload)?, frame.get(payload..whole.checked_sub(4)?)?, after])
}

/// A header of a frame that is a text; in events all are.
fn header<'a>(mut head: &'a [u8], name: &[u8]) -> Option<&'a str> {
    const TEXT: u8 = 7;
    while let [length, rest @ ..] = head {
        let (found, rest) = rest.split_at_checked(usize::from(*length))?;
        let [TEXT, high, low, rest @ ..] = rest else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        if found == name {
            return std::str::from_utf8(value).ok();
        }
        head = rest;
    }
    None
}

/// The text of an encoded body, if it is one that may be read.
pub(crate) fn plain(text: &str) -> Option<String> {
    if !is_encoded(text) {
        return None;
    }
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(compact).ok()?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { unzipped(&bytes)? } else { bytes };
    let plain = unframed(&bytes).or_else(|| String::from_utf8(bytes).ok())?;
    (!deeper_than(plain.as_bytes(), crate::DEPTH_MAX)).then_some(plain)
}

fn unzipped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut unzipped = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).take(BYTES_MAX + 1).read_to_end(&mut unzipped).ok()?;
    (unzipped.len() as u64 <= BYTES_MAX).then_some(unzipped)
}
