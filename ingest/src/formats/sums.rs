//! Reports that add up calls: they look like one, and are none. What they add up is reported call by call elsewhere, so they are never
//! billed; who has nothing else sends them as ledger entries.
//!
//! Read in reports that others published, 2026-11-29: ccusage (`--json`), LiteLLM's daily tables, OpenAI's usage API and its export,
//! OpenRouter's activity, Anthropic's usage and Claude Code reports, CrewAI's and Gemini CLI's sums.

use crate::json::{Json, Object};

/// A number of requests beside counts of tokens.
const REQUESTS: [&str; 9] = [
    "num_model_requests",
    "api_requests",
    "successful_requests",
    "num_requests",
    "request_count",
    "requests_count",
    "total_requests",
    "llm_calls",
    // Hermes
    "api_call_count",
];

/// Counts beside which a number of requests says that they are a sum.
const COUNTS: [&str; 6] =
    ["prompt_tokens", "input_tokens", "inputTokens", "promptTokens", "total_tokens", "uncached_input_tokens"];

/// True for a message that OpenClaw itself wrote into a transcript: of what it delivered to a channel, whatever that counts, or of its
/// gateway (transcripts in public code and tests that read them, 2026-12-01).
pub(crate) fn is_mirrored(object: &Object<'_>) -> bool {
    let by_itself = |message: &Object<'_>| {
        let model = || ["delivery-mirror", "gateway-injected"].iter().any(|model| message.is("model", model));
        message.is("api", "openclaw-transcript") || (message.is("provider", "openclaw") && model())
    };
    match object.has("message") {
        true => object.object("message").is_some_and(|message| by_itself(&message)),
        false => object.has("role") && by_itself(object),
    }
}

