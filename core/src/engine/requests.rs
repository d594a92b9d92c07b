//! The verbs of requests and accounts.

use super::{Engine, Error, Result};
use crate::delivery::{Gates, Host};
use crate::fault::{Code, Fault};
use crate::governance::{self, Submission};
use crate::model::{Account, AccountFilter, Request, RequestDetail, RequestFilter, WaitingFor};
use crate::operation::Operation;
use crate::store::Tx;
use crate::time::Timestamp;

/// How many requests are given where a filter asks for what they wait for and sets no limit.
const MOST_WAITING: usize = 1_000;

impl Engine {
    /// Requests by id, which is by the time of making.
    ///
    /// # Errors
    /// Store errors.
    pub fn requests(&self, filter: &RequestFilter) -> Result<Vec<Request>> {
        let failed = |fault| Error::new("requests", fault);
        let Some(wait) = filter.waiting_for else {
            return self
                .view(|tx| {
                    let mut requests = tx.requests(filter)?;
                    self.show_waits(tx, &mut requests)?;
                    Ok(requests)
                })
                .map_err(failed);
        };
        let limit = filter.limit.map_or(MOST_WAITING, |limit| limit as usize);
        let mut page = RequestFilter { limit: None, ..filter.clone() };
        let mut found = Vec::new();
        while found.len() < limit {
            let (last, mut requests) = self
                .view(|tx| {
                    // By their rows some of these are due, or wait for their time: what keeps them back is known of the
                    // whole app.
                    let mut requests = if is_of_app(wait) { tx.open_requests(&page)? } else { tx.requests(&page)? };
                    let last = requests.last().map(|request| request.id.to_string());
                    self.show_waits(tx, &mut requests)?;
                    Ok((last, requests))
                })
                .map_err(failed)?;
            let Some(last) = last else { break };
            page.after = Some(last);
            requests.retain(|request| request.waiting_for == Some(wait));
            found.append(&mut requests);
        }
        found.truncate(limit);
        Ok(found)
    }

    /// One request with its attempts, and the payload that was sent last.
    ///
    /// # Errors
    /// `not_found` where there is no such request; store errors.
    pub fn request(&self, id: &str) -> Result<RequestDetail> {
        let failed = |fault| Error::new("request", fault).about("request", id);
        let mut detail = self
            .view(|tx| {
                let missing = || Fault::new(Code::NotFound, "there is no such request");
                let mut row = tx.request(id)?.ok_or_else(missing)?;
                self.show_waits(tx, std::slice::from_mut(&mut row.request))?;
                let history = tx.attempts(&row.request.id)?;
                let stored = row.request.user.as_ref().map(|user| tx.user(user.as_str())).transpose()?.flatten();
                let key = match stored {
                    Some(stored) => Some(stored.key),
                    None if row.request.user.is_none() => tx.known_app_key(&row.request.app)?,
                    None => None,
                };
                let payload = key.as_ref().map(|key| tx.payload(&row.request.id, key)).transpose()?.flatten();
                let kept = key.as_ref().map(|key| tx.kept(&row.request.id, key)).transpose()?.flatten();
                Ok(RequestDetail { request: row.request, history, payload, before: kept.map(|kept| kept.before) })
            })
            .map_err(failed)?;
        self.cover_before(&mut detail);
        Ok(detail)
    }

    /// Leaves out the values before that are never shown. Of an app that is gone nobody knows which these are.
    fn cover_before(&self, detail: &mut RequestDetail) {
        let Some(values) = detail.before.as_mut().and_then(|before| before.values.as_mut()) else { return };
        let (apps, _) = self.shared.apps();
        match apps.get(&detail.request.app) {
            Some(app) => values.retain(|path, _| !app.definition.mapping.is_sensitive(path)),
            None => values.clear(),
        }
    }

    /// What keeps calls to a whole app back is no matter of a request's row: it is shown where the request would go otherwise,
    /// with the time at which that ends where it is known. One whose app has no connector here waits for the connector.
    pub(super) fn show_waits(&self, tx: &Tx<'_>, requests: &mut [Request]) -> std::result::Result<(), Fault> {
        let mut gates = Gates::read(tx)?;
        gates.count(tx)?;
        let (apps, _) = self.shared.apps();
        let calls = self.shared.run.calls();
        for request in requests.iter_mut().filter(|request| goes_otherwise(request, tx.now)) {
            let live = apps.get(&request.app);
            if live.is_none_or(|live| live.connector.is_none()) {
                request.waiting_for = Some(WaitingFor::Dependency);
                continue;
            }
            let Some(live) = live else { continue };
            let admission = gates.admit(&live.definition.app, &calls, tx.now);
            let Some(wait) = admission.closed else { continue };
            let is_longer = match (admission.opens_at, request.due_at) {
                (Some(opens_at), Some(due)) => due < opens_at,
                _ => true,
            };
            if is_longer {
                (request.waiting_for, request.due_at) = (Some(wait), admission.opens_at);
            }
        }
        Ok(())
    }

