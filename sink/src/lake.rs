//! Where the tables are: a folder or a bucket, and the runtime that talks to it.

use std::future::Future;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use deltalake_core::DeltaTable;
use deltalake_core::logstore::{StorageConfig, default_logstore};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use rayon::{ThreadPool, ThreadPoolBuilder};
use schemas::Timestamp;
use tokio::runtime::Runtime;
use url::Url;

use crate::metrics::Metrics;
use crate::trouble::{PLAIN_HTTP, remedy};

/// Where the lake is and how it is written.
#[derive(Debug, Clone, clap::Args)]
pub struct LakeConfig {
    /// Folder, or `s3://bucket/prefix`, that holds the tables.
    ///
    /// Credentials for S3 come from the environment, as the AWS tools read them (`AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, web identity, instance profile).
    #[arg(long, env = "SPENDSTREAM_LAKE", default_value = "lake")]
    pub lake: String,

    /// Address of an S3 server that is not Amazon's, such as `https://storage.example.com`; `http://` needs
    /// `--lake-allow-http`.
    #[arg(long, env = "AWS_ENDPOINT_URL")]
    pub lake_endpoint: Option<String>,

    /// Region of the bucket. Servers other than Amazon's usually ignore it.
    #[arg(long, env = "AWS_REGION")]
    pub lake_region: Option<String>,

    /// Speak to the S3 server without TLS. Only for tests and servers on the same machine.
    #[arg(long, env = "AWS_ALLOW_HTTP")]
    pub lake_allow_http: bool,

    /// Memory a table's buffer may take before it is written.
    ///
    /// More means fewer, larger files, and more read again after a crash. Every table has its own buffer, and writing
    /// takes about half as much again.
    #[arg(long, env = "SPENDSTREAM_LAKE_BUFFER_BYTES", default_value = "64MiB", value_parser = stream::settings::parse_bytes)]
    pub lake_buffer_bytes: usize,

    /// Longest time a row waits before its file is written.
    ///
    /// Longer means fewer, larger files and staler reports: one minute is about 1,400 files a day and table, five
    /// minutes 290.
    #[arg(long, env = "SPENDSTREAM_LAKE_FILE_AGE", default_value = "5m", value_parser = stream::settings::parse_duration)]
    pub lake_file_age: Duration,

    /// How often small files are merged into larger ones; `0s` never does.
    ///
    /// Each pass reads and rewrites the small files of each day, every byte about three times in its life, and takes
    /// three times `--lake-file-bytes` of memory while it does. Rarer means more files, and slower queries meanwhile.
    #[arg(long, env = "SPENDSTREAM_LAKE_COMPACT_EVERY", default_value = "15m", value_parser = stream::settings::parse_duration)]
    pub lake_compact_every: Duration,

    /// Size that files are merged up to.
    ///
    /// Larger means fewer files for long periods, more memory while merging, and more to read for a single row.
    #[arg(long, env = "SPENDSTREAM_LAKE_FILE_BYTES", default_value = "64MiB", value_parser = stream::settings::parse_bytes)]
    pub lake_file_bytes: usize,

    /// How long files stay after they were replaced or left behind by a crash; at least a week.
    ///
    /// Until then queries that began earlier still work, and so do queries of an earlier version of a table. Longer
    /// means that every file is stored twice for that long.
    #[arg(long, env = "SPENDSTREAM_LAKE_VACUUM_AFTER", default_value = "7d", value_parser = parse_vacuum_after)]
    pub lake_vacuum_after: Duration,
}

/// Shortest time a file that is not part of a table is kept. A writer that is slower than this between its upload and
/// its commit would lose the file.
const VACUUM_AFTER_MIN: Duration = Duration::from_secs(7 * 86_400);

fn parse_vacuum_after(text: &str) -> Result<Duration, String> {
    let after = stream::settings::parse_duration(text)?;
    if after < VACUUM_AFTER_MIN {
        return Err("at least 7d: queries and writers that are under way may still need the files".to_owned());
    }
    Ok(after)
}

