//! Reading a whole target, page after page. Each page is stored with the place of the next, so that reading goes on where it
//! was interrupted.

use super::changes::Token;
use super::{Work, definition_mark, read, start_over, write, write_ahead};
use crate::connector::{AttributeSelection, ConnectorError, PageLines};
use crate::definition::Definition;
use crate::delivery::{admission, ask};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, advance};
use crate::lifecycle::Event;
use crate::model::{SnapshotVerdict, State, WaitingFor};
use crate::operation::Operation;
use crate::path::Path;
use crate::planning::verdict::{Listing, verdict};
use crate::retry::{Facts, Next, after_failure};
use crate::store::{ReconciliationRow, Tx};
use crate::time::{Period, Timestamp};
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::Arc;

/// How often a page is asked for before the reconciliation fails.
const PAGE_TRIES: u32 = 4;

/// How long the next try of a page, or room at the target, is waited for.
const PATIENCE: Period = Period::from_seconds(60);

/// What a page has of an account, before anything is done with it.
#[derive(Deserialize)]
struct Named<'l> {
    #[serde(borrow, default)]
    external_id: Cow<'l, str>,
}

/// Which accounts and cursors were there already. Fingerprints are kept alone: two that are alike by chance make a listing
/// incomplete, which takes nothing from anybody.
#[derive(Default)]
pub(super) struct Seen {
    hasher: RandomState,
    ids: HashSet<u64, BuildHasherDefault<Itself>>,
    cursors: HashSet<u64>,
    repeated: u64,
    unreadable: u64,
}

/// A fingerprint is a hash already, which nobody outside can foresee.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl Seen {
    /// Counts the accounts of a page.
    pub(super) fn count(&mut self, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match id_of(line) {
                Some(id) => {
                    let id = self.hasher.hash_one(id.as_bytes());
                    self.repeated += u64::from(!self.ids.insert(id));
                }
                None => self.unreadable += 1,
            }
        }
    }

    /// Notes a cursor, and gives whether it is a new one.
    fn moves_to(&mut self, cursor: &str) -> bool {
        self.cursors.insert(self.hasher.hash_one(cursor))
    }

    /// What is known of the listing now that it is over.
    pub(super) fn listing(&self) -> Listing {
        let accounts = self.ids.len() as u64;
        let (repeated, unreadable) = (self.repeated, self.unreadable);
        Listing { accounts, repeated, unreadable, cursor_moved: true, ..Listing::default() }
    }
}

/// The external id of a line; none where it has none that can be read. Where the id stands first and has no escapes, as in the
/// lines that this library writes, the rest is not looked at: the analysis reads it and counts what it cannot.
pub(super) fn id_of(line: &[u8]) -> Option<Cow<'_, str>> {
    let plain = || {
        let rest = line.strip_prefix(br#"{"external_id":""#)?;
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let (id, rest) = rest.split_at_checked(end)?;
        let is_whole = rest.starts_with(b"\"") && line.ends_with(b"}");
        std::str::from_utf8(id).ok().filter(|_| is_whole)
    };
    let id = match plain() {
        Some(id) => Cow::Borrowed(id),
        None => serde_json::from_slice::<Named<'_>>(line).ok()?.external_id,
    };
    (!id.is_empty()).then_some(id)
}

