//! Exact amounts: [`Money`] in picounits of a currency, [`Quantity`] in picounits of a meter, [`Price`] per quantity.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::wire::{Reader, Wire, WireError, put_bytes};

/// Picounits in one unit: the scale of [`Money`] and [`Quantity`] is 10^-12.
pub const PICO: i128 = 1_000_000_000_000;

/// Largest magnitude that fits `DECIMAL(38,12)`.
const LIMIT: i128 = 10i128.pow(38) - 1;

/// True for what is written like an ISO 4217 code: three capital letters. Which codes exist is not looked up.
pub fn is_currency_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Thousandths as people read them: in percent, with one place and the sign.
pub fn per_mille(thousandths: i128) -> String {
    let (sign, size) = (if thousandths < 0 { "-" } else { "" }, thousandths.unsigned_abs());
    format!("{sign}{}.{} %", size / 10, size % 10)
}

/// An amount left the range of `DECIMAL(38,12)`, or a text is not such an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The result needs more than 38 digits.
    #[error("amount needs more than 38 digits")]
    Overflow,
    /// The text is not a decimal number with at most 12 places.
    #[error("{0:?} is not a decimal number with at most 12 decimal places")]
    Malformed(String),
}

macro_rules! amount {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i128);

        impl $name {
            /// Nothing.
            pub const ZERO: $name = $name(0);

            /// From whole picounits; `None` beyond 38 digits.
            pub const fn from_picos(picos: i128) -> Option<Self> {
                if picos > LIMIT || picos < -LIMIT { None } else { Some($name(picos)) }
            }

            /// From whole units.
            pub const fn from_units(units: i64) -> Self {
                $name(units as i128 * PICO)
            }

            /// Whole picounits.
            pub const fn picos(self) -> i128 {
                self.0
            }

            /// True when nothing.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The sum; an error beyond 38 digits, never a wrap.
            pub fn checked_add(self, other: Self) -> Result<Self, AmountError> {
                self.0.checked_add(other.0).and_then(Self::from_picos).ok_or(AmountError::Overflow)
            }

            /// The difference; an error beyond 38 digits, never a wrap.
            pub fn checked_sub(self, other: Self) -> Result<Self, AmountError> {
                self.0.checked_sub(other.0).and_then(Self::from_picos).ok_or(AmountError::Overflow)
            }

            /// Adds `other` to this amount; on overflow this amount is unchanged.
            pub fn accrue(&mut self, other: Self) -> Result<(), AmountError> {
                *self = self.checked_add(other)?;
                Ok(())
            }

            /// The same amount with the other sign.
            pub const fn negated(self) -> Self {
                $name(-self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&picos_to_text(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = AmountError;
            fn from_str(text: &str) -> Result<Self, AmountError> {
                picos_from_text(text).and_then(|picos| Self::from_picos(picos).ok_or(AmountError::Overflow))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Wire for $name {
            fn schema(_: &mut BTreeSet<&'static str>) -> Value {
                json!({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 12})
            }
            fn put(&self, out: &mut Vec<u8>) {
                put_decimal(out, self.0);
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
                Self::from_picos(get_decimal(from)?).ok_or_else(|| from.invalid("amount needs more than 38 digits"))
            }
            fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
                from.skip_bytes()
            }
            fn schema_default() -> Option<Value> {
                Some(json!("\u{0}"))
            }
        }
    };
}

amount! {
    /// An amount of a currency that is stated beside it, in whole 10^-12 units. Text form is a plain decimal string.
    Money
}
amount! {
    /// A quantity of a meter (tokens, seconds, images, ...), in whole 10^-12 units of the meter.
    Quantity
}

/// By their exponents; reckoning one takes longer than everything else that writing a price takes.
const POWERS_OF_TEN: [i128; Price::SCALE as usize + 1] = {
    let mut powers = [1; Price::SCALE as usize + 1];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// A price for some quantity of a meter, exact. Avro `decimal(38,18)`; text form is a plain decimal string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Price(#[serde(with = "rust_decimal::serde::str")] pub Decimal);

impl Price {
    /// Decimal places on the wire.
    pub const SCALE: u32 = 18;

    /// The price in units of 10^-18, as it is written.
    ///
    /// A price with more than 18 places is refused when a price book is built; here the rest would be cut.
    pub fn scaled(self) -> i128 {
        match self.0.scale() {
            scale if scale <= Self::SCALE => {
                self.0.mantissa().saturating_mul(POWERS_OF_TEN[(Self::SCALE - scale) as usize])
            }
            scale => self.0.mantissa() / 10i128.pow(scale - Self::SCALE),
        }
    }

    /// The price of these units of 10^-18; `None` when it needs more than 28 digits.
    pub fn from_scaled(mut mantissa: i128) -> Option<Self> {
        const NINE_PLACES: i128 = 1_000_000_000;
        let mut scale = Self::SCALE;
        // Divisions of 128 bits cost ten times those of 64, and every line of every charge comes by here.
        while scale >= 9 && mantissa % NINE_PLACES == 0 {
            mantissa /= NINE_PLACES;
            scale -= 9;
        }
        if let Ok(mut small) = i64::try_from(mantissa) {
            while scale > 0 && small % 10 == 0 {
                small /= 10;
                scale -= 1;
            }
            return Decimal::try_from_i128_with_scale(i128::from(small), scale).ok().map(Price);
        }
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Decimal::try_from_i128_with_scale(mantissa, scale).ok().map(Price)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.normalize().to_string())
    }
}

impl Wire for Price {
    fn schema(_: &mut BTreeSet<&'static str>) -> Value {
        json!({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18})
    }
    fn put(&self, out: &mut Vec<u8>) {
        put_decimal(out, self.scaled());
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let scaled = get_decimal(from)?;
        Price::from_scaled(scaled).ok_or_else(|| from.invalid("price needs more than 28 digits"))
    }
    fn skip(from: &mut Reader<'_>) -> Result<(), WireError> {
        from.skip_bytes()
    }
    fn schema_default() -> Option<Value> {
        Some(json!("\u{0}"))
    }
}

/// Big-endian two's complement in as few bytes as hold the sign, as Avro's `decimal` wants it.
fn put_decimal(out: &mut Vec<u8>, value: i128) {
    // Bits that differ from the sign, and one for the sign itself.
    let bits = 129 - (value ^ (value >> 127)).leading_zeros();
    put_bytes(out, &value.to_be_bytes()[16 - bits.div_ceil(8) as usize..]);
}

fn get_decimal(from: &mut Reader<'_>) -> Result<i128, WireError> {
    let length = from.length()?;
    if length == 0 || length > 16 {
        return Err(from.invalid("decimal is not 1 to 16 bytes long"));
    }
    let bytes = from.take(length)?;
    let mut value = if bytes[0] & 0x80 == 0 { [0x00; 16] } else { [0xff; 16] };
    value[16 - length..].copy_from_slice(bytes);
    Ok(i128::from_be_bytes(value))
}

fn picos_to_text(picos: i128) -> String {
    let sign = if picos < 0 { "-" } else { "" };
    let magnitude = picos.unsigned_abs();
    let (whole, fraction) = (magnitude / PICO as u128, magnitude % PICO as u128);
    let text = format!("{sign}{whole}.{fraction:012}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn picos_from_text(text: &str) -> Result<i128, AmountError> {
    let malformed = || AmountError::Malformed(text.chars().take(60).collect());
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > 12 || digits.ends_with('.') {
        return Err(malformed());
    }
    let units: i128 = whole.parse().map_err(|_| AmountError::Overflow)?;
    let picos: i128 = format!("{fraction:0<12}").parse().map_err(|_| malformed())?;
    let value = units.checked_mul(PICO).and_then(|v| v.checked_add(picos)).ok_or(AmountError::Overflow)?;
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(picos: i128) {
        let mut bytes = Vec::new();
        let money = Money::from_picos(picos).expect("test amounts are in range");
        money.put(&mut bytes);
        assert_eq!(Money::get(&mut Reader::new(&bytes)), Ok(money));
        let shorter = [&[bytes[0] - 2], &bytes[2..]].concat();
        assert_ne!(Money::get(&mut Reader::new(&shorter)), Ok(money), "a byte too many was written");
        assert_eq!(money.to_string().parse(), Ok(money));
    }

    #[test]
    fn every_amount_survives_the_wire_and_its_text() {
        for edge in [0, 1, 127, 128, 255, 256, 32_767, 32_768, PICO, LIMIT] {
            round_trip(edge);
            round_trip(-edge);
        }
    }

    #[test]
    fn sums_beyond_38_digits_are_an_error_and_change_nothing() {
        let mut most = Money::from_picos(LIMIT).expect("the limit is in range");
        assert_eq!(most.accrue(Money::from_picos(1).expect("in range")), Err(AmountError::Overflow));
        assert_eq!(most.picos(), LIMIT);
    }

    #[test]
    fn a_price_has_one_form_however_it_was_written() {
        for mantissa in [0, 1, 10, 75, 2_500, 1_000_000_007, 9_223_372_036_854_775_807, 12_345_678_901_234_567_891] {
            for places in 0..=18 {
                for sign in [1, -1] {
                    let price = Price(Decimal::from_i128_with_scale(sign * mantissa, places));
                    let read = Price::from_scaled(price.scaled()).unwrap();
                    assert_eq!(read.0.to_string(), price.0.normalize().to_string());
                }
            }
        }
    }

    #[test]
    fn text_that_is_not_an_amount_is_refused() {
        for bad in ["", "-", ".", "1.", ".5", "1e3", "+1", "0.0000000000001", "1_000", "NaN", " 1"] {
            assert!(bad.parse::<Money>().is_err(), "{bad:?} was taken for an amount");
        }
    }
}
