//! What is wrong with a file of reference data, where, and what would mend it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Whether a finding stops the data from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The data is refused whole.
    Error,
    /// Worth a look; the data is used.
    Warning,
}

/// One thing wrong with reference data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it stops the data from being used.
    pub severity: Severity,
    /// File it is in.
    pub file: String,
    /// Row in that file, as a path a person can follow; empty when it is the whole file.
    pub row: String,
    /// What is wrong.
    pub message: String,
    /// What would mend it.
    pub remedy: String,
}

impl Finding {
    /// Something that makes the data unusable.
    pub fn error(file: &str, row: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Error,
            file: file.to_string(),
            row: row.into(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Something that makes the data unusable, at a place written as `file: row`, as origins of rows are.
    pub fn at(place: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (file, row) = place.split_once(": ").unwrap_or((place, ""));
        Self::error(file, row, message, remedy)
    }

    /// Something worth a look.
    pub fn warning(file: &str, row: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { severity: Severity::Warning, ..Self::error(file, row, message, remedy) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.row.is_empty() { self.file.clone() } else { format!("{}: {}", self.file, self.row) };
        write!(f, "{place}: {}; {}", self.message, self.remedy)
    }
}

/// A file of reference data: its name for messages, and its text.
pub(crate) type Source = (String, String);

/// Reads `dir/<set>.yaml` and `dir/<set>.jsonl`, then `dir/<set>/*` of both kinds in the order of their names; or `dir`
/// itself when it is a file.
pub(crate) fn read_sources(dir: &Path, set: &str) -> Result<Vec<Source>, Vec<Finding>> {
    let failed = |path: &Path, error: std::io::Error| {
        vec![Finding::error(
            &path.display().to_string(),
            "",
            format!("cannot be read: {error}"),
            "check path and permissions",
        )]
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    if dir.is_file() {
        paths.push(dir.to_path_buf());
    } else {
        let single = [".yaml", ".jsonl"].map(|end| dir.join(format!("{set}{end}")));
        paths.extend(single.into_iter().filter(|path| path.is_file()));
        let folder = dir.join(set);
        if folder.is_dir() {
            for entry in std::fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
                let path = entry.map_err(|error| failed(&folder, error))?.path();
                let table = set == "owners" && path.extension().is_some_and(|ext| ext == "csv");
                if table || path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "jsonl") {
                    paths.push(path);
                }
            }
        }
    }
    if paths.is_empty() {
        let remedy = format!("put {set}.yaml or {set}/*.yaml there");
        return Err(vec![Finding::error(&dir.display().to_string(), "", format!("holds no {set}"), remedy)]);
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        Ok((path.display().to_string(), text))
    };
    paths.into_iter().map(read).collect()
}
