//! Reads a stage's input again, record by record, with one consumer for all lanes.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::bail;
use bytes::Bytes;

use super::client::ANSWER_TIMEOUT;
use super::reader::{Read, Reader};
use crate::again::Again;
use crate::settings::Connection;

/// The input of a stage. Connects when it is first asked.
pub(crate) fn again(connection: &Connection, topic: &str) -> Again {
    let (connection, topic) = (connection.clone(), topic.to_owned());
    let kept: Mutex<Option<Reader>> = Mutex::new(None);
    Again::new(move |partition, offset| {
        let partition = partition as i32;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match kept.take() {
            Some(mut reader) => reader.seek(partition, offset).map(|()| reader)?,
            None => Reader::seeking(&connection, &topic, partition, offset)?,
        };
        let payload = read(&reader, offset)?;
        reader.rest()?;
        // After trouble the next one begins with a new client.
        *kept = Some(reader);
        Ok(payload)
    })
}

/// The payload at an offset; `None` when it has expired.
fn read(reader: &Reader, offset: i64) -> anyhow::Result<Option<Bytes>> {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        match reader.next(deadline.saturating_duration_since(Instant::now())) {
            Ok(Read::Record(fetched)) => {
                let record = fetched.record();
                let payload = record.payload.filter(|_| record.offset == offset);
                return Ok(payload.map(Bytes::copy_from_slice));
            }
            Ok(Read::End(_)) => return Ok(None),
            Ok(Read::Nothing) if Instant::now() < deadline => {}
            Ok(Read::Nothing) => bail!("no broker answered within {} s", ANSWER_TIMEOUT.as_secs()),
            Err(_) if offset < reader.range()?.0 => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}
