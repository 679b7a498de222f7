//! LibreChat's ledger of tokens: two rows for each call of a model, one of its prompt and one of its completion, each taken off a
//! balance, so that its counts are negative. Where a prompt has parts, what was cached stands beside the rest
//! (<https://www.librechat.ai/docs/configuration/token_usage>, not opened; rows that others published, read 2026-11-30).

use std::borrow::Cow;

use smallvec::smallvec;

use crate::assemble::{Call, Out, Tokens, precedence};
use crate::envelope::{self, Envelope, time};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::number;
use crate::problem::{Problem, Result};

pub(crate) fn is_row(object: &Object<'_>) -> bool {
    object.has("tokenType") && object.has("rawAmount") && object.has("tokenValue")
}

pub(crate) fn row<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let mut call = Call::new("librechat.transaction", "chat", precedence::GATEWAY);
    let whole = taken(object, "rawAmount")?;
    let (tokens, checked) = match object.string("tokenType").as_deref() {
        Some("completion") => (Tokens { output: whole, ..Tokens::default() }, ""),
        Some("prompt") => {
            let (input, written) = (taken(object, "inputTokens")?, taken(object, "writeTokens")?);
            let cache_read = taken(object, "readTokens")?;
            match input + written + cache_read {
                0 => (Tokens { input: whole, ..Tokens::default() }, ""),
                sum if sum == whole => {
                    let tokens = Tokens { input, written, cache_read, ..Tokens::default() };
                    (tokens, "raw amount = input + cache written + cache read")
                }
                sum => {
                    let message = format!("rawAmount is {whole} but inputTokens, writeTokens and readTokens are {sum}");
                    return Err(Problem::contradiction("rawAmount", message));
                }
            }
        }
        // A balance that was filled.
        _ => {
            out.ignore(IgnoreReason::StatusOnly);
            return Ok(());
        }
    };
    call.model = envelope::text(object, "model")?;
    call.time = time(object, "createdAt")?;
    call.raw_usage = Cow::Owned(format!("{{\"rawAmount\":-{whole}}}"));
    call.parts = smallvec![tokens.part(checked)];
    envelope.source = envelope.source.or(Some(Cow::Borrowed("librechat")));
    envelope.event_id = mongo_id(object).or(envelope.event_id);
    envelope.claimed.session = envelope::owned(object, "conversationId")?;
    if let Some(user) = object.string("user").filter(|_| envelope.claimed.user.is_none()) {
        envelope.claim_user(&user, out.config);
    }
    out.call(call, envelope, json);
    Ok(())
}

/// The id of a row, as MongoDB's tools may write it.
fn mongo_id<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let id = object.string("_id").or_else(|| object.object("_id")?.string("$oid"));
    id.filter(|id| !id.is_empty() && id.len() <= crate::TEXT_BYTES_MAX)
}

/// A count that is taken off a balance: a negative number, also as MongoDB's tools write it (`$numberInt`).
fn taken(object: &Object<'_>, name: &str) -> Result<i64> {
    let Some(value) = object.get(name) else { return Ok(0) };
    let typed = value.object().and_then(|typed| typed.iter().next().map(|(_, value)| value));
    let digits = typed.unwrap_or(value).number().ok_or_else(|| Problem::wrong_type(name, value, "a number"))?;
    number::count(digits.trim_start_matches('-')).map_err(|error| Problem::number(name, value, error))
}
