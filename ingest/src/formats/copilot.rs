//! What GitHub Copilot adds to the answers of those it asks for its users: `copilot_usage`, what they take of its credits. Its users
//! pay by seats and credits, so an answer itself is not billed; what it takes is kept as an estimate (answers that others published,
//! read 2026-11-30).

use schemas::{CostBasis, ReportedCost, Text};

use crate::assemble::Call;
use crate::json::Object;
use crate::number;

pub(super) const PROVIDER: &str = "github";

/// True for an answer that Copilot passed on.
pub(super) fn is_told(object: &Object<'_>) -> bool {
    object.object("copilot_usage").is_some()
}

/// Says who served an answer that Copilot passed on, and what it takes of the credits.
pub(super) fn told(object: &Object<'_>, call: &mut Call<'_>) {
    let Some(usage) = object.object("copilot_usage") else { return };
    call.provider = Some(Text::const_new(PROVIDER));
    call.cost_basis = Some(CostBasis::Included);
    // A credit is a cent, and is counted in billionths.
    let digits = usage.get("total_nano_aiu").and_then(|amount| amount.number());
    let dollars = digits.and_then(|digits| number::money(&format!("{digits}e-11")).ok());
    call.reported_cost =
        dollars.map(|amount| ReportedCost { amount, currency: "USD".into(), basis: "estimate_of_provider".into() });
}
