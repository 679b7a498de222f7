//! Tasks of Kling's: a video is billed by its seconds, a picture by itself; what a task took off the balance
//! (`final_unit_deduction`) is of its units, which no meter counts. The model stands in the question alone (tasks and callbacks that
//! others published, and their descriptions of its API, read 2026-11-30).

use std::borrow::Cow;

use schemas::{Flag, Meter, Quantity};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::json::Object;
use crate::problem::Result;
use crate::recognise::Shape;
use crate::usage::Counts;

/// What is said of a task, in an answer or in a call back.
fn task<'a>(object: &Object<'a>) -> Option<Object<'a>> {
    let inner = || object.object("data").filter(|_| object.has("code"));
    let task = if object.has("task_status") { object.clone() } else { inner()? };
    (task.has("task_status") && task.has("task_id")).then_some(task)
}

/// What a task has come to; its states are written small.
pub(crate) fn told(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    let task = task(object)?;
    match task.string("task_status").as_deref()? {
        "succeed" if task.has("task_result") => Some((Shape::Kling, "task_status succeed and task_result")),
        "submitted" | "processing" => Some((Shape::Status, "task_status")),
        "failed" => Some((Shape::Error, "task_status failed")),
        _ => None,
    }
}

/// A task that made something.
pub(crate) fn made<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let task = task(object).unwrap_or_default();
    let result = task.object("task_result").unwrap_or_default();
    let videos = result.array("videos").unwrap_or_default();
    let operation = if videos.is_empty() { "image_generation" } else { "video_generation" };
    let mut call = Call::new("kling.task", operation, precedence::PROVIDER);
    call.usual_provider = "kling";
    call.response_id = envelope::text(&task, "task_id")?;
    call.time = time(&task, "created_at")?;
    let mut part = Part::default();
    for video in videos.iter().filter_map(|video| video.object()) {
        match Counts::new(&video, "task_result.videos").quantity("duration")? {
            Some(seconds) => part.usage.add_quantity(Meter::OutputVideoSeconds, seconds),
            None => part.flags.set(Flag::UsageMissing),
        }
    }
    let images = result.array("images").unwrap_or_default().len();
    part.usage.add(Meter::OutputImages, i64::try_from(images).unwrap_or(i64::MAX));
    if part.usage.is_empty() {
        part.flags.set(Flag::UsageMissing);
    }
    let seconds = part.usage.get(Meter::OutputVideoSeconds);
    call.raw_usage = match seconds == Quantity::ZERO {
        true => Cow::Owned(format!("{{\"images\":{images}}}")),
        false => Cow::Owned(format!("{{\"seconds\":\"{seconds}\"}}")),
    };
    call.parts = smallvec![part];
    Ok(call)
}
