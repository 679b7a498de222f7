//! The stage: one [`Desk`] for each partition of `usage.events`.

use std::sync::Arc;

use schemas::topics;
use stream::reference::{Reference, ReferenceSink};
use stream::{Processor, Source, Stage};

use crate::config::{EnrichConfig, Limits};
use crate::desk::Desk;
use crate::owner::Directory;
use crate::price::PriceBook;

/// Makes charges of usage events.
#[derive(Debug)]
pub struct EnrichStage {
    config: EnrichConfig,
    prices: Arc<Reference<PriceBook>>,
    owners: Arc<Reference<Directory>>,
}

impl EnrichStage {
    /// A stage that prices and attributes by this reference data.
    pub fn new(config: EnrichConfig, prices: Arc<Reference<PriceBook>>, owners: Arc<Reference<Directory>>) -> Self {
        EnrichStage { config, prices, owners }
    }
}

impl Stage for EnrichStage {
    fn name(&self) -> &'static str {
        "enrich"
    }

    fn input(&self) -> &str {
        topics::EVENTS
    }

    fn outputs(&self) -> Vec<String> {
        vec![topics::CHARGES.to_owned(), topics::EVENTS.to_owned()]
    }

    fn references(&self) -> Vec<Arc<dyn ReferenceSink>> {
        vec![self.prices.clone(), self.owners.clone()]
    }

    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        let limits = Limits::of(&self.config, source.partitions);
        let growing = self.config.growing_extractor.clone();
        Box::new(Desk::new(source, limits, growing, self.prices.clone(), self.owners.clone()))
    }
}
