//! Why a user has what they have in an app: the state of things, and the five steps that led to it.

use super::trial::{NotKept, StoredOr, Subject, Terms};
use super::{Engine, Error, Result};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApp, not_stored};
use crate::model::{Account, AccountStatus, Explanation, ExplanationStep, LogEntry, Request, State};
use crate::operation::Operation;
use crate::scope::{Decision, Standing, decide};
use crate::store::{PlanRow, Tx};
use crate::time::Timestamp;
use crate::value::{Attributes, at_path};
use serde_json::{Value, json};

impl Engine {
    /// Why a user has, or does not have, what they have in an app: a sentence, and the five steps import, match, scope,
    /// evaluate and provision with what was found in each. It names attributes, rules and requests, never a value.
    ///
    /// # Errors
    /// `not_found` for the app or the user; store errors. What is wrong with mapping or scope is part of the answer.
    pub fn explain(&self, app: &str, user: &str) -> Result<Explanation> {
        let failed = |fault| Error::new("explain", fault).about("app", app).about("user", user);
        self.view(|tx| {
            let live = self.shared.live(app).ok_or_else(|| Fault::new(Code::NotFound, "there is no such app"))?;
            let subject = Subject::find(tx, &live, StoredOr::Id(user))?;
            let id = &subject.stored.user.id;
            let open = tx.lane(&live.definition.app.id, id)?;
            let mut requests: Vec<Request> = open.into_iter().map(|row| row.request).collect();
            for operation in Operation::ALL {
                let last = tx.last_finished(&live.definition.app.id, id, operation)?;
                let failed = last.filter(|row| row.request.state == State::Failed);
                requests.extend(failed.map(|row| row.request));
            }
            requests.sort_by(|one, other| one.id.cmp(&other.id));
            self.show_waits(tx, &mut requests)?;
            let terms = Terms::find(tx, &live, &subject)?;
            let not_kept = NotKept::find(tx, &live.definition)?;
            let learnt = tx.lessons(&live.definition.app)?;
            let origins = tx.lesson_origins(&live.definition.app)?;
            let linked = tx.last_logged(&live.definition.app.id, id, "linked")?;
            let matched = tx.last_logged(&live.definition.app.id, id, "matched")?;
            let finding = tx.last_item(&live.definition.app.id, id)?.map(|(of, row, at)| found_last(&of, &row, at));
            let (live, subject, requests) = (&live, &subject, &requests);
            Ok(Explaining {
                tx,
                live,
                subject,
                terms: &terms,
                requests,
                linked,
                matched,
                finding,
                not_kept,
                learnt,
                origins,
            }
            .explanation())
        })
        .map_err(failed)
    }
}

struct Explaining<'a> {
    tx: &'a Tx<'a>,
    live: &'a LiveApp,
    subject: &'a Subject,
    terms: &'a Terms,
    requests: &'a [Request],
    linked: Option<LogEntry>,
    matched: Option<LogEntry>,
    /// What a reconciliation found last.
    finding: Option<Value>,
    not_kept: NotKept,
    learnt: Attributes,
    /// What taught that.
    origins: Attributes,
}

fn step(step: &str, result: &str, text: impl Into<String>, found: Value) -> ExplanationStep {
    ExplanationStep { step: step.to_owned(), result: result.to_owned(), text: text.into(), found }
}

