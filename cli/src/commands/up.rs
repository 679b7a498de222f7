//! `spendstream up`: everything in one process, on one folder.

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aggregate::budget::Budgets;
use aggregate::{CombineStage, MergeStage};
use anyhow::{Context as _, bail};
use clap::Args;
use enrich::{EnrichConfig, EnrichStage};
use ingest::http::Door;
use ingest::users::Users;
use ingest::{DoorSettings, IngestStage};
use schemas::{Timestamp, topics};
use sink::deliver::{Delivery, DeliveryConfig};
use sink::{Lake, LakeConfig, LakeReader, Maintenance};
use stream::local::{LocalLog, LocalOptions, LocalRuntime, inbox, start};
use stream::log::{Published, ledger};
use stream::reference::{Compiled, Reference};
use stream::settings::LogFormat;
use stream::telemetry::{Phase, Server, Telemetry};
use stream::{Log, Scratch, Shutdown, Stage};

use super::open::now;
use super::report::absolute;
use crate::configuration::{Configuration, changed_at};
use crate::feed::{self, Fed, FedFile, Feeder, Unread};
use crate::forget::make_keys;
use crate::input::{self, Found};
use crate::progress::Progress;
use crate::report::{gather, print};
use crate::table::Style;

/// Run the whole pipeline in this process, on one folder: no Kafka, nothing to install.
///
/// Creates the folder, or goes on with the one it finds: one SQLite file with topics, offsets and state, and the lake's
/// Delta tables under `lake/`. Feeds sample traffic into a new folder, or the files of `--input` into any, prints the
/// report, and keeps serving POST /v1/events, OTLP over HTTP and gRPC, /metrics, /healthz and /readyz until Ctrl-C. It
/// may be killed at any moment: nothing is lost or counted twice.
#[derive(Debug, Args)]
pub(super) struct Up {
    /// Data folder.
    #[arg(long, env = "SPENDSTREAM_DATA", value_name = "DIR", default_value = "spendstream-data")]
    data: PathBuf,
    /// File or folder of usage to read instead of the sample; may be given many times. A file is read once: a later run
    /// reads only what was added at its end, or all of it when what was read of it has changed. Files packed by gzip or zstd
    /// are read as they are; hidden ones are left out.
    #[arg(long, value_name = "FILE|DIR")]
    input: Vec<PathBuf>,
    /// End when everything is processed, instead of serving on.
    #[arg(long)]
    exit_when_idle: bool,
    /// Where to serve. Other machines are let in only with --keys. Port 0 takes any free one.
    #[arg(long, env = "SPENDSTREAM_LISTEN", default_value = "127.0.0.1:9464", value_parser = address)]
    listen: SocketAddr,
    /// Configuration folder (prices, owners, budgets) [default: the built-in example; `spendstream init` writes it].
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// File of house formats to map [default: `formats.yaml` of the folder given by --config].
    #[arg(long, env = "SPENDSTREAM_MAPPINGS", value_name = "FILE")]
    mappings: Option<PathBuf>,
    /// Whom customers are (LiteLLM's `end_user`, the `subject` of CloudEvents, `customer` of any event): of those who are people
    /// pseudonyms are kept, as of users.
    #[arg(long, env = "SPENDSTREAM_CUSTOMERS", value_enum, default_value_t)]
    customers: ingest::Customers,
    /// Partitions of a new data folder; more use more cores [default: 4].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: Option<u32>,
    /// Records of sample traffic to feed, once for each folder; 0 feeds none [default: 10000 in a new folder without --input].
    #[arg(long, value_name = "RECORDS")]
    sample: Option<u64>,
    /// Seed of the sample.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    door: DoorSettings,
    #[command(flatten)]
    delivery: DeliveryConfig,
}

/// What to feed, and as what ingest will read its records.
struct Input {
    found: Found,
    /// The folder was made for it.
    fresh: bool,
    /// Its prices or owners were others before this run.
    is_reconfigured: bool,
    /// When the budgets of this run take effect, where it had others before.
    new_budgets_from: Option<Timestamp>,
    decoding: Arc<ingest::Config>,
}

