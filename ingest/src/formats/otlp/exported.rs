//! Spans and log records as others keep them: stores (Jaeger, Zipkin, ClickHouse, Elasticsearch, CloudWatch, Application Insights,
//! Cloud Trace), consoles of the SDKs for Go and JavaScript, and tools that keep a trace as JSON (Phoenix, MLflow, Sentry). They hold
//! what OTLP holds under other names, so they become the same batch, and what a span means is decided once.
//!
//! Names: <https://www.jaegertracing.io/docs/latest/apis/>, <https://zipkin.io/zipkin-api/>,
//! <https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/understanding-input-spans.html> (read in a copy 2026-11-29),
//! <https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/clickhouseexporter>; others in spans that
//! their users published (2026-11-29).

use std::borrow::Cow;

use super::batch::{Attributes, Batch, Entry, Id, Scope, Signal, Value};
use super::held::{self, Held};
use super::names::lined;
use super::{agents, mastra, read, text};
use crate::assemble::Out;
use crate::envelope::{Envelope, time};
use crate::json::{Json, Kind, Object};

const ATTRIBUTES: [&str; 12] = [
    "attributes",
    "Attributes",
    "SpanAttributes",
    "LogAttributes",
    "span_attributes",
    "customDimensions",
    "Properties",
    "tags",
    "labels",
    "data",
    // Items of Application Insights; Uptrace
    "properties",
    "attrs",
];
const TRACE: [&str; 9] = [
    "traceId",
    "trace_id",
    "TraceId",
    "traceID",
    "trace.id",
    "trace.trace_id",
    "context.trace_id",
    "operation_Id",
    "OperationId",
];
const SPAN: [&str; 9] =
    ["spanId", "span_id", "SpanId", "spanID", "span.id", "trace.span_id", "context.span_id", "id", "Id"];
const PARENT: [&str; 9] = [
    "parentSpanId",
    "parent_span_id",
    "ParentSpanId",
    "parent_id",
    "parentId",
    "span.parent_id",
    "trace.parent_id",
    "operation_ParentId",
    "ParentId",
];
const NAME: [&str; 7] = ["name", "SpanName", "operationName", "span.name", "Name", "EventName", "description"];
const TIME: [&str; 15] = [
    "startTimeUnixNano",
    "start_time_unix_nano",
    "start_time",
    "startTime",
    "StartTime",
    "start_timestamp",
    "Timestamp",
    "timestamp",
    "time",
    "@timestamp",
    "TimeGenerated",
    "timeUnixNano",
    "ts",
    "hrTime",
    // Mastra's
    "startedAt",
];

/// SigNoz keeps attributes apart by their types.
const BY_TYPE: [&str; 3] = ["attributes_string", "attributes_number", "attributes_bool"];

/// Most levels of attributes that are objects within one another.
const LEVELS_MAX: u8 = 8;

/// Attributes whose names no reader knows are not worth their memory beyond this.
const ATTRIBUTES_MAX: usize = 1_024;

/// True for a span or log record whose identity and attributes stand under the names of a store, and which speaks of models.
pub(crate) fn is_entry(object: &Object<'_>) -> bool {
    if is_go(object) || is_script_log(object) || of_an_agent(object).is_some() {
        return true;
    }
    let identified = TRACE.iter().any(|name| object.has(name))
        || object.has("LogAttributes")
        || is_elastic(object)
        || of_cloud_trace(object).is_some();
    identified && !object.has("scopeSpans") && attributes_of(object).is_some() || is_node(object)
}

/// The trace that the name of a span in the second version of Cloud Trace says
/// (<https://cloud.google.com/trace/docs/reference/v2/rest/v2/projects.traces/batchWrite>, not opened).
fn of_cloud_trace<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let name = object.string("name").filter(|_| object.has("displayName"))?;
    let (_, trace) = name.split_once("/traces/")?;
    trace.split_once('/').map(|(trace, _)| Cow::Owned(trace.to_owned()))
}

