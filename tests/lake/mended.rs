//! What an operator, a cloud or another program may break: it is named in one sentence, nothing is lost, and the sink
//! goes on when it is mended.

use std::path::PathBuf;
use std::time::Duration;

use sink::read::Days;
use sink::{Lake, LakeConfig, LakeReader, Maintenance};
use spendstream_tests::s3::{CREDENTIALS, Fault, S3};

use crate::ground::{Ground, lake_on};
use crate::sample::{Sample, drive, drive_table, held, try_held};

/// What a store answers, and what a person reads.
const REFUSALS: [(u16, &str, &str); 7] = [
    (403, "AccessDenied", "must be allowed to list, read, write and delete"),
    (400, "ExpiredToken", "the credentials have expired"),
    (403, "InvalidAccessKeyId", "the store does not know these credentials"),
    (403, "RequestTimeTooSkewed", "this machine's clock and the store's are too far apart"),
    (400, "AuthorizationHeaderMalformed", "the bucket is in another region; state it with --lake-region"),
    (301, "PermanentRedirect", "the bucket is in another region; state it with --lake-region"),
    (404, "NoSuchBucket", "there is no such bucket"),
];

#[test]
fn a_store_that_refuses_is_told_in_one_sentence_and_nothing_is_lost() {
    let sample = Sample::new();
    for (round, (status, code, sentence)) in REFUSALS.into_iter().enumerate() {
        // At the start, and in the middle of a run: after the table was opened and some files were written.
        // A bucket that goes while a sink runs looks like a file that is not there.
        let skips = if code == "NoSuchBucket" { vec![0] } else { vec![0, 12 + round] };
        for skip in skips {
            let ground = Ground::server();
            let lake = ground.lake();
            ground.s3().plan_after(skip, Fault::Refuse(status, code), &[], usize::MAX);
            let error = drive_table(&lake, "charges", &sample, 1).expect_err("the store refuses");
            ground.s3().heal();
            let error = format!("{error:#}");
            assert!(
                error.starts_with("the lake at s3://lake/tables/ cannot be used: "),
                "{code} after {skip}: {error}"
            );
            assert!(error.contains(sentence), "{code} after {skip}: {error}");
            assert!(!error.contains(CREDENTIALS.1), "{error}");
            drive_table(&lake, "charges", &sample, 9).expect("the store is mended");
            let rows = LakeReader::new(&lake).charges(&["charge_id"], Days::ALL).expect("the table can be read");
            let rows: usize = rows.map(|batch| batch.expect("its files can be read").num_rows()).sum();
            assert_eq!(rows, sample.held.rows["charges"].len(), "{code} after {skip}");
        }
    }
}

#[test]
fn wrong_keys_and_a_bucket_that_is_not_there_are_told_apart() {
    let sample = Sample::new();
    let server = S3::start("lake");
    let patience = Duration::from_secs(30);
    let error = |lake: &Lake| format!("{:#}", drive_table(lake, "charges", &sample, 9).expect_err("refused"));
    let wrong = error(&lake_on(&server, (CREDENTIALS.0, "not the secret"), patience));
    assert!(wrong.contains("the store does not know these credentials; check AWS_ACCESS_KEY_ID"), "{wrong}");
    std::fs::rename(server.folder().join("lake"), server.folder().join("elsewhere")).expect("a folder can be renamed");
    let gone = error(&lake_on(&server, CREDENTIALS, patience));
    assert!(gone.contains("there is no such bucket; create it, or correct --lake"), "{gone}");
    std::fs::rename(server.folder().join("elsewhere"), server.folder().join("lake")).expect("a folder can be renamed");
    let lake = lake_on(&server, CREDENTIALS, patience);
    drive(&lake, &sample, 2, 0);
    assert_eq!(held(&lake), sample.held);
}

/// The files of a table whose name ends so, in order.
fn files(ground: &Ground, folder: &str, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(ground.file(folder)).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(end));
    files.sort();
    files
}

