//! Bodies that recorders write as Base64: HTTP archives, gateways of clouds, and whoever keeps what came zipped; and the frames in
//! which AWS streams (<https://smithy.io/2.0/aws/amazon-eventstream.html>, not opened: from knowledge of it, and streams that others
//! published, read 2026-11-29).

use std::fmt::Write;
use std::io::Read;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::head;
use crate::json::deeper_than;

/// Most bytes an encoded body may become: those of a record.
const BYTES_MAX: u64 = 1_000_000;
/// A text that is shorter holds no body.
const BYTES_MIN: usize = 32;
/// Base64 with or without what fills its last group.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The Base64 of a text, before which some recorders say what it is.
fn bare(text: &str) -> &str {
    text.strip_prefix("base64:").unwrap_or(text)
}

/// True for a text that begins as JSON, events of a stream, or either zipped begin in Base64; or as frames of AWS do, whose first
/// header stands behind twelve bytes of lengths.
pub(crate) fn is_encoded(text: &str) -> bool {
    // The last five are those of gzip, and of zlib by how hard it tried.
    const BEGINNINGS: [&str; 13] =
        ["eyJ", "ewo", "ew0", "eyA", "W3s", "Wwo", "ZGF0YT", "ZXZlbnQ6", "H4sI", "eJ", "eN", "eA", "eF"];
    // `:event-type`, `:message-type`, `:content-type` and `:exception-type`, each after its length.
    const HEADERS: [&str; 4] = ["CzpldmVudC10eXBl", "DTptZXNzYWdlLXR5", "DTpjb250ZW50LXR5", "DzpleGNlcHRpb24t"];
    let text = bare(text);
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
    let bytes = match uri(text) {
        Some(Uri { base64: false, data, .. }) => head::decoded(data).into_bytes(),
        Some(Uri { data, .. }) => decoded(data)?,
        None if is_encoded(text) => decoded(bare(text))?,
        None => return None,
    };
    self::text(bytes)
}

/// The text of a body from its bytes: unzipped, and out of the frames of AWS.
pub(crate) fn text(bytes: Vec<u8>) -> Option<String> {
    let bytes = match is_zipped(&bytes) {
        true => unzipped(&bytes, BYTES_MAX).filter(|unzipped| unzipped.len() as u64 <= BYTES_MAX)?,
        false => bytes,
    };
    let plain = unframed(&bytes).or_else(|| String::from_utf8(bytes).ok())?;
    (!deeper_than(plain.as_bytes(), crate::DEPTH_MAX)).then_some(plain)
}

/// The byte that two hexadecimal digits say.
pub(crate) fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// The bytes of a text in Base64, also in the alphabet for addresses.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let plain = |byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    };
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(plain).collect();
    BASE64.decode(compact).ok()
}

/// True for bytes that begin like gzip, or like zlib, whose first two bytes are a multiple of 31.
pub(crate) fn is_zipped(bytes: &[u8]) -> bool {
    match *bytes {
        [0x1f, 0x8b, ..] => true,
        [0x78, level, ..] => (0x7800 | u16::from(level)) % 31 == 0,
        _ => false,
    }
}

/// What was zipped, or its first bytes beyond the bound: a bomb costs no more than what is too large anyway.
pub(crate) fn unzipped(bytes: &[u8], bytes_max: u64) -> Option<Vec<u8>> {
    let mut unzipped = Vec::new();
    let bound = bytes_max.saturating_add(1);
    let read = match bytes.first() {
        Some(0x78) => flate2::read::ZlibDecoder::new(bytes).take(bound).read_to_end(&mut unzipped),
        _ => flate2::read::MultiGzDecoder::new(bytes).take(bound).read_to_end(&mut unzipped),
    };
    read.is_ok().then_some(unzipped)
}

/// A `data:` address (RFC 2397).
struct Uri<'t> {
    kind: &'t str,
    base64: bool,
    data: &'t str,
}

/// The parts of a text that is an address and no stream, the data of whose events begin otherwise.
fn uri(text: &str) -> Option<Uri<'_>> {
    let (head, data) = text.strip_prefix("data:")?.split_once(',')?;
    let written = |c: char| c.is_ascii_alphanumeric() || "/+.-;=_".contains(c);
    if head.len() > 128 || !head.chars().all(written) || !(head.contains('/') || head.starts_with(';')) {
        return None;
    }
    let (kind, base64) = match head.strip_suffix(";base64") {
        Some(kind) => (kind, true),
        None => (head, false),
    };
    Some(Uri { kind, base64, data })
}

/// True for an address whose data cannot be a body: a picture, a sound.
pub(crate) fn is_medium(text: &str) -> bool {
    const MEDIA: [&str; 4] = ["image/", "audio/", "video/", "font/"];
    uri(text).is_some_and(|uri| MEDIA.iter().any(|medium| uri.kind.starts_with(medium)))
}

/// True for a `data:` address of what may be a body.
pub(crate) fn is_address(text: &str) -> bool {
    uri(text).is_some() && !is_medium(text)
}
