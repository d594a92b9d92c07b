//! The verbs of requests and accounts.

use super::{Engine, Error, Result};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::governance::{self, Submission};
use crate::model::{Account, AccountFilter, Request, RequestDetail, RequestFilter, WaitingFor};
use crate::operation::Operation;
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
            let mut requests = self.view(|tx| tx.requests(filter)).map_err(failed)?;
            requests.iter_mut().for_each(|request| self.show_wait(request));
            return Ok(requests);
        };
        // By their rows these are due; what keeps them back is known to the process alone.
        let by_row = Some(wait).filter(|wait| !matches!(wait, WaitingFor::Breaker | WaitingFor::Dependency));
        let limit = filter.limit.map_or(MOST_WAITING, |limit| limit as usize);
        let mut page = RequestFilter { waiting_for: by_row, limit: None, ..filter.clone() };
        let mut found = Vec::new();
        while found.len() < limit {
            let mut requests = self.view(|tx| tx.requests(&page)).map_err(failed)?;
            let Some(last) = requests.last() else { break };
            page.after = Some(last.id.to_string());
            requests.iter_mut().for_each(|request| self.show_wait(request));
            found.extend(requests.into_iter().filter(|request| request.waiting_for == Some(wait)));
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
                let row = tx.request(id)?.ok_or_else(missing)?;
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
        self.show_wait(&mut detail.request);
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

    /// A request that is due while its target's breaker is open waits for that; one whose app has no connector here waits
    /// for the connector.
    pub(super) fn show_wait(&self, request: &mut Request) {
        if request.state.is_finished() || !matches!(request.waiting_for, None | Some(WaitingFor::Retry)) {
            return;
        }
        if !self.shared.is_connected(&request.app) {
            request.waiting_for = Some(WaitingFor::Dependency);
            return;
        }
        let now = self.now();
        let paused = self.shared.run.gates().paused_until(&request.app).filter(|until| *until > now);
        let (Some(until), Some(due)) = (paused, request.due_at) else { return };
        if due < until {
            request.waiting_for = Some(WaitingFor::Breaker);
            request.due_at = Some(until);
        }
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
