//! The stage: one [`Desk`] for each partition of `usage.events`.

use std::sync::Arc;

use schemas::topics;
use stream::reference::{Reference, ReferenceSink};
use stream::{Needs, Processor, Scratch, Source, Stage};

use crate::config::{EnrichConfig, Limits};
use crate::desk::Desk;
use crate::metrics::Metrics;
use crate::owner::Directory;
use crate::price::PriceBook;

/// Makes charges of usage events.
#[derive(Debug)]
pub struct EnrichStage {
    config: EnrichConfig,
    scratch: Arc<Scratch>,
    prices: Arc<Reference<PriceBook>>,
    owners: Arc<Reference<Directory>>,
    metrics: Arc<Metrics>,
}

impl EnrichStage {
    /// A stage that prices and attributes by this reference data. Ids that do not fit into memory go to `scratch`.
    pub fn new(
        config: EnrichConfig,
        scratch: Arc<Scratch>,
        prices: Arc<Reference<PriceBook>>,
        owners: Arc<Reference<Directory>>,
    ) -> Self {
        EnrichStage { config, scratch, prices, owners, metrics: Arc::default() }
    }

    /// Adds the metrics of what is remembered to those of the service.
    ///
    /// # Errors
    /// When another stage has done so already.
    pub fn register_metrics(&self, registry: &prometheus::Registry) -> anyhow::Result<()> {
        self.metrics.register(registry)
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

    fn needs(&self) -> Needs {
        Needs::Within(self.config.dedup_horizon)
    }

    fn references(&self) -> Vec<Arc<dyn ReferenceSink>> {
        vec![self.prices.clone(), self.owners.clone()]
    }

    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        let limits = Limits::of(&self.config, source.partitions);
        let (prices, owners) = (self.prices.clone(), self.owners.clone());
        let growing = self.config.growing_extractor.clone();
        Box::new(Desk::new(source, limits, growing, &self.scratch, prices, owners, self.metrics.clone()))
    }
}
