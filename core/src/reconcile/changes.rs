//! Reading what changed alone, between two listings of the whole: where the target can tell, and `reconcile.full_every` says
//! how often the whole is read. The target's token is taken over only when the plan that came of it is done.

use super::Work;
use super::schedule::SCHEDULE;
use crate::connector::{Outcome, Page, PageLines, caught};
use crate::delivery::ask;
use crate::fault::Fault;
use crate::intake::LiveApp;
use crate::time::Timestamp;

/// What a reconciliation does with the target's token.
pub(super) enum Token {
    /// It reads the whole and has no use for one.
    Unused,
    /// It reads the whole, and the token from before is where the next changes begin.
    First,
    /// It reads what changed since this one.
    Since(String),
}

impl Work<'_> {
    /// Whether this reconciliation reads changes alone. One that a person asks for always reads the whole.
    pub(super) fn token(&self, live: &LiveApp) -> Result<Token, Fault> {
        let settings = live.definition.app.reconcile.as_ref();
        let filtered = settings.is_some_and(|settings| settings.filter.is_some());
        let (Some(full_every), Some(connector)) =
            (settings.and_then(|settings| settings.full_every), live.connector.as_ref())
        else {
            return Ok(Token::Unused);
        };
        let tells = caught(Outcome::NotApplied, || Ok(connector.capabilities().changes)).unwrap_or(false);
        if filtered || !tells {
            return Ok(Token::Unused);
        }
        let known = super::read(self.host, |tx| tx.remembered(&self.app))?;
        let is_due = |full_at: Timestamp| self.row.shown.created_at >= full_at.plus(full_every);
        let scheduled = self.row.shown.by.as_deref() == Some(SCHEDULE);
        Ok(match (known.full_at, known.token) {
            (Some(full_at), Some(token)) if scheduled && !is_due(full_at) => Token::Since(token),
            _ => Token::First,
        })
    }

    /// Asks the target what changed. Where it cannot tell, the whole is read: nothing is missed for a token that is too old.
    pub(super) fn ask_changes(&mut self, live: &LiveApp, token: Option<&str>) -> Option<PageLines> {
        let connector = live.connector.as_ref()?;
        let app = &live.definition.app;
        if super::read(self.host, |tx| tx.is_kept_back(&app.id)).ok()? {
            return None;
        }
        // Where it goes wrong, the whole is read.
        let (accounts, next) = ask(self.host, app, || connector.changes(token)).ok()?.ok()?;
        self.row.token = Some(next);
        let read = super::collect::selection(&live.definition);
        PageLines::of(Page { accounts, ..Page::default() }, read.as_ref()).ok()
    }
}
