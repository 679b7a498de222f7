//! What a process has used, as the operating system accounts for it, and how figures are printed. Linux only.

use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Time on a processor, all threads together, in user and system mode.
    pub cpu: Duration,
    /// Most memory it has held at one time, in MiB.
    pub memory_mib: u64,
}

impl Used {
    /// Of a living process.
    pub fn by(process: u32) -> anyhow::Result<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let stat = std::fs::read_to_string(folder.join("stat")).context("read what a process has used")?;
        // The name of the program is in parentheses and may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        // SAFETY: asks for a constant of the system.
        let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1);
        let cpu = Duration::from_millis((ticks(11) + ticks(12)) * 1_000 / per_second);
        let status = std::fs::read_to_string(folder.join("status")).context("read a process's memory")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: u64 = peak.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        Ok(Used { cpu, memory_mib: kib / 1_024 })
    }

    /// Processor time since an earlier look; the peak is the later one.
    pub fn since(self, earlier: Used) -> Used {
        Used { cpu: self.cpu.saturating_sub(earlier.cpu), memory_mib: self.memory_mib }
    }
}

impl From<libc::rusage> for Used {
    fn from(usage: libc::rusage) -> Self {
        let time = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
        };
        Used { cpu: time(usage.ru_utime) + time(usage.ru_stime), memory_mib: usage.ru_maxrss.unsigned_abs() / 1_024 }
    }
}

/// Runs a program from its start to its end: how long that was, what it used, and what it printed.
#[allow(clippy::zombie_processes, reason = "it is reaped by the call that says what it used")]
pub fn to_its_end(mut command: Command) -> anyhow::Result<(Duration, Used, String)> {
    let mut output = tempfile::tempfile().context("create a file for its output")?;
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).spawn().context("start the program")?;
    let (id, mut status, mut memory_mib) = (child.id() as libc::pid_t, 0, 0);
    let usage = loop {
        // SAFETY: plain numbers, all of which the call fills in; nobody else waits for this child.
        let (reaped, usage) = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            (libc::wait4(id, &mut status, libc::WNOHANG, &mut usage), usage)
        };
        if reaped == id {
            break usage;
        }
        ensure!(reaped == 0, "somebody else has waited for it");
        // The peak that the call states is at least what this process held when it started the other.
        memory_mib = Used::by(child.id()).map_or(memory_mib, |used| used.memory_mib.max(memory_mib));
        std::thread::sleep(Duration::from_millis(5));
    };
    let (wall, mut text) = (began.elapsed(), String::new());
    output.rewind().and_then(|()| output.read_to_string(&mut text)).context("read its output")?;
    ensure!(status == 0, "it failed (status {status}):\n{text}");
    Ok((wall, Used { memory_mib, ..usage.into() }, text))
}

/// Prints a row of a table of throughput.
pub fn row(name: &str, records: u64, wall: Option<Duration>, used: Used, broker: Option<Duration>) {
    let per_million = |cpu: Duration| format!("{:.2}", cpu.as_secs_f64() * 1e6 / records as f64);
    let rate = wall.map_or("".to_owned(), |wall| thousands(rate(records, wall)));
    let broker = broker.map_or("".to_owned(), per_million);
    println!("| {name} | {rate} | {} | {broker} | {} |", per_million(used.cpu), used.memory_mib);
}

/// Prints the head of a table of throughput.
pub fn head() {
    println!("| | events/s | CPU s per million | broker CPU s per million | peak MiB |");
    println!("|---|---:|---:|---:|---:|");
}

/// Events a second.
pub fn rate(records: u64, wall: Duration) -> u64 {
    (records as f64 / wall.as_secs_f64().max(1e-9)) as u64
}

/// A number with its thousands apart.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value below which this share of sorted values lies.
pub fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// What this runs on, and when.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(':').nth(1).unwrap_or("unknown").trim().to_owned()
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    let today = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC");
    format!("{cores} x {processor}, {memory}, {today}, load before it {load}")
}
