//! Tables that every release left behind are read, and written on, by this one.

use std::path::{Path, PathBuf};

use sink::LakeConfig;

use crate::sample::{Sample, drive, held};

/// One folder a release, with a lake in it; kept for ever. `UPDATE_FIXTURES=1` makes this release's, once.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/fixtures")
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("a file can be copied");
        }
    }
}

#[test]
fn stored_tables_of_every_release_are_read_and_written_on() {
    let sample = Sample::new();
    let this = folder().join(env!("CARGO_PKG_VERSION")).join("lake");
    if std::env::var_os("UPDATE_FIXTURES").is_some() && !this.exists() {
        let lake = sink::Lake::open(&LakeConfig::at(this.display().to_string())).expect("the folder is writable");
        // The first records alone: the rest is written on by the releases that follow.
        drive(&lake, &sample.first(1), 99, 0);
        std::fs::write(this.join("held.txt"), format!("{:#?}\n", held(&lake))).expect("the folder is writable");
    }
    let mut releases = 0;
    for release in std::fs::read_dir(folder()).expect("the fixtures") {
        let stored = release.expect("an entry").path().join("lake");
        let expected = std::fs::read_to_string(stored.join("held.txt")).expect("what the release read itself");
        let at = tempfile::tempdir().expect("a temporary folder");
        copy(&stored, at.path());
        let lake = sink::Lake::open(&LakeConfig::at(at.path().display().to_string())).expect("the copy is writable");
        assert_eq!(format!("{:#?}\n", held(&lake)), expected, "{}", stored.display());
        drive(&lake, &sample, 2, 0);
        assert_eq!(held(&lake), sample.held, "{}", stored.display());
        releases += 1;
    }
    assert!(releases > 0, "no stored tables");
}
