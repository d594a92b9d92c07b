//! A disk in memory that loses what was not synced: the files of one database, what of them is durable, and what goes wrong
//! when. Safe code alone; `lossy_vfs` shows it to SQLite.

use crate::snapshots::Chance;
use std::sync::Arc;

/// What is left of writes that were not synced when a process or a machine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Everything written stays: the process died, the machine did not.
    Nothing,
    /// Only what was synced stays.
    Unsynced,
    /// Of what was not synced, some sectors stay and others do not.
    Torn,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Unsynced, Self::Torn];
}

/// A call of the database to its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A file is opened or made.
    Open,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is cut.
    Truncate,
    /// What was written is made durable.
    Sync,
    /// The length is asked for.
    Size,
    /// A file is removed.
    Delete,
    /// Shared memory is asked for.
    Map,
    /// A lock is asked for.
    Lock,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The process is dead: nothing works any more.
    Dead,
    /// The disk is full.
    Full,
    /// The disk reports an error.
    Broken,
    /// Somebody else holds the file.
    Busy,
    /// A page that was read is none.
    Corrupt,
}

impl Trouble {
    /// Those that a disk has, death aside.
    pub const ALL: [Self; 4] = [Self::Full, Self::Broken, Self::Busy, Self::Corrupt];

    /// Whether a call can fail so.
    fn befalls(self, call: Call) -> bool {
        match self {
            Self::Dead => true,
            Self::Full => matches!(call, Call::Write | Call::Map),
            Self::Broken => call != Call::Lock,
            Self::Busy => call == Call::Lock,
            Self::Corrupt => call == Call::Read,
        }
    }
}

/// Trouble that comes at a call, counted from when it was planned.
#[derive(Clone, Copy, Debug)]
struct Planned {
    trouble: Trouble,
    /// How many calls that it can befall go well before.
    after: u64,
    /// Whether it stays from then on.
    lasts: bool,
}

/// Which file of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The database.
    Main,
    /// Its rollback journal.
    Journal,
    /// Its write-ahead log.
    Log,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, written) => put(bytes, *offset, written),
            Self::Truncate(length) => bytes.truncate(*length),
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    // Most writes are at the end.
    if offset == bytes.len() {
        return bytes.extend_from_slice(written);
    }
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(offset..end) {
        place.copy_from_slice(written);
    }
}

/// One file.
#[derive(Clone, Debug, Default)]
struct File {
    exists: bool,
    written: Vec<u8>,
    durable: Arc<Vec<u8>>,
    pending: Vec<Change>,
}

impl File {
    fn sync(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let durable = Arc::make_mut(&mut self.durable);
        self.pending.drain(..).for_each(|change| change.apply(durable));
    }

    fn restart(&mut self, loss: Loss, chance: &mut Chance) {
        match loss {
            Loss::Nothing => {}
            Loss::Unsynced => self.pending.clear(),
            Loss::Torn => self.pending = self.pending.drain(..).flat_map(|change| tear(change, chance)).collect(),
        }
        self.sync();
        self.written.clone_from(&self.durable);
    }
}

/// The sectors of a change that reached the disk.
fn tear(change: Change, chance: &mut Chance) -> Vec<Change> {
    const SECTOR: usize = 512;
    match change {
        Change::Truncate(length) => {
            if chance.percent(50) {
                vec![Change::Truncate(length)]
            } else {
                Vec::new()
            }
        }
        Change::Write(offset, bytes) => {
            let sectors = bytes.chunks(SECTOR).enumerate();
            let stay = sectors.filter(|_| chance.percent(50));
            stay.map(|(index, sector)| Change::Write(offset + index * SECTOR, sector.to_vec())).collect()
        }
    }
}

/// The database file of a store that was closed, to begin other disks with.
#[derive(Clone, Debug)]
pub struct Image(Arc<Vec<u8>>);

/// The disk under one store.
#[derive(Debug, Default)]
pub struct Disk {
    main: File,
    journal: File,
    log: File,
    boundaries: u64,
    stop_at: Option<u64>,
    dead: bool,
    planned: Option<Planned>,
    /// How many calls had trouble.
    pub troubles: u64,
    /// It says that it has synced, and has not.
    pub lies: bool,
}

