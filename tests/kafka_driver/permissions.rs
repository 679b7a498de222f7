//! Services whose users may do what the runbook lists, and no more.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use spendstream_tests::administer::Right;
use spendstream_tests::deployment::{example, program};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;

use crate::PATIENCE;

/// Name of the installation.
const ENVIRONMENT: &str = "guarded";

/// Services, as the runbook calls their users.
const SERVICES: [&str; 4] = ["ingest", "enrich", "aggregate", "sink"];

/// Services that are tried at once.
const AT_ONCE: usize = 6;

/// The rights that the runbook lists, and whether every installation needs them.
fn listed(runbook: &str) -> Vec<(Right<'_>, bool)> {
    let mut rights = Vec::new();
    for line in runbook.lines() {
        let (command, remark) = line.split_once('#').unwrap_or((line, ""));
        let words: Vec<&str> = command.split_whitespace().collect();
        let ["acl", user, operation, kind, pattern, names @ ..] = &words[..] else { continue };
        let right = |name| (Right { user, operation, kind, pattern, name }, remark.is_empty());
        rights.extend(names.iter().map(|name| right(*name)));
    }
    rights
}

/// A service, as a user who need not have its name.
fn service(kafka: &Kafka, name: &str, user: &str, folder: &Path) -> Command {
    let connection = kafka.connection_of(user);
    let options: Vec<String> = connection.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut service = program(&format!("spendstream-{name}"));
    service.env("SPENDSTREAM_BROKERS", connection.brokers).env("SPENDSTREAM_KAFKA", options.join(";"));
    service.args(["--environment", ENVIRONMENT, "--instance", user, "--lanes", "1", "--listen", "127.0.0.1:0"]);
    if name == "sink" {
        service.arg("--lake").arg(folder).args(["--lake-file-age", "1s"]);
    }
    service
}

/// Sends two calls to the door of ingest, which appends them in one transaction; the line of its answer.
fn post(ingest: &mut Process) -> String {
    ingest.wait_for("listening address=", PATIENCE);
    let log = ingest.log();
    let address = log.split("listening address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let call = |id: &str| {
        format!(
            r#"{{"id": "{id}", "source": "test", "time": "2026-11-22T12:00:00Z", "provider": "openai", "response": {{"id": "{id}",
            "object": "chat.completion", "model": "gpt-4o-mini",
            "usage": {{"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}}}}}}"#
        )
    };
    let body = format!("[{}, {}]", call("chatcmpl-1"), call("chatcmpl-2"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("content-type: application/json\r\ncontent-length: {}\r\nconnection: close", body.len());
    write!(stream, "POST /v1/events HTTP/1.1\r\nhost: {address}\r\n{head}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn services_work_with_the_rights_that_the_runbook_lists_and_without_one_of_them_they_name_it() {
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/RUNBOOK.md");
    let runbook = std::fs::read_to_string(runbook).unwrap().replace("ENV.", &format!("{ENVIRONMENT}."));
    let listed = listed(&runbook);
    assert!(SERVICES.iter().all(|service| listed.iter().any(|(right, _)| right.user == *service)), "{listed:?}");
    // A user for each service, and one for each right who lacks it.
    let lacking = listed.iter().enumerate().filter(|(_, (_, always))| *always);
    let lacking: Vec<(String, Right<'_>)> =
        lacking.map(|(at, (right, _))| (format!("{}{at}", right.user), *right)).collect();
    let users: Vec<&str> = SERVICES.into_iter().chain(lacking.iter().map(|(user, _)| user.as_str())).collect();
    let kafka = Kafka::guarded(&users);
    let partitions = ["--partitions", "1", "--raw-partitions", "1", "--replication", "1"];
    for arguments in [&["topics", "apply"][..], &["apply", &example().display().to_string()]] {
        let mut command = program("spendstream");
        command.args(arguments).args(partitions.iter().filter(|_| arguments[0] == "topics"));
        let output = command.args(["--brokers", &kafka.brokers()]).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let mut rights: Vec<Right<'_>> = listed.iter().map(|(right, _)| *right).collect();
    for (user, lacks) in &lacking {
        let others = listed.iter().map(|(right, _)| *right).filter(|right| right.user == lacks.user && right != lacks);
        rights.extend(others.map(|right| Right { user, ..right }));
    }
    kafka.allow(&rights);

    let folder = tempfile::tempdir().unwrap();
    let mut running = SERVICES.map(|name| Process::start(service(&kafka, name, name, folder.path())));
    let answer = post(&mut running[0]);
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    let written = folder.path().join("charges/_delta_log/00000000000000000001.json");
    let deadline = Instant::now() + PATIENCE;
    while !written.exists() {
        let logs: String = running.iter().map(Process::log).collect();
        assert!(Instant::now() < deadline && !running.iter_mut().any(Process::ended), "no charge is written:\n{logs}");
        std::thread::sleep(Duration::from_millis(100));
    }
    for process in running {
        let (well, log) = process.stop(PATIENCE);
        assert!(well && !log.contains("uthorization"), "{log}");
    }

    for lacking in lacking.chunks(AT_ONCE) {
        let started = lacking
            .iter()
            .map(|(user, lacks)| (lacks, Process::start(service(&kafka, lacks.user, user, folder.path()))));
        for (lacks, mut process) in started.collect::<Vec<_>>() {
            let (well, log) = process.wait(PATIENCE);
            let named = format!("lacks {} on {} {}", lacks.operation, lacks.kind, lacks.name);
            assert!(!well && log.contains(&named), "{} without {lacks:?} does not say {named:?}:\n{log}", lacks.user);
        }
    }
}
