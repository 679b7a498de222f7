//! State that a transaction can take back.

use std::borrow::Borrow;
use std::hash::Hash;

use hashbrown::HashMap;

/// A map whose changes since the last [`TxMap::promote`] can be undone, and listed for the changelog.
#[derive(Debug)]
pub struct TxMap<K, V> {
    map: HashMap<K, V>,
    /// What each key changed in the open transaction held before it; one entry per key.
    before: HashMap<K, Option<V>>,
}

impl<K, V> Default for TxMap<K, V> {
    fn default() -> Self {
        TxMap { map: HashMap::new(), before: HashMap::new() }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> TxMap<K, V> {
    /// The value of a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    /// The value of a key, to be changed; inserted first when absent.
    pub fn entry(&mut self, key: &K, absent: impl FnOnce() -> V) -> &mut V {
        if !self.before.contains_key(key) {
            self.before.insert(key.clone(), self.map.get(key).cloned());
        }
        self.map.entry(key.clone()).or_insert_with(absent)
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        let old = self.map.insert(key.clone(), value);
        self.before.entry(key).or_insert(old);
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &K) {
        if let Some(old) = self.map.remove(key) {
            self.before.entry(key.clone()).or_insert(Some(old));
        }
    }

    /// Sets a value that came from the changelog: nothing to undo.
    pub fn restore(&mut self, key: K, value: Option<V>) {
        match value {
            Some(value) => self.map.insert(key, value),
            None => self.map.remove(&key),
        };
    }

    /// The value of a key, for what a later entry of the changelog says of it: nothing to undo.
    pub fn restored(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    /// Drops entries for good, without a way back: between transactions only, for state that has run out of its bounds.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        debug_assert!(self.before.is_empty(), "a transaction is open");
        self.map.retain(|key, value| keep(key, value));
    }

    /// Gives back room that is not needed, and what removed entries have left behind.
    pub fn shrink_to_fit(&mut self) {
        self.map.shrink_to_fit();
    }

    /// Keys changed in the open transaction, with their new values (`None`: removed). In no particular order.
    pub fn changed(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.before.keys().map(|key| (key, self.map.get(key)))
    }

    /// The changes stay.
    pub fn promote(&mut self) {
        self.before.clear();
    }

    /// The changes go.
    pub fn undo(&mut self) {
        for (key, old) in self.before.drain() {
            match old {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }

    /// Every entry, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }

    /// Entries the map has room for before it grows: what its memory is reckoned by.
    pub fn capacity(&self) -> usize {
        self.map.capacity()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_brings_back_what_was_before_the_transaction() {
        let mut map = TxMap::default();
        map.insert("kept", 1);
        map.insert("removed", 2);
        map.promote();
        map.insert("new", 3);
        *map.entry(&"kept", || 0) += 10;
        map.remove(&"removed");
        map.insert("removed", 4);
        map.undo();
        let mut entries: Vec<_> = map.iter().map(|(k, v)| (*k, *v)).collect();
        entries.sort_unstable();
        assert_eq!(entries, [("kept", 1), ("removed", 2)]);
        assert_eq!(map.changed().count(), 0);
    }
}