impl LakeConfig {
    /// The defaults, for a folder or address.
    pub fn at(lake: impl Into<String>) -> Self {
        LakeConfig {
            lake: lake.into(),
            lake_endpoint: None,
            lake_region: None,
            lake_allow_http: false,
            lake_buffer_bytes: 64 * 1024 * 1024,
            lake_file_age: Duration::from_secs(300),
            lake_compact_every: Duration::from_secs(900),
            lake_file_bytes: 64 * 1024 * 1024,
            lake_vacuum_after: VACUUM_AFTER_MIN,
        }
    }
}

/// A folder or a bucket that holds tables. Cheap to clone.
///
/// Its methods block. They may be called from any thread, one that runs async tasks included, though those wait too.
#[derive(Debug, Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    root: Url,
    runtime: Arc<Background>,
    metrics: Arc<Metrics>,
    encoders: Arc<ThreadPool>,
}

/// A runtime that may be dropped anywhere: tokio refuses to wait for one on a thread that runs async tasks.
#[derive(Debug)]
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Refuses what was meant as the address of a store.
fn folder(address: &str) -> anyhow::Result<()> {
    match address.split_once(":/") {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric()) => bail!(
            "the lake's address {address} lacks a slash: write {scheme}://{}, or ./{address} if a folder is meant",
            rest.trim_start_matches('/')
        ),
        _ => Ok(()),
    }
}

impl Lake {
    /// Opens a lake for writing: creates the folder and makes sure that the store keeps writers apart.
    ///
    /// # Errors
    /// When it cannot be reached or written to, or lets a file be overwritten that must not be.
    pub fn open(config: &LakeConfig) -> anyhow::Result<Self> {
        if !config.lake.contains("://") {
            folder(&config.lake)?;
            std::fs::create_dir_all(&config.lake)
                .with_context(|| format!("create the lake's folder {}", config.lake))?;
        }
        let lake = Self::open_read_only(config)?;
        lake.probe()?;
        Ok(lake)
    }

    /// Opens a lake for reading.
    ///
    /// # Errors
    /// When its address cannot be understood.
    pub fn open_read_only(config: &LakeConfig) -> anyhow::Result<Self> {
        let address = &config.lake;
        if !address.contains("://") {
            folder(address)?;
            // Paths within a store know no `..`; a folder that is not there yet has nothing to read.
            let folder = std::fs::canonicalize(address).or_else(|_| std::path::absolute(FilePath::new(address)));
            let folder = folder.with_context(|| format!("find {address}"))?;
            let root = Url::from_directory_path(&folder)
                .map_err(|()| anyhow::anyhow!("{} cannot be used as a folder for the lake", folder.display()))?;
            return Self::with_store(Arc::new(LocalFileSystem::new()), root);
        }
        let mut root = Url::parse(address).with_context(|| format!("read the lake's address {address}"))?;
        if root.scheme() != "s3" {
            bail!("the lake's address {address} is neither a folder nor s3://bucket/prefix");
        }
        let bucket = root.host_str().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.with_context(|| format!("the lake's address {address} names no bucket"))?.to_owned();
        if !root.path().ends_with('/') {
            root.set_path(&format!("{}/", root.path()));
        }
        let mut s3 = AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(config.lake_allow_http);
        if let Some(endpoint) = &config.lake_endpoint {
            if endpoint.starts_with("http://") && !config.lake_allow_http {
                bail!("the lake at {root} cannot be used on the server {endpoint}: {PLAIN_HTTP}");
            }
            s3 = s3.with_endpoint(endpoint);
        }
        if let Some(region) = &config.lake_region {
            s3 = s3.with_region(region);
        }
        Self::with_store(Arc::new(s3.build().with_context(|| format!("set up {address}"))?), root)
    }

