//! What stops a partition, what it says, and what lets it go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::codec::Format;
use schemas::{LedgerEntry, topics};
use spendstream_tests::conformance::{self, Sent, appear, balance, send, settled};
use spendstream_tests::proxy::{Fault, LIST_OFFSETS};
use stream::books::BOOKS_KEY;
use stream::kafka::{Change, KafkaLog, repartition};
use stream::log::ledger;
use stream::{Log, OutRecord};

use crate::tables::{open_shelf, rows};
use crate::{PATIENCE, Run, kafka};

/// A process does so many deposits, and stops when all of them are there.
fn worked_and_stopped(run: &Run, deposits: usize) -> Sent {
    let mut sent = Sent::default();
    let probe = run.start("a", &[]);
    run.settle(&mut sent, deposits);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    sent
}

#[test]
fn an_undecodable_batch_stops_its_partition_alone_until_it_is_skipped() {
    let run = Run::new("garbled", 2);
    let [_, middle, output] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    let mut probe = run.start("a", &[]);
    run.settle(&mut sent, 100);
    run.log.append(vec![record(&middle, b"", b"not a batch")]).unwrap();
    probe.wait_for("cannot be decoded", PATIENCE);
    let before = run.log.range(&output, 1).unwrap().end;
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("the other partition goes on", || run.log.range(&output, 1).unwrap().end > before);
    assert!(appear(&*run.log, run.prefix) < sent.0.len());
    let log = probe.log();
    let offset = log.split("record at offset ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    conformance::order_skip(&*run.log, "sum", &middle, 0, offset.parse().unwrap());
    settled(&*run.log, run.prefix, &sent);
}

#[test]
fn a_changelog_that_disagrees_with_the_offset_stops_the_partition() {
    let run = Run::new("forged", 1);
    let [_, middle, _] = conformance::names(run.prefix);
    worked_and_stopped(&run, 50);
    let format = Format::<LedgerEntry>::new();
    let mut entry = ledger(&*run.log).unwrap().into_iter().find(|e| e.stage == "sum" && *e.topic == *middle).unwrap();
    entry.transaction += 1;
    let changelog = topics::changelog("sum", &middle);
    run.log.append(vec![record(&changelog, BOOKS_KEY, &format.encode(&entry))]).unwrap();
    let mut probe = run.start("a", &["--stages", "sum"]);
    probe.wait_for(&format!("changelog says transaction {}", entry.transaction), PATIENCE);
    assert!(probe.log().contains(&format!("group offset says transaction {}", entry.transaction - 1)));
}

#[test]
fn a_change_of_the_number_of_partitions_that_fails_or_is_killed_leaves_nothing_open_that_stops_anybody() {
    let run = Run::new("halfway", 1);
    let [_, middle, output] = conformance::names(run.prefix);
    let changelog = topics::changelog("sum", &middle);
    let change = |patience| Change {
        connection: kafka().connection(),
        environment: run.prefix.to_owned(),
        stages: vec![Arc::new(conformance::Split::new(run.prefix)), Arc::new(conformance::Sum::new(run.prefix))],
        topics: vec![middle.clone(), output.clone()],
        partitions: 2,
        patience,
    };
    let mut sent = worked_and_stopped(&run, 50);
    let forge = |transactions: i64| {
        let mut entry = run.books("sum", 0);
        entry.transaction += transactions;
        let payload = Format::<LedgerEntry>::new().encode(&entry);
        run.log.append(vec![record(&changelog, BOOKS_KEY, &payload)]).unwrap();
    };
    // The state of split has been moved by the time that of sum is looked at.
    forge(1);
    let refused = repartition(&change(PATIENCE), &mut |_: &str| {}).unwrap_err();
    assert!(format!("{refused:#}").contains("changelog says"), "{refused:#}");
    forge(0);
    let probe = run.start("a", &[]);
    run.settle(&mut sent, 50);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");

    // What one that was killed leaves.
    let mut killed = ClientConfig::new();
    killed.set("bootstrap.servers", kafka().brokers()).set("transaction.timeout.ms", "600000");
    killed.set("transactional.id", format!("{}.repartition", run.prefix));
    let killed: BaseProducer = killed.create().unwrap();
    killed.init_transactions(PATIENCE).unwrap();
    killed.begin_transaction().unwrap();
    let open = BaseRecord::<[u8], [u8]>::to(&changelog).partition(0).key(&b"open"[..]).payload(&b"open"[..]);
    killed.send(open).map_err(|(error, _)| error).unwrap();
    killed.flush(PATIENCE).unwrap();
    let probe = run.start("a", &[]);
    send(&*run.log, run.prefix, &mut sent, 50);
    run.until("stages that agree work on", || appear(&*run.log, run.prefix) == sent.0.len());
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    let mut probe = run.start("a", &[]);
    probe.wait_for("An interrupted `spendstream topics repartition` looks like this", PATIENCE);
    // Whatever becomes of the next one, it ends that first.
    let refused = repartition(&change(Duration::ZERO), &mut |_: &str| {}).unwrap_err().to_string();
    assert!(refused.contains("stop the services that run split"), "{refused}");
    send(&*run.log, run.prefix, &mut sent, 50);
    run.until("the partition goes on by itself", || appear(&*run.log, run.prefix) == sent.0.len());
    settled(&*run.log, run.prefix, &sent);
}

#[test]
fn a_group_that_lost_its_offsets_goes_on_where_the_changelog_says() {
    let run = Run::new("offsetless", 2);
    let mut sent = worked_and_stopped(&run, 100);
    assert!(kafka().delete_groups(run.prefix) >= 2, "each stage has a group");
    send(&*run.log, run.prefix, &mut sent, 100);
    let mut probe = run.start("a", &[]);
    probe.wait_for("the changelog says where to go on", PATIENCE);
    settled(&*run.log, run.prefix, &sent);
    balance(&*run.log, run.prefix);
    assert_eq!(appear(&*run.log, run.prefix), sent.0.len(), "each once");
}

#[test]
fn an_offset_set_by_hand_to_where_the_changelog_is_stops_nobody() {
    let run = Run::new("by-hand", 1);
    let [input, ..] = conformance::names(run.prefix);
    let mut sent = worked_and_stopped(&run, 100);
    let books = run.books("split", 0);
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", kafka().brokers()).set("group.id", format!("{}.split.{input}", run.prefix));
    let tool: BaseConsumer = client.create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&input, 0, Offset::Offset(books.next_offset)).unwrap();
    run.until("the group has no members", || tool.commit(&offsets, CommitMode::Sync).is_ok());
    send(&*run.log, run.prefix, &mut sent, 100);
    let _probe = run.start("a", &[]);
    settled(&*run.log, run.prefix, &sent);
    assert_eq!(appear(&*run.log, run.prefix), sent.0.len(), "each once");
}