/// The evidence that an object adds up calls.
pub(crate) fn told(object: &Object<'_>) -> Option<&'static str> {
    let counted = || COUNTS.iter().any(|name| object.has(name));
    if REQUESTS.iter().any(|name| object.has(name)) && counted() && !is_one(object) {
        return Some("a number of requests beside their tokens");
    }
    // Of a day with one request, too: the call has a row of its own.
    if ["api_requests", "successful_requests", "failed_requests"].iter().all(|name| object.has(name)) {
        return Some("a day of LiteLLM");
    }
    if object.has("byok_usage_inference") && object.has("date") && object.has("requests") {
        return Some("a day's requests of OpenRouter");
    }
    if ["modelBreakdowns", "modelsUsed", "tokenCounts"].iter().any(|name| object.has(name)) && !object.has("usage") {
        return Some("sums by model");
    }
    if object.has("core_metrics") && object.has("model_breakdown") {
        return Some("sums of a day of Claude Code");
    }
    if object.has("metric_stream_name") && object.has("metric_name") {
        return Some("a metric of CloudWatch");
    }
    if object.has("uncached_input_tokens") && object.has("output_tokens") && !object.has("id") {
        return Some("a row of Anthropic's usage report");
    }
    if object.has("usage_date_utc") && (object.has("usage_input_tokens_no_cache") || object.has("cost_type")) {
        return Some("a row of Anthropic's export");
    }
    if object.has("accumulated_total_tokens") && object.has("accumulated_input_tokens") {
        return Some("sums of a session");
    }
    if object.has("cached_prompt_tokens") && object.has("successful_requests") {
        return Some("sums of a crew");
    }
    if object.has("tokensIn") && object.has("tokensOut") && object.has("totalCost") && object.has("task") {
        return Some("sums of a task");
    }
    if object.has("tokenUsage") && object.has("assistantActiveTimeMs") {
        return Some("sums of a session");
    }
    if object.has("message_count") && object.has("prompt_tokens") && object.has("title") {
        return Some("sums of a session");
    }
    if object.has("message_count") && object.has("working_dir") {
        return Some("the head of a session of Goose");
    }
    if object.is("type", "complete") && object.iter().all(|(name, _)| name == "type" || name.ends_with("_tokens")) {
        return Some("the end of a run of Goose");
    }
    if object.has("modelUsage") && object.has("dailyModelTokens") {
        return Some("sums by day and model");
    }
    if object.has("session_id") && object.object("stats").is_some_and(|stats| stats.has("models")) {
        return Some("sums of a session by model");
    }
    if object.has("run_id") && object.object("metrics").is_some_and(|metrics| metrics.has("input_tokens")) {
        return Some("sums of a run of Agno");
    }
    if object.object("info").is_some_and(|info| info.has("model_stats")) {
        return Some("sums of a trajectory");
    }
    if object.object("llm_metrics").is_some_and(|metrics| metrics.has("accumulated_token_usage")) {
        return Some("sums beside an event of OpenHands");
    }
    if object.has("accumulated_token_usage") && object.has("accumulated_cost") {
        return Some("sums of a run of OpenHands");
    }
    if object.is("message_type", "usage_statistics") && object.has("step_count") {
        return Some("sums of a run of Letta");
    }
    if object.object("stats").is_some_and(|stats| stats.has("session_prompt_tokens")) {
        return Some("sums of a session of Mistral's CLI");
    }
    if object.has("metricName") && object.has("timeGrain") {
        return Some("a metric of Azure");
    }
    if object.has("copilot_ide_code_completions") || object.has("copilot_ide_chat") {
        return Some("a day of GitHub Copilot");
    }
    if object.has("teamMemberSpend") || (object.has("agentRequests") && object.has("totalLinesAdded")) {
        return Some("sums of Cursor by member or day");
    }
    let metrics = || object.object("metrics").is_some_and(|metrics| metrics.has("accumulated_usage"));
    if object.has("accumulated_usage") || (object.has("stop_reason") && metrics()) {
        return Some("sums of a run of Strands");
    }
    if object.is("type", "result") && object.has("stats") && object.has("status") {
        return Some("sums of a run of Gemini CLI");
    }
    if object.has("num_turns") && object.has("usage") && object.has("conversation_id") && !object.has("model") {
        return Some("sums of a run of Antigravity's CLI");
    }
    // As its SDK for Python keeps it, without the type of the line.
    if object.has("num_turns") && object.has("total_cost_usd") && object.has("session_id") && !object.has("type") {
        return Some("sums of a run of Claude Code");
    }
    if object.has("numTurns") && object.has("usage") && object.has("session_id") {
        return Some("sums of a run of Droid");
    }
    const APART: [&str; 3] = ["cachedReadTokens", "cachedWriteTokens", "thoughtTokens"];
    let apart = || object.object("usage").is_some_and(|usage| APART.iter().any(|name| usage.has(name)));
    if object.has("stopReason") && apart() {
        return Some("sums of a turn of an agent");
    }
    if object.object("_meta").is_some_and(|meta| meta.object("quota").is_some_and(|quota| quota.has("model_usage"))) {
        return Some("sums of a turn of Gemini CLI");
    }
    // What the tool that starts an agent gives back, in a transcript or to a hook: its usage is that of the agent's last message.
    if object.has("totalToolUseCount") && object.has("totalTokens") {
        return Some("sums of an agent of Claude Code");
    }
    if object.has("context_window") && object.has("workspace") && object.has("session_id") {
        return Some("a status line of Claude Code");
    }
    if object.has("model_usage") && object.has("epoch") && object.has("scores") {
        return Some("sums of a sample of Inspect");
    }
    if object.is("type", "RUN_FINISHED") && object.has("runId") {
        return Some("sums of a run of an agent over AG-UI");
    }
    let meta = || object.object("params")?.object("_meta");
    if meta().is_some_and(|meta| meta.has("totalTokens") && meta.has("agentTimestampMs")) {
        return Some("the running total of a session of Grok's CLI");
    }
    if object.has("cumulative_token_usage") && object.has("request_token_usage") {
        return Some("sums of a thread of Zed");
    }
    if object.has("usage_including_cached_inference") {
        return Some("sums of a chat of AutoGen");
    }
    if let Some(evidence) = of_an_app(object) {
        return Some(evidence);
    }
    const LISTS: [&str; 6] = ["daily", "weekly", "monthly", "sessions", "blocks", "data"];
    let sums = |list: Vec<Json<'_>>| {
        let first = list.first().and_then(|first| first.object());
        first.is_some_and(|first| !first.has("data") && told(&first).is_some())
    };
    let listed = LISTS.iter().any(|name| object.array(name).is_some_and(sums));
    listed.then_some("a report of sums")
}