impl Disk {
    /// A disk with a closed database.
    pub fn of(image: &Image) -> Self {
        let main = File { exists: true, written: image.0.to_vec(), durable: Arc::clone(&image.0), pending: Vec::new() };
        Self { main, ..Self::default() }
    }

    /// The database file, which must have been closed.
    pub fn image(&self) -> Image {
        Image(Arc::new(self.main.written.clone()))
    }

    /// How many boundaries were passed: writes of the store and calls to targets.
    pub fn boundaries(&self) -> u64 {
        self.boundaries
    }

    /// The process dies at so many boundaries from now; 1 is the next.
    pub fn stop_after(&mut self, boundaries: u64) {
        self.stop_at = Some(self.boundaries + boundaries);
    }

    /// Whether the process is dead.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// Takes back a death that has not come.
    pub fn stop_never(&mut self) {
        self.stop_at = None;
    }

    /// Plans trouble for a call after so many that go well.
    pub fn plan(&mut self, trouble: Trouble, after: u64, lasts: bool) {
        self.planned = Some(Planned { trouble, after, lasts });
    }

    /// Whether trouble that was planned has not come, or stays.
    pub fn is_planned(&self) -> bool {
        self.planned.is_some()
    }

    /// Ends all trouble.
    pub fn mend(&mut self) {
        self.planned = None;
    }

    /// A new process begins with what is left.
    pub fn restart(&mut self, loss: Loss, chance: &mut Chance) {
        for file in [&mut self.main, &mut self.journal, &mut self.log] {
            file.restart(loss, chance);
        }
        self.dead = false;
        self.stop_at = None;
    }

    /// Passes a boundary that is no call to the disk. False = the process died before it.
    pub fn pass(&mut self) -> bool {
        self.boundaries += u64::from(!self.dead);
        self.dead |= self.stop_at.is_some_and(|at| at <= self.boundaries);
        !self.dead
    }

    fn file(&mut self, role: Role) -> &mut File {
        match role {
            Role::Main => &mut self.main,
            Role::Journal => &mut self.journal,
            Role::Log => &mut self.log,
        }
    }

    /// What a call meets.
    ///
    /// # Errors
    /// The trouble.
    pub fn meet(&mut self, call: Call) -> Result<(), Trouble> {
        let counts = matches!(call, Call::Write | Call::Truncate | Call::Sync | Call::Delete | Call::Map);
        if self.dead || (counts && !self.pass()) {
            return Err(Trouble::Dead);
        }
        let Some(planned) = self.planned.as_mut().filter(|planned| planned.trouble.befalls(call)) else {
            return Ok(());
        };
        if planned.after > 0 {
            planned.after -= 1;
            return Ok(());
        }
        let trouble = planned.trouble;
        if !planned.lasts {
            self.planned = None;
        }
        self.troubles += 1;
        Err(trouble)
    }

    /// Opens a file, which is made where it does not exist and may be.
    ///
    /// # Errors
    /// `Broken` where it does not exist.
    pub fn open(&mut self, role: Role, may_make: bool) -> Result<(), Trouble> {
        self.meet(Call::Open)?;
        let file = self.file(role);
        if !file.exists && !may_make {
            return Err(Trouble::Broken);
        }
        file.exists = true;
        Ok(())
    }

    /// Whether the file exists.
    pub fn exists(&mut self, role: Role) -> bool {
        self.file(role).exists
    }

    /// Reads into `bytes`; beyond the end there are zeros. Whether all of it was there.
    ///
    /// # Errors
    /// The trouble.
    pub fn read(&mut self, role: Role, offset: usize, bytes: &mut [u8]) -> Result<bool, Trouble> {
        match self.meet(Call::Read) {
            Err(Trouble::Corrupt) => {
                bytes.fill(0xa5);
                return Ok(true);
            }
            met => met?,
        }
        let written = &self.file(role).written;
        let there = written.get(offset..).unwrap_or_default();
        let count = there.len().min(bytes.len());
        let (read, beyond) = bytes.split_at_mut(count);
        read.copy_from_slice(there.get(..count).unwrap_or_default());
        beyond.fill(0);
        Ok(beyond.is_empty())
    }

