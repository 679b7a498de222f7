//! Killed, stopped and cut off, at every step of a transaction.

use std::time::Duration;

use spendstream_tests::conformance::{self, Sent, appear, balance, send, settled};
use spendstream_tests::proxy::{
    ADD_OFFSETS_TO_TXN, ADD_PARTITIONS_TO_TXN, END_TXN, Fault, INIT_PRODUCER_ID, PRODUCE, TXN_OFFSET_COMMIT,
};
use stream::log::ledger;

use crate::{PATIENCE, Run, kafka};

#[test]
fn killed_at_any_moment_it_loses_nothing_and_repeats_nothing() {
    let run = Run::new("killed", 2);
    let mut sent = Sent::default();
    // Each kill comes at another point of a transaction: after so many deposits more have come out.
    for further in [1, 40, 170] {
        let probe = run.start("a", &[]);
        let target = appear(&*run.log, run.prefix) + further;
        send(&*run.log, run.prefix, &mut sent, 200);
        run.until("deposits come out", || appear(&*run.log, run.prefix) >= target);
        probe.kill();
        // Nobody is at work: what is visible must already be consistent.
        balance(&*run.log, run.prefix);
    }
    let _probe = run.start("a", &[]);
    settled(&*run.log, run.prefix, &sent);
}

/// Name of the lane of `sum` in an instance: its transactional id.
fn lane(run: &Run, instance: &str) -> String {
    let [_, middle, _] = conformance::names(run.prefix);
    format!("{}.sum.{middle}.{instance}.0", run.prefix)
}

#[test]
fn killed_at_every_step_of_a_transaction_it_is_there_whole_or_not_at_all() {
    let run = Run::new("steps", 2);
    let [_, middle, output] = conformance::names(run.prefix);
    let changelog = schemas::topics::changelog("sum", &middle);
    let mut sent = Sent::default();
    let _split = run.start("split", &["--stages", "split"]);
    let steps = [
        (INIT_PRODUCER_ID, Fault::HoldRequest),
        (ADD_PARTITIONS_TO_TXN, Fault::HoldRequest),
        (PRODUCE, Fault::HoldRequest),
        (PRODUCE, Fault::LoseResponse),
        (ADD_OFFSETS_TO_TXN, Fault::HoldRequest),
        (TXN_OFFSET_COMMIT, Fault::HoldRequest),
        (TXN_OFFSET_COMMIT, Fault::LoseResponse),
        (END_TXN, Fault::HoldRequest),
        (END_TXN, Fault::LoseResponse),
    ];
    for (step, fault) in steps {
        let cut = |run: &Run| kafka().proxy().cut(step, &lane(run, "a"), fault);
        let early = (step == INIT_PRODUCER_ID).then(|| cut(&run));
        let mut victim = run.start("a", &["--stages", "sum", "--brokers", &kafka().proxied()]);
        let cut = early.unwrap_or_else(|| {
            victim.wait_for("state restored", PATIENCE);
            cut(&run)
        });
        send(&*run.log, run.prefix, &mut sent, 100);
        run.until("the request is caught", || cut.struck());
        victim.kill();
        // Not through the proxy, so that only what its predecessor sent is held back.
        let successor = run.start("a", &["--stages", "sum"]);
        settled(&*run.log, run.prefix, &sent);
        // What was held back arrives while the successor is at work under the same name.
        drop(cut);
        run.settle(&mut sent, 100);
        successor.kill();
    }
    // All that was read above was read while this stood in the same partitions. On a busy machine a cut may only ever have struck
    // heartbeats, which leave nothing but books.
    let aborted = kafka().aborted(&output) + kafka().aborted(&changelog);
    assert!(aborted > 0, "kills that left nothing behind prove nothing");
}

/// Stops an instance inside a transaction, at a request of `sum`, until another instance has taken over. What it had
/// sent last arrives then, and only then it goes on.
fn paused(prefix: &'static str, step: i16, fault: Fault) {
    let run = Run::new(prefix, 1);
    let mut sent = Sent::default();
    let mut a = run.start("a", &["--brokers", &kafka().proxied()]);
    run.settle(&mut sent, 100);
    let cut = kafka().proxy().cut(step, &lane(&run, "a"), fault);
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("it is inside a transaction", || cut.struck());
    a.signal(libc::SIGSTOP);
    let _b = run.start("b", &[]);
    settled(&*run.log, run.prefix, &sent);
    drop(cut);
    run.settle(&mut sent, 100);
    a.signal(libc::SIGCONT);
    a.wait_for("transaction failed", PATIENCE);
    run.settle(&mut sent, 100);
}

