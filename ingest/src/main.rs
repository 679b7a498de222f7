//! Turns raw records of any known format into usage events.

extern crate spendstream_ingest as ingest;
extern crate spendstream_stream as stream;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use ingest::http::Door;
use ingest::users::Users;
use ingest::{DoorSettings, IngestSettings, IngestStage};
use stream::kafka::KafkaLog;
use stream::{Log, Service, Settings, Stage};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Recognises raw usage records and normalises them: usage.raw -> usage.events, usage.facts, usage.rejected. Also takes
/// events over HTTP (`POST /v1/events`) and OTLP over HTTP and gRPC, and appends them to the first raw topic.
#[derive(Debug, Parser)]
#[command(name = "spendstream-ingest", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    ingest: IngestSettings,
    #[command(flatten)]
    door: DoorSettings,
}

fn main() -> ExitCode {
    stream::service::exit_code("spendstream-ingest", run(Arguments::parse()))
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { settings, ingest, door } = arguments;
    let service = Service::start(settings)?;
    let settings = service.settings();
    let (config, (keys, tls)) = (ingest.decode.config()?, door.open(settings.telemetry.listen)?);
    let probes = door.probes_listen;
    let inputs = ingest.inputs();

    let name = format!("{}.ingest.door.{}", settings.environment, settings.instance);
    let log: Arc<dyn Log> = Arc::new(KafkaLog::connect_as(&settings.connection, name)?);
    let door = Door::new(log, inputs[0], config.clone(), keys);
    door.register_metrics(service.telemetry().registry())?;

    let users = (!ingest.drop_users).then(Arc::<Users>::default);
    let stage = |topic: &&str| Arc::new(IngestStage::new(*topic, config.clone(), users.clone())) as Arc<dyn Stage>;
    let stages = inputs.iter().map(stage).collect();
    service.mount(door.router()).encrypt(tls).probe_at(probes).run(stages, Vec::new())
}
