//! Files for what does not fit in memory. They stand as blocks in one temporary file that nobody else can open and that has
//! no name any more where the system allows that; up to a budget, blocks stay in memory and no file is made at all.

use crate::analysis::Scratch;
use crate::fault::{Code, Fault};
use crate::id::Random;
use crate::value::hex;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// How large a block is.
const BLOCK: usize = 16 * 1024;

/// Where a full block stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Memory(usize),
    Disk(u64),
}

/// A file: its full blocks, and the bytes after them.
#[derive(Debug, Default)]
struct Blocks {
    full: Vec<Place>,
    rest: Vec<u8>,
}

/// Scratch of the machine.
#[derive(Debug)]
pub(crate) struct TempScratch {
    files: Vec<Blocks>,
    closed: Vec<usize>,
    memory: Vec<Vec<u8>>,
    free_memory: Vec<usize>,
    /// How many blocks may be in memory.
    most_in_memory: usize,
    disk: Option<Temporary>,
    disk_blocks: u64,
    free_disk: Vec<u64>,
}

impl TempScratch {
    /// Scratch that keeps up to so many bytes in memory.
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            files: Vec::new(),
            closed: Vec::new(),
            memory: Vec::new(),
            free_memory: Vec::new(),
            most_in_memory: budget / BLOCK,
            disk: None,
            disk_blocks: 0,
            free_disk: Vec::new(),
        }
    }

    /// Takes the bytes of a block out of `bytes` and keeps them.
    fn keep(&mut self, bytes: &mut Vec<u8>) -> Result<Place, Fault> {
        if let Some(number) = self.free_memory.pop()
            && let Some(block) = self.memory.get_mut(number)
        {
            std::mem::swap(block, bytes);
            bytes.clear();
            return Ok(Place::Memory(number));
        }
        if self.memory.len() < self.most_in_memory {
            self.memory.push(std::mem::take(bytes));
            return Ok(Place::Memory(self.memory.len() - 1));
        }
        let disk = match &mut self.disk {
            Some(disk) => disk,
            none => none.insert(Temporary::new().map_err(failed)?),
        };
        let number = self.free_disk.pop().unwrap_or(self.disk_blocks);
        disk.file.seek(SeekFrom::Start(number * BLOCK as u64)).map_err(failed)?;
        disk.file.write_all(bytes).map_err(failed)?;
        self.disk_blocks = self.disk_blocks.max(number + 1);
        bytes.clear();
        Ok(Place::Disk(number))
    }

    fn read_block(&mut self, place: Place, within: usize, buffer: &mut [u8]) -> Result<(), Fault> {
        match place {
            Place::Memory(number) => {
                let block = self.memory.get(number).and_then(|block| block.get(within..within + buffer.len()));
                buffer.copy_from_slice(block.ok_or_else(lost)?);
                Ok(())
            }
            Place::Disk(number) => {
                let file = &mut self.disk.as_mut().ok_or_else(lost)?.file;
                file.seek(SeekFrom::Start(number * BLOCK as u64 + within as u64)).map_err(failed)?;
                file.read_exact(buffer).map_err(failed)
            }
        }
    }
}

impl Scratch for TempScratch {
    fn open(&mut self) -> Result<usize, Fault> {
        if let Some(number) = self.closed.pop() {
            return Ok(number);
        }
        self.files.push(Blocks::default());
        Ok(self.files.len() - 1)
    }

    fn append(&mut self, file: usize, bytes: &[u8]) -> Result<(), Fault> {
        let mut left = bytes;
        while !left.is_empty() {
            let rest = &mut self.files.get_mut(file).ok_or_else(lost)?.rest;
            let (now, later) = left.split_at(left.len().min(BLOCK - rest.len()));
            rest.extend_from_slice(now);
            left = later;
            if rest.len() == BLOCK {
                let mut full = std::mem::take(rest);
                let place = self.keep(&mut full)?;
                let blocks = self.files.get_mut(file).ok_or_else(lost)?;
                blocks.rest = full;
                blocks.full.push(place);
            }
        }
        Ok(())
    }

    fn read(&mut self, file: usize, from: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut done = 0;
        loop {
            let blocks = self.files.get(file).ok_or_else(lost)?;
            let at = usize::try_from(from).map_err(|_| lost())? + done;
            let Some(left) = buffer.get_mut(done..).filter(|left| !left.is_empty()) else { return Ok(done) };
            if let Some(place) = blocks.full.get(at / BLOCK).copied() {
                let within = at % BLOCK;
                let length = left.len().min(BLOCK - within);
                let (left, _) = left.split_at_mut(length);
                self.read_block(place, within, left)?;
                done += length;
            } else {
                let rest = blocks.rest.get(at - blocks.full.len() * BLOCK..).unwrap_or_default();
                let length = left.len().min(rest.len());
                left.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                return Ok(done + length);
            }
        }
    }