impl Explaining<'_> {
    fn explanation(&self) -> Explanation {
        let mut account = self.subject.account.as_ref().map(|row| row.account.clone());
        if let Some(account) = &mut account {
            // The explanation is for reading and passing on; values stay in `accounts`.
            account.attributes.clear();
        }
        let standing = self.live.definition.standing(self.subject.present(), self.tx.now);
        let (wanted, mut because) = match &standing {
            Ok(standing) => (wanted_word(standing), standing.because.clone()),
            Err(fault) => ("unknown".to_owned(), vec![fault.message.clone()]),
        };
        if !self.live.definition.app.enabled {
            because.push("the app is not enabled; nothing is sent".to_owned());
        }
        let steps = vec![
            self.import(),
            self.with_finding(self.matched()),
            self.scope(&standing),
            self.evaluate(),
            self.provision(standing.as_ref().ok()),
        ];
        Explanation {
            app: self.live.definition.app.id.clone(),
            user: self.subject.stored.user.id.clone(),
            summary: summary(self.live, &wanted, &because, account.as_ref(), self.requests),
            wanted,
            because,
            steps,
            account,
            matched: self.matched.as_ref().map(|entry| entry.details.clone()),
            requests: self.requests.to_vec(),
            not_kept: self.not_kept.attributes(&self.live.definition),
            memberships: self.terms.memberships.clone(),
            learnt: self.learnt.clone(),
            learnt_by: self.learnt_by(),
        }
    }

    /// What taught each lesson: a probe, or use.
    fn learnt_by(&self) -> Attributes {
        let origin = |name: &String| self.origins.get(name).cloned().unwrap_or_else(|| json!("use"));
        self.learnt.keys().map(|name| (name.clone(), origin(name))).collect()
    }

    fn import(&self) -> ExplanationStep {
        let (user, dropped) = (&self.subject.stored.user, &self.subject.stored.dropped);
        let Some(present) = self.subject.present() else {
            return step("import", "left", "the user left the directory", json!({}));
        };
        let (result, text) = match (present.is_active_at(self.tx.now), present.active, present.frozen) {
            (true, _, true) => ("frozen", "the user is in the directory, frozen"),
            (true, _, false) => ("active", "the user is in the directory, active"),
            (false, true, _) => ("inactive", "the user is in the directory, outside of its validity"),
            (false, false, _) => ("inactive", "the user is in the directory, disabled"),
        };
        let names: Vec<&String> = user.record.keys().collect();
        step("import", result, text, json!({"attributes": names, "not_stored": dropped}))
    }

    /// With what a reconciliation found about the user last, where there was one.
    fn with_finding(&self, mut step: ExplanationStep) -> ExplanationStep {
        if let Some(finding) = &self.finding {
            put(&mut step.found, "reconciled", finding.clone());
        }
        step
    }

    fn matched(&self) -> ExplanationStep {
        let rules = self.live.definition.matching.rules();
        let Some(row) = &self.subject.account else {
            let text = match rules {
                0 => "no account is linked, and no rule says how to find one",
                _ => "no account is linked; one is looked for before any is made",
            };
            return step("match", "none", text, json!({"rules": rules}));
        };
        let id = &row.account.external_id;
        // The log may know of an earlier account only.
        let linked = self.linked.as_ref().filter(|entry| entry.details.get("external_id") == Some(&json!(id)));
        let Some(entry) = linked else {
            let found = json!({"rules": rules, "external_id": id});
            return step("match", "linked", format!("the account `{id}` is linked"), found);
        };
        let how = entry.details.get("how").and_then(Value::as_str).unwrap_or("linked");
        let mut found = json!({"rules": rules, "external_id": id, "how": how, "at": entry.at});
        if let (Some(rule), Some(found)) = (entry.details.get("rule"), found.as_object_mut()) {
            found.insert("rule".to_owned(), rule.clone());
        }
        step("match", "linked", format!("the account `{id}` is linked since {}: {how}", entry.at), found)
    }

    fn scope(&self, standing: &std::result::Result<Standing, Fault>) -> ExplanationStep {
        let definition = &self.live.definition;
        let mut found = json!({});
        if let (Some(user), Some(object)) = (self.subject.present(), found.as_object_mut())
            && let Some((reads, inside)) = definition.scope(user, self.tx.now)
        {
            let inputs: Vec<&str> = match reads {
                crate::expression::Reads::All => user.record.keys().map(String::as_str).collect(),
                crate::expression::Reads::Paths(paths) => paths.iter().map(String::as_str).collect(),
            };
            let missing: Vec<&&str> = inputs.iter().filter(|path| at_path(&user.record, path).is_none()).collect();
            object.insert("inputs".to_owned(), json!(inputs));
            object.insert("missing".to_owned(), json!(missing));
            object.insert("inside".to_owned(), json!(inside.ok()));
        }
        let (result, because) = match standing {
            Err(fault) => {
                put(&mut found, "faults", json!([fault]));
                ("unknown", vec![fault.message.clone()])
            }
            Ok(standing) => {
                put(&mut found, "in_pilot", json!(standing.in_pilot));
                (if standing.wants_account() { "entitled" } else { "not_entitled" }, standing.because.clone())
            }
        };
        put(&mut found, "because", json!(because));
        step("scope", result, because.join(", "), found)
    }

    fn evaluate(&self) -> ExplanationStep {
        let (definition, account) = (&self.live.definition, self.subject.account.as_ref());
        let last = self.requests.iter().rev().find(|request| request.state == State::Failed);
        let last = last.filter(|request| matches!(request.operation, Operation::Create | Operation::Update));
        let last_faults = last.map(|request| &request.faults);
        match self.terms.render(self.subject, definition, account.is_none(), self.tx.now) {
            Err(faults) => {
                let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
                let found = json!({"faults": faults, "last_faults": last_faults});
                step("evaluate", "faulty", messages.join("; "), found)
            }
            Ok(rendered) => {
                let changes = self.not_kept.worthwhile(&rendered, definition, account);
                let changes: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
                let skipped: Vec<Value> = rendered
                    .skipped
                    .iter()
                    .map(|skipped| json!({"target": skipped.target, "reason": skipped.reason}))
                    .collect();
                let text = match (account.is_some(), changes.len()) {
                    (false, _) => "every rule that is used has its value".to_owned(),
                    (true, 0) => "the account is as the mapping wants it".to_owned(),
                    (true, 1) => "1 attribute differs from what the mapping wants".to_owned(),
                    (true, count) => format!("{count} attributes differ from what the mapping wants"),
                };
                let found = json!({"changes": changes, "skipped": skipped, "last_faults": last_faults});
                step("evaluate", "complete", text, found)
            }
        }
    }

    fn provision(&self, standing: Option<&Standing>) -> ExplanationStep {
        let decisions = standing.map(|standing| self.decisions(standing)).unwrap_or_default();
        let operations: Vec<&str> =
            decisions.iter().filter(|one| one.withheld.is_none()).map(|one| one.operation.name()).collect();
        let withheld: Vec<Value> = decisions
            .iter()
            .filter_map(|one| Some(json!({"operation": one.operation, "withheld": one.withheld.as_ref()?})))
            .collect();
        let open: Vec<Value> = self.requests.iter().filter(|request| request.finished_at.is_none()).map(open).collect();
        let failed = self.requests.iter().any(|request| request.state == State::Failed);
        let (result, text) = if let Some(first) = open.first() {
            let text = |key: &str| first.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let waits = match (text("waiting_for").as_str(), text("until").as_str()) {
                ("", _) => "is under way".to_owned(),
                (wait, "") => format!("waits for {wait}"),
                (wait, until) => format!("waits for {wait} until {until}"),
            };
            ("open", format!("{} {waits}", text("operation")))
        } else if failed {
            ("failed", "what was asked for last has failed".to_owned())
        } else if !withheld.is_empty() {
            ("withheld", "what is wanted is held back".to_owned())
        } else if operations.is_empty() {
            ("done", "there is nothing to do".to_owned())
        } else {
            ("due", format!("{} is decided at the next change", operations.join(", ")))
        };
        step("provision", result, text, json!({"operations": operations, "withheld": withheld, "open": open}))
    }

    fn decisions(&self, standing: &Standing) -> Vec<Decision> {
        let (definition, stored) = (&self.live.definition, &self.subject.stored);
        let projected = self.terms.projected(self.subject);
        let mut decisions = decide(&definition.app, standing, &projected, &self.terms.print, "", self.tx.now);
        for decision in &mut decisions {
            let withheld = match decision.operation {
                Operation::Create | Operation::Update => not_stored(definition, stored),
                _ => self.terms.held_back(standing, decision),
            };
            decision.withheld = decision.withheld.take().or(withheld);
        }
        decisions
    }
}

fn put(found: &mut Value, key: &str, value: Value) {
    if let Some(object) = found.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

/// A finding without any value.
fn found_last(of: &RequestId, row: &PlanRow, at: Timestamp) -> Value {
    let item = &row.item;
    let mut found = json!({"reconciliation": of, "situation": item.finding.situation, "reaction": item.reaction,
        "state": item.state, "at": at});
    if let Some(account) = &item.finding.account {
        put(&mut found, "external_id", json!(account));
    }
    if !item.why.is_empty() {
        put(&mut found, "why", json!(item.why));
    }
    found
}

fn open(request: &Request) -> Value {
    let mut open = json!({"request": request.id, "operation": request.operation, "state": request.state});
    if let Some(wait) = request.waiting_for {
        put(&mut open, "waiting_for", json!(wait.name()));
    }
    if let Some(until) = request.due_at.filter(|_| request.waiting_for.is_some()) {
        put(&mut open, "until", json!(until));
    }
    open
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
