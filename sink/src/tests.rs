//! The protocol under fire: whatever dies, is lost or is doubled, the tables hold each record once.

pub(crate) mod faults;
pub(crate) mod sample;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use futures::StreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use schemas::{Charge, Timestamp};
use stream::{Halt, Record, Table};
use url::Url;

use crate::read::{Cells, Days};
use crate::rows::{Batches, Charges, Windows};
use crate::{Lake, LakeConfig, LakeReader, LakeTable, Rows};
use faults::{Fault, Faulty};
use sample::{Log, NOW, charge, charges_log, windows_log};

pub(crate) fn in_memory() -> Lake {
    Lake::with_store(Arc::new(InMemory::new()), Url::parse("memory:///lake/").unwrap()).unwrap()
}

pub(crate) fn folder(path: &std::path::Path, fault: Option<Fault>) -> Lake {
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let store = match fault {
        Some(fault) => Arc::new(Faulty::new(store, fault)) as Arc<dyn ObjectStore>,
        None => store,
    };
    Lake::with_store(store, Url::from_directory_path(path).unwrap()).unwrap()
}

pub(crate) fn config() -> LakeConfig {
    LakeConfig::at("unused")
}

/// Does what the runtime does: assigns, feeds from where the table stands, flushes every few records, and assigns again
/// when a flush failed. Gives how often it failed.
pub(crate) fn drive(table: &mut dyn Table, log: &Log, flush_every: usize) -> usize {
    let partitions: Vec<u32> = log.partitions.keys().copied().collect();
    let mut failures = 0;
    loop {
        let positions = table.assign(&partitions).expect("the table can be read");
        match feed(table, log, &positions, flush_every) {
            Ok(()) => return failures,
            Err(_) if failures < 20 => failures += 1,
            Err(error) => panic!("still failing: {error:#}"),
        }
    }
}

fn feed(table: &mut dyn Table, log: &Log, from: &[(u32, Option<i64>)], flush_every: usize) -> anyhow::Result<()> {
    let mut waiting = 0;
    for (partition, position) in from {
        for (offset, payload) in &log.partitions[partition] {
            if position.is_some_and(|position| *offset < position) {
                continue;
            }
            table.append(*partition, &[record(*offset, payload)], offset + 1)?;
            waiting += 1;
            if waiting == flush_every {
                table.flush(NOW)?;
                waiting = 0;
            }
        }
    }
    table.flush(NOW)
}

fn record(offset: i64, payload: &[u8]) -> Record<'_> {
    Record { offset, timestamp: NOW, key: None, payload: Some(payload), headers: Vec::new() }
}

/// Position, id and cost of a charge: what every row is recognised by.
pub(crate) type Fact = (i32, i64, i32, String, Option<i128>);

pub(crate) fn rows_of(lake: &Lake) -> Vec<Fact> {
    let columns = ["kafka_partition", "kafka_offset", "batch_item", "charge_id", "effective_cost"];
    let mut rows = Vec::new();
    for batch in LakeReader::new(lake).charges(&columns, Days::ALL).unwrap() {
        let batch = batch.unwrap();
        let cells = Cells(&batch);
        for row in 0..batch.num_rows() {
            rows.push((
                cells.must_int("kafka_partition", row).unwrap(),
                cells.must_long("kafka_offset", row).unwrap(),
                cells.must_int("batch_item", row).unwrap(),
                cells.must_text("charge_id", row).unwrap().to_string(),
                cells.money("effective_cost", row).unwrap().map(|money| money.picos()),
            ));
        }
    }
    rows.sort();
    rows
}