impl Work<'_> {
    /// Reads page after page until the listing is over, or the work is stopped.
    pub(super) fn collect(&mut self) -> Result<(), Fault> {
        let mut seen = self.seen_before()?;
        let mut began_anew = false;
        let (mut checked, mut read) = (None, None);
        while self.row.shown.state == State::Collecting && !self.is_stopped() {
            let live = self.live()?;
            if !checked.as_ref().is_some_and(|known| Arc::ptr_eq(known, &live)) {
                if self.row.definition.as_deref() != Some(definition_mark(&live)?.as_str()) {
                    // What was staged is what another definition reads.
                    self.begin_anew()?;
                    seen = Seen::default();
                    continue;
                }
                read = selection(&live.definition);
                checked = Some(Arc::clone(&live));
            }
            if self.row.shown.pages == 0 && self.row.token.is_none() {
                match self.token(&live)? {
                    Token::Unused | Token::Modified(_) => {}
                    Token::Since(token) if self.row.partial => {
                        match self.ask_changes(&live, Some(&token)) {
                            Some(page) => self.store(&live, &mut seen, &page)?,
                            None => self.begin_anew()?,
                        }
                        continue;
                    }
                    // From here on is told what changes while the whole is read.
                    Token::First | Token::Since(_) => drop(self.ask_changes(&live, None)),
                }
            }
            let since = self.since(&live)?;
            match self.ask(&live, since, read.as_ref())? {
                // What was changed last is among what was changed since: an answer without anybody is wrong, or that account is gone.
                Asked::Page(page)
                    if since.is_some() && page.next.is_none() && self.row.shown.collected + page.count == 0 =>
                {
                    self.begin_anew()?;
                }
                Asked::Page(page) => self.store(&live, &mut seen, &page)?,
                // Where it goes wrong, the whole is read.
                Asked::Failed(_) if since.is_some() => {
                    self.begin_anew()?;
                    seen = Seen::default();
                }
                // A listing whose place the target lost begins anew, once: what was staged of the other may not go with it.
                Asked::Failed(fault) if fault.code == Code::CursorExpired && !began_anew => {
                    began_anew = true;
                    self.begin_anew()?;
                    seen = Seen::default();
                }
                Asked::Failed(fault) => return self.fail(fault),
                Asked::Stopped => return Ok(()),
            }
            self.tell();
        }
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<(), Fault> {
        let (row, app) = (self.row.clone(), self.app.clone());
        self.row = write(self.host, |tx, apps| {
            let mut row = row.clone();
            start_over(tx, super::find(apps, app.as_str())?, &mut row)?;
            tx.save_reconciliation(&row)?;
            Ok(row)
        })?;
        Ok(())
    }

    /// What the pages have that were stored before an interruption.
    fn seen_before(&self) -> Result<Seen, Fault> {
        let mut seen = Seen::default();
        for number in 1..=self.row.shown.pages {
            let lines = read(self.host, |tx| tx.page(&self.row.shown.id, &self.key, number))?;
            seen.count(&lines.unwrap_or_default());
        }
        if let Some(cursor) = &self.row.cursor {
            seen.moves_to(cursor);
        }
        Ok(seen)
    }

    /// Asks for the next page, again where that can help.
    fn ask(&self, live: &LiveApp, since: Option<Timestamp>, read: Option<&AttributeSelection>) -> Result<Asked, Fault> {
        let app = &live.definition.app;
        let Some(connector) = live.connector.as_ref() else {
            let message = "no connector is registered under this name";
            return Ok(Asked::Failed(Fault::new(Code::UnknownConnector, message)));
        };
        let filter = app.reconcile.as_ref().and_then(|settings| settings.filter.as_deref());
        let asked_at = self.host.clock().now();
        for attempts in 1.. {
            if !self.wait_for_room(live)? {
                return Ok(Asked::Stopped);
            }
            if super::read(self.host, |tx| tx.is_kept_back(&app.id))? {
                let message = "the app is held, or its target is in maintenance";
                return Ok(Asked::Failed(Fault::new(Code::AppDisabled, message)));
            }
            let cursor = self.row.cursor.as_deref();
            let list = || match since {
                Some(since) => connector.list_changed(since, cursor, read),
                None => connector.list_lines(cursor, filter, read),
            };
            let error = match ask(self.host, app, list)? {
                Ok(page) => return Ok(Asked::Page(page)),
                Err(error) => error,
            };
            let now = self.host.clock().now();
            let facts = Facts {
                operation: Operation::Reconcile,
                attempts,
                created_at: asked_at,
                policy: &app.retry,
                settle: app.settle.whole(),
                repeatable: true,
                now,
            };
            let jitter = super::read(self.host, |tx| tx.random_below(u64::MAX))?;
            match after_failure(&facts, &error, jitter) {
                Next::Again(at, _) if attempts < PAGE_TRIES && at.since(now) <= PATIENCE => {
                    if !self.wait(at.since(now)) {
                        return Ok(Asked::Stopped);
                    }
                }
                Next::Again(..) | Next::Parked(_) => return Ok(Asked::Failed(fault_of(&error, None))),
                Next::Fail(code) => return Ok(Asked::Failed(fault_of(&error, code))),
            }
        }
        Ok(Asked::Stopped)
    }

    /// Waits until the target may be asked, and gives whether the work goes on. A target that is paused for longer is asked
    /// all the same: one call shows whether it is back. What a person keeps back is not waited for.
    pub(super) fn wait_for_room(&self, live: &LiveApp) -> Result<bool, Fault> {
        let app = &live.definition.app;
        let mut waited = 0;
        while waited < PATIENCE.as_micros() {
            let admission = admission(self.host, app)?;
            if admission.room > 0 || matches!(admission.closed, Some(WaitingFor::Hold | WaitingFor::Maintenance)) {
                break;
            }
            if !self.wait(super::NAP) {
                return Ok(false);
            }
            waited += super::NAP.as_micros();
        }
        Ok(!self.is_stopped())
    }

    /// Stores a page with the place of the next. After the last page it is known what the listing is worth.
    fn store(&mut self, live: &LiveApp, seen: &mut Seen, page: &PageLines) -> Result<(), Fault> {
        seen.count(&page.accounts);
        let moved = page.next.as_deref().is_none_or(|next| seen.moves_to(next));
        let over = page.next.is_none() || !moved;
        // While it reads, the most that the target counted stands in the place of how many there are.
        let most = self.row.accounts.max(page.total.unwrap_or(0));
        let listing = Listing {
            shrank: page.total.is_some_and(|total| total < most),
            cursor_moved: moved,
            proved: page.complete,
            total: page.total,
            partial: self.row.partial,
            ..seen.listing()
        };
        // What changed is asked for from here on, so that nothing may have been passed over.
        let faultless = !listing.shrank && listing.repeated == 0 && listing.unreadable == 0;
        let token = if over && moved && faultless { self.token_after(live, page)? } else { None };
        let (row, key) = (self.row.clone(), self.key.clone());
        let store = |tx: &mut Tx<'_>| {
            let mut row = row.clone();
            row.shown.pages += 1;
            row.shown.collected += page.count;
            row.accounts = most;
            row.cursor = page.next.clone().filter(|_| !over);
            row.token = token.clone().or(row.token.take());
            if over {
                conclude(self.host, tx, live, &mut row, &listing)?;
                let details = told(&row);
                advance(tx, &mut row, Event::Collected, None, details)?;
            } else {
                tx.save_reconciliation(&row)?;
            }
            tx.put_page(&row.shown.id, &key, row.shown.pages, &page.accounts, page.count)?;
            Ok(row)
        };
        // A page that is lost with the machine's power is read again, since the place of the next is lost with it.
        self.row = match over {
            true => write(self.host, |tx, _| store(tx))?,
            false => write_ahead(self.host, |tx, _| store(tx))?,
        };
        Ok(())
    }
}

