//! Reading what changed alone, between two listings of the whole: where the target can tell, and `reconcile.full_every` says
//! how often the whole is read. The target's token is taken over only when the plan that came of it is done. In the place of a
//! token may stand a moment of the target's own clock, for a target whose listings say how new they are.

use super::Work;
use super::schedule::SCHEDULE;
use crate::connector::{Outcome, Page, PageLines, caught};
use crate::delivery::ask;
use crate::fault::Fault;
use crate::intake::LiveApp;
use crate::store::target_of;
use crate::time::{Period, Timestamp};

/// What a reconciliation does with the target's token.
pub(super) enum Token {
    /// It reads the whole and has no use for one.
    Unused,
    /// It reads the whole, and the token from before is where the next changes begin.
    First,
    /// It reads what changed since this one.
    Since(String),
    /// It reads what was changed at this moment of the target's own clock, or later.
    Modified(Timestamp),
}

/// How a moment stands in the place of a token.
const MODIFIED: &str = "modified ";

/// What a target may show later than what was changed after it, beside the time that the reading took.
const OVERLAP: Period = Period::from_seconds(300);

/// A date so far ahead of our clock is a mistake of the target's, and would hide every change until then.
const AHEAD: Period = Period::from_seconds(86_400);

/// From which moment of the target's clock on changes are to be read next, as a token. `newest` is the last change that the reading
/// saw; what was changed while it went on, behind its back, was changed after that less the time that it took.
fn token_of(newest: Timestamp, began: Timestamp, now: Timestamp, target: &str) -> Option<String> {
    if now < began || newest > now.plus(AHEAD) {
        return None;
    }
    let behind = now.since(began).plus(OVERLAP).as_micros();
    let since = Timestamp::from_micros(newest.as_micros().saturating_sub(behind));
    Some(format!("{MODIFIED}{since} {target}"))
}

/// The moment of a token of this target.
fn moment_of(token: &str, target: &str) -> Option<Timestamp> {
    let (moment, of) = token.strip_prefix(MODIFIED)?.split_once(' ')?;
    if of == target { Timestamp::parse(moment).ok() } else { None }
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
        if filtered {
            return Ok(Token::Unused);
        }
        let known = super::read(self.host, |tx| tx.remembered(&self.app))?;
        let is_due = |full_at: Timestamp| self.row.shown.created_at >= full_at.plus(full_every);
        let scheduled = self.row.shown.by.as_deref() == Some(SCHEDULE);
        let target = target_of(&live.definition.app);
        Ok(match (known.full_at, known.token) {
            (Some(full_at), Some(token)) if scheduled && !is_due(full_at) => match moment_of(&token, &target) {
                Some(since) => Token::Modified(since),
                None if tells => Token::Since(token),
                None => Token::Unused,
            },
            _ if tells => Token::First,
            _ => Token::Unused,
        })
    }

    /// From which moment on changes are read; none where the whole is, or a token says it.
    pub(super) fn since(&self, live: &LiveApp) -> Result<Option<Timestamp>, Fault> {
        match self.token(live)? {
            Token::Modified(since) if self.row.partial => Ok(Some(since)),
            _ => Ok(None),
        }
    }

    /// The token that follows from a listing that came to its end, where its accounts say how new they are. It never goes back.
    pub(super) fn token_after(&self, live: &LiveApp, page: &PageLines) -> Result<Option<String>, Fault> {
        let now = self.host.clock().now();
        let target = target_of(&live.definition.app);
        let next = |newest| token_of(newest, self.row.shown.created_at, now, &target);
        let token = page.newest.filter(|_| page.complete).and_then(next);
        let moment = token.as_deref().and_then(|token| moment_of(token, &target));
        Ok(token.filter(|_| self.since(live).is_ok_and(|since| moment > since)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn changes_are_read_from_before_what_may_have_been_passed_over() {
        let newest = at("2026-01-05T08:00:00Z");
        let (began, now) = (at("2026-03-01T10:00:00Z"), at("2026-03-01T10:20:00Z"));
        let token = token_of(newest, began, now, "scim https://crm.example.com").unwrap();
        let since = moment_of(&token, "scim https://crm.example.com");
        assert_eq!(since, Some(at("2026-01-05T07:35:00Z")), "twenty minutes of reading, and five besides");
        assert_eq!(moment_of(&token, "scim https://other.example.com"), None, "it is another target's time");
        assert_eq!(moment_of("4711", "scim https://crm.example.com"), None, "that is a token of the connector's own");
    }

    #[test]
    fn nothing_follows_where_a_clock_was_set_back_or_a_date_is_to_come() {
        let now = at("2026-03-01T10:00:00Z");
        assert_eq!(token_of(now, at("2026-03-01T10:00:01Z"), now, "mock"), None);
        assert_eq!(token_of(at("2099-12-31T00:00:00Z"), now, now, "mock"), None);
        assert!(token_of(at("2026-03-01T12:00:00Z"), now, now, "mock").is_some(), "a clock that goes ahead is one");
    }
}
