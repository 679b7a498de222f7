//! A store that dies, refuses, or loses its answer at a chosen write. The real store does the rest.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Refuse,
    RefuseForAWhile,
    RefuseFrom,
    LoseAnswer,
    ClaimExists,
    DieBefore,
    DieAfter,
    Overwrites,
}

/// What goes wrong, and at which write, counted from 0.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: Kind,
    at: usize,
    writes: Arc<AtomicUsize>,
}

impl Fault {
    fn new(kind: Kind, at: usize) -> Self {
        Fault { kind, at, writes: Arc::default() }
    }
    /// The write does not happen, and an error says so.
    pub fn refuse(at: usize) -> Self {
        Self::new(Kind::Refuse, at)
    }
    /// As [`Fault::refuse`], three times in a row.
    pub fn refuse_for_a_while(at: usize) -> Self {
        Self::new(Kind::RefuseForAWhile, at)
    }
    /// This write and all that follow do not happen, as on a full disk.
    pub fn refuse_from(at: usize) -> Self {
        Self::new(Kind::RefuseFrom, at)
    }
    /// The write happens, but an error comes back.
    pub fn lose_answer(at: usize) -> Self {
        Self::new(Kind::LoseAnswer, at)
    }
    /// The write happens, its answer is lost, and the client's own second attempt finds the file there.
    pub fn claim_exists(at: usize) -> Self {
        Self::new(Kind::ClaimExists, at)
    }
    /// The process dies before the write.
    pub fn die_before(at: usize) -> Self {
        Self::new(Kind::DieBefore, at)
    }
    /// The process dies after the write.
    pub fn die_after(at: usize) -> Self {
        Self::new(Kind::DieAfter, at)
    }
    /// `If-None-Match` is ignored.
    pub fn overwrites() -> Self {
        Self::new(Kind::Overwrites, 0)
    }
    /// Tells later whether there were enough writes for the fault to strike.
    pub fn struck(&self) -> impl Fn() -> bool + use<> {
        let (writes, at) = (self.writes.clone(), self.at);
        move || writes.load(Ordering::SeqCst) > at
    }
}

/// A store with a fault.
#[derive(Debug)]
pub struct Faulty {
    store: Arc<dyn ObjectStore>,
    fault: Fault,
}

impl Faulty {
    pub fn new(store: Arc<dyn ObjectStore>, fault: Fault) -> Self {
        Faulty { store, fault }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn lost() -> Error {
    Error::Generic { store: "faulty", source: "the answer was lost".into() }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        let write = self.fault.writes.fetch_add(1, Ordering::SeqCst);
        let strikes = write == self.fault.at;
        match self.fault.kind {
            Kind::Overwrites => options.mode = PutMode::Overwrite,
            Kind::Refuse if strikes => return Err(lost()),
            Kind::RefuseForAWhile if (self.fault.at..self.fault.at + 3).contains(&write) => return Err(lost()),
            Kind::RefuseFrom if write >= self.fault.at => return Err(lost()),
            Kind::DieBefore if strikes => std::process::abort(),
            _ => {}
        }
        let result = self.store.put_opts(to, payload, options).await?;
        match self.fault.kind {
            Kind::LoseAnswer if strikes => Err(lost()),
            Kind::ClaimExists if strikes => {
                Err(Error::AlreadyExists { path: to.to_string(), source: "second attempt".into() })
            }
            Kind::DieAfter if strikes => std::process::abort(),
            _ => Ok(result),
        }
    }
    async fn put_multipart_opts(&self, to: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(to, options).await
    }
    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(from, options).await
    }
    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(paths)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
