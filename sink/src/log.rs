//! A table's log: how far each partition is, and the commit that adds files and moves positions in one step.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::datatypes::{DataType, Field, Schema};
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{
    Action, Add, ArrayType, DataType as DeltaType, MapType, PrimitiveType, StructField, StructType, Transaction,
};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use schemas::Timestamp;
use serde::de::IgnoredAny;

use crate::metrics::{Outcome, TableMetrics};

/// Partition column of every table.
pub(crate) const EVENT_DATE: &str = "event_date";

/// A checkpoint is written every so many commits: a reader lists and reads at most this many small files.
const CHECKPOINT_COMMITS: u64 = 50;

/// Files must be committed within this time after they began to be written: a process that slept in between (a laptop, a
/// paused machine) could otherwise commit what vacuum has taken for the remains of a crash.
const COMMIT_WITHIN_SECONDS: i64 = 86_400;

/// How often a commit is tried again once the table shows that it did not happen.
const COMMIT_ATTEMPTS: u32 = 4;

/// How far a partition moves in one commit: offsets of the topic, `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub partition: u32,
    /// `None` where the table had nothing of the partition.
    pub from: Option<i64>,
    pub to: i64,
}

/// A table's log.
#[derive(Debug)]
pub(crate) struct TableLog {
    table: DeltaTable,
    name: &'static str,
    topic: &'static str,
    metrics: TableMetrics,
    /// Which topic of the name records come from, where that is known.
    number: Option<i64>,
    /// What the table says of that, by partition.
    numbers: BTreeMap<u32, i64>,
}

impl TableLog {
    /// The log of a table that is not opened yet.
    pub(crate) fn new(table: DeltaTable, name: &'static str, topic: &'static str, metrics: TableMetrics) -> Self {
        TableLog { table, name, topic, metrics, number: None, numbers: BTreeMap::new() }
    }

    /// Opens the table, creates it, or adds the columns it lacks.
    pub(crate) async fn open(mut self, about: &str, schema: &Schema, comments: &[String]) -> anyhow::Result<Self> {
        let name = self.name;
        let exists = self.table.verify_deltatable_existence().await;
        let exists = exists.with_context(|| format!("look for the table {name}"))?;
        // Another writer may have been quicker; what counts is that there is a table.
        let created = if exists { Ok(()) } else { create(&self.table, name, about, schema, comments).await };
        match (load(&mut self.table, name).await, created) {
            (Ok(()), Ok(())) => {}
            (Ok(()), Err(error)) => tracing::info!(table = name, %error, "table was not created here"),
            (Err(_), Err(error)) => return Err(error.context(format!("create the table {name}"))),
            (Err(error), Ok(())) => return Err(error),
        }
        self.refuse_foreign(schema)?;
        self.add_missing_columns(schema, comments).await?;
        Ok(self)
    }

    /// Refuses a table that something else made: its readers would not expect our rows, and ours not its.
    fn refuse_foreign(&self, schema: &Schema) -> anyhow::Result<()> {
        let name = self.name;
        let snapshot = self.table.snapshot()?;
        let metadata = snapshot.metadata();
        let refuse = |why: String| -> anyhow::Result<()> {
            bail!("the table {name} was made by something else ({why}); choose another --lake, or move that table away")
        };
        if metadata.name() != Some(name) {
            return refuse(format!("it calls itself {:?}", metadata.name().unwrap_or_default()));
        }
        if *metadata.partition_columns() != [EVENT_DATE] {
            return refuse(format!("it is partitioned by {:?}", metadata.partition_columns()));
        }
        let present = snapshot.snapshot().arrow_schema();
        let unknown = |field: &&Arc<Field>| !field.is_nullable() && schema.field_with_name(field.name()).is_err();
        match present.fields().iter().find(unknown) {
            Some(field) => refuse(format!("its column {} may not be null, and is not one of ours", field.name())),
            None => Ok(()),
        }
    }

