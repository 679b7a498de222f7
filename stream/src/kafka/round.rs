//! What a producer is given before it is flushed: no more than one request for each partition.
//!
//! librdkafka keeps a partition's next request back while five *records* of the one before are on their way (it counts records
//! where five requests are allowed), and until the answer comes the client's thread looks, without a pause, whether it may send now.
//! That takes a whole processor for as long as the brokers take: beside a broker that has none to spare, most of its time.

use super::client::REQUEST_RECORDS_MAX;
use super::producer::Write;

/// Most that a record adds to a request besides its key, value and headers, and a header besides its own.
const RECORD_OVERHEAD: usize = 40;
const HEADER_OVERHEAD: usize = 10;

/// What a request for one partition begins with.
const REQUEST_OVERHEAD: usize = 100;

/// What each partition was given since everything was written last.
#[derive(Debug)]
pub(crate) struct Round {
    requests: Vec<Request>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Request {
    topic: String,
    partition: u32,
    records: usize,
    bytes: usize,
}

impl Round {
    /// Of requests of at most so many bytes, before they are packed.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Round { requests: Vec::new(), bytes_max }
    }

    /// Everything is written.
    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }

    /// Takes a record that goes into the same request as the others of its partition; false if it needs another one.
    pub(crate) fn takes(&mut self, write: &Write<'_>) -> bool {
        let bytes = bytes(write);
        let same = |request: &&mut Request| request.partition == write.partition && request.topic == write.topic;
        // Most records go where the one before them went.
        match self.requests.iter_mut().rev().find(same) {
            Some(request) if request.records == REQUEST_RECORDS_MAX || request.bytes + bytes > self.bytes_max => false,
            Some(request) => {
                request.records += 1;
                request.bytes += bytes;
                true
            }
            None => {
                let (topic, partition, bytes) = (write.topic.to_owned(), write.partition, REQUEST_OVERHEAD + bytes);
                self.requests.push(Request { topic, partition, records: 1, bytes });
                true
            }
        }
    }
}

/// What a record takes in a request at most.
fn bytes(write: &Write<'_>) -> usize {
    let headers: usize = write.headers.iter().map(|(key, value)| key.len() + value.len() + HEADER_OVERHEAD).sum();
    write.key.map_or(0, <[u8]>::len) + write.payload.map_or(0, <[u8]>::len) + headers + RECORD_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::super::client::{REQUEST_BYTES_MAX, STAGE_REQUEST_BYTES_MAX};
    use super::*;
    use crate::BATCH_BYTES_MAX;

    fn write<'a>(partition: u32, payload: &'a [u8]) -> Write<'a> {
        let key = Some(&b"key"[..]);
        Write { topic: "changelog", partition, key, payload: Some(payload), headers: &[], timestamp: None }
    }

    #[test]
    fn a_partition_takes_one_request_of_records_whatever_others_take() {
        let mut round = Round::new(REQUEST_BYTES_MAX);
        assert!((0..REQUEST_RECORDS_MAX).all(|_| round.takes(&write(0, b"")) && round.takes(&write(1, b""))));
        assert!(!round.takes(&write(0, b"")) && !round.takes(&write(1, b"")) && round.takes(&write(2, b"")));
        let other = Write { topic: "ledger", ..write(0, b"") };
        assert!(round.takes(&other));
    }

    #[test]
    fn a_partition_takes_one_request_of_bytes_and_always_its_first_record() {
        let half = vec![0; REQUEST_BYTES_MAX / 2];
        let mut round = Round::new(REQUEST_BYTES_MAX);
        assert!(
            round.takes(&write(0, &half)) && !round.takes(&write(0, &half)),
            "two and what surrounds them are more"
        );
        assert!(round.takes(&write(0, b"small")), "what was refused does not count");
        let whole = vec![0; 2 * REQUEST_BYTES_MAX];
        assert!(round.takes(&write(1, &whole)) && !round.takes(&write(1, b"")));
    }

    #[test]
    fn a_request_of_a_stage_takes_three_full_batches() {
        let batch = vec![0; BATCH_BYTES_MAX + 4_096];
        let mut round = Round::new(STAGE_REQUEST_BYTES_MAX);
        assert_eq!([(); 4].map(|()| round.takes(&write(0, &batch))), [true, true, true, false]);
        round.clear();
        assert!(round.takes(&write(0, &batch)), "what is written does not count");
    }
}
