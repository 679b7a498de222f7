//! `spendstream cat`: records of a topic, decoded, as JSON lines.

use std::io::{BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use schemas::codec::Format;
use schemas::wire::Wire;
use schemas::{
    Alert, Batch, BatchItem, BudgetState, Charge, EventItem, Fact, LedgerEntry, PartialItem, ReferenceItem, Rejection,
    Skip, TopicLayout, Window, topics,
};
use serde::Serialize;
use serde_json::{Value, json};
use stream::StoredRecord;

use super::open::{LogArgs, partitions};

/// Print the records of a topic, decoded, one JSON object a line. Joins no group and writes nothing.
#[derive(Debug, Args)]
pub(super) struct Cat {
    /// Topic, such as `usage.charges` or `spend.alerts`.
    topic: String,
    /// Only this partition.
    #[arg(long)]
    partition: Option<u32>,
    /// First offset, in every partition that is printed.
    #[arg(long, conflicts_with = "last")]
    from: Option<i64>,
    /// Only this many offsets before the end of each partition.
    #[arg(long)]
    last: Option<i64>,
    #[command(flatten)]
    log: LogArgs,
}

type Decode = Box<dyn Fn(&[u8]) -> anyhow::Result<Value>>;

impl Cat {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let log = self.log.inspect()?;
        let count = partitions(&*log, &self.topic)?;
        let chosen = match self.partition {
            Some(partition) if partition < count => partition..partition + 1,
            Some(partition) => bail!("{} has {count} partitions, so none numbered {partition}", self.topic),
            None => 0..count,
        };
        let decode = decoder(&self.topic);
        let mut out = BufWriter::new(std::io::stdout().lock());
        for partition in chosen {
            let range = log.range(&self.topic, partition)?;
            let from = match self.last {
                Some(last) => range.end.saturating_sub(last),
                None => self.from.unwrap_or(range.start),
            };
            let printed = stream::log::scan(&*log, &self.topic, partition, from, |record| {
                serde_json::to_writer(&mut out, &line(record, partition, &decode))?;
                Ok(out.write_all(b"\n")?)
            });
            match printed.and_then(|_| Ok(out.flush()?)) {
                Err(error) if is_closed_pipe(&error) => break,
                done => done.with_context(|| format!("print {}/{partition}", self.topic))?,
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The reader has seen enough: `cat ... | head`.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(ErrorKind::BrokenPipe)
    })
}

fn line(record: &StoredRecord, partition: u32, decode: &Decode) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut line = json!({ "partition": partition, "offset": record.offset, "timestamp": record.timestamp });
    if let Some(key) = &record.key {
        line["key"] = json!(text(key));
    }
    for (name, value) in &record.headers {
        line["headers"][name] = json!(text(value));
    }
    match record.payload.as_deref().map(decode) {
        None => line["value"] = Value::Null,
        Some(Ok(value)) => line["value"] = value,
        Some(Err(error)) => line["undecodable"] = json!(format!("{error:#}")),
    }
    line
}

fn decoder(topic: &str) -> Decode {
    match topic {
        topics::EVENTS => batch::<EventItem>(),
        topics::FACTS => batch::<Fact>(),
        topics::REJECTED => batch::<Rejection>(),
        topics::CHARGES => batch::<Charge>(),
        topics::PARTIALS => batch::<PartialItem>(),
        topics::WINDOWS => single::<Window>(),
        topics::BUDGET_STATE => single::<BudgetState>(),
        topics::ALERTS => single::<Alert>(),
        topics::LEDGER => single::<LedgerEntry>(),
        topics::SKIPS => single::<Skip>(),
        topics::TOPOLOGY => single::<TopicLayout>(),
        // Secrets.
        topics::REF_USERS => Box::new(|payload| Ok(json!({ "bytes": payload.len() }))),
        name if name.starts_with("ref.") => {
            let format = Format::<ReferenceItem>::new();
            Box::new(move |payload| {
                Ok(match format.decode(payload)? {
                    ReferenceItem::Row(row) => json!({ "row": row }),
                    ReferenceItem::Manifest(manifest) => json!({ "manifest": manifest }),
                })
            })
        }
        name if name.ends_with(".changelog") => Box::new(|payload| Ok(json!({ "bytes": payload.len() }))),
        // A raw topic: whatever its producer wrote.
        _ => Box::new(|payload| {
            Ok(serde_json::from_slice(payload).unwrap_or_else(|_| json!(String::from_utf8_lossy(payload))))
        }),
    }
}

fn single<T: Wire + Serialize + 'static>() -> Decode {
    let format = Format::<T>::new();
    Box::new(move |payload| Ok(serde_json::to_value(format.decode(payload)?)?))
}

fn batch<T: BatchItem + Serialize + 'static>() -> Decode {
    let format = Format::<Batch<T>>::new();
    Box::new(move |payload| {
        let batch = format.decode(payload)?;
        Ok(json!({ "lineage": batch.lineage, "items": batch.items }))
    })
}
