//! The steps of a scenario that reconcile.

use super::{Done, Stage, Step};
use rollkeeper::model::{PlanFilter, Reconciliation, ReconciliationFilter, ReviewDecision};
use rollkeeper::{Code, Error, Fault};
use serde::Deserialize;
use serde_json::{Value, json};

/// An account that is changed behind the engine's back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutAccount {
    app: String,
    account: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveAccount {
    app: String,
    external_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageAccounts {
    app: String,
    accounts: Value,
    complete: bool,
}

/// A reconciliation by its place in the list of all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nth {
    nth: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    nth: usize,
    #[serde(default)]
    filter: PlanFilter,
}

/// A reconciliation, with its own digest where none is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Digested {
    nth: usize,
    digest: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Review {
    nth: usize,
    item: u64,
    decision: ReviewDecision,
}

/// The reconciliation at a place, or else the request at one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Undo {
    nth: Option<usize>,
    request: Option<usize>,
}

impl Stage {
    pub(super) fn reconciling(&mut self, step: &Step, by: Option<&str>) -> Done {
        let person = by.unwrap_or("operator");
        if let Some(put) = &step.put_account {
            let target = self.engine.mock_target(&put.app)?;
            target.put_account_json(&put.account.to_string()).map_err(|fault| Error::new("put_account", fault))?;
        }
        if let Some(remove) = &step.remove_account {
            self.engine.mock_target(&remove.app)?.remove_account(&remove.external_id);
        }
        if let Some(app) = &step.reconcile {
            self.answers.push(json!(self.engine.reconcile(app, by)?));
        }
        if let Some(staged) = &step.stage_accounts {
            let accounts = staged.accounts.to_string();
            let made = self.engine.stage_accounts(&staged.app, accounts.as_bytes(), staged.complete, by)?;
            self.answers.push(json!(made));
        }
        if let Some(nth) = &step.reconciliation {
            self.answers.push(json!(self.nth_reconciliation(nth.nth)?));
        }
        if let Some(filter) = &step.reconciliations {
            let filter: ReconciliationFilter = serde_json::from_value(filter.clone())
                .map_err(|_| Error::new("reconciliations", Fault::new(Code::InvalidDocument, "no filter")))?;
            let found = self.engine.reconciliations(&filter)?;
            self.answers.extend(found.iter().map(|one| json!(one)));
        }
        if let Some(plan) = &step.plan {
            self.plan(plan)?;
        }
        if let Some(commit) = &step.commit {
            let (id, digest) = self.digested(commit)?;
            self.answers.push(json!(self.engine.commit(&id, &digest, person)?));
        }
        if let Some(release) = &step.release {
            let (id, digest) = self.digested(release)?;
            self.answers.push(json!(self.engine.release(&id, &digest, person)?));
        }
        if let Some(review) = &step.review {
            let id = self.nth_reconciliation(review.nth)?.id;
            let made = self.engine.review(id.as_str(), review.item, &review.decision, person)?;
            self.answers.push(json!(made));
        }
        if let Some(undo) = &step.undo {
            let id = match undo.request {
                Some(request) => self.nth_request(request)?,
                None => self.nth_reconciliation(undo.nth.unwrap_or(0))?.id.to_string(),
            };
            self.answers.push(json!(self.engine.undo(&id, person)?));
        }
        Ok(())
    }

    fn plan(&mut self, plan: &Plan) -> Done {
        let id = self.nth_reconciliation(plan.nth)?.id;
        let items = self.engine.plan(id.as_str(), &plan.filter)?;
        self.answers.extend(items.iter().map(|item| json!(item)));
        Ok(())
    }

    fn digested(&self, given: &Digested) -> Result<(String, String), Error> {
        let found = self.nth_reconciliation(given.nth)?;
        let digest = given.digest.clone().or(found.digest).unwrap_or_default();
        Ok((found.id.to_string(), digest))
    }

    fn nth_reconciliation(&self, nth: usize) -> Result<Reconciliation, Error> {
        let missing = || Error::new("nth", Fault::new(Code::NotFound, "there is no such reconciliation"));
        self.engine.reconciliations(&ReconciliationFilter::default())?.into_iter().nth(nth).ok_or_else(missing)
    }

    /// Every item of every plan as `nth situation user account reaction state`, for people; it is no part of the bytes.
    pub(super) fn items(&self) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        let mut listed = self.engine.reconciliations(&ReconciliationFilter::default())?;
        for (nth, reconciliation) in listed.drain(..).enumerate() {
            if reconciliation.digest.is_none() {
                continue;
            }
            for item in self.engine.plan(reconciliation.id.as_str(), &PlanFilter::default())? {
                let [user, account] =
                    [&item.finding.user, &item.finding.account].map(|id| id.as_deref().unwrap_or("-"));
                let [situation, reaction, state] =
                    [item.finding.situation.name(), item.reaction.name(), item.state.name()];
                lines.push(format!("{nth} {situation} {user} {account} {reaction} {state}"));
            }
        }
        Ok(lines)
    }
}
