//! How stores and their interfaces hold the spans of traces: in lists, in lists of traces, in sets that a search found (Tempo), within one
//! another (AWS X-Ray), as the nodes of a graph (Phoenix), or each in an envelope (Application Insights)
//! (<https://grafana.com/docs/tempo/latest/api_docs/>, <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>,
//! not opened; answers and documents in public code that reads them, 2026-12-01).

use crate::json::{Json, Object};

/// A span, and what stands around it and says something of it.
pub(super) struct Held<'a> {
    pub json: Json<'a>,
    pub object: Object<'a>,
    /// The trace it is in.
    pub trace: Option<Object<'a>>,
    /// The span it stands within.
    pub parent: Option<Json<'a>>,
}

/// Most levels of spans or nodes within one another.
const LEVELS_MAX: u8 = 16;

/// The spans that an object holds.
pub(super) fn spans<'a>(object: &Object<'a>) -> Option<Vec<Held<'a>>> {
    if let Some(item) = of_insights(object) {
        return Some(vec![item]);
    }
    if is_segment(object) && object.has("subsegments") {
        return Some(segments(object));
    }
    let data = object.object("data");
    if let Some(spans) = list(object).or_else(|| list(data.as_ref()?)) {
        return Some(within(spans, object));
    }
    if let Some(traces) = object.array("data").or_else(|| object.array("traces")) {
        let traces = traces.into_iter().filter_map(Json::object);
        let spans: Vec<_> = traces.filter_map(|trace| Some(within(list(&trace)?, &trace))).flatten().collect();
        return (!spans.is_empty()).then_some(spans);
    }
    let mut nodes = Vec::new();
    graph(data.as_ref()?, 0, &mut nodes);
    (!nodes.is_empty()).then_some(nodes)
}

fn within<'a>(spans: Vec<Json<'a>>, trace: &Object<'a>) -> Vec<Held<'a>> {
    let held = |json: Json<'a>| Some(Held { json, object: json.object()?, trace: Some(trace.clone()), parent: None });
    spans.into_iter().filter_map(held).collect()
}

/// The spans in a list, or in the sets of a search. What one set holds is said again as the first.
fn list<'a>(holder: &Object<'a>) -> Option<Vec<Json<'a>>> {
    let set = |set: &Object<'a>| set.array("spans");
    if let Some(sets) = holder.array("spanSets").filter(|sets| !sets.is_empty()) {
        return Some(sets.into_iter().filter_map(|found| set(&found.object()?)).flatten().collect());
    }
    holder.array("spans").or_else(|| holder.array("items")).or_else(|| set(&holder.object("spanSet")?))
}

/// True for a segment of X-Ray, or a part of one.
pub(super) fn is_segment(object: &Object<'_>) -> bool {
    let told = ["annotations", "metadata", "subsegments"].iter().any(|name| object.has(name));
    told && object.has("id")
        && object.has("start_time")
        && object.string("trace_id").is_some_and(|id| id.starts_with("1-"))
}

/// A segment and its parts, each beneath what it is a part of.
fn segments<'a>(segment: &Object<'a>) -> Vec<Held<'a>> {
    let mut found = Vec::new();
    parts(segment, segment, 0, &mut found);
    found
}

fn parts<'a>(segment: &Object<'a>, whole: &Object<'a>, level: u8, found: &mut Vec<Held<'a>>) {
    for json in whole.array("subsegments").filter(|_| level < LEVELS_MAX).unwrap_or_default() {
        let Some(object) = json.object() else { continue };
        parts(segment, &object, level + 1, found);
        found.push(Held { json, object, trace: Some(segment.clone()), parent: whole.get("id") });
    }
}

/// The nodes of an answer in GraphQL that are spans.
fn graph<'a>(object: &Object<'a>, level: u8, found: &mut Vec<Held<'a>>) {
    for (_, value) in object.iter().filter(|_| level < LEVELS_MAX) {
        let Some(inner) = value.object() else { continue };
        let Some(edges) = inner.array("edges") else {
            graph(&inner, level + 1, found);
            continue;
        };
        for edge in edges.into_iter().filter_map(Json::object) {
            let Some((_, json)) = edge.first(&["span", "node", "trace"]) else { continue };
            let Some(node) = json.object() else { continue };
            match node.object("context") {
                Some(_) => found.push(Held { json, object: node, trace: None, parent: None }),
                None => graph(&node, level + 1, found),
            }
        }
    }
}

/// An item as the SDKs of Application Insights send it: what it is stands within, to which trace it belongs around it.
fn of_insights<'a>(object: &Object<'a>) -> Option<Held<'a>> {
    let json = object.object("data")?.get("baseData").filter(|_| object.object("tags").is_some())?;
    Some(Held { json, object: json.object()?, trace: Some(object.clone()), parent: None })
}
