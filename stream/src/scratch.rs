//! A folder for what does not fit into memory. Nothing in it outlives the process.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;

use crate::private;
use crate::processor::Halt;

/// Where a process puts state that does not fit into memory. The changelog alone is the authority: what is here is made
/// of it again after every start.
///
/// Files have no name: each is deleted as soon as it is open, so that the system frees it when the process ends, however
/// it ends. Nothing stale can ever be read, nothing has to be tidied up, and many processes may share a folder.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    made: AtomicU64,
}

impl Scratch {
    /// Uses this folder, which is made when it is missing.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn open(folder: &Path) -> anyhow::Result<Arc<Self>> {
        let scratch = Scratch { folder: folder.to_owned(), made: AtomicU64::new(0) };
        let tried = private::folder(folder).and_then(|()| scratch.file());
        let tried = tried.and_then(|mut file| io::Write::write_all(&mut file, &[0; 4_096]));
        tried.with_context(|| {
            format!("write to the state folder {} (name one on a disk with room: --state-dir)", folder.display())
        })?;
        raise_open_files();
        Ok(Arc::new(scratch))
    }

    /// A new file, open for writing and reading, that only this handle leads to.
    pub(crate) fn file(&self) -> io::Result<File> {
        loop {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!("spendstream-{}-{number}.tmp", std::process::id()));
            match private::new_file().read(true).open(&path) {
                Ok(file) => {
                    std::fs::remove_file(&path)?;
                    return Ok(file);
                }
                // Containers that share a folder have the same process ids.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Why a partition stops when the folder cannot be used.
    pub(crate) fn unusable(&self, error: &io::Error) -> Halt {
        Halt::State(format!(
            "state that does not fit into memory cannot be kept in {}: {error}. Make room there, or start again with another \
             --state-dir; the partition goes on by itself once it can",
            self.folder.display()
        ))
    }
}

/// Lets the process have as many files open as it may: a partition has a few dozen, and the usual limit is 1,024.
fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the struct they are given. When they fail the limit stays what it was.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_to_is_refused_with_its_name_and_the_setting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = format!("{:#}", Scratch::open(&file).unwrap_err());
        assert!(error.contains(&file.display().to_string()) && error.contains("--state-dir"), "{error}");
    }

    #[test]
    fn files_leave_nothing_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(&folder.path().join("state")).unwrap();
        let _open = scratch.file().unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join("state")).unwrap().count(), 0);
    }
}
