//! The Python of the tests that ask readers nobody here wrote: of the lake's here, of the reports' in `cli`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python with the packages of `requirements.txt` in this folder, whose path is given; made once, and again when that file
/// changes, by one process at a time.
pub fn python(readers: &Path) -> PathBuf {
    if let Some(python) = std::env::var_os("SPENDSTREAM_READERS_PYTHON") {
        return python.into();
    }
    let requirements = readers.join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).expect("the list of packages");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let venv = folder.join("readers");
    let (python, complete) = (venv.join("bin/python"), venv.join("complete"));
    let lock = File::create(folder.join("readers.lock")).expect("make a file to lock");
    lock.lock().expect("wait for whoever makes it");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let run = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let made = run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    assert!(
        made && run(Command::new(&python).args(install).arg(&requirements)),
        "this test needs the packages of {} from PyPI: install Python 3 with pip and venv and allow it to reach PyPI, or set \
         SPENDSTREAM_READERS_PYTHON to a Python that has them",
        requirements.display()
    );
    std::fs::write(complete, wanted).expect("write beside what was installed");
    python
}
