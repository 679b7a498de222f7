//! The file as a log: what is promised to everybody who appends and reads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemas::Timestamp;
use schemas::topics::{self, Kept, Partitions, TopicSpec};

use super::retention::Cleaner;
use super::writer::{Place, Request};
use super::*;
use crate::log::{Log, Published, publish_reference};
use crate::processor::OutRecord;
use crate::reference::row;

fn topic(name: &str, kept: Kept) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions: Partitions::Internal, kept }
}

fn record(topic: &str, partition: u32, payload: impl Into<Bytes>) -> OutRecord {
    let headers = vec![("content-type".to_owned(), Bytes::from_static(b"text/plain"))];
    let (key, payload) = (Some(Bytes::from_static(b"key")), Some(payload.into()));
    OutRecord { topic: topic.into(), partition, key, payload, headers, timestamp: None }
}

fn open(folder: &std::path::Path) -> LocalLog {
    LocalLog::open(folder, &[topic("a", Kept::Forever), topic("b", Kept::Forever)], Some(2)).unwrap()
}

#[test]
fn what_is_appended_is_read_back_in_order_also_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let large = Bytes::from("spend ".repeat(100_000));
    let log = open(folder.path());
    log.append(vec![record("a", 1, "one"), record("b", 0, "other"), record("a", 1, large.clone())]).unwrap();
    let mut stated = record("a", 1, "three");
    stated.timestamp = Some(Timestamp::from_millis(1_234));
    log.append(vec![stated]).unwrap();
    drop(log);
    let log = open(folder.path());
    assert_eq!(log.range("a", 1).unwrap(), 0..3);
    let records = log.read("a", 1, 0, usize::MAX).unwrap();
    let payloads: Vec<_> = records.iter().map(|record| record.payload.clone().unwrap()).collect();
    assert_eq!(payloads, [Bytes::from("one"), large, Bytes::from("three")]);
    assert_eq!(records[0].headers, record("a", 1, "one").headers);
    assert_eq!(records[2].timestamp, Timestamp::from_millis(1_234));
    assert!(records[0].timestamp <= records[1].timestamp && records[0].timestamp > Timestamp::from_millis(1_234));
    assert_eq!(log.read("a", 1, 1, 10).unwrap().len(), 1, "a record above the bound comes alone");
    assert_eq!(log.read("a", 1, 3, 10).unwrap(), []);
    assert_eq!(log.read("b", 0, 0, 10).unwrap().len(), 1);
}

#[test]
fn nobody_else_can_read_the_files_of_a_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(open(folder.path()));
    log.append(vec![record("a", 0, "what somebody asked a model")]).unwrap();
    let shutdown = crate::Shutdown::new();
    let thread = inbox::take(log.clone(), folder.path(), shutdown.clone()).unwrap();
    for name in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm"), "inbox".to_owned()] {
        let rights = std::fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(rights & 0o077, 0, "{name} has the rights {rights:o}");
    }
    shutdown.set();
    thread.join().unwrap();
}

#[test]
fn an_append_is_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let error = log.append(vec![record("a", 0, "good"), record("a", 7, "bad")]).unwrap_err();
    assert_eq!(error.to_string(), "topic a has 2 partitions, there is no partition 7");
    assert_eq!(log.range("a", 0).unwrap(), 0..0);
}