#[test]
fn a_topic_that_was_created_again_is_not_taken_for_the_old_one() {
    let run = Run::new("anew", 1);
    let [input, ..] = conformance::names(run.prefix);
    worked_and_stopped(&run, 50);
    kafka().delete(&[&input]);
    kafka().create(&conformance::topics(run.prefix), 1);
    // More than there were, so that the old position is inside.
    let log = KafkaLog::connect(&kafka().connection(), "tests").unwrap();
    send(&log, run.prefix, &mut Sent::default(), 200);
    let mut probe = run.start("a", &[]);
    probe.wait_for("was deleted and created again", PATIENCE);
    assert_eq!(appear(&log, run.prefix), 50, "nothing of the new topic");
}

#[test]
fn a_topic_that_is_created_again_beneath_a_running_process_stops_its_stages_and_tables() {
    let run = Run::new("anew-beneath", 1);
    let [input, ..] = conformance::names(run.prefix);
    let folder = open_shelf();
    let mut sent = Sent::default();
    let session = ["--session-timeout", "60s"];
    let mut stages = run.start("a", &session);
    let mut table = run.start("b", &[&["--shelf", folder.path().to_str().unwrap()][..], &session].concat());
    run.settle(&mut sent, 50);
    run.until("every row is there", || rows(folder.path()).len() == 50);
    // They stand still, so that they do not see the topic missing.
    [&stages, &table].iter().for_each(|probe| probe.signal(libc::SIGSTOP));
    let stopped = Instant::now();
    kafka().delete(&[&input]);
    kafka().create(&conformance::topics(run.prefix), 1);
    // More than there were, so that the old position is inside.
    let log = KafkaLog::connect(&kafka().connection(), "tests").unwrap();
    send(&log, run.prefix, &mut Sent::default(), 200);
    // So long a stage goes by what it was told.
    std::thread::sleep(Duration::from_secs(6).saturating_sub(stopped.elapsed()));
    [&stages, &table].iter().for_each(|probe| probe.signal(libc::SIGCONT));
    stages.wait_for("was deleted and created again", PATIENCE);
    table.wait_for("partition stopped: its rows are of the topic", PATIENCE);
    assert!(!stages.ended() && !table.ended(), "{}{}", stages.log(), table.log());
    assert_eq!(appear(&log, run.prefix), 50, "nothing of the new topic");
    assert_eq!(rows(folder.path()).len(), 50, "nothing of the new topic");
}

