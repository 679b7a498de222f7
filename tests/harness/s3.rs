//! An S3 server in this process: `s3s-fs` over a temporary folder, made atomic, with faults on the wire.
//!
//! `s3s-fs` checks `If-None-Match` and then writes, which lets two writers both win. Requests that write a key therefore
//! take that key's lock first. Faults happen where a network has them: the request is carried out and its answer lost,
//! or it is answered 503 without being carried out.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};

/// Access key and secret key of every test server.
pub const CREDENTIALS: (&str, &str) = ("spendstream", "spendstream-secret");

/// What goes wrong with the next writes whose path contains a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write is carried out; the connection closes before the answer.
    LoseAnswer,
    /// 503 without carrying anything out.
    Unavailable,
}

#[derive(Debug, Default)]
struct Faults {
    planned: Mutex<Vec<(Fault, String, usize)>>,
    hits: AtomicUsize,
}

impl Faults {
    fn take(&self, path: &str) -> Option<Fault> {
        let mut planned = self.planned.lock().expect("no test panics while holding this lock");
        let (fault, _, left) = planned.iter_mut().find(|(_, text, left)| *left > 0 && path.contains(text.as_str()))?;
        *left -= 1;
        self.hits.fetch_add(1, Ordering::SeqCst);
        Some(*fault)
    }
}

type KeyLocks = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>;

/// A running server. It stops when dropped.
pub struct S3 {
    address: SocketAddr,
    faults: Arc<Faults>,
    _folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl S3 {
    /// Starts a server on a free loopback port, with one empty bucket.
    pub fn start(bucket: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
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
        S3 { address, faults, _folder: folder, _runtime: runtime }
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

    /// Lets the next `times` writes whose path contains `text` go wrong.
    pub fn plan(&self, fault: Fault, text: &str, times: usize) {
        self.faults.planned.lock().expect("no test panics while holding this lock").push((fault, text.into(), times));
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
    let fault = if writes { faults.take(&path) } else { None };
    if fault == Some(Fault::Unavailable) {
        let mut busy = Response::new(s3s::Body::empty());
        *busy.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(busy);
    }
    let lock = writes.then(|| {
        let mut locks = locks.lock().expect("no test panics while holding this lock");
        locks.entry(path).or_default().clone()
    });
    let _held = match &lock {
        Some(lock) => Some(lock.lock().await),
        None => None,
    };
    let response = service.call(request.map(s3s::Body::from)).await;
    if fault == Some(Fault::LoseAnswer) {
        return Err(AnswerLost);
    }
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
        server.plan(Fault::LoseAnswer, "half", 1);
        runtime.block_on(async {
            let key = Path::from("half");
            assert!(store.put_opts(&key, "x".into(), create()).await.is_err());
            assert_eq!(store.get(&key).await.expect("written").bytes().await.expect("readable"), "x");
        });
        assert_eq!(server.faults_hit(), 1);
    }
}