const SAMPLE_RECORDS: u64 = 10_000;

/// The tables are written this often: what was posted shows in a report soon, at the price of smaller files.
const FILE_AGE: Duration = Duration::from_secs(10);

/// Most files that are named for holding no usage.
const FOREIGN_MAX: usize = 10;

/// Longest time that a run works.
const IDLE_WAIT: Duration = Duration::from_secs(7 * 86_400);

/// Longest time that a report waits for budgets that were changed.
const BUDGETS_WAIT: Duration = Duration::from_secs(90);

/// Longest time that the end of a run is held up by alerts that cannot be delivered.
const ALERTS_WAIT: Duration = Duration::from_secs(30);

/// How long a changed window is held back: whoever feeds this driver waits for its report, and few keys change at a time.
const WINDOW_EVERY: Duration = Duration::from_secs(1);

impl Up {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        stream::memory::small_pages();
        let shutdown = Shutdown::on_signals()?;
        log_warnings()?;
        // Read and checked before anything is created.
        let (keys, tls) = self.door.open(self.listen)?;
        // Both are held until both are known to be free: one address does not do for two.
        let tried = (listens(self.listen)?, self.door.probes_listen.map(listens).transpose()?);
        drop(tried);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let configuration = match &self.config {
            Some(folder) => Configuration::read(folder)?,
            None => Configuration::example()?,
        };
        let mut ingest_config = ingest::Config {
            mappings: configuration.mappings.clone(),
            customers: self.customers,
            record_bytes_max: input::RECORD_BYTES_MAX,
            ..ingest::Config::default()
        };
        let mut warnings = configuration.warnings()?;
        warnings.extend(configuration.budgets_of_others(&ingest_config.tenant)?);
        warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
        if let Some(file) = &self.mappings {
            ingest_config.mappings = ingest::read_mappings(file)?;
        }
        let found = self.find()?;
        let mut catalogue = topics::catalogue(&[topics::RAW]);
        catalogue.push(feed::topic());
        let fresh = !self.data.join(stream::local::FILE).exists();
        let log = Arc::new(LocalLog::open(&self.data, &catalogue, self.partitions)?);
        // Without --config a folder keeps what it has: the example must not replace what was applied to it.
        let has_configuration = has_reference_data(&*log)?;
        let (mut is_reconfigured, mut new_budgets_from) = (false, None);
        if self.config.is_some() || !has_configuration {
            // At once: no stage runs yet, and nobody else may use this folder.
            for (set, published) in configuration.publish(&*log, now(), 0)? {
                match published {
                    Published::New { effective_at, .. } if has_configuration => match set {
                        // Budgets decide nothing about what a call is charged.
                        Budgets::SET => new_budgets_from = Some(effective_at),
                        _ => is_reconfigured = true,
                    },
                    _ => {}
                }
            }
        }
        make_keys(&*log)?;
        let lake_folder = self.data.join("lake").display().to_string();
        let lake_config = LakeConfig { lake_file_age: FILE_AGE, ..LakeConfig::at(&lake_folder) };
        let lake = Lake::open(&lake_config)?;
        let telemetry = Telemetry::new();
        let options = LocalOptions { telemetry: telemetry.clone(), ..LocalOptions::default() };
        lake.register_metrics(telemetry.registry())?;
        let mut tables = sink::open_tables(&lake, &lake_config)?;
        let delivery = Delivery::open(&lake, Some(log.clone()), &self.delivery, "local")?;
        if let Some(delivery) = &delivery {
            delivery.register_metrics(telemetry.registry())?;
            delivery.start(&shutdown)?;
            tables.push(Box::new(delivery.inbox()));
        }
        Maintenance::new(&lake, &lake_config).start(&shutdown)?;
        let scratch = Scratch::open(&self.data.join("scratch"))?;
        let users = Some(Arc::<Users>::default());
        let stages = stages_with(&[topics::RAW], &ingest_config, users, scratch, &telemetry)?;
        let runtime = start(log.clone(), stages, tables, options, shutdown.clone())?;
        inbox::take(log.clone(), &self.data, shutdown.clone())?;
        let decoding = Arc::new(ingest_config.clone());
        let input = Input { found, fresh, is_reconfigured, new_budgets_from, decoding };
        let door = Door::new(log.clone(), topics::RAW, ingest_config, keys);
        door.register_metrics(telemetry.registry())?;
        let probes = self.door.probes_listen;
        let servers = telemetry.serve_apart(probes, self.listen, door.router(), tls, &shutdown)?;
        let address = servers.first().map_or(self.listen, Server::address);
        let begun = if fresh { "made" } else { "going on with" };
        eprintln!("{begun} {}, serving on {scheme}://{}", self.data.display(), address);

