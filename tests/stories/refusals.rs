//! Whoever configures something wrongly is told so at once, in one sentence, by a process that ends with a failure.

use std::path::Path;
use std::process::Command;

use schemas::topics::{self, Partitions};
use spendstream_tests::deployment::{Service, example, program, service, spendstream};
use spendstream_tests::kafka::{Kafka, free_port};
use spendstream_tests::process::Process;
use spendstream_tests::s3::S3;

use crate::{PATIENCE, until};

/// Runs a command that must refuse to start. What it says must be one line and hold every one of these texts.
fn refused(mut command: Command, texts: &[&str]) {
    command.env("RUST_BACKTRACE", "1");
    let (well, log) = Process::start(command).wait(PATIENCE);
    let said: Vec<&str> = log.lines().filter(|line| !line.contains(" INFO ") && !line.contains(" WARN ")).collect();
    assert!(!well, "it should have been refused ({texts:?}):\n{log}");
    assert_eq!(said.len(), 1, "more than one sentence:\n{log}");
    for text in texts {
        assert!(said[0].contains(text), "{text:?} is not said:\n{log}");
    }
}

fn started(which: Service, brokers: &str, flags: &[&str]) -> Command {
    let mut command = service(which, brokers, 0);
    command.args(flags);
    command
}

#[test]
fn brokers_and_topics() {
    let nobody = format!("127.0.0.1:{}", free_port());
    for which in Service::ALL {
        let lake = tempfile::tempdir().unwrap();
        let lake = lake.path().display().to_string();
        let flags: &[&str] = if which == Service::Sink { &["--lake", &lake] } else { &[] };
        refused(started(which, &nobody, flags), &["no Kafka broker answers at", &nobody, "check --brokers"]);
    }
    let mut command = program("spendstream");
    command.args(["topics", "diff", "--brokers", &nobody]);
    refused(command, &["no Kafka broker answers at", &nobody]);

    let kafka = Kafka::start();
    let brokers = kafka.brokers();
    for (which, topic) in [
        (Service::Ingest, "usage.raw"),
        (Service::Enrich, "usage.events"),
        (Service::Aggregate, "usage.charges"),
        (Service::Sink, "usage.charges"),
    ] {
        let lake = tempfile::tempdir().unwrap();
        let lake = lake.path().display().to_string();
        let flags: &[&str] = if which == Service::Sink { &["--lake", &lake] } else { &[] };
        refused(started(which, &brokers, flags), &[topic, "does not exist", "spendstream topics apply"]);
    }

    // Everything has two partitions, but charges have three: they would leave the partition of their event.
    let (charges, others): (Vec<_>, Vec<_>) =
        topics::catalogue(&[topics::RAW]).into_iter().partition(|topic| topic.name == topics::CHARGES);
    assert!(charges.iter().all(|topic| topic.partitions == Partitions::Internal));
    kafka.create(&charges, 3);
    kafka.create(&others, 2);
    refused(
        started(Service::Enrich, &brokers, &[]),
        &["usage.events has 2 partitions and usage.charges has 3", "must be equal"],
    );
    refused(started(Service::Aggregate, &brokers, &[]), &["usage.charges has 3", "must be equal"]);

    // Reference data was never published.
    let mut command = program("spendstream");
    command.args(["check", "--topic", "usage.raw", "--brokers", &brokers]);
    refused(command, &["nothing was published yet", "spendstream apply"]);
}

#[test]
fn lakes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let beneath_a_file = file.join("lake").display().to_string();
    // Not even root may write there.
    let read_only = "/proc/spendstream-lake";
    for lake in [&beneath_a_file, read_only] {
        refused(started(Service::Sink, "127.0.0.1:1", &["--lake", lake]), &["create the lake's folder", lake]);
    }
    refused(started(Service::Sink, "127.0.0.1:1", &["--lake", "ftp://host/lake"]), &["neither a folder nor s3://"]);

    let s3 = S3::start("lake");
    let mut command = started(Service::Sink, "127.0.0.1:1", &["--lake", "s3://lake/spend"]);
    command.envs(s3.environment()).env("AWS_SECRET_ACCESS_KEY", "wrong");
    refused(command, &["the lake at s3://lake/spend/ cannot be used", "the store does not know these credentials"]);
}

/// Writes the starter configuration into a folder and spoils one of its files.
fn spoilt(folder: &Path, file: &str, right: &str, wrong: &str) {
    let (well, text) = spendstream(folder, &["init", "config"]);
    assert!(well, "{text}");
    let path = folder.join("config").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(right), "{file} does not hold {right}");
    std::fs::write(path, text.replacen(right, wrong, 1)).unwrap();
}

#[test]
fn reference_data() {
    for (file, right, wrong, says) in [
        ("prices/openai.yaml", "skus:", "skus: [", "prices/openai.yaml"),
        ("prices/openai.yaml", "input_text_tokens: ", "input_text_tokens: -", "prices/openai.yaml"),
        ("prices/openai.yaml", "input_text_tokens: ", "input_texts: ", "input_texts"),
        ("budgets.yaml", "Europe/Berlin", "Europe/Atlantis", "Europe/Atlantis"),
        ("budgets.yaml", "share: \"0.8\"", "share: eighty", "eighty"),
        ("owners.yaml", "team: support", "taem: support", "taem"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        spoilt(folder.path(), file, right, wrong);
        for arguments in
            [["apply", "config", "--dry-run"], ["up", "--config", "config"], ["check", "--config", "config"]]
        {
            let (well, text) = spendstream(folder.path(), &arguments);
            assert!(!well && text.contains(file) && text.contains(says), "{arguments:?} after {wrong:?}:\n{text}");
        }
        assert!(!folder.path().join("spendstream-data").exists(), "nothing is made of a bad configuration");
    }
    assert!(example().join("prices/openai.yaml").is_file(), "the starter configuration is the example");
}

#[test]
fn folders() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = |data: &Path| {
        let mut command = program("spendstream");
        command.args(["up", "--sample", "0", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command
    };
    let mut first = Process::start(up(&data));
    first.wait_for("serving on", PATIENCE);
    refused(up(&data), &["is in use by process", &data.display().to_string()]);
    // The first one has not noticed.
    until("the first process is well", || !first.log().contains("stopped"));
    let (well, log) = first.stop(PATIENCE);
    assert!(well, "{log}");

    std::fs::write(folder.path().join("file"), "").unwrap();
    refused(up(&folder.path().join("file")), &["make folder"]);
    refused(up(Path::new("/proc/spendstream-data")), &["make folder /proc/spendstream-data"]);
}
