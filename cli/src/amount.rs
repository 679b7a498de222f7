//! Amounts as people read them: thousands separated, rounded half-even for the eye, exact where it counts.

use schemas::{Money, PICO, Quantity, per_mille};

/// A whole number with its thousands separated.
pub fn count(number: i64) -> String {
    let digits = group(&number.unsigned_abs().to_string());
    if number < 0 { format!("-{digits}") } else { digits }
}

/// An amount rounded to this many decimal places (at most 12), thousands separated.
pub fn money(amount: Money, places: u32) -> String {
    decimal(amount.picos(), places)
}

/// An amount whole, thousands separated, as many places as it has but at least two.
pub fn exact(amount: Money) -> String {
    let mut places = 12;
    let mut rest = amount.picos().unsigned_abs() % PICO as u128;
    while places > 2 && rest.is_multiple_of(10) {
        rest /= 10;
        places -= 1;
    }
    decimal(amount.picos(), places)
}

/// A quantity rounded to a whole number.
pub fn quantity(quantity: Quantity) -> String {
    decimal(quantity.picos(), 0)
}

/// A share in percent with one place, rounded half-even; `None` of nothing.
pub fn share(part: Money, whole: Money) -> Option<String> {
    let (part, whole) = (part.picos().checked_mul(1_000)?, whole.picos());
    let (cut, rest) = (part.checked_div(whole)?, (part % whole).unsigned_abs());
    let (half, away) = (rest.cmp(&(whole.unsigned_abs() - rest)), if (part < 0) == (whole < 0) { 1 } else { -1 });
    let up = half.is_gt() || (half.is_eq() && cut % 2 != 0);
    Some(per_mille(if up { cut + away } else { cut }))
}

/// As [`share`], cut off: what is not reached must not look reached.
pub fn reached(part: Money, whole: Money) -> Option<String> {
    part.picos().checked_mul(1_000)?.checked_div(whole.picos()).map(per_mille)
}

/// A multiple of 10^-12 with this many places, rounded half-even.
fn decimal(picos: i128, places: u32) -> String {
    let places = places.min(12);
    let step = 10u128.pow(12 - places);
    let magnitude = picos.unsigned_abs();
    let (mut whole, rest) = (magnitude / step, magnitude % step);
    if rest * 2 > step || (rest * 2 == step && whole % 2 == 1) {
        whole += 1;
    }
    let unit = 10u128.pow(places);
    let mut text = group(&(whole / unit).to_string());
    if places > 0 {
        text = format!("{text}.{:0width$}", whole % unit, width = places as usize);
    }
    if picos < 0 && whole > 0 { format!("-{text}") } else { text }
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_and_rounded_for_the_eye_only() {
        let amount: Money = "1234567.005".parse().unwrap();
        assert_eq!(money(amount, 2), "1,234,567.00");
        assert_eq!(exact(amount), "1,234,567.005");
        assert_eq!(exact("-12".parse().unwrap()), "-12.00");
        assert_eq!(money("0.125".parse().unwrap(), 2), "0.12");
        assert_eq!(money("0.375".parse().unwrap(), 2), "0.38");
        assert_eq!(money("-0.001".parse().unwrap(), 2), "0.00");
        assert_eq!(count(-1_234), "-1,234");
        assert_eq!(share("1".parse().unwrap(), "3".parse().unwrap()).as_deref(), Some("33.3 %"));
        assert_eq!(share(Money::ZERO, Money::ZERO), None);
    }

    #[test]
    fn shares_keep_their_sign_and_are_rounded_but_for_those_of_budgets() {
        let of = |how: fn(Money, Money) -> Option<String>, part: &str, whole: &str| {
            how(part.parse().unwrap(), whole.parse().unwrap()).unwrap()
        };
        for (part, whole, rounded, cut) in [
            ("2", "3", "66.7 %", "66.6 %"),
            ("0.9999", "1", "100.0 %", "99.9 %"),
            ("0.0005", "1", "0.0 %", "0.0 %"),
            ("0.0015", "1", "0.2 %", "0.1 %"),
            ("-30.005", "5000", "-0.6 %", "-0.6 %"),
            ("-2", "3", "-66.7 %", "-66.6 %"),
            ("-0.005", "1", "-0.5 %", "-0.5 %"),
        ] {
            assert_eq!((of(share, part, whole).as_str(), of(reached, part, whole).as_str()), (rounded, cut), "{part}");
        }
    }
}
