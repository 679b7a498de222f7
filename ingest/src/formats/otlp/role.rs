//! What a span is: a model call, something that repeats the usage of the calls beneath it, or neither.

use std::borrow::Cow;

use super::batch::{Entry, Id};
use super::names::{self, Names, names};
use crate::envelope::small_letters;
use crate::json::Json;
use crate::problem::Problem;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// A model call, and which operation.
    Model(Cow<'static, str>),
    /// States usage, but says nothing about what it is.
    Unstated,
    /// An agent, workflow or outer call: its usage is that of its children.
    Repeats,
    /// No usage of a model.
    Other,
}

/// Where emitters say what a span is, most precise first.
pub(super) const KINDS: &Names = names![21;
    "gen_ai.operation.name",
    "ai.operationId",
    "openinference.span.kind",
    // Alibaba Cloud's agents, VeADK and Dify
    "gen_ai.span.kind",
    "llm.request.type",
    "traceloop.span.kind",
    "langfuse.observation.type",
    "langsmith.span.kind",
    "mlflow.spanType",
    "mastra.span.type",
    "judgment.span_kind",
    "braintrust.span_attributes.type",
    "langwatch.span.type",
    "confident.span.type",
];

/// Told by what the emitter says it is, then by the names of spans that say nothing else.
pub(super) fn of(entry: &Entry<'_>) -> Role {
    let attributes = &entry.attributes;
    let spoken = attributes.has(names::CHARACTERS);
    let usage = attributes.has(names::INPUT) || attributes.has(names::OUTPUT) || spoken;
    let kind = attributes.text(KINDS);
    let kind = kind.as_deref().map(|kind| small_letters(kind.trim_matches('"')));
    // MLflow's `CHAT_MODEL` and Langfuse's `generation` are what the conventions call a chat.
    let told = match kind.as_deref() {
        Some(
            "chat" | "chat.completions" | "chat_model" | "llm" | "generation" | "model_generation" | "responses"
            | "response",
        ) => Some(Role::Model(Cow::Borrowed("chat"))),
        // LiteLLM's name for a chat.
        Some("completion") if attributes.has(names!["metadata.usage_object"]) => {
            Some(Role::Model(Cow::Borrowed("chat")))
        }
        Some("completion" | "text_completion" | "text.completions") => {
            Some(Role::Model(Cow::Borrowed("text_completion")))
        }
        Some("generate_content") => Some(Role::Model(Cow::Borrowed("generate_content"))),
        Some("embeddings" | "embedding" | "aembedding") => Some(Role::Model(Cow::Borrowed("embeddings"))),
        Some("image" | "image_generation" | "aimage_generation") => {
            Some(Role::Model(Cow::Borrowed("image_generation")))
        }
        Some("transcription" | "atranscription") => Some(Role::Model(Cow::Borrowed("transcription"))),
        Some("audio" | "speech" | "aspeech") => Some(Role::Model(Cow::Borrowed("speech"))),
        Some("tts" | "text_to_speech") if spoken => Some(Role::Model(Cow::Borrowed("speech"))),
        Some("plan") => Some(Role::Repeats),
        // OpenLLMetry calls every step of LlamaIndex so, also the one in which a model answers.
        Some("task" | "workflow") if usage && attributes.has(names::RESPONSE_MODEL) => None,
        Some("rerank" | "reranker") => Some(Role::Model(Cow::Borrowed("rerank"))),
        Some("execute_tool" | "tool" | "retriever" | "guardrail" | "evaluator" | "event" | "parser") => {
            Some(Role::Other)
        }
        // The Vercel AI SDK's outer spans repeat what their `.doGenerate` and `.doStream` children say.
        Some(kind) if kind.starts_with("ai.") => Some(inner_call(kind)),
        Some(kind)
            if ["agent", "workflow", "chain", "task", "step", "span", "crew"]
                .iter()
                .any(|word| kind.contains(word)) =>
        {
            Some(Role::Repeats)
        }
        _ => None,
    };
    let told = told.or_else(|| match &*small_letters(&entry.name) {
        name if name.starts_with("ai.") => Some(inner_call(name)),
        name if ["invoke_agent", "create_agent", "agent run", "agent_step", "invoke_workflow"]
            .iter()
            .any(|start| name.starts_with(start)) =>
        {
            Some(Role::Repeats)
        }
        _ => None,
    });
    match told {
        // A call whose cost is all that is told was paid for all the same.
        Some(Role::Model(_)) if !usage && attributes.has(names::COST) && attributes.has(names::REQUEST_MODEL) => {
            told.unwrap_or(Role::Other)
        }
        Some(Role::Model(_)) | None if !usage => Role::Other,
        Some(role) => role,
        None => Role::Unstated,
    }
}

