//! Another program that does the job, measured on the same topic.

use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::cluster::Cluster;
use crate::measure::{Used, row};

/// A name and the command to run.
#[derive(Debug, Clone)]
pub struct Beside {
    /// What the table calls it.
    pub name: String,
    /// What `sh` runs.
    pub command: String,
}

impl FromStr for Beside {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("write it as NAME=COMMAND")?;
        Ok(Beside { name: name.to_owned(), command: command.to_owned() })
    }
}

impl Beside {
    /// Runs it to its end and prints its row.
    pub fn run(&self, cluster: &Cluster, topic: &str, records: u64) -> anyhow::Result<()> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.command).stdin(Stdio::null()).stderr(Stdio::inherit());
        for (name, value) in [
            ("BROKERS", cluster.kafka.brokers()),
            ("TOPIC", topic.to_owned()),
            ("PARTITIONS", cluster.partitions.to_string()),
            ("RECORDS", records.to_string()),
            ("BROKER_PID", cluster.kafka.process_id().to_string()),
        ] {
            command.env(format!("SPENDSTREAM_BENCH_{name}"), value);
        }
        let (broker, before, began) = (cluster.broker()?, ended_children(), Instant::now());
        let output = command.output().with_context(|| format!("run {}", self.name))?;
        let (wall, after) = (began.elapsed(), ended_children());
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{} failed ({}):\n{text}", self.name, output.status);
        let own = text.lines().rev().find_map(|line| line.strip_prefix("measured "));
        let stated = |name: &str| -> Option<f64> {
            let mut words = own?.split_whitespace().filter_map(|word| word.split_once('='));
            words.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok())
        };
        let seconds = |name: &str, otherwise: Duration| stated(name).map_or(otherwise, Duration::from_secs_f64);
        let used = Used {
            cpu: seconds("cpu_seconds", after.cpu.saturating_sub(before.cpu)),
            memory_mib: stated("memory_mib").map_or(after.memory_mib, |mib| mib as u64),
        };
        let broker = seconds("broker_cpu_seconds", cluster.broker()?.since(broker).cpu);
        row(&self.name, records, Some(seconds("seconds", wall)), used, Some(broker));
        Ok(())
    }
}

/// What every child process that has ended has used. The memory is that of the largest one.
fn ended_children() -> Used {
    // SAFETY: plain numbers, all of which the call fills in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    usage.into()
}
