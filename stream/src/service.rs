//! What the main function of a service calls: everything around its stages and tables.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use axum::Router;

use crate::kafka;
use crate::memory;
use crate::processor::{Stage, Table};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry::{self, Server, Telemetry, Tls};

/// A service on Kafka: log, signals, metrics and health, around its stages and tables.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    shutdown: Shutdown,
    telemetry: Arc<Telemetry>,
    routes: Router,
    tls: Option<Tls>,
    probes: Option<SocketAddr>,
}

/// Runs stages and tables on Kafka until SIGTERM or SIGINT, or until one of them cannot go on.
///
/// # Errors
/// What [`Service::start`] and [`Service::run`] fail with.
pub fn run(settings: Settings, stages: Vec<Arc<dyn Stage>>, tables: Vec<Box<dyn Table>>) -> Result<()> {
    Service::start(settings)?.run(stages, tables)
}

/// What the main function of a service returns: a failure is said in one line on standard error.
pub fn exit_code(service: &str, ended: Result<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{service}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Service {
    /// Checks the settings, starts the log and listens to signals.
    ///
    /// # Errors
    /// One sentence naming the setting and the remedy.
    pub fn start(settings: Settings) -> Result<Self> {
        settings.validate()?;
        memory::small_pages();
        memory::keep_freed();
        telemetry::init(settings.telemetry.log_format)?;
        // Before tables are opened: they say how payloads are framed.
        kafka::prepare(&settings.connection)?;
        let shutdown = Shutdown::on_signals()?;
        let (version, environment, instance) = (env!("CARGO_PKG_VERSION"), &settings.environment, &settings.instance);
        tracing::info!(version, environment, instance, "starting");
        Ok(Service { settings, shutdown, telemetry: Telemetry::new(), routes: Router::new(), tls: None, probes: None })
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

    /// Serves everything over TLS alone.
    #[must_use]
    pub fn encrypt(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// Serves metrics and health at an address of their own, in the clear; the other address then has the routes alone.
    #[must_use]
    pub fn probe_at(mut self, probes: Option<SocketAddr>) -> Self {
        self.probes = probes;
        self
    }

    /// Runs until a signal, or until a stage, a table or a thread of [`Shutdown::spawn`] cannot go on: then all stop, in
    /// order, and a restart begins where they committed last.
    ///
    /// # Errors
    /// The first error, with the remedy where there is one.
    pub fn run(self, stages: Vec<Arc<dyn Stage>>, tables: Vec<Box<dyn Table>>) -> Result<()> {
        let Service { settings, shutdown, telemetry, routes, tls, probes } = self;
        let servers = telemetry.serve_apart(probes, settings.telemetry.listen, routes, tls, &shutdown)?;
        let orders = kafka::Orders::default();
        let mut jobs: Vec<(String, Job<'_>)> = Vec::new();
        if !stages.is_empty() {
            let run = || kafka::run_stages(&settings, stages, &shutdown, &telemetry);
            jobs.push(("stages".to_owned(), Box::new(run)));
        }
        for table in tables {
            let name = format!("table {}", table.name());
            let (settings, orders, shutdown, telemetry) = (&settings, &orders, &shutdown, &telemetry);
            jobs.push((name, Box::new(move || kafka::run_table(settings, table, orders, shutdown, telemetry))));
        }
        let result: Result<()> = std::thread::scope(|scope| {
            // All are started before the first is waited for.
            let mut running = Vec::new();
            for (name, job) in jobs {
                let ending = Ending(&shutdown);
                let work = move || {
                    let _ending = ending;
                    job()
                };
                running.push((name, scope.spawn(work)));
            }
            let ended = running.into_iter().map(|(name, thread)| {
                let result = thread.join().unwrap_or_else(|_| Err(anyhow!("it panicked: see the message above")));
                result.with_context(|| format!("run {name}"))
            });
            ended.collect::<Vec<_>>().into_iter().collect()
        });
        shutdown.set();
        servers.into_iter().for_each(Server::join);
        tracing::info!("stopped");
        result.and(shutdown.outcome())
    }
}

type Job<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Whoever ends, by a signal, an error or a panic, ends the process with the others.
struct Ending<'a>(&'a Shutdown);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}
