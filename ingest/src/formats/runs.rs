//! Documents of a whole run that keep each of its calls within: trajectories, logs of evaluations, executions of automations, chats that were
//! exported. What they add up beside them is left out; a run that keeps no call is a sum like others
//! (documents in public code that writes and reads them, 2026-11-30).

use std::borrow::Cow;

use crate::assemble::Out;
use crate::config::is_identifier;
use crate::envelope::{self, Envelope, time_value};
use crate::formats::{self, stream};
use crate::json::{Json, Kind, Object};

/// The calls of a run, and what it says once for all of them.
#[derive(Debug, Default)]
pub(crate) struct Run<'a> {
    pub evidence: &'static str,
    pub calls: Vec<Json<'a>>,
    model: Option<Cow<'a, str>>,
    session: Option<Cow<'a, str>>,
    time: Option<Json<'a>>,
    /// What was paid for each and when, in the order of the calls, where there are as many.
    costs: Vec<Json<'a>>,
}

/// The run that an object is a document of; `None` for one that keeps no call.
pub(crate) fn run<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let run = trajectory(object)
        .or_else(|| evaluation(object))
        .or_else(|| metrics(object))
        .or_else(|| execution(object))
        .or_else(|| chat(object))
        .or_else(|| exchanges(object))
        .or_else(|| requests(object))
        .or_else(|| event(object))
        .or_else(|| jcode(object))?;
    (!run.calls.is_empty()).then_some(run)
}

/// Reads each call of a run.
pub(crate) fn read<'a>(run: Run<'a>, mut envelope: Envelope<'a>, wrappers: u8, out: &mut Out<'_>) {
    envelope.model = envelope.model.take().or_else(|| Some(run.model?.into()));
    envelope.claimed.session = envelope.claimed.session.take().or_else(|| Some(run.session?.into()));
    let at = |value: Json<'a>| time_value(value, "timestamp").ok();
    envelope.time = run.time.and_then(at).or(envelope.time);
    if run.costs.is_empty() || run.costs.len() != run.calls.len() {
        let calls = run.calls.into_iter().map(|call| Ok(call.into())).collect();
        return stream::items(calls, None, envelope, wrappers + 1, out);
    }
    for (call, paid) in run.calls.into_iter().zip(run.costs.into_iter().map(|paid| paid.object().unwrap_or_default())) {
        let mut own = envelope.clone();
        own.time = paid.get("timestamp").and_then(at).or(own.time);
        own.reported_cost = envelope::cost(&paid, "cost", "stated_by_producer").unwrap_or(None);
        formats::item(call, None, own, wrappers + 1, out);
    }
}

/// A trajectory of mini-SWE-agent: beside each message of a model stands the answer that it was.
fn trajectory<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    object.object("info")?.object("model_stats")?;
    let answer =
        |message: Json<'a>| message.object()?.object("extra")?.get("response").filter(|answer| is_object(*answer));
    let calls = object.array("messages")?.into_iter().filter_map(answer).collect();
    Some(Run { evidence: "info.model_stats, and answers beside its messages", calls, ..Run::default() })
}

/// A log of Inspect, or one sample of it: its events, of which some ask a model.
fn evaluation<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let of_sample = |sample: &Object<'a>| sample.array("events").unwrap_or_default();
    let events: Vec<Json<'a>> = match object.object("eval").and_then(|_| object.array("samples")) {
        Some(samples) => samples.into_iter().filter_map(Json::object).flat_map(|sample| of_sample(&sample)).collect(),
        None if object.has("model_usage") && object.has("epoch") => of_sample(object),
        None => return None,
    };
    let asks = |event: &Json<'a>| event.object().is_some_and(|event| event.is("event", "model") && event.has("output"));
    let calls = events.into_iter().filter(asks).collect();
    Some(Run { evidence: "samples with events of models", calls, ..Run::default() })
}

/// The metrics of a run of OpenHands: a list of what each answer used, and one of what each cost; its newer versions keep some for each
/// use that was made of models.
fn metrics<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let of_uses = |stats: &Object<'a>| -> Vec<Object<'a>> {
        let uses = stats.object("usage_to_metrics").unwrap_or_default();
        uses.iter().filter_map(|(_, metrics)| metrics.object()).collect()
    };
    let held = object.first(&["metrics", "llm_metrics"]).and_then(|(_, held)| held.object());
    let found: Vec<Object<'a>> = match held.filter(|held| held.has("token_usages")) {
        Some(metrics) => vec![metrics],
        None if object.has("token_usages") && object.has("accumulated_cost") => vec![object.clone()],
        None if object.has("usage_to_metrics") => of_uses(object),
        None => of_uses(&object.object("stats")?),
    };
    let each = |name: &str| found.iter().filter_map(|metrics| metrics.array(name)).flatten().collect();
    Some(Run {
        evidence: "metrics with token_usages",
        calls: each("token_usages"),
        costs: each("costs"),
        ..Run::default()
    })
}

