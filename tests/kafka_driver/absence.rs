//! Members that are away for longer than their group waits for them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use spendstream_tests::conformance::{self, Sent, keep_busy, send, settled};
use stream::Log as _;

use crate::{PATIENCE, Run, kafka};

#[test]
fn what_a_member_had_not_committed_when_it_was_taken_for_gone_is_dropped_though_its_group_is_empty() {
    let run = Run::new("absent", 1);
    let [_, middle, _] = conformance::names(run.prefix);
    let group = format!("{}.sum.{middle}", run.prefix);
    let asking: BaseConsumer = ClientConfig::new().set("bootstrap.servers", kafka().brokers()).create().unwrap();
    let members = || {
        let known = asking.fetch_group_list(Some(&group), PATIENCE).unwrap();
        known.groups().iter().map(|group| group.members().len()).sum::<usize>()
    };
    let mut sent = Sent::default();
    let _split = run.start("split", &["--stages", "split"]);
    // It is stopped with records that it has processed, and before it has begun their transaction.
    let mut a = run.start("a", &["--stages", "sum", "--commit-interval", "1s"]);
    run.settle(&mut sent, 100);
    let end = || run.log.range(&middle, 0).unwrap().end;
    let before = end();
    send(&*run.log, run.prefix, &mut sent, 5_000);
    run.until("there is something to process", || end() > before);
    std::thread::sleep(Duration::from_millis(400));
    a.signal(libc::SIGSTOP);
    // Another does its work and goes, so that the brokers have nobody to compare it with: they take the offsets of who does not
    // claim to be a member.
    let b = run.start("b", &["--stages", "sum"]);
    settled(&*run.log, run.prefix, &sent);
    b.kill();
    run.until("the group is empty", || members() == 0);
    a.signal(libc::SIGCONT);
    a.wait_for("uncommitted work is dropped", PATIENCE);
    run.settle(&mut sent, 100);
}

#[test]
fn a_lane_that_is_busy_for_longer_than_it_may_drops_what_it_did_and_joins_again() {
    let run = Run::new("busy", 1);
    let mut sent = Sent::default();
    let mut a = run.start("a", &["--poll-interval-max", "6s"]);
    run.settle(&mut sent, 100);
    // Six seconds until it has not polled for too long, six until the brokers go on without it.
    keep_busy(&*run.log, run.prefix, Duration::from_secs(16));
    send(&*run.log, run.prefix, &mut sent, 100);
    let b = run.start("b", &[]);
    settled(&*run.log, run.prefix, &sent);
    a.wait_for("PollExceeded", PATIENCE);
    b.kill();
    run.settle(&mut sent, 100);
}