    async fn add_missing_columns(&mut self, schema: &Schema, comments: &[String]) -> anyhow::Result<()> {
        let name = self.name;
        let present = self.table.snapshot()?.snapshot().arrow_schema();
        let mut missing = Vec::new();
        for (field, comment) in schema.fields().iter().zip(comments) {
            match present.field_with_name(field.name()) {
                Err(_) => missing.push(delta_field(field, comment)?),
                Ok(there) if delta_type(there.data_type())? == delta_type(field.data_type())? => {}
                Ok(there) => bail!(
                    "column {} of the table {name} is {}, but this release writes {}; it was made by something else",
                    field.name(),
                    there.data_type(),
                    field.data_type()
                ),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let count = missing.len();
        let added = self.table.clone().add_columns().with_fields(missing).await;
        if let Err(error) = added {
            tracing::info!(table = name, %error, "columns were not added here");
        }
        self.table.load().await.with_context(|| format!("open the table {name}"))?;
        let present = self.table.snapshot()?.snapshot().arrow_schema();
        if schema.fields().iter().any(|field| present.field_with_name(field.name()).is_err()) {
            bail!("the table {name} lacks {count} columns of this release and they could not be added");
        }
        Ok(())
    }

    /// The table's own folder.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.table.log_store().object_store(None)
    }

    fn app_id(&self, partition: u32) -> String {
        app_id(self.name, self.topic, partition)
    }

    /// Says of partitions where they stand and in which topic of the name, where the table says so. What is committed from now on is of
    /// the topic with this number.
    pub(crate) async fn stand(
        &mut self,
        partitions: &[u32],
        number: Option<i64>,
    ) -> anyhow::Result<Vec<(Option<i64>, Option<i64>)>> {
        let positions = self.positions(partitions).await?;
        self.number = number;
        let log_store = self.table.log_store();
        let mut stand = Vec::with_capacity(partitions.len());
        for (partition, position) in partitions.iter().zip(positions) {
            let id = topic_app_id(&self.app_id(*partition));
            let topic = self.table.snapshot()?.transaction_version(log_store.as_ref(), id).await;
            let topic = topic.with_context(|| format!("read which topic {} is", self.app_id(*partition)))?;
            match topic {
                Some(topic) => self.numbers.insert(*partition, topic),
                None => self.numbers.remove(partition),
            };
            stand.push((position, topic));
        }
        Ok(stand)
    }

    /// Reads the log to its end and says where partitions stand: the offset to read next.
    pub(crate) async fn positions(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<Option<i64>>> {
        let positions = self.read_positions(partitions).await;
        if positions.is_err() {
            // Next time from the beginning: what was read may be of a lake that was put back to an earlier state since.
            self.table.state = None;
        }
        positions
    }

    async fn read_positions(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<Option<i64>>> {
        if self.table.state.is_none() {
            load(&mut self.table, self.name).await?;
            tracing::info!(table = self.name, version = self.version(), "read from the beginning of its log");
        } else if let Err(error) = self.table.update_state().await {
            return Err(why_unreadable(&self.table, self.name, error).await);
        }
        let log_store = self.table.log_store();
        let mut positions = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let version = self.table.snapshot()?.transaction_version(log_store.as_ref(), self.app_id(*partition)).await;
            positions.push(version.with_context(|| format!("read the position of {}", self.app_id(*partition)))?);
        }
        Ok(positions)
    }

    /// Commits files and moves in one step, or neither.
    ///
    /// Before every attempt the log is read to its end: only where every partition stands at the start of its move may
    /// anything be written. An attempt whose answer was lost is recognised by the partitions standing at the end.
    pub(crate) async fn commit(
        &mut self,
        adds: &[Add],
        moves: &[Move],
        written_at: Timestamp,
        now: Timestamp,
    ) -> anyhow::Result<u64> {
        let partitions: Vec<u32> = moves.iter().map(|step| step.partition).collect();
        let mut failure = None;
        for attempt in 0..COMMIT_ATTEMPTS {
            let positions = self.positions(&partitions).await?;
            let stand =
                |at: fn(&Move) -> Option<i64>| moves.iter().zip(&positions).all(|(step, found)| at(step) == *found);
            if attempt > 0 && stand(|step| Some(step.to)) {
                tracing::info!(table = self.name, "a commit whose answer was lost is in the table");
                self.metrics.commit(Outcome::Committed);
                return Ok(self.version());
            }
            if !stand(|step| step.from) {
                self.metrics.commit(Outcome::Conflict);
                bail!(
                    "another writer has moved the table {}: this buffer continues {:?}, the table stands at {positions:?}",
                    self.name,
                    moves
                );
            }
            still_young(written_at)?;
            match self.try_commit(adds, moves, now).await {
                Ok(version) => {
                    if let Some(number) = self.number {
                        self.numbers.extend(partitions.iter().map(|partition| (*partition, number)));
                    }
                    self.metrics.commit(Outcome::Committed);
                    return Ok(version);
                }
                Err(error) => {
                    self.metrics.commit(Outcome::Unknown);
                    tracing::info!(table = self.name, %error, attempt, "outcome of a commit is unknown; reading the table");
                    failure = Some(error);
                }
            }
        }
        // The last attempt may have landed too.
        let positions = self.positions(&partitions).await?;
        if moves.iter().zip(&positions).all(|(step, found)| Some(step.to) == *found) {
            self.metrics.commit(Outcome::Committed);
            return Ok(self.version());
        }
        let failure = failure.context("a commit is tried at least once")?;
        Err(failure).with_context(|| format!("commit to the table {}", self.name))
    }

    fn version(&self) -> u64 {
        self.table.version().unwrap_or_default()
    }

    async fn try_commit(&mut self, adds: &[Add], moves: &[Move], now: Timestamp) -> anyhow::Result<u64> {
        let transaction =
            |app_id: String, version: i64| Transaction::new_with_last_update(app_id, version, Some(now.millis()));
        let mut transactions = Vec::with_capacity(moves.len());
        for step in moves {
            let app_id = self.app_id(step.partition);
            // Which topic it is of is said once: nobody else moves the partition meanwhile.
            if let Some(number) = self.number.filter(|number| self.numbers.get(&step.partition) != Some(number)) {
                transactions.push(transaction(topic_app_id(&app_id), number));
            }
            transactions.push(transaction(app_id, step.to));
        }
        let ranges: serde_json::Map<String, serde_json::Value> = moves
            .iter()
            .map(|step| (step.partition.to_string(), format!("[{}, {})", step.from.unwrap_or(0), step.to).into()))
            .collect();
        // Listing the log costs a request per thousand commits, so old entries are only looked for with a checkpoint.
        let clean_up = (self.version() + 2).is_multiple_of(CHECKPOINT_COMMITS);
        let properties = CommitProperties::default()
            .with_application_transactions(transactions)
            .with_metadata([("offsets".to_owned(), serde_json::Value::Object(ranges))])
            .with_cleanup_expired_logs(Some(clean_up));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![EVENT_DATE.to_owned()]),
            predicate: None,
        };
        let commit = CommitBuilder::from(properties)
            .with_actions(adds.iter().cloned().map(Action::Add).collect())
            .build(Some(self.table.snapshot()?), self.table.log_store(), operation)
            .await?;
        self.table.state = Some(commit.snapshot());
        Ok(commit.version())
    }
}

