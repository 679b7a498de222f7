//! Searches that houses buy for their agents: each answer is one, billed by the search (Perplexity), at the price it states (Exa), or
//! in credits (Tavily, which states them where it was asked to). What was found is not read. (Answers that others published and their
//! descriptions of the APIs, read 2026-11-30; <https://docs.exa.ai/reference/search>,
//! <https://docs.tavily.com/documentation/api-reference/endpoint/search> and
//! <https://docs.perplexity.ai/api-reference/search-post>, not opened.)

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope;
use crate::json::Object;
use crate::problem::Result;
use crate::usage::{Counts, raw};

/// Who found something, if it is an answer of one of them, and by which fields that is told.
pub(crate) fn told(object: &Object<'_>) -> Option<(&'static str, &'static str)> {
    if object.object("costDollars").is_some_and(|cost| cost.has("total")) {
        let asked = ["results", "answer", "requestId"].iter().any(|name| object.has(name));
        return asked.then_some(("exa", "costDollars"));
    }
    let credited = || object.object("usage").is_some_and(|usage| usage.has("credits"));
    if object.has("results")
        && (object.has("query") || object.has("failed_results"))
        && (object.has("response_time") || credited())
    {
        return Some(("tavily", "results and response_time"));
    }
    let alone = || object.iter().all(|(name, _)| matches!(name, "id" | "results" | "server_time"));
    let dated = |found: Object<'_>| ["url", "snippet", "last_updated"].iter().all(|name| found.has(name));
    let found = object.has("results") && object.has("id") && alone() && object.first_of("results").is_some_and(dated);
    found.then_some(("perplexity", "results with snippet and last_updated"))
}

/// The fields by which a search is told.
pub(crate) fn evidence(object: &Object<'_>) -> Option<&'static str> {
    told(object).map(|(_, evidence)| evidence)
}

/// One search, or the pages that were fetched.
pub(crate) fn answer<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("search.answer", "search", precedence::PROVIDER);
    let (provider, _) = told(object).unwrap_or(("unknown", ""));
    call.usual_provider = provider;
    for name in ["requestId", "request_id", "id"] {
        if call.response_id.is_none() {
            call.response_id = envelope::text(object, name)?;
        }
    }
    let mut part = Part::default();
    call.raw_usage = Cow::Borrowed("{}");
    match provider {
        "exa" => {
            let cost = object.object("costDollars").unwrap_or_default();
            call.reported_cost = envelope::cost(&cost, "total", "billed_by_provider")?;
            call.raw_usage = Cow::Borrowed(raw(object.get("costDollars")));
            part.usage.add(Meter::SearchQueries, 1);
        }
        "tavily" => {
            let usage = object.object("usage").unwrap_or_default();
            call.raw_usage = Cow::Borrowed(raw(object.get("usage")));
            match Counts::new(&usage, "usage").quantity("credits")? {
                Some(credits) => part.usage.add_quantity(Meter::Credits, credits),
                None => part.flags.set(Flag::UsageMissing),
            }
        }
        _ => part.usage.add(Meter::SearchQueries, 1),
    }
    call.parts = smallvec![part];
    Ok(call)
}
