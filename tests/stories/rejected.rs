//! What was rejected is read once more when it can be used: once, however often that is asked for.

use bytes::Bytes;
use schemas::{Timestamp, topics};
use serde_json::Value;
use spendstream_tests::deployment::spendstream;
use stream::Log as _;
use stream::OutRecord;
use stream::local::{self, LocalLog};

/// An event of 1,000 input tokens of gpt-4o: 0.0025 dollars. Without an id it is known by its position.
fn event(id: Option<&str>, time: Timestamp) -> String {
    let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
    format!(
        r#"{{{id}"source":"s","time":"{time}","provider":"openai","model":"gpt-4o","usage":{{"input_text_tokens":1000}}}}"#
    )
}

#[test]
fn rejected_records_count_once_after_their_cause_is_gone_and_a_second_replay_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("spendstream-data");
    // A time more than a year ahead is refused. These arrived 500 days ago with the time of yesterday: by now that is
    // no time of the future any more.
    let now = stream::now();
    let (arrived, ahead) = (now.plus_seconds(-500 * 86_400), now.plus_seconds(-86_400));
    let records = [
        // Two calls that were counted, around one that was not.
        format!("[{},{},{}]", event(Some("a"), arrived), event(Some("b"), ahead), event(Some("c"), arrived)),
        event(None, ahead),
        // Will never be anything.
        "{\"id\":".to_owned(),
        // Its raw record will be gone.
        event(Some("gone"), ahead),
    ];
    let log = LocalLog::open(&data, &topics::catalogue(&[topics::RAW]), Some(2)).unwrap();
    let raw = |(index, payload): (usize, &String)| OutRecord {
        topic: topics::RAW.into(),
        partition: u32::from(index == 3),
        key: None,
        payload: Some(Bytes::from(payload.clone())),
        headers: Vec::new(),
        timestamp: Some(arrived),
    };
    log.append(records.iter().enumerate().map(raw).collect()).unwrap();
    drop(log);

    let run = |arguments: &[&str]| {
        let (well, text) = spendstream(folder.path(), arguments);
        assert!(well, "{arguments:?}: {text}");
        text
    };
    let work = || run(&["up", "--sample", "0", "--exit-when-idle", "--listen", "127.0.0.1:0"]);
    let totals = || -> (i64, String, Value) {
        let report: Value = serde_json::from_str(&run(&["report", "-o", "json"])).unwrap();
        let ledger: Value = serde_json::from_str(&run(&["ledger", "-o", "json"])).unwrap();
        let stages = ledger["stages"].as_array().unwrap();
        let counts = stages.iter().map(|stage| stage["counts"].clone()).collect();
        (report["requests"].as_i64().unwrap(), report["total"][0]["amount"].as_str().unwrap().to_owned(), counts)
    };
    let states = || -> Vec<(String, String)> {
        let lines = run(&["rejected", "list", "-o", "json"]);
        let mut states: Vec<_> = lines
            .lines()
            .map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                let position = &line["rejection"]["position"];
                let place = format!("{}/{}/{}", position["partition"], position["offset"], position["item"]);
                (place, line["state"].as_str().unwrap().to_owned())
            })
            .collect();
        states.sort();
        states
    };
    let state = |place: &str, state: &str| (place.to_owned(), state.to_owned());
    work();
    assert_eq!((totals().0, totals().1.as_str()), (2, "0.005"));
    let open = [state("0/0/1", "open"), state("0/1/0", "open"), state("0/2/0", "open"), state("1/0/0", "open")];
    assert_eq!(states(), open);

    // What retention would do.
    let store = rusqlite::Connection::open(data.join(local::FILE)).unwrap();
    let place = "(SELECT id FROM partitions WHERE topic = 'usage.raw' AND partition = 1)";
    assert_eq!(store.execute(&format!("DELETE FROM records WHERE id >> 40 = {place}"), []).unwrap(), 1);
    store.execute(&format!("UPDATE partitions SET first_offset = next_offset WHERE id = {place}"), []).unwrap();
    drop(store);
    assert_eq!(states()[3], state("1/0/0", "expired"));

    let shown = run(&["rejected", "show", "usage.raw/0/0"]);
    assert!(shown.contains("now it would be 3 usable and 0 rejected items") && !shown.contains("gpt-4o"), "{shown}");
    let dry = run(&["rejected", "replay", "--dry-run"]);
    assert!(dry.contains("2 raw records would be replayed, with 2 items"), "{dry}");
    let other = run(&["rejected", "replay", "--reason", "empty"]);
    assert!(other.contains("0 raw records replayed"), "{other}");
    let replayed = run(&["rejected", "replay"]);
    for line in ["2 raw records replayed, with 2 items", "1 would be rejected as before", "usage.raw/1/0"] {
        assert!(replayed.contains(line), "{line:?} in {replayed}");
    }
    // Asked for again before anything has read it.
    let again = run(&["rejected", "replay"]);
    assert!(again.contains("0 raw records replayed"), "{again}");
    work();
    let after = totals();
    assert_eq!((after.0, after.1.as_str()), (4, "0.01"), "{}", after.2);
    let done =
        [state("0/0/1", "replayed"), state("0/1/0", "replayed"), state("0/2/0", "open"), state("1/0/0", "expired")];
    assert_eq!(states(), done);

    // And once more, all of it: the books are what they were.
    let again = run(&["rejected", "replay"]);
    assert!(again.contains("0 raw records replayed") && again.contains("1 would be rejected as before"), "{again}");
    work();
    assert_eq!(totals(), after);
    let ingest = &after.2[0];
    assert_eq!((ingest["replayed"].as_i64(), ingest["rejected"].as_i64()), (Some(2), Some(4)), "{ingest}");
    assert_eq!(after.2[1]["duplicates"].as_i64(), Some(2), "{}", after.2[1]);
}