    /// Writes. What is written when the process dies may have reached the disk or not.
    ///
    /// # Errors
    /// The trouble.
    pub fn write(&mut self, role: Role, offset: usize, bytes: &[u8]) -> Result<(), Trouble> {
        let was_dead = self.dead;
        let met = self.meet(Call::Write);
        let file = self.file(role);
        if met.is_ok() || (met == Err(Trouble::Dead) && !was_dead) {
            file.pending.push(Change::Write(offset, bytes.to_vec()));
        }
        if met.is_ok() {
            put(&mut file.written, offset, bytes);
        }
        met
    }

    /// Cuts a file.
    ///
    /// # Errors
    /// The trouble.
    pub fn truncate(&mut self, role: Role, length: usize) -> Result<(), Trouble> {
        self.meet(Call::Truncate)?;
        let file = self.file(role);
        file.pending.push(Change::Truncate(length));
        file.written.truncate(length);
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// The trouble.
    pub fn sync(&mut self, role: Role) -> Result<(), Trouble> {
        self.meet(Call::Sync)?;
        if !self.lies {
            self.file(role).sync();
        }
        Ok(())
    }

    /// How long a file is.
    ///
    /// # Errors
    /// The trouble.
    pub fn size(&mut self, role: Role) -> Result<usize, Trouble> {
        self.meet(Call::Size)?;
        Ok(self.file(role).written.len())
    }

    /// Removes a file, at once and for good.
    ///
    /// # Errors
    /// The trouble.
    pub fn delete(&mut self, role: Role) -> Result<(), Trouble> {
        self.meet(Call::Delete)?;
        *self.file(role) = File::default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, Loss, Role, Trouble};
    use crate::snapshots::Chance;

    fn left(loss: Loss) -> Vec<u8> {
        let mut disk = Disk::default();
        disk.open(Role::Log, true).unwrap();
        disk.write(Role::Log, 0, &[1; 512]).unwrap();
        disk.sync(Role::Log).unwrap();
        disk.write(Role::Log, 512, &[2; 512 * 64]).unwrap();
        disk.restart(loss, &mut Chance::new(7));
        let mut bytes = vec![0; 512 * 65];
        disk.read(Role::Log, 0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn each_loss_leaves_what_it_says() {
        let count = |bytes: &[u8], value: u8| bytes.iter().filter(|byte| **byte == value).count();
        assert_eq!(count(&left(Loss::Nothing), 2), 512 * 64);
        assert_eq!(count(&left(Loss::Unsynced), 2), 0);
        let torn = count(&left(Loss::Torn), 2);
        assert!(torn > 0 && torn < 512 * 64 && torn % 512 == 0, "{torn}");
        for loss in Loss::ALL {
            assert_eq!(count(&left(loss), 1), 512);
        }
    }

    #[test]
    fn nothing_works_from_the_boundary_of_death_on() {
        let mut disk = Disk::default();
        disk.open(Role::Main, true).unwrap();
        disk.stop_after(2);
        disk.write(Role::Main, 0, &[1]).unwrap();
        assert_eq!(disk.sync(Role::Main), Err(Trouble::Dead));
        assert_eq!(disk.read(Role::Main, 0, &mut [0]), Err(Trouble::Dead));
        assert!(!disk.pass());
        disk.restart(Loss::Unsynced, &mut Chance::new(1));
        assert_eq!(disk.size(Role::Main), Ok(0));
    }

    #[test]
    fn planned_trouble_comes_at_its_call_and_stays_only_where_it_lasts() {
        let mut disk = Disk::default();
        disk.open(Role::Main, true).unwrap();
        disk.plan(Trouble::Full, 1, false);
        disk.write(Role::Main, 0, &[1]).unwrap();
        assert_eq!(disk.write(Role::Main, 1, &[1]), Err(Trouble::Full));
        disk.write(Role::Main, 1, &[1]).unwrap();
        disk.plan(Trouble::Full, 0, true);
        for _ in 0..3 {
            assert_eq!(disk.write(Role::Main, 2, &[1]), Err(Trouble::Full));
        }
        disk.mend();
        disk.write(Role::Main, 2, &[1]).unwrap();
    }
}
