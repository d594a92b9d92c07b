//! Small records of fixed size in scratch, parted by a hash, so that one part after the other fits into memory.

use super::Scratch;
use crate::fault::{Code, Fault};

/// How many parts there are.
pub(super) const PARTS: usize = 64;

/// How many records there may be of one kind: a bit of their numbers is to spare.
pub(super) const MOST: u32 = 1 << 31;

/// Nobody's number.
pub(super) const NOBODY: u32 = u32::MAX;

/// A record of a part.
pub(super) trait Part: Sized {
    /// How many bytes it takes.
    const SIZE: usize;

    fn write(&self, bytes: &mut Vec<u8>);

    fn read(bytes: &mut Reader<'_>) -> Self;

    /// Counts the number in a written record on from `first`; it stands at its end.
    fn count_from(record: &mut [u8], first: u32) {
        if let Some(number) = record.last_chunk_mut() {
            *number = (u32::from_le_bytes(*number) + first).to_le_bytes();
        }
    }
}

/// Takes numbers out of bytes; zeros where there are no more.
pub(super) struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => [0; N],
        }
    }

    pub(super) fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(super) fn hash(&mut self) -> u128 {
        u128::from_le_bytes(self.take())
    }

    pub(super) fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }
}

/// A record of a user, an account or a link.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Row {
    /// By what it is found.
    pub(super) hash: u128,
    /// The fingerprint of a user or an account; by what the user of a link is found.
    pub(super) other: u128,
    pub(super) number: u32,
    pub(super) link: u32,
    pub(super) flags: u8,
}

impl Part for Row {
    const SIZE: usize = 41;

    #[inline]
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(Self::SIZE);
        bytes.extend_from_slice(&self.hash.to_le_bytes());
        bytes.extend_from_slice(&self.other.to_le_bytes());
        bytes.extend_from_slice(&self.link.to_le_bytes());
        bytes.push(self.flags);
        bytes.extend_from_slice(&self.number.to_le_bytes());
    }

    fn read(bytes: &mut Reader<'_>) -> Self {
        Self {
            hash: bytes.hash(),
            other: bytes.hash(),
            link: bytes.number(),
            flags: bytes.byte(),
            number: bytes.number(),
        }
    }
}

/// A key of a matching rule, and whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Key {
    pub(super) hash: u128,
    pub(super) number: u32,
}

impl Part for Key {
    const SIZE: usize = 20;

    #[inline]
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(Self::SIZE);
        bytes.extend_from_slice(&self.hash.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
    }

    fn read(bytes: &mut Reader<'_>) -> Self {
        Self { hash: bytes.hash(), number: bytes.number() }
    }
}

/// An account and a user who come into question for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) account: u32,
    pub(super) user: u32,
}

impl Part for Pair {
    const SIZE: usize = 8;

    #[inline]
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(Self::SIZE);
        bytes.extend_from_slice(&self.account.to_le_bytes());
        bytes.extend_from_slice(&self.user.to_le_bytes());
    }

    fn read(bytes: &mut Reader<'_>) -> Self {
        Self { account: bytes.number(), user: bytes.number() }
    }
}

/// Records in parts.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    files: Vec<Option<usize>>,
    /// How many bytes are in each.
    lengths: Vec<usize>,
    bytes: Vec<u8>,
}

impl Parts {
    pub(super) fn new() -> Self {
        Self { files: vec![None; PARTS], lengths: vec![0; PARTS], bytes: Vec::with_capacity(64) }
    }

    /// The part of a hash. Hashes of names that are counted stand in a row; stirred, they are in all parts alike.
    #[inline]
    pub(super) fn part(hash: u128) -> usize {
        let half = |half: u128| u64::try_from(half & u128::from(u64::MAX)).unwrap_or_default();
        let stirred = (half(hash) ^ half(hash >> 64).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(stirred >> 58).unwrap_or_default()
    }

    /// Adds a record to a part.
    pub(super) fn push(&mut self, scratch: &mut dyn Scratch, part: usize, record: &impl Part) -> Result<(), Fault> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        record.write(&mut bytes);
        let pushed = self.put(scratch, part, &bytes);
        self.bytes = bytes;
        pushed
    }

