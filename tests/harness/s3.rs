//! An S3 server in this process: `s3s-fs` over a temporary folder, made atomic, with faults on the wire.
//!
//! `s3s-fs` checks `If-None-Match` and then writes, which lets two writers both win. Requests that write a key therefore
//! take that key's lock first. Faults happen where a network has them: the request is carried out and its answer lost or
//! late, it is cut in the middle, or it is answered with an error of the store; and whoever sent it may be killed before
//! or after it is carried out.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};

/// Access key and secret key of every test server.
pub const CREDENTIALS: (&str, &str) = ("spendstream", "spendstream-secret");

/// What goes wrong with the next requests whose path contains certain texts. Only writes are meant, but for [`Fault::Refuse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write is carried out; the connection closes before the answer.
    LoseAnswer,
    /// 503 without carrying anything out.
    Unavailable,
    /// The connection closes after the first part of the body; nothing is carried out.
    Truncate,
    /// The write is carried out this much later, also if whoever sent it has given up by then.
    Delay(Duration),
    /// The process named by [`S3::victim`] is killed; nothing is carried out.
    KillBefore,
    /// The write is carried out, and then the process is killed.
    KillAfter,
    /// The store refuses every request, reads too, with this status and error code.
    Refuse(u16, &'static str),
}

#[derive(Debug)]
struct Planned {
    fault: Fault,
    texts: &'static [&'static str],
    skip: usize,
    times: usize,
}

#[derive(Debug, Default)]
struct Faults {
    planned: Mutex<Vec<Planned>>,
    hits: AtomicUsize,
    writes: AtomicUsize,
    victim: AtomicI32,
}

impl Faults {
    fn take(&self, path: &str, writes: bool) -> Option<Fault> {
        let mut planned = self.planned.lock().expect("no test panics while holding this lock");
        let meant = |plan: &&mut Planned| {
            let kind = writes || matches!(plan.fault, Fault::Refuse(..));
            kind && plan.times > 0 && plan.texts.iter().all(|text| path.contains(text))
        };
        let plan = planned.iter_mut().find(meant)?;
        if plan.skip > 0 {
            plan.skip -= 1;
            return None;
        }
        plan.times -= 1;
        self.hits.fetch_add(1, Ordering::SeqCst);
        Some(plan.fault)
    }

    /// Kills the victim, once it is known, and waits until it is dead, so that nothing it sends comes after.
    fn kill(&self) {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        let wait = || {
            assert!(std::time::Instant::now() < deadline, "the process to kill is not named or does not end");
            std::thread::sleep(Duration::from_millis(1));
        };
        let victim = loop {
            match self.victim.load(Ordering::SeqCst) {
                0 => wait(),
                victim => break victim,
            }
        };
        // SAFETY: a child that the test has not reaped yet, so the number is its own.
        unsafe { libc::kill(victim, libc::SIGKILL) };
        while !ended(victim) {
            wait();
        }
    }
}

/// True when a killed process has ended, reaped or not.
fn ended(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| matches!(rest.trim_start().chars().next(), None | Some('Z' | 'X')))
}

type KeyLocks = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>;

/// A running server. It stops when dropped.
pub struct S3 {
    address: SocketAddr,
    faults: Arc<Faults>,
    folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl S3 {
    /// Starts a server on a free loopback port, with one empty bucket.
    pub fn start(bucket: &str) -> Self {
        let folder = crate::temporary_folder();
        std::fs::create_dir(folder.path().join(bucket)).expect("the temporary folder is writable");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let faults = Arc::new(Faults::default());
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        runtime.spawn(serve(listener, service(folder.path()), faults.clone()));
        S3 { address, faults, folder, _runtime: runtime }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a child process needs in its environment to use this server.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", CREDENTIALS.0.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1.to_owned()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }

    /// Lets the next `times` requests whose path contains all of these texts go wrong.
    pub fn plan(&self, fault: Fault, texts: &'static [&'static str], times: usize) {
        self.plan_after(0, fault, texts, times);
    }

    /// As [`S3::plan`], after so many of them have gone well.
    pub fn plan_after(&self, skip: usize, fault: Fault, texts: &'static [&'static str], times: usize) {
        let plan = Planned { fault, texts, skip, times };
        self.faults.planned.lock().expect("no test panics while holding this lock").push(plan);
    }

    /// Forgets every fault that has not happened yet.
    pub fn heal(&self) {
        self.faults.planned.lock().expect("no test panics while holding this lock").clear();
    }

    /// The process that faults kill, a child that is not reaped yet.
    pub fn victim(&self, process: u32) {
        self.faults.victim.store(i32::try_from(process).unwrap_or(0), Ordering::SeqCst);
    }

    /// How many writes were asked for.
    pub fn writes(&self) -> usize {
        self.faults.writes.load(Ordering::SeqCst)
    }

    /// Where the server keeps its buckets.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// How many faults have happened.
    pub fn faults_hit(&self) -> usize {
        self.faults.hits.load(Ordering::SeqCst)
    }
}

