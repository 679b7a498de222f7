//! The grammar of JSON (RFC 8259): where a value ends, if it is one.
//!
//! Every record is read to its end once, to check it and to cut it into its outermost fields. Most of what there is to pass over are the
//! brackets, names and numbers of contents nobody asks for, one byte or word at a time, and nothing is kept of them. What is wrong with a
//! text that is no JSON is not told: `serde_json` reads it once more and says it.

use smallvec::SmallVec;

use super::{NEAR, below, first, marks, repeated, skip, word};

/// The document that a text is: without the white space around it, and nothing else.
pub(super) fn document(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let start = blank(bytes, 0);
    let end = value(bytes, start, usize::MAX)?;
    if blank(bytes, end) == bytes.len() { text.get(start..end) } else { None }
}

/// Behind the value that begins here, if it nests no deeper than this.
pub(super) fn value(bytes: &[u8], at: usize, most: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => string(bytes, at).map(|(end, _)| end),
        b'{' | b'[' => nested(bytes, at, most),
        _ => scalar(bytes, at),
    }
}

/// Behind the object or array that begins here.
fn nested(bytes: &[u8], mut at: usize, most: usize) -> Option<usize> {
    // What closes each bracket that is open.
    let mut open: SmallVec<[u8; 32]> = SmallVec::new();
    loop {
        match *bytes.get(at)? {
            bracket @ (b'{' | b'[') => {
                if open.len() >= most {
                    return None;
                }
                let close = closing(bracket);
                at = blank(bytes, at + 1);
                if *bytes.get(at)? != close {
                    open.push(close);
                    if close == b'}' {
                        at = name(bytes, at)?;
                    }
                    continue;
                }
                at += 1;
            }
            b'"' => (at, _) = string(bytes, at)?,
            _ => at = scalar(bytes, at)?,
        }
        // A value has ended, and with it perhaps what it is in.
        loop {
            let Some(close) = open.last().copied() else { return Some(at) };
            at = blank(bytes, at);
            match *bytes.get(at)? {
                b',' => {
                    at = blank(bytes, at + 1);
                    if close == b'}' {
                        at = name(bytes, at)?;
                    }
                    break;
                }
                byte if byte == close => {
                    open.pop();
                    at += 1;
                }
                _ => return None,
            }
        }
    }
}

/// The bracket that closes another.
const fn closing(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

/// Where the value begins whose name begins here.
fn name(bytes: &[u8], at: usize) -> Option<usize> {
    let (end, _) = string(bytes, at)?;
    colon(bytes, end)
}

/// Where the value begins whose name ends here.
pub(super) fn colon(bytes: &[u8], at: usize) -> Option<usize> {
    let at = blank(bytes, at);
    (bytes.get(at)? == &b':').then(|| blank(bytes, at + 1))
}

/// Behind white space.
#[inline]
pub(super) fn blank(bytes: &[u8], at: usize) -> usize {
    skip(bytes, at, |byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r'))
}

/// Behind the string that begins here, and whether it holds escapes.
pub(super) fn string(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    if bytes.get(at)? != &b'"' {
        return None;
    }
    let (mut at, mut escaped) = (at + 1, false);
    loop {
        at = plain(bytes, at)?;
        match bytes[at] {
            b'"' => return Some((at + 1, escaped)),
            b'\\' => (at, escaped) = (escape(bytes, at)?, true),
            _ => return None,
        }
    }
}

/// Where a string ends, an escape begins, or a control character stands, which must not be there.
#[inline]
fn plain(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while at < start + NEAR
        && let Some(word) = word(bytes, at)
    {
        let controls = word.wrapping_sub(repeated(b' '));
        let found = marks(word, below(word, b'"') | below(word, b'\\') | controls);
        if found != 0 {
            return Some(at + first(found));
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    let end = memchr::memchr2(b'"', b'\\', rest)?;
    let least = rest[..end].iter().fold(u8::MAX, |least, byte| least.min(*byte));
    (least >= b' ').then_some(at + end)
}

/// Behind the escape that begins here.
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 6),
        _ => None,
    }
}

/// Behind the number or the word that begins here.
fn scalar(bytes: &[u8], at: usize) -> Option<usize> {
    let word = |word: &[u8]| bytes.get(at..)?.starts_with(word).then_some(at + word.len());
    match bytes.get(at)? {
        b't' => word(b"true"),
        b'f' => word(b"false"),
        b'n' => word(b"null"),
        _ => number(bytes, at),
    }
}

/// Behind the number that begins here.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let after = |at: usize, signs: &[u8]| at + usize::from(bytes.get(at).is_some_and(|byte| signs.contains(byte)));
    // Behind at least one digit.
    let digits = |at: usize| Some(skip(bytes, at, |byte| byte.is_ascii_digit())).filter(|end| *end > at);
    let whole = after(at, b"-");
    let mut end = digits(whole)?;
    if bytes[whole] == b'0' && end > whole + 1 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        end = digits(after(end + 1, b"+-"))?;
    }
    Some(end)
}