#[test]
fn what_goes_in_comes_out_with_every_column() {
    let lake = in_memory();
    let log = charges_log(2, 3, 4);
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    assert_eq!(drive(&mut table, &log, 2), 0);
    assert_eq!(rows_of(&lake), log.oracle);

    let reader = LakeReader::new(&lake);
    let schema = crate::catalogue::table("charges").unwrap().schema();
    let all: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let batch = reader.charges(&all, Days::ALL).unwrap().next().unwrap().unwrap();
    let cells = Cells(&batch);
    let sent: Charge = charge(cells.must_text("call_key", 0).unwrap().rsplit('-').next().unwrap().parse().unwrap());
    assert_eq!(cells.must_text("tenant", 0).unwrap(), sent.event.tenant);
    assert_eq!(cells.text("team", 0).unwrap(), sent.owner.team.as_deref());
    assert_eq!(cells.must_time("event_time", 0).unwrap(), sent.event.event_time);
    assert_eq!(cells.date("event_date", 0).unwrap().to_string(), &sent.event.event_time.to_string()[..10]);
    assert_eq!(cells.quantity("input_text_tokens", 0).unwrap(), sent.event.usage[0].quantity);
    assert_eq!(cells.money("list_cost", 0).unwrap(), sent.costs.list);
    let nested = format!("{:?}", batch.column_by_name("lines"));
    assert!(nested.contains("input_text_tokens"), "{nested}");
}

#[test]
fn a_lost_answer_or_a_refusal_at_any_write_changes_nothing() {
    let log = charges_log(2, 3, 3);
    let mut tried = 0;
    for make in
        [Fault::refuse as fn(usize) -> Fault, Fault::lose_answer, Fault::claim_exists, Fault::refuse_for_a_while]
    {
        for write in 0.. {
            let folder_of = tempfile::tempdir().unwrap();
            let fault = make(write);
            let struck = fault.struck();
            let lake = folder(folder_of.path(), Some(fault));
            let mut table = (0..5)
                .find_map(|_| LakeTable::<Charges>::open(&lake, &config()).ok())
                .expect("the table opens after a fault");
            drive(&mut table, &log, 2);
            assert_eq!(rows_of(&lake), log.oracle, "{make:?} at write {write}");
            if !struck() {
                break;
            }
            tried += 1;
        }
    }
    assert!(tried >= 4 * 6, "only {tried} faults struck");
}

/// Not a test by itself: [`a_kill_at_any_write_loses_and_doubles_nothing`] runs it in a process that dies.
#[test]
#[ignore = "the process that the test of kills starts"]
fn dies() {
    let (Ok(path), Ok(write)) = (std::env::var("SINK_TEST_FOLDER"), std::env::var("SINK_TEST_WRITE")) else { return };
    let write = write.parse().unwrap();
    let fault =
        if std::env::var("SINK_TEST_AFTER").is_ok() { Fault::die_after(write) } else { Fault::die_before(write) };
    let lake = folder(std::path::Path::new(&path), Some(fault));
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    drive(&mut table, &charges_log(2, 3, 3), 2);
}

#[test]
fn a_kill_at_any_write_loses_and_doubles_nothing() {
    let log = charges_log(2, 3, 3);
    let mut kills = 0;
    for after in [false, true] {
        for write in 0.. {
            let folder_of = tempfile::tempdir().unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "tests::dies", "--ignored"]);
            child.env("SINK_TEST_FOLDER", folder_of.path()).env("SINK_TEST_WRITE", write.to_string());
            if after {
                child.env("SINK_TEST_AFTER", "1");
            }
            let killed = !child.output().unwrap().status.success();
            let lake = folder(folder_of.path(), None);
            let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
            drive(&mut table, &log, 3);
            assert_eq!(rows_of(&lake), log.oracle, "killed at write {write}, after it: {after}");
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills >= 2 * 6, "only {kills} processes were killed");
}

