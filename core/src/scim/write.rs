//! Changing an account. PATCH is tried first; what a target does not take in it goes the next best way, which is remembered.
//! An answer of success that does not show what was sent is not believed at once.

use super::body::{self, PathChange};
use super::exchange::{failure, is_missing, missing, scim_type, succeeded};
use super::{ScimConnector, answer};
use crate::connector::{Connector, ConnectorError, Outcome, TargetAccount};
use crate::fault::Code;
use crate::http::{Method, Response};
use crate::value::Attributes;
use serde_json::Value;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// How often a change is sent that names the version it is for.
const MOST_VERSIONS: u32 = 3;

/// How a PATCH ended that did not fail.
enum Patched {
    Done(Option<TargetAccount>),
    Unsupported,
}

impl ScimConnector {
    /// Carries out changes, and gives the account as it is afterwards where the target shows it.
    pub(super) fn write(
        &self,
        external_id: &str,
        changes: &[PathChange],
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let clears = self.exchange.knowledge.clears_with_empty();
        let sent: Vec<PathChange> = changes.iter().map(|change| change.as_sent(clears)).collect();
        match self.change(external_id, &sent)? {
            Some(account) => self.insist(external_id, changes, account).map(Some),
            None => Ok(None),
        }
    }

    /// Sends changes in the way that the target is known to take them.
    fn change(&self, external_id: &str, changes: &[PathChange]) -> Result<Option<TargetAccount>, ConnectorError> {
        if self.exchange.knowledge.patches() {
            match self.patch(external_id, changes)? {
                Patched::Done(account) => return Ok(account),
                Patched::Unsupported => {
                    let account = self.put(external_id, changes)?;
                    // Where PATCH has worked before, that it does not now may pass.
                    if !self.patched.load(Ordering::Relaxed) {
                        self.exchange.knowledge.learn_no_patch();
                    }
                    return Ok(account);
                }
            }
        }
        self.put(external_id, changes)
    }

    /// Looks after what the answer of success does not show: it may be old, and where it is not, the target may take the change
    /// in another way. Each attribute is tried so once; what does not help is what the target does not keep.
    fn insist(
        &self,
        external_id: &str,
        changes: &[PathChange],
        shown: TargetAccount,
    ) -> Result<TargetAccount, ConnectorError> {
        let left = |account: &TargetAccount| -> Vec<PathChange> {
            changes.iter().filter(|change| !change.is_shown_by(&account.attributes)).cloned().collect()
        };
        // An answer without attributes tells nothing; such a target is believed.
        if shown.attributes.keys().all(|name| name == "meta") {
            return Ok(shown);
        }
        let mut account = shown;
        let mut undone = left(&account);
        if !undone.is_empty() && !self.answers_are_current.load(Ordering::Relaxed) {
            let Ok(Some(read)) = self.read(external_id) else { return Ok(account) };
            let still = left(&read);
            self.answers_are_current.store(still.len() == undone.len(), Ordering::Relaxed);
            (account, undone) = (read, still);
        }
        // Lists that a target shows in its own way are left alone, unless something else has to be sent again anyway.
        let is_plain = |change: &PathChange| change.path.element().is_none();
        let news = undone.iter().filter(|change| is_plain(change) && self.is_new_in_vain(&change.path.attribute()));
        if news.count() == 0 {
            return Ok(account);
        }
        let knowledge = &self.exchange.knowledge;
        let (texts, others): (Vec<_>, Vec<_>) =
            undone.into_iter().partition(|change| change.with_empty().is_some() && knowledge.may_clear_with_empty());
        let emptied: Vec<PathChange> = texts.iter().filter_map(PathChange::with_empty).collect();
        if !emptied.is_empty()
            && let Some(after) = self.second_way(external_id, self.change(external_id, &emptied))?
        {
            if texts.iter().any(|change| change.is_shown_by(&after.attributes)) {
                knowledge.learn_to_clear_with_empty();
            }
            account = after;
        }
        if !others.is_empty()
            && knowledge.patches()
            && knowledge.may_put()
            && let Some(after) = self.second_way(external_id, self.put(external_id, &others))?
        {
            let taken = others.iter().filter(|change| change.is_shown_by(&after.attributes));
            knowledge.learn_put_attributes(taken.map(|change| change.path.attribute()));
            account = after;
        }
        Ok(account)
    }