#[test]
fn a_data_file_deleted_by_hand_is_named_and_stops_neither_writers_nor_other_days() {
    let (sample, ground) = (Sample::of(2, 3, 2), Ground::folder());
    let lake = ground.lake();
    drive(&lake, &sample, 1, 0);
    let lost = files(&ground, "charges/event_date=2026-01-04", ".parquet").remove(0);
    let contents = std::fs::read(&lost).expect("the file is there");
    std::fs::remove_file(&lost).expect("it can be deleted");

    let error = format!("{:#}", try_held(&lake).expect_err("a file is missing"));
    let name = lost.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(error.contains(&name) && error.contains("is gone, though its log has it; restore it"), "{error}");
    // Writers go on; of two days, the one that is whole is merged.
    drive(&lake, &sample, 1, 0);
    let maintenance = Maintenance::new(&lake, &LakeConfig::at("unused"));
    assert!(maintenance.compact("charges", stream::now()).is_err());
    let files = || LakeReader::new(&lake).charges(&["tenant"], Days::ALL).expect("the log can be read").files();
    assert_eq!(files(), 1 + 6);

    std::fs::write(&lost, contents).expect("it can be restored");
    assert_eq!(held(&lake), sample.held);
    maintenance.compact("charges", stream::now()).expect("the other day is merged");
    assert_eq!(files(), 2);
    assert_eq!(held(&lake), sample.held);
}

#[test]
fn a_log_entry_that_is_cut_off_is_named_and_nothing_is_written_until_it_is_mended() {
    let sample = Sample::new();
    // Cut in half, as by a copy that broke off, and empty, as a power cut leaves a file; in the middle and at the end.
    for (back, share) in [(1, 2), (1, usize::MAX), (2, 2), (2, usize::MAX)] {
        let ground = Ground::folder();
        let lake = ground.lake();
        drive(&lake, &sample, 1, 0);
        let entries = files(&ground, "charges/_delta_log", ".json");
        let entry = &entries[entries.len() - back];
        let contents = std::fs::read(entry).expect("the entry is there");
        std::fs::write(entry, &contents[..contents.len() / share]).expect("it can be cut");

        let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
        for result in [drive_table(&lake, "charges", &sample, 1), try_held(&lake).map(drop)] {
            let error = format!("{:#}", result.expect_err("the log is damaged"));
            assert!(error.contains(&format!("{name} of its log is cut off; restore it from a backup")), "{error}");
            assert_eq!(error.contains("or delete it"), back == 1, "{error}");
        }
        match back {
            // What only the newest entry held is read again.
            1 => std::fs::remove_file(entry).expect("it can be deleted"),
            _ => std::fs::write(entry, &contents).expect("it can be restored"),
        }
        drive(&lake, &sample, 1, 0);
        assert_eq!(held(&lake), sample.held);
    }
}

#[test]
fn a_table_that_something_else_made_is_refused_and_left_as_it_was() {
    let sample = Sample::new();
    let ground = Ground::folder();
    let lake = ground.lake();
    // Delta's smallest table, by its protocol: as another program writes it.
    let made = |name: &str, partition: &str, required: bool| {
        let nullable = !required;
        let schema = format!(
            r#"{{\"type\":\"struct\",\"fields\":[{{\"name\":\"{partition}\",\"type\":\"date\",\"nullable\":true,\"metadata\":{{}}}},{{\"name\":\"total\",\"type\":\"double\",\"nullable\":{nullable},\"metadata\":{{}}}}]}}"#
        );
        format!(
            "{}\n{{\"metaData\":{{\"id\":\"1\",{name}\"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\
             \"schemaString\":\"{schema}\",\"partitionColumns\":[\"{partition}\"],\"configuration\":{{}}}}}}\n",
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#
        )
    };
    let log = ground.file("charges/_delta_log");
    std::fs::create_dir_all(&log).expect("a folder");
    let entry = log.join("00000000000000000000.json");
    for (text, why) in [
        (made("", "event_date", false), "it calls itself \"\""),
        (made(r#""name":"sales","#, "event_date", false), "it calls itself \"sales\""),
        (made(r#""name":"charges","#, "day", false), "it is partitioned by [\"day\"]"),
        (made(r#""name":"charges","#, "event_date", true), "its column total may not be null"),
    ] {
        std::fs::write(&entry, &text).expect("the log can be written");
        let error = format!("{:#}", drive_table(&lake, "charges", &sample, 9).expect_err("it is not ours"));
        assert!(error.contains("the table charges was made by something else") && error.contains(why), "{error}");
        assert_eq!(std::fs::read_to_string(&entry).expect("the log"), text);
        assert_eq!(files(&ground, "charges/_delta_log", ".json").len(), 1);
    }
    std::fs::rename(ground.file("charges"), ground.file("theirs")).expect("it can be moved away");
    drive(&lake, &sample, 2, 0);
    assert_eq!(held(&lake), sample.held);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Root may write everywhere but to a file that it takes for a folder.
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let within = file.path().join("lake");
    let error = format!("{:#}", Lake::open(&LakeConfig::at(within.display().to_string())).expect_err("not a folder"));
    assert!(error.contains(&within.display().to_string()), "{error}");
}
