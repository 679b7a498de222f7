//! `ledger`: the books of every stage; what was read, counted, received and sent, so that all of it can be added up.

use schemas::codec::Format;
use schemas::ids::hash_parts;
use schemas::{Count, Id128, LedgerEntry, Received, Sent, topics};
use stream::Record;

use super::batches::sums;
use super::{Decoded, Row, Rows, single_item};
use crate::column::{Column, int, list, long, text, time};

/// The table `ledger`.
#[derive(Debug)]
pub struct Ledger(Format<LedgerEntry>);

impl Rows for Ledger {
    type Item = LedgerEntry;
    const TABLE: &'static str = "ledger";
    const TOPIC: &'static str = topics::LEDGER;
    const ABOUT: &'static str = "Books of the stages, each whole. For each (stage, topic, partition) the row with the \
         highest `transaction` holds; transactions in between may be missing. `event_date` is the day it was written.";
    const SORT: &'static [&'static str] = &["stage", "topic", "partition"];

    fn new() -> Self {
        Ledger(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<LedgerEntry>, String> {
        single_item(&self.0, record)
    }

    fn event_date(entry: &LedgerEntry) -> i32 {
        entry.emitted_at.days()
    }

    fn key(entry: &LedgerEntry) -> Option<Id128> {
        let partition = entry.partition.to_be_bytes();
        Some(hash_parts([entry.stage.as_bytes(), entry.topic.as_bytes(), partition.as_slice()]))
    }

    fn columns() -> Vec<Column<Row<LedgerEntry>>> {
        vec![
            text("stage", "ingest, enrich, combine or merge.", |row| Some(&row.item.stage)),
            text("topic", "Topic it reads.", |row| Some(&row.item.topic)),
            int("partition", "", "Partition it reads.", |row| Some(row.item.partition)),
            long("transaction", "", "Number of the transaction, counted for the partition.", |row| {
                Some(row.item.transaction)
            }),
            long("next_offset", "", "Offset after the last record read.", |row| Some(row.item.next_offset)),
            list("counts", "What was counted since the stage began.", counts(), |row: &Row<LedgerEntry>| {
                &row.item.counts
            }),
            list("received", "How far each source was read.", received(), |row: &Row<LedgerEntry>| &row.item.received),
            list("sent", "How much was sent to each target.", sent(), |row: &Row<LedgerEntry>| &row.item.sent),
            time("watermark", "Watermark of the stage.", |row| Some(row.item.watermark)),
            time("emitted_at", "When this was written.", |row| Some(row.item.emitted_at)),
        ]
    }
}

fn counts() -> Vec<Column<Count>> {
    vec![
        text("name", "Name.", |count: &Count| Some(&count.name)),
        long("count", "", "Count.", |count| Some(count.count)),
        list("money", "Money that goes with it.", sums(), |count: &Count| &count.money),
    ]
}

fn received() -> Vec<Column<Received>> {
    vec![
        text("source_topic", "Source topic.", |row: &Received| Some(&row.source_topic)),
        int("source_partition", "", "Its partition.", |row| Some(row.source_partition)),
        long("sequence", "", "Last batch taken.", |row| Some(row.sequence)),
        long("items_claimed", "rows", "Items the headers claim up to there.", |row| Some(row.items_claimed)),
        long("items_counted", "rows", "Items counted here up to there.", |row| Some(row.items_counted)),
        list("money_claimed", "Money the headers claim.", sums(), |row: &Received| &row.money_claimed),
        list("money_counted", "Money added up here.", sums(), |row: &Received| &row.money_counted),
        long("skipped", "batches", "Batches an operator skipped.", |row| Some(row.skipped)),
    ]
}

fn sent() -> Vec<Column<Sent>> {
    vec![
        text("topic", "Target topic.", |row: &Sent| Some(&row.topic)),
        int("partition", "", "Its partition.", |row| Some(row.partition)),
        long("sequence", "", "Last batch sent.", |row| Some(row.sequence)),
        long("items", "rows", "Items so far.", |row| Some(row.items)),
        list("money", "Money so far.", sums(), |row: &Sent| &row.money),
    ]
}