#[test]
fn a_table_of_a_topic_that_was_created_again_stops_until_it_is_told_to_begin_the_new_one() {
    let run = Run::new("remade", 1);
    let [input, ..] = conformance::names(run.prefix);
    let folder = open_shelf();
    let shelf = ["--shelf", folder.path().to_str().unwrap()];
    let mut sent = Sent::default();
    send(&*run.log, run.prefix, &mut sent, 50);
    let probe = run.start("a", &shelf);
    run.until("every row is there", || rows(folder.path()).len() == 50);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    kafka().delete(&[&input]);
    kafka().create(&conformance::topics(run.prefix), 1);
    // More than there were, so that the old position is inside.
    let log = KafkaLog::connect(&kafka().connection(), "tests").unwrap();
    send(&log, run.prefix, &mut Sent::default(), 200);
    let mut probe = run.start("a", &shelf);
    probe.wait_for("partition stopped: its rows are of the topic", PATIENCE);
    let said = probe.log();
    let number = said.split("--sequence ").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let number: i64 = number.unwrap().parse().unwrap();
    let order = |number| conformance::order_skip_to(&log, "shelf", &input, 0, (&input, 0), number);
    let stops = || probe.log().matches("partition stopped").count();
    let before = stops();
    order(number + 1);
    run.until("it is asked again", || stops() > before);
    assert_eq!(rows(folder.path()).len(), 50, "nothing of the new topic");
    order(number);
    run.until("every row of the new one is there", || rows(folder.path()).len() == 200);
    // From then on that is its topic.
    let (well, said) = probe.stop(PATIENCE);
    assert!(well, "{said}");
    send(&log, run.prefix, &mut Sent::default(), 10);
    let _probe = run.start("a", &shelf);
    run.until("it goes on", || rows(folder.path()).len() == 210);
}

/// Deletes what a changelog begins with, as somebody may do who gives it another cleanup policy: where it begins then.
fn behead(changelog: &str, before: i64) {
    kafka().configure(changelog, "cleanup.policy", "compact,delete");
    kafka().delete_records(changelog, 0, before);
    kafka().configure(changelog, "cleanup.policy", "compact");
}