        let worked = self.feed_and_report(&log, &input, &runtime, &telemetry, &lake, &shutdown);
        let code = match &worked {
            Ok(all_is_well) => {
                if !self.exit_when_idle && !shutdown.is_set() {
                    eprintln!("\n{}", self.invitation(scheme, &address));
                    while !shutdown.wait(Duration::from_secs(3_600)) {}
                }
                if let Some(delivery) = &delivery {
                    wait_for_alerts(delivery, &shutdown);
                }
                if *all_is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(_) => ExitCode::FAILURE,
        };
        let stopped = runtime.stop();
        servers.into_iter().for_each(Server::join);
        worked.and(stopped).map(|()| code)
    }

    fn find(&self) -> anyhow::Result<Found> {
        let mut all = Found::default();
        for path in &self.input {
            if !path.is_dir() && !path.is_file() {
                bail!("{} is no file: check the path given to --input", path.display());
            }
            let Found { files, unreadable } = input::files(path)?;
            all.files.extend(files);
            all.unreadable.extend(unreadable);
        }
        Ok(all)
    }

    /// True when every file could be read and the ledger adds up.
    fn feed_and_report(
        &self,
        log: &Arc<LocalLog>,
        input: &Input,
        runtime: &LocalRuntime,
        telemetry: &Telemetry,
        lake: &Lake,
        shutdown: &Shutdown,
    ) -> anyhow::Result<bool> {
        let progress = Progress::start(log.clone())?;
        let mut appended = |records: u64| progress.fed(records);
        let stopping = || shutdown.is_set();
        let mut feeder = Feeder::new(&**log, input.decoding.clone(), &mut appended, &stopping)?;
        // A folder that somebody works with must not be mixed with what nobody has spent.
        let wanted = self.input.is_empty() && (input.fresh || feeder.has_begun_sample());
        let sample = self.sample.unwrap_or(if wanted { SAMPLE_RECORDS } else { 0 });
        let mut fed = Fed::default();
        if sample > 0 {
            fed = feeder.sample(self.seed, sample, now())?;
        }
        let (mut remarks, mut is_whole) = (input.found.unreadable.clone(), input.found.unreadable.is_empty());
        let mut foreign = Vec::new();
        let mut oldest_fed: Option<Timestamp> = None;
        for file in &input.found.files {
            let FedFile { fed: Fed { new, before }, is_changed, oldest, unread } = feeder.file(file, now())?;
            fed = Fed { new: fed.new + new, before: fed.before + before };
            oldest_fed = oldest_fed.into_iter().chain(oldest).min();
            if is_changed {
                let remark = "no longer begins with what was read of it before: read from its beginning";
                remarks.push(format!("{} {remark}", file.display()));
            }
            match unread {
                None => {}
                Some(Unread::Half) => {
                    let remark = "has no end and is not whole JSON: left for the next run";
                    remarks.push(format!("the last line of {} {remark}", file.display()));
                }
                Some(Unread::Broken(error)) => {
                    is_whole = false;
                    remarks.push(input::unreadable(file, error.root_cause()));
                }
                // Whoever names a folder need not know of every picture in it.
                Some(Unread::Foreign(kind)) if !self.input.contains(file) => foreign.push((file, kind)),
                Some(Unread::Foreign(kind)) => {
                    is_whole = false;
                    remarks.push(input::unreadable(file, kind));
                }
            }
        }
        remarks.extend(
            foreign.iter().take(FOREIGN_MAX).map(|(file, kind)| format!("{} is left out: {kind}", file.display())),
        );
        if foreign.len() > FOREIGN_MAX {
            remarks.push(format!("and {} more files that hold no usage", foreign.len() - FOREIGN_MAX));
        }
        if input.is_reconfigured || oldest_fed.is_some() {
            remarks.extend(self.priced_as_then(&**log, input.is_reconfigured, oldest_fed)?);
        }
        let mut idle = runtime.wait_idle(IDLE_WAIT);
        if let Some(from) = input.new_budgets_from.filter(|_| idle) {
            wait_for_budgets(&**log, from, shutdown)?;
            idle = runtime.wait_idle(IDLE_WAIT);
        }
        progress.finish();
        remarks.iter().for_each(|remark| eprintln!("{remark}"));
        if !idle {
            if shutdown.is_set() {
                eprintln!("stopped before everything was through; start again to go on");
                return Ok(is_whole);
            }
            let halted = telemetry.health().partitions.into_iter().filter_map(|partition| match partition.phase {
                Phase::Halted(reason) => {
                    Some(format!("{} on {}/{}: {reason}", partition.stage, partition.topic, partition.partition))
                }
                _ => None,
            });
            bail!("a stage has stopped: {}", halted.collect::<Vec<_>>().join("; "));
        }
        if fed.before > 0 {
            eprintln!("{} records were read by an earlier run, {} are new", fed.before, fed.new);
        }
        let reader = LakeReader::new(lake);
        let folder = absolute(&self.data.join("lake").display().to_string());
        let log: &dyn Log = &**log;
        let report = gather(&reader, &folder, Some(log))?;
        println!("{}", print(&report, Style::of_stdout()));
        Ok(is_whole && report.ledger.is_some_and(|ledger| ledger.balanced()))
    }

