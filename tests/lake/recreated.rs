//! A topic that was deleted and created again, or a lake that is pointed at another cluster: offsets of the one mean nothing in the other,
//! so the table says which topic they are of, and nobody reads on in another one without being told to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use schemas::{Skip, Timestamp, topics};
use sink::{Lake, LakeConfig, TABLES};
use stream::Halt;

use crate::ground::Ground;
use crate::releases::{copy, folder};
use crate::sample::{NOW, Sample, held, rest};

/// Numbers of the topic that was, and of the one that has its name.
const OLD: i64 = 4_711;
const NEW: i64 = 8_150;

/// Fills the table `charges` from a topic of this number, as a driver does; gives what stops its partitions.
fn fill(lake: &Lake, sample: &Sample, number: Option<i64>, orders: &[Skip]) -> anyhow::Result<Vec<Halt>> {
    let spec = TABLES.iter().find(|spec| spec.name == "charges").expect("a table");
    let mut table = spec.open(lake, &LakeConfig::at("unused"))?;
    let partitions = &sample.topics[spec.topic];
    let assigned: Vec<u32> = partitions.keys().copied().collect();
    table.heed(&Arc::new(orders.to_vec()));
    table.comes_from(number);
    let from: BTreeMap<u32, Option<i64>> = table.assign(&assigned)?.into_iter().collect();
    let mut halts = Vec::new();
    for (partition, position) in from {
        if let Some(halt) = table.refuses(partition) {
            halts.push(halt);
            table.revoke(&[partition]);
            continue;
        }
        for record in rest(&partitions[&partition], position) {
            let offset = record.offset;
            table.append(partition, &[record], offset + 1)?;
            // What goes on after a flush goes on in the same topic.
            if offset % 2 == 0 {
                table.flush(NOW)?;
            }
        }
    }
    table.flush(NOW)?;
    Ok(halts)
}

fn order(partition: i32, number: i64) -> Skip {
    Skip {
        stage: "charges".into(),
        topic: topics::CHARGES.into(),
        partition,
        offset: None,
        source_topic: Some(topics::CHARGES.into()),
        source_partition: Some(partition),
        sequence: Some(number),
        reason: "made anew on purpose".into(),
        ordered_at: Timestamp::MIN,
    }
}

/// The last release's lake, laid down on this ground.
fn last_release(ground: &Ground) -> Lake {
    let mut releases: Vec<_> = std::fs::read_dir(folder()).expect("the fixtures").flatten().collect();
    releases.sort_by_key(std::fs::DirEntry::path);
    let stored = releases.last().expect("a release").path().join("lake");
    let lake = ground.lake();
    for table in TABLES {
        let to = ground.file(table.name);
        copy(&stored.join(table.name), Path::new(&to));
    }
    lake
}

#[test]
fn a_table_of_the_last_release_is_filled_on_and_from_then_on_knows_its_topic() {
    for ground in Ground::both() {
        let sample = Sample::new();
        let lake = last_release(&ground);
        let rows = || held(&lake).rows["charges"].clone();
        let whole = &sample.held.rows["charges"];
        assert!(!rows().is_empty() && rows().len() < whole.len(), "a part of it was written by that release");
        assert_eq!(fill(&lake, &sample, Some(OLD), &[]).unwrap(), []);
        assert_eq!(rows(), *whole, "nothing lost, nothing twice");
        assert_eq!(fill(&lake, &sample, Some(OLD), &[]).unwrap(), []);
        assert_eq!(rows(), *whole, "nothing is left to read");

        // Another topic of the name, whose offsets begin anew, and orders that are for something else.
        for orders in [vec![], vec![order(0, NEW + 1)], vec![Skip { stage: "batches".into(), ..order(0, NEW) }]] {
            let halts = fill(&lake, &sample, Some(NEW), &orders).unwrap();
            assert_eq!(halts.len(), sample.topics[topics::CHARGES].len());
            let said = halts[0].to_string();
            assert!(
                said.starts_with("usage.charges was deleted and created again, or this lake was filled from another"),
                "{said}"
            );
            assert!(said.ends_with(&format!("`spendstream skip --source usage.charges/0 --sequence {NEW}`")), "{said}");
            assert!(halts[0].is_lifted_by(&order(0, NEW)));
        }
        assert_eq!(rows(), *whole);
        assert_eq!(fill(&lake, &sample, None, &[]).unwrap(), [], "brokers without ids cannot be told apart");
        assert_eq!(rows(), *whole);

        // One order is for all partitions; what it lets in is read once.
        let twice: Vec<String> = whole.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        for _ in 0..2 {
            assert_eq!(fill(&lake, &sample, Some(NEW), &[order(0, NEW)]).unwrap(), []);
            assert_eq!(rows(), twice);
        }
        assert_eq!(fill(&lake, &sample, Some(NEW), &[]).unwrap(), [], "the order is not needed any more");
        assert_eq!(
            fill(&lake, &sample, Some(OLD), &[order(0, NEW)]).unwrap().len(),
            sample.topics[topics::CHARGES].len(),
            "the old one is another now"
        );
        assert_eq!(rows(), twice);
    }
}

#[test]
fn a_table_that_does_not_say_which_topic_it_holds_begins_anew_by_order_alone() {
    let (ground, sample) = (Ground::folder(), Sample::new());
    let lake = last_release(&ground);
    let before = held(&lake).rows["charges"].clone();
    assert_eq!(fill(&lake, &sample, Some(NEW), &[order(1, NEW)]).unwrap(), []);
    let mut expected = [before, sample.held.rows["charges"].clone()].concat();
    expected.sort();
    assert_eq!(held(&lake).rows["charges"], expected);
}
