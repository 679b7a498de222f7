//! Rows of databases in the text of SQL: what `pg_dump`, `mysqldump` and SQLite's `.dump` write (rows after `COPY ... FROM stdin`, and
//! `INSERT`), and tables as their shells draw them. Each row is read as the object it is; rows that nothing tells, as most of a database,
//! are passed over
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, <https://www.sqlite.org/cli.html>,
//! <https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html>, not opened: from knowledge of them; a dump of LiteLLM's tables that others
//! published, read 2026-12-01).

use crate::json::{self, Json};
use crate::recognise;

/// Longest statement that is put together of its lines, most columns of a table, and most tables whose columns are kept.
const STATEMENT_BYTES_MAX: usize = 16 << 20;
const COLUMNS_MAX: usize = 1_024;
const TABLES_MAX: usize = 1_024;

/// A dump that is read line by line.
#[derive(Debug, Default)]
pub struct Dump {
    /// Columns of the rows that follow, after the beginning of a `COPY`.
    copied: Option<Vec<String>>,
    /// Columns of tables by their names, for rows that do not name them.
    tables: Vec<(String, Vec<String>)>,
    statement: String,
    /// True where the statement quotes as MySQL does.
    mysql: bool,
    quote: Quote,
}

/// Whether the end of a statement so far stands within a text.
#[derive(Debug, Clone, Copy, Default)]
struct Quote {
    open: Option<u8>,
    escaped: bool,
}

impl Dump {
    /// True for a text that begins as a dump does, and holds rows, or says who wrote it.
    pub fn is_begun(start: &str) -> bool {
        const BEGINNINGS: [&str; 9] =
            ["--", "/*", "\\restrict", "pragma ", "begin", "set ", "copy ", "insert into ", "create table"];
        const TELLING: [&str; 4] = ["from stdin", "insert into ", "postgresql database dump", "mysql dump"];
        let begun = start.trim_ascii_start();
        let begins = |word: &str| begun.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if !BEGINNINGS.iter().any(|word| begins(word)) {
            return false;
        }
        let plain = start.to_ascii_lowercase();
        TELLING.iter().any(|word| plain.contains(word))
    }

    /// The rows that a line ends, each as a JSON object, where they can be told to be something.
    pub fn line(&mut self, line: &str) -> Vec<String> {
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some(columns) = &self.copied {
            if line == "\\." {
                self.copied = None;
                return Vec::new();
            }
            let cells = line.split('\t').map(|cell| (cell != "\\N").then(|| unescaped(cell)));
            return told(object(columns, cells)).into_iter().collect();
        }
        if self.statement.is_empty() && (line.is_empty() || line.starts_with("--")) {
            return Vec::new();
        }
        if self.statement.len() + line.len() > STATEMENT_BYTES_MAX {
            (self.statement, self.quote, self.mysql) = (String::new(), Quote::default(), false);
            return Vec::new();
        }
        self.mysql |= line.contains('`');
        self.quote.pass(line, self.mysql);
        self.statement.push_str(line);
        if self.quote.open.is_some() || !line.trim_ascii_end().ends_with(';') {
            self.statement.push('\n');
            return Vec::new();
        }
        self.quote = Quote::default();
        let (statement, mysql) = (std::mem::take(&mut self.statement), std::mem::take(&mut self.mysql));
        self.stated(&statement, mysql)
    }

