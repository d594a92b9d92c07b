//! The first pass over an input: its records are read for joining, by one thread or by several, and put aside in their order.
//!
//! With several threads, the one that reads the input hands out chunks of its text and takes what was read of them in the same
//! order, so that everything comes out as with one. Where all others are busy it reads a chunk itself.

use super::collect::Troubles;
use super::partition::{Key, MOST, NOBODY, Parts, Pieces, Places, Row};
use super::read::{Seen, UNREADABLE};
use super::record::Side;
use super::{Records, Scratch, Split};
use crate::fault::{Code, Fault};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::Scope;

/// How much text is handed out at once. Little in tests, so that theirs is handed out in several chunks.
const CHUNK: usize = if cfg!(test) { 64 } else { 128 * 1024 };

/// How many records are gathered before they are put aside.
const GATHERED: usize = if cfg!(test) { 3 } else { 1024 };

/// How many chunks may wait until those before them are read. With it the memory of reading is bounded.
const MOST_WAITING: usize = 4;

/// Reads one kind of record for joining.
pub(super) trait Read: Send {
    /// Reads one record.
    fn read(&mut self, json: &[u8], seen: &mut Seen) -> Result<(), Fault>;
}

/// What was gathered of an input.
pub(super) struct Gathered {
    side: Side,
    pub(super) rows: Parts,
    /// The keys under each rule.
    pub(super) keys: Vec<Parts>,
    pub(super) places: Places,
    pub(super) count: u32,
    /// The flags of each record.
    pub(super) flags: Vec<u8>,
}

/// Text with records, as it came in pieces.
#[derive(Default)]
struct Chunk {
    text: Vec<u8>,
    /// Where each piece begins in the input, where it ends here, and how it is split.
    pieces: Vec<(u64, usize, Split)>,
}

/// What was read of some records, which are counted from 0.
#[derive(Default)]
struct Batch {
    rows: Pieces,
    keys: Vec<Pieces>,
    places: Vec<u64>,
    flags: Vec<u8>,
    faults: Vec<(u32, Fault)>,
    seen: Seen,
    /// Why there are no more records.
    end: Option<Fault>,
}

impl Batch {
    fn count(&self) -> u32 {
        u32::try_from(self.flags.len()).unwrap_or(NOBODY)
    }

    /// Reads one record.
    fn read(&mut self, reader: &mut impl Read, place: u64, json: &[u8]) {
        let number = self.count();
        self.places.push(place);
        let seen = &mut self.seen;
        if let Err(fault) = reader.read(json, seen) {
            self.faults.push((number, fault));
            self.flags.push(UNREADABLE);
            return;
        }
        self.flags.push(seen.flags);
        let row = Row { hash: seen.id, other: seen.fingerprint, number, link: NOBODY, flags: seen.flags };
        self.rows.push(Parts::part(row.hash), &row);
        self.keys.resize_with(seen.keys.len(), Pieces::default);
        for (pieces, hashes) in self.keys.iter_mut().zip(&seen.keys) {
            for hash in hashes {
                pieces.push(Parts::part(*hash), &Key { hash: *hash, number });
            }
        }
    }

    fn read_chunk(&mut self, reader: &mut impl Read, chunk: &Chunk) {
        let mut start = 0;
        for (place, end, split) in &chunk.pieces {
            let text = chunk.text.get(start..*end).unwrap_or_default();
            let split = split(text, *place, &mut |place, json| {
                self.read(reader, place, json);
                Ok(())
            });
            self.end = split.err();
            if self.end.is_some() {
                return;
            }
            start = *end;
        }
    }
}

impl Gathered {
    pub(super) fn new(side: Side, rules: usize) -> Self {
        Self {
            side,
            rows: Parts::new(),
            keys: (0..rules).map(|_| Parts::new()).collect(),
            places: Places::default(),
            count: 0,
            flags: Vec::new(),
        }
    }

    /// Reads all records, with as many threads as there are readers.
    pub(super) fn gather<R: Read>(
        &mut self,
        records: &mut dyn Records,
        readers: &mut [R],
        troubles: &mut Troubles,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let Some((reader, others)) = readers.split_first_mut() else { return Ok(()) };
        if others.is_empty() {
            self.alone(records, reader, troubles, scratch)?;
        } else {
            std::thread::scope(|scope| {
                let workers = others.iter_mut().filter_map(|reader| Worker::start(scope, reader)).collect();
                Team { workers, reader, waiting: VecDeque::new(), spare: Vec::new(), gathered: self, troubles }
                    .gather(records, scratch)
            })?;
        }
        self.places.flush(scratch)
    }

    /// Reads all records in this thread.
    fn alone(
        &mut self,
        records: &mut dyn Records,
        reader: &mut impl Read,
        troubles: &mut Troubles,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let mut batch = Batch::default();
        records.each(&mut |place, json| {
            batch.read(reader, place, json);
            if batch.flags.len() < GATHERED { Ok(()) } else { self.put(&mut batch, troubles, scratch) }
        })?;
        self.put(&mut batch, troubles, scratch)
    }

