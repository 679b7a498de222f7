//! Records of a topic that cannot be decoded: left out where an operator has ordered it, and named where not.

use anyhow::{Context as _, bail};
use schemas::Skip;
use stream::{Halt, Log};

/// Orders of operators to leave records out, read when the first record is met that cannot be decoded.
pub(crate) struct LeftOut<'a> {
    log: &'a dyn Log,
    orders: Option<Vec<Skip>>,
}

impl<'a> LeftOut<'a> {
    pub(crate) fn new(log: &'a dyn Log) -> Self {
        LeftOut { log, orders: None }
    }

    /// Passes where some reader of the record was ordered to leave it out: it is broken for all of them.
    ///
    /// # Errors
    /// The sentence that names the record, and the order that the table `reader` waits for.
    pub(crate) fn pass(
        &mut self,
        reader: &str,
        topic: &str,
        partition: u32,
        offset: i64,
        error: &anyhow::Error,
    ) -> anyhow::Result<()> {
        let orders = match &mut self.orders {
            Some(orders) => orders,
            none => none.insert(stream::log::skips(self.log).context("read the orders of operators")?),
        };
        let is_ordered = |skip: &Skip| skip.is_for(&skip.stage, topic, partition) && skip.leaves_out(offset);
        if orders.iter().any(is_ordered) {
            return Ok(());
        }
        let halt = Halt::Undecodable { offset, error: format!("{error:#}") };
        let skip = halt.skip(reader, topic, partition).unwrap_or_default();
        bail!(
            "the record of {topic}/{partition} at offset {offset} cannot be decoded: {error:#}. Where a newer release wrote it, use that \
             release; where it is broken, leave it out with `{skip}`"
        )
    }
}
