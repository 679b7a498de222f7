//! What the main function of a service calls: everything around its stages and tables.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use axum::Router;

use crate::kafka;
use crate::processor::{Stage, Table};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry::{self, Telemetry};

/// A service on Kafka: log, signals, metrics and health, around its stages and tables.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    shutdown: Shutdown,
    telemetry: Arc<Telemetry>,
    routes: Router,
}

/// Runs stages and tables on Kafka until SIGTERM or SIGINT, or until one of them cannot go on.
///
/// # Errors
/// What [`Service::start`] and [`Service::run`] fail with.
pub fn run(settings: Settings, stages: Vec<Arc<dyn Stage>>, tables: Vec<Box<dyn Table>>) -> Result<()> {
    Service::start(settings)?.run(stages, tables)
}

impl Service {
    /// Checks the settings, starts the log and listens to signals.
    ///
    /// # Errors
    /// One sentence naming the setting and the remedy.
    pub fn start(settings: Settings) -> Result<Self> {
        settings.validate()?;
        telemetry::init(settings.telemetry.log_format)?;
        let shutdown = Shutdown::on_signals()?;
        Ok(Service { settings, shutdown, telemetry: Telemetry::new(), routes: Router::new() })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where metrics of the service's own are registered.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// The flag that everything stops by.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Serves these routes beside metrics and health.
    #[must_use]
    pub fn mount(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Runs until a signal, or until a stage or table cannot go on: then all stop, in order, and a restart begins where
    /// they committed last.
    ///
    /// # Errors
    /// The first error, with the remedy where there is one.
    pub fn run(self, stages: Vec<Arc<dyn Stage>>, tables: Vec<Box<dyn Table>>) -> Result<()> {
        let Service { settings, shutdown, telemetry, routes } = self;
        let server = telemetry.serve(settings.telemetry.listen, routes, shutdown.clone())?;
        let result = std::thread::scope(|scope| {
            let mut running = Vec::new();
            let mut spawn = |name: String, work: Box<dyn FnOnce() -> Result<()> + Send + '_>| {
                let ending = Ending(shutdown.clone());
                let guarded = move || {
                    let _ending = ending;
                    work()
                };
                let thread = std::thread::Builder::new().name(name.clone()).spawn_scoped(scope, guarded);
                running.push((name, thread));
            };
            let (settings, flag, telemetry) = (&settings, &shutdown, &telemetry);
            if !stages.is_empty() {
                let work = move || kafka::run_stages(settings, stages, flag, telemetry);
                spawn("stages".to_owned(), Box::new(work));
            }
            for table in tables {
                let name = table.name().to_owned();
                spawn(name, Box::new(move || kafka::run_table(settings, table, flag, telemetry)));
            }
            let mut first = Ok(());
            for (name, thread) in running {
                let result = match thread.context("start a thread") {
                    Ok(thread) => thread.join().unwrap_or_else(|_| Err(anyhow!("{name} panicked"))),
                    Err(error) => {
                        shutdown.set();
                        Err(error)
                    }
                };
                first = first.and(result.with_context(|| format!("run {name}")));
            }
            first
        });
        shutdown.set();
        server.join();
        result
    }
}

/// Whoever ends, by a signal, an error or a panic, ends the process with the others.
struct Ending(Shutdown);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.set();
    }
}
