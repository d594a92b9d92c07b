//! The verbs that tell and change nothing: preview, explain, log, launcher.

use super::{Engine, Error, Result};
use crate::delivery::{Host, Rendering};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, watched_print};
use crate::mapping;
use crate::model::{
    Account, AccountFilter, AccountStatus, Explanation, LinkState, LogEntry, LogFilter, LogVerdict, Preview,
    PreviewOperation, Request, State, Tile,
};
use crate::operation::Operation;
use crate::scope::{Projected, Standing, decide};
use crate::store::{AccountRow, StoredUser, Tx, UserState};
use serde_json::{Value, json};
use std::sync::Arc;

type Found = (Arc<LiveApp>, StoredUser, Option<AccountRow>);

impl Engine {
    /// What would be sent for a user as stored, and how each value came about. Nothing is sent and nothing is stored.
    ///
    /// # Errors
    /// `not_found` for the app or the user; store errors. What is wrong with mapping or scope is part of the answer.
    pub fn preview(&self, app: &str, user: &str) -> Result<Preview> {
        let failed = |fault| Error::new("preview", fault).about("app", app).about("user", user);
        self.view(|tx| {
            let found = self.find(tx, app, user)?;
            preview(tx, &found)
        })
        .map_err(failed)
    }

    /// Why a user has, or does not have, what they have in an app.
    ///
    /// # Errors
    /// As [`Engine::preview`].
    pub fn explain(&self, app: &str, user: &str) -> Result<Explanation> {
        let failed = |fault| Error::new("explain", fault).about("app", app).about("user", user);
        self.view(|tx| {
            let (live, stored, account) = self.find(tx, app, user)?;
            let open = tx.lane(&live.definition.app.id, &stored.user.id)?;
            let mut requests: Vec<Request> = open.into_iter().map(|row| row.request).collect();
            for operation in Operation::ALL {
                let last = tx.last_finished(&live.definition.app.id, &stored.user.id, operation)?;
                let failed = last.filter(|row| row.request.state == State::Failed);
                requests.extend(failed.map(|row| row.request));
            }
            requests.sort_by(|one, other| one.id.cmp(&other.id));
            requests.iter_mut().for_each(|request| self.show_wait(request));
            let mut account = account.map(|row| row.account);
            if let Some(account) = &mut account {
                // The explanation is for reading and passing on; values stay in `accounts`.
                account.attributes.clear();
            }
            let present = (stored.state == UserState::Present).then_some(&stored.user);
            let (wanted, mut because) = match live.definition.standing(present, tx.now) {
                Ok(standing) => (wanted_word(&standing), standing.because.clone()),
                Err(fault) => ("unknown".to_owned(), vec![fault.message]),
            };
            if !live.definition.app.enabled {
                because.push("the app is not enabled; nothing is sent".to_owned());
            }
            let summary = summary(&live, &wanted, &because, account.as_ref(), &requests);
            Ok(Explanation {
                app: live.definition.app.id.clone(),
                user: stored.user.id.clone(),
                summary,
                wanted,
                because,
                account,
                requests,
                not_kept: not_kept(tx, &live)?,
            })
        })
        .map_err(failed)
    }

    fn find(&self, tx: &Tx<'_>, app: &str, user: &str) -> std::result::Result<Found, Fault> {
        let (apps, _) = self.shared.apps();
        let live = apps.values().find(|live| live.definition.app.id.as_str() == app).cloned();
        let live = live.ok_or_else(|| Fault::new(Code::NotFound, "there is no such app"))?;
        let stored = tx.user(user)?.ok_or_else(|| Fault::new(Code::NotFound, "there is no such user"))?;
        let account = tx.linked_account(&live.definition.app.id, &stored.user.id, &stored.key)?;
        Ok((live, stored, account))
    }

    /// Log entries by number.
    ///
    /// # Errors
    /// Store errors.
    pub fn log(&self, filter: &LogFilter) -> Result<Vec<LogEntry>> {
        self.view(|tx| tx.log_entries(filter)).map_err(|fault| Error::new("log", fault))
    }

    /// Whether every log entry follows from the one before. Entries cut off the end are missed only by comparing the
    /// verdict's `head` with one kept elsewhere.
    ///
    /// # Errors
    /// Store errors. A broken chain is an answer, not an error.
    pub fn verify_log(&self) -> Result<LogVerdict> {
        self.view(|tx| tx.verify_log()).map_err(|fault| Error::new("verify_log", fault))
    }

