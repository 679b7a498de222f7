//! Reading once more what a stage has read before: its input stays in the log, so its state need not hold it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::processor::Halt;

/// Payloads held of those that were read last: what is asked for together mostly came together.
const HELD_MAX: usize = 16;

/// The input of a stage, read by place. Nothing can be read where the driver offers none, which is what
/// [`Again::default`] is.
#[derive(Clone, Default)]
pub struct Again(Option<Arc<Input>>);

struct Input {
    fetch: Box<dyn Fn(u32, i64) -> anyhow::Result<Option<Bytes>> + Send + Sync>,
    held: Mutex<VecDeque<((u32, i64), Bytes)>>,
}

impl Again {
    /// Reads with `fetch`: partition and offset to the payload, `None` when the record has expired.
    pub fn new(fetch: impl Fn(u32, i64) -> anyhow::Result<Option<Bytes>> + Send + Sync + 'static) -> Self {
        Again(Some(Arc::new(Input { fetch: Box::new(fetch), held: Mutex::default() })))
    }

    /// The payload of the record at an offset the stage has committed; `None` when it has expired, or has none.
    ///
    /// A request, and may wait for a broker: meant for what is rarely asked.
    ///
    /// # Errors
    /// [`Halt::State`] when the log cannot be read now.
    pub fn read(&self, partition: u32, offset: i64) -> Result<Option<Bytes>, Halt> {
        let Some(input) = &self.0 else { return Ok(None) };
        let place = (partition, offset);
        let held = || input.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, payload)) = held().iter().find(|(at, _)| *at == place) {
            return Ok(Some(payload.clone()));
        }
        let payload = (input.fetch)(partition, offset).map_err(|error| {
            Halt::State(format!(
                "the record at offset {offset} cannot be read again: {error:#}. The partition goes on by itself once it can"
            ))
        })?;
        if let Some(payload) = &payload {
            let mut held = held();
            held.truncate(HELD_MAX - 1);
            held.push_front((place, payload.clone()));
        }
        Ok(payload)
    }
}

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Again" } else { "Again(nothing)" })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_was_read_last_is_held_what_has_expired_is_none_and_trouble_is_told() {
        let reads = Arc::new(AtomicUsize::new(0));
        let count = reads.clone();
        let again = Again::new(move |partition, offset| {
            count.fetch_add(1, Ordering::Relaxed);
            match offset {
                0 => Ok(None),
                1_000.. => Err(anyhow::anyhow!("no broker answers")),
                _ => Ok(Some(Bytes::from(format!("{partition}/{offset}")))),
            }
        });
        for offset in (1..=20).chain(5..=20) {
            assert_eq!(again.read(3, offset).unwrap().unwrap(), format!("3/{offset}"));
        }
        assert_eq!(reads.load(Ordering::Relaxed), 20, "the last sixteen are held");
        assert_eq!(again.read(4, 20).unwrap().unwrap(), "4/20", "another partition's are others");
        assert_eq!(again.read(3, 0), Ok(None));
        let halt = again.read(3, 1_000).unwrap_err().to_string();
        assert!(halt.contains("offset 1000") && halt.contains("no broker answers"), "{halt}");
        assert_eq!(Again::default().read(3, 1), Ok(None));
    }
}
