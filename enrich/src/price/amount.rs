//! Exact sums of products, rounded once.

use rust_decimal::Decimal;

/// Greatest common divisor of two positive numbers.
pub(crate) fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Least common multiple of two positive numbers, if it is at most `limit`.
pub(crate) fn lcm(a: i128, b: i128, limit: i128) -> Option<i128> {
    (a / gcd(a, b)).checked_mul(b).filter(|multiple| *multiple <= limit)
}

/// `price / per` as a reduced fraction, both parts below 10^38.
pub(crate) fn fraction(price: Decimal, per: i64) -> Option<(i128, i128)> {
    let mantissa = price.mantissa();
    let denominator = 10i128.pow(price.scale()).checked_mul(i128::from(per))?;
    let common = gcd(mantissa.abs(), denominator).max(1);
    Some((mantissa / common, denominator / common))
}

/// `numerator / denominator` to the nearest whole number, halves to the even one. The denominator is positive.
pub(crate) fn round_half_even(numerator: i128, denominator: i128) -> i128 {
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    // Not `2 * rest`, which could overflow.
    match rest.cmp(&(denominator - rest)) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + (floor & 1),
    }
}

/// Splits a rounded sum over its parts so that they add up to it: every part is rounded down, and what is left goes, one
/// unit each, to the parts with the largest remainders; equal remainders in the order of the parts.
///
/// Returns the rounded sum; the parts, given as numerators, become whole numbers in place. `None` on overflow.
pub(crate) fn share(parts: &mut [i128], denominator: i128) -> Option<i128> {
    let mut sum = 0i128;
    for part in parts.iter() {
        sum = sum.checked_add(*part)?;
    }
    let total = round_half_even(sum, denominator);
    if let [only] = parts {
        *only = total;
        return Some(total);
    }
    let mut remainders = smallvec::SmallVec::<[(i128, usize); 8]>::new();
    let mut floors = 0i128;
    for (index, part) in parts.iter_mut().enumerate() {
        let rest = part.rem_euclid(denominator);
        *part = part.div_euclid(denominator);
        floors += *part;
        if rest != 0 {
            remainders.push((rest, index));
        }
    }
    let left = usize::try_from(total - floors).ok()?;
    if left > 0 {
        remainders.sort_unstable_by_key(|(rest, index)| (std::cmp::Reverse(*rest), *index));
        for (_, index) in remainders.iter().take(left) {
            parts[*index] += 1;
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let rounded: Vec<i128> = [-5, -3, -1, 0, 1, 2, 3, 5, 7].map(|n| round_half_even(n, 2)).to_vec();
        assert_eq!(rounded, [-2, -2, 0, 0, 0, 1, 2, 2, 4]);
        assert_eq!(round_half_even(i128::MAX - 1, i128::MAX), 1);
    }

    #[test]
    fn parts_add_up_to_the_rounded_sum() {
        for (numerators, denominator) in
            [(vec![1, 1, 1], 3), (vec![5, 5, 5], 10), (vec![1, 2, 3, 4], 7), (vec![99, 1], 100), (vec![0, 0], 9)]
        {
            let sum: i128 = numerators.iter().sum();
            let mut parts = numerators.clone();
            let total = share(&mut parts, denominator).unwrap();
            assert_eq!(total, round_half_even(sum, denominator), "{numerators:?}");
            assert_eq!(parts.iter().sum::<i128>(), total, "{numerators:?} became {parts:?}");
        }
    }
}