    /// What came of a second way. A refusal of it changes nothing about the success of the first.
    fn second_way(
        &self,
        external_id: &str,
        result: Result<Option<TargetAccount>, ConnectorError>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        match result {
            Ok(Some(account)) => Ok(Some(account)),
            Ok(None) => Ok(self.read(external_id).ok().flatten()),
            Err(error) if error.outcome == Outcome::Ambiguous => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn is_new_in_vain(&self, attribute: &str) -> bool {
        self.in_vain.lock().unwrap_or_else(PoisonError::into_inner).insert(attribute.to_lowercase())
    }

    fn patch(&self, external_id: &str, changes: &[PathChange]) -> Result<Patched, ConnectorError> {
        let mut shown = None;
        for part in body::parts(changes) {
            match self.patch_part(external_id, &part)? {
                Patched::Done(account) => shown = account.or(shown),
                Patched::Unsupported => return Ok(Patched::Unsupported),
            }
        }
        Ok(Patched::Done(shown))
    }

    fn patch_part(&self, external_id: &str, changes: &[PathChange]) -> Result<Patched, ConnectorError> {
        let knowledge = &self.exchange.knowledge;
        if changes.iter().any(|change| knowledge.puts(&change.path.attribute())) {
            return self.put(external_id, changes).map(Patched::Done);
        }
        let filtered = changes.iter().any(|change| change.path.element().is_some());
        let shown = if filtered { Some(self.resource(external_id)?.ok_or_else(missing)?) } else { None };
        let whole = |shown: &Attributes| body::of_whole_patch(changes, shown);
        let filters_paths = knowledge.filters_paths();
        let Some(body) = body::of_part(changes, shown.as_ref(), filters_paths) else {
            return Ok(Patched::Done(None));
        };
        let mut response = self.send_change(Method::Patch, external_id, Some(&body))?;
        if let Some(shown) = &shown
            && filters_paths
            && matches!(response.status, 400 | 500 | 501)
            && let Some(body) = whole(shown)
        {
            // Replacing a whole list is the same in effect, so that it may follow even an answer that leaves doubt.
            let again = self.send_change(Method::Patch, external_id, Some(&body))?;
            if (200..300).contains(&again.status) {
                // A missing element is a matter of this account; every other refusal is one of the target.
                if scim_type(&response) != Some("noTarget") && self.is_of_the_target(&response) {
                    knowledge.learn_no_filter_paths();
                }
                response = again;
            }
        }
        match response.status {
            200..=299 => {
                self.patched.store(true, Ordering::Relaxed);
                Ok(Patched::Done(answer::resource(&response.body).and_then(answer::account)))
            }
            405 | 501 if knowledge.may_put() => Ok(Patched::Unsupported),
            400 | 500 if knowledge.may_put() && self.may_be_of_patch(&response) => {
                self.put_instead(external_id, changes, &response).map(Patched::Done)
            }
            404 | 410 => match self.read(external_id) {
                Ok(None) => Err(missing()),
                // The account is there, so that it is PATCH that is not.
                Ok(Some(_)) if knowledge.may_put() && response.status == 404 => Ok(Patched::Unsupported),
                Ok(Some(_)) => Err(failure(Method::Patch, &response)),
                Err(_) if is_missing(&response) => Err(missing()),
                Err(error) => Err(error),
            },
            _ => Err(failure(Method::Patch, &response)),
        }
    }

    /// Whether a refusal may be of the form of a PATCH and not of what is in it.
    fn may_be_of_patch(&self, response: &Response) -> bool {
        match scim_type(response) {
            Some("noTarget") => true,
            _ if response.status == 500 => !self.patched.load(Ordering::Relaxed),
            kind => matches!(kind, None | Some("invalidPath" | "invalidSyntax")),
        }
    }

    /// Whether something follows from a refusal for later changes. A failure may be of the moment; the third one is not.
    fn is_of_the_target(&self, refusal: &Response) -> bool {
        refusal.status != 500 || self.failed_patches.fetch_add(1, Ordering::Relaxed) >= 2
    }

    /// Puts what PATCH refused. Where that is refused as well, it was not the form, and the first refusal is what counts.
    fn put_instead(
        &self,
        external_id: &str,
        changes: &[PathChange],
        refusal: &Response,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let missed = scim_type(refusal) == Some("noTarget");
        match self.put(external_id, changes) {
            Ok(account) => {
                if !missed && self.is_of_the_target(refusal) {
                    let attributes = changes.iter().map(|change| change.path.attribute());
                    self.exchange.knowledge.learn_put_attributes(attributes);
                }
                Ok(account)
            }
            Err(error)
                if error.outcome == Outcome::Rejected && error.code != Code::AccountMissing.name() && !missed =>
            {
                Err(failure(Method::Patch, refusal))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn put(
        &self,
        external_id: &str,
        changes: &[PathChange],
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let url = self.url_of(external_id)?;
        let knowledge = &self.exchange.knowledge;
        let mut round = 1;
        let response = loop {
            let (shown, version) = self.seen(external_id)?.ok_or_else(missing)?;
            let version = version.filter(|_| knowledge.names_versions());
            let body = body::of_put(shown, changes);
            let response = self.exchange.send_for(Method::Put, &url, Some(&body), version.as_deref())?;
            if round >= MOST_VERSIONS || !self.is_about_version(&response, version.is_some()) {
                break response;
            }
            round += 1;
        };
        if is_missing(&response) {
            return Err(missing());
        }
        let response = succeeded(Method::Put, response)?;
        Ok(answer::resource(&response.body).and_then(answer::account))
    }

    /// Sends a change that is the same whatever the account is; where the target asks for it, with the version that it has now.
    pub(super) fn send_change(
        &self,
        method: Method,
        external_id: &str,
        body: Option<&Value>,
    ) -> Result<Response, ConnectorError> {
        let url = self.url_of(external_id)?;
        let mut round = 1;
        loop {
            let names = self.exchange.knowledge.names_versions();
            let version = if names { self.seen(external_id)?.ok_or_else(missing)?.1 } else { None };
            let response = self.exchange.send_for(method, &url, body, version.as_deref())?;
            if round >= MOST_VERSIONS || !self.is_about_version(&response, version.is_some()) {
                return Ok(response);
            }
            round += 1;
        }
    }

    /// Whether the change is to be sent again: with a version, or with the one that the account has by now.
    fn is_about_version(&self, response: &Response, named: bool) -> bool {
        match response.status {
            428 => !named && self.exchange.knowledge.learn_to_name_versions(),
            412 => named,
            _ => false,
        }
    }
}