    fn stated(&mut self, statement: &str, mysql: bool) -> Vec<String> {
        let mut words = Words { rest: statement, mysql };
        match words.word().to_ascii_lowercase().as_str() {
            "copy" => {
                let _ = words.name();
                let columns = words.columns();
                let rest = words.rest.to_ascii_lowercase();
                if rest.contains("from stdin") && !rest.contains("csv") {
                    self.copied = columns.filter(|columns| !columns.is_empty());
                }
                Vec::new()
            }
            "create" => {
                if words.word().eq_ignore_ascii_case("table") {
                    let _ = words.skipped("if not exists");
                    let name = words.name();
                    if let Some(columns) = words.columns().filter(|_| self.tables.len() < TABLES_MAX) {
                        self.tables.push((name, columns));
                    }
                }
                Vec::new()
            }
            "insert" => self.inserted(words).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    fn inserted(&self, mut words: Words<'_>) -> Option<Vec<String>> {
        words.skipped("ignore");
        words.skipped("into").then_some(())?;
        let name = words.name();
        let known = || self.tables.iter().rev().find(|(table, _)| *table == name).map(|(_, columns)| columns.clone());
        let columns = words.columns().or_else(known)?;
        words.skipped("values").then_some(())?;
        let mut rows = Vec::new();
        while words.skipped("(") {
            let cells = words.values();
            if cells.len() == columns.len() {
                rows.extend(told(object(&columns, cells.into_iter())));
            }
            words.skipped(",");
        }
        Some(rows)
    }
}

impl Quote {
    fn pass(&mut self, line: &str, mysql: bool) {
        line.bytes().chain([b'\n']).for_each(|byte| self.byte(byte, mysql));
    }

    fn byte(&mut self, byte: u8, mysql: bool) {
        match self.open {
            Some(_) if self.escaped => self.escaped = false,
            Some(_) if byte == b'\\' && mysql => self.escaped = true,
            Some(open) if byte == open => self.open = None,
            None if matches!(byte, b'\'' | b'"' | b'`') => self.open = Some(byte),
            _ => {}
        }
    }
}

/// A row, if it can be told to be something.
fn told(row: String) -> Option<String> {
    let (_, object) = Json::parse_object(&row)?;
    let counted = || object.iter().any(|(name, _)| ["token", "usage"].iter().any(|word| name.contains(word)));
    (recognise::recognise(&object).is_some() || counted()).then_some(row)
}

fn object(columns: &[String], cells: impl Iterator<Item = Option<String>>) -> String {
    let mut object = String::from("{");
    for (name, cell) in columns.iter().zip(cells) {
        if let Some(cell) = cell {
            json::put_text_field(&mut object, name, &cell);
        }
    }
    object.push('}');
    object
}

/// A value as `COPY` writes it.
fn unescaped(cell: &str) -> String {
    let mut plain = String::with_capacity(cell.len());
    let mut rest = cell.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '\\' { rest.next() } else { None }) {
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some('t')) => plain.push('\t'),
            ('\\', Some('r')) => plain.push('\r'),
            ('\\', Some('b' | 'f' | 'v')) => plain.push(' '),
            ('\\', Some(other)) => plain.push(other),
            (other, _) => plain.push(other),
        }
    }
    plain
}

/// The rest of a statement.
struct Words<'a> {
    rest: &'a str,
    mysql: bool,
}

impl<'a> Words<'a> {
    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_ascii_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Passes over these words, if they come next.
    fn skipped(&mut self, words: &str) -> bool {
        let rest = self.rest.trim_ascii_start();
        let there = rest.get(..words.len()).is_some_and(|next| next.eq_ignore_ascii_case(words));
        if there {
            self.rest = &rest[words.len()..];
        }
        there
    }

    /// A name, perhaps behind that of a schema: the last part, without its quotes.
    fn name(&mut self) -> String {
        let mut name;
        loop {
            let rest = self.rest.trim_ascii_start();
            match rest.chars().next().filter(|c| matches!(c, '"' | '`' | '[')) {
                Some(open) => {
                    let close = if open == '[' { ']' } else { open };
                    let (quoted, rest) = rest[1..].split_once(close).unwrap_or((&rest[1..], ""));
                    (name, self.rest) = (quoted, rest);
                }
                None => {
                    self.rest = rest;
                    name = self.word();
                }
            }
            if !self.skipped(".") {
                return name.to_owned();
            }
        }
    }