fn service(folder: &Path) -> S3Service {
    let files = s3s_fs::FileSystem::new(folder).expect("the temporary folder exists");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(CREDENTIALS.0, CREDENTIALS.1));
    builder.build()
}

async fn serve(listener: tokio::net::TcpListener, service: S3Service, faults: Arc<Faults>) {
    let locks = KeyLocks::default();
    while let Ok((socket, _)) = listener.accept().await {
        // Or the end of an answer waits until the client has acknowledged its beginning, which takes 40 ms.
        let _ = socket.set_nodelay(true);
        let (service, faults, locks) = (service.clone(), faults.clone(), locks.clone());
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, service.clone(), faults.clone(), locks.clone()));
            // An error here is the client going away, or the lost answer that a test asked for.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct AnswerLost;

impl std::fmt::Display for AnswerLost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("answer lost")
    }
}

impl std::error::Error for AnswerLost {}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    faults: Arc<Faults>,
    locks: KeyLocks,
) -> Result<Response<s3s::Body>, AnswerLost> {
    let writes = matches!(*request.method(), Method::PUT | Method::POST | Method::DELETE);
    let path = request.uri().path().to_owned();
    if writes {
        faults.writes.fetch_add(1, Ordering::SeqCst);
    }
    let fault = faults.take(&path, writes);
    match fault {
        Some(Fault::Unavailable) => return Ok(refusal(503, "SlowDown")),
        Some(Fault::Refuse(status, code)) => return Ok(refusal(status, code)),
        Some(Fault::Truncate) => {
            // What has arrived by now is read; what follows finds nobody.
            let _ = request.into_body().frame().await;
            return Err(AnswerLost);
        }
        Some(Fault::KillBefore) => {
            faults.kill();
            return Err(AnswerLost);
        }
        Some(Fault::Delay(time)) => {
            // On a task of its own: when the client hangs up, what serves its connection ends.
            let late = tokio::spawn(async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map_err(|_| AnswerLost)?.to_bytes();
                tokio::time::sleep(time).await;
                let request = Request::from_parts(head, s3s::Body::from(body));
                carry_out(request, &service, writes, &path, &locks).await
            });
            return late.await.map_err(|_| AnswerLost)?;
        }
        Some(Fault::LoseAnswer | Fault::KillAfter) | None => {}
    }
    let response = carry_out(request.map(s3s::Body::from), &service, writes, &path, &locks).await;
    match fault {
        Some(Fault::LoseAnswer) => Err(AnswerLost),
        Some(Fault::KillAfter) => {
            faults.kill();
            Err(AnswerLost)
        }
        _ => response,
    }
}

/// An error as S3 words it.
fn refusal(status: u16, code: &str) -> Response<s3s::Body> {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the test asked for</Message></Error>");
    let mut response = Response::new(s3s::Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

async fn carry_out(
    request: Request<s3s::Body>,
    service: &S3Service,
    writes: bool,
    path: &str,
    locks: &KeyLocks,
) -> Result<Response<s3s::Body>, AnswerLost> {
    let lock = writes.then(|| {
        let mut locks = locks.lock().expect("no test panics while holding this lock");
        locks.entry(path.to_owned()).or_default().clone()
    });
    let _held = match &lock {
        Some(lock) => Some(lock.lock().await),
        None => None,
    };
    let response = service.call(request).await;
    Ok(response.unwrap_or_else(|error| {
        let mut failed = Response::new(s3s::Body::from(format!("{error:?}")));
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        failed
    }))
}

#[cfg(test)]
mod tests {
    use object_store::aws::AmazonS3Builder;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};

    use super::*;

    fn client(server: &S3) -> impl ObjectStore {
        AmazonS3Builder::new()
            .with_endpoint(server.endpoint())
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name("lake")
            .with_access_key_id(CREDENTIALS.0)
            .with_secret_access_key(CREDENTIALS.1)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .build()
            .expect("the settings are complete")
    }

    fn create() -> PutOptions {
        PutOptions { mode: PutMode::Create, ..PutOptions::default() }
    }

    #[test]
    fn of_many_who_create_one_key_exactly_one_wins() {
        let server = S3::start("lake");
        let store = client(&server);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let won = runtime.block_on(async {
            let key = Path::from("contended");
            let tries = (0..20).map(|i: i32| store.put_opts(&key, i.to_string().into(), create()));
            futures::future::join_all(tries).await.into_iter().filter(Result::is_ok).count()
        });
        assert_eq!(won, 1);
    }

    #[test]
    fn a_lost_answer_leaves_the_object_written() {
        let server = S3::start("lake");
        let store = client(&server);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        server.plan(Fault::LoseAnswer, &["half"], 1);
        runtime.block_on(async {
            let key = Path::from("half");
            assert!(store.put_opts(&key, "x".into(), create()).await.is_err());
            assert_eq!(store.get(&key).await.expect("written").bytes().await.expect("readable"), "x");
        });
        assert_eq!(server.faults_hit(), 1);
    }
}