/// True for a span as Phoenix's interface in GraphQL gives it back: its counts may stand beside its attributes, or alone.
fn is_node(object: &Object<'_>) -> bool {
    nested(object, "context", "traceId").is_some()
        && (object.has("tokenCountPrompt") || attributes_of(object).is_some())
}

/// True for a span or transaction as Elastic APM's server stores it: its identities in objects, and among its labels the names of the
/// conventions with lines in place of their dots (documents and what reads them in public code, 2026-11-29).
fn is_elastic(object: &Object<'_>) -> bool {
    let labelled = |name: &str| object.object(name).is_some_and(|labels| labels.iter().any(|(name, _)| is_label(name)));
    nested(object, "trace", "id").is_some() && ["labels", "numeric_labels"].iter().any(|name| labelled(name))
}

fn is_label(name: &str) -> bool {
    name.starts_with("gen_ai_")
}

fn nested<'a>(object: &Object<'a>, name: &str, field: &str) -> Option<Json<'a>> {
    object.object(name)?.get(field)
}

/// The labels of an object by the names they had as attributes.
fn labels<'a>(object: &Object<'a>, containers: &[&str]) -> Attributes<'a> {
    let mut found = Attributes::default();
    for labels in containers.iter().filter_map(|name| object.object(name)) {
        for (label, value) in labels.fields() {
            if let Some(value) = text::plain_value(value) {
                found.push(lined(&label).map_or(label, Cow::Borrowed), value);
            }
        }
    }
    found
}

/// The attributes of a segment of X-Ray: those that are indexed, with lines in place of dots, and others by their namespace.
fn of_segment<'a>(segment: &Object<'a>) -> Attributes<'a> {
    let mut found = labels(segment, &["annotations"]);
    for (_, space) in segment.object("metadata").unwrap_or_default().iter() {
        if let Some(space) = space.object() {
            fill(&mut found, "", &space, 0);
        }
    }
    found
}

/// The attributes of a request of a coding agent, as stores keep its log record: they are told by the name of its event, with a dot, with
/// a line in its place, or in an object (Cloud Logging, Datadog, Elasticsearch, Splunk and what the Collector sends to Loki, from knowledge
/// of them, 2026-11-30).
fn of_an_agent<'a>(object: &Object<'a>) -> Option<Json<'a>> {
    const HELD: [&str; 4] = ["attributes", "labels", "fields", "Attributes"];
    HELD.iter().find_map(|name| {
        let held = object.get(name)?;
        let inner = held.object()?;
        let stated = || inner.first(&["event.name", "event_name"])?.1.string();
        let event = stated().or_else(|| inner.object("event")?.string("name"))?;
        agents::is_request(&event, |name| inner.has(name)).then_some(held)
    })
}

/// True for what the SDK for Go prints.
fn is_go(object: &Object<'_>) -> bool {
    object.object("SpanContext").is_some_and(|context| context.has("TraceID")) && object.has("Attributes")
}

/// True for a log record as the SDK for JavaScript keeps it, and exporters to files write it down: its time as two halves
/// (<https://github.com/microsoft/vscode-copilot-chat>, and others in public code and test data, read 2026-11-30).
fn is_script_log(object: &Object<'_>) -> bool {
    object.has("hrTime") && object.object("attributes").is_some()
}

