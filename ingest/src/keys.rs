//! Who may use the front door: keys, of which only hashes are kept.
//!
//! A key is `spend_<id>_<secret>`; its secret is 256 random bits. A file holds one line of JSON for each: id, salted SHA-256
//! of the secret, what the key is bound to. SHA-256 is enough, where passwords would need a slow hash: nobody can try
//! 2^256 secrets, and a slow hash would let anybody keep the door busy by knocking.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use schemas::{Text, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What every key begins with, so that scanners of leaked secrets can know it.
const PREFIX: &str = "spend_";
/// Random bytes that a new key is made of.
pub const RANDOM_BYTES: usize = ID_BYTES + SALT_BYTES + SECRET_BYTES;
const ID_BYTES: usize = 4;
const SALT_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// Longest source of a key, name of a team and id.
const NAME_BYTES_MAX: usize = 128;
/// Any team may be claimed.
pub const ANY_TEAM: &str = "*";

/// A key as its file holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Names the key; not secret.
    pub id: Text,
    /// `sha256:<salt>:<hash>`, both hexadecimal.
    pub hash: Text,
    /// Who sends with it. Everything sent has this source, or one beneath it (`source/...`).
    pub source: Text,
    /// Teams its events may claim; `*` is any, none means none.
    #[serde(default)]
    pub teams: Vec<Text>,
    /// From then on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key of this id, or another secret. Which of the two is not said.
    #[error("the key is not known here: it was revoked, or belongs to another installation")]
    Unknown,
    /// The key is right, but its time is over.
    #[error("key {id} expired at {at}: ask for a new one")]
    Expired {
        /// The key.
        id: Text,
        /// When.
        at: Timestamp,
    },
}

impl Key {
    /// A new key and what its holder sends. The secret is nowhere else.
    pub fn new(
        random: &[u8; RANDOM_BYTES],
        source: &str,
        teams: &[String],
        expires: Option<Timestamp>,
    ) -> Result<(Key, String), String> {
        let (id, random) = random.split_at(ID_BYTES);
        let (salt, secret) = random.split_at(SALT_BYTES);
        let (id, secret) = (hexadecimal(id), hexadecimal(secret));
        let hash = format!("sha256:{}:{}", hexadecimal(salt), digest(salt, &secret));
        let teams = teams.iter().map(Text::from).collect();
        let key = Key { id: id.as_str().into(), hash: hash.into(), source: source.into(), teams, expires };
        key.check()?;
        Ok((key, format!("{PREFIX}{id}_{secret}")))
    }

    /// Whether its events may claim this team.
    pub fn may_claim(&self, team: &str) -> bool {
        self.teams.iter().any(|allowed| allowed == ANY_TEAM || allowed == team)
    }

    fn check(&self) -> Result<(), String> {
        let named = |what: &str, name: &str| {
            let plain = name.chars().all(|c| !c.is_control() && c != ',');
            match !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX && plain {
                true => Ok(()),
                false => Err(format!("{what} must have 1 to {NAME_BYTES_MAX} bytes, without commas")),
            }
        };
        named("id", &self.id)?;
        named("source", &self.source)?;
        self.teams.iter().try_for_each(|team| named("a team", team))?;
        self.salt_and_hash().map(|_| ()).ok_or_else(|| "hash must be sha256:SALT:HASH, in hexadecimal".to_owned())
    }