#[test]
fn appends_of_many_threads_share_commits_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(open(folder.path()));
    let threads = (0..16).map(|thread| {
        let log = log.clone();
        std::thread::spawn(move || {
            (0..25).for_each(|n| log.append(vec![record("a", 0, format!("{thread}/{n}"))]).unwrap())
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    let records = log.read("a", 0, 0, usize::MAX).unwrap();
    let distinct: std::collections::HashSet<_> = records.iter().map(|record| record.payload.clone()).collect();
    assert_eq!((records.len(), distinct.len()), (400, 400));
    let commits = log.shared().heads().commits;
    assert!(commits < 400, "{commits} commits for 400 appends of 16 threads");
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(LocalLog::inspect(path).unwrap_err().to_string().contains("holds no Spendstream data"));
    let log = open(path);
    let second = LocalLog::open(path, &[], None).unwrap_err().to_string();
    let expected = format!("is in use by process {}: only one process can write to it", std::process::id());
    assert!(second.contains(&expected), "{second}");
    drop(log);
    let other = LocalLog::open(path, &[], Some(8)).unwrap_err().to_string();
    assert!(other.contains("topics of 2 partitions, not 8: leave --partitions out"), "{other}");
    assert_eq!(LocalLog::open(path, &[], None).unwrap().partitions("a").unwrap(), Some(2));
    let file = rusqlite::Connection::open(path.join(FILE)).unwrap();
    file.pragma_update(None, "user_version", 2).unwrap();
    let newer = LocalLog::open(path, &[], None).unwrap_err().to_string();
    assert!(newer.contains("has format 2 and this release knows 1: open it with the release that wrote it"), "{newer}");
}

#[test]
fn another_process_may_look_while_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let observer = LocalLog::inspect(folder.path()).unwrap();
    log.append(vec![record("a", 0, "seen")]).unwrap();
    assert_eq!(observer.range("a", 0).unwrap(), 0..1);
    assert_eq!(observer.read("a", 0, 0, 100).unwrap(), log.read("a", 0, 0, 100).unwrap());
    assert_eq!(
        observer.append(vec![record("a", 0, "no")]).unwrap_err().to_string(),
        "the folder was opened only to look at"
    );
}

#[test]
fn reference_data_is_published_once_and_only_new_rows_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = LocalLog::open(folder.path(), &topics::catalogue(&[topics::RAW]), None).unwrap();
    let now = Timestamp::from_millis(1_800_000_000_000);
    let rows = ["a", "b", "c"].map(|body| row("prices", "prices.yaml:1", body));
    let publish = |rows: &[schemas::ReferenceRow], at| publish_reference(&log, "prices", rows, at, 30).unwrap();
    let Published::New { effective_at, rows_new: 2, version, .. } = publish(&rows[..2], now) else { panic!() };
    assert_eq!(effective_at, now, "nothing else can be used until then");
    assert_eq!(publish(&rows[..2], now.plus_seconds(60)), Published::Unchanged { version });
    let later = now.plus_seconds(120);
    let Published::New { effective_at, rows: 2, rows_new: 1, rows_gone: 1, .. } = publish(&rows[1..], later) else {
        panic!()
    };
    assert_eq!(effective_at, later.plus_seconds(30));
    assert_eq!(log.range(topics::REF_PRICES, 0).unwrap(), 0..5);
    let Published::New { effective_at: next, .. } = publish(&rows, later.plus_seconds(-5)) else { panic!() };
    assert_eq!(next.micros(), effective_at.micros() + 1, "the clock went back, the order of versions does not");
}

#[test]
fn waiting_ends_with_the_next_commit() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(open(folder.path()));
    let seen = log.shared().heads().commits;
    let other = log.clone();
    let waiter = std::thread::spawn(move || {
        while other.shared().heads().commits == seen {
            other.shared().wait(seen, Duration::from_secs(60));
        }
    });
    log.append(vec![record("a", 0, "wake up")]).unwrap();
    waiter.join().unwrap();
}

