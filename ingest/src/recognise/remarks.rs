//! Lines and events of programs that write each call beside much else: what was asked, which tool ran, which model was chosen. They count
//! nothing, so they are no calls, and no mistakes (files and streams in public code that reads them, 2026-11-30).

use crate::json::{Json, Kind, Object};

/// The evidence that an object is such a line.
pub(super) fn evidence(object: &Object<'_>) -> Option<&'static str> {
    if object.get("usage").is_some() {
        return None;
    }
    if is_of_a_session(object) {
        return Some("a line of a session of Pi, Droid or an agent made of them");
    }
    if is_of_kimi(object) {
        return Some("a line of a session of Kimi CLI");
    }
    if is_of_dify(object) {
        return Some("an event of Dify that counts nothing");
    }
    if object.has("uuid") && object.has("parentUuid") && object.has("sessionId") && object.has("message") {
        return Some("a line of a chat of Qwen Code");
    }
    if object.has("kind") && object.has("k") && object.has("v") {
        return Some("a change of a chat of VS Code");
    }
    if object.has("ts") && object.get("turn").and_then(Json::boolean) == Some(true) && object.iter().nth(2).is_none() {
        return Some("the end of a turn of Reasonix");
    }
    if object.has("timestampMs") && object.object("event").is_some_and(|event| event.has("agentEvent")) {
        return Some("an event of Junie");
    }
    (object.has("seq")
        && object.has("time")
        && object.has("data")
        && object.string("type").is_some_and(|kind| kind.contains('/')))
    .then_some("an event of a session of dsh")
}

fn is_of_a_session(object: &Object<'_>) -> bool {
    const KINDS: [&str; 9] = [
        "model_change",
        "thinking_level_change",
        "compaction",
        "branch_summary",
        "custom",
        "custom_message",
        "label",
        "session_info",
        "todo_state",
    ];
    let Some(kind) = object.string("type") else { return false };
    match &*kind {
        "session" => object.has("id") && object.has("cwd"),
        "session_start" => object.has("id") && object.has("cwd"),
        "message" => {
            let said = object.object("message");
            object.has("id")
                && object.has("timestamp")
                && said.is_some_and(|said| said.has("role") && said.get("usage").is_none())
        }
        kind => object.has("id") && object.has("timestamp") && KINDS.contains(&kind),
    }
}

fn is_of_kimi(object: &Object<'_>) -> bool {
    let event = || object.object("message").is_some_and(|message| message.has("type") && message.has("payload"));
    (object.is("type", "metadata") && object.has("protocol_version")) || (object.has("timestamp") && event())
}

/// True for an event of a stream of Dify's that is none of a node: those are told by their nodes.
fn is_of_dify(object: &Object<'_>) -> bool {
    const EVENTS: [&str; 19] = [
        "workflow_started",
        "message",
        "message_file",
        "message_replace",
        "agent_message",
        "agent_thought",
        "agent_log",
        "text_chunk",
        "text_replace",
        "tts_message",
        "tts_message_end",
        "iteration_started",
        "iteration_next",
        "iteration_completed",
        "loop_started",
        "loop_next",
        "loop_completed",
        "parallel_branch_started",
        "parallel_branch_finished",
    ];
    let told = object.string("event").is_some_and(|event| EVENTS.contains(&&*event));
    told && object.get("task_id").map(Json::kind) == Some(Kind::String)
}
