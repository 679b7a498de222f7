//! Splits a shared charge: rows that move its money from the team that serves others to those who pay.
//!
//! The shared charge stays as it is. One row takes all of its money from its owner, one for each payer adds a share, and
//! together they are nothing: totals do not change, and the shares add up to the charge to the picodollar. What is true
//! of a charge is true of its reversal, whose rows are the same with the other sign.

use schemas::ids::hash_parts;
use schemas::{Allocation, Charge, ChargeClass, Costs, Dimensions, Money, Quantity, Text, UsageEvent};

use crate::owner::{Directory, Split};

/// The rows that split a charge by the directory it was attributed by; none when it is not shared or has no cost.
pub fn allocate(row: &Charge, directory: &Directory) -> Vec<Charge> {
    if row.class == ChargeClass::Allocation {
        return Vec::new();
    }
    match directory.split(&row.event, &row.owner) {
        Some(split) => split_by(row, directory, &split).unwrap_or_default(),
        None => Vec::new(),
    }
}

/// `None` when weights are too large to add up.
fn split_by(row: &Charge, directory: &Directory, split: &Split) -> Option<Vec<Charge>> {
    let mut total = Quantity::ZERO;
    for (_, weight) in &split.weights {
        total.accrue(*weight).ok()?;
    }
    let weights: Vec<u128> = split.weights.iter().map(|(_, weight)| weight.picos().unsigned_abs()).collect();
    let each =
        |amount: fn(&Costs) -> Option<Money>, costs: &Costs| amount(costs).map(|amount| shares(amount, &weights));
    let all = |costs: &Costs| -> Vec<Costs> {
        let list = each(|costs| costs.list, costs);
        let contracted = each(|costs| costs.contracted, costs);
        let effective = each(|costs| costs.effective, costs);
        let billed = each(|costs| costs.billed, costs);
        let of = |shares: &Option<Vec<Money>>, at: usize| shares.as_ref().and_then(|shares| shares.get(at).copied());
        (0..weights.len())
            .map(|at| Costs {
                currency: costs.currency.clone(),
                list: of(&list, at),
                contracted: of(&contracted, at),
                effective: of(&effective, at),
                billed: of(&billed, at),
            })
            .collect()
    };
    if [row.costs.list, row.costs.contracted, row.costs.effective, row.costs.billed].iter().all(Option::is_none) {
        return None;
    }
    let costs = all(&row.costs);
    let reporting = row.reporting.as_ref().map(all);
    let mut rows = vec![share(row, split, None, row.owner.clone(), total.negated(), total)];
    if let Some(whole) = rows.first_mut() {
        negate(&mut whole.costs);
        whole.reporting.iter_mut().for_each(negate);
    }
    for (at, (team, weight)) in split.weights.iter().enumerate() {
        let owner = directory.owner_in_place_of(&row.owner, team, row.event.event_time);
        let mut one = share(row, split, Some(team), owner, *weight, total);
        one.costs = costs.get(at)?.clone();
        one.reporting = reporting.as_ref().and_then(|reporting| reporting.get(at).cloned());
        rows.push(one);
    }
    Some(rows)
}

/// A row that moves money and nothing else: the usage was used once, by whoever used it.
fn share(
    row: &Charge,
    split: &Split,
    team: Option<&Text>,
    owner: Dimensions,
    weight: Quantity,
    weight_total: Quantity,
) -> Charge {
    let team = team.map_or("", Text::as_str);
    let parts = [b"allocation".as_slice(), &row.charge_id.0, split.rule.as_bytes(), team.as_bytes()];
    Charge {
        charge_id: hash_parts(parts),
        class: ChargeClass::Allocation,
        corrects: None,
        event: Box::new(UsageEvent {
            usage: Vec::new(),
            raw_usage: Text::default(),
            reported_cost: None,
            stated_cost: None,
            ..(*row.event).clone()
        }),
        requests: 0,
        lines: Vec::new(),
        unpriced: Vec::new(),
        counterfactuals: Vec::new(),
        owner,
        rule: Some(format!("shared:{}", split.rule).into()),
        allocation: Some(Allocation {
            shared_charge: row.charge_id,
            rule: format!("{}@{}", split.rule, row.directory_version).into(),
            method: split.method.as_str().into(),
            weight,
            weight_total,
        }),
        ..row.clone()
    }
}