#[test]
fn a_compacted_changelog_that_lost_its_beginning_stops_its_partition_until_what_is_left_is_to_do() {
    let run = Run::new("beheaded", 1);
    let [_, middle, _] = conformance::names(run.prefix);
    let changelog = topics::changelog("sum", &middle);
    let mut sent = worked_and_stopped(&run, 100);
    behead(&changelog, 1);
    let mut probe = run.start("a", &["--stages", "sum"]);
    probe.wait_for(&format!("{changelog}/0 begins at offset 1: all before offset 1 was deleted"), PATIENCE);
    let order = format!(
        "spendstream skip --stage sum --topic {middle} --partition 0 --source {changelog}/0 --sequence 1 --reason WHY"
    );
    assert!(probe.log().contains(&order), "{}", probe.log());
    let order = |sequence| conformance::order_skip_to(&*run.log, "sum", &middle, 0, (&changelog, 0), sequence);
    order(9);
    let split = run.start("b", &["--stages", "split"]);
    let (before, read) = (appear(&*run.log, run.prefix), run.books("split", 0).next_offset);
    send(&*run.log, run.prefix, &mut sent, 10);
    run.until("split has sent them", || run.books("split", 0).next_offset > read);
    assert_eq!(appear(&*run.log, run.prefix), before, "sum stands");
    let goes_on = "goes on with what is left of its changelog, by order of an operator";
    assert!(!probe.log().contains(goes_on), "{}", probe.log());
    order(1);
    probe.wait_for(goes_on, PATIENCE);
    run.until("sum goes on", || appear(&*run.log, run.prefix) > before);
    for process in [probe, split] {
        let (well, log) = process.stop(PATIENCE);
        assert!(well, "{log}");
    }
    // The order holds for what was lost then, not for what is lost later.
    let mut probe = run.start("a", &["--stages", "sum"]);
    probe.wait_for("state restored", PATIENCE);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    behead(&changelog, 2);
    let mut probe = run.start("a", &["--stages", "sum"]);
    probe.wait_for("begins at offset 2", PATIENCE);
}

#[test]
fn a_changelog_of_another_installation_is_not_taken_over() {
    let run = Run::new("rivals", 1);
    let mut sent = worked_and_stopped(&run, 50);
    let mut rival = run.start_in("forgotten", "b", &[]);
    rival.wait_for("start with --environment rivals", PATIENCE);
    send(&*run.log, run.prefix, &mut sent, 50);
    let _probe = run.start("a", &[]);
    settled(&*run.log, run.prefix, &sent);
    assert_eq!(appear(&*run.log, run.prefix), sent.0.len(), "each once");
}

fn record(topic: &str, key: &[u8], payload: &[u8]) -> OutRecord {
    OutRecord {
        topic: Arc::from(topic),
        partition: 0,
        key: Some(Bytes::copy_from_slice(key)),
        payload: Some(Bytes::copy_from_slice(payload)),
        headers: Vec::new(),
        timestamp: None,
    }
}

/// A named count of some books.
fn count(books: &LedgerEntry, name: &str) -> i64 {
    books.counts.iter().find(|count| count.name == name).map_or(0, |count| count.count)
}

