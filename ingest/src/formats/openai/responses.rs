//! Responses, what Realtime calls so, and the tools and image models that ran for them.

use std::borrow::Cow;

use schemas::{Flag, Meter};

use super::{IMAGES, RESPONSES, call, usage};
use crate::assemble::{Call, Part};
use crate::envelope;
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::usage::{Counts, Usage};

/// Responses, and what Realtime calls `response`.
pub(crate) fn response<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = call(object, "openai.response", "chat", &RESPONSES)?;
    if object.is("object", "realtime.response") || object.is("object", "response.compaction") {
        // The session names the model, not its responses.
        found.usual_provider = "openai";
    }
    if found.model.is_none() && object.string("response_id").is_some_and(|id| id.starts_with("resp_")) {
        // The Agents SDK keeps of a response its output, its usage and its id.
        found.response_id = envelope::text(object, "response_id")?;
        found.usual_provider = "openai";
    }
    // Where the usage counts the tools, the calls in the output are those again.
    const COUNTED: [&str; 3] = ["server_side_tool_usage_details", "x_tools", "tool_usage"];
    let counted = object.object("usage").is_some_and(|usage| COUNTED.iter().any(|name| usage.object(name).is_some()));
    if !counted
        && let Some(output) = object.get("output")
        && output.text().contains("_call\"")
    {
        tools(output, &mut found.parts[0].usage);
    }
    // Who logs a response may leave its output out, or its calls, and Codex' own endpoint leaves it empty (answers
    // that others published, read 2026-11-30): what is left says how often was searched.
    if !counted
        && found.parts[0].usage.get(Meter::WebSearches).is_zero()
        && let Some(tools) = object.object("tool_usage")
        && let Some(searches) = tools.object("web_search")
    {
        let searches = Counts::new(&searches, "tool_usage.web_search").or_zero("num_requests")?;
        found.parts[0].usage.add(Meter::WebSearches, searches);
    }
    found.parts.extend(drawn(object)?);
    Ok(found)
}

/// Images that a response drew: tokens of an image model, billed beside the response's own. The tool's settings name the
/// model (answers that others published, read 2026-11-28).
fn drawn(object: &Object<'_>) -> Result<Option<Part>> {
    let counted = |usage: &Object<'_>| usage.has("input_tokens") && usage.has("output_tokens");
    let counts = object.object("tool_usage").and_then(|tools| tools.object("image_gen")).filter(counted);
    let Some(counts) = counts else { return Ok(None) };
    let mut part = usage(&counts, &IMAGES, "")?;
    if part.usage.is_empty() {
        return Ok(None);
    }
    let tools = object.array("tools").unwrap_or_default().into_iter().filter_map(Json::object);
    let model = tools.filter(|tool| tool.is("type", "image_generation")).find_map(|tool| tool.string("model"));
    let model = model.filter(|model| model.len() <= crate::TEXT_BYTES_MAX);
    part.model = Some(model.as_deref().unwrap_or("unknown").into());
    part.iteration = 1;
    part.flags.set(Flag::IterationsExpanded);
    Ok(Some(part))
}

/// Tools that are billed by the call. Opening a page or searching within one is part of the search before it, and a search that
/// failed found nothing: where the provider counts it all the same, it says so in its usage.
pub(crate) fn tools(output: Json<'_>, usage: &mut Usage) {
    let mut containers: Vec<Cow<'_, str>> = Vec::new();
    for item in output.array().unwrap_or_default() {
        let Some(item) = item.object() else { continue };
        match item.string("type").as_deref() {
            Some("web_search_call" | "file_search_call") if item.is("status", "failed") => {}
            Some("web_search_call") => {
                let action = item.object("action").and_then(|action| action.string("type"));
                if action.is_none_or(|action| action == "search") {
                    usage.add(Meter::WebSearches, 1);
                }
            }
            Some("file_search_call") => usage.add(Meter::FileSearches, 1),
            Some("code_interpreter_call") => {
                let container = item.string("container_id").unwrap_or_default();
                if !containers.contains(&container) {
                    containers.push(container);
                    usage.add(Meter::CodeSessions, 1);
                }
            }
            _ => {}
        }
    }
}
