//! What is compared, as the store has it: users, staged accounts, and what is known of accounts. Each is read by pages, in
//! short transactions.

use super::collect::id_of;
use super::{Work, read};
use crate::analysis::{Piece, Records, Scratch, Visit, VisitPiece};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId};
use crate::model::{AccountStatus, TargetAccount};
use crate::scratch::TempScratch;
use crate::store::{KnownLink, LinkRow, UserKey, UserState};
use crate::value::write_text;
use std::collections::HashMap;

/// How many rows are read at once.
const PAGE: u32 = 500;

type Again<'v> = dyn FnMut(&[u8]) -> Result<(), Fault> + 'v;

/// The users who are in the directory. A place is that of the id among those read.
pub(super) struct StoredUsers<'h> {
    host: &'h dyn Host,
    ids: Ids,
    kept: Kept,
}

/// What is known of the app's accounts.
pub(super) struct StoredLinks<'h> {
    host: &'h dyn Host,
    app: AppId,
    ids: Ids,
    kept: Kept,
}

/// The accounts that were collected. A place is the page's number and where in it the line begins.
pub(super) struct Staged<'h> {
    host: &'h dyn Host,
    id: RequestId,
    key: UserKey,
    pages: u64,
    /// The pages that were read last, by their numbers, the newest first.
    open: Vec<(u64, Vec<u8>)>,
}

/// How many bytes of pages stay open: accounts that are looked at together mostly stand on few pages, and to open one costs as
/// much as to read all that is on it.
const OPEN: usize = 4 << 20;

/// Ids by their places, in scratch: a place is where the id begins. So what is read again costs no memory.
struct Ids {
    scratch: TempScratch,
    file: usize,
    end: u64,
}

/// How much of the ids may stay in memory.
const IN_MEMORY: usize = 4 << 20;

/// How long an id's length is as it is written.
const LENGTH: u64 = 4;

impl Ids {
    fn new() -> Result<Self, Fault> {
        let mut scratch = TempScratch::new(IN_MEMORY);
        let file = scratch.open()?;
        Ok(Self { scratch, file, end: 0 })
    }

    fn keep(&mut self, id: &str) -> Result<u64, Fault> {
        let place = self.end;
        let length = u32::try_from(id.len()).map_err(|_| lost())?;
        self.scratch.append(self.file, &length.to_le_bytes())?;
        self.scratch.append(self.file, id.as_bytes())?;
        self.end += LENGTH + u64::from(length);
        Ok(place)
    }

    fn at(&mut self, place: u64) -> Result<String, Fault> {
        let mut length = [0; LENGTH as usize];
        self.scratch.read(self.file, place, &mut length)?;
        let mut id = vec![0; u32::from_le_bytes(length) as usize];
        self.scratch.read(self.file, place + LENGTH, &mut id)?;
        String::from_utf8(id).map_err(|_| lost())
    }
}

/// Records that were read again, by their places: what differs is looked at once to decide, and once more for its finding. When
/// the room is full, nothing is added.
#[derive(Default)]
struct Kept {
    records: HashMap<u64, Vec<u8>>,
    bytes: usize,
}

/// How many bytes of records that were read again are kept, of users and of links each.
const KEPT: usize = 8 << 20;

/// About how many bytes a record takes beside its text.
const KEPT_EACH: usize = 64;

impl Kept {
    /// The record at a place, which `read` reads where it is not there.
    fn record(
        &mut self,
        place: u64,
        visit: &mut Again<'_>,
        read: impl FnOnce() -> Result<Vec<u8>, Fault>,
    ) -> Result<(), Fault> {
        if let Some(record) = self.records.get(&place) {
            return visit(record);
        }
        let record = read()?;
        visit(&record)?;
        if self.bytes + record.len() + KEPT_EACH <= KEPT {
            self.bytes += record.len() + KEPT_EACH;
            self.records.insert(place, record);
        }
        Ok(())
    }
}

fn lost() -> Fault {
    Fault::new(Code::Internal, "there is no record at this place")
}

impl<'h> StoredUsers<'h> {
    pub(super) fn new(work: &Work<'h>) -> Result<Self, Fault> {
        Ok(Self { host: work.host, ids: Ids::new()?, kept: Kept::default() })
    }
}