/// Reads a table's log from its beginning.
pub(crate) async fn load(table: &mut DeltaTable, name: &str) -> anyhow::Result<()> {
    // Delta takes an empty entry for a commit of nothing, and what it held would be missing without a word.
    let damage = damage(table, true).await.with_context(|| format!("read the log of the table {name}"))?;
    if let Some(damage) = damage {
        bail!("the table {name} cannot be read: {damage}");
    }
    match table.load().await {
        Ok(()) => Ok(()),
        Err(error) => Err(why_unreadable(table, name, error).await),
    }
}

/// An error of reading a log, with the entry that is damaged named if there is one.
async fn why_unreadable(table: &DeltaTable, name: &str, error: DeltaTableError) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    if let Ok(Some(damage)) = damage(table, false).await {
        return error.context(format!("the table {name} cannot be read: {damage}"));
    }
    match table.verify_deltatable_existence().await {
        Ok(false) => error.context(format!(
            "the table {name} is gone from the lake; put it back, or start the sink again: it makes the table anew and writes \
             what the topic still has"
        )),
        _ => error.context(format!("read the log of the table {name}")),
    }
}

#[derive(serde::Deserialize)]
struct LastCheckpoint {
    version: u64,
}

/// Which entry of a log is damaged and what to do; looks at sizes alone, or into the entries as well.
async fn damage(table: &DeltaTable, sizes_alone: bool) -> anyhow::Result<Option<String>> {
    let store = table.log_store().object_store(None);
    // What a checkpoint has summed up is not read any more.
    let newest = async { store.get(&Path::from("_delta_log/_last_checkpoint")).await?.bytes().await };
    let newest = newest.await.ok().and_then(|bytes| serde_json::from_slice::<LastCheckpoint>(&bytes).ok());
    let after = newest.map_or_else(String::new, |checkpoint| format!("{:020}.json", checkpoint.version));
    let folder = Path::from("_delta_log");
    let entries = match after.as_str() {
        "" => store.list(Some(&folder)),
        after => store.list_with_offset(Some(&folder), &folder.clone().join(after)),
    };
    let entries: Vec<_> = entries.try_collect().await.context("list the log of a table")?;
    let mut entries: Vec<_> = entries.into_iter().filter(|entry| entry.location.extension() == Some("json")).collect();
    entries.sort_by(|a, b| a.location.cmp(&b.location));
    for (index, entry) in entries.iter().enumerate() {
        let cut = match sizes_alone {
            true => entry.size == 0,
            false => {
                let bytes = store.get(&entry.location).await?.bytes().await?;
                let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).peekable();
                lines.peek().is_none() || lines.any(|line| serde_json::from_slice::<IgnoredAny>(line).is_err())
            }
        };
        if cut {
            let mend = match index + 1 == entries.len() {
                true => "restore it from a backup, or delete it: it is the newest, and what it held is read again",
                false => "restore it from a backup or an earlier version of the object",
            };
            return Ok(Some(format!("the entry {} of its log is cut off; {mend}", entry.location)));
        }
    }
    Ok(None)
}

