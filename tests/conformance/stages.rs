//! Two stages: one that packs batches, one that keeps state.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use schemas::codec::Format;
use schemas::ids::{hash_parts, partition, slot};
use schemas::{Batch, BatchItem, Text, record};
use stream::{Again, BatchWriter, Books, Halt, OutRecord, Output, Processor, Record, Source, Stage, Tick, TxMap};

use super::names;

record! {
    /// Money for an account.
    #[derive(Eq)]
    pub struct Deposit {
        /// Names it; unique.
        pub id: Text,
        /// Account.
        pub account: Text,
        /// Amount.
        pub amount: i64,
    }
}

impl schemas::Carries for Deposit {}
impl BatchItem for Deposit {
    const BATCH: &'static str = "DepositBatch";
}

/// Before an offset: asks for the amount of the deposit there once more.
pub(super) const AGAIN: &str = "again ";

/// Before milliseconds since 1970: whoever processes it does nothing else until then.
pub(super) const UNTIL: &str = "until ";

/// Packs deposits into batches by account.
pub struct Split {
    topics: [String; 3],
}

/// Adds deposits up.
pub struct Sum {
    topics: [String; 3],
}

impl Split {
    /// The stage on topics of this prefix.
    pub fn new(prefix: &str) -> Self {
        Split { topics: names(prefix) }
    }
}

impl Sum {
    /// The stage on topics of this prefix.
    pub fn new(prefix: &str) -> Self {
        Sum { topics: names(prefix) }
    }
}

impl Stage for Split {
    fn name(&self) -> &'static str {
        "split"
    }
    fn input(&self) -> &str {
        &self.topics[0]
    }
    fn outputs(&self) -> Vec<String> {
        vec![self.topics[1].clone()]
    }
    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        let middle = &self.topics[1];
        let batches = BatchWriter::new(middle, source.target_partitions(middle));
        Box::new(Splitting { batches, partition: source.partition, again: source.again.clone() })
    }
}

struct Splitting {
    batches: BatchWriter<Deposit>,
    partition: u32,
    again: Again,
}

impl Splitting {
    /// Somebody asks for a deposit once more: its amount is counted, or that it is gone.
    fn read_again(&self, offset: &str, books: &mut Books) -> Result<(), Halt> {
        let offset = offset.parse().map_err(|_| Halt::State(format!("{offset:?} is no offset")))?;
        let Some(payload) = self.again.read(self.partition, offset)? else {
            books.count("gone", 1);
            return Ok(());
        };
        let payload = String::from_utf8_lossy(&payload);
        let amount = payload.split_once(' ').and_then(|(_, amount)| amount.parse().ok());
        books.count("read_again", amount.ok_or_else(|| Halt::State(format!("{payload:?} is no deposit")))?);
        Ok(())
    }
}

impl Processor for Splitting {
    fn restore(&mut self, _: &[u8], _: Option<&[u8]>) -> Result<(), Halt> {
        Err(Halt::State("this stage keeps no state".to_owned()))
    }

    fn process(&mut self, records: &[Record<'_>], _: &Tick, books: &mut Books) -> Result<(), Halt> {
        for record in records {
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            let (account, payload) = (text(record.key), text(record.payload));
            if let Some(offset) = payload.strip_prefix(AGAIN) {
                self.read_again(offset, books)?;
                continue;
            }
            if let Some(until) = payload.strip_prefix(UNTIL) {
                let until = until.parse().map_err(|_| Halt::State(format!("{until:?} is no time")))?;
                let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(until);
                std::thread::sleep(moment.duration_since(SystemTime::now()).unwrap_or_default());
                continue;
            }
            let Some((id, amount)) = payload.split_once(' ') else {
                return Err(Halt::Undecodable { offset: record.offset, error: format!("{payload:?}") });
            };
            let amount = amount.parse().map_err(|_| Halt::State(format!("{amount:?} is not an amount")))?;
            let target = partition(slot(hash_parts([account.as_bytes()])), self.batches.partitions());
            self.batches.push(target, &Deposit { id: id.into(), account: account.into(), amount })?;
            books.count("deposits", 1);
        }
        if let Some(last) = records.last() {
            books.set_watermark(last.timestamp);
        }
        Ok(())
    }

    fn finish(&mut self, tick: &Tick, books: &mut Books, out: &mut Output) -> Result<(), Halt> {
        self.batches.finish(tick, books, out)
    }

    fn export(&self, _: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
        Ok(())
    }

    fn promote(&mut self) {}

    fn undo(&mut self) {
        self.batches.undo();
    }
}

impl Stage for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn input(&self) -> &str {
        &self.topics[1]
    }
    fn outputs(&self) -> Vec<String> {
        vec![self.topics[2].clone()]
    }
    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        Box::new(Summing {
            format: Format::new(),
            accounts: TxMap::default(),
            written: Vec::new(),
            output: Arc::from(&*self.topics[2]),
            partition: source.partition,
        })
    }
}

struct Summing {
    format: Format<Batch<Deposit>>,
    /// Deposits and balance of each account.
    accounts: TxMap<Text, (i64, i64)>,
    written: Vec<OutRecord>,
    output: Arc<str>,
    partition: u32,
}

impl Processor for Summing {
    fn restore(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Halt> {
        let account = Text::from(String::from_utf8_lossy(key));
        let value = value.map(|value| String::from_utf8_lossy(value).into_owned());
        let numbers = value.as_deref().map(|text| text.split_once(' ').unwrap_or_default());
        let parse = |text: &str| text.parse().map_err(|_| Halt::State(format!("{account}: {text:?} is no number")));
        let entry = numbers.map(|(count, sum)| Ok((parse(count)?, parse(sum)?))).transpose()?;
        self.accounts.restore(account, entry);
        Ok(())
    }

    fn process(&mut self, records: &[Record<'_>], tick: &Tick, books: &mut Books) -> Result<(), Halt> {
        for record in records {
            let Some(mut batch) = books.open::<Deposit>(&self.format, record, tick)? else { continue };
            while let Some(Deposit { id, account, amount }) = batch.next(books)? {
                let (count, sum) = self.accounts.entry(&account, || (0, 0));
                (*count, *sum) = (*count + 1, *sum + amount);
                let payload = format!("{id} {amount} {count} {sum}");
                self.written.push(OutRecord {
                    topic: self.output.clone(),
                    partition: self.partition,
                    key: Some(Bytes::from(account.to_string())),
                    payload: Some(Bytes::from(payload)),
                    headers: Vec::new(),
                    timestamp: None,
                });
                books.count("deposits", 1);
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &Tick, _: &mut Books, out: &mut Output) -> Result<(), Halt> {
        out.records.append(&mut self.written);
        for (account, entry) in self.accounts.changed() {
            let value = entry.map(|(count, sum)| Bytes::from(format!("{count} {sum}")));
            out.changes.push((Bytes::from(account.to_string()), value));
        }
        Ok(())
    }

    fn export(&self, entry: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
        for (account, (count, sum)) in self.accounts.iter() {
            entry(
                slot(hash_parts([account.as_bytes()])),
                Bytes::from(account.to_string()),
                Bytes::from(format!("{count} {sum}")),
            );
        }
        Ok(())
    }

    fn promote(&mut self) {
        self.accounts.promote();
    }

    fn undo(&mut self) {
        self.accounts.undo();
        self.written.clear();
    }
}