#[test]
fn a_writer_that_was_replaced_cannot_commit() {
    let lake = in_memory();
    let log = charges_log(1, 4, 2);
    let mut old = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    let mut new = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    old.assign(&[0]).unwrap();
    for (offset, payload) in &log.partitions[&0][..2] {
        old.append(0, &[record(*offset, payload)], offset + 1).unwrap();
    }
    drive(&mut new, &log, 3);
    let error = format!("{:#}", old.flush(NOW).unwrap_err());
    assert!(error.contains("another writer has moved the table charges"), "{error}");
    // It holds nothing any more, and goes on only after it was assigned again.
    let (offset, payload) = &log.partitions[&0][2];
    assert!(matches!(old.append(0, &[record(*offset, payload)], offset + 1), Err(Halt::State(_))));
    drive(&mut old, &log, 3);
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn writers_of_different_partitions_share_a_table() {
    let lake = in_memory();
    let log = charges_log(4, 6, 2);
    std::thread::scope(|scope| {
        for partition in log.partitions.keys() {
            let (lake, log) = (&lake, &log);
            scope.spawn(move || {
                let mut table = LakeTable::<Charges>::open(lake, &config()).unwrap();
                let own = Log {
                    partitions: BTreeMap::from([(*partition, log.partitions[partition].clone())]),
                    oracle: Vec::new(),
                };
                drive(&mut table, &own, 1);
            });
        }
    });
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn what_is_revoked_is_not_written_by_the_old_owner() {
    let lake = in_memory();
    let log = charges_log(2, 2, 2);
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    table.assign(&[0, 1]).unwrap();
    for (partition, records) in &log.partitions {
        for (offset, payload) in records {
            table.append(*partition, &[record(*offset, payload)], offset + 1).unwrap();
        }
    }
    table.revoke(&[1]);
    table.flush(NOW).unwrap();
    assert!(rows_of(&lake).iter().all(|row| row.0 == 0));
    assert_eq!(table.assign(&[1]).unwrap(), [(1, None)]);
    drive(&mut table, &log, 9);
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn a_record_that_cannot_be_used_stops_the_partition_and_leaves_the_buffer_as_it_was() {
    let lake = in_memory();
    let log = charges_log(1, 3, 2);
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    table.assign(&[0]).unwrap();
    let records = &log.partitions[&0];
    let take = |index: usize| record(records[index].0, &records[index].1);
    table.append(0, &[take(0)], records[0].0 + 1).unwrap();

    let junk = [take(1), record(records[1].0 + 1, b"junk")];
    assert!(matches!(table.append(0, &junk, 99), Err(Halt::Undecodable { offset, .. }) if offset == records[1].0 + 1));
    assert!(matches!(table.append(0, &[take(2)], 99), Err(Halt::Gap { expected: 1, found: 2, .. })));
    assert!(matches!(table.append(0, &[take(0)], 99), Err(Halt::State(_))));

    table.flush(NOW).unwrap();
    assert_eq!(table.assign(&[0]).unwrap(), [(0, Some(records[0].0 + 1))]);
    assert_eq!(rows_of(&lake), log.oracle.iter().filter(|row| row.1 == records[0].0).cloned().collect::<Vec<_>>());
}

#[test]
fn past_a_record_that_was_left_out_the_next_batch_is_taken_by_order_alone() {
    let lake = in_memory();
    let log = charges_log(1, 4, 2);
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    table.assign(&[0]).unwrap();
    let records = &log.partitions[&0];
    let take = |index: usize| record(records[index].0, &records[index].1);
    table.append(0, &[take(0)], records[0].0 + 1).unwrap();
    // The second cannot be read and is left out: what it held is missing before the third.
    let Err(halt @ Halt::Gap { .. }) = table.append(0, &[take(2)], records[2].0 + 1) else { panic!("a gap is taken") };
    let ordered = |partition, sequence| {
        let Halt::Gap { source_topic, source_partition, .. } = &halt else { unreachable!() };
        Arc::new(vec![schemas::Skip {
            stage: Charges::TABLE.into(),
            topic: Charges::TOPIC.into(),
            partition,
            offset: None,
            source_topic: Some(source_topic.as_str().into()),
            source_partition: Some(*source_partition),
            sequence: Some(sequence),
            reason: "ordered by a test".into(),
            ordered_at: NOW,
        }])
    };
    for others in [ordered(1, 2), ordered(0, 3)] {
        table.heed(&others);
        assert_eq!(table.append(0, &[take(2)], records[2].0 + 1), Err(halt.clone()));
    }
    let order = ordered(0, 2);
    assert!(halt.is_lifted_by(&order[0]));
    table.heed(&order);
    table.append(0, &[take(2), take(3)], records[3].0 + 1).unwrap();
    table.flush(NOW).unwrap();
    let without: Vec<_> = log.oracle.iter().filter(|row| row.1 != records[1].0).cloned().collect();
    assert_eq!(rows_of(&lake), without);
}

#[test]
fn a_batch_that_comes_again_at_a_later_offset_is_left_out() {
    let lake = in_memory();
    let log = charges_log(1, 2, 2);
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    table.assign(&[0]).unwrap();
    let records = &log.partitions[&0];
    for (offset, payload) in records {
        table.append(0, &[record(*offset, payload)], offset + 1).unwrap();
    }
    table.append(0, &[record(500, &records[0].1)], 501).unwrap();
    table.flush(NOW).unwrap();
    assert_eq!(rows_of(&lake), log.oracle);
    assert_eq!(table.assign(&[0]).unwrap(), [(0, Some(501))]);
}

#[test]
fn the_buffer_is_due_by_age_and_by_size_and_positions_alone_wait_longer() {
    let lake = in_memory();
    let log = charges_log(1, 1, 2);
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    table.assign(&[0]).unwrap();
    let later = |seconds| NOW.plus_seconds(seconds);
    table.append(0, &[], 1).unwrap();
    assert!(!table.due(later(0)) && !table.due(later(3599)) && table.due(later(3600)));
    table.flush(NOW).unwrap();
    assert_eq!(LakeReader::new(&lake).charges(&["tenant"], Days::ALL).unwrap().version(), Some(1));

    let (offset, payload) = &log.partitions[&0][0];
    table.append(0, &[record(*offset, payload)], offset + 1).unwrap();
    assert!(!table.due(later(0)) && !table.due(later(299)) && table.due(later(300)));
    // The clock is set back by a day: the rows wait no longer for it than at any other time.
    assert!(!table.due(later(-86_400)) && !table.due(later(-86_101)) && table.due(later(-86_100)));
    let held = table.buffered_bytes();
    let tight = LakeConfig { lake_buffer_bytes: held, ..config() };
    let mut table = LakeTable::<Charges>::open(&lake, &tight).unwrap();
    table.assign(&[0]).unwrap();
    assert!(!table.due(later(0)));
    table.append(0, &[record(*offset, payload)], offset + 1).unwrap();
    assert!(table.due(later(0)));
}

#[test]
fn only_the_newest_of_the_revisions_that_wait_is_written_and_the_newest_of_all_is_read() {
    let lake = in_memory();
    let log = windows_log();
    let mut table = LakeTable::<Windows>::open(&lake, &config()).unwrap();
    drive(&mut table, &log.0, 3);
    let scan = LakeReader::new(&lake).scan("windows", &["revision"], Days::ALL).unwrap();
    let rows: usize = scan.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 4, "two flushes of two keys each");
    assert_eq!(LakeReader::new(&lake).latest_windows(None, Days::ALL).unwrap(), log.1);
}

#[test]
fn the_ledger_agrees_until_a_row_or_a_picodollar_is_missing() {
    let lake = in_memory();
    let log = charges_log(2, 4, 3);
    drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &log, 2);
    drive(&mut LakeTable::<Batches>::open(&lake, &config()).unwrap(), &log, 5);
    let ledger = LakeReader::new(&lake).ledger().unwrap();
    assert_eq!(ledger.rows() as usize, log.oracle.len());
    assert_eq!(ledger.disagreements(), []);

    let mut short = ledger.clone();
    let (source, stream) = short.streams.iter_mut().next().unwrap();
    stream.get_mut(&2).unwrap().rows -= 1;
    let source = source.clone();
    let found = short.disagreements();
    assert_eq!((found.len(), found[0].sequence, &found[0].source), (1, 2, &source));

    let mut off = ledger.clone();
    let sum = &mut off.streams.get_mut(&source).unwrap().get_mut(&1).unwrap().money[0].amount;
    sum.accrue(schemas::Money::from_picos(1).unwrap()).unwrap();
    assert_eq!(off.disagreements()[0].sequence, 1);

    let mut lost = ledger;
    lost.streams.get_mut(&source).unwrap().remove(&1);
    assert_eq!(lost.disagreements()[0].sequence, 2);
}

#[test]
fn batches_that_only_one_table_has_reached_are_no_disagreement() {
    let lake = in_memory();
    let log = charges_log(1, 4, 2);
    drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &log, 9);
    let ledger = LakeReader::new(&lake).ledger().unwrap();
    assert_eq!((ledger.rows(), ledger.disagreements()), (0, vec![]));
    let mut batches = LakeTable::<Batches>::open(&lake, &config()).unwrap();
    batches.assign(&[0]).unwrap();
    let (offset, payload) = &log.partitions[&0][0];
    batches.append(0, &[record(*offset, payload)], offset + 1).unwrap();
    batches.flush(NOW).unwrap();
    let ledger = LakeReader::new(&lake).ledger().unwrap();
    assert_eq!((ledger.rows(), ledger.disagreements()), (2, vec![]));
}