    /// Says that calls count at their own time also for which prices and owners hold, where that makes a difference.
    fn priced_as_then(
        &self,
        log: &dyn Log,
        is_reconfigured: bool,
        oldest: Option<Timestamp>,
    ) -> anyhow::Result<Option<String>> {
        let Some(changed_at) = changed_at(log)? else { return Ok(None) };
        if !is_reconfigured && oldest.is_none_or(|oldest| oldest >= changed_at) {
            return Ok(None);
        }
        let start = |time: Timestamp, length: usize| time.to_string().chars().take(length).collect::<String>();
        let from = oldest.map_or_else(|| "DATE".to_owned(), |oldest| start(oldest, "2026-11-30".len()));
        Ok(Some(format!(
            "calls made before {} UTC are charged by the prices and owners that were in force then; `spendstream reprice \
             --data {} --prices --owners --from {from}` charges them by the newest",
            start(changed_at, "2026-11-30T11:37:00".len()).replace('T', " "),
            self.data.display()
        )))
    }

    fn invitation(&self, scheme: &str, address: &SocketAddr) -> String {
        let data = self.data.display();
        let key = if self.door.keys.is_some() { " -H \"authorization: Bearer $KEY\"" } else { "" };
        format!(
            "Still serving. Send an event, and find it in the report ten seconds later:\n\n  \
             curl -s {scheme}://{address}/v1/events{key} -H 'content-type: application/json' -d '{{\"id\": \"hello-1\", \
             \"source\": \"readme\", \"team\": \"platform\", \"provider\": \"openai\", \"model\": \"gpt-4o\", \
             \"usage\": {{\"input_text_tokens\": 1200, \"output_text_tokens\": 300}}}}'\n  \
             spendstream report --data {data}\n\nCtrl-C stops; `spendstream up --data {data}` goes on."
        )
    }
}

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    address.parse().map_err(|_| "write an address and a port, such as 127.0.0.1:9464".to_owned())
}