    /// Puts aside what was read; the batch is empty afterwards.
    fn put(&mut self, batch: &mut Batch, troubles: &mut Troubles, scratch: &mut dyn Scratch) -> Result<(), Fault> {
        let first = self.count;
        let too_many = || Fault::new(Code::TooLarge, "there are more records than can be compared");
        self.count = first.checked_add(batch.count()).filter(|count| *count < MOST).ok_or_else(too_many)?;
        self.rows.append::<Row>(scratch, &mut batch.rows, first)?;
        for (parts, pieces) in self.keys.iter_mut().zip(&mut batch.keys) {
            parts.append::<Key>(scratch, pieces, first)?;
        }
        batch.places.drain(..).try_for_each(|place| self.places.push(scratch, place))?;
        self.flags.append(&mut batch.flags);
        let faults = batch.faults.drain(..).map(|(number, fault)| (u64::from(first) + u64::from(number), fault));
        faults.for_each(|(number, fault)| troubles.add(self.side, number, fault));
        match batch.end.take() {
            Some(fault) => Err(fault.at(self.side.name())),
            None => Ok(()),
        }
    }
}

/// A thread that reads chunks.
struct Worker {
    chunks: SyncSender<(Chunk, Batch)>,
    read: Receiver<(Chunk, Batch)>,
}

impl Worker {
    /// Nothing where the system has no thread left; then there is one less.
    fn start<'s>(scope: &'s Scope<'s, '_>, reader: &'s mut impl Read) -> Option<Self> {
        let (chunks, given) = sync_channel::<(Chunk, Batch)>(1);
        let (gives, read) = channel();
        let work = move || {
            for (chunk, mut batch) in given {
                batch.read_chunk(reader, &chunk);
                if gives.send((chunk, batch)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("rollkeeper-read".to_owned()).spawn_scoped(scope, work).ok()?;
        Some(Self { chunks, read })
    }
}

/// A chunk in the order of the input.
enum Waiting {
    /// The worker of that number reads it.
    Given(usize),
    Read(Box<(Chunk, Batch)>),
}

/// Threads that read one input.
struct Team<'t, R> {
    workers: Vec<Worker>,
    reader: &'t mut R,
    waiting: VecDeque<Waiting>,
    /// What can be used again.
    spare: Vec<(Chunk, Batch)>,
    gathered: &'t mut Gathered,
    troubles: &'t mut Troubles,
}

impl<R: Read> Team<'_, R> {
    fn gather(mut self, records: &mut dyn Records, scratch: &mut dyn Scratch) -> Result<(), Fault> {
        let mut chunk = Chunk::default();
        records.pieces(&mut |piece| {
            chunk.text.extend_from_slice(piece.text);
            chunk.pieces.push((piece.place, chunk.text.len(), piece.split));
            if chunk.text.len() < CHUNK {
                return Ok(());
            }
            let (next, batch) = self.spare.pop().unwrap_or_default();
            self.give((std::mem::replace(&mut chunk, next), batch));
            self.put(scratch, MOST_WAITING)
        })?;
        self.give((chunk, Batch::default()));
        self.put(scratch, 0)
    }

    /// Has a chunk read by whoever has time.
    fn give(&mut self, mut given: (Chunk, Batch)) {
        for (number, worker) in self.workers.iter().enumerate() {
            match worker.chunks.try_send(given) {
                Ok(()) => return self.waiting.push_back(Waiting::Given(number)),
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => given = back,
            }
        }
        let (chunk, batch) = &mut given;
        batch.read_chunk(self.reader, chunk);
        self.waiting.push_back(Waiting::Read(Box::new(given)));
    }

    /// Puts aside what is read, in the order of the input, until not more than so many chunks wait.
    fn put(&mut self, scratch: &mut dyn Scratch, most: usize) -> Result<(), Fault> {
        while let Some(first) = self.waiting.pop_front() {
            let (mut chunk, mut batch) = match first {
                Waiting::Read(read) => *read,
                Waiting::Given(number) => {
                    let lost = || Fault::new(Code::Internal, "a thread that reads records ended");
                    let worker = self.workers.get(number).ok_or_else(lost)?;
                    match worker.read.try_recv() {
                        Ok(read) => read,
                        Err(_) if self.waiting.len() < most => {
                            self.waiting.push_front(first);
                            return Ok(());
                        }
                        Err(_) => worker.read.recv().map_err(|_| lost())?,
                    }
                }
            };
            self.gathered.put(&mut batch, self.troubles, scratch)?;
            chunk.text.clear();
            chunk.pieces.clear();
            self.spare.push((chunk, batch));
        }
        Ok(())
    }
}