#[test]
fn spend_is_summed_by_any_dimension_net_of_corrections() {
    let lake = in_memory();
    let log = charges_log(2, 2, 5);
    drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &log, 9);
    let reader = LakeReader::new(&lake);
    let by_team = reader.spend_by(&["team"], Days::ALL).unwrap();
    assert!(by_team.len() > 1 && by_team.iter().any(|spend| spend.dimensions == [None]));
    let total: i128 = by_team.iter().map(|spend| spend.effective.picos()).sum();
    assert_eq!(total, log.oracle.iter().filter_map(|row| row.4).sum::<i128>());
    let days = reader.spend_by(&["event_date", "model"], Days::ALL).unwrap();
    assert_eq!(days.iter().map(|spend| spend.charges).sum::<i64>() as usize, log.oracle.len());
    assert!(reader.spend_by(&["lines"], Days::ALL).unwrap_err().to_string().contains("no text column"));
}

#[test]
fn a_table_of_an_earlier_release_gains_the_columns_it_lacks() {
    let lake = in_memory();
    let log = charges_log(1, 2, 2);
    sample::older_table(&lake);
    drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &log, 9);
    assert_eq!(rows_of(&lake), log.oracle);
}

/// The table of charges, asked about partition 0.
fn asked(lake: &Lake) -> LakeTable<Charges> {
    let mut table = LakeTable::open(lake, &config()).unwrap();
    table.assign(&[0]).unwrap();
    table
}

