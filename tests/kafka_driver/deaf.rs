//! Clients that are told less than others: they are replaced, and only they.

use std::time::{Duration, Instant};

use spendstream_tests::conformance::{self, Sent, balance, send, settled};
use spendstream_tests::process::Process;
use spendstream_tests::proxy::{Cut, Fault, LIST_OFFSETS};

use crate::tables::{open_shelf, rows};
use crate::{PATIENCE, Run, kafka};

/// What a lane or table says when it leaves a client behind.
const REPLACED: &str = "joining anew with a new one";

#[test]
fn a_stage_whose_clients_are_told_that_its_topics_are_not_there_comes_out_of_it_with_other_clients() {
    let run = Run::new("deaf", 2);
    let [input, ..] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    let probe = run.start("a", &[]);
    run.settle(&mut sent, 100);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");

    // A connection that breaks, as on a busy machine they may, brings a client to its senses before it is replaced.
    let mut attempts = std::iter::repeat_with(|| deafened(&run, &input, &mut sent)).take(5);
    let (_cut, probe) = attempts.find_map(|replaced| replaced).expect("a deaf client is replaced");
    let sum = run.start("b", &["--stages", "sum"]);
    settled(&*run.log, run.prefix, &sent);

    // One that stands at the end and only heartbeats notices as well.
    let replaced = || probe.log().matches(REPLACED).count();
    let before = replaced();
    let idle = kafka().proxy().cut(LIST_OFFSETS, &input, Fault::AskForAnother);
    idle.spare_new_connections();
    run.until("the client of an idle lane is replaced", || replaced() > before);
    run.settle(&mut sent, 100);
    for process in [probe, sum] {
        let (well, log) = process.stop(PATIENCE);
        assert!(well, "{log}");
    }
    balance(&*run.log, run.prefix);
}

/// A stage whose clients were told that their topics are not there, and that reads again; none if no client had to be replaced for it.
fn deafened(run: &Run, input: &str, sent: &mut Sent) -> Option<(Cut, Process)> {
    // Neither the input nor the changelog, whose name holds the input's.
    let cut = kafka().proxy().cut(LIST_OFFSETS, input, Fault::AskForAnother);
    let mut probe = run.start("a", &["--stages", "split", "--brokers", &kafka().proxied()]);
    run.until("a client has asked", || cut.struck());
    send(&*run.log, run.prefix, sent, 100);
    // Every client has its connections by then, on a busy machine as well; those that ask again and again make new ones all the time.
    std::thread::sleep(Duration::from_secs(10));
    assert!(!probe.log().contains("state restored"), "{}", probe.log());
    cut.spare_new_connections();
    probe.wait_for("state restored", PATIENCE);
    let (said, deadline) = (format!("the client of split is not told where {input}/"), Instant::now() + PATIENCE / 2);
    while Instant::now() < deadline {
        if probe.log().contains(&said) {
            return Some((cut, probe));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    None
}

#[test]
fn a_table_waits_with_its_client_while_nobody_is_answered_and_replaces_it_when_others_are() {
    let run = Run::new("unheard", 1);
    let [input, ..] = conformance::names(run.prefix);
    let folder = open_shelf();
    let mut sent = Sent::default();
    send(&*run.log, run.prefix, &mut sent, 100);
    let cut = kafka().proxy().cut(LIST_OFFSETS, &input, Fault::AskForAnother);
    let shelf = folder.path().to_str().unwrap();
    let mut probe = run.start("a", &["--shelf", shelf, "--brokers", &kafka().proxied()]);
    probe.wait_for("another client is told as little", PATIENCE);
    assert!(!probe.log().contains(REPLACED), "{}", probe.log());
    cut.spare_new_connections();
    probe.wait_for(REPLACED, PATIENCE);
    run.until("every row is there", || rows(folder.path()).len() >= sent.0.len());
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    assert_eq!((rows(folder.path()).len(), log.matches(REPLACED).count()), (sent.0.len(), 1));
}