/// An execution of n8n: the runs of its nodes, of which those of a model that was counted are calls.
fn execution<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let kept = match object.has("resultData") {
        true => object.clone(),
        false if object.has("mode") => object.object("data")?,
        false => return None,
    };
    let nodes = kept.object("resultData")?.object("runData")?;
    let runs = nodes.iter().filter_map(|(_, runs)| runs.array()).flatten();
    let asks = |run: &Json<'a>| {
        let asked = run.object().and_then(|run| run.object("data")).is_some_and(|data| data.has("ai_languageModel"));
        asked && run.text().contains("\"tokenUsage\"")
    };
    let calls = runs.filter(asks).collect();
    Some(Run { evidence: "resultData.runData with runs of models", calls, ..Run::default() })
}

/// A chat of Open WebUI, whose messages stand in a tree with all that was ever answered, and in a list with what is shown.
fn chat<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let chat = object.object("chat")?;
    // Its older versions kept what Ollama said.
    let of_ollama = |message: &Object<'a>| message.object("info").is_some_and(|info| info.has("prompt_eval_count"));
    let counted = |message: &Json<'a>| {
        let told = |message: &Object<'a>| message.object("usage").is_some() || of_ollama(message);
        message.object().is_some_and(|message| message.is("role", "assistant") && told(&message))
    };
    let tree = chat.object("history").and_then(|history| history.object("messages"));
    let tree: Vec<Json<'a>> =
        tree.iter().flat_map(|tree| tree.iter().map(|(_, message)| message)).filter(counted).collect();
    let calls = match tree.is_empty() {
        true => chat.array("messages")?.into_iter().filter(counted).collect(),
        false => tree,
    };
    let session = object.string("id").filter(|id| is_identifier(id));
    Some(Run { evidence: "chat with messages that state usage", calls, session, ..Run::default() })
}

/// A session of Auggie: exchanges, among whose nodes are those that state usage.
fn exchanges<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let nodes = |exchange: Json<'a>| exchange.object()?.object("exchange")?.array("response_nodes");
    let counted = |node: &Json<'a>| node.object().is_some_and(|node| node.object("token_usage").is_some());
    let calls = object.array("chatHistory")?.into_iter().filter_map(nodes).flatten().filter(counted).collect();
    let model = object.object("agentState").and_then(|state| state.string("modelId")).filter(|id| is_identifier(id));
    let session = object.string("sessionId").filter(|id| is_identifier(id));
    Some(Run { evidence: "chatHistory with nodes that state usage", calls, model, session, ..Run::default() })
}

/// A chat of GitHub Copilot in VS Code: the requests that were counted. Those of models with a key of one's own are left out.
fn requests<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let of_its_result = |request: &Object<'a>| {
        let metadata = request.object("result").and_then(|result| result.object("metadata"));
        metadata.is_some_and(|metadata| metadata.get("promptTokens").is_some())
    };
    let counted = |request: &Json<'a>| {
        request.object().is_some_and(|request| {
            let copilot = request.string("modelId").is_some_and(|model| model.starts_with("copilot/"));
            copilot && (request.get("promptTokens").is_some() || of_its_result(&request))
        })
    };
    let calls = object.array("requests").filter(|_| object.has("sessionId"))?.into_iter().filter(counted).collect();
    let session = object.string("sessionId").filter(|id| is_identifier(id));
    Some(Run { evidence: "requests of Copilot that were counted", calls, session, ..Run::default() })
}

/// An event of Junie that tells of answers.
fn event<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let calls = object.object("event")?.object("agentEvent")?.array("modelUsage")?;
    Some(Run { evidence: "event.agentEvent.modelUsage", calls, time: object.get("timestampMs"), ..Run::default() })
}

/// A session of jcode, or a line of what was added to one: its messages, of which some state what they used (public parsers of its files
/// and their tests, 2026-12-01).
fn jcode<'a>(object: &Object<'a>) -> Option<Run<'a>> {
    let about = object.object("meta").filter(|_| object.has("append_messages"));
    let session = about.as_ref().unwrap_or(object);
    let counted = |message: &Json<'a>| message.object().is_some_and(|message| message.object("token_usage").is_some());
    let messages = object.array("append_messages").or_else(|| object.array("messages"))?;
    let calls = messages.into_iter().filter(counted).collect();
    let short = |name: &str| session.string(name).filter(|text| is_identifier(text));
    session.has("provider_key").then_some(())?;
    let model = short("model");
    Some(Run { evidence: "messages that state token_usage", calls, model, session: short("id"), ..Run::default() })
}

fn is_object(value: Json<'_>) -> bool {
    value.kind() == Kind::Object
}
