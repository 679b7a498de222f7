//! Pseudonyms of users, and how a user is forgotten: every user has a key of their own, which can be destroyed.
//!
//! `pseudonym = HMAC-SHA-256(key, id)`, cut to 128 bits. The key is a leaf of a tree, found by SHA-256 of the id: the
//! first byte names one of 256 buckets, the next four the leaf. So nothing is written for a new user, and all partitions
//! agree. Each bucket is one record of `ref.users`; the newest holds, and destroys the one before it.

mod tree;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use schemas::ids::hash_parts;
use schemas::{ReferenceItem, ReferenceRow, Text, topics};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stream::reference::ReferenceSink;

use self::tree::{Key, Tree};
use crate::identity;

/// Bytes of randomness that a root takes.
pub const ROOT_BYTES: usize = tree::KEY_BYTES;

/// Buckets that users fall into.
const BUCKETS: usize = 256;

/// Most nodes a bucket holds; one that would hold more begins anew. As a record that is 1.5 MB, below what topics take, and
/// about 2,100 forgotten users, so half a million in all.
const NODES_MAX: usize = 1 << 16;

/// Set of the rows.
const SET: &str = "users";

/// The keys of every user.
#[derive(Clone)]
pub struct Keys {
    buckets: Vec<Arc<Bucket>>,
}

// Not the keys: what is printed for debugging ends in logs.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.buckets == other.buckets
    }
}

/// What forgetting a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// The user's key is destroyed, nobody else's.
    Alone,
    /// The bucket was full and began anew: so did the pseudonyms of one user in 256.
    WithBucket,
}

/// Bucket and leaf of a user.
fn place(user: &str) -> (u8, u32) {
    let hash = Sha256::digest(user);
    (hash[0], u32::from_be_bytes([hash[1], hash[2], hash[3], hash[4]]))
}

impl Keys {
    /// New keys, from a root of each bucket.
    pub fn new(mut root: impl FnMut() -> [u8; ROOT_BYTES]) -> Self {
        Keys { buckets: (0..BUCKETS).map(|_| Arc::new(Bucket::new(root()))).collect() }
    }

    /// What is stored of a user.
    pub fn pseudonym(&self, user: &str) -> Text {
        let (bucket, leaf) = place(user);
        identity::pseudonym(&self.buckets[usize::from(bucket)].key(leaf), user)
    }

    /// Destroys a user's key. `root`, of fresh randomness, begins what takes over for it.
    pub fn forget(&mut self, user: &str, root: [u8; ROOT_BYTES]) -> Forgotten {
        let (bucket, leaf) = place(user);
        Arc::make_mut(&mut self.buckets[usize::from(bucket)]).forget(leaf, root)
    }

    /// The buckets that differ from other keys', as rows to be written; all without others.
    pub fn rows(&self, known: Option<&Keys>) -> Vec<ReferenceRow> {
        let same = |number: usize| known.is_some_and(|known| known.buckets[number] == self.buckets[number]);
        let changed = (0..BUCKETS).filter(|number| !same(*number));
        changed.map(|number| self.buckets[number].row(number as u8)).collect()
    }
}

/// The keys of the users of one bucket.
#[derive(Clone, PartialEq, Eq)]
struct Bucket {
    /// A user's key is of the first tree that has it; the last one is whole, so that everybody has one.
    trees: Vec<Tree>,
}

/// A bucket as it is stored.
#[derive(Serialize, Deserialize)]
struct Body {
    bucket: u8,
    trees: Vec<String>,
}

impl Bucket {
    fn new(root: Key) -> Self {
        Bucket { trees: vec![Tree::new(root)] }
    }

    fn key(&self, leaf: u32) -> Key {
        self.trees
            .iter()
            .find_map(|tree| tree.leaf(leaf))
            .expect("the last tree is whole, see `new`, `read` and `forget`")
    }

