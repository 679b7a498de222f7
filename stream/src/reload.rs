//! Files that are read again when they change: keys are revoked and certificates renewed without a restart.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;

/// How often the files are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Read<T> = Box<dyn Fn(&[Vec<u8>]) -> anyhow::Result<T> + Send + Sync>;

/// What some files hold together, as of at most a second ago.
pub struct Reloaded<T> {
    paths: Vec<PathBuf>,
    read: Read<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    stamps: Vec<Stamp>,
    looked: Instant,
}

/// Time of change and length; `None` when the file is not there.
type Stamp = Option<(SystemTime, u64)>;

impl<T> std::fmt::Debug for Reloaded<T> {
    // Not the value: it may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloaded").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl<T> Reloaded<T> {
    /// Reads the files for the first time. `read` is given the bytes of each, in order.
    ///
    /// # Errors
    /// When a file cannot be read, and whatever `read` fails with.
    pub fn open(
        paths: Vec<PathBuf>,
        read: impl Fn(&[Vec<u8>]) -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        // Stamped before they are read: what changes in between is read once more.
        let stamps = stamps(&paths);
        let value = Arc::new(read(&contents(&paths)?)?);
        let state = Mutex::new(State { value, stamps, looked: Instant::now() });
        Ok(Reloaded { paths, read: Box::new(read), state })
    }

    /// What the files hold. Where they cannot be read any more it is what they held last, and the log says so once.
    pub fn get(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_EVERY {
            state.looked = Instant::now();
            let found = stamps(&self.paths);
            if found != state.stamps {
                state.stamps = found;
                match contents(&self.paths).and_then(|contents| (self.read)(&contents)) {
                    Ok(value) => {
                        state.value = Arc::new(value);
                        tracing::info!(files = ?self.paths, "read again");
                    }
                    Err(error) => tracing::error!(
                        error = format!("{error:#}"),
                        files = ?self.paths,
                        "a changed file cannot be used; what it held before stays in force"
                    ),
                }
            }
        }
        Arc::clone(&state.value)
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    paths.iter().map(stamp).collect()
}

fn contents(paths: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    paths.iter().map(|path| std::fs::read(path).with_context(|| format!("read {}", path.display()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_and_a_mistake_keeps_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        fn number(contents: &[Vec<u8>]) -> anyhow::Result<u32> {
            Ok(std::str::from_utf8(&contents[0])?.trim().parse()?)
        }
        let reloaded = Reloaded::open(vec![path.clone()], number).unwrap();
        let becomes = |expected: u32| {
            let deadline = Instant::now() + Duration::from_secs(10);
            while *reloaded.get() != expected {
                assert!(Instant::now() < deadline, "never {expected}");
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        becomes(1);
        std::fs::write(&path, "22").unwrap();
        becomes(22);
        std::fs::write(&path, "not a number").unwrap();
        std::thread::sleep(LOOK_EVERY);
        becomes(22);
        std::fs::write(&path, "333").unwrap();
        becomes(333);
        assert!(Reloaded::open(vec![folder.path().join("none")], number).is_err());
    }
}
