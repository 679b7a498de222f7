//! What Docker Compose prints of the containers it runs: their lines, each after the name of its container.

/// The lines without the name, if each of them begins with the same.
pub(crate) fn lines(text: &str) -> Option<String> {
    if text.starts_with(['{', '[', '"']) {
        return None;
    }
    let (name, _) = text.split_once('|')?;
    let told = name.trim_end();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if told.is_empty() || told.len() == name.len() || !told.bytes().all(word) {
        return None;
    }
    let bare = |line: &str| {
        let line = line.strip_prefix(name)?.strip_prefix('|')?;
        Some(format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
    };
    text.lines().map(bare).collect()
}
