//! The delivery ledger: a folder of the lake, of small files that are written once.
//!
//! ```text
//! _alerts/ledger/<day>/<alert id>/alert.json               the alert, the routes it goes to, and the name it is sent under
//! _alerts/ledger/<day>/<alert id>/<route>/001-attempt.json  about to be sent
//! _alerts/ledger/<day>/<alert id>/<route>/001-outcome.json  how that went
//! _alerts/open/<partition>/<day>/<alert id>                 not settled on every route yet
//! _alerts/origins/<dedup key>                               the name that a crossing is sent under, and so its recovery
//! _alerts/read/<partition>/<topic>/<offset>                 where reading `spend.alerts` goes on, of the topic of this number
//! _alerts/read/<partition>/<offset>                         the same, where it is not known of which topic
//! ```
//!
//! The day is that of the crossing. An attempt can be recorded once, so of two processes one sends.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt, PutMode, PutOptions};
use schemas::codec::Format;
use schemas::{Alert, Direction, Id128, Timestamp};
use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, Outcome};
use super::drivers::Driver;
use super::origin::Origin;
use crate::lake::Lake;

/// Alerts read at a time. Ten thousand, one after another from a bucket, would take ten minutes, and new ones would wait
/// for them.
const READS_MAX: usize = 64;

/// Where the files of an alert are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Day of the crossing, in UTC.
    pub day: NaiveDate,
    /// Its id.
    pub alert_id: Id128,
}

impl Place {
    /// The place of an alert.
    pub fn of(alert: &Alert) -> Self {
        let day = NaiveDate::from_epoch_days(alert.booked_at.days()).unwrap_or_default();
        Place { day, alert_id: alert.alert_id }
    }

    fn path(&self) -> String {
        format!("{}/{}", self.day, self.alert_id)
    }
}

/// An alert and what became of it, by route.
#[derive(Debug, Clone, PartialEq)]
pub struct Sending {
    /// The alert.
    pub alert: Alert,
    /// What drove its spend when it was taken in.
    pub drivers: Vec<Driver>,
    /// The name it is sent under.
    pub origin: Origin,
    /// Attempts on every route it goes to.
    pub routes: BTreeMap<String, Vec<Attempt>>,
}

/// A file that says where reading goes on.
#[derive(Debug)]
struct Position {
    offset: i64,
    /// Number of the topic, where it says so.
    topic: Option<i64>,
    file: Path,
}

#[derive(Debug, Serialize, Deserialize)]
struct Accepted {
    routes: Vec<String>,
    /// Base64 of the record as it was in the topic's format.
    alert: String,
    /// Not in ledgers of release 0.1.0.
    #[serde(default)]
    drivers: Vec<Driver>,
    /// Older releases sent everything under no name.
    #[serde(default)]
    origin: Origin,
}

#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    at_micros: i64,
    /// The process that sends.
    by: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    at_micros: i64,
    #[serde(flatten)]
    outcome: Outcome,
}

/// The delivery ledger of a lake. Its methods block.
#[derive(Debug, Clone)]
pub struct Ledger {
    lake: Lake,
    /// Names this process.
    by: String,
}

impl Ledger {
    /// The ledger of a lake.
    pub fn of(lake: &Lake) -> Self {
        Ledger { lake: lake.clone(), by: uuid::Uuid::new_v4().simple().to_string() }
    }

    #[cfg(test)]
    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Takes an alert in for these routes, to be sent under a name. Doing it again changes nothing.
    ///
    /// # Errors
    /// When the lake cannot be written.
    pub fn accept(
        &self,
        partition: u32,
        alert: &Alert,
        drivers: &[Driver],
        routes: &[String],
        origin: &Origin,
    ) -> anyhow::Result<()> {
        let place = Place::of(alert);
        let name = format!("ledger/{}/alert.json", place.path());
        // What a release took in that knew no names keeps none, also where the process ended before its position moved.
        if self.lake.wait(self.find::<Accepted>(&self.path(&name)?))?.is_none() {
            let origin = self.origin(alert, origin)?;
            let (routes, drivers) = (routes.to_vec(), drivers.to_vec());
            let accepted = Accepted { routes, alert: STANDARD.encode(Format::new().encode(alert)), drivers, origin };
            self.create(&name, serde_json::to_string(&accepted)?)?;
        }
        self.create(&format!("open/{partition:05}/{}", place.path()), String::new())?;
        Ok(())
    }

