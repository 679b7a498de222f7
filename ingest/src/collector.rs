//! What the exporter `debug` of the OpenTelemetry Collector (before: `logging`) prints of spans and log records. It is read as the
//! OTLP it was, without what it says of anything but attributes, identities and times (prints that others published, read
//! 2026-11-30).

use std::fmt::Write as _;

use chrono::DateTime;

use crate::json;

/// The spans and log records of such a print, each resource's as a line of OTLP; `None` if it holds none.
pub(crate) fn json(text: &str) -> Option<String> {
    if text.starts_with(['{', '['])
        || !text.contains('#')
        || !["ResourceSpans #", "ResourceLog #", "ResourceLogs #"].iter().any(|mark| text.contains(mark))
    {
        return None;
    }
    let mut print = Print::default();
    for line in text.lines() {
        print.read(line);
    }
    let mut whole = String::new();
    print.resources.iter().for_each(|resource| resource.write(&mut whole));
    (!whole.is_empty()).then_some(whole)
}

/// What is printed of a resource, as pieces of JSON.
#[derive(Default)]
struct Resource {
    kind: Section,
    attributes: String,
    scopes: Vec<Scope>,
}

/// What is printed of a scope.
#[derive(Default)]
struct Scope {
    about: String,
    entries: Vec<Entry>,
}

/// A span or a log record.
#[derive(Default)]
struct Entry {
    fields: String,
    attributes: String,
}

impl Resource {
    fn write(&self, out: &mut String) {
        let (resources, scopes, entries) = match self.kind {
            Section::Span => ("resourceSpans", "scopeSpans", "spans"),
            _ => ("resourceLogs", "scopeLogs", "logRecords"),
        };
        let filled = |scope: &&Scope| !scope.entries.is_empty();
        if !self.scopes.iter().any(|scope| filled(&scope)) {
            return;
        }
        let _ =
            write!(out, "{{\"{resources}\":[{{\"resource\":{{\"attributes\":[{}]}},\"{scopes}\":[", self.attributes);
        for (at, scope) in self.scopes.iter().filter(filled).enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            let _ = write!(out, "{{\"scope\":{{{}}},\"{entries}\":[", scope.about);
            for (at, Entry { fields, attributes }) in scope.entries.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                let _ = write!(out, "{{{fields}\"attributes\":[{attributes}]}}");
            }
            out.push_str("]}");
        }
        out.push_str("]}]}\n");
    }
}

/// Whose attributes the lines name.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum Section {
    /// Nobody's that matters: metrics', events', scopes'.
    #[default]
    None,
    Resource,
    Span,
    Log,
}

#[derive(Default)]
struct Print {
    resources: Vec<Resource>,
    section: Section,
    /// A text of several lines has not ended yet.
    open: bool,
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
            self.section = Section::None;
            self.resources.push(Resource { kind: *kind, ..Resource::default() });
            return;
        }
        let Some(attribute) = line.strip_prefix("     -> ") else { return self.heading(line) };
        let section = self.section;
        let attributes = match section {
            Section::None => None,
            Section::Resource => self.resources.last_mut().map(|resource| &mut resource.attributes),
            Section::Span | Section::Log => self.entry().map(|entry| &mut entry.attributes),
        };
        if let Some((name, kind, value)) = split(attribute) {
            if let Some(attributes) = attributes {
                put(attributes, name, kind, value.strip_suffix(')').unwrap_or(value));
            }
            self.open = !value.ends_with(')');
        }
    }

    /// The scopes of the resource that is being read; the last is being read.
    fn scopes(&mut self) -> Option<&mut Vec<Scope>> {
        self.resources.last_mut().map(|resource| &mut resource.scopes)
    }

    /// The span or log record that is being read.
    fn entry(&mut self) -> Option<&mut Entry> {
        self.scopes()?.last_mut()?.entries.last_mut()
    }

    /// A span or a log record begins.
    fn begin(&mut self) {
        self.section = Section::None;
        let Some(scopes) = self.scopes() else { return };
        if scopes.is_empty() {
            scopes.push(Scope::default());
        }
        if let Some(scope) = scopes.last_mut() {
            scope.entries.push(Entry::default());
        }
    }

    /// A line that is no attribute: where something begins, or a field of a span.
    fn heading(&mut self, line: &str) {
        let line = line.trim();
        for mark in ["InstrumentationScope ", "InstrumentationLibrary "] {
            if let (Some(scope), Some(scopes)) = (line.strip_prefix(mark), self.scopes()) {
                let (name, version) = scope.rsplit_once(' ').unwrap_or((scope, ""));
                let about = format!("\"name\":{},\"version\":{}", quoted(name), quoted(version));
                scopes.push(Scope { about, ..Scope::default() });
            }
        }
        let kind = self.resources.last().map_or(Section::None, |resource| resource.kind);
        match line {
            "Resource attributes:" | "Resource labels:" => self.section = Section::Resource,
            "Attributes:" => self.section = kind,
            "Events:" | "Links:" | "Scope attributes:" => self.section = Section::None,
            _ if line.starts_with("Span #") && kind == Section::Span => self.begin(),
            _ if line.starts_with("LogRecord #") && kind == Section::Log => self.begin(),
            _ => self.field(line),
        }
    }

    fn field(&mut self, line: &str) {
        let (Some(entry), Some((name, value))) = (self.entry(), line.split_once(": ")) else { return };
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