impl Records for StoredUsers<'_> {
    fn each(&mut self, visit: &mut Visit<'_>) -> Result<(), Fault> {
        (self.ids, self.kept) = (Ids::new()?, Kept::default());
        let mut after = String::new();
        loop {
            let users = read(self.host, |tx| tx.records_after(&after, PAGE))?;
            let Some(last) = users.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for user in users.iter().filter(|user| user.state == UserState::Present) {
                // One that cannot be unsealed takes no part, and is told as a record that cannot be read.
                visit(self.ids.keep(&user.id)?, user.json.as_deref().unwrap_or_default())?;
            }
        }
    }

    fn again(&mut self, place: u64, visit: &mut Again<'_>) -> Result<(), Fault> {
        let Self { host, ids, kept } = self;
        kept.record(place, visit, || {
            let id = ids.at(place)?;
            let stored = read(*host, |tx| tx.record(&id))?;
            let gone = || Fault::new(Code::ItemChanged, "a user was erased while the target was compared");
            let damaged = || Fault::new(Code::StoreDamaged, "a user's record cannot be opened any more");
            stored.ok_or_else(gone)?.json.ok_or_else(damaged)
        })
    }
}

impl<'h> StoredLinks<'h> {
    pub(super) fn new(work: &Work<'h>) -> Result<Self, Fault> {
        Ok(Self { host: work.host, app: work.app.clone(), ids: Ids::new()?, kept: Kept::default() })
    }
}

impl Records for StoredLinks<'_> {
    fn each(&mut self, visit: &mut Visit<'_>) -> Result<(), Fault> {
        (self.ids, self.kept) = (Ids::new()?, Kept::default());
        let (mut after, mut json) = (String::new(), String::new());
        loop {
            let rows = read(self.host, |tx| tx.links_after(&self.app, &after, PAGE))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.external_id);
            for row in &rows {
                // Who joins by links does not ask what was applied last, which would have to be unsealed.
                json.clear();
                write_link(row, &mut json);
                json.push('}');
                visit(self.ids.keep(&row.external_id)?, json.as_bytes())?;
            }
        }
    }

    fn again(&mut self, place: u64, visit: &mut Again<'_>) -> Result<(), Fault> {
        let Self { host, app, ids, kept } = self;
        kept.record(place, visit, || {
            let id = ids.at(place)?;
            let gone = || Fault::new(Code::Internal, "what is known of an account is gone");
            Ok(known_link(&read(*host, |tx| tx.link_at(app, &id))?.ok_or_else(gone)?))
        })
    }
}

