//! Rows of Snowflake's views of what Cortex used. Requests of its REST API count both ways apart
//! (<https://docs.snowflake.com/sql-reference/account-usage/cortex_rest_api_usage_history>, read in a copy 2026-11-29); functions in
//! queries, agents and its coding assistant state the credits that are billed. The hourly view adds the queries up.

use std::borrow::Cow;

use schemas::Meter;
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::{self, Envelope};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::number;
use crate::problem::{Problem, Result};
use crate::usage::Counts;

const CREDITS: [&str; 4] = ["TOKEN_CREDITS", "token_credits", "CREDITS", "credits"];
const QUERY: [&str; 4] = ["QUERY_ID", "query_id", "REQUEST_ID", "request_id"];
const GRANULAR: [&str; 2] = ["TOKENS_GRANULAR", "tokens_granular"];

/// True for a row of one of the views.
pub(crate) fn is_row(object: &Object<'_>) -> bool {
    let used = || object.first(&["TOKENS", "tokens", "METRICS", "metrics"]).is_some();
    let credits = object.has("TOKEN_CREDITS") || object.has("token_credits");
    (credits && used())
        || consumed(object).is_some()
        || object.first(&GRANULAR).is_some()
        || (object.has("FUNCTION_NAME") && object.has("MODEL_NAME") && object.has("CREDITS"))
}

pub(crate) fn row<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    if let Some(consumed) = consumed(object) {
        let call = of_an_agent(&consumed)?;
        out.call(call, envelope, json);
        return Ok(());
    }
    let Some((id, _)) = object.first(&QUERY) else {
        out.ignore(IgnoreReason::RunSummary);
        return Ok(());
    };
    let mut call = Call::new("snowflake.usage", "chat", precedence::PROVIDER);
    call.usual_provider = "snowflake";
    for name in ["MODEL_NAME", "model_name"] {
        call.model = call.model.or(envelope::text(object, name)?);
    }
    for name in ["USAGE_TIME", "usage_time", "START_TIME", "start_time"] {
        call.time = call.time.or(envelope::time(object, name)?);
    }
    let mut part = Part::default();
    if let Some((input, output)) = by_side(object) {
        part.usage.add(Meter::InputTextTokens, input);
        part.usage.add(Meter::OutputTextTokens, output);
        call.raw_usage = Cow::Owned(format!("{{\"input\":{input},\"output\":{output}}}"));
    } else {
        let (name, credits) =
            object.first(&CREDITS).ok_or_else(|| Problem::missing("TOKEN_CREDITS", "the row states what it cost"))?;
        let digits = credits.string().unwrap_or(Cow::Borrowed(credits.text()));
        let quantity = number::quantity(&digits).map_err(|error| Problem::digits(name, &digits, error))?;
        part.usage.add_quantity(Meter::Credits, quantity);
        call.raw_usage = Cow::Owned(format!("{{\"credits\":\"{quantity}\"}}"));
    }
    call.parts = smallvec![part];
    // A query may call several functions and models.
    let function = envelope::text(object, "FUNCTION_NAME")?.or(envelope::text(object, "function_name")?);
    let id = envelope::text(object, id)?.unwrap_or_default();
    let parts = [Some(id), function, call.model.clone()];
    envelope.event_id = Some(Cow::Owned(parts.into_iter().flatten().collect::<Vec<_>>().join("/")));
    envelope.source = Some(Cow::Borrowed("snowflake"));
    for name in ["INFERENCE_REGION", "inference_region"] {
        envelope.price_context.region = envelope.price_context.region.or(envelope::owned(object, name)?);
    }
    for name in ["USER_NAME", "user_name", "USER_ID", "user_id"] {
        if envelope.claimed.user.is_none()
            && let Some(user) = envelope::text(object, name)?
        {
            envelope.claim_user(&user, out.config);
        }
    }
    out.call(call, envelope, json);
    Ok(())
}

/// The tokens of a request of the REST API; other views split theirs by service and model, and are billed by their credits.
fn by_side(object: &Object<'_>) -> Option<(i64, i64)> {
    let (_, value) = object.first(&GRANULAR)?;
    let text = value.string().unwrap_or(Cow::Borrowed(value.text()));
    let (_, sides) = Json::parse_object(&text)?;
    let count = |name: &str| number::count(sides.get(name)?.number()?).ok();
    if sides.iter().any(|(name, _)| name != "input" && name != "output") {
        return None;
    }
    count("input").map(|input| (input, count("output").unwrap_or(0)))
}

/// What an agent of Cortex says that each of its models used, in the last message of a run.
fn consumed<'a>(object: &Object<'a>) -> Option<Vec<Json<'a>>> {
    object.object("metadata")?.object("usage")?.array("tokens_consumed")
}

/// A run of an agent: an event for each of its models. What was read from a cache and written to it is inside the total of the input
/// (<https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-agents-run>, not opened: from knowledge of it, 2026-11-30).
fn of_an_agent<'a>(consumed: &[Json<'a>]) -> Result<Call<'a>> {
    let mut call = Call::new("snowflake.usage", "chat", precedence::PROVIDER);
    call.provider = Some("snowflake".into());
    call.usual_provider = "snowflake";
    for (index, used) in consumed.iter().enumerate() {
        let path = format!("metadata.usage.tokens_consumed[{index}]");
        let used = used.object().ok_or_else(|| Problem::wrong_type(&path, *used, "an object"))?;
        let counts = Counts::new(&used, &path);
        let input = counts.inner("input_tokens")?.unwrap_or_default();
        let output = counts.inner("output_tokens")?.unwrap_or_default();
        let (input, output) = (counts.within("input_tokens", &input), counts.within("output_tokens", &output));
        let (read, written) = (input.or_zero("cache_read")?, input.or_zero("cache_write")?);
        let uncached = match input.count("uncached")? {
            Some(uncached) => uncached,
            None => (input.need("total")? - read - written).max(0),
        };
        let tokens = Tokens {
            input: uncached,
            cache_read: read,
            written,
            output: output.or_zero("total")?,
            ..Tokens::default()
        };
        let mut part = tokens.part("input = uncached + cache read + cache written");
        part.iteration = i32::try_from(index).unwrap_or(i32::MAX);
        let model = envelope::text(&used, "model_name")?;
        match call.model {
            None => call.model = model,
            Some(_) => part.model = model.map(schemas::Text::from),
        }
        call.parts.push(part);
    }
    Ok(call)
}