    fn salt_and_hash(&self) -> Option<(Vec<u8>, &str)> {
        let (salt, hash) = self.hash.strip_prefix("sha256:")?.split_once(':')?;
        let hash = Some(hash).filter(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let byte = |at: usize| u8::from_str_radix(salt.get(at..at + 2)?, 16).ok();
        let salt: Option<Vec<u8>> = (0..salt.len()).step_by(2).map(byte).collect();
        Some((salt.filter(|salt| salt.len() >= SALT_BYTES)?, hash))
    }

    fn fits(&self, secret: &str) -> bool {
        let Some((salt, hash)) = self.salt_and_hash() else { return false };
        // Every byte is looked at, so that the time it takes tells nothing.
        let found = digest(&salt, secret);
        hash.bytes().zip(found.bytes()).fold(0, |differ, (a, b)| differ | (a.to_ascii_lowercase() ^ b)) == 0
    }
}

fn digest(salt: &[u8], secret: &str) -> String {
    hexadecimal(&Sha256::new().chain_update(salt).chain_update(secret).finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All keys of a file.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<Text, Arc<Key>>);

impl Keys {
    /// Reads the lines of a file. Empty lines and those that begin with `#` say nothing; no key at all lets nobody in.
    ///
    /// # Errors
    /// One sentence with the line and the remedy. Nothing of the file is used then, and nothing of it is quoted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = HashMap::new();
        for key in Self::lines(text) {
            let (line, key) = key?;
            if let Some(twice) = keys.insert(key.id.clone(), Arc::new(key)) {
                return Err(format!("line {line}: there are two keys {}; give each its own id", twice.id));
            }
        }
        Ok(Keys(keys))
    }

    /// Every key with the number of its line.
    ///
    /// # Errors
    /// As [`Keys::parse`], line by line.
    pub fn lines(text: &str) -> impl Iterator<Item = Result<(usize, Key), String>> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| {
            let key: Key = serde_json::from_str(line).map_err(|error| {
                // What serde quotes is a field's name or a piece of a value: a whole key pasted here must not be repeated.
                let column = error.column();
                format!("line {number}, column {column}: not a key; `spendstream keys new` writes them")
            })?;
            key.check().map_err(|problem| format!("line {number}: {problem}"))?;
            Ok((number, key))
        })
    }

    /// The key that somebody shows, if it is one of these and its time has not passed.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, shown: &str, now: Timestamp) -> Result<&Arc<Key>, Denied> {
        let (id, secret) = shown.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(Denied::Unknown)?;
        let key = self.0.get(id).filter(|key| key.fits(secret)).ok_or(Denied::Unknown)?;
        match key.expires {
            Some(at) if at <= now => Err(Denied::Expired { id: key.id.clone(), at }),
            _ => Ok(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: u8) -> [u8; RANDOM_BYTES] {
        std::array::from_fn(|index| seed.wrapping_mul(31).wrapping_add(index as u8))
    }

    const NOON: Timestamp = Timestamp::from_millis(1_795_780_800_000);

    #[test]
    fn a_key_lets_in_who_shows_it_and_its_file_does_not_hold_it() {
        let (key, shown) = Key::new(&random(1), "checkout", &["growth".to_owned()], None).unwrap();
        let line = serde_json::to_string(&key).unwrap();
        let secret = shown.rsplit_once('_').unwrap().1;
        assert!(shown.starts_with("spend_") && secret.len() == 64 && !line.contains(secret), "{line}");
        let (other, _) = Key::new(&random(2), "search", &[], None).unwrap();
        let text = format!("# people\n\n{line}\n{}\n", serde_json::to_string(&other).unwrap());
        let keys = Keys::parse(&text).unwrap();
        assert_eq!(&**keys.admit(&shown, NOON).unwrap(), &key);
        assert!(key.may_claim("growth") && !key.may_claim("search") && !other.may_claim("growth"));
        let mut wrong = shown.clone();
        wrong.replace_range(wrong.len() - 1.., if shown.ends_with('0') { "1" } else { "0" });
        let borrowed = format!("spend_{}_{secret}", other.id);
        for shown in [&wrong, &borrowed, "", "spend_", "spend__", "Bearer", &shown[..shown.len() - 1], &key.hash] {
            assert_eq!(keys.admit(shown, NOON), Err(Denied::Unknown), "{shown}");
        }
        assert_eq!(Keys::default().admit(&shown, NOON), Err(Denied::Unknown));
    }

    #[test]
    fn an_expired_key_says_so_only_to_who_holds_it() {
        let (key, shown) = Key::new(&random(1), "checkout", &[ANY_TEAM.to_owned()], Some(NOON)).unwrap();
        let keys = Keys::parse(&serde_json::to_string(&key).unwrap()).unwrap();
        assert!(keys.admit(&shown, NOON.plus_seconds(-1)).unwrap().may_claim("anybody"));
        assert_eq!(keys.admit(&shown, NOON), Err(Denied::Expired { id: key.id.clone(), at: NOON }));
        assert_eq!(keys.admit(&format!("spend_{}_0", key.id), NOON), Err(Denied::Unknown));
    }

    #[test]
    fn a_bad_file_names_the_line_and_repeats_nothing_of_it() {
        let (key, shown) = Key::new(&random(1), "checkout", &[], None).unwrap();
        let line = serde_json::to_string(&key).unwrap();
        for (text, says) in [
            (format!("{line}\n{line}"), "line 2: there are two keys"),
            (format!("\n{shown}"), "line 2, column 1: not a key"),
            (format!(r#"{{"key":"{shown}"}}"#), "line 1, column"),
            (line.replace("sha256:", "plain:"), "hash must be sha256"),
            (line.replace("checkout", "a,b"), "source must have 1 to 128 bytes"),
        ] {
            let problem = Keys::parse(&text).unwrap_err();
            assert!(problem.contains(says) && !problem.contains(&shown), "{problem}");
        }
    }
}
