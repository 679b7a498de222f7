//! The local driver: a file through everything to the lake and the report, on this machine's disk.

use std::io::{BufWriter, Write as _};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use schemas::Timestamp;
use spendstream_tests::process::Process;

use crate::Config;
use crate::cluster::{PATIENCE, binary, now};
use crate::events::{Events, number};
use crate::measure::{Used, head, row, thousands};

/// Runs `spendstream up` on a file of events and prints its row.
pub fn throughput(config: &Config) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("create a temporary folder")?;
    let input = folder.path().join("events.jsonl");
    let mut file = BufWriter::new(std::fs::File::create(&input)?);
    let (mut event, start) = (String::new(), now().plus_seconds(-3_600));
    for nth in 0..config.local_records {
        let number = number(nth);
        let micros = (number * 3_600_000_000).checked_div(config.local_records).unwrap_or(0);
        Events::default().write(number, Timestamp::from_micros(start.micros() + micros as i64), None, &mut event);
        writeln!(file, "{event}")?;
    }
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    let mut command = Command::new(binary("spendstream")?);
    command.arg("up").arg("--input").arg(&input).arg("--data").arg(folder.path().join("data"));
    command.args(["--exit-when-idle", "--listen", "127.0.0.1:0"]);
    let began = Instant::now();
    let mut process = Process::start(command);
    let mut used = Used::default();
    let (well, log, wall) = loop {
        // The last look before it ends is what counts.
        match Used::by(process.id()) {
            Ok(now) if now.memory_mib > 0 => used = now,
            // Not begun yet: a process that has ended has been seen with memory.
            Ok(_) if used.memory_mib == 0 && began.elapsed() < Duration::from_secs(1) => {}
            _ => {
                let wall = began.elapsed();
                let (well, log) = process.wait(PATIENCE);
                break (well, log, wall);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    ensure!(well, "spendstream up did not end well:\n{log}");
    println!(
        "## The local driver: {} events from a file, until the report is printed\n",
        thousands(config.local_records)
    );
    head();
    row("spendstream up", config.local_records, Some(wall), used, None);
    println!();
    Ok(())
}
