//! How long a service that was killed needs until it works again, on what it remembers.

use std::time::Instant;

use anyhow::Context;
use schemas::topics;

use crate::Config;
use crate::cluster::Cluster;
use crate::events::Events;
use crate::measure::{Used, thousands};
use crate::pipeline::{Books, Services, ready};

/// Cells whose windows are a million: each has an hour or two, a day or two, a month and a quarter.
const CELLS: u64 = 250_000;

/// Fills the state of enrich and aggregate, kills both, and prints how long they take.
pub fn readiness(config: &Config) -> anyhow::Result<()> {
    let cluster = Cluster::start(config, 0)?;
    cluster.fill(topics::RAW, Events { cells: CELLS }, config.records)?;
    let mut services = Services::start(&cluster, None)?;
    let mut books = Books::new(&cluster);
    services.settle(&mut books, config.records)?;
    println!("## Killed, and started again until every partition is ready\n");
    println!("| service | remembers | seconds | peak MiB |\n|---|---:|---:|---:|");
    for (name, process) in services.running {
        let partitions = cluster.partitions as usize;
        let (partitions, remembers) = match name {
            "enrich" => (partitions, format!("{} calls", thousands(books.count("enrich", "originals") as u64))),
            "aggregate" => (2 * partitions, format!("windows of {} cells", thousands(CELLS))),
            _ => continue,
        };
        process.kill();
        let began = Instant::now();
        let process = cluster.service(name, &[]).context("start it again")?;
        ready(&process, partitions)?;
        let (took, used) = (began.elapsed(), Used::by(process.id())?);
        println!("| {name} | {remembers} | {:.1} | {} |", took.as_secs_f64(), used.memory_mib);
    }
    println!();
    Ok(())
}