/// The members of a link by which accounts and users are joined.
fn write_link(row: &LinkRow, json: &mut String) {
    json.push_str(r#"{"account":"#);
    write_text(&row.external_id, json);
    json.push_str(r#","deleted":"#);
    json.push_str(truth(row.status == AccountStatus::Deleted));
    json.push_str(r#","state":"#);
    write_text(row.link_state.name(), json);
    if let Some(user) = &row.user {
        json.push_str(r#","user":"#);
        write_text(user, json);
    }
}

/// What the analysis is told of an account that is known, when it looks closely.
fn known_link(known: &KnownLink) -> Vec<u8> {
    let mut json = String::new();
    write_link(&known.link, &mut json);
    let flags =
        [("known", known.known), ("frozen", known.frozen), ("active", known.link.status == AccountStatus::Active)];
    for (name, flag) in flags {
        json.extend([",", "\"", name, "\":", truth(flag)]);
    }
    let mut json = json.into_bytes();
    if let Some(applied) = &known.applied {
        json.extend_from_slice(br#","last":"#);
        json.extend_from_slice(applied);
    }
    json.push(b'}');
    json
}

fn truth(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

/// About how many bytes of a page are shown at once.
const PIECE: usize = if cfg!(test) { 8 } else { 64 << 10 };

impl<'h> Staged<'h> {
    pub(super) fn new(work: &Work<'h>) -> Self {
        let (host, id, key) = (work.host, work.row.shown.id.clone(), work.key.clone());
        Self { host, id, key, pages: work.row.shown.pages, open: Vec::new() }
    }

    /// How many pages there are.
    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    /// The accounts of a page; those that cannot be read are left out.
    pub(super) fn accounts(&mut self, number: u64) -> Result<Vec<TargetAccount>, Fault> {
        let lines = lines(self.page(number)?).map(|(_, line)| line);
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// The lines of a page.
    fn page(&mut self, number: u64) -> Result<&[u8], Fault> {
        let gone = || Fault::new(Code::Cancelled, "what was collected is gone");
        match self.open.iter().position(|(open, _)| *open == number) {
            Some(at) => self.open.get_mut(..=at).into_iter().for_each(|newer| newer.rotate_right(1)),
            None => {
                let page = read(self.host, |tx| tx.page(&self.id, &self.key, number))?;
                self.open.insert(0, (number, page.ok_or_else(gone)?));
                let mut bytes = 0;
                let fits = self.open.iter().take_while(|(_, page)| {
                    bytes += page.len();
                    bytes <= OPEN
                });
                let fit = fits.count().max(1);
                self.open.truncate(fit);
            }
        }
        self.open.first().map(|(_, page)| page.as_slice()).ok_or_else(gone)
    }
}

impl Records for Staged<'_> {
    fn each(&mut self, visit: &mut Visit<'_>) -> Result<(), Fault> {
        self.pieces(&mut |piece| (piece.split)(piece.text, piece.place, visit))
    }

    fn pieces(&mut self, visit: &mut VisitPiece<'_>) -> Result<(), Fault> {
        (1..=self.pages).try_for_each(|number| {
            let mut pieces = pieces(self.page(number)?);
            pieces.try_for_each(|(at, text)| visit(Piece { place: number << 32 | at as u64, text, split: split_lines }))
        })
    }

    fn again(&mut self, place: u64, visit: &mut Again<'_>) -> Result<(), Fault> {
        let page = self.page(place >> 32)?;
        let line = usize::try_from(place & u64::from(u32::MAX)).ok().and_then(|at| line_at(page, at));
        visit(line.ok_or_else(|| Fault::new(Code::Internal, "there is no account at this place"))?)
    }
}

/// A page in pieces that are whole lines, each with where it begins.
fn pieces(page: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = page.get(at..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().skip(PIECE).position(|byte| *byte == b'\n');
        let (text, _) = rest.split_at(end.map_or(rest.len(), |end| PIECE + end + 1));
        let here = at;
        at += text.len();
        Some((here, text))
    })
}

/// Shows the lines of a page, or of a piece of one, that begins at that place.
fn split_lines(page: &[u8], place: u64, visit: &mut Visit<'_>) -> Result<(), Fault> {
    lines(page).try_for_each(|(at, line)| visit(place + at as u64, line))
}

impl Work<'_> {
    /// Shows the external id of every account that was collected.
    pub(super) fn each_listed(&self, visit: &mut dyn FnMut(&str)) -> Result<(), Fault> {
        let mut staged = Staged::new(self);
        for number in 1..=staged.pages {
            lines(staged.page(number)?).filter_map(|(_, line)| id_of(line)).for_each(|id| visit(&id));
        }
        Ok(())
    }
}

/// Finds collected accounts by their ids, in about the order in which they were collected.
pub(super) struct Seeker<'h> {
    staged: Staged<'h>,
    /// The page that was looked at last.
    number: u64,
    /// Where on it the accounts stand. Only those that are sought are read.
    places: HashMap<String, usize>,
}

impl<'h> Seeker<'h> {
    pub(super) fn new(work: &Work<'h>) -> Self {
        Self { staged: Staged::new(work), number: 0, places: HashMap::new() }
    }

    /// The account of that id as it was collected, the first of repeated ones on a page.
    pub(super) fn find(&mut self, id: &str) -> Result<Option<TargetAccount>, Fault> {
        let pages = self.staged.pages();
        for _ in 0..=pages {
            if let Some(at) = self.places.get(id) {
                let line = line_at(self.staged.page(self.number)?, *at);
                if let Some(found) = line.and_then(|line| serde_json::from_slice(line).ok()) {
                    return Ok(Some(found));
                }
            }
            if pages == 0 {
                break;
            }
            self.number = self.number % pages + 1;
            self.places.clear();
            for (at, line) in lines(self.staged.page(self.number)?) {
                if let Some(id) = id_of(line) {
                    self.places.entry(id.into_owned()).or_insert(at);
                }
            }
        }
        Ok(None)
    }
}

/// The line that begins there.
fn line_at(page: &[u8], at: usize) -> Option<&[u8]> {
    page.get(at..)?.split(|byte| *byte == b'\n').next()
}

/// The lines of a page that hold something, each with where it begins.
fn lines(page: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    let lines = page.split(|byte| *byte == b'\n').map(move |line| {
        let here = at;
        at += line.len() + 1;
        (here, line)
    });
    lines.filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_page_have_each_of_its_lines_where_it_stands() {
        for length in 0..40_usize {
            for gap in 1..=length + 1 {
                let page: Vec<u8> = (1..=length).map(|at| if at % gap == 0 { b'\n' } else { b'x' }).collect();
                let mut found = Vec::new();
                for (at, text) in pieces(&page) {
                    let mut note = |place: u64, line: &[u8]| {
                        found.push((place, line.to_vec()));
                        Ok(())
                    };
                    split_lines(text, 3 << 32 | at as u64, &mut note).unwrap();
                }
                let expected: Vec<(u64, Vec<u8>)> =
                    lines(&page).map(|(at, line)| (3 << 32 | at as u64, line.to_vec())).collect();
                assert_eq!(found, expected, "{length} {gap}");
                assert!(found.iter().all(|(place, line)| {
                    let at = usize::try_from(place & u64::from(u32::MAX)).unwrap();
                    line_at(&page, at) == Some(line.as_slice())
                }));
            }
        }
    }
}
