//! What stands beside an answer and is none: what was asked, what was expected, examples, and what a message, a document or a
//! tool holds. All of it may quote answers, which were counted where they were given.

use crate::json::{Kind, Object};

/// True for the name of a field that holds a question, whatever else its name says of its form.
pub(super) fn is_of_a_question(name: &str) -> bool {
    // Nobody was called for these: they are what somebody expects, shows or goes on from.
    const QUOTED: [&str; 11] = [
        "mock",
        "expected",
        "example",
        "previous",
        "preferred",
        "preference",
        "ground_truth",
        "groundtruth",
        "reference",
        "few_shot",
        "fewshot",
    ];
    const WHOLE: [&str; 12] = [
        "arguments",
        "args",
        "req",
        "messages",
        "history",
        "tools",
        "functions",
        "system",
        "instructions",
        "config",
        "choices",
        "response_format",
    ];
    const ASKED: [&str; 12] = [
        "request",
        "requests",
        "input",
        "inputs",
        "prompt",
        "prompts",
        "question",
        "questions",
        "query",
        "history",
        "contents",
        "variables",
    ];
    // Both together are a pair, or a log of what was asked and answered.
    const ANSWERED: [&str; 12] = [
        "res",
        "output",
        "completion",
        "answer",
        "reply",
        "result",
        "log",
        "trace",
        "event",
        "record",
        "interaction",
        "pair",
    ];
    let lower = name.to_ascii_lowercase();
    let speaks = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let asks = || lower.starts_with("request") || ASKED.iter().any(|word| without_form(&lower).ends_with(word));
    WHOLE.contains(&name) || speaks(&QUOTED) || (asks() && !speaks(&ANSWERED))
}

/// A name without what it says of the form of its value (`request_body_json`).
fn without_form(name: &str) -> &str {
    const FORMS: [&str; 9] = ["json", "body", "payload", "text", "data", "raw", "params", "object", "dict"];
    let mut stem = name;
    while let Some(rest) = FORMS.iter().find_map(|form| stem.strip_suffix(form)) {
        stem = rest.trim_end_matches(['_', '-', '.']);
    }
    stem
}

/// The fields of an object that are contents: what a message of a conversation, a piece of one, or a document says.
pub(super) fn contents(object: &Object<'_>) -> &'static [&'static str] {
    const ROLES: [&str; 7] = ["user", "assistant", "tool", "system", "developer", "model", "function"];
    const PIECES: [&str; 18] = [
        "text",
        "output_text",
        "input_text",
        "thinking",
        "reasoning",
        "document",
        "tool_use",
        "tool_result",
        "server_tool_use",
        "mcp_tool_use",
        "mcp_tool_result",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "mcp_call",
        "human",
        "ai",
    ];
    const SAID: [&str; 10] =
        ["content", "contents", "parts", "text", "output", "input", "result", "arguments", "tool_calls", "toolCalls"];
    let is_one_of = |name: &str, words: &[&str]| object.string(name).is_some_and(|word| words.contains(&&*word));
    if is_one_of("role", &ROLES) || is_one_of("type", &PIECES) {
        return &SAID;
    }
    // What a tool gave back (<https://modelcontextprotocol.io/specification>, not opened: from knowledge).
    if object.has("structuredContent") && object.has("content") {
        return &["content", "structuredContent"];
    }
    // A file within a message.
    if ["media_type", "mimeType", "mime_type"].iter().any(|name| object.has(name)) && object.has("data") {
        return &["data"];
    }
    // A change of a row, as Debezium and others tell it: what the row was before is told already.
    if object.has("op") && object.has("before") && object.has("after") {
        return &["before"];
    }
    // What a cluster is configured with.
    if object.has("apiVersion") && object.has("kind") && object.has("metadata") {
        return &["data", "stringData", "binaryData", "spec"];
    }
    // What a vector store keeps of a text, or under an id, beside a vector or how near it is, each alone or in lists. An embedder's answer
    // has a vector and says what it used, too, but not of what.
    const KEPT: [&str; 5] = ["payload", "metadata", "metadatas", "properties", "meta"];
    const STORED: [&str; 10] =
        ["id", "_id", "ids", "class", "text", "content", "document", "documents", "page_content", "pageContent"];
    const NEAR: [&str; 10] = [
        "vector",
        "values",
        "embedding",
        "embeddings",
        "score",
        "distance",
        "distances",
        "similarity",
        "page_content",
        "pageContent",
    ];
    let any = |names: &[&str]| names.iter().any(|name| object.has(name));
    if any(&KEPT) && any(&STORED) && any(&NEAR) {
        return &["payload", "metadata", "metadatas", "properties", "meta", "content", "text", "page_content"];
    }
    // A page that a search found. A recording of HTTP has more beside its address.
    let recorded = ["status", "statusCode", "status_code", "headers", "method", "request"];
    let found = object.has("content") && ["url", "link"].iter().any(|name| object.has(name));
    if found && !recorded.iter().any(|name| object.has(name)) {
        return &["content", "raw_content"];
    }
    // An example that a model is trained with.
    let trained = |name: &str| matches!(name, "prompt" | "completion" | "system" | "label" | "chosen" | "rejected");
    if object.has("chosen") && object.has("rejected") {
        return &["completion", "chosen", "rejected"];
    }
    if object.has("prompt") && object.has("completion") && object.iter().all(|(name, _)| trained(name)) {
        return &["completion", "chosen", "rejected"];
    }
    // Documents that are searched, and files; what people write to one another.
    let document =
        ["title", "embedding", "sha", "page_content", "@search.score"].iter().any(|name| object.get(name).is_some());
    let written = LETTERS.iter().any(|marks| marks.iter().all(|name| object.get(name).is_some()));
    if document || written { &["content", "text", "page_content"] } else { &[] }
}

/// Fields that letters and messages of people have beside what they say (Slack, Discord, Teams, mail).
const LETTERS: [[&str; 2]; 6] = [
    ["channel", "ts"],
    ["channel_id", "author"],
    ["from", "subject"],
    ["from", "chat"],
    ["from", "conversation"],
    ["author", "body"],
];

/// True for the text of a letter, a page or an issue, which is no body of an answer.
pub(super) fn is_written(object: &Object<'_>) -> bool {
    let titled = ["title", "subject"].iter().any(|name| object.get(name).is_some());
    titled && object.get("body").is_some_and(|body| body.kind() == Kind::String)
}
