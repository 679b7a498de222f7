//! Where a lake of a test is, and a sink as a process of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use sink::{Lake, LakeConfig};
use spendstream_tests::s3::{CREDENTIALS, S3};
use spendstream_tests::temporary_folder;

use crate::sample::{Sample, drive, drive_table};

/// A folder, or a server.
pub enum Ground {
    Folder(tempfile::TempDir),
    Server(S3),
}

impl Ground {
    pub fn folder() -> Self {
        Ground::Folder(temporary_folder())
    }

    pub fn server() -> Self {
        Ground::Server(S3::start("lake"))
    }

    pub fn both() -> [Self; 2] {
        [Self::folder(), Self::server()]
    }

    /// The server; only where there is one.
    pub fn s3(&self) -> &S3 {
        match self {
            Ground::Server(server) => server,
            Ground::Folder(_) => panic!("a folder has no server"),
        }
    }

    /// The lake, opened in this process.
    pub fn lake(&self) -> Lake {
        self.lake_within(Duration::from_secs(30))
    }

    /// As [`Ground::lake`], with a client that waits this long for an answer.
    pub fn lake_within(&self, timeout: Duration) -> Lake {
        match self {
            Ground::Folder(folder) => {
                Lake::open(&LakeConfig::at(folder.path().display().to_string())).expect("the folder is writable")
            }
            Ground::Server(server) => lake_on(server, CREDENTIALS, timeout),
        }
    }

    /// Where a file of the lake is on this machine.
    pub fn file(&self, name: &str) -> PathBuf {
        match self {
            Ground::Folder(folder) => folder.path().join(name),
            Ground::Server(server) => server.folder().join("lake/tables").join(name),
        }
    }

    /// A sink on this lake, as a process of its own: [`a_sink`].
    pub fn sink(&self) -> Child {
        self.sink_with("LAKE_TEST_NOTHING", "")
    }

    /// As [`Ground::sink`], told something by a variable.
    pub fn sink_with(&self, name: &str, value: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("this test has a path"));
        command.args(["--exact", "ground::a_sink", "--ignored"]).stdout(Stdio::null()).stderr(Stdio::null());
        match self {
            Ground::Folder(folder) => command.env("SPENDSTREAM_LAKE", folder.path()),
            Ground::Server(server) => command.envs(server.environment()).env("SPENDSTREAM_LAKE", "s3://lake/tables"),
        };
        command.env(name, value).spawn().expect("start a sink")
    }
}

/// A lake on a server, by a client that does not wait long before it tries again.
pub fn lake_on(server: &S3, (key, secret): (&str, &str), timeout: Duration) -> Lake {
    let soon =
        BackoffConfig { init_backoff: Duration::from_millis(5), max_backoff: Duration::from_millis(50), base: 2. };
    let store = AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_client_options(ClientOptions::new().with_timeout(timeout))
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("lake")
        .with_access_key_id(key)
        .with_secret_access_key(secret)
        .with_retry(RetryConfig { backoff: soon, max_retries: 6, ..RetryConfig::default() })
        .build()
        .expect("the settings are complete");
    let root = "s3://lake/tables/".parse().expect("an address");
    Lake::with_store(Arc::new(store), root).expect("threads can be started")
}

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    lake: LakeConfig,
}

/// Not a test by itself: the sink that tests start and kill. Its settings are those of the service, in its environment.
#[test]
#[ignore = "the process that tests start"]
fn a_sink() {
    if std::env::var_os("SPENDSTREAM_LAKE").is_none() {
        return;
    }
    let config = Arguments::parse_from(["a sink"]).lake;
    let lake = Lake::open(&config).expect("the lake can be opened");
    if let Ok(bytes) = std::env::var("LAKE_TEST_FILE_BYTES") {
        let bytes = bytes.parse().expect("a number");
        // SAFETY: both change this process alone, which is here for nothing else.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &libc::rlimit { rlim_cur: bytes, rlim_max: bytes });
        }
        let error = format!("{:#}", drive_table(&lake, "charges", &Sample::new(), 9).expect_err("files are cut off"));
        assert!(error.contains("the system lets no file there grow that large"), "{error}");
        return;
    }
    drive(&lake, &Sample::new(), 4, 500);
}
