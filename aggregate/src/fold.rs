//! What one charge adds to sums.

use schemas::{AmountError, ChargeClass, Costs, Meter, Money, PricingStatus, Quantity, Sums, WindowKey};

use crate::spend::Spend;

/// The costs that are summed: in the reporting currency where there are any, else in the charge's own.
pub fn summed(charge: &Spend) -> &Costs {
    match &charge.reporting {
        Some(reporting) if reporting.effective.is_some() || charge.costs.effective.is_none() => reporting,
        _ => &charge.costs,
    }
}

/// The effective cost in one currency: the summed one if it is in that currency, else the charge's own if that is.
/// `None` when neither is; zero when the charge has no price.
pub fn effective_in(charge: &Spend, currency: &str) -> Option<Money> {
    let costs = [summed(charge), &charge.costs].into_iter().find(|costs| costs.currency == currency)?;
    Some(priced(charge, costs.effective))
}

/// Money without a price is never counted.
fn priced(charge: &Spend, amount: Option<Money>) -> Money {
    if charge.status == PricingStatus::Unpriced { Money::ZERO } else { amount.unwrap_or_default() }
}

/// The key a charge is kept by.
pub fn window_key(charge: &Spend) -> WindowKey {
    WindowKey {
        tenant: charge.event.tenant.clone(),
        team: charge.owner.team.clone(),
        project: charge.owner.project.clone(),
        environment: charge.owner.environment.clone(),
        provider: charge.event.provider.clone(),
        model: charge.event.model.clone(),
        use_case: charge.owner.use_case.clone(),
        currency: summed(charge).currency.clone(),
    }
}

/// What a charge adds. Money and requests carry their own sign; quantities do not, because a reversal repeats the event it
/// takes back and what of it had no price, so there the class decides.
///
/// # Errors
/// When the usage of one call leaves 38 digits.
pub fn sums(charge: &Spend) -> Result<Sums, AmountError> {
    let costs = summed(charge);
    let requests = i64::from(charge.requests);
    let open = matches!(charge.status, PricingStatus::Unpriced | PricingStatus::Partial);
    let mut sums = Sums {
        charges: 1,
        requests,
        list: priced(charge, costs.list),
        contracted: priced(charge, costs.contracted),
        effective: priced(charge, costs.effective),
        unpriced_requests: if open { requests } else { 0 },
        ..Sums::default()
    };
    let signed = |quantity: Quantity| match charge.class {
        ChargeClass::Original | ChargeClass::Replacement => quantity,
        ChargeClass::Reversal => quantity.negated(),
        // An allocation moves money: the tokens were used once, by whoever used them.
        ChargeClass::Allocation => Quantity::ZERO,
    };
    for metered in &charge.event.usage {
        let quantity = signed(metered.quantity);
        if let Some(sum) = tokens(&mut sums, metered.meter) {
            sum.accrue(quantity)?;
        }
        if metered.meter == Meter::OutputReasoningTokens {
            sums.reasoning_tokens.accrue(quantity)?;
        }
    }
    for unpriced in charge.unpriced.iter().filter(|unpriced| unpriced.meter.is_tokens()) {
        sums.unpriced_tokens.accrue(signed(unpriced.quantity))?;
    }
    Ok(sums)
}

/// The sum a meter belongs to; `None` for what is not tokens.
fn tokens(sums: &mut Sums, meter: Meter) -> Option<&mut Quantity> {
    match meter {
        Meter::CacheReadTextTokens | Meter::CacheReadAudioTokens | Meter::CacheReadImageTokens => {
            Some(&mut sums.cache_read_tokens)
        }
        Meter::CacheWrite5mTokens | Meter::CacheWrite1hTokens => Some(&mut sums.cache_write_tokens),
        meter if meter.is_input_tokens() => Some(&mut sums.input_tokens),
        meter if meter.is_tokens() => Some(&mut sums.output_tokens),
        _ => None,
    }
}

/// Adds sums to sums.
///
/// # Errors
/// When a sum leaves 38 digits.
pub fn accrue(sums: &mut Sums, more: &Sums) -> Result<(), AmountError> {
    sums.charges += more.charges;
    sums.requests += more.requests;
    sums.list.accrue(more.list)?;
    sums.contracted.accrue(more.contracted)?;
    sums.effective.accrue(more.effective)?;
    sums.unpriced_requests += more.unpriced_requests;
    sums.unpriced_tokens.accrue(more.unpriced_tokens)?;
    sums.input_tokens.accrue(more.input_tokens)?;
    sums.cache_read_tokens.accrue(more.cache_read_tokens)?;
    sums.cache_write_tokens.accrue(more.cache_write_tokens)?;
    sums.output_tokens.accrue(more.output_tokens)?;
    sums.reasoning_tokens.accrue(more.reasoning_tokens)
}

#[cfg(test)]
mod tests {
    use schemas::projection::project;
    use schemas::{Charge, Metered};

    use super::*;
    use crate::testing::{charge, money, reversal};

    fn used(meter: Meter, units: i64) -> Metered {
        Metered { meter, quantity: Quantity::from_units(units) }
    }

    fn sums(charge: &Charge) -> Result<Sums, AmountError> {
        super::sums(&project(charge).unwrap())
    }

    fn every_token() -> Charge {
        let mut charge = charge(1, "platform", "1", "2026-11-22T10:00:00Z");
        let tokens = Meter::ALL.iter().filter(|meter| meter.is_tokens());
        charge.event.usage = tokens.map(|meter| used(*meter, 1)).chain([used(Meter::WebSearches, 9)]).collect();
        charge
    }

    #[test]
    fn every_token_is_in_exactly_one_sum() {
        let sums = sums(&every_token()).unwrap();
        let [input, read, write, output] =
            [sums.input_tokens, sums.cache_read_tokens, sums.cache_write_tokens, sums.output_tokens]
                .map(|quantity| quantity.picos() / schemas::PICO);
        assert_eq!((input, read, write, output), (4, 3, 2, 4));
        assert_eq!(input + read + write + output, Meter::ALL.iter().filter(|meter| meter.is_tokens()).count() as i128);
        assert_eq!(sums.reasoning_tokens, Quantity::from_units(1));
    }

    #[test]
    fn a_charge_and_its_reversal_add_up_to_two_rows() {
        let mut original = every_token();
        original.status = PricingStatus::Partial;
        original.unpriced = vec![schemas::UnpricedMeter {
            meter: Meter::InputAudioTokens,
            quantity: Quantity::from_units(1),
            reason: "unknown_meter".into(),
        }];
        let mut total = sums(&original).unwrap();
        assert_eq!((total.unpriced_requests, total.unpriced_tokens), (1, Quantity::from_units(1)));
        accrue(&mut total, &sums(&reversal(&original, "2026-11-22T11:00:00Z")).unwrap()).unwrap();
        assert_eq!(total, Sums { charges: 2, ..Sums::default() });
    }

    #[test]
    fn an_allocation_moves_money_and_no_tokens() {
        let mut share = every_token();
        share.class = ChargeClass::Allocation;
        share.requests = 0;
        let amount = money("1");
        let expected = Sums { charges: 1, list: amount, contracted: amount, effective: amount, ..Sums::default() };
        assert_eq!(sums(&share).unwrap(), expected);
    }
}
