//! Keeps reference data and operators' orders up to date: one thread a process, whatever the number of lanes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use schemas::codec::Format;
use schemas::{ReferenceItem, Skip, topics};

use super::doubt::Silence;
use super::now;
use super::reader::{Read, Reader};
use crate::processor::Stage;
use crate::reference::ReferenceSink;
use crate::settings::{Connection, Settings};
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// Lanes begin no transaction when the newest complete read of reference data is older than this.
const AGE_MAX: Duration = Duration::from_secs(10);

/// The end of each topic is asked for this often, to know that what was read is complete.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// What lanes see of it.
#[derive(Debug)]
pub(crate) struct Watch {
    skips: RwLock<Arc<Vec<Skip>>>,
    /// Microseconds since 1970 of the newest moment at which everything published until then was read.
    complete_at: AtomicI64,
}

impl Watch {
    /// Orders to go on past something.
    pub(crate) fn skips(&self) -> Arc<Vec<Skip>> {
        self.skips.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while reference data is fresh enough to work with.
    pub(crate) fn fresh(&self) -> bool {
        let age = now().micros().saturating_sub(self.complete_at.load(Ordering::Relaxed));
        age < AGE_MAX.as_micros() as i64
    }

    /// Starts the thread; returns when it has read everything once, or on shutdown.
    pub(crate) fn start(
        settings: &Settings,
        stages: &[Arc<dyn Stage>],
        shutdown: &Shutdown,
        telemetry: &Arc<Telemetry>,
    ) -> anyhow::Result<Arc<Watch>> {
        let watch =
            Arc::new(Watch { skips: RwLock::new(Arc::new(Vec::new())), complete_at: AtomicI64::new(i64::MIN / 2) });
        let mut sinks: BTreeMap<String, Vec<Arc<dyn ReferenceSink>>> = BTreeMap::new();
        for sink in stages.iter().flat_map(|stage| stage.references()) {
            // Several stages may share one.
            let sharing = sinks.entry(sink.topic()).or_default();
            if !sharing.iter().any(|known| Arc::ptr_eq(known, &sink)) {
                sharing.push(sink);
            }
        }
        let connection = &settings.connection;
        let mut references = Vec::new();
        for (topic, sinks) in sinks {
            references.push(Followed::open(connection, topic, References::new(sinks), telemetry)?);
        }
        let skips = Orders { format: Format::new(), known: Vec::new(), watch: watch.clone() };
        let skips = Followed::open(connection, topics::SKIPS.to_owned(), skips, telemetry)?;
        let thread = Thread { watch: watch.clone(), references, skips, shutdown: shutdown.clone() };
        std::thread::Builder::new()
            .name("references".to_owned())
            .spawn(move || thread.run())
            .context("start the thread that reads reference data")?;
        let began = Instant::now();
        while !watch.fresh() && !shutdown.wait(Duration::from_millis(10)) {
            anyhow::ensure!(
                began.elapsed() < Duration::from_secs(60),
                "reference topics could not be read to their end within 60 s; the log says what the broker answered"
            );
        }
        Ok(watch)
    }
}

struct Thread {
    watch: Arc<Watch>,
    references: Vec<Followed<References>>,
    skips: Followed<Orders>,
    shutdown: Shutdown,
}

impl Thread {
    fn run(mut self) {
        let mut check_at = Instant::now();
        while !self.shutdown.wait(Duration::from_millis(20)) {
            let asked_at = now();
            let check = Instant::now() >= check_at;
            let mut complete = self.skips.follow(check);
            for followed in &mut self.references {
                complete &= followed.follow(check);
            }
            if check && complete {
                self.watch.complete_at.store(asked_at.micros(), Ordering::Relaxed);
            }
            // What is not read to its end yet is looked at again at once; a broker that does not answer is not asked more often for it.
            let silent = self.skips.unasked.is() || self.references.iter().any(|followed| followed.unasked.is());
            if check && (complete || silent || self.watch.fresh()) {
                check_at = Instant::now() + CHECK_EVERY;
            }
        }
    }
}

/// Takes records of one topic.
trait Take {
    fn take(&mut self, topic: &str, offset: i64, payload: &[u8]);
    /// Everything that is there was taken.
    fn settle(&mut self, topic: &str);
}

/// Something that goes wrong again and again: said when it begins, and when it is something else.
#[derive(Debug, Default)]
struct Trouble(Option<String>);

impl Trouble {
    /// What to say of it, when it is news.
    fn news(&mut self, error: &anyhow::Error) -> Option<&str> {
        let error = format!("{error:#}");
        let news = self.0.as_ref() != Some(&error);
        let said = self.0.insert(error);
        news.then_some(said.as_str())
    }

    fn is(&self) -> bool {
        self.0.is_some()
    }

    /// It is over. True when there was any.
    fn over(&mut self) -> bool {
        self.0.take().is_some()
    }
}

struct Followed<T> {
    connection: Connection,
    topic: String,
    reader: Reader,
    /// Where reading goes on.
    next: i64,
    /// Everything below this offset was taken.
    read_to: i64,
    /// Why the end cannot be asked for.
    unasked: Trouble,
    /// How long that lasts. The client is then replaced, whatever another is told: nothing is lost with it.
    silence: Silence,
    /// Why it cannot be read on.
    unread: Trouble,
    into: T,
    telemetry: Arc<Telemetry>,
}

impl<T> Followed<T> {
    fn open(connection: &Connection, topic: String, into: T, telemetry: &Arc<Telemetry>) -> anyhow::Result<Self> {
        let reader = Reader::open(connection, &topic, 0, None)?;
        let (unasked, unread, silence) = (Trouble::default(), Trouble::default(), Silence::default());
        let (connection, telemetry) = (connection.clone(), telemetry.clone());
        Ok(Followed { connection, topic, reader, next: -1, read_to: -1, unasked, silence, unread, into, telemetry })
    }

