//! What the members of an object are known to be. The resources of a page are alike, so that a member is mostly the one that
//! stood in the same place the last time.

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
    key: Box<[u8]>,
    /// The standard's spelling of the key.
    pub(super) name: Box<str>,
    /// The name as JSON, with the colon.
    pub(super) written: Box<[u8]>,
    pub(super) kind: K,
    pub(super) is_read: bool,
    /// The members of its own: whether each is a truth however it is written.
    pub(super) parts: Shape<bool>,
}

impl<K> Entry<K> {
    pub(super) fn new(key: &str, name: &str, kind: K, is_read: bool) -> Self {
        let written = format!("{}:", serde_json::Value::from(name)).into_bytes().into();
        Self { key: key.as_bytes().into(), name: name.into(), written, kind, is_read, parts: Shape::default() }
    }
}

/// Which members an object had so far.
#[derive(Default)]
pub(super) struct Seen {
    places: u64,
    next: usize,
}

impl<K> Shape<K> {
    /// The entry of the next key of an object; `entry_of` makes it where there is none. `None` where the object is unusual with
    /// it: the key stands twice, there are too many, or there are two spellings of one name, which may stand in one object.
    pub(super) fn entry(
        &mut self,
        key: &[u8],
        seen: &mut Seen,
        entry_of: impl Fn(&str) -> Option<Entry<K>>,
    ) -> Option<&mut Entry<K>> {
        let place = match self.entries.get(seen.next) {
            Some(entry) if *entry.key == *key => seen.next,
            _ => match self.entries.iter().position(|entry| *entry.key == *key) {
                Some(place) => place,
                None => self.add(entry_of(std::str::from_utf8(key).ok()?)?)?,
            },
        };
        let bit = 1_u64.checked_shl(u32::try_from(place).ok()?)?;
        if seen.places & bit != 0 {
            return None;
        }
        seen.places |= bit;
        seen.next = place + 1;
        self.entries.get_mut(place)
    }

    fn add(&mut self, entry: Entry<K>) -> Option<usize> {
        if self.entries.len() >= MOST || self.entries.iter().any(|known| known.name == entry.name) {
            return None;
        }
        self.entries.push(entry);
        Some(self.entries.len() - 1)
    }
}