/// Notes what a listing is worth.
pub(super) fn conclude(
    host: &dyn crate::delivery::Host,
    tx: &Tx<'_>,
    live: &LiveApp,
    row: &mut ReconciliationRow,
    listing: &Listing,
) -> Result<(), Fault> {
    let app = &live.definition.app;
    let accepted = tx.remembered(&app.id)?.accepted;
    // What we deleted ourselves may have moved accounts from a page that was still to come to one that was read.
    let listing = Listing { shrank: listing.shrank || tx.deleted_since(&app.id, row.began)?, ..*listing };
    let smaller = app.brake.clone().unwrap_or_default().smaller_percent;
    let (word, why) = match host.brakes() {
        true => verdict(&listing, accepted, smaller),
        false => (SnapshotVerdict::Complete, Vec::new()),
    };
    row.accounts = listing.accounts;
    row.shown.verdict = Some(word);
    row.shown.verdict_why = why;
    Ok(())
}

/// What the log tells of a listing.
pub(super) fn told(row: &ReconciliationRow) -> serde_json::Value {
    let shown = &row.shown;
    let verdict = shown.verdict.map(SnapshotVerdict::name);
    json!({"pages": shown.pages, "rows": shown.collected, "accounts": row.accounts, "verdict": verdict,
        "why": shown.verdict_why})
}

/// What came of asking for a page.
enum Asked {
    Page(PageLines),
    Failed(Fault),
    Stopped,
}

/// The failure in our own words: it is stored in clear, and what the target says may quote an account.
fn fault_of(error: &ConnectorError, code: Option<Code>) -> Fault {
    let code = code.or_else(|| Code::from_name(&error.code)).unwrap_or(Code::TargetFailed);
    Fault::new(code, "the target's accounts cannot be listed")
}

/// The attributes of an account that matching and mapping read; all where an expression reads the account as a whole.
pub(super) fn selection(definition: &Definition) -> Option<AttributeSelection> {
    if definition.mapping.expressions().any(|report| report.variables.contains("current")) {
        return None;
    }
    let names = definition.matching.account_attribute_names();
    let always = ["userName", "externalId", "active"].into_iter();
    let paths: Vec<Path> = names.iter().map(String::as_str).chain(always).filter_map(|n| Path::parse(n).ok()).collect();
    Some(AttributeSelection::of(definition.mapping.targets().chain(&paths)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_counted_however_their_lines_are_written() {
        let lines = [
            r#"{"external_id":"a","attributes":{}}"#,
            r#"{"attributes":{},"external_id":"a"}"#,
            r#"{"external_id":"\u0061"}"#,
            r#"{ "external_id": "b" }"#,
            r#"{"external_id":""}"#,
            r#"{"external_id":"c""#,
            "{}",
        ];
        let mut seen = Seen::default();
        seen.count(lines.join("\n").as_bytes());
        assert_eq!((seen.ids.len(), seen.repeated, seen.unreadable), (2, 2, 3));
    }
}