/// The attributes of an entry. Containers whose name says little must hold a name of the conventions.
fn attributes_of<'a>(object: &Object<'a>) -> Option<Json<'a>> {
    let spans = TRACE.iter().any(|name| object.has(name)) && SPAN[..7].iter().any(|name| object.has(name));
    let named = object.has("name") || object.has("operationName");
    if let Some(attributes) = of_an_agent(object) {
        return Some(attributes);
    }
    if is_script_log(object) || mastra::kind(object).is_some() {
        return object.get("attributes");
    }
    if let Some(strings) = object.get(BY_TYPE[0]).filter(|strings| speaks_of_models(*strings)) {
        return Some(strings);
    }
    if is_elastic(object) {
        return object.first(&["labels", "numeric_labels"]).map(|(_, labels)| labels);
    }
    if let Some(map) = nested(object, "attributes", "attributeMap").filter(|map| speaks_of_models(*map)) {
        return Some(map);
    }
    if object.has("start_time") && (object.has("annotations") || object.has("metadata")) {
        let spaces = object.object("metadata").unwrap_or_default();
        let mut spaces = spaces.iter().map(|(_, space)| space).chain(object.get("annotations"));
        if let Some(telling) = spaces.find(|space| speaks_of_models(*space)) {
            return Some(telling);
        }
    }
    ATTRIBUTES.iter().find_map(|name| {
        let value = object.get(name)?;
        let certain = match *name {
            "SpanAttributes" | "LogAttributes" => true,
            "attributes" => spans && named && value.kind() == Kind::Object,
            _ => false,
        };
        let container = matches!(value.kind(), Kind::Object | Kind::Array) || value.text().starts_with("\"{");
        (container && (certain || speaks_of_models(value))).then_some(value)
    })
}

/// True where an attribute is named by the conventions for models, or by one of their older spellings.
fn speaks_of_models(attributes: Json<'_>) -> bool {
    let telling = |name: &str| {
        ["gen_ai", "llm", "openinference", "traceloop", "langfuse", "mlflow"]
            .iter()
            .any(|family| name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
            || (name.starts_with("ai.") && !name.starts_with("ai.operation"))
            || name.starts_with("gen_ai_")
    };
    match attributes.kind() {
        Kind::Object => attributes.object().is_some_and(|object| object.iter().any(|(name, _)| telling(name))),
        Kind::Array => {
            let list = attributes.array().unwrap_or_default();
            let keyed = list.into_iter().take(ATTRIBUTES_MAX).filter_map(Json::object);
            keyed
                .into_iter()
                .any(|pair| pair.string("key").or_else(|| pair.string("Key")).is_some_and(|key| telling(&key)))
        }
        Kind::String => {
            let text = attributes.string().unwrap_or_default();
            Json::parse_object(&text).is_some_and(|(_, object)| object.iter().any(|(name, _)| telling(name)))
        }
        _ => false,
    }
}

/// True for a trace whose spans are told as those of a store.
pub(crate) fn is_trace(object: &Object<'_>) -> bool {
    const SEEN: usize = 16;
    let about_models = |span: &Held<'_>| {
        let identified = |trace: &Object<'_>| {
            TRACE.iter().any(|name| trace.has(name)) || nested(trace, "tags", "ai.operation.id").is_some()
        };
        is_entry(&span.object) || (span.trace.as_ref().is_some_and(identified) && attributes_of(&span.object).is_some())
    };
    held::spans(object).is_some_and(|spans| spans.iter().take(SEEN).any(about_models))
}

/// Reads one entry.
pub(crate) fn entry<'a>(json: Json<'a>, object: &Object<'a>, envelope: &Envelope<'a>, out: &mut Out<'_>) {
    let mut batch = Batch::default();
    let signal = push(&mut batch, json, object, None, None, 1);
    read(batch, signal, Some(envelope), out);
}

/// Reads the spans of a trace as one batch, so that what repeats its children is seen.
pub(crate) fn trace<'a>(object: &Object<'a>, envelope: &Envelope<'a>, out: &mut Out<'_>) {
    let most = out.config.items_max;
    let mut batch = Batch::default();
    for Held { json, object, trace, parent } in held::spans(object).unwrap_or_default() {
        push(&mut batch, json, &object, trace.as_ref(), parent, most);
    }
    read(batch, Signal::Traces, Some(envelope), out);
}

