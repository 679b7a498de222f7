//! The conformance stages on the local driver as a process, so that killing it is real. It feeds itself.

extern crate spendstream_stream as stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use spendstream_tests::conformance::{Sent, Split, Sum, names, send, topics};
use stream::local::{LocalLog, LocalOptions, start};
use stream::{Log, Shutdown, Stage};

/// Runs the stages `split` and `sum` on a data folder and sends them deposits.
#[derive(Debug, Parser)]
struct Config {
    /// Data folder.
    folder: PathBuf,
    /// Prefix of the topics.
    #[arg(long)]
    prefix: String,
    /// Deposits to send, those of earlier runs included.
    #[arg(long)]
    deposits: usize,
    /// Deposits appended at a time.
    #[arg(long, default_value_t = 100)]
    chunk: usize,
    /// Kills itself with SIGKILL so many microseconds after the stages have started; without, ends when idle.
    #[arg(long)]
    die_after_micros: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let prefix = config.prefix.as_str();
    let log = Arc::new(LocalLog::open(&config.folder, &topics(prefix), Some(2))?);
    let options = LocalOptions::default();
    let stages: Vec<Arc<dyn Stage>> = vec![Arc::new(Split::new(prefix)), Arc::new(Sum::new(prefix))];
    let runtime = start(log.clone(), stages, Vec::new(), options, Shutdown::new())?;
    if let Some(micros) = config.die_after_micros {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(micros));
            // SAFETY: signals this process and nothing else.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) }
        });
    }
    let began = std::time::Instant::now();
    // Deposits are numbered and appended all or none, so the ends tell how many earlier runs have sent.
    let [input, ..] = names(prefix);
    let earlier = log.range(&input, 0)?.end + log.range(&input, 1)?.end;
    let mut sent = Sent((0..earlier).map(|number| (number.to_string(), Default::default())).collect());
    while sent.0.len() < config.deposits {
        let count = config.chunk.min(config.deposits - sent.0.len());
        send(&*log, prefix, &mut sent, count);
    }
    let deadline = Duration::from_secs(60);
    if config.die_after_micros.is_some() {
        std::thread::sleep(deadline);
    }
    ensure!(runtime.wait_idle(deadline), "not idle after {deadline:?}");
    eprintln!("idle after {:?}", began.elapsed());
    runtime.stop()
}
