//! The HTTP front of a process: metrics and health, and whatever routes a service adds. HTTP/1.1 and HTTP/2 on one port,
//! in the clear or over TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::{Health, Telemetry, Tls};
use crate::shutdown::Shutdown;

/// Most connections at once. One more waits in the backlog of the socket.
const CONNECTIONS_MAX: u32 = 1024;
/// A client has this long to greet (TLS, HTTP/2's preface, the first bytes of a request).
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection of HTTP/1.1 may be silent this long between requests, and take this long to send the headers of one.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(60);
/// Silent connections of HTTP/2 are asked this often whether they are still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Most requests at once on one connection of HTTP/2.
const STREAMS_MAX: u32 = 64;
/// Most bytes of headers of a request.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// Requests that are open when the process stops have this long.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// can keep a probe waiting. With a certificate, over TLS alone.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn serve(
        self: &Arc<Self>,
        listen: SocketAddr,
        routes: Router,
        tls: Option<Tls>,
        shutdown: Shutdown,
    ) -> anyhow::Result<Server> {
        start(listen, "--listen", self.probes().merge(routes), tls, shutdown)
    }

    /// As [`Telemetry::serve`], but with metrics and health at an address of their own where one is given, in the clear. The
    /// server of the routes comes first.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn serve_apart(
        self: &Arc<Self>,
        probes: Option<SocketAddr>,
        listen: SocketAddr,
        routes: Router,
        tls: Option<Tls>,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Vec<Server>> {
        let Some(probes) = probes else { return Ok(vec![self.serve(listen, routes, tls, shutdown.clone())?]) };
        let routes = start(listen, "--listen", routes, tls, shutdown.clone())?;
        Ok(vec![routes, start(probes, "--probes-listen", self.probes(), None, shutdown.clone())?])
    }

    fn probes(self: &Arc<Self>) -> Router {
        let probes = Router::new().route("/metrics", get(metrics));
        probes.route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(self.clone())
    }
}

fn start(
    listen: SocketAddr,
    flag: &str,
    routes: Router,
    tls: Option<Tls>,
    shutdown: Shutdown,
) -> anyhow::Result<Server> {
    let bound = std::net::TcpListener::bind(listen)
        .with_context(|| format!("cannot listen on {listen}: choose another address with {flag}"))?;
    let address = bound.local_addr().context("read the bound address")?;
    bound.set_nonblocking(true).context("prepare the socket")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("http").enable_all().build();
    let runtime = runtime.context("start the HTTP thread")?;
    let listener = {
        let _entered = runtime.enter();
        TcpListener::from_std(bound).context("watch the socket")?
    };
    let encrypted = tls.is_some();
    let serve = move || {
        runtime.block_on(accept(listener, routes, tls.map(Arc::new), shutdown));
        // A request that blocks (an append to a slow disk) may finish; a client that never reads may not hold us.
        runtime.shutdown_timeout(STOP_TIMEOUT);
    };
    let thread = std::thread::Builder::new().name("http-main".to_owned()).spawn(serve)?;
    tracing::info!(%address, encrypted, "listening");
    Ok(Server { address, thread })
}

/// Takes connections until the shutdown; then lets the open ones finish what they have begun.
async fn accept(listener: TcpListener, app: Router, tls: Option<Arc<Tls>>, shutdown: Shutdown) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    loop {
        let next = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            () = shutdown.triggered() => break,
        };
        let Ok((stream, _)) = accepted else {
            // The client has gone already, or the process has no file handles left: then some will be freed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (app, tls, shutdown) = (app.clone(), tls.clone(), shutdown.clone());
        tokio::spawn(async move {
            let _permit = permit;
            connection(stream, app, tls.as_deref(), &shutdown).await;
        });
    }
    // All permits are back when all connections have ended.
    let _ = tokio::time::timeout(STOP_TIMEOUT, free.acquire_many(CONNECTIONS_MAX)).await;
}

/// Serves one connection. What goes wrong with it is the client's affair and not logged: anybody could fill the log.
async fn connection(stream: TcpStream, app: Router, tls: Option<&Tls>, shutdown: &Shutdown) {
    // Answers are small, and the client waits for them.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        if let Ok(Ok(http2)) = tokio::time::timeout(GREETING_TIMEOUT, speaks_http2(&stream)).await {
            serve(stream, http2, app, shutdown).await;
        }
        return;
    };
    let greeted = tokio::time::timeout(GREETING_TIMEOUT, TlsAcceptor::from(tls.config()).accept(stream)).await;
    if let Ok(Ok(stream)) = greeted {
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        serve(stream, http2, app, shutdown).await;
    }
}

/// True when the first bytes are those of HTTP/2. It begins with a word that is no method of HTTP/1.1.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut head = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut head).await?;
        if seen == PREFACE.len() || !PREFACE.starts_with(&head[..seen]) || seen == 0 {
            return Ok(head == PREFACE);
        }
        // Looking again at the same bytes returns at once.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S, http2: bool, app: Router, shutdown: &Shutdown) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    builder.http1().max_buf_size(HEADER_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX);
    let builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => {}
        () = shutdown.triggered() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
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
