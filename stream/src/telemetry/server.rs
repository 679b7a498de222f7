//! The HTTP front of a process: metrics and health, and whatever routes a service adds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::{Health, Telemetry};
use crate::shutdown::Shutdown;

/// A running server. It stops with the shutdown flag it was given.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped: open requests are answered first.
    pub fn join(self) {
        // A panic inside was already logged by the panic hook; nothing else hangs on the server.
        let _ = self.thread.join();
    }
}

impl Telemetry {
    /// Serves `/metrics`, `/healthz`, `/readyz` and the given routes on a thread of its own, so that nothing a lane does
    /// can keep a probe waiting.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn serve(self: &Arc<Self>, listen: SocketAddr, routes: Router, shutdown: Shutdown) -> anyhow::Result<Server> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("http").enable_all().build();
        let runtime = runtime.context("start the HTTP thread")?;
        let bound = runtime.block_on(tokio::net::TcpListener::bind(listen));
        let listener =
            bound.with_context(|| format!("cannot listen on {listen}: choose another address with --listen"))?;
        let address = listener.local_addr().context("read the bound address")?;
        let app = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .with_state(self.clone())
            .merge(routes);
        let serve = move || {
            let stop = async move { shutdown.triggered().await };
            if let Err(error) =
                runtime.block_on(async { axum::serve(listener, app).with_graceful_shutdown(stop).await })
            {
                tracing::error!(%error, "http server stopped");
            }
            // A request that blocks (an append to a slow disk) may finish; a client that never reads may not hold us.
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        };
        let thread = std::thread::Builder::new().name("http-main".to_owned()).spawn(serve)?;
        tracing::info!(%address, "listening");
        Ok(Server { address, thread })
    }
}

async fn metrics(State(telemetry): State<Arc<Telemetry>>) -> Response {
    match telemetry.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    }
}

async fn healthz(State(telemetry): State<Arc<Telemetry>>) -> Response {
    let health = telemetry.health();
    answer(health.alive, health)
}

async fn readyz(State(telemetry): State<Arc<Telemetry>>) -> Response {
    let health = telemetry.health();
    answer(health.ready, health)
}

fn answer(good: bool, health: Health) -> Response {
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(health)).into_response()
}