#[test]
fn records_are_deleted_by_the_time_they_were_appended_and_never_before_they_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = LocalLog::open(folder.path(), &[topic("a", Kept::For(Duration::from_secs(86_400)))], Some(1)).unwrap();
    let old = |n: i64| OutRecord { timestamp: Some(Timestamp::from_millis(n)), ..record("a", 0, format!("{n}")) };
    log.append((0..3_000).map(old).collect()).unwrap();
    let clean = |days: i64| {
        let now = crate::clock::now().plus_seconds(days * 86_400);
        let readers = vec![(Arc::from("stage"), vec![0, 1])];
        Cleaner::new(readers).round(&log, now, &crate::Shutdown::new()).unwrap();
        log.range("a", 0).unwrap()
    };
    assert_eq!(clean(0), 0..3_000, "their own timestamps are of 1970, but they came just now");
    assert_eq!(clean(2), 0..3_000, "the stage has read nothing");
    // One that does not run any more keeps nothing.
    let place = Place { next_offset: 1, transaction: 1, all_out: true };
    let position = log.prepare_position(&Arc::from("table:gone"), 0, place);
    log.write(Request { positions: vec![position], ..Request::default() }).unwrap();
    let place = Place { next_offset: 2_500, transaction: 1, all_out: true };
    let position = log.prepare_position(&Arc::from("stage"), 0, place);
    log.write(Request { positions: vec![position], ..Request::default() }).unwrap();
    assert_eq!(clean(2), 2_500..3_000, "the stage has read that far");
    drop(log);
    let log = LocalLog::open(folder.path(), &[], None).unwrap();
    assert_eq!(log.range("a", 0).unwrap(), 2_500..3_000);
    assert_eq!(log.read("a", 0, 0, 1).unwrap()[0].offset, 2_500);
}

#[test]
fn compaction_keeps_the_newest_record_of_each_key_and_nothing_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let log = LocalLog::open(folder.path(), &[topic("a", Kept::Compacted(Duration::ZERO))], Some(1)).unwrap();
    let keyed = |n: i64| OutRecord { key: Some(Bytes::from(format!("{}", n % 10))), ..record("a", 0, format!("{n}")) };
    log.append((0..12_000).map(keyed).collect()).unwrap();
    log.append(vec![OutRecord { payload: None, ..keyed(3) }]).unwrap();
    let now = crate::clock::now().plus_seconds(60);
    Cleaner::default().round(&log, now, &crate::Shutdown::new()).unwrap();
    let kept = log.read("a", 0, 0, usize::MAX).unwrap();
    let values: Vec<_> = kept.iter().map(|record| record.payload.clone().unwrap()).collect();
    let expected = (11_990..12_000).filter(|n| n % 10 != 3).map(|n| Bytes::from(n.to_string()));
    assert_eq!(values, expected.collect::<Vec<_>>());
    log.append(vec![keyed(1)]).unwrap();
    assert_eq!(log.range("a", 0).unwrap(), 0..12_002, "offsets go on");
}

#[test]
fn where_only_the_newest_is_kept_what_it_replaces_is_in_no_file_and_nobody_undoes_anothers_change() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::Newest(Duration::from_secs(60));
    let log = LocalLog::open(folder.path(), &[topic("a", kept)], Some(1)).unwrap();
    let secret = |n: usize, round: usize| format!("secret-{n}-of-round-{round}-{}", "x".repeat(n % 900));
    let keyed = |n: usize, round: usize| OutRecord {
        key: Some(Bytes::from(n.to_string())),
        ..record("a", 0, secret(n, round))
    };
    let holds = |text: &str| {
        let files =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    // Enough for a tree of several pages, in which rows move.
    log.append((0..200).map(|n| keyed(n, 0)).collect()).unwrap();
    for n in (0..200).rev() {
        assert!(holds(&secret(n, 0)), "{n} is looked for where it is");
        log.append(vec![keyed(n, 1)]).unwrap();
        assert!(!holds(&secret(n, 0)), "{n} is gone");
    }
    let values: Vec<_> = log.read("a", 0, 0, usize::MAX).unwrap();
    assert_eq!((values.len(), values[0].offset), (200, 200));
    assert!(log.append_if_end(400, vec![keyed(1, 2)]).unwrap());
    assert!(!log.append_if_end(400, vec![keyed(2, 2)]).unwrap(), "it ends at 401 now");
    drop(log);
    let log = LocalLog::open(folder.path(), &[], None).unwrap();
    assert_eq!(log.range("a", 0).unwrap(), 0..401);
    assert!(holds(&secret(2, 1)) && !holds(&secret(1, 1)));
}
