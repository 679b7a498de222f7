//! Tables on a terminal: aligned, calm, and plain text wherever nobody looks.

use std::fmt::Write;
use std::io::IsTerminal;

/// How text may be dressed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Light rules and ticks from outside ASCII.
    pub unicode: bool,
    /// Bold, dim and red.
    pub color: bool,
}

impl Style {
    /// What standard output can show.
    pub fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let utf8 = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Style { unicode: terminal && utf8, color: terminal && !dumb && !set("NO_COLOR") }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Something of less weight.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Something that needs attention.
    pub fn alarm(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What stands for yes and no.
    pub fn verdict(self, ok: bool) -> String {
        match (ok, self.unicode) {
            (true, true) => self.paint("32", "✓"),
            (true, false) => "ok".to_owned(),
            (false, true) => self.alarm("✗ no"),
            (false, false) => "NO".to_owned(),
        }
    }

    fn rule(self) -> &'static str {
        if self.unicode { "─" } else { "-" }
    }
}

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table: columns, rows, and perhaps last rows set apart by a rule.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    totals: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; a name that begins with `>` is a column of numbers.
    pub fn new(columns: &[&str]) -> Self {
        let column = |name: &&str| match name.strip_prefix('>') {
            Some(name) => (name.to_owned(), Align::Right),
            None => ((*name).to_owned(), Align::Left),
        };
        Table { columns: columns.iter().map(column).collect(), ..Table::default() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(tame).collect());
    }

    /// Adds a row below the others, apart from them.
    pub fn total(&mut self, cells: impl IntoIterator<Item = String>) {
        self.totals.push(cells.into_iter().map(tame).collect());
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, every line ended, two spaces in.
    pub fn render(&self, style: Style) -> String {
        let width_of = |at: usize| {
            let cells = self.rows.iter().chain(&self.totals).filter_map(|row| row.get(at)).map(|cell| visible(cell));
            cells.chain([visible(&self.columns[at].0)]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width_of).collect();
        let mut text = String::new();
        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        text.push_str(&style.dim(&self.line(&header, &widths)));
        text.push('\n');
        let rule =
            style.dim(&self.line(&widths.iter().map(|width| style.rule().repeat(*width)).collect::<Vec<_>>(), &widths));
        let _ = writeln!(text, "{rule}");
        for row in &self.rows {
            let _ = writeln!(text, "{}", self.line(row, &widths));
        }
        if !self.totals.is_empty() {
            let _ = writeln!(text, "{rule}");
        }
        for total in &self.totals {
            let _ = writeln!(text, "{}", style.heading(&self.line(total, &widths)));
        }
        text
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::from(" ");
        for (at, width) in widths.iter().enumerate() {
            let cell = cells.get(at).map_or("", String::as_str);
            let gap = " ".repeat(width.saturating_sub(visible(cell)));
            let _ = match self.columns[at].1 {
                Align::Left => write!(line, " {cell}{gap} "),
                Align::Right => write!(line, " {gap}{cell} "),
            };
        }
        line.trim_end().to_owned()
    }
}

/// A cell without control characters, which names of others may have: they break the table, or the screen. What [`Style`] puts
/// there stays.
fn tame(cell: String) -> String {
    const DRESS: [&str; 5] = ["[0m", "[1m", "[2m", "[31m", "[32m"];
    if !cell.contains(char::is_control) {
        return cell;
    }
    let mut tamed = String::with_capacity(cell.len() + 8);
    for (at, c) in cell.char_indices() {
        match c {
            '\x1b' if DRESS.iter().any(|dress| cell[at + 1..].starts_with(dress)) => tamed.push(c),
            c if c.is_control() => tamed.extend(c.escape_default()),
            c => tamed.push(c),
        }
    }
    tamed
}

/// Characters of a text that take room on a screen.
fn visible(text: &str) -> usize {
    let mut escaped = false;
    let shown = |c: &char| {
        let hidden = escaped || *c == '\x1b';
        escaped = hidden && *c != 'm';
        !hidden
    };
    text.chars().filter(shown).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_cannot_break_a_table_or_a_screen() {
        let mut table = Table::new(&["team"]);
        table.row(["two\nlines\x1b]0;title\x07".into()]);
        table.row([Style { color: true, unicode: false }.alarm("growth")]);
        let text = table.render(Style::default());
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains(r"two\nlines\u{1b}]0;title\u{7}") && text.contains("\x1b[31mgrowth\x1b[0m"), "{text}");
    }

    #[test]
    fn numbers_stand_right_and_words_left_whatever_their_dress() {
        let mut table = Table::new(&["team", ">cost"]);
        table.row(["support".into(), "1,204.10".into()]);
        table.row([Style { color: true, unicode: true }.alarm("growth"), "7.00".into()]);
        table.total(["total".into(), "1,211.10".into()]);
        let text = table.render(Style::default());
        let expected = "  team         cost\n  -------  --------\n  support  1,204.10\n  \x1b[31mgrowth\x1b[0m       7.00\n  -------  --------\n  total    1,211.10\n";
        assert_eq!(text, expected);
    }
}
