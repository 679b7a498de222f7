//! What the exporter `debug` of the OpenTelemetry Collector (before: `logging`) prints of spans and log records. It is read as the
//! OTLP it was, without what it says of anything but attributes, identities and times (prints that others published, read
//! 2026-11-30).

use std::fmt::Write as _;

use chrono::DateTime;

use crate::json;

/// The spans and log records of such a print, each signal as a line of OTLP; `None` if it holds none.
pub(crate) fn json(text: &str) -> Option<String> {
    if text.starts_with(['{', '['])
        || !["ResourceSpans #", "ResourceLog #", "ResourceLogs #"].iter().any(|mark| text.contains(mark))
    {
        return None;
    }
    let mut print = Print::default();
    for line in text.lines() {
        print.read(line);
    }
    let lines = [
        ("resourceSpans", "scopeSpans", "spans", print.spans),
        ("resourceLogs", "scopeLogs", "logRecords", print.logs),
    ];
    let mut whole = String::new();
    for (resources, scopes, entries, found) in lines {
        if found.is_empty() {
            continue;
        }
        let one = |entry: &Entry| {
            let Entry { resource, scope, fields, attributes, .. } = entry;
            format!(
                "{{\"resource\":{{\"attributes\":[{resource}]}},\"{scopes}\":[{{\"scope\":{{{scope}}},\
                 \"{entries}\":[{{{fields}\"attributes\":[{attributes}]}}]}}]}}"
            )
        };
        let listed: Vec<String> = found.iter().map(one).collect();
        let _ = writeln!(whole, "{{\"{resources}\":[{}]}}", listed.join(","));
    }
    (!whole.is_empty()).then_some(whole)
}

/// A span or a log record: pieces of JSON.
#[derive(Default, Clone)]
struct Entry {
    resource: String,
    scope: String,
    fields: String,
    attributes: String,
}

/// Whose attributes the lines name.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum Section {
    #[default]
    None,
    Resource,
    Span,
    Log,
}

#[derive(Default)]
struct Print {
    resource: String,
    scope: String,
    section: Section,
    /// What the resource that is being read holds; metrics hold neither.
    kind: Section,
    /// A text of several lines has not ended yet.
    open: bool,
    spans: Vec<Entry>,
    logs: Vec<Entry>,
}

impl Print {
    fn read(&mut self, line: &str) {
        if std::mem::take(&mut self.open) {
            self.open = !line.ends_with(')');
            return;
        }
        let kinds =
            [("ResourceSpans #", Section::Span), ("ResourceLog", Section::Log), ("ResourceMetrics #", Section::None)];
        if let Some((_, kind)) = kinds.iter().find(|(mark, _)| line.contains(mark) && line.contains('#')) {
            (self.kind, self.section) = (*kind, Section::None);
            self.resource.clear();
            self.scope.clear();
            return;
        }
        let Some(attribute) = line.strip_prefix("     -> ") else { return self.heading(line) };
        let section = self.section;
        let attributes = match section {
            Section::None => None,
            Section::Resource => Some(&mut self.resource),
            Section::Span => self.spans.last_mut().map(|entry| &mut entry.attributes),
            Section::Log => self.logs.last_mut().map(|entry| &mut entry.attributes),
        };
        if let Some((name, kind, value)) = split(attribute) {
            self.open = !value.ends_with(')');
            if let Some(attributes) = attributes {
                put(attributes, name, kind, value.strip_suffix(')').unwrap_or(value));
            }
        }
    }

    /// A line that is no attribute: where something begins, or a field of a span.
    fn heading(&mut self, line: &str) {
        let line = line.trim();
        for mark in ["InstrumentationScope ", "InstrumentationLibrary "] {
            if let Some(scope) = line.strip_prefix(mark) {
                let (name, version) = scope.rsplit_once(' ').unwrap_or((scope, ""));
                self.scope = format!("\"name\":{},\"version\":{}", quoted(name), quoted(version));
            }
        }
        let entry = || Entry { resource: self.resource.clone(), scope: self.scope.clone(), ..Entry::default() };
        match line {
            "Resource attributes:" | "Resource labels:" => self.section = Section::Resource,
            "Attributes:" => self.section = self.kind,
            "Events:" | "Links:" | "Scope attributes:" => self.section = Section::None,
            _ if line.starts_with("Span #") && self.kind == Section::Span => {
                self.spans.push(entry());
                self.section = Section::None;
            }
            _ if line.starts_with("LogRecord #") && self.kind == Section::Log => {
                self.logs.push(entry());
                self.section = Section::None;
            }
            _ => self.field(line),
        }
    }

    fn field(&mut self, line: &str) {
        let entry = match self.kind {
            Section::Span => self.spans.last_mut(),
            Section::Log => self.logs.last_mut(),
            _ => None,
        };
        let (Some(entry), Some((name, value))) = (entry, line.split_once(": ")) else { return };
        let value = value.trim();
        let name = match name.trim_end() {
            "Trace ID" => "traceId",
            "Span ID" | "ID" => "spanId",
            "Parent ID" => "parentSpanId",
            "Name" => "name",
            "EventName" => "eventName",
            "Start time" => "startTimeUnixNano",
            "Timestamp" => "timeUnixNano",
            "Body" => "body",
            _ => return,
        };
        let written = match name {
            "startTimeUnixNano" | "timeUnixNano" => nanoseconds(value).map(|time| quoted(&time)),
            "body" => value.strip_prefix("Str(").map(|text| quoted(text.strip_suffix(')').unwrap_or(text))),
            _ => Some(quoted(value)).filter(|_| !value.is_empty()),
        };
        if let Some(written) = written {
            let _ = write!(entry.fields, "\"{name}\":{written},");
        }
    }
}

/// The name of an attribute, its type and its value, with the bracket that closes it.
fn split(attribute: &str) -> Option<(&str, &str, &str)> {
    let (name, typed) = attribute.split_once(": ")?;
    let (kind, value) = typed.split_once('(')?;
    Some((name, kind, value))
}

fn put(attributes: &mut String, name: &str, kind: &str, value: &str) {
    let written = match kind.to_ascii_lowercase().as_str() {
        "str" | "string" => format!("{{\"stringValue\":{}}}", quoted(value)),
        "int" => format!("{{\"intValue\":{}}}", quoted(value)),
        "double" => format!("{{\"doubleValue\":{}}}", quoted(value)),
        "bool" => format!("{{\"boolValue\":{}}}", value == "true"),
        // Lists and maps hold messages.
        _ => return,
    };
    attributes.push_str(if attributes.is_empty() { "" } else { "," });
    let _ = write!(attributes, "{{\"key\":{},\"value\":{written}}}", quoted(name));
}

/// A time as Go prints it (`2026-04-01 07:13:10.138724 +0000 UTC`), in nanoseconds since 1970.
fn nanoseconds(text: &str) -> Option<String> {
    let mut words = text.split(' ');
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let (hours, minutes) = zone.split_at_checked(3)?;
    let time = DateTime::parse_from_rfc3339(&format!("{date}T{time}{hours}:{minutes}")).ok()?;
    time.timestamp_nanos_opt().map(|time| time.to_string())
}

fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    json::quote(&mut quoted, text);
    quoted
}
