//! A process under test: started, killed, paused, and its log read.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running process. Killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts it; what it logs goes to a file.
    pub fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let file = std::fs::File::create(&log).expect("create the log");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("share the log")).stderr(file);
        let child = command.spawn().expect("start the process");
        Process { child, log, _folder: folder }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Time that processors have spent on it so far.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("read its accounts");
        // After the name, which ends with the last parenthesis, come the state and ten numbers before the two times.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a number of ticks")).sum();
        // SAFETY: a number is asked for.
        Duration::from_millis(ticks * 1_000 / unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.unsigned_abs())
    }

    /// Waits until its log has this text.
    pub fn wait_for(&mut self, text: &str, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        while !self.log().contains(text) {
            let ended = self.child.try_wait().expect("ask for its state");
            assert!(ended.is_none() || self.log().contains(text), "ended without {text:?}:\n{}", self.log());
            assert!(Instant::now() < deadline, "no {text:?} within {at_most:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// True once it has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("ask for its state").is_some()
    }

    /// Sends a signal: `libc::SIGSTOP`, `libc::SIGCONT`, `libc::SIGTERM`.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is reaped only by this value, so the number is still its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("reap");
    }

    /// Asks it to stop and waits; returns whether it ended well, and its log.
    pub fn stop(mut self, at_most: Duration) -> (bool, String) {
        self.signal(libc::SIGTERM);
        self.wait(at_most)
    }

    /// Waits for its end; returns whether it ended well, and its log.
    pub fn wait(&mut self, at_most: Duration) -> (bool, String) {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.child.try_wait().expect("ask for its state") {
                return (status.success(), self.log());
            }
            assert!(Instant::now() < deadline, "did not end within {at_most:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- a process that was running when the test failed had logged:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
