//! By fields that only the logs, the exports and the bills of one tool have.

use super::{Shape, asked};
use crate::formats::{
    bifrost, billing, codex, event, gemini_cli, kong, librechat, opencode, pydantic_ai, replicate, runs, seats,
    snowflake, sums, tools,
};
use crate::json::{Json, Object};

/// By fields that only the logs and exports of one tool have.
pub(super) fn by_export(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if sums::is_mirrored(object) {
        return Some((Shape::Fragment, "a copy of what was delivered, by OpenClaw itself"));
    }
    // A document of a vector store has properties, too.
    let kept = |shape: Shape| shape == Shape::Metered && asked::contents(object).contains(&"properties");
    if let Some(shape) = tools::told(object).filter(|shape| !kept(*shape)) {
        return Some((shape, "fields that mark a tool"));
    }
    // What adds up a run may keep its calls, too.
    if let Some(run) = runs::run(object) {
        return Some((Shape::Records, run.evidence));
    }
    if let Some(evidence) = sums::told(object) {
        return Some((Shape::Sum, evidence));
    }
    if object.has("run_type") && (object.has("dotted_order") || object.has("start_time")) {
        return Some((Shape::LangSmith, "run_type and start_time"));
    }
    let generation = object.object("data").filter(|data| data.has("id"));
    if [generation.as_ref(), Some(object)].into_iter().flatten().any(is_generation) {
        return Some((Shape::OpenRouterGeneration, "native_tokens_prompt and total_cost"));
    }
    if librechat::is_row(object) {
        return Some((Shape::LibreChat, "tokenType, rawAmount and tokenValue"));
    }
    if pydantic_ai::is_message(object) {
        return Some((Shape::PydanticAi, "kind, and parts with their kinds"));
    }
    if bifrost::is_entry(object) {
        return Some((Shape::Bifrost, "provider, status and token_usage"));
    }
    if replicate::is_prediction(object) {
        return Some((Shape::Replicate, "status, version and where to get the prediction"));
    }
    if kong::is_log(object) {
        return Some((Shape::Kong, "ai with usage and meta of a plugin"));
    }
    if let Some(found) = by_agent(object) {
        return Some(found);
    }
    if event::is_stripe_meter(object) {
        return Some((Shape::StripeMeter, "event_name, and a payload with value, model and token_type"));
    }
    if snowflake::is_row(object) {
        return Some((Shape::Snowflake, "tokens and credits in columns of Snowflake's"));
    }
    if object.has("req_units") && object.has("res_units") {
        return Some((Shape::Portkey, "req_units and res_units"));
    }
    if object.has("request_id")
        && (object.has("response_body") || object.has("request_properties") || object.has("request_created_at"))
    {
        return Some((Shape::Helicone, "request_id and response_body or request_created_at"));
    }
    by_billing(object).or_else(|| {
        let apim =
            object.is("category", "GatewayLlmLogs") || (object.has("CorrelationId") && object.has("PromptTokens"));
        apim.then_some((Shape::AzureApim, "category GatewayLlmLogs, or CorrelationId and PromptTokens"))
    })
}

/// By fields that only the files of one coding agent have.
fn by_agent(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if gemini_cli::is_chat(object) {
        return Some((Shape::GeminiCliChat, "sessionId and projectHash, or a message of type gemini"));
    }
    if gemini_cli::is_telemetry(object) {
        return Some((Shape::GeminiCliTelemetry, "attributes with event.name, or scopeMetrics"));
    }
    if codex::is_message(object) {
        return Some((Shape::CodexTranscript, "a message of Codex's app server"));
    }
    opencode::is_stored(object).then_some((Shape::Opencode, "modelID, providerID and tokens, or sessionID"))
}

/// By fields that only the bills and lists of one tool have.
fn by_billing(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if object.has("logGroup") && object.has("logEvents") {
        return Some((Shape::CloudWatchLogs, "logGroup and logEvents"));
    }
    if object.has("amount") && object.has("timeBilledMs") {
        return Some((Shape::RunPod, "amount and timeBilledMs"));
    }
    if object.has("object_id") && object.has("interval_start") && object.has("cost") {
        return Some((Shape::Modal, "object_id, interval_start and cost"));
    }
    if object.has("totalCost") && object.has("window") && (object.has("properties") || object.has("gpuHours")) {
        return Some((Shape::OpenCost, "totalCost, window and properties"));
    }
    if object.get("code").is_some() && object.array("data").is_some_and(|sets| is_allocations(&sets)) {
        return Some((Shape::OpenCost, "code and sets of allocations"));
    }
    if billing::is_github(object) {
        return Some((Shape::GitHubUsage, "product, sku and net amount"));
    }
    if object.has("cluster_hash") && object.has("total_cost") {
        return Some((Shape::SkyPilot, "cluster_hash and total_cost"));
    }
    if object.has("gateway_id") && (object.has("decision") || object.has("verdict")) {
        return Some((Shape::Keeptrusts, "gateway_id and decision"));
    }
    if object.has("event_type") && object.has("verdict") && object.has("config_version") {
        return Some((Shape::Keeptrusts, "event_type, verdict and config_version"));
    }
    if seats::is_list(object) {
        return Some((Shape::SeatList, "columns of vendor, seats and period"));
    }
    None
}

/// True for OpenRouter's record of a generation.
fn is_generation(record: &Object<'_>) -> bool {
    record.has("total_cost") && (record.has("native_tokens_prompt") || record.has("native_tokens_completion"))
}

/// True for what OpenCost's API answers: sets of allocations by name.
fn is_allocations(sets: &[Json<'_>]) -> bool {
    sets.iter().filter_map(|set| set.object()).any(|set| {
        set.iter()
            .next()
            .is_some_and(|(_, first)| first.object().is_some_and(|first| first.has("totalCost") && first.has("window")))
    })
}