    /// Reads on with another client.
    fn replace(&mut self) {
        let from = (self.next >= 0).then_some(self.next);
        match Reader::open(&self.connection, &self.topic, 0, from) {
            Ok(reader) => {
                tracing::warn!(
                    topic = self.topic,
                    "no answer about a reference topic for long: asking with another client"
                );
                self.telemetry.client_replaced("references");
                self.reader = reader;
            }
            Err(error) => {
                tracing::warn!(topic = self.topic, error = format!("{error:#}"), "no other client can be made")
            }
        }
    }
}

impl<T: Take> Followed<T> {
    /// Takes what has come; when asked to check, true means that nothing published before the call is missing.
    fn follow(&mut self, check: bool) -> bool {
        let end = match check.then(|| self.reader.range()) {
            Some(Ok((_, end))) => {
                self.silence.ends();
                if self.unasked.over() {
                    tracing::info!(topic = self.topic, "the end of a reference topic is known again");
                }
                Some(end)
            }
            Some(Err(error)) => {
                if let Some(error) = self.unasked.news(&error) {
                    tracing::info!(topic = self.topic, error, "cannot ask for the end of a reference topic");
                }
                if self.silence.goes_on(Instant::now()) {
                    self.replace();
                }
                None
            }
            None => None,
        };
        let deadline = Instant::now() + CHECK_EVERY;
        while Instant::now() < deadline {
            let behind = end.is_some_and(|end| self.read_to < end);
            match self.reader.next(if behind { Duration::from_millis(50) } else { Duration::ZERO }) {
                Ok(Read::Record(fetched)) => {
                    self.unread.over();
                    let record = fetched.record();
                    self.next = record.offset + 1;
                    if let Some(payload) = record.payload {
                        self.into.take(&self.topic, record.offset, payload);
                    }
                }
                Ok(Read::End(offset)) => {
                    self.unread.over();
                    self.into.settle(&self.topic);
                    (self.next, self.read_to) = (offset, offset);
                }
                Ok(Read::Nothing) if behind => {}
                Ok(Read::Nothing) => break,
                Err(error) => {
                    if let Some(error) = self.unread.news(&error) {
                        tracing::warn!(topic = self.topic, error, "cannot read on");
                    }
                    break;
                }
            }
        }
        end.is_some_and(|end| self.read_to >= end)
    }
}

/// Reference items on their way to the services that use them.
struct References {
    format: Format<ReferenceItem>,
    sinks: Vec<Arc<dyn ReferenceSink>>,
    pending: Vec<ReferenceItem>,
}

impl References {
    fn new(sinks: Vec<Arc<dyn ReferenceSink>>) -> Self {
        References { format: Format::new(), sinks, pending: Vec::new() }
    }
}

impl Take for References {
    fn take(&mut self, topic: &str, offset: i64, payload: &[u8]) {
        match self.format.decode(payload) {
            Ok(item) => {
                let complete = matches!(item, ReferenceItem::Manifest(_));
                self.pending.push(item);
                // Version by version, so that one that cannot be used does not take later ones with it.
                if complete {
                    self.settle(topic);
                }
            }
            Err(error) => tracing::error!(topic, offset, %error, "reference item cannot be decoded: left out"),
        }
    }

    fn settle(&mut self, topic: &str) {
        if self.pending.is_empty() {
            return;
        }
        let items = std::mem::take(&mut self.pending);
        for sink in &self.sinks {
            if let Err(error) = sink.apply(items.clone()) {
                let error = format!("{error:#}");
                tracing::error!(topic, error, "reference data cannot be used: what it would judge waits");
            }
        }
    }
}

/// Orders of operators.
struct Orders {
    format: Format<Skip>,
    known: Vec<Skip>,
    watch: Arc<Watch>,
}

impl Take for Orders {
    fn take(&mut self, topic: &str, offset: i64, payload: &[u8]) {
        match self.format.decode(payload) {
            Ok(skip) => self.known.push(skip),
            Err(error) => tracing::error!(topic, offset, %error, "order to skip cannot be decoded: left out"),
        }
    }

    fn settle(&mut self, _: &str) {
        if self.known.len() != self.watch.skips().len() {
            *self.watch.skips.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(self.known.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_again_and_again_is_said_when_it_changes() {
        let mut trouble = Trouble::default();
        let away = || anyhow::anyhow!("leader is not available").context("ask for the range of ref.prices/0");
        assert!(!trouble.is() && !trouble.over());
        assert_eq!(trouble.news(&away()), Some("ask for the range of ref.prices/0: leader is not available"));
        assert_eq!(trouble.news(&away()), None);
        assert_eq!(trouble.news(&anyhow::anyhow!("timed out")), Some("timed out"));
        assert_eq!(trouble.news(&anyhow::anyhow!("timed out")), None);
        assert!(trouble.is() && trouble.over() && !trouble.over());
        assert!(trouble.news(&away()).is_some(), "it began anew");
    }
}