    /// A lake in a store of one's own; `root` is a folder's address within it and ends in `/`.
    ///
    /// # Errors
    /// When no threads can be started.
    pub fn with_store(store: Arc<dyn ObjectStore>, root: Url) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("lake")
            .enable_all()
            .build()
            .context("start the lake's threads")?;
        let encoders = ThreadPoolBuilder::new().thread_name(|_| "encode".to_owned()).build();
        let encoders = Arc::new(encoders.context("start the threads that encode")?);
        Ok(Lake { store, root, runtime: Arc::new(Background(Some(runtime))), metrics: Arc::default(), encoders })
    }

    /// Threads that encode what is flushed, one a processor. They are not those that decode: a file takes much longer than
    /// the records of a round, which would wait for it.
    pub(crate) fn encoders(&self) -> &ThreadPool {
        &self.encoders
    }

    /// Address of the lake.
    pub fn address(&self) -> &Url {
        &self.root
    }

    /// Shows the lake's metrics in a registry.
    ///
    /// # Errors
    /// When they are there already.
    pub fn register_metrics(&self, registry: &prometheus::Registry) -> anyhow::Result<()> {
        self.metrics.register(registry)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Puts the same key twice. A store that takes the second one would let two writers commit the same version.
    pub(crate) fn probe(&self) -> anyhow::Result<()> {
        self.told(self.try_probe())
    }

    fn try_probe(&self) -> anyhow::Result<()> {
        let name = format!("_spendstream/probe-{}", uuid::Uuid::new_v4());
        let key = self.path(&name)?;
        let create = || PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.wait(async {
            match self.store.put_opts(&key, "probe".into(), create()).await {
                // Nobody else has this name: the client tried again because its first answer was lost.
                Ok(_) | Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
                Err(error) => Err(error).with_context(|| format!("write to the lake at {}", self.root))?,
            }
            let second = self.store.put_opts(&key, "probe".into(), create()).await;
            if let Err(error) = self.store.delete(&key).await {
                tracing::warn!(%key, %error, "probe file could not be deleted");
            }
            match second {
                Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(()),
                Ok(_) => bail!(
                    "the store at {} overwrites files that must be written once (it ignores `If-None-Match: *`), so two \
                     writers could count charges twice; use a store with conditional writes",
                    self.root
                ),
                Err(error) => Err(error).with_context(|| format!("try a conditional write at {}", self.root)),
            }
        })
    }

    /// Begins an error with what it means and what mends it, where that is known.
    pub(crate) fn told<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        result.map_err(|error| match remedy(&format!("{error:#}")) {
            Some(sentence) => error.context(format!("the lake at {} cannot be used: {sentence}", self.root)),
            None => error,
        })
    }

    /// What the store's clock shows: when a file was written is told by it.
    pub(crate) fn store_time(&self) -> anyhow::Result<Timestamp> {
        let key = self.path(&format!("_spendstream/clock-{}", uuid::Uuid::new_v4()))?;
        let written = self.wait(async {
            self.store.put(&key, "clock".into()).await?;
            let written = self.store.head(&key).await;
            let _ = self.store.delete(&key).await;
            written
        });
        let written = written.with_context(|| format!("read the clock of the store at {}", self.root))?;
        Ok(Timestamp::from_micros(written.last_modified.timestamp_micros()))
    }

    /// Where a file of the lake that is not part of a table is in the store.
    pub(crate) fn path(&self, name: &str) -> anyhow::Result<Path> {
        let root = Path::from_url_path(self.root.path())?;
        Ok(root.parts().chain(Path::from(name).parts()).collect())
    }

    /// The store that holds the lake.
    pub(crate) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// A table's handle, not loaded.
    pub(crate) fn table(&self, name: &str) -> anyhow::Result<DeltaTable> {
        let url = self.root.join(&format!("{name}/")).context("name a table")?;
        let prefixed = PrefixStore::new(self.store.clone(), Path::from_url_path(url.path())?);
        Ok(DeltaTable::new(default_logstore(Arc::new(prefixed), self.store.clone(), &url, &StorageConfig::default())))
    }

    /// Runs a future to its end on this thread; its I/O is driven by the lake's own.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        let _entered = self.handle().enter();
        // A task that is being polled has a budget, and what has none left waits until the task yields. This one never does.
        futures::executor::block_on(tokio::task::unconstrained(future))
    }

    /// As [`Lake::wait`], with the table named in whatever is logged meanwhile: the libraries beneath do not name it.
    pub(crate) fn wait_for<F: Future>(&self, table: &str, future: F) -> F::Output {
        tracing::info_span!("lake", table).in_scope(|| self.wait(future))
    }

    pub(crate) fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime.0.as_ref().expect("the runtime is only taken when the lake is dropped").handle()
    }
}
