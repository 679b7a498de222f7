//! Confluent schema registry: published schemas are registered once at start, and framed by their id from then on.
//!
//! Subjects follow `RecordNameStrategy` (`spendstream.ChargeBatch`), so that a schema is one subject whatever topic it
//! is on. Only the schemas of [`crate::schemas`] are registered; a stage's private state keeps single-object framing.
//! Endpoints: <https://docs.confluent.io/platform/current/schema-registry/develop/api.html> (checked 2026-11-22).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// Tries of one request before it is given up; the wait doubles from [`FIRST_WAIT`].
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Why the registry could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It does not answer, or answers 5xx, after several tries.
    #[error("schema registry {url} does not answer: {error}")]
    Unreachable {
        /// URL asked.
        url: String,
        /// Last error.
        error: String,
    },
    /// It refused: an incompatible schema, an unknown id, missing rights.
    #[error("schema registry {url} refused with {status}: {message}")]
    Refused {
        /// URL asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The answer is not what the API documents.
    #[error("schema registry {url} answered something else than its API documents: {answer}")]
    Unexpected {
        /// URL asked.
        url: String,
        /// The answer, cut.
        answer: String,
    },
}

/// An address as errors show it: without the name and password that it may hold.
fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let from = rest[..host].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[from..])
}

/// A client with a cache of what it has learnt.
#[derive(Debug)]
pub struct Registry {
    url: String,
    agent: ureq::Agent,
    ids: HashMap<[u8; 8], u32>,
    schemas: Mutex<HashMap<u32, Arc<apache_avro::Schema>>>,
}

static INSTALLED: OnceLock<Arc<Registry>> = OnceLock::new();

/// Frames published payloads by registry id from now on, in the whole process. Called before the first format is made;
/// later calls change nothing.
///
/// # Errors
/// When a schema cannot be registered; the message names the registry and what it said.
pub fn install(url: &str) -> Result<(), RegistryError> {
    if INSTALLED.get().is_none() {
        // Of two that come at once the first one's framing stays.
        let _ = INSTALLED.set(Arc::new(Registry::connect(url)?));
    }
    Ok(())
}

pub(crate) fn installed() -> Option<Arc<Registry>> {
    INSTALLED.get().cloned()
}

impl Registry {
    /// Registers every published schema and remembers the ids.
    ///
    /// # Errors
    /// When one cannot be registered.
    pub fn connect(url: &str) -> Result<Self, RegistryError> {
        let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_MAX)).http_status_as_error(false);
        let mut registry = Registry {
            url: url.trim_end_matches('/').to_owned(),
            agent: config.build().into(),
            ids: HashMap::new(),
            schemas: Mutex::default(),
        };
        for (file, schema) in crate::schemas() {
            let parsed = crate::codec::without_logical_types(schema.clone()).expect("our schemas are valid");
            let subject = subject(file, &schema);
            let id = registry.register(&subject, &schema)?;
            registry.ids.insert(crate::codec::fingerprint(&parsed), id);
        }
        Ok(registry)
    }

    /// The id a schema of ours was registered under.
    pub fn id_of(&self, fingerprint: [u8; 8]) -> Option<u32> {
        self.ids.get(&fingerprint).copied()
    }

    /// The schema behind an id, asked for once.
    ///
    /// # Errors
    /// When the registry does not know it or does not answer.
    pub fn schema(&self, id: u32) -> Result<Arc<apache_avro::Schema>, RegistryError> {
        let cached = self.schemas.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(schema) = cached {
            return Ok(schema);
        }
        let url = format!("{}/schemas/ids/{id}", self.url);
        let answer = self.ask(&url, None)?;
        let unexpected = || RegistryError::Unexpected { url: shown(&url), answer: cut(&answer.to_string()) };
        let text = answer.get("schema").and_then(Value::as_str).ok_or_else(unexpected)?;
        let json = serde_json::from_str(text).map_err(|_| unexpected())?;
        let schema = Arc::new(crate::codec::without_logical_types(json).map_err(|_| unexpected())?);
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).insert(id, schema.clone());
        Ok(schema)
    }

    fn register(&self, subject: &str, schema: &Value) -> Result<u32, RegistryError> {
        let url = format!("{}/subjects/{subject}/versions", self.url);
        let answer = self.ask(&url, Some(&json!({"schema": schema.to_string()})))?;
        let id = answer.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| RegistryError::Unexpected { url: shown(&url), answer: cut(&answer.to_string()) })
    }

    fn ask(&self, url: &str, body: Option<&Value>) -> Result<Value, RegistryError> {
        let mut error = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                std::thread::sleep(FIRST_WAIT * 2u32.pow(attempt - 1));
            }
            match self.ask_once(url, body) {
                Ok((status, text)) if status < 300 => {
                    let parsed = serde_json::from_str(&text);
                    return parsed.map_err(|_| RegistryError::Unexpected { url: shown(url), answer: cut(&text) });
                }
                Ok((status, text)) if status < 500 && status != 429 => {
                    let said = serde_json::from_str::<Value>(&text).ok();
                    let said = said.and_then(|said| said.get("message")?.as_str().map(str::to_owned));
                    let message = said.unwrap_or_else(|| cut(&text));
                    return Err(RegistryError::Refused { url: shown(url), status, message });
                }
                Ok((status, text)) => error = format!("{status} {}", cut(&text)),
                Err(failure) => error = failure,
            }
        }
        Err(RegistryError::Unreachable { url: shown(url), error })
    }

    fn ask_once(&self, url: &str, body: Option<&Value>) -> Result<(u16, String), String> {
        let answer = match body {
            None => self.agent.get(url).call(),
            Some(body) => self
                .agent
                .post(url)
                .header("content-type", "application/vnd.schemaregistry.v1+json")
                .send(body.to_string()),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        Ok((answer.status().as_u16(), text))
    }
}

fn subject(file: &str, schema: &Value) -> String {
    let name = schema.get("name").and_then(Value::as_str);
    // A union has no name of its own; its file has.
    format!("spendstream.{}", name.unwrap_or(file.trim_end_matches(".avsc")))
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