/// Sums of applications that are built of models, and of those who read what others wrote (reports and answers in public code that
/// reads them, and from knowledge of their interfaces, 2026-11-30).
fn of_an_app(object: &Object<'_>) -> Option<&'static str> {
    let within = |name: &str, fields: &[&str]| {
        object.object(name).is_some_and(|inner| fields.iter().all(|field| inner.has(field)))
    };
    if object.has("totals_by_ide") || object.has("totals_by_feature") || object.has("totals_by_model_feature") {
        return Some("a day of GitHub Copilot");
    }
    if object.has("token_used") && object.has("quota") && object.has("count") {
        return Some("an hour of a model in New API");
    }
    let day = |day: &Object<'_>| {
        let metrics = day.object("metrics").filter(|_| day.has("breakdown"));
        metrics.is_some_and(|metrics| metrics.has("api_requests") && metrics.has("spend"))
    };
    if day(object) || object.first_of("results").is_some_and(|first| day(&first)) {
        return Some("days of LiteLLM");
    }
    if object.has("spend") && object.object("models").is_some() && object.object("users").is_some() {
        return Some("a day of LiteLLM");
    }
    if object.has("costUSD") && object.has("totalTokens") && object.object("models").is_some() {
        return Some("sums by model");
    }
    if (object.has("contributions") && within("summary", &["totalTokens", "totalCost"]))
        || (object.has("entries") && object.has("totalInput") && object.has("totalOutput"))
    {
        return Some("sums by day or model of Tokscale");
    }
    let data = object.object("data").unwrap_or_default();
    const RUN: [&str; 2] = ["total_steps", "total_tokens"];
    if [object, &data].iter().any(|run| RUN.iter().all(|name| run.has(name))) || within("workflow_run", &RUN) {
        return Some("sums of a run of a workflow of Dify");
    }
    let vapi = |call: &Object<'_>| call.object("costBreakdown").is_some_and(|sums| sums.has("llmPromptTokens"));
    let message = || object.object("message").filter(|_| !object.has("model"));
    if vapi(object) || message().is_some_and(|message| vapi(&message)) {
        return Some("sums of a call of Vapi");
    }
    if (object.has("llm_token_usage") && object.has("call_id")) || within("call", &["llm_token_usage", "call_id"]) {
        return Some("sums of a call of Retell");
    }
    let charged = |call: &Object<'_>| {
        let metadata = call.object("metadata").filter(|_| call.has("conversation_id"));
        metadata.and_then(|metadata| metadata.object("charging")).is_some_and(|charged| charged.has("llm_usage"))
    };
    if charged(object) || charged(&data) {
        return Some("sums of a conversation with an agent of ElevenLabs");
    }
    if data.has("total_credits") && data.has("total_usage") {
        return Some("the balance of an account of OpenRouter");
    }
    if object.object("byModel").is_some() && object.has("version") && !object.has("usage") {
        return Some("sums of a session of Mux by model");
    }
    if within("session_state", &["conversation_metadata"]) && object.has("session_id") {
        return Some("the head of a session of Kiro, which counts no tokens");
    }
    if object.has("ResultsByTime") {
        return Some("sums of AWS Cost Explorer");
    }
    None
}

/// True where the number of requests is one: such a record is that call.
fn is_one(object: &Object<'_>) -> bool {
    REQUESTS.iter().filter_map(|name| object.get(name)).all(|count| count.number() == Some("1"))
}
