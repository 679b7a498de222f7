//! What was destroyed is in no file of the broker.

use std::path::Path;
use std::time::{Duration, Instant};

use schemas::ReferenceRow;
use schemas::topics::{Kept, Partitions, SECRETS_GONE_WITHIN, TopicSpec};
use stream::Log;
use stream::kafka::KafkaLog;
use stream::kafka::topics::{Layout, apply, diff};
use stream::log::{destroy_superseded, reference_items, replace_rows};

use crate::kafka;

const TOPIC: &str = "secrets.users";

fn row(bucket: u8, secret: &str) -> ReferenceRow {
    let (set, origin) = ("users".into(), format!("users/{bucket:03}").into());
    ReferenceRow { set, row_id: Default::default(), origin, body: secret.into() }
}

/// Whether a file of the topic's folders holds some bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.to_string_lossy().contains(TOPIC) || path.ends_with("data")).any(|path| {
        match path.is_dir() {
            true => holds(&path, bytes),
            // A file that is deleted at this moment holds nothing.
            false => std::fs::read(&path).unwrap_or_default().windows(bytes.len()).any(|window| window == bytes),
        }
    })
}

#[test]
fn a_replaced_secret_is_gone_from_the_brokers_files_within_the_stated_time() {
    let spec =
        TopicSpec { name: TOPIC.to_owned(), partitions: Partitions::One, kept: Kept::Newest(SECRETS_GONE_WITHIN) };
    let (connection, layout) = (kafka().connection(), Layout { raw: 1, internal: 1, replication: 1 });
    apply(&connection, std::slice::from_ref(&spec), layout).unwrap();
    assert_eq!(diff(&connection, &[spec], layout).unwrap(), []);
    let log = KafkaLog::connect(&connection, "tests").unwrap();
    let (old, kept) = ("Qm9sZGx5IGdvaW5nIG5vd2hlcmU", "U3RheXMgd2hlcmUgaXQgaXM");
    assert!(replace_rows(&log, TOPIC, 0, vec![row(1, old), row(2, kept)]).unwrap());
    assert!(holds(kafka().folder(), old.as_bytes()), "it is looked for where it is");

    // Two decide by the same reading: one of them has to read again.
    let (_, end) = reference_items(&log, TOPIC, 0).unwrap();
    let began = Instant::now();
    assert!(replace_rows(&log, TOPIC, end, vec![row(1, "new")]).unwrap());
    assert!(!replace_rows(&log, TOPIC, end, vec![row(1, old)]).unwrap());

    assert!(destroy_superseded(&log, TOPIC, SECRETS_GONE_WITHIN).unwrap(), "the broker compacts it");
    // Cleaned segments are deleted a second later.
    while holds(kafka().folder(), old.as_bytes()) {
        assert!(began.elapsed() < SECRETS_GONE_WITHIN, "still there after {:?}", began.elapsed());
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("gone after {:?}", began.elapsed());
    assert!(holds(kafka().folder(), kept.as_bytes()), "what was not replaced is there");
    let (items, _) = reference_items(&log, TOPIC, 0).unwrap();
    assert!(items.len() >= 2 && log.range(TOPIC, 0).unwrap().end > end);
}