/// Appends a record of partition 0.
fn take(table: &mut LakeTable<Charges>, log: &Log, number: usize) {
    let (offset, payload) = &log.partitions[&0][number];
    table.append(0, &[record(*offset, payload)], offset + 1).unwrap();
}

#[test]
fn what_comes_while_a_flush_is_written_is_of_the_next_one() {
    let lake = in_memory();
    let log = charges_log(1, 2, 3);
    let registry = prometheus::Registry::new();
    lake.register_metrics(&registry).unwrap();
    let told = |bytes: usize| {
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let line = format!("spendstream_lake_buffered_bytes{{table=\"charges\"}} {bytes}\n");
        assert!(text.contains(&line), "{line}{text}");
    };
    let mut table = asked(&lake);
    assert!(table.begin_flush(NOW).unwrap().is_none(), "nothing has moved");
    take(&mut table, &log, 0);
    let write = table.begin_flush(NOW).unwrap().unwrap();
    let held = table.buffered_bytes();
    assert!(held > 0, "what is being written is held");
    told(held);
    take(&mut table, &log, 1);
    let both = table.buffered_bytes();
    assert!(both > held);
    told(both);
    std::thread::spawn(write).join().unwrap().unwrap();
    assert_eq!(table.buffered_bytes(), both - held);
    told(both - held);
    assert_eq!(rows_of(&lake), log.oracle[..3]);
    table.flush(NOW).unwrap();
    assert_eq!(table.buffered_bytes(), 0);
    told(0);
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn a_flush_that_fails_leaves_nothing_of_what_came_since() {
    let folder = tempfile::tempdir().unwrap();
    let log = charges_log(1, 2, 3);
    // Write 0 makes the table; from the first file on nothing can be written.
    let failing = self::folder(folder.path(), Some(Fault::refuse_from(1)));
    let mut table = asked(&failing);
    take(&mut table, &log, 0);
    let write = table.begin_flush(NOW).unwrap().unwrap();
    take(&mut table, &log, 1);
    assert!(std::thread::spawn(write).join().unwrap().is_err());
    // Were the second flushed now, the first would be missing before it.
    table.flush(NOW).unwrap_err();
    assert_eq!(table.assign(&[0]).unwrap(), [(0, None)]);
    let lake = self::folder(folder.path(), None);
    assert_eq!(rows_of(&lake), []);
    drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &log, 9);
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn a_flush_of_what_follows_a_failed_one_is_refused_by_the_table() {
    let lake = in_memory();
    let log = charges_log(1, 2, 3);
    let mut table = asked(&lake);
    take(&mut table, &log, 0);
    drop(table.begin_flush(NOW).unwrap());
    take(&mut table, &log, 1);
    let error = format!("{:#}", table.flush(NOW).unwrap_err());
    assert!(error.contains("another writer has moved the table charges"), "{error}");
    assert_eq!((rows_of(&lake), table.buffered_bytes()), (Vec::new(), 0));
}

#[test]
fn a_table_of_something_else_is_refused_with_the_column_named() {
    let lake = in_memory();
    sample::foreign_table(&lake);
    let error = LakeTable::<Charges>::open(&lake, &config()).unwrap_err().to_string();
    assert!(error.contains("column revision of the table charges is Utf8"), "{error}");
}

#[test]
fn a_store_that_overwrites_is_refused_and_an_unwritable_one_named() {
    let careless = Faulty::new(Arc::new(InMemory::new()), Fault::overwrites());
    let lake = Lake::with_store(Arc::new(careless), Url::parse("memory:///lake/").unwrap()).unwrap();
    assert!(lake.probe().unwrap_err().to_string().contains("overwrites files that must be written once"));
    assert!(in_memory().probe().is_ok());
    let error = Lake::open(&LakeConfig::at("/proc/nowhere/lake")).unwrap_err().to_string();
    assert!(error.contains("/proc/nowhere/lake"), "{error}");
    let one_slash = Lake::open(&LakeConfig::at("s3:/bucket/lake")).unwrap_err().to_string();
    assert!(one_slash.contains("write s3://bucket/lake"), "{one_slash}");
    assert!(Lake::open(&LakeConfig::at("ftp://lake")).unwrap_err().to_string().contains("neither a folder nor s3"));
}

#[test]
fn metrics_count_what_was_committed_and_what_was_not() {
    let store = Arc::new(Faulty::new(Arc::new(InMemory::new()), Fault::lose_answer(4)));
    let lake = Lake::with_store(store, Url::parse("memory:///lake/").unwrap()).unwrap();
    let registry = prometheus::Registry::new();
    lake.register_metrics(&registry).unwrap();
    let log = charges_log(1, 2, 3);
    let mut first = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    let mut second = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    second.assign(&[0]).unwrap();
    let (offset, payload) = &log.partitions[&0][0];
    second.append(0, &[record(*offset, payload)], offset + 1).unwrap();
    // Write 0 made the table, 1 to 3 are the files of three days, 4 is the commit whose answer is lost.
    drive(&mut first, &log, 2);
    second.flush(NOW).unwrap_err();
    assert_eq!(lake.metrics().table("charges").counted(), [6, 3, 1, 1, 1]);
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains("spendstream_lake_flush_seconds_count{table=\"charges\"} 1"), "{text}");
    assert!(text.contains("spendstream_lake_buffered_bytes{table=\"charges\"} 0"), "{text}");
}