/// Fails where files that began to be written at this time may not be committed any more.
pub(crate) fn still_young(written_at: Timestamp) -> anyhow::Result<()> {
    let age = stream::now().micros_since(written_at) / 1_000_000;
    if age > COMMIT_WITHIN_SECONDS {
        bail!("{age} seconds passed between writing files and committing them, and vacuum may have deleted them");
    }
    Ok(())
}

/// What the log calls a partition's position.
pub(crate) fn app_id(table: &str, topic: &str, partition: impl std::fmt::Display) -> String {
    format!("{table}/{topic}/{partition}")
}

/// What the log calls the number of the topic that a position is of.
fn topic_app_id(position: &str) -> String {
    format!("{position}/topic")
}

async fn create(
    table: &DeltaTable,
    name: &str,
    about: &str,
    schema: &Schema,
    comments: &[String],
) -> anyhow::Result<()> {
    let fields = schema.fields().iter().zip(comments).map(|(field, comment)| delta_field(field, comment));
    table
        .clone()
        .create()
        .with_columns(fields.collect::<anyhow::Result<Vec<_>>>()?)
        .with_partition_columns([EVENT_DATE])
        .with_table_name(name)
        .with_comment(about)
        .with_configuration(
            [
                ("delta.checkpointInterval", CHECKPOINT_COMMITS.to_string()),
                ("delta.logRetentionDuration", "interval 7 days".to_owned()),
                ("delta.enableExpiredLogCleanup", "true".to_owned()),
            ]
            .map(|(key, value)| (key.to_owned(), Some(value))),
        )
        .await?;
    Ok(())
}

fn delta_field(field: &Field, comment: &str) -> anyhow::Result<StructField> {
    Ok(StructField::new(field.name(), delta_type(field.data_type())?, field.is_nullable())
        .with_metadata([("comment", comment)]))
}

/// The Delta type of an Arrow type that tables use.
fn delta_type(of: &DataType) -> anyhow::Result<DeltaType> {
    Ok(match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DeltaType::Primitive(PrimitiveType::String),
        DataType::Int32 => DeltaType::Primitive(PrimitiveType::Integer),
        DataType::Int64 => DeltaType::Primitive(PrimitiveType::Long),
        DataType::Boolean => DeltaType::Primitive(PrimitiveType::Boolean),
        DataType::Date32 => DeltaType::Primitive(PrimitiveType::Date),
        DataType::Timestamp(_, Some(_)) => DeltaType::Primitive(PrimitiveType::Timestamp),
        DataType::Decimal128(precision, scale) => DeltaType::decimal(*precision, (*scale).unsigned_abs())?,
        DataType::List(element) => {
            DeltaType::Array(Box::new(ArrayType::new(delta_type(element.data_type())?, element.is_nullable())))
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| delta_field(field, ""));
            DeltaType::Struct(Box::new(StructType::try_new(fields.collect::<anyhow::Result<Vec<_>>>()?)?))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => DeltaType::Map(Box::new(MapType::new(
                delta_type(pair[0].data_type())?,
                delta_type(pair[1].data_type())?,
                pair[1].is_nullable(),
            ))),
            other => bail!("a map of {other} has no Delta type"),
        },
        other => bail!("{other} has no Delta type"),
    })
}