/// Adds one entry with what it stands under, and says which signal it belongs to.
fn push<'a>(
    batch: &mut Batch<'a>,
    json: Json<'a>,
    object: &Object<'a>,
    trace: Option<&Object<'a>>,
    above: Option<Json<'a>>,
    most: usize,
) -> Signal {
    batch.resources.push(resource(object, trace));
    batch.scopes.push(scope(object));
    let context = ["SpanContext", "spanContext", "context"].iter().find_map(|name| object.object(name));
    // Cloud Trace's first version writes a span's id as a number.
    let counted = trace.is_some_and(|trace| trace.has("projectId"));
    let identity = |names: &[&'static str], within_context: [&'static str; 2], digits: usize| {
        let own = context.as_ref().and_then(|context| Some(context.first(&within_context)?.1));
        let stated = || {
            let stated = |object: &Object<'a>| object.first(names).map(|(_, value)| value);
            stated(object).or_else(|| trace.filter(|_| digits == 32).and_then(stated))
        };
        let within = || {
            let owner = if digits == 32 { &["trace"][..] } else { &["span", "transaction"] };
            owner.iter().find_map(|owner| nested(object, owner, "id"))
        };
        let around = || nested(trace.filter(|_| digits == 32)?, "tags", "ai.operation.id");
        let written = || own.or_else(stated).or_else(within).or_else(around);
        let named = || of_cloud_trace(object).filter(|_| digits == 32);
        let id = named().or_else(|| text::lower_hexadecimal(written()?)).map(plain_id)?;
        Some(Id::Digits(match id.parse::<u64>() {
            Ok(number) if counted && digits == 16 => Cow::Owned(format!("{number:016x}")),
            _ => id,
        }))
    };
    let logged = object.has("LogAttributes") || is_script_log(object) || of_an_agent(object).is_some();
    let body = object.first(&["Body", "body", "_body"]).and_then(|(_, body)| body.string());
    let elastic = is_elastic(object);
    let mut attributes = match elastic {
        true => labels(object, &["labels", "numeric_labels"]),
        false if object.has("attrs") => labels(object, &["attrs"]),
        false if object.has("annotations") || object.has("subsegments") => of_segment(object),
        false if object.has(BY_TYPE[0]) => by_type(object),
        false => attributes_of(object).or_else(|| object.get("attributes")).map(all).unwrap_or_default(),
    };
    if let Some(kind) = mastra::kind(object) {
        mastra::translate(kind, &mut attributes);
    }
    if let Some(kind) = object.string("span_kind").filter(|_| object.has("context.span_id")) {
        attributes.push("openinference.span.kind".into(), Value::Text(Cow::Owned(kind.into_owned())));
    }
    if nested(object, "context", "traceId").is_some() {
        of_node(object, &mut attributes);
    }
    let display = || nested(object, "displayName", "value");
    let entry = Entry {
        name: display()
            .or_else(|| object.first(&NAME).map(|(_, name)| name))
            .or_else(|| nested(object, "span", "name"))
            .and_then(Json::string)
            .unwrap_or_default(),
        body,
        trace_id: identity(&TRACE, ["TraceID", "traceId"], 32),
        span_id: identity(&SPAN, ["SpanID", "spanId"], 16),
        parent_id: parent(object, trace, above),
        time: [Some(object), trace].into_iter().flatten().find_map(|object| {
            let told = |name: &&str| time(object, name).ok().flatten().or_else(|| text::halves(object.get(name)?));
            TIME.iter().find_map(told)
        }),
        attributes,
        json: Some(json),
        ..Entry::default()
    };
    batch.push(Ok(entry), most);
    if logged { Signal::Logs } else { Signal::Traces }
}

/// What Phoenix's interface says of a span in names of its own.
fn of_node<'a>(node: &Object<'a>, attributes: &mut Attributes<'a>) {
    const NAMES: [(&str, &str); 3] = [
        ("tokenCountPrompt", "llm.token_count.prompt"),
        ("tokenCountCompletion", "llm.token_count.completion"),
        ("tokenCountTotal", "llm.token_count.total"),
    ];
    if let Some(kind) = node.string("spanKind") {
        attributes.push("openinference.span.kind".into(), Value::Text(kind.to_ascii_uppercase().into()));
    }
    for (name, attribute) in NAMES {
        if let Some(count) = node.get(name).and_then(text::plain_value)
            && !attributes.iter().any(|(known, _)| known == attribute)
        {
            attributes.push(attribute.into(), count);
        }
    }
}

