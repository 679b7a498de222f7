//! Predictions of Replicate: billed by the token, image or second of video where the model is, and else by the second it ran
//! (<https://replicate.com/docs/topics/billing>, not opened; predictions that others published, read 2026-11-29).

use std::borrow::Cow;

use schemas::{Flag, Meter, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, time};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::usage::{Counts, raw};

/// Counts that stand in for the time, and the meters they are of.
const COUNTS: [(&str, Meter); 4] = [
    ("input_token_count", Meter::InputTextTokens),
    ("output_token_count", Meter::OutputTextTokens),
    ("image_count", Meter::OutputImages),
    ("image_output_count", Meter::OutputImages),
];

/// True for a prediction: where to ask for it, and how it stands.
pub(crate) fn is_prediction(object: &Object<'_>) -> bool {
    object.has("status")
        && object.has("version")
        && object.object("urls").is_some_and(|urls| urls.string("get").is_some_and(|url| url.contains("/predictions/")))
}

pub(crate) fn prediction<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let value = object.get("metrics").filter(|metrics| metrics.object().is_some_and(|metrics| !metrics.is_empty()));
    let Some(metrics) = value.and_then(Json::object) else {
        // It has not run yet, or never did.
        let ended = object.is("status", "failed") || object.is("status", "canceled");
        out.ignore(if ended { IgnoreReason::FailedCall } else { IgnoreReason::StatusOnly });
        return Ok(());
    };
    let mut call = Call::new("replicate.prediction", "prediction", precedence::PROVIDER);
    call.provider = Some(Text::const_new("replicate"));
    call.model = match envelope::text(object, "model")? {
        Some(model) => Some(model),
        None => envelope::text(object, "version")?,
    };
    call.time = match time(object, "completed_at")? {
        Some(ended) => Some(ended),
        None => time(object, "created_at")?,
    };
    call.raw_usage = Cow::Borrowed(raw(value));
    let counts = Counts::new(&metrics, "metrics");
    let mut part = Part::default();
    for (name, meter) in COUNTS {
        part.usage.add(meter, counts.or_zero(name)?);
    }
    if let Some(seconds) = counts.quantity("video_output_duration_seconds")? {
        part.usage.add_quantity(Meter::OutputVideoSeconds, seconds);
    }
    if part.usage.is_empty() {
        match counts.quantity("predict_time")? {
            Some(seconds) => part.usage.add_quantity(Meter::ResourceSeconds, seconds),
            None => part.flags.set(Flag::UsageMissing),
        }
    }
    call.parts = smallvec![part];
    if envelope.event_id.is_none() {
        envelope.event_id = envelope::text(object, "id")?;
        envelope.source = Some(Cow::Borrowed("replicate"));
    }
    out.call(call, envelope, json);
    Ok(())
}
