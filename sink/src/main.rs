//! Writes topics into lakehouse tables, each record exactly once.

extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use sink::deliver::{Delivery, DeliveryConfig};
use sink::{Lake, LakeConfig, Maintenance, open_tables};
use stream::kafka::KafkaLog;
use stream::service::Service;
use stream::{Log, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writes charges, windows, budgets, alerts and rejects into Delta tables that own their offsets.
#[derive(Debug, Parser)]
#[command(name = "spendstream-sink", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    lake: LakeConfig,
    #[command(flatten)]
    delivery: DeliveryConfig,
}

/// How long the allocator keeps what is free, in milliseconds, unless the environment says so (`MIMALLOC_PURGE_DELAY`). A flush
/// frees in one moment what it took seconds to gather; by default all of it is kept for a second, beside what the next one takes.
const FREE_KEPT_MILLIS: std::ffi::c_long = 100;

/// `mi_option_purge_delay` of mimalloc 3: its bindings give no name for it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// To be called before there are other threads.
fn give_back_sooner() {
    // SAFETY: sets a number of the allocator.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, FREE_KEPT_MILLIS) };
}

fn main() -> ExitCode {
    give_back_sooner();
    stream::service::exit_code("spendstream-sink", run(Arguments::parse()))
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { settings, lake: config, delivery } = arguments;
    let service = Service::start(settings)?;
    let lake = Lake::open(&config)?;
    lake.register_metrics(service.telemetry().registry())?;
    let mut tables = open_tables(&lake, &config)?;
    let settings = service.settings();
    let mut log: Option<Arc<dyn Log>> = None;
    if delivery.alert_routes.is_some() {
        log = Some(Arc::new(KafkaLog::connect(&settings.connection, &settings.environment)?));
    }
    if let Some(delivery) = Delivery::open(&lake, log, &delivery, &settings.environment)? {
        delivery.register_metrics(service.telemetry().registry())?;
        delivery.start(service.shutdown())?;
        tables.push(Box::new(delivery.inbox()));
    }
    Maintenance::new(&lake, &config).start(service.shutdown())?;
    service.run(Vec::new(), tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_given_back_sooner_than_the_allocator_does_by_itself() {
        // SAFETY: reads a number of the allocator.
        let kept = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(kept(), 1000, "no other option of mimalloc 3 has this default");
            give_back_sooner();
            assert_eq!(kept(), FREE_KEPT_MILLIS);
        }
    }
}