fn parent<'a>(object: &Object<'a>, trace: Option<&Object<'a>>, above: Option<Json<'a>>) -> Option<Id<'a>> {
    let go = || object.object("Parent")?.get("SpanID");
    let script = || object.object("parentSpanContext")?.get("spanId");
    let jaeger = || object.first_of("references")?.get("spanID");
    let stated = object.first(&PARENT).map(|(_, value)| value).or_else(|| nested(object, "parent", "id"));
    let around = || nested(trace?, "tags", "ai.operation.parentId");
    let found = above.or(stated).or_else(go).or_else(script).or_else(jaeger).or_else(around);
    text::lower_hexadecimal(found?).map(plain_id).map(Id::Digits)
}

/// An id that is written as a UUID, without its dashes, and what fills a span's up to that length (Laminar's interface, from knowledge of
/// it, 2026-11-30).
fn plain_id(id: Cow<'_, str>) -> Cow<'_, str> {
    // Application Insights' older ones are the way down to a span; X-Ray's have a version, and their time apart.
    if let Some(way) = id.strip_prefix('|') {
        let last = way.trim_end_matches('.').rsplit(['.', '_']).find(|part| !part.is_empty());
        return Cow::Owned(last.unwrap_or(way).to_owned());
    }
    if let Some(parted) = id.strip_prefix("1-").filter(|parted| parted.len() == 33) {
        return Cow::Owned(parted.replacen('-', "", 1));
    }
    if id.len() != 36 || !id.bytes().enumerate().all(|(at, byte)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23)) {
        return id;
    }
    let digits = id.replace('-', "");
    match digits.strip_prefix("0000000000000000") {
        Some(of_a_span) => Cow::Owned(of_a_span.to_owned()),
        None => Cow::Owned(digits),
    }
}

/// What a resource says, in whichever form.
pub(super) fn of_resource<'a>(resource: &Object<'a>) -> Attributes<'a> {
    let stated = resource.first(&["attributes", "_rawAttributes", "_attributes"]);
    match stated {
        Some((_, attributes)) => all(attributes),
        None => {
            let mut found = Attributes::default();
            fill(&mut found, "", resource, 0);
            found
        }
    }
}

/// What the entry's process says of itself.
fn resource<'a>(object: &Object<'a>, trace: Option<&Object<'a>>) -> Attributes<'a> {
    let process = || {
        let id = object.string("processID")?;
        let processes = |trace: &Object<'a>| trace.object("processes")?.object(&id);
        let among = |trace: &Object<'a>| {
            trace.array("data")?.into_iter().filter_map(Json::object).find_map(|one| processes(&one))
        };
        trace.and_then(|trace| processes(trace).or_else(|| among(trace)))
    };
    let process = object.object("process").or_else(process);
    let inner = object.object("resource");
    let stated = [
        inner.as_ref().and_then(|inner| Some(inner.first(&["attributes", "_rawAttributes", "_attributes"])?.1)),
        object.get("ResourceAttributes"),
        object.get("resources_string"),
        object.get("Resource"),
        process.as_ref().and_then(|process| process.get("tags")),
    ];
    let mut found = stated.into_iter().flatten().next().map(all).unwrap_or_default();
    let service = process.as_ref().and_then(|process| process.string("serviceName"));
    let endpoint = || object.object("localEndpoint")?.string("serviceName");
    let named = || {
        const SERVICE: [&str; 4] = ["ServiceName", "service.name", "AppRoleName", "cloud_RoleName"];
        let named = object.first(&SERVICE).map(|(_, name)| name);
        named.or_else(|| nested(object, "service", "name"))?.string()
    };
    if let Some(service) = service.or_else(endpoint).or_else(named) {
        found.push("service.name".into(), Value::Text(service));
    }
    found
}