#[test]
fn a_process_paused_before_its_offsets_are_sent_cannot_commit_after_another_took_over() {
    paused("paused-before", ADD_OFFSETS_TO_TXN, Fault::HoldRequest);
}

#[test]
fn a_process_paused_between_its_offsets_and_its_commit_cannot_commit_after_another_took_over() {
    paused("paused-between", TXN_OFFSET_COMMIT, Fault::LoseResponse);
}

#[test]
fn a_commit_that_lands_after_a_take_over_changes_nothing() {
    paused("landed-late", END_TXN, Fault::HoldRequest);
}

/// Cuts `sum` off from the outcome of a transaction, and looks what it makes of it.
fn unanswered(prefix: &'static str, fault: Fault, outcome: &str) {
    let run = Run::new(prefix, 1);
    let mut sent = Sent::default();
    let mut probe = run.start("a", &["--stages", "sum", "--brokers", &kafka().proxied()]);
    let _split = run.start("b", &["--stages", "split"]);
    run.settle(&mut sent, 100);
    let cut = kafka().proxy().cut(END_TXN, &lane(&run, "a"), fault);
    send(&*run.log, run.prefix, &mut sent, 100);
    probe.wait_for("fate=Unknown", PATIENCE);
    probe.wait_for(outcome, PATIENCE);
    drop(cut);
    run.settle(&mut sent, 100);
}

#[test]
fn a_commit_whose_answer_is_lost_counts_once() {
    unanswered("unanswered", Fault::LoseResponse, "outcome=Promote");
}

#[test]
fn a_commit_that_arrives_when_it_was_given_up_counts_once() {
    unanswered("given-up", Fault::HoldRequest, "outcome=Undo");
}

#[test]
fn offsets_that_are_never_answered_for_are_given_up_with_their_transaction() {
    let run = Run::new("offsets", 1);
    let mut sent = Sent::default();
    let mut probe = run.start("a", &["--stages", "sum", "--brokers", &kafka().proxied()]);
    let _split = run.start("b", &["--stages", "split"]);
    run.settle(&mut sent, 100);
    let cut = kafka().proxy().cut(TXN_OFFSET_COMMIT, &lane(&run, "a"), Fault::HoldRequest);
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("the request is caught", || cut.struck());
    // The client itself waits for its answer for a minute, and after some answers for ever. Where the records come after the
    // offsets on their way to the broker, they wait as well, and their step is named.
    probe.wait_for("outcome=Undo", Duration::from_secs(30));
    drop(cut);
    run.settle(&mut sent, 100);
}

#[test]
fn while_a_large_transaction_is_on_its_way_the_client_waits_and_takes_no_processor() {
    let run = Run::new("waiting", 1);
    let [input, _, output] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    // Several requests of the most records that one may hold.
    send(&*run.log, run.prefix, &mut sent, 40_000);
    let split = run.start("b", &["--stages", "split"]);
    run.until("all is split", || {
        let entries = ledger(&*run.log).unwrap();
        entries.iter().any(|entry| entry.stage == "split" && entry.topic == *input && entry.next_offset >= 40_000)
    });
    let cut = kafka().proxy().cut(PRODUCE, &output, Fault::HoldRequest);
    let probe = run.start("a", &["--stages", "sum", "--brokers", &kafka().proxied()]);
    run.until("the request is caught", || cut.struck());
    let (before, wait) = (probe.cpu(), Duration::from_secs(2));
    std::thread::sleep(wait);
    let taken = probe.cpu() - before;
    assert!(taken < wait / 5, "{taken:?} of {wait:?}");
    drop(cut);
    settled(&*run.log, run.prefix, &sent);
    split.kill();
}

#[test]
fn a_name_that_is_started_twice_ends_the_older_process() {
    let run = Run::new("twice", 2);
    let mut sent = Sent::default();
    let mut older = run.start("a", &[]);
    run.settle(&mut sent, 100);
    let _newer = run.start("a", &[]);
    let (well, log) = older.wait(PATIENCE);
    assert!(!well && log.contains("give each its own --instance"), "{log}");
    run.settle(&mut sent, 100);
}
