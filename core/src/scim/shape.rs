//! What the members of an object are known to be. The resources of a page are alike, so that a member is mostly the one that
//! stood in the same place the last time.

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};
use std::fmt;

/// What makes a page one for the patient reader; which it is does not matter.
pub(super) fn unusual<E: Error>() -> E {
    E::custom("unusual")
}

/// More members than this make an object unusual.
const MOST: usize = 64;

/// The members that objects of one kind were seen to have.
pub(super) struct Shape<K> {
    entries: Vec<Entry<K>>,
}

impl<K> Default for Shape<K> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

/// What is done with one member.
pub(super) struct Entry<K> {
    key: Box<str>,
    /// The standard's spelling of the key.
    pub(super) name: Box<str>,
    /// The name as JSON, with the colon.
    pub(super) written: Vec<u8>,
    pub(super) kind: K,
    pub(super) is_read: bool,
    /// The members of its own.
    pub(super) parts: Shape<bool>,
}

impl<K> Entry<K> {
    pub(super) fn new(key: &str, name: &str, kind: K, is_read: bool) -> Self {
        let written = format!("{}:", serde_json::Value::from(name)).into_bytes();
        Self { key: key.into(), name: name.into(), written, kind, is_read, parts: Shape::default() }
    }
}

impl<K> Shape<K> {
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Entry<K>> {
        self.entries.get_mut(place)
    }

    /// The place of a key, which is likely to stand at `likely`. `None` where the object would be unusual with it.
    fn place(&mut self, key: &str, likely: usize, entry_of: EntryOf<'_, K>) -> Option<usize> {
        if self.entries.get(likely).is_some_and(|entry| *entry.key == *key) {
            return Some(likely);
        }
        if let Some(place) = self.entries.iter().position(|entry| *entry.key == *key) {
            return Some(place);
        }
        let entry = entry_of(key)?;
        // Two spellings of one name may stand in one object, where order decides.
        if self.entries.len() >= MOST || self.entries.iter().any(|known| known.name == entry.name) {
            return None;
        }
        self.entries.push(entry);
        Some(self.entries.len() - 1)
    }
}

type EntryOf<'a, K> = &'a dyn Fn(&str) -> Option<Entry<K>>;

/// Which members an object had so far.
#[derive(Default)]
pub(super) struct Seen {
    places: u64,
    next: usize,
}

/// Reads a key as the place of its entry.
pub(super) struct KeySeed<'a, K> {
    pub(super) shape: &'a mut Shape<K>,
    pub(super) seen: &'a mut Seen,
    pub(super) entry_of: EntryOf<'a, K>,
}

impl<'b, K> DeserializeSeed<'b> for KeySeed<'_, K> {
    type Value = usize;

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<K> Visitor<'_> for KeySeed<'_, K> {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        let place = self.shape.place(key, self.seen.next, self.entry_of).ok_or_else(unusual)?;
        let bit = u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).ok_or_else(unusual)?;
        if self.seen.places & bit != 0 {
            return Err(unusual());
        }
        self.seen.places |= bit;
        self.seen.next = place + 1;
        Ok(place)
    }
}