    /// The name an alert is sent under: a crossing under ours, which is written down, and a recovery under the one of the
    /// crossing it resolves. Where that has none, it was sent by a release that knew no names, or not at all.
    fn origin(&self, alert: &Alert, ours: &Origin) -> anyhow::Result<Origin> {
        let file = format!("origins/{}", alert.dedup_key);
        if alert.direction == Direction::Up
            && ours.name().is_some()
            && self.create(&file, serde_json::to_string(ours)?)?
        {
            return Ok(ours.clone());
        }
        Ok(self.lake.wait(self.find(&self.path(&file)?))?.unwrap_or_default())
    }

    /// Alerts of a partition that are not settled on every route, in the order they were emitted in: their files are named
    /// by hashes, by which every other recovery would come before the crossing it resolves.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn open(&self, partition: u32) -> anyhow::Result<Vec<Sending>> {
        let prefix = self.path(&format!("open/{partition:05}"))?;
        let files = self.lake.wait(self.list(&prefix))?;
        let places = files.iter().filter_map(|file| {
            let mut parts = file.location.parts().collect::<Vec<_>>().into_iter().rev();
            let alert_id = parts.next()?.as_ref().parse().ok()?;
            Some(Place { day: parts.next()?.as_ref().parse().ok()?, alert_id })
        });
        let looks = futures::stream::iter(places).map(|place| self.look(place)).buffer_unordered(READS_MAX);
        let mut open = self.lake.wait(looks.try_collect::<Vec<_>>())?;
        open.sort_by_key(|Sending { alert, .. }| (alert.emitted_at, alert.direction, alert.alert_id));
        Ok(open)
    }

    /// Every route is through with an alert.
    ///
    /// # Errors
    /// When the lake cannot be written.
    pub fn settle(&self, partition: u32, place: &Place) -> anyhow::Result<()> {
        self.delete(&self.path(&format!("open/{partition:05}/{}", place.path()))?)
    }

    /// What is known of an alert.
    ///
    /// # Errors
    /// When the lake cannot be read, or has no such alert.
    pub fn sending(&self, place: &Place) -> anyhow::Result<Sending> {
        self.lake.wait(self.look(place.clone()))
    }

    async fn look(&self, place: Place) -> anyhow::Result<Sending> {
        let folder = format!("ledger/{}", place.path());
        let accepted = self.read::<Accepted>(&self.path(&format!("{folder}/alert.json"))?).await?;
        let payload = STANDARD.decode(&accepted.alert).context("decode the alert")?;
        let alert = Format::<Alert>::new().decode(&payload).context("decode the alert")?;
        let mut routes: BTreeMap<String, Vec<Attempt>> =
            accepted.routes.iter().map(|route| (route.clone(), Vec::new())).collect();
        let mut files = self.list(&self.path(&folder)?).await?;
        // Attempts come before their outcomes, and earlier ones first.
        files.sort_by(|a, b| a.location.cmp(&b.location));
        for file in files {
            let mut parts = file.location.parts().collect::<Vec<_>>().into_iter().rev();
            let (Some(name), Some(route)) = (parts.next(), parts.next()) else { continue };
            let attempts = routes.entry(route.as_ref().to_owned());
            if name.as_ref().ends_with("-attempt.json") {
                let at = Timestamp::from_micros(self.read::<Begun>(&file.location).await?.at_micros);
                attempts.or_default().push(Attempt { at, outcome: None });
            } else if name.as_ref().ends_with("-outcome.json") {
                let ended = self.read::<Ended>(&file.location).await?;
                let number: usize = name.as_ref().get(..3).and_then(|text| text.parse().ok()).unwrap_or_default();
                if let Some(attempt) = attempts.or_default().get_mut(number.wrapping_sub(1)) {
                    attempt.outcome = Some((Timestamp::from_micros(ended.at_micros), ended.outcome));
                }
            }
        }
        Ok(Sending { alert, drivers: accepted.drivers, origin: accepted.origin, routes })
    }

    /// Alerts that were crossed on a day, or on any.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn places(&self, day: Option<NaiveDate>) -> anyhow::Result<Vec<Place>> {
        let prefix = self.path(&day.map_or("ledger".to_owned(), |day| format!("ledger/{day}")))?;
        let files = self.lake.wait(self.list(&prefix))?;
        let mut places: Vec<Place> = files
            .iter()
            .filter_map(|file| {
                let parts: Vec<_> = file.location.parts().collect();
                let [.., day, alert_id, name] = parts.as_slice() else { return None };
                let alert_id = alert_id.as_ref().parse().ok()?;
                (name.as_ref() == "alert.json").then_some(())?;
                Some(Place { day: day.as_ref().parse().ok()?, alert_id })
            })
            .collect();
        places.sort();
        Ok(places)
    }

    /// Records that an attempt is about to be made; false when another process has recorded it.
    ///
    /// # Errors
    /// When the lake cannot be written: then nothing may be sent.
    pub fn begin(&self, place: &Place, route: &str, number: u32, at: Timestamp) -> anyhow::Result<bool> {
        let name = format!("ledger/{}/{route}/{number:03}-attempt.json", place.path());
        let begun = Begun { at_micros: at.micros(), by: self.by.clone() };
        if self.create(&name, serde_json::to_string(&begun)?)? {
            return Ok(true);
        }
        // It may be our own, whose answer was lost.
        Ok(self.lake.wait(self.read::<Begun>(&self.path(&name)?))?.by == self.by)
    }

    /// Records how an attempt ended.
    ///
    /// # Errors
    /// When the lake cannot be written.
    pub fn end(&self, place: &Place, route: &str, number: u32, at: Timestamp, outcome: &Outcome) -> anyhow::Result<()> {
        let name = format!("ledger/{}/{route}/{number:03}-outcome.json", place.path());
        let ended = Ended { at_micros: at.micros(), outcome: outcome.clone() };
        self.create(&name, serde_json::to_string(&ended)?).map(drop)
    }

    /// Offset from which a partition of `spend.alerts` is to be read on, and the number of the topic it is of, where the ledger says so;
    /// `None` where nothing of it was read. What is read now is the topic `ours`.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn position(&self, partition: u32, ours: Option<i64>) -> anyhow::Result<Option<(i64, Option<i64>)>> {
        let positions = self.positions(partition)?.into_iter().map(|position| (position.offset, position.topic));
        // Two topics are there where a process ended between writing the one and deleting the other.
        Ok(positions.max_by_key(|(offset, topic)| (*topic == ours, *offset)))
    }

    /// Moves it, in the topic of this number. Where none is known it is taken for the one it was of before.
    ///
    /// # Errors
    /// When the lake cannot be written.
    pub fn set_position(&self, partition: u32, offset: i64, topic: Option<i64>) -> anyhow::Result<()> {
        let before = self.positions(partition)?;
        let topic = topic.or_else(|| before.iter().max_by_key(|position| position.offset)?.topic);
        let folder = topic.map_or_else(String::new, |topic| format!("{topic}/"));
        self.create(&format!("read/{partition:05}/{folder}{offset:020}"), String::new())?;
        for old in before.iter().filter(|old| old.topic != topic || old.offset < offset) {
            self.delete(&old.file)?;
        }
        Ok(())
    }

    fn positions(&self, partition: u32) -> anyhow::Result<Vec<Position>> {
        let prefix = self.path(&format!("read/{partition:05}"))?;
        let files = self.lake.wait(self.list(&prefix))?.into_iter();
        let position = |file: Path| {
            let offset = file.filename()?.parse().ok()?;
            let topic = match file.prefix_match(&prefix)?.collect::<Vec<_>>().as_slice() {
                [topic, _] => Some(topic.as_ref().parse().ok()?),
                _ => None,
            };
            Some(Position { offset, topic, file })
        };
        Ok(files.filter_map(|file| position(file.location)).collect())
    }

    fn path(&self, name: &str) -> anyhow::Result<Path> {
        self.lake.path(&format!("_alerts/{name}"))
    }

    /// Writes a file that is not there yet; false when it is.
    fn create(&self, name: &str, text: String) -> anyhow::Result<bool> {
        let path = self.path(name)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.lake.wait(self.lake.store().put_opts(&path, text.into(), options)) {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("write {path}")),
        }
    }

    async fn list(&self, prefix: &Path) -> anyhow::Result<Vec<ObjectMeta>> {
        let files = self.lake.store().list(Some(prefix)).try_collect::<Vec<_>>().await;
        files.with_context(|| format!("list {prefix}"))
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, path: &Path) -> anyhow::Result<T> {
        self.find(path).await?.with_context(|| format!("{path} is not there"))
    }

    /// What is in a file; `None` where there is none.
    async fn find<T: serde::de::DeserializeOwned>(&self, path: &Path) -> anyhow::Result<Option<T>> {
        let file = match self.lake.store().get(path).await {
            Err(StoreError::NotFound { .. }) => return Ok(None),
            file => file.with_context(|| format!("read {path}"))?,
        };
        let bytes = file.bytes().await.with_context(|| format!("read {path}"))?;
        if bytes.is_empty() {
            bail!("{path} is empty");
        }
        serde_json::from_slice(&bytes).map(Some).with_context(|| format!("read {path}"))
    }

    fn delete(&self, path: &Path) -> anyhow::Result<()> {
        match self.lake.wait(self.lake.store().delete(path)) {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("delete {path}")),
        }
    }
}