#[test]
fn checkpoints_are_written_and_positions_survive_them() {
    let lake = in_memory();
    // Partition 0 moves in the first sixty commits only, so that its position is in the second checkpoint alone.
    let log = charges_log(2, 60, 1);
    drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &log, 1);
    let last = log.partitions[&0].last().unwrap().0 + 1;
    let mut again = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    assert_eq!(again.assign(&[0, 1]).unwrap(), [(0, Some(last)), (1, Some(last))]);
    assert_eq!(rows_of(&lake).len(), 120);
    let store = lake.table("charges").unwrap().log_store().object_store(None);
    let names: Vec<_> = lake.wait(store.list(None).map(|file| file.unwrap().location.to_string()).collect());
    assert!(names.iter().any(|name| name.ends_with(".checkpoint.parquet")), "{names:?}");
}

#[test]
fn a_lake_without_tables_is_empty() {
    let reader = LakeReader::new(&in_memory());
    assert_eq!(reader.latest_budgets().unwrap(), []);
    assert_eq!(reader.alerts(Days::ALL).unwrap(), []);
    assert_eq!(reader.rejected(Days::ALL, 10).unwrap(), []);
    assert!(reader.spend_by(&["team"], Days::ALL).unwrap().is_empty());
    assert!(reader.ledger().unwrap().streams.is_empty());
    assert!(reader.counts(Days::ALL).unwrap().rows.values().all(|rows| *rows == 0));
}