    /// The names in brackets, if they come next: of columns, with whatever a statement says of each.
    fn columns(&mut self) -> Option<Vec<String>> {
        const OTHERS: [&str; 8] = ["constraint", "primary", "key", "unique", "foreign", "check", "index", "fulltext"];
        self.skipped("(").then_some(())?;
        let mut columns = Vec::new();
        loop {
            let quoted = self.rest.trim_ascii_start().starts_with(['"', '`', '[']);
            let name = self.name();
            if quoted || !OTHERS.contains(&name.to_ascii_lowercase().as_str()) {
                columns.push(name);
            }
            let end = self.end_of_value()?;
            let (_, rest) = self.rest.split_at(end);
            self.rest = &rest[1..];
            if rest.starts_with(')') || columns.len() > COLUMNS_MAX {
                return Some(columns);
            }
        }
    }

    /// Where a comma or a bracket ends what comes next, outside of texts and brackets.
    fn end_of_value(&self) -> Option<usize> {
        let (mut quote, mut depth) = (Quote::default(), 0_usize);
        for (at, byte) in self.rest.bytes().enumerate() {
            match (quote.open, byte) {
                (None, b'(') => depth += 1,
                (None, b')') if depth > 0 => depth -= 1,
                (None, b')' | b',') if depth == 0 => return Some(at),
                _ => quote.byte(byte, self.mysql),
            }
        }
        None
    }

    /// The values of a row, to its end: those that are neither texts, numbers nor words are not told.
    fn values(&mut self) -> Vec<Option<String>> {
        let mut values = Vec::new();
        while let Some(end) = self.end_of_value() {
            let (value, rest) = self.rest.split_at(end);
            self.rest = &rest[1..];
            values.push(self.value(value.trim_ascii()));
            if rest.starts_with(')') || values.len() > COLUMNS_MAX {
                break;
            }
        }
        values
    }

    fn value(&self, value: &str) -> Option<String> {
        if value.eq_ignore_ascii_case("null") {
            return None;
        }
        // What Postgres puts behind a text, or MySQL before one, says what it is.
        let plain = value.strip_prefix(['E', 'N', 'e', 'n']).filter(|text| text.starts_with('\'')).unwrap_or(value);
        let plain = plain.strip_prefix("_binary ").unwrap_or(plain);
        let Some(text) = plain.strip_prefix('\'') else {
            return plain
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
                .then(|| plain.to_owned());
        };
        let (text, after) = text.rsplit_once('\'')?;
        if !after.is_empty() && !after.starts_with("::") {
            return None;
        }
        let text = text.replace("''", "'");
        Some(if self.mysql || value.starts_with(['E', 'e']) { unescaped(&text) } else { text })
    }
}

/// The rows of a text that is a dump, or a table drawn with lines, one JSON object a line; `None` if it is neither, or none can be told.
pub(crate) fn json(text: &str) -> Option<String> {
    let rows: Vec<String> = if Dump::is_begun(text) {
        let mut dump = Dump::default();
        text.lines().flat_map(|line| dump.line(line)).collect()
    } else {
        drawn(text)?
    };
    (!rows.is_empty()).then(|| rows.join("\n"))
}

/// The rows of a table as shells and documents draw it: names and values between upright lines, a rule beneath the names.
fn drawn(text: &str) -> Option<Vec<String>> {
    const UPRIGHT: [char; 3] = ['|', '│', '┃'];
    let is_rule = |line: &str| {
        line.chars().all(|c| " -+|:=─│┃┼├┤┌┐└┘┬┴╭╮╰╯━╋┣┫┏┓┗┛┳┻╇┡┩╈┠┨╂".contains(c))
            && line.contains(['-', '─', '━', '='])
    };
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim();
        let line = line.strip_prefix(UPRIGHT).unwrap_or(line);
        let line = line.strip_suffix(UPRIGHT).unwrap_or(line);
        line.split(UPRIGHT).map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).peekable();
    while lines.next_if(|line| is_rule(line)).is_some() {}
    let head = lines.next().filter(|head| head.contains(UPRIGHT))?;
    lines.next_if(|line| is_rule(line))?;
    let columns = cells(head);
    let rows = lines.filter(|line| !is_rule(line)).map(cells).filter(|row| row.len() == columns.len());
    let present = |cell: String| Some(cell).filter(|cell| !cell.is_empty() && cell != "NULL");
    Some(rows.filter_map(|row| told(object(&columns, row.into_iter().map(present)))).collect())
}