    /// Asks for an operation by hand, at the end of the user's lane.
    ///
    /// # Errors
    /// `not_found` for the app or the user; `operation_off` where the app does not allow it or the user may not have an
    /// account; `invalid_argument` for Reconcile and Linking; store errors.
    pub fn submit(
        &self,
        app: &str,
        user: &str,
        operation: Operation,
        by: Option<&str>,
        not_before: Option<Timestamp>,
    ) -> Result<Request> {
        let asked = Submission { app, user, operation, by, not_before };
        self.transact(|tx, apps| governance::submit(tx, apps, &asked))
            .map_err(|fault| Error::new("submit", fault).about("app", app).about("user", user))
    }

    /// Cancels a request of which nothing was sent; a reconciliation or an undo whose plan was not committed; or what is held
    /// of a list of all users, whose items expire. An undo and a list are told as a request of the operation `Reconcile`, that
    /// of a list with an empty `app`.
    ///
    /// # Errors
    /// `not_found`; `invalid_transition` where it is finished, or was sent and may still take effect; store errors.
    pub fn cancel(&self, id: &str, by: Option<&str>) -> Result<Request> {
        self.transact(|tx, apps| governance::cancel_request(tx, apps, id, by))
            .map_err(|fault| Error::new("cancel", fault).about("request", id))
    }

    /// Agrees to a request that waits for approval.
    ///
    /// # Errors
    /// `not_found`; `invalid_transition` where it does not wait for approval; `four_eyes` where `by` asked for it, is the
    /// user concerned, or is not among the approvers; store errors.
    pub fn approve(&self, id: &str, by: &str, comment: Option<&str>) -> Result<Request> {
        self.answer("approve", id, true, by, comment)
    }

    /// Refuses a request that waits for approval; it is cancelled.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    pub fn deny(&self, id: &str, by: &str, comment: Option<&str>) -> Result<Request> {
        self.answer("deny", id, false, by, comment)
    }

    fn answer(
        &self,
        operation: &'static str,
        id: &str,
        agreed: bool,
        by: &str,
        comment: Option<&str>,
    ) -> Result<Request> {
        self.transact(|tx, apps| governance::answer(tx, apps, id, agreed, by, comment))
            .map_err(|fault| Error::new(operation, fault).about("request", id))
    }

    /// Has a failed request tried again by a clone, which is given; the failed one becomes `Retried`.
    ///
    /// # Errors
    /// `not_found`; `invalid_transition` where it has not failed; store errors.
    pub fn retry(&self, id: &str, by: &str) -> Result<Request> {
        self.transact(|tx, apps| governance::retry(tx, apps, id, by))
            .map_err(|fault| Error::new("retry", fault).about("request", id))
    }

    /// Says that a person did what a failed request was for. With `external_id` a Create links that account.
    ///
    /// # Errors
    /// `not_found`; `invalid_transition` where it has not failed; `conflict_owned` where the account is another user's;
    /// store errors.
    pub fn complete_manually(&self, id: &str, by: &str, note: &str, external_id: Option<&str>) -> Result<Request> {
        self.transact(|tx, apps| governance::complete_manually(tx, apps, id, by, note, external_id))
            .map_err(|fault| Error::new("complete_manually", fault).about("request", id))
    }

    /// Accounts by app and external id.
    ///
    /// # Errors
    /// Store errors.
    pub fn accounts(&self, filter: &AccountFilter) -> Result<Vec<Account>> {
        self.view(|tx| tx.accounts(filter)).map_err(|fault| Error::new("accounts", fault))
    }
}

/// Whether this may be the reason for which calls to a whole app are kept back, which is in no request's row.
fn is_of_app(wait: WaitingFor) -> bool {
    matches!(
        wait,
        WaitingFor::Breaker | WaitingFor::Dependency | WaitingFor::Hold | WaitingFor::Maintenance | WaitingFor::Rate
    )
}

/// Whether nothing but its app keeps a request back, sooner or later. One that is being sent waits for nothing.
fn goes_otherwise(request: &Request, now: Timestamp) -> bool {
    match request.waiting_for {
        None => !request.state.is_finished() && request.due_at.is_some_and(|due| due <= now),
        Some(wait) => matches!(wait, WaitingFor::Retry | WaitingFor::Settle | WaitingFor::Rate),
    }
}
