//! The Kafka driver: stages in transactions, tables with their own offsets, and the log seen from outside.
//!
//! A record is polled by the lane that owns its partition, processed, and committed in one transaction with what
//! it caused: outputs, changelog, ledger entry and input offset. `fate` decides what to do when that fails; `DESIGN.md`
//! says why each step is as it is.

mod again;
mod changelog;
mod client;
mod described;
mod doubt;
mod fate;
mod group;
mod hidden;
mod lane;
mod log;
mod name;
mod origin;
mod producer;
mod reader;
mod repartition;
mod rights;
mod round;
mod table;
mod task;
mod topology;
mod transaction;
mod watch;

pub mod topics;

pub(crate) use client::prepare;
pub use log::KafkaLog;
pub use repartition::{Change, repartition};
pub use table::{Orders, run_table};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use schemas::{Timestamp, topics as names};

use self::rights::Right;
use self::topology::Topology;
use crate::again::Again;
use crate::processor::{Source, Stage};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(since.as_micros() as i64)
}

/// Runs stages until shutdown.
///
/// # Errors
/// When the brokers cannot be reached, a topic is missing or has the wrong number of partitions, or a lane meets
/// something that only a restart or an operator can mend. One sentence that names the remedy.
pub fn run_stages(
    settings: &Settings,
    stages: Vec<Arc<dyn Stage>>,
    shutdown: &Shutdown,
    telemetry: &Arc<Telemetry>,
) -> anyhow::Result<()> {
    let starting = telemetry.joining();
    settings.validate()?;
    prepare(&settings.connection)?;
    let topics = client::partition_counts(&settings.connection)?;
    rights::check(&settings.connection, &needs(&stages))?;
    let topology = Topology::read(&settings.connection, &topics)?;
    let sources = stages.iter().map(|stage| {
        let again = again::again(&settings.connection, stage.input());
        Ok(Source { again, ..source(&**stage, &topics, &topology)? })
    });
    let sources = sources.collect::<anyhow::Result<Vec<_>>>()?;
    let watch = watch::Watch::start(settings, &stages, shutdown, telemetry)?;
    hidden::start(&settings.connection, shutdown, telemetry)?;
    let settings = Arc::new(settings.clone());
    let mut lanes = Vec::new();
    for (stage, source) in stages.into_iter().zip(sources) {
        let name = stage.name();
        let lane = lane::LaneOf {
            stage,
            settings: settings.clone(),
            watch: watch.clone(),
            shutdown: shutdown.clone(),
            telemetry: telemetry.clone(),
            source,
        };
        for number in 0..settings.lane_count() {
            let (lane, shutdown, joining) = (lane.clone(), shutdown.clone(), telemetry.joining());
            let run = move || {
                let ended = lane::Lane::run(lane, number, joining);
                // One lane that cannot go on ends the process: its partitions move, and a restart is what may mend it.
                shutdown.set();
                ended
            };
            let thread = std::thread::Builder::new().name(format!("{name}-{number}"));
            lanes.push((name, number, thread.spawn(run).context("start a lane")?));
        }
    }
    drop(starting);
    let mut ended = Ok(());
    for (name, number, lane) in lanes {
        let result = lane.join().unwrap_or_else(|_| bail!("lane {number} of {name} panicked"));
        ended = ended.and(result);
    }
    ended
}

/// What stages do with topics.
fn needs(stages: &[Arc<dyn Stage>]) -> rights::Needs {
    let mut needs = rights::Needs::new();
    for stage in stages {
        let changelog = names::changelog(stage.name(), stage.input());
        let read = [stage.input(), &changelog, names::SKIPS, names::TOPOLOGY].map(str::to_owned);
        let references = stage.references();
        let read = read.into_iter().chain(references.iter().map(|sink| sink.topic()));
        needs.extend(read.map(|topic| (topic, Right::Read)));
        let written = stage.outputs().into_iter().chain([changelog, names::LEDGER.to_owned()]);
        needs.extend(written.map(|topic| (topic, Right::Write)));
    }
    needs
}

/// Checks the topics of a stage and describes its source.
pub(crate) fn source(stage: &dyn Stage, topics: &BTreeMap<String, u32>, topology: &Topology) -> anyhow::Result<Source> {
    let partitions = |topic: &str| {
        let count = topics.get(topic).copied().with_context(|| {
            format!(
                "topic {topic} of stage {} does not exist: create topics with `spendstream topics apply`, or this user may \
                 not see it (ACLs: deploy/RUNBOOK.md)",
                stage.name()
            )
        })?;
        topology.partitions(topic, count)
    };
    let input = partitions(stage.input())?;
    let changelog = names::changelog(stage.name(), stage.input());
    let kept = partitions(&changelog)?;
    ensure!(
        kept == input || kept > input && topology.decides(stage.input()),
        "{changelog} has {kept} partitions and {} has {input}: state is kept partition by partition, so they must be \
         equal. Widen the changelog of a raw topic with it; internal topics change with `spendstream topics repartition`",
        stage.input()
    );
    for single in [names::LEDGER.to_owned(), names::SKIPS.to_owned()]
        .into_iter()
        .chain(stage.references().iter().map(|sink| sink.topic()))
    {
        let count = partitions(&single)?;
        ensure!(count == 1, "{single} has {count} partitions: it is read whole by every instance and must have one");
    }
    let outputs = stage.outputs();
    let mut targets = HashMap::new();
    for topic in &outputs {
        targets.insert(topic.clone(), partitions(topic)?);
    }
    if stage.input() == names::EVENTS
        && let Some(charges) = targets.get(names::CHARGES)
    {
        ensure!(
            *charges == input,
            "{} has {input} partitions and {} has {charges}: a charge stays in the partition of its event, so they must \
             be equal",
            names::EVENTS,
            names::CHARGES
        );
    }
    Ok(Source {
        topic: Arc::from(stage.input()),
        partition: 0,
        partitions: input,
        generation: topology.generation(outputs.iter().map(String::as_str).chain([stage.input()])),
        targets: Arc::new(targets),
        again: Again::default(),
    })
}