#[test]
fn every_table_opens_and_its_topic_is_known() {
    let lake = in_memory();
    let catalogue = schemas::topics::catalogue(&["usage.raw"]);
    for table in crate::open_tables(&lake, &config()).unwrap() {
        assert!(catalogue.iter().any(|topic| topic.name == table.input()), "{}", table.input());
    }
    assert_eq!(Timestamp::from_micros(0).days(), 0);
    assert_eq!(<Charges as Rows>::TABLE, "charges");
}

#[test]
fn waiting_within_a_task_outlasts_what_the_task_may_do_before_it_yields() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let lake = in_memory();
    let waits = async move {
        // Far more than the runtime lets a task have ready at one poll.
        (0..1_000).map(|_| lake.wait(async { tokio::task::spawn_blocking(|| 1).await.unwrap() })).sum::<i32>()
    };
    assert_eq!(runtime.block_on(runtime.spawn(waits)).unwrap(), 1_000);
}

#[test]
fn a_table_put_back_to_an_earlier_state_is_read_anew_and_one_that_is_gone_is_made_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let lake = self::folder(folder.path(), None);
    let log = charges_log(2, 6, 2);
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    assert_eq!(drive(&mut table, &log, 1), 0);
    assert_eq!(rows_of(&lake), log.oracle);

    let entries = std::fs::read_dir(folder.path().join("charges/_delta_log")).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.retain(|entry| entry.extension().is_some_and(|ending| ending == "json"));
    entries.sort();
    for entry in &entries[entries.len() - 2..] {
        std::fs::remove_file(entry).unwrap();
    }
    assert!(rows_of(&lake).len() < log.oracle.len());
    assert!(table.assign(&[0, 1]).is_err(), "what it knew is not there any more");
    assert_eq!(drive(&mut table, &log, 1), 0);
    assert_eq!(rows_of(&lake), log.oracle);

    std::fs::remove_dir_all(folder.path().join("charges")).unwrap();
    assert!(table.assign(&[0, 1]).is_err());
    let gone = format!("{:#}", table.assign(&[0, 1]).unwrap_err());
    assert!(gone.contains("the table charges is gone from the lake"), "{gone}");
    let mut table = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    assert_eq!(drive(&mut table, &log, 1), 0);
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn a_server_without_tls_is_refused_with_the_flag_that_allows_it() {
    let plain =
        LakeConfig { lake_endpoint: Some("http://localhost:9000".to_owned()), ..LakeConfig::at("s3://bucket/lake") };
    let refused = format!("{:#}", Lake::open_read_only(&plain).unwrap_err());
    assert!(refused.contains("--lake-allow-http (AWS_ALLOW_HTTP=true)"), "{refused}");
    assert!(Lake::open_read_only(&LakeConfig { lake_allow_http: true, ..plain }).is_ok());
}