    fn forget(&mut self, leaf: u32, root: Key) -> Forgotten {
        // The first tree that has it: what later ones have of it was never used.
        self.trees.iter_mut().any(|tree| tree.puncture(leaf));
        if !self.trees.last().is_some_and(Tree::is_whole) {
            self.trees.push(Tree::new(root));
        }
        if self.trees.iter().map(Tree::len).sum::<usize>() > NODES_MAX {
            *self = Bucket::new(root);
            return Forgotten::WithBucket;
        }
        Forgotten::Alone
    }

    fn row(&self, number: u8) -> ReferenceRow {
        let trees = self.trees.iter().map(|tree| STANDARD_NO_PAD.encode(tree.encode())).collect();
        let body = serde_json::to_string(&Body { bucket: number, trees }).expect("numbers and strings are JSON");
        ReferenceRow {
            set: SET.into(),
            // Of the place alone: a hash of the body could tell a guess at destroyed keys from another.
            row_id: hash_parts([b"reference".as_slice(), SET.as_bytes(), &[number]]),
            origin: format!("users/{number:03}").into(),
            body: body.into(),
        }
    }

    /// Number and keys of a row. What is wrong is said without a byte of it.
    fn read(row: &ReferenceRow) -> anyhow::Result<(u8, Self)> {
        let wrong = |why: &str| anyhow::anyhow!("row {} of the keys of users cannot be used: {why}", row.row_id);
        let body: Body = serde_json::from_str(&row.body).map_err(|_| wrong("it is not the JSON of this release"))?;
        let tree = |text: &String| {
            let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| "a tree is not base64")?;
            Tree::decode(&bytes)
        };
        let trees: Vec<Tree> = body.trees.iter().map(tree).collect::<Result<_, &str>>().map_err(wrong)?;
        if !trees.last().is_some_and(Tree::is_whole) {
            return Err(wrong("its last tree is not whole"));
        }
        Ok((body.bucket, Bucket { trees }))
    }
}

/// The keys as `ref.users` has them: read by ingest, fed by the driver.
#[derive(Default)]
pub struct Users {
    known: Mutex<Vec<Option<Arc<Bucket>>>>,
    keys: RwLock<Option<Arc<Keys>>>,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Users(..)")
    }
}

impl Users {
    /// The keys known now; `None` when none were ever made. Take them once a batch.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ReferenceSink for Users {
    fn topic(&self) -> String {
        topics::REF_USERS.to_owned()
    }