#[test]
fn batches_deleted_beneath_a_stopped_stage_stop_its_partition_until_they_are_skipped() {
    let run = Run::new("gap", 2);
    let [input, middle, _] = conformance::names(run.prefix);
    let mut sent = worked_and_stopped(&run, 100);
    // Batch after batch while nobody reads them; then those of the first half are gone.
    let split = run.start("a", &["--stages", "split"]);
    for _ in 0..10 {
        let before = run.log.range(&middle, 0).unwrap().end;
        send(&*run.log, run.prefix, &mut sent, 40);
        run.until("they are in batches", || run.log.range(&middle, 0).unwrap().end > before);
    }
    run.until("split is through", || (0..2).map(|at| count(&run.books("split", at), "deposits")).sum::<i64>() == 500);
    let (well, log) = split.stop(PATIENCE);
    assert!(well, "{log}");
    let (from, to) = (run.books("sum", 0).next_offset, run.log.range(&middle, 0).unwrap().end);
    kafka().delete_records(&middle, 0, (from + to) / 2);
    let sum = run.start("a", &["--stages", "sum"]);
    // One order for each source it misses batches of, as its message says; it names one after the other.
    let mut ordered = BTreeSet::new();
    run.until("it goes on to the end", || {
        let log = sum.log();
        for line in log.lines().filter(|line| line.contains("are missing before offset")) {
            let (_, rest) = line.split_once(&format!("--source {input}/")).unwrap();
            let (source, rest) = rest.split_once(" --sequence ").unwrap();
            let sequence: i64 = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
            if ordered.insert((source.to_owned(), sequence)) {
                // Everybody else goes on meanwhile.
                run.until("the other partition is read", || {
                    run.books("sum", 1).next_offset >= run.log.range(&middle, 1).unwrap().end - 1
                });
                conformance::order_skip_to(&*run.log, "sum", &middle, 0, (&input, source.parse().unwrap()), sequence);
            }
        }
        run.books("sum", 0).next_offset >= to - 1
    });
    assert!(!ordered.is_empty(), "nothing was missed: {}", sum.log());
    balance(&*run.log, run.prefix);
    let books = run.books("sum", 0);
    let missed = count(&books, "skipped_items");
    assert!(missed > 0 && books.received.iter().any(|source| source.skipped > 0), "{books:?}");
    assert_eq!(appear(&*run.log, run.prefix) as i64 + missed, sent.0.len() as i64);
}

#[test]
fn raw_records_deleted_beneath_a_stopped_stage_stop_its_partition_until_they_are_skipped() {
    let run = Run::new("expired", 2);
    let [input, ..] = conformance::names(run.prefix);
    let mut sent = worked_and_stopped(&run, 100);
    send(&*run.log, run.prefix, &mut sent, 40);
    let (from, to) = (run.books("split", 0).next_offset, run.log.range(&input, 0).unwrap().end);
    kafka().delete_records(&input, 0, to);
    send(&*run.log, run.prefix, &mut sent, 40);
    let mut probe = run.start("a", &[]);
    probe.wait_for(&format!("records {from}..{to} expired or were deleted"), PATIENCE);
    assert!(probe.log().contains(&format!("spendstream skip --offset {from}")), "{}", probe.log());
    run.until("the other partition goes on", || appear(&*run.log, run.prefix) == 140);
    conformance::order_skip(&*run.log, "split", &input, 0, from);
    run.until("this one goes on", || appear(&*run.log, run.prefix) == 160);
    assert_eq!(count(&run.books("split", 0), "expired_offsets"), to - from, "the ledger shows it");
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("all goes on", || appear(&*run.log, run.prefix) == 260);
    balance(&*run.log, run.prefix);
}

#[test]
fn no_transaction_begins_while_reference_data_is_older_than_ten_seconds() {
    let run = Run::new("stale", 1);
    let mut sent = Sent::default();
    let _split = run.start("a", &["--stages", "split"]);
    let mut sum = run.start("b", &["--stages", "sum", "--brokers", &kafka().proxied()]);
    run.settle(&mut sent, 100);
    // It cannot ask any more where a topic ends that it reads whole; everything else is answered.
    let cut = kafka().proxy().cut(LIST_OFFSETS, topics::SKIPS, Fault::HoldRequest);
    sum.wait_for("reference data is older than 10 s", PATIENCE);
    send(&*run.log, run.prefix, &mut sent, 100);
    let transaction = |stage| run.books(stage, 0).transaction;
    let (before, stood) = (transaction("split"), transaction("sum"));
    // Every stage commits its books once a second.
    run.until("another stage goes on", || transaction("split") > before + 3);
    assert_eq!(transaction("sum"), stood);
    assert_eq!(appear(&*run.log, run.prefix), 100);
    sum.wait_for("asking with another client", PATIENCE);
    drop(cut);
    sum.wait_for("reference data is up to date again", PATIENCE);
    settled(&*run.log, run.prefix, &sent);
}
