//! Numbers and times as producers write them: exact, bounded, never through a float.

use schemas::{Money, PICO, Quantity, Timestamp};

/// Largest count of anything in one call. Beyond it a producer is wrong, not busy.
pub const COUNT_MAX: i64 = 1_000_000_000_000;

/// Why a number cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberError {
    NotANumber,
    Negative,
    Fractional,
    TooLarge,
    TooPrecise,
}

impl NumberError {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            NumberError::NotANumber => "is not a number",
            NumberError::Negative => "is negative",
            NumberError::Fractional => "is not a whole number",
            NumberError::TooLarge => "is larger than 10^12",
            NumberError::TooPrecise => "has more than 12 decimal places",
        }
    }
}

/// A decimal number, exponents included, in whole 10^-12 units.
fn picos(text: &str) -> Result<i128, NumberError> {
    if let Some(whole) = short_whole(text) {
        return Ok(i128::from(whole) * PICO);
    }
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match magnitude.find(['e', 'E']) {
        Some(at) => {
            let exponent = &magnitude[at + 1..];
            let exponent: i32 =
                exponent.strip_prefix('+').unwrap_or(exponent).parse().map_err(|_| NumberError::NotANumber)?;
            (&magnitude[..at], exponent)
        }
        None => (magnitude, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0')) {
        value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(NumberError::TooLarge)?;
    }
    // Value is `value` x 10^(exponent - fraction digits); bring it to x 10^-12.
    let mut shift = i64::from(exponent) - fraction.len() as i64 + 12;
    while shift < 0 && value != 0 {
        if value % 10 != 0 {
            return Err(NumberError::TooPrecise);
        }
        value /= 10;
        shift += 1;
    }
    while shift > 0 && value != 0 {
        value = value.checked_mul(10).ok_or(NumberError::TooLarge)?;
        shift -= 1;
    }
    Ok(if negative { -value } else { value })
}

/// What nearly every number is: a few digits.
fn short_whole(text: &str) -> Option<i64> {
    let short = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    short.then(|| text.bytes().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
}

/// True for digits and nothing else.
pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole, non-negative count of at most [`COUNT_MAX`]. `1e3` and `12.0` are whole.
pub(crate) fn count(text: &str) -> Result<i64, NumberError> {
    if let Some(whole @ 0..=COUNT_MAX) = short_whole(text) {
        return Ok(whole);
    }
    let value = picos(text).map_err(|error| match error {
        NumberError::TooPrecise => NumberError::Fractional,
        other => other,
    })?;
    match value {
        _ if value < 0 => Err(NumberError::Negative),
        _ if value % PICO != 0 => Err(NumberError::Fractional),
        _ if value / PICO > i128::from(COUNT_MAX) => Err(NumberError::TooLarge),
        _ => Ok((value / PICO) as i64),
    }
}

/// A non-negative quantity of at most [`COUNT_MAX`] units, fractions allowed. Producers print lengths of time as floats
/// with up to 17 digits, so places beyond the twelfth are rounded half to even.
pub(crate) fn quantity(text: &str) -> Result<Quantity, NumberError> {
    let value = match picos(text) {
        Err(NumberError::TooPrecise) => money(text)?.picos(),
        value => value?,
    };
    match value {
        _ if value < 0 => Err(NumberError::Negative),
        _ if value / PICO > i128::from(COUNT_MAX) => Err(NumberError::TooLarge),
        _ => Quantity::from_picos(value).ok_or(NumberError::TooLarge),
    }
}

/// An amount of money; may be negative. Producers print floats with up to 17 digits, so places beyond the twelfth are
/// rounded half to even. Most amounts are kept beside ours and never added to it; a stated cost (a bill, an entry of the ledger)
/// is the charge itself, so it is charged as rounded here: once, before anything is added, and every sum of it agrees. To
/// reject what is finer would refuse the bills of all who print floats.
pub(crate) fn money(text: &str) -> Result<Money, NumberError> {
    let decimal = rust_decimal::Decimal::from_scientific(text)
        .or_else(|_| text.parse::<rust_decimal::Decimal>())
        .map_err(|_| NumberError::NotANumber)?;
    let rounded = decimal.round_dp(12).normalize();
    let picos = rounded.mantissa().checked_mul(10i128.pow(12 - rounded.scale()));
    picos
        .filter(|picos| (picos / PICO).abs() <= i128::from(COUNT_MAX))
        .and_then(Money::from_picos)
        .ok_or(NumberError::TooLarge)
}

/// A time as a number since 1970, its unit told by its size: seconds below 10^11, then milliseconds below 10^14,
/// microseconds below 10^17, else nanoseconds. Each band begins in 1973, so no time since then is ambiguous.
pub(crate) fn time_number(text: &str) -> Option<Timestamp> {
    let per_second = |whole: i128| match whole {
        whole if whole < 100_000_000_000 => 1,
        whole if whole < 100_000_000_000_000 => 1_000,
        whole if whole < 100_000_000_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    // What nearly every time is, without dividing what is twice as wide as a word.
    if let Some(whole) = short_whole(text) {
        return Some(Timestamp::from_micros(match per_second(i128::from(whole)) {
            1 => whole * 1_000_000,
            1_000 => whole * 1_000,
            1_000_000 => whole,
            _ => whole / 1_000,
        }));
    }
    let value = picos(text).ok()?;
    let micros = value.checked_mul(1_000_000)? / PICO / per_second(value / PICO);
    i64::try_from(micros).ok().map(Timestamp::from_micros)
}

/// A time as text: RFC 3339, the same without a zone (UTC) or with one written another way, a date (its first
/// instant), a number; or as mails and heads of HTTP, C's clock, web servers, and the consoles of Go and JavaScript
/// write it. A month that is a number stands after the year, else nobody could tell it from a day.
pub(crate) fn time_text(text: &str) -> Option<Timestamp> {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if numeric && !(text.len() == 10 && text.as_bytes()[4] == b'-') {
        return time_number(text);
    }
    text.parse().ok().or_else(|| other_time(text))
}

/// A time in a form other than RFC 3339.
fn other_time(text: &str) -> Option<Timestamp> {
    const NAIVE: [&str; 6] = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y/%m/%d %H:%M:%S%.f",
        "%Y%m%dT%H%M%SZ",
        "%a %b %e %H:%M:%S %Y",
        "%a %b %e %H:%M:%S UTC %Y",
    ];
    const ZONED: [&str; 5] = [
        // With a zone after a space, as Snowflake and Ruby print it; without a colon, or with hours alone (PostgreSQL).
        "%Y-%m-%d %H:%M:%S%.f %z",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%d/%b/%Y:%H:%M:%S %z",
        "%a %b %d %Y %H:%M:%S GMT%z",
    ];
    if let Ok(mailed) = chrono::DateTime::parse_from_rfc2822(text) {
        return Some(mailed.to_utc().into());
    }
    // What the zone is called says less than its offset; Go adds its other clock, too.
    let text = [" (", " m="].iter().fold(text, |text, mark| text.split_once(mark).map_or(text, |(before, _)| before));
    let named = |name: &str| name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase());
    let offset = |text: &str| text.rsplit(' ').next().is_some_and(|last| last.starts_with(['+', '-']));
    let text = match text.rsplit_once(' ') {
        Some((before, name)) if name == "UTC" || (named(name) && offset(before)) => before,
        _ => text,
    };
    // Python's loggers put a comma before the fraction, as ISO 8601 allows.
    let text = text.replacen(',', ".", 1);
    let parsed = NAIVE.iter().find_map(|form| chrono::NaiveDateTime::parse_from_str(&text, form).ok());
    let zoned = || ZONED.iter().find_map(|form| chrono::DateTime::parse_from_str(&text, form).ok());
    parsed.map(|time| time.and_utc()).or_else(|| Some(zoned()?.to_utc())).map(Into::into)
}

/// True for a time of day without a date (`09:59:50`, `9:59`, `09:59:50,123`), as loggers on a console write it.
pub(crate) fn is_time_of_day(text: &str) -> bool {
    let text = text.trim().trim_end_matches('Z').replacen(',', ".", 1);
    ["%H:%M:%S%.f", "%H:%M"].iter().any(|form| chrono::NaiveTime::parse_from_str(&text, form).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_bounded() {
        for (text, value) in [("0", 0), ("12", 12), ("12.0", 12), ("1e3", 1_000), ("1.5E2", 150), ("1e12", COUNT_MAX)] {
            assert_eq!(count(text), Ok(value), "{text}");
        }
        for (text, error) in [
            ("", NumberError::NotANumber),
            ("NaN", NumberError::NotANumber),
            ("Infinity", NumberError::NotANumber),
            ("0x10", NumberError::NotANumber),
            ("-1", NumberError::Negative),
            ("1.5", NumberError::Fractional),
            ("1e-3", NumberError::Fractional),
            ("1e-300", NumberError::Fractional),
            ("1000000000001", NumberError::TooLarge),
            ("1e13", NumberError::TooLarge),
            ("1e308", NumberError::TooLarge),
            ("999999999999999999999999999999999999999999", NumberError::TooLarge),
        ] {
            assert_eq!(count(text), Err(error), "{text}");
        }
        assert_eq!(count("1e2147483648"), Err(NumberError::NotANumber));
    }

    #[test]
    fn one_instant_in_four_units_and_as_text() {
        let instant: Timestamp = "2026-08-01T10:00:00Z".parse().unwrap();
        for text in [
            "1785578400",
            "1785578400.0",
            "1785578400000",
            "1785578400000000",
            "1785578400000000000",
            "2026-08-01T10:00:00Z",
            "2026-08-01T12:00:00+02:00",
            "2026-08-01T10:00:00",
            "2026-08-01 10:00:00",
            "2026-08-01 10:00:00+00",
            "2026-08-01T12:00:00.000+0200",
            "2026-08-01T05:30:00-0430",
            "2026/08/01 10:00:00",
            "20260801T100000Z",
            "2026-08-01 10:00:00.000 UTC",
            "2026-08-01 10:00:00 +0000 UTC",
            "2026-08-01 18:00:00 +0800 CST m=+0.01",
            "Sat, 01 Aug 2026 10:00:00 GMT",
            "Sat, 1 Aug 2026 12:00:00 +0200",
            "Sat Aug  1 10:00:00 2026",
            "Sat Aug  1 10:00:00 UTC 2026",
            "Sat Aug 01 2026 12:00:00 GMT+0200 (Central European Summer Time)",
            "01/Aug/2026:10:00:00 +0000",
        ] {
            assert_eq!(time_text(text), Some(instant), "{text}");
        }
        assert_eq!(time_text("2026-08-01"), Some("2026-08-01T00:00:00Z".parse().unwrap()));
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "12:00",
            "01/08/2026 10:00:00",
            "Sun Aug 01 2026 10:00:00 GMT+0000",
            " (",
            " m=",
        ] {
            assert_eq!(time_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_told_from_what_is_no_time_at_all() {
        for text in ["09:59:50", "9:59", "09:59:50.123", "09:59:50,123", "23:59:59Z", " 00:00 "] {
            assert!(is_time_of_day(text), "{text}");
        }
        for text in ["", "24:00:00", "12:60", "12", "12:00 o'clock", "2026-08-01", "1785578400", "PT10:00"] {
            assert!(!is_time_of_day(text), "{text}");
        }
    }

    #[test]
    fn lengths_of_time_printed_as_floats_keep_twelve_places() {
        assert_eq!(quantity("8.470000267028809").unwrap().to_string(), "8.470000267029");
        assert_eq!(quantity("1e-13").unwrap().to_string(), "0");
        assert_eq!(quantity("-8.470000267028809"), Err(NumberError::Negative));
    }

    #[test]
    fn reported_and_stated_money_keeps_twelve_places() {
        assert_eq!(money("0.04708").unwrap().to_string(), "0.04708");
        assert_eq!(money("1.764e-4").unwrap().to_string(), "0.0001764");
        assert_eq!(money("0.1234567890123456").unwrap().to_string(), "0.123456789012");
        assert_eq!(money("NaN"), Err(NumberError::NotANumber));
    }
}