    fn apply(&self, items: Vec<ReferenceItem>) -> anyhow::Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.resize(BUCKETS, None);
        let mut wrong = None;
        for item in items {
            // Rows of no set only close a segment.
            let ReferenceItem::Row(row) = item else { continue };
            if row.set == SET {
                match Bucket::read(&row) {
                    Ok((number, bucket)) => known[usize::from(number)] = Some(Arc::new(bucket)),
                    Err(error) => wrong = Some(error),
                }
            }
        }
        // All of them or none: they were made together.
        if let Some(buckets) = known.iter().cloned().collect::<Option<Vec<_>>>() {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Keys { buckets }));
        }
        wrong.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roots that differ.
    fn roots() -> impl FnMut() -> [u8; ROOT_BYTES] {
        let mut next = 0u128;
        move || {
            next += 1;
            next.to_be_bytes()
        }
    }

    fn keys() -> Keys {
        Keys::new(roots())
    }

    fn items(rows: Vec<ReferenceRow>) -> Vec<ReferenceItem> {
        rows.into_iter().map(ReferenceItem::Row).collect()
    }

    #[test]
    fn a_forgotten_user_is_another_pseudonym_each_time_and_everybody_else_stays() {
        let mut keys = keys();
        let everybody: Vec<String> = (0..500).map(|n| format!("user-{n}")).collect();
        let before: Vec<Text> = everybody.iter().map(|user| keys.pseudonym(user)).collect();
        let mut seen = vec![keys.pseudonym("alice")];
        for round in 0..3u8 {
            assert_eq!(keys.forget("alice", [200 + round; ROOT_BYTES]), Forgotten::Alone);
            seen.push(keys.pseudonym("alice"));
        }
        assert_eq!(seen.iter().collect::<std::collections::HashSet<_>>().len(), 4);
        let after: Vec<Text> = everybody.iter().map(|user| keys.pseudonym(user)).collect();
        assert_eq!(before, after);
    }

    #[test]
    fn keys_come_back_from_their_rows_and_only_what_changed_is_written() {
        let first = keys();
        let users = Users::default();
        let rows = first.rows(None);
        assert_eq!(rows.len(), BUCKETS);
        users.apply(items(rows[..255].to_vec())).unwrap();
        assert_eq!(users.keys(), None, "one bucket is missing");
        users.apply(items(rows[255..].to_vec())).unwrap();
        assert_eq!(users.keys().as_deref(), Some(&first));

        let mut second = first.clone();
        for user in ["alice", "bob"] {
            second.forget(user, [7; ROOT_BYTES]);
        }
        let changed = second.rows(Some(&first));
        assert_eq!(changed.len(), 2);
        assert!(changed.iter().all(|row| row.row_id == first.rows(None)[usize::from(place_of(row))].row_id));
        users.apply(items(changed)).unwrap();
        assert_eq!(users.keys().as_deref(), Some(&second));
    }

    fn place_of(row: &ReferenceRow) -> u8 {
        Bucket::read(row).unwrap().0
    }

    #[test]
    fn a_bad_row_is_refused_without_a_byte_of_it_and_what_was_known_stays() {
        let (users, keys) = (Users::default(), keys());
        users.apply(items(keys.rows(None))).unwrap();
        let row = &keys.rows(None)[3];
        let secret = STANDARD_NO_PAD.encode(Tree::new([9; ROOT_BYTES]).encode());
        let mut punctured = Tree::new([9; ROOT_BYTES]);
        punctured.puncture(1);
        let punctured = STANDARD_NO_PAD.encode(punctured.encode());
        for (body, why) in [
            (format!(r#"{{"bucket":256,"trees":["{secret}"]}}"#), "not the JSON"),
            (format!(r#"{{"bucket":"{secret}"}}"#), "not the JSON"),
            (format!(r#"{{"bucket":3,"trees":["{secret}!"]}}"#), "not base64"),
            (r#"{"bucket":3,"trees":["AAAA"]}"#.to_owned(), "cut off"),
            (r#"{"bucket":3,"trees":[]}"#.to_owned(), "not whole"),
            (format!(r#"{{"bucket":3,"trees":["{secret}","{punctured}"]}}"#), "not whole"),
        ] {
            let error = users.apply(items(vec![ReferenceRow { body: body.into(), ..row.clone() }])).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(why) && !error.contains(&secret[..8]), "{error}");
        }
        assert_eq!(users.keys().as_deref(), Some(&keys));
        let nameless = ReferenceRow { set: "".into(), body: "".into(), ..row.clone() };
        users.apply(items(vec![nameless])).unwrap();
        assert!(!format!("{users:?} {keys:?}").contains('['), "keys are not printed");
    }

    /// What `DESIGN.md` says that forgetting costs.
    #[test]
    fn what_forgetting_costs_is_bounded_and_a_full_bucket_begins_anew() {
        let mut bucket = Bucket::new([1; ROOT_BYTES]);
        let leaf = |n: u32| n.wrapping_mul(0x9e37_79b9);
        let mut forgotten = 0;
        let mut nodes = Vec::new();
        let full = loop {
            let before = bucket.clone();
            forgotten += 1;
            if bucket.forget(leaf(forgotten), [2; ROOT_BYTES]) == Forgotten::WithBucket {
                break before;
            }
            if matches!(forgotten, 1 | 391 | 1_000) {
                nodes.push((forgotten, bucket.trees.iter().map(Tree::len).sum::<usize>()));
            }
        };
        assert_eq!(nodes, [(1, 49), (391, 13_537), (1_000, 32_695)]);
        assert!((1_900..2_400).contains(&forgotten), "{forgotten}");
        let size = full.row(0).body.len();
        assert!(size < 1_600_000, "{size}");
        assert!(Bucket::read(&full.row(0)).is_ok());
        assert_eq!(bucket.trees.len(), 1);
        assert_ne!(bucket.key(leaf(forgotten + 1)), full.key(leaf(forgotten + 1)));
    }
}