/// Waits until budgets that were changed are judged by: that begins when all that arrived before them has been summed, as
/// far as the watermark tells, which is half a minute behind the clock.
fn wait_for_budgets(log: &dyn Log, from: Timestamp, shutdown: &Shutdown) -> anyhow::Result<()> {
    eprintln!("the budgets are others than before: counting by them begins in half a minute");
    let began = Instant::now();
    while began.elapsed() < BUDGETS_WAIT && !shutdown.wait(Duration::from_millis(200)) {
        let entries = ledger(log).context("read how far the sums are")?;
        if entries.iter().filter(|entry| entry.stage == "merge").all(|entry| entry.watermark >= from) {
            return Ok(());
        }
    }
    if !shutdown.is_set() {
        eprintln!("the report was not held up any longer for them: it may still judge by those before");
    }
    Ok(())
}

/// Fails where nothing can listen: before the folder is made, since the sample is fed to new ones alone.
fn listens(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}: choose another address"))
}

/// Lets alerts go out before the process ends, and says how many did not.
fn wait_for_alerts(delivery: &Delivery, shutdown: &Shutdown) {
    let began = Instant::now();
    while delivery.waiting() > 0 && began.elapsed() < ALERTS_WAIT && !shutdown.wait(Duration::from_millis(50)) {}
    match delivery.waiting() {
        0 => {}
        waiting => eprintln!("{waiting} alerts are not delivered yet; the next run goes on with them"),
    }
}

/// Warnings and errors go to standard error; `RUST_LOG` asks for more, as the services do.
fn log_warnings() -> anyhow::Result<()> {
    if std::env::var_os("RUST_LOG").is_some_and(|filter| !filter.is_empty()) {
        return stream::telemetry::init(LogFormat::Text);
    }
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    let started = log.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init();
    started.map_err(|error| anyhow::anyhow!("start the log: {error}"))
}

fn has_reference_data(log: &dyn Log) -> anyhow::Result<bool> {
    let range = log.range(topics::REF_PRICES, 0)?;
    Ok(range.end > range.start)
}

/// Every stage, with empty reference data and an ingest for each of these raw topics and for corrections.
pub(super) fn stages(
    raw: &[&str],
    scratch: Arc<Scratch>,
    telemetry: &Telemetry,
) -> anyhow::Result<Vec<Arc<dyn Stage>>> {
    stages_with(raw, &ingest::Config::default(), None, scratch, telemetry)
}

fn stages_with(
    raw: &[&str],
    config: &ingest::Config,
    users: Option<Arc<Users>>,
    scratch: Arc<Scratch>,
    telemetry: &Telemetry,
) -> anyhow::Result<Vec<Arc<dyn Stage>>> {
    let (prices, owners, budgets) = <(Arc<Reference<_>>, Arc<Reference<_>>, Arc<Reference<_>>)>::default();
    let ingest = |topic: &&str| Arc::new(IngestStage::new(*topic, config.clone(), users.clone())) as Arc<dyn Stage>;
    let mut stages: Vec<_> = raw.iter().chain([&topics::CORRECTIONS]).map(ingest).collect();
    let enrich = EnrichStage::new(EnrichConfig::default(), scratch, prices, owners);
    let aggregate_config = aggregate::Config { window_every: WINDOW_EVERY, ..aggregate::Config::default() };
    enrich.register_metrics(telemetry.registry())?;
    stages.extend::<[Arc<dyn Stage>; 3]>([
        Arc::new(enrich),
        Arc::new(CombineStage::new(aggregate_config.clone(), budgets.clone())),
        Arc::new(MergeStage::new(aggregate_config, budgets)),
    ]);
    Ok(stages)
}