    /// Adds gathered records, whose numbers are counted on from `first`; afterwards nothing is gathered.
    pub(super) fn append<P: Part>(
        &mut self,
        scratch: &mut dyn Scratch,
        pieces: &mut Pieces,
        first: u32,
    ) -> Result<(), Fault> {
        for (part, bytes) in pieces.0.iter_mut().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
            bytes.chunks_exact_mut(P::SIZE).for_each(|record| P::count_from(record, first));
            self.put(scratch, part, bytes)?;
            bytes.clear();
        }
        Ok(())
    }

    fn put(&mut self, scratch: &mut dyn Scratch, part: usize, bytes: &[u8]) -> Result<(), Fault> {
        let (Some(file), Some(length)) = (self.files.get_mut(part), self.lengths.get_mut(part)) else {
            return Err(Fault::new(Code::Internal, "there is no such part"));
        };
        *length += bytes.len();
        let file = match file {
            Some(file) => *file,
            none => *none.insert(scratch.open()?),
        };
        scratch.append(file, bytes)
    }

    /// All records of a part; afterwards it is empty.
    pub(super) fn take<P: Part>(&mut self, scratch: &mut dyn Scratch, part: usize) -> Result<Vec<P>, Fault> {
        let records = self.read(scratch, part)?;
        if let (Some(file), Some(length)) = (self.files.get_mut(part), self.lengths.get_mut(part)) {
            *length = 0;
            file.take().into_iter().for_each(|file| scratch.close(file));
        }
        Ok(records)
    }

    /// All records of a part.
    pub(super) fn read<P: Part>(&self, scratch: &mut dyn Scratch, part: usize) -> Result<Vec<P>, Fault> {
        let length = self.lengths.get(part).copied().unwrap_or_default();
        let mut records = Vec::with_capacity(length / P::SIZE);
        let Some(file) = self.files.get(part).copied().flatten() else { return Ok(records) };
        let mut buffer = vec![0; P::SIZE * 1024];
        let mut from = 0;
        loop {
            let length = scratch.read(file, from, &mut buffer)?;
            let whole = buffer.get(..length).unwrap_or_default().chunks_exact(P::SIZE);
            records.extend(whole.map(|bytes| P::read(&mut Reader(bytes))));
            if length < buffer.len() {
                return Ok(records);
            }
            from += length as u64;
        }
    }

    /// Drops what is left.
    pub(super) fn close(&mut self, scratch: &mut dyn Scratch) {
        self.files.iter_mut().filter_map(Option::take).for_each(|file| scratch.close(file));
    }
}

/// Records gathered by their parts.
#[derive(Debug)]
pub(super) struct Pieces([Vec<u8>; PARTS]);

impl Default for Pieces {
    fn default() -> Self {
        Self([const { Vec::new() }; PARTS])
    }
}

impl Pieces {
    #[inline]
    pub(super) fn push(&mut self, part: usize, record: &impl Part) {
        if let Some(bytes) = self.0.get_mut(part) {
            record.write(bytes);
        }
    }
}

/// Where the records of an input stand, by their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    file: Option<usize>,
    pending: Vec<u8>,
}

/// How many bytes are gathered before they are put aside.
const GATHERED: usize = 4096;

impl Places {
    pub(super) fn push(&mut self, scratch: &mut dyn Scratch, place: u64) -> Result<(), Fault> {
        self.pending.extend_from_slice(&place.to_le_bytes());
        if self.pending.len() >= GATHERED { self.flush(scratch) } else { Ok(()) }
    }

    /// Must be called after the last place.
    pub(super) fn flush(&mut self, scratch: &mut dyn Scratch) -> Result<(), Fault> {
        let file = match &mut self.file {
            Some(file) => *file,
            none => *none.insert(scratch.open()?),
        };
        scratch.append(file, &self.pending)?;
        self.pending.clear();
        Ok(())
    }

    pub(super) fn get(&self, scratch: &mut dyn Scratch, number: u32) -> Result<u64, Fault> {
        let lost = || Fault::new(Code::Internal, "the place of a record is lost");
        let mut bytes = [0; 8];
        let read = scratch.read(self.file.ok_or_else(lost)?, u64::from(number) * 8, &mut bytes)?;
        if read == bytes.len() { Ok(u64::from_le_bytes(bytes)) } else { Err(lost()) }
    }
}
