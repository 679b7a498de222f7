//! A table in a folder whose store answers when it is told to: each write is a file, and its name holds the offsets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use schemas::{Skip, Timestamp};
use stream::{Halt, Record, Table};

/// The table. Every row is a line: partition, offset and bytes of a record.
pub struct Shelf {
    folder: PathBuf,
    input: String,
    buffer: String,
    bytes: usize,
    positions: BTreeMap<u32, i64>,
    /// Which topic of the name it is filled from.
    topic: Option<i64>,
    orders: Arc<Vec<Skip>>,
}

impl Shelf {
    /// A table of a topic in a folder. Writes wait until the folder holds a file `open`.
    pub fn new(folder: PathBuf, input: String) -> Self {
        Shelf {
            folder,
            input,
            buffer: String::new(),
            bytes: 0,
            positions: BTreeMap::new(),
            topic: None,
            orders: Arc::default(),
        }
    }

    /// The topic its rows are of, where it is another one than that it is filled from.
    fn other(&self) -> Option<i64> {
        let known: i64 = std::fs::read_to_string(self.folder.join("topic")).ok()?.parse().ok()?;
        (known != self.topic?).then_some(known)
    }
}

impl Table for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    fn input(&self) -> &str {
        &self.input
    }

    fn heed(&mut self, orders: &Arc<Vec<Skip>>) {
        self.orders = orders.clone();
    }

    fn comes_from(&mut self, topic: Option<i64>) {
        self.topic = topic;
    }

    fn refuses(&self, partition: u32) -> Option<Halt> {
        Some(Halt::Unfounded {
            why: format!("its rows are of the topic {}", self.other()?),
            source_topic: self.input.clone(),
            source_partition: partition as i32,
            sequence: self.topic?,
        })
    }

    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        let lifted = |halt: Halt| self.orders.iter().any(|order| halt.is_lifted_by(order));
        if partitions.iter().any(|partition| self.refuses(*partition).is_some_and(lifted)) {
            // What it had is put away: it begins the other topic from its first record.
            let away = self.folder.join("before");
            std::fs::create_dir_all(&away)?;
            for file in std::fs::read_dir(&self.folder)?
                .flatten()
                .filter(|file| file.path().extension().is_some_and(|is| is == "rows"))
            {
                std::fs::rename(file.path(), away.join(file.file_name()))?;
            }
            std::fs::remove_file(self.folder.join("topic"))?;
        }
        let mut positions = BTreeMap::new();
        for file in std::fs::read_dir(&self.folder)? {
            let name = file?.file_name().into_string().ok().context("a name of ours")?;
            let parts = name.strip_suffix(".rows").into_iter().flat_map(|name| name.split('_'));
            for part in parts {
                let (partition, offset) = part.split_once('=').context("a name of ours")?;
                let position = positions.entry(partition.parse::<u32>()?).or_insert(0);
                *position = offset.parse::<i64>()?.max(*position);
            }
        }
        Ok(partitions.iter().map(|partition| (*partition, positions.get(partition).copied())).collect())
    }

    fn revoke(&mut self, _: &[u32]) {
        // The only member of its group gives everything up or nothing.
        (self.bytes, self.buffer, self.positions) = (0, String::new(), BTreeMap::new());
    }

    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt> {
        for record in records {
            let bytes = record.payload.map_or(0, <[u8]>::len);
            self.buffer.push_str(&format!("{partition} {} {bytes}\n", record.offset));
            self.bytes += bytes;
        }
        self.positions.insert(partition, position);
        Ok(())
    }

    fn due(&self, _: Timestamp) -> bool {
        self.bytes > 0
    }

    fn buffered_bytes(&self) -> usize {
        self.bytes
    }

    fn flush(&mut self, _: Timestamp) -> anyhow::Result<()> {
        std::fs::write(self.folder.join("waiting"), "")?;
        while !self.folder.join("open").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let name: Vec<String> =
            self.positions.iter().map(|(partition, position)| format!("{partition}={position}")).collect();
        if let Some(topic) = self.topic {
            std::fs::write(self.folder.join("topic"), topic.to_string())?;
        }
        let written = self.folder.join("written");
        std::fs::write(&written, &self.buffer)?;
        std::fs::rename(written, self.folder.join(name.join("_") + ".rows"))?;
        self.revoke(&[]);
        Ok(())
    }
}