fn inner_call(name: &str) -> Role {
    if !name.contains(".do") {
        return Role::Repeats;
    }
    Role::Model(Cow::Borrowed(if name.contains("embed") { "embeddings" } else { "chat" }))
}

/// Where spans stand, by their ids in order.
struct Places<'e>(Vec<(&'e Id<'e>, usize)>);

impl<'e> Places<'e> {
    fn of(spans: impl Iterator<Item = (usize, &'e Entry<'e>)>) -> Self {
        let mut places: Vec<_> = spans.filter_map(|(index, entry)| Some((entry.span_id.as_ref()?, index))).collect();
        places.sort_unstable();
        Places(places)
    }

    /// Where the last span of this id stands.
    fn last(&self, id: &Id<'_>) -> Option<usize> {
        let after = self.0.partition_point(|(each, _)| *each <= id);
        let (found, place) = self.0.get(after.checked_sub(1)?)?;
        (*found == id).then_some(*place)
    }
}

/// A framework and the SDK beneath it may both be instrumented: then one call has two spans, parent and child, with the same counts.
/// The child is closer to the provider, so the parent repeats it.
fn twice(entries: &[Result<Entry<'_>, (Problem, Option<Json<'_>>)>], roles: &mut [Role]) {
    let is_call = |role: &Role| matches!(role, Role::Model(_));
    if roles.iter().filter(|role| is_call(role)).nth(1).is_none() {
        return;
    }
    let spans = || entries.iter().zip(roles.iter()).enumerate().filter(|(_, (_, role))| is_call(role));
    let spans = || spans().filter_map(|(index, (entry, _))| Some((index, entry.as_ref().ok()?)));
    let places = Places::of(spans());
    let counts = |entry: &Entry<'_>| {
        let count = |names: &Names| entry.attributes.count(names).ok().flatten().filter(|count| *count > 0);
        Some((count(names::INPUT)?, count(names::OUTPUT)?))
    };
    let repeated = spans().filter_map(|(_, entry)| {
        let place = places.last(entry.parent_id.as_ref()?)?;
        let above = entries.get(place)?.as_ref().ok()?;
        let same = counts(entry).is_some() && counts(entry) == counts(above);
        (same && above.trace_id == entry.trace_id).then_some(place)
    });
    for place in repeated.collect::<Vec<_>>() {
        if let Some(role) = roles.get_mut(place) {
            *role = Role::Repeats;
        }
    }
}

/// What the spans of a batch are. One of which nothing says what it is repeats the usage of the model call beneath it.
pub(super) fn of_each(entries: &[Result<Entry<'_>, (Problem, Option<Json<'_>>)>]) -> Vec<Role> {
    let mut roles: Vec<Role> = entries.iter().map(|entry| entry.as_ref().map_or(Role::Other, of)).collect();
    twice(entries, &mut roles);
    // Nearly every batch says what its spans are, and needs none of what follows.
    if !roles.contains(&Role::Unstated) {
        return roles;
    }
    let spans = entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.as_ref().ok()?)));
    let places = Places::of(spans);
    let parent = |entry: usize| entries[entry].as_ref().ok().and_then(|entry| entry.parent_id.as_ref());
    let mut repeated = vec![false; entries.len()];
    for (entry, _) in roles.iter().enumerate().filter(|(_, role)| matches!(role, Role::Model(_) | Role::Unstated)) {
        let mut above = parent(entry);
        // A chain that was walked already, also one that bites its own tail, ends here.
        while let Some(place) = above.and_then(|id| places.last(id)).filter(|place| !repeated[*place]) {
            repeated[place] = true;
            above = parent(place);
        }
    }
    let repeats = roles.iter_mut().zip(repeated).filter(|(role, repeated)| *repeated && **role == Role::Unstated);
    repeats.for_each(|(role, _)| *role = Role::Repeats);
    roles
}
