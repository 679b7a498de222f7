//! The files that a path means.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// What a path means.
#[derive(Debug, Default)]
pub struct Found {
    /// Files, by name.
    pub files: Vec<PathBuf>,
    /// Entries of folders that are none and cannot be read, such as links that lead nowhere: each a sentence.
    pub unreadable: Vec<String>,
}

/// The files meant by a path: itself, or every file of a folder and its folders, each once, whatever links lead to it. Hidden
/// files are left out.
///
/// # Errors
/// When the folder cannot be listed or holds nothing.
pub fn files(path: &Path) -> anyhow::Result<Found> {
    let mut found = Found::default();
    if !path.is_dir() {
        found.files.push(path.to_path_buf());
        return Ok(found);
    }
    let mut folders = vec![path.to_path_buf()];
    // Links may lead back to a folder that holds them, or to a file that is there already.
    let mut seen = HashSet::new();
    let mut is_new = |path: &Path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
    while let Some(folder) = folders.pop() {
        if !is_new(&folder) {
            continue;
        }
        let listed = match entries(&folder) {
            Ok(listed) => listed,
            Err(error) if folder == path => return Err(error),
            Err(error) => {
                found.unreadable.push(unreadable(&folder, error.root_cause()));
                continue;
            }
        };
        for entry in listed {
            match std::fs::metadata(&entry) {
                Ok(meta) if meta.is_dir() => folders.push(entry),
                Ok(meta) if meta.is_file() => {
                    if is_new(&entry) {
                        found.files.push(entry);
                    }
                }
                Ok(_) => found.unreadable.push(unreadable(&entry, "it is no file")),
                Err(error) => found.unreadable.push(unreadable(&entry, error)),
            }
        }
    }
    if found.files.is_empty() && found.unreadable.is_empty() {
        bail!("folder {} holds no files", path.display());
    }
    found.files.sort();
    found.unreadable.sort();
    Ok(found)
}

/// Says that something cannot be read, and why.
pub fn unreadable(path: &Path, why: impl std::fmt::Display) -> String {
    format!("{} cannot be read: {why}", path.display())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut listed = listed.with_context(|| format!("read folder {}", folder.display()))?;
    listed.retain(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    // In order, so that of two links to one file the same is named every time.
    listed.sort_by_key(std::fs::DirEntry::file_name);
    Ok(listed.into_iter().map(|entry| entry.path()).collect())
}
