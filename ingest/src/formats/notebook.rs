//! What the cells of a notebook put out (`.ipynb`): answers that were printed or shown, as JSON or as Python prints them
//! (<https://nbformat.readthedocs.io/en/latest/format_description.html>, not opened; notebooks that others published, 2026-12-01).
//! Whatever else stands there was not recorded of a call: code, prose, pictures, and a usage that was printed alone, for its answer mostly
//! stands in another cell, and nothing would tell that both are one.

use std::borrow::Cow;

use crate::assemble::Out;
use crate::decode::readable;
use crate::envelope::Envelope;
use crate::formats::log_lines::may_be_of_a_call;
use crate::formats::{self, stream};
use crate::item::IgnoreReason;
use crate::json::{Json, Kind, Object, deeper_than};
use crate::problem::Result;
use crate::{printed, recognise};

/// True for a notebook.
pub(crate) fn is_notebook(object: &Object<'_>) -> bool {
    object.has("nbformat") && object.get("cells").is_some_and(|cells| cells.kind() == Kind::Array)
}

pub(crate) fn read<'a>(object: &Object<'a>, envelope: &Envelope<'a>, wrappers: u8, out: &mut Out<'_>) -> Result<()> {
    let before = out.items.len();
    let cells = object.array("cells").unwrap_or_default().into_iter().filter_map(Json::object);
    for output in cells.flat_map(|cell| cell.array("outputs").unwrap_or_default()).filter_map(Json::object) {
        out.room("cells")?;
        let shown = output.object("data").unwrap_or_default();
        if let Some(shown) = shown.get("application/json").filter(|shown| recognise::speaks_of_a_call(*shown)) {
            formats::item(shown, None, envelope.clone(), wrappers + 1, out);
            continue;
        }
        let Some(text) = output.get("text").or_else(|| shown.get("text/plain")).and_then(whole) else { continue };
        said(&text, envelope, wrappers, out);
    }
    if out.items.len() == before {
        out.ignore(IgnoreReason::NotAModelCall);
    }
    Ok(())
}

/// A text, or the lines of one.
fn whole(text: Json<'_>) -> Option<Cow<'_, str>> {
    if text.kind() == Kind::String {
        return text.string();
    }
    let lines = text.array()?.into_iter().map(Json::string);
    Some(Cow::Owned(lines.collect::<Option<Vec<_>>>()?.concat()))
}

/// Reads the answers in what a cell printed.
fn said(text: &str, envelope: &Envelope<'_>, wrappers: u8, out: &mut Out<'_>) {
    let text = text.trim_ascii();
    if !may_be_of_a_call(text.as_bytes()) || deeper_than(text.as_bytes(), crate::DEPTH_MAX) {
        return;
    }
    let plain = readable(text);
    let mut printed = None;
    let found = stream::documents_within(plain.as_deref().unwrap_or(text), &mut printed);
    let told = |document: &stream::Document<'_>| recognise::speaks_of_a_call(document.json);
    let answers: Vec<_> = found.into_iter().flatten().flatten().filter(told).map(Ok).collect();
    if !answers.is_empty() {
        return stream::items(answers, None, envelope.shorter(), wrappers + 1, out);
    }
    // Among other lines, each print is one of its own.
    for line in text.lines().filter(|line| may_be_of_a_call(line.as_bytes())) {
        let Some(print) = readable(line.trim_ascii()).or_else(|| printed::within(line)) else { continue };
        if let Ok(print) = Json::parse(&print)
            && recognise::speaks_of_a_call(print)
        {
            formats::item(print, None, envelope.shorter(), wrappers + 1, out);
        }
    }
}
