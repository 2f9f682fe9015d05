//! A map with bounds on its entries and their memory. New entries displace the oldest ones.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A map whose oldest entries make room for new ones.
#[derive(Debug)]
pub(crate) struct BoundedMap<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// The keys in the order of their insertion, the oldest first.
    order: VecDeque<K>,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    /// An empty map with these bounds.
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), bytes: 0, max_entries, max_bytes }
    }

    /// The value of a key.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Adds an entry that takes so many bytes, or replaces the value of its key, which keeps its place in the order.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) {
        match self.entries.insert(key.clone(), Entry { value, bytes }) {
            Some(replaced) => self.bytes -= replaced.bytes,
            None => self.order.push_back(key),
        }
        self.bytes += bytes;
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some(removed) = self.order.pop_front().and_then(|oldest| self.entries.remove(&oldest)) else { break };
            self.bytes -= removed.bytes;
        }
    }

    /// Removes an entry. This looks at all keys.
    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(removed) = self.entries.remove(key) {
            self.bytes -= removed.bytes;
            self.order.retain(|kept| kept != key);
        }
    }

    /// Removes all entries.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.max_entries, self.max_bytes);
    }
}

#[cfg(test)]
impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    /// The keys, the oldest first.
    pub(crate) fn keys(&self) -> Vec<K> {
        assert_eq!(self.entries.len(), self.order.len());
        self.order.iter().cloned().collect()
    }

    /// Bytes of all entries.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::BoundedMap;

    #[test]
    fn new_entries_displace_the_oldest() {
        let mut map = BoundedMap::new(3, 100);
        for key in 0..10 {
            map.insert(key, "a", 10);
            map.insert(key, "b", 20);
        }
        assert_eq!((map.keys(), map.bytes(), map.get(&9), map.get(&6)), (vec![7, 8, 9], 60, Some(&"b"), None));
        map.insert(7, "c", 61);
        assert_eq!((map.keys(), map.bytes()), (vec![8, 9], 40), "a replaced value keeps its place");
        map.insert(10, "d", 101);
        assert_eq!((map.keys(), map.bytes()), (vec![], 0), "an entry that is too large is not kept");
    }

    #[test]
    fn removed_entries_make_room() {
        let mut map = BoundedMap::new(2, 100);
        map.insert(1, (), 60);
        map.insert(2, (), 30);
        map.remove(&1);
        map.remove(&7);
        assert_eq!((map.keys(), map.bytes()), (vec![2], 30));
        map.insert(3, (), 70);
        assert_eq!(map.keys(), [2, 3]);
        map.clear();
        assert_eq!((map.keys(), map.bytes()), (vec![], 0));
        (4..9).for_each(|key| map.insert(key, (), 1));
        assert_eq!(map.keys(), [7, 8], "the bounds remain");
    }
}