fn scope<'a>(object: &Object<'a>) -> Scope<'a> {
    const SCOPE: [&str; 4] = ["scope", "instrumentationScope", "InstrumentationScope", "instrumentationLibrary"];
    let inner = SCOPE.iter().find_map(|name| object.object(name));
    let name = inner.and_then(|scope| scope.first(&["name", "Name"])?.1.string());
    Scope { name: name.or_else(|| object.string("ScopeName")).unwrap_or_default(), ..Scope::default() }
}

/// All attributes of a container: an object, names and values in a list, or the text of an object.
fn all<'a>(container: Json<'a>) -> Attributes<'a> {
    let mut found = Attributes::default();
    match container.kind() {
        Kind::Object => fill(&mut found, "", &container.object().unwrap_or_default(), 0),
        Kind::Array => pairs(&mut found, container),
        Kind::String => {
            let text = container.string().unwrap_or_default();
            let mut inner = Attributes::default();
            if let Some((_, object)) = Json::parse_object(&text) {
                fill(&mut inner, "", &object, 0);
            }
            // Decoded text does not live as long as the record.
            inner.iter().for_each(|(name, value)| found.push(Cow::Owned(name.to_owned()), value.to_owned_value()));
        }
        _ => {}
    }
    found
}

fn pairs<'a>(found: &mut Attributes<'a>, list: Json<'a>) {
    for pair in list.array().unwrap_or_default().into_iter().take(ATTRIBUTES_MAX) {
        // The SDK for JavaScript keeps those of its resource as lists of two.
        if let Some([key, value]) = pair.array().as_deref()
            && let (Some(key), Some(value)) = (key.string(), text::plain_value(*value))
        {
            found.push(key, value);
        }
        let Some(pair) = pair.object() else { continue };
        let (Some((_, key)), Some((_, value))) = (pair.first(&["key", "Key"]), pair.first(&["value", "Value"])) else {
            continue;
        };
        if let (Some(key), Some(value)) = (key.string(), text::plain_value(unwrapped(value))) {
            found.push(key, value);
        }
    }
}

/// Attributes that are kept apart by their types, together.
fn by_type<'a>(object: &Object<'a>) -> Attributes<'a> {
    let mut found = Attributes::default();
    for held in BY_TYPE.iter().filter_map(|name| object.object(name)) {
        fill(&mut found, "", &held, 0);
    }
    found
}

/// The attributes of a plain object; those of objects within it have names joined by dots.
pub(super) fn fill<'a>(found: &mut Attributes<'a>, prefix: &str, object: &Object<'a>, level: u8) {
    for (name, value) in object.fields() {
        if found.len() >= ATTRIBUTES_MAX {
            return;
        }
        let value = unwrapped(value);
        let name = if prefix.is_empty() { name } else { Cow::Owned(format!("{prefix}.{name}")) };
        match value.object().filter(|_| level < LEVELS_MAX && name.len() <= 128) {
            Some(inner) => fill(found, &name, &inner, level + 1),
            None => {
                if let Some(value) = text::plain_value(value) {
                    found.push(name, value);
                }
            }
        }
    }
}

/// A value that stands beside the name of its type (Go, Sentry), or within it (OTLP).
fn unwrapped<'a>(value: Json<'a>) -> Json<'a> {
    let Some(object) = value.object() else { return value };
    let typed = object.first(&["type", "Type"]).is_some();
    let only = || match object.iter().next() {
        // Cloud Trace says of a text whether it was cut off.
        Some(("stringValue", value)) => Some(value.object().and_then(|cut| cut.get("value")).unwrap_or(value)),
        Some(("intValue" | "doubleValue" | "boolValue", value)) => Some(value),
        _ => None,
    };
    match object.first(&["value", "Value"]) {
        Some((_, inner)) if typed => inner,
        _ => only().unwrap_or(value),
    }
}