    /// The tiles of a user: every linked, active account of an app that has a `launch_url`.
    ///
    /// # Errors
    /// Store errors.
    pub fn launcher(&self, user: &str) -> Result<Vec<Tile>> {
        let filter = AccountFilter {
            user: Some(user.to_owned()),
            status: Some(AccountStatus::Active),
            link_state: Some(LinkState::Linked),
            ..AccountFilter::default()
        };
        let accounts =
            self.view(|tx| tx.accounts(&filter)).map_err(|fault| Error::new("launcher", fault).about("user", user))?;
        let (apps, _) = self.shared.apps();
        let tile = |account: Account| {
            let app = &apps.get(&account.app)?.definition.app;
            Some(Tile {
                app: app.id.clone(),
                label: app.display_label().to_owned(),
                url: app.launch_url.clone()?,
                icon: app.icon.clone(),
                state: if account.frozen { "frozen" } else { "active" }.to_owned(),
            })
        };
        Ok(accounts.into_iter().filter_map(tile).collect())
    }
}

fn preview(tx: &Tx<'_>, (live, stored, account): &Found) -> std::result::Result<Preview, Fault> {
    let definition = &live.definition;
    let app = &definition.app;
    let rendering = Rendering::new(tx, live, stored, account.as_ref())?;
    let candidate = rendering.candidate(tx, None)?;
    let iteration = candidate.as_ref().map_or(0, |candidate| candidate.iteration);
    let token = mapping::token(iteration);
    let inputs = rendering.inputs(iteration, &token);
    let rules = serde_json::to_value(definition.mapping.trace(&inputs)).unwrap_or(Value::Null);
    let mut preview = Preview {
        app: app.id.clone(),
        user: stored.user.id.clone(),
        operations: Vec::new(),
        attributes: crate::value::Attributes::new(),
        rules,
        faults: Vec::new(),
    };
    let mut changes = Vec::new();
    match candidate {
        Ok(candidate) => {
            changes = candidate.rendered.target_changes();
            preview.attributes = candidate.rendered.attributes;
        }
        Err(faults) => preview.faults = faults,
    }
    let present = (stored.state == UserState::Present).then_some(&stored.user);
    let standing = match definition.standing(present, tx.now) {
        Ok(standing) => standing,
        Err(fault) => {
            preview.faults.push(fault);
            return Ok(preview);
        }
    };
    let projected = account.as_ref().map_or_else(Projected::default, AccountRow::projected);
    let print = watched_print(tx, definition, stored)?;
    let decisions = decide(app, &standing, &projected, &print, "as the user is stored", tx.now);
    preview.operations = decisions
        .into_iter()
        .filter(|decision| decision.withheld.is_none())
        .map(|decision| PreviewOperation {
            payload: match decision.operation {
                Operation::Create => Some(json!(preview.attributes)),
                Operation::Update => Some(json!(changes)),
                _ => None,
            },
            operation: decision.operation,
            why: decision.why,
        })
        .collect();
    Ok(preview)
}

/// The attributes of the mapping that the target was seen not to keep.
fn not_kept(tx: &Tx<'_>, live: &LiveApp) -> std::result::Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for rule in 0..live.definition.app.mapping.len() {
        let (attribute, mark) = live.definition.rule_mark(rule);
        if tx.is_not_kept(&live.definition.app.id, &attribute, &mark)? {
            found.push(attribute);
        }
    }
    Ok(found)
}

fn wanted_word(standing: &Standing) -> String {
    use crate::scope::Cause;
    let word = match (standing.causes.as_slice(), standing.frozen) {
        ([], true) => "frozen",
        ([], false) => "active",
        (causes, _) if causes.contains(&Cause::Deleted) => "deleted",
        (causes, _) if causes.contains(&Cause::Deactivated) || causes.contains(&Cause::Expired) => "inactive",
        _ => "none",
    };
    word.to_owned()
}

fn summary(
    live: &LiveApp,
    wanted: &str,
    because: &[String],
    account: Option<&Account>,
    requests: &[Request],
) -> String {
    let label = live.definition.app.display_label();
    let has = match account {
        None => format!("has no account in {label}"),
        Some(account) if account.frozen => format!("has a frozen account in {label}"),
        Some(account) if account.status == AccountStatus::Active => format!("has an active account in {label}"),
        Some(_) => format!("has a disabled account in {label}"),
    };
    let mut text = format!("{has}; wanted is {wanted}");
    if !because.is_empty() {
        text.push_str(&format!(", because {}", because.join(", ")));
    }
    for request in requests {
        let what = match (request.state, request.waiting_for) {
            (State::Failed, _) => "failed".to_owned(),
            (_, Some(wait)) => format!("waits for {}", wait.name()),
            _ => "is under way".to_owned(),
        };
        text.push_str(&format!("; {} {what}", request.operation));
        if let Some(fault) = request.faults.first() {
            text.push_str(&format!(" ({}: {})", fault.code, fault.message));
        }
    }
    text
}
