//! Answers in access logs of nginx, which writes quotes, backslashes and ends of lines as `\x22` and the like
//! (<https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format>, not opened: from knowledge of it). Its text between plain quotes
//! is a value, and what was asked may stand beside the answer, so the last that counts is read.

use crate::encoded;
use crate::json;

/// How an object begins, and how the name of a usage does.
const BEGUN: &str = "{\\x22";
const COUNTED: &str = "\\x22usage";

/// The answers in the lines of such a log, each on a line, as the text it was; `None` if it holds none.
pub(crate) fn json(text: &str) -> Option<String> {
    if !text.contains(BEGUN) {
        return None;
    }
    let mut lines = String::new();
    for line in text.lines() {
        let mut answers = line.split('"').filter(|value| value.contains(BEGUN) && value.contains(COUNTED));
        if let Some(answer) = answers.next_back() {
            lines.push('{');
            json::put_text_field(&mut lines, "response", plain(answer).trim_ascii());
            lines.push_str("}\n");
        }
    }
    (!lines.is_empty()).then_some(lines)
}

/// A value as it was before it was logged.
fn plain(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => encoded::hexadecimal(*high, *low),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