fn negate(costs: &mut Costs) {
    for amount in [&mut costs.list, &mut costs.contracted, &mut costs.effective, &mut costs.billed] {
        amount.iter_mut().for_each(|amount| *amount = amount.negated());
    }
}

/// An amount in parts that add up to it: each its weight's share rounded towards zero, and the units left over to those
/// with the largest remainders, the first of equals. A negative amount is split as its opposite is.
pub(crate) fn shares(amount: Money, weights: &[u128]) -> Vec<Money> {
    let total: u128 = weights.iter().sum();
    let whole = amount.picos().unsigned_abs();
    let mut parts: Vec<(u128, u128)> = weights.iter().map(|weight| times_over(whole, *weight, total)).collect();
    let mut left = whole - parts.iter().map(|(part, _)| part).sum::<u128>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(parts[*at].1));
    for at in order {
        if left == 0 {
            break;
        }
        parts[at].0 += 1;
        left -= 1;
    }
    let sign = if amount.picos() < 0 { -1 } else { 1 };
    // A part is no more than the amount, which has 38 digits at most.
    parts.iter().map(|(part, _)| Money::from_picos(sign * *part as i128).unwrap_or_default()).collect()
}

/// `a * b / d` and what remains, exactly, for `b <= d < 2^127`: bit by bit, since the product may need 256 of them.
pub(crate) fn times_over(a: u128, b: u128, d: u128) -> (u128, u128) {
    if d == 0 {
        return (0, 0);
    }
    if let Some(product) = a.checked_mul(b) {
        return (product / d, product % d);
    }
    let (mut quotient, mut remainder) = (0u128, 0u128);
    for bit in (0..u128::BITS).rev() {
        quotient <<= 1;
        remainder <<= 1;
        if remainder >= d {
            remainder -= d;
            quotient += 1;
        }
        if (a >> bit) & 1 == 1 {
            remainder += b;
            if remainder >= d {
                remainder -= d;
                quotient += 1;
            }
        }
    }
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use schemas::ReferenceRow;
    use stream::reference::Compiled;

    use super::*;
    use crate::charge::{Cause, charge, reversal};
    use crate::owner::parse_owners;
    use crate::price::{PriceBook, parse_prices};
    use crate::sample::call;

    fn directory(shared: &str) -> Directory {
        let yaml = format!(
            "teams: [{{team: core}}, {{team: search, cost_center: cc-2}}, {{team: growth}}, {{team: ops}}]\n\
             keys: [{{key: k, owner: {{team: core, project: gateway, environment: production}}}}]\n\
             projects: [{{project: gateway, team: core}}]\n{shared}"
        );
        let rows = parse_owners(&[("owners.yaml".to_owned(), yaml)]).unwrap_or_else(|findings| panic!("{findings:?}"));
        Directory::compile("d7", &rows.iter().collect::<Vec<&ReferenceRow>>()).unwrap()
    }

    /// One call of `core` that costs ten dollars and a picodollar.
    fn shared_charge(directory: &Directory) -> Charge {
        let yaml = "provider: openai\ncurrency: USD\nskus: [{sku: o/gpt-5, models: [gpt-5], rates: [{per: 1, prices: {input_text_tokens: 10.000000000001}}]}]";
        let rows = parse_prices(&[("prices.yaml".to_owned(), yaml.to_owned())]).unwrap();
        let book = PriceBook::compile("b1", &rows.iter().collect::<Vec<_>>()).unwrap();
        let mut event = call("openai/gpt-5", "2026-10-20T12:00:00Z", "input_text_tokens 1");
        event.key_id = Some("k".into());
        charge(Box::new(event), &book, directory, 0, Cause::arrival("2026-10-20T12:00:01Z".parse().unwrap()), &[])
    }

    fn told(rows: &[Charge]) -> Vec<String> {
        let row = |row: &Charge| {
            let (team, project) = (row.owner.team.clone().unwrap_or_default(), row.owner.project.clone());
            format!("{team} {} {:?}", row.costs.effective.unwrap(), project.as_deref())
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn an_even_split_adds_up_to_the_picodollar() {
        let directory = directory("shared: [{id: gw, of: core, method: even, among: [search, growth, ops]}]");
        let rows = allocate(&shared_charge(&directory), &directory);
        let expected = [
            "core -10.000000000001 Some(\"gateway\")",
            "growth 3.333333333334 None",
            "ops 3.333333333334 None",
            "search 3.333333333333 None",
        ];
        assert_eq!(told(&rows), expected);
        assert_eq!(rows[3].owner.cost_center.as_deref(), Some("cc-2"));
        assert_eq!(rows[3].owner.environment.as_deref(), Some("production"));
        let allocation = rows[3].allocation.as_ref().unwrap();
        assert_eq!((allocation.rule.as_str(), allocation.method.as_str()), ("gw@d7", "even"));
        assert!(rows.iter().all(|row| row.requests == 0 && row.event.usage.is_empty() && row.lines.is_empty()));
    }

    #[test]
    fn a_reversal_takes_back_exactly_what_was_allocated() {
        let directory = directory("shared: [{id: gw, of: core, method: fixed, among: {search: \"2\", growth: \"1\"}}]");
        let row = shared_charge(&directory);
        let given = allocate(&row, &directory);
        let taken = allocate(&reversal(row, Cause::arrival("2026-11-01".parse().unwrap())), &directory);
        assert_eq!(told(&given)[2], "search 6.666666666667 None");
        for (given, taken) in given.iter().zip(&taken) {
            assert_eq!(
                (&given.owner, given.costs.effective),
                (&taken.owner, taken.costs.effective.map(Money::negated))
            );
            assert_ne!(given.charge_id, taken.charge_id);
        }
    }

    #[test]
    fn proportions_hold_in_the_period_they_were_computed_for_and_until_then_nothing_is_split() {
        let rule = "shared: [{id: gw, of: core, method: proportional_to_usage, among: [search, growth]}]\n";
        let unknown = directory(rule);
        assert_eq!(told(&allocate(&shared_charge(&unknown), &unknown)), Vec::<String>::new());
        let weights = |from: &str, to: &str| {
            format!(
                "{rule}weights: [{{shared: gw, weights: {{search: \"3\", growth: \"0\"}}, valid_from: {from}, valid_to: {to}}}]"
            )
        };
        let known = directory(&weights("2026-10-01", "2026-11-01"));
        let rows = allocate(&shared_charge(&known), &known);
        assert_eq!(told(&rows)[1..], ["search 10.000000000001 None"]);
        let other = directory(&weights("2026-09-01", "2026-10-01"));
        assert!(allocate(&shared_charge(&other), &other).is_empty());
    }

    #[test]
    fn any_amount_is_conserved_whatever_the_weights() {
        let mut state = 7u128;
        let mut next = || {
            state = state.wrapping_mul(0x2360ed051fc65da44385df649fccf645).wrapping_add(0x5851f42d4c957f2d);
            state >> 2
        };
        for _ in 0..2_000 {
            let bound = 10u128.pow((next() % 38) as u32);
            let amount = Money::from_picos((next() % bound.max(1)) as i128).unwrap();
            let weights: Vec<u128> =
                (0..1 + next() % 7).map(|_| 1 + next() % 10u128.pow((next() % 37) as u32)).collect();
            let parts = shares(amount, &weights);
            assert_eq!(parts.iter().map(|part| part.picos()).sum::<i128>(), amount.picos(), "{weights:?}");
            let negative: Vec<Money> = parts.iter().map(|part| part.negated()).collect();
            assert_eq!(shares(amount.negated(), &weights), negative);
        }
    }

    #[test]
    fn long_division_agrees_with_the_short_one() {
        for (a, b, d) in [(10, 3, 7), (u128::from(u64::MAX), 5, 9), (0, 1, 1), (7, 7, 7)] {
            assert_eq!(times_over(a, b, d), (a * b / d, a * b % d));
        }
        let huge = 10u128.pow(37);
        assert_eq!(times_over(huge, huge / 3, huge), (huge / 3, 0));
    }
}