    fn close(&mut self, file: usize) {
        let Some(blocks) = self.files.get_mut(file).map(std::mem::take) else { return };
        for place in blocks.full {
            match place {
                Place::Memory(number) => self.free_memory.push(number),
                Place::Disk(number) => self.free_disk.push(number),
            }
        }
        self.closed.push(file);
    }
}

/// A file in a folder of its own, both gone when it is dropped.
#[derive(Debug)]
struct Temporary {
    file: File,
    /// What is still to be taken away.
    left: Option<PathBuf>,
}

impl Temporary {
    fn new() -> io::Result<Self> {
        let folder = private_folder()?;
        let path = folder.join("scratch");
        let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(error) => {
                // There is nobody to tell that the empty folder stays.
                let _ = fs::remove_dir(&folder);
                return Err(error);
            }
        };
        // Where an open file can be taken away, nothing is left of it whatever happens to this process.
        let is_gone = fs::remove_file(&path).is_ok() && fs::remove_dir(&folder).is_ok();
        Ok(Self { file, left: (!is_gone).then_some(folder) })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(folder) = &self.left {
            // There is nobody to tell.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Makes a folder that only this user may enter.
fn private_folder() -> io::Result<PathBuf> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let mut random = Random::new(None);
    loop {
        let mut name = [0; 12];
        random.fill(&mut name).map_err(|fault| io::Error::other(fault.message))?;
        let path = std::env::temp_dir().join(format!("rollkeeper-{}", hex(&name)));
        match builder.create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
}

fn failed(error: io::Error) -> Fault {
    match error.kind() {
        ErrorKind::StorageFull => Fault::new(Code::StoreFull, "the disk for temporary files is full"),
        kind => Fault::new(Code::StoreFailed, format!("a temporary file failed: {kind}")),
    }
}

fn lost() -> Fault {
    Fault::new(Code::Internal, "a part of a temporary file is lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that differ from place to place.
    fn pattern(seed: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from((at * 31 + seed + at / 251) % 251).unwrap()).collect()
    }

    #[test]
    fn files_hold_what_was_appended_in_memory_and_on_disk() {
        for budget in [0, 3 * BLOCK, 1 << 30] {
            let mut scratch = TempScratch::new(budget);
            let wholes = [pattern(1, 5 * BLOCK + 17), pattern(2, 2 * BLOCK), pattern(3, 0), pattern(4, 99)];
            let files: Vec<usize> = wholes.iter().map(|_| scratch.open().unwrap()).collect();
            // In pieces that fit no block, in turns.
            for round in 0.. {
                let mut is_done = true;
                for (whole, file) in wholes.iter().zip(&files) {
                    if let Some(rest) = whole.get(round * 1009..) {
                        scratch.append(*file, &rest[..rest.len().min(1009)]).unwrap();
                        is_done &= rest.is_empty();
                    }
                }
                if is_done && round * 1009 > 6 * BLOCK {
                    break;
                }
            }
            for (whole, file) in wholes.iter().zip(&files) {
                for (from, length) in [(0, whole.len()), (BLOCK - 3, 7), (2 * BLOCK, BLOCK), (5 * BLOCK, 100), (1, 40)]
                {
                    let mut buffer = vec![0; length];
                    let read = scratch.read(*file, from as u64, &mut buffer).unwrap();
                    let rest = whole.get(from..).unwrap_or_default();
                    assert_eq!(buffer[..read], rest[..rest.len().min(length)], "{budget} {from} {length}");
                }
            }
            assert_eq!(scratch.disk.is_some(), budget < 1 << 30);
        }
    }

    #[test]
    fn what_is_closed_makes_room() {
        let mut scratch = TempScratch::new(2 * BLOCK);
        for seed in 0..10 {
            let file = scratch.open().unwrap();
            scratch.append(file, &pattern(seed, 4 * BLOCK)).unwrap();
            let mut buffer = vec![0; 4 * BLOCK];
            assert_eq!(scratch.read(file, 0, &mut buffer).unwrap(), 4 * BLOCK);
            assert_eq!(buffer, pattern(seed, 4 * BLOCK));
            scratch.close(file);
        }
        assert_eq!((scratch.memory.len(), scratch.disk_blocks, scratch.files.len()), (2, 2, 1));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_left_under_a_name() {
        let temporary = Temporary::new().unwrap();
        assert!(temporary.left.is_none());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_enter_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = private_folder().unwrap();
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        fs::remove_dir(&folder).unwrap();
        assert_eq!(mode & 0o777, 0o700);
    }
}
