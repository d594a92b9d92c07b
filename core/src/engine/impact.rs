//! What a new definition would change, for every user, before it is stored.

use super::trial::{StoredOr, Subject, Terms};
use super::{Engine, Error, Result, Shared};
use crate::fault::{Code, Fault};
use crate::id::AppId;
use crate::intake::{
    LanePlan, LaneStep, LaneSteps, LiveApp, RemovalCount, Replacement, Trigger, definition_change, memberships_of,
    not_stored, plan_lane,
};
use crate::model::{
    App, ChangeKind, GroupMembership, ImpactAttribute, ImpactHeld, ImpactOperation, ImpactOptions, ImpactSummary,
    UserImpact, WithheldOperation,
};
use crate::operation::Operation;
use crate::store::Tx;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Weak};

/// How many users are looked at in one reading transaction.
const PAGE: u32 = 100;

/// Is told how many users of how many were looked at; false ends the impact.
pub type ImpactProgress = Arc<dyn Fn(u64, u64) -> bool + Send + Sync>;

impl Engine {
    /// Compares a definition with the one that is stored, or with nothing where there is none, over all users. The answer
    /// is an iterator over the users for whom something would change; when it ends, [`Impact::summary`] has the totals.
    ///
    /// It is decided by the code by which [`Engine::put_app`] decides, so that the requests foretold are those that putting
    /// the definition would make; which of them the brake would hold is in the summary, once all users were looked at. Nothing
    /// is stored or sent and no target is asked. Users are read in pages, each in a
    /// reading transaction of its own, one user in memory at a time: what others store meanwhile is seen where it is still
    /// to come, and is not where it is past.
    ///
    /// ```
    /// use rollkeeper::{Engine, model::{App, ImpactOptions, User}};
    /// let engine = Engine::builder().open()?;
    /// engine.put_user(User::from_json(br#"{"id": "u1", "username": "ann", "profile": "Employees"}"#)?, None)?;
    /// let app = App::from_json(br#"{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
    ///     "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true}"#)?;
    /// let mut impact = engine.impact(app, ImpactOptions::default())?;
    /// for user in &mut impact {
    ///     assert_eq!(user?.operations[0].operation.name(), "Create");
    /// }
    /// assert_eq!((impact.summary().affected, impact.summary().attributes["userName"]), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Every fault of the definition at once; store errors.
    pub fn impact(&self, app: App, options: ImpactOptions) -> Result<Impact> {
        let id = app.id.clone();
        let failed = |faults| Error::of_faults("impact", faults).about("app", id.as_str());
        let (before, total) = self
            .view(|tx| {
                let known = tx.app(id.as_str())?.filter(|(_, deleted)| deleted.is_none());
                Ok((known.map(|(app, _)| app), tx.count_users()?))
            })
            .map_err(|fault| failed(vec![fault]))?;
        let change = definition_change(before.as_ref(), &app);
        let new = self.trial_of(StoredOr::from(app)).map_err(failed)?;
        Ok(Impact {
            engine: Arc::downgrade(&self.shared),
            old: before.and_then(|before| self.shared.live(before.id.as_str())),
            new,
            options,
            summary: empty_summary(id, change.is_some(), total),
            change,
            progress: None,
            removals: None,
            after: String::new(),
            buffer: Vec::new().into_iter(),
            ended: false,
        })
    }
}

/// The users whom a new definition would touch, found one page after the other. Dropping it ends the search.
pub struct Impact {
    engine: Weak<Shared>,
    old: Option<Arc<LiveApp>>,
    new: Arc<LiveApp>,
    options: ImpactOptions,
    summary: ImpactSummary,
    /// What changes, in words; none where nothing does.
    change: Option<String>,
    progress: Option<ImpactProgress>,
    /// What would be taken away of those who were looked at; none before the first, and where no brake is asked.
    removals: Option<RemovalCount>,
    after: String,
    buffer: std::vec::IntoIter<UserImpact>,
    ended: bool,
}

impl fmt::Debug for Impact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Impact").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl Impact {
    /// Has somebody told how it goes, after every page.
    #[must_use]
    pub fn on_progress(mut self, progress: ImpactProgress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The totals of what was looked at so far; of everything once `finished`.
    pub fn summary(&self) -> &ImpactSummary {
        &self.summary
    }

    /// Looks at the next users and gives those for whom something would change, which may be none; `None` when all were
    /// looked at, or the progress callback ended it. For callers that want to be back soon; others use the iterator.
    ///
    /// # Errors
    /// `closed` where the engine is gone; store errors. After an error it has ended.
    pub fn next_page(&mut self) -> Result<Option<Vec<UserImpact>>> {
        if self.ended {
            return Ok(None);
        }
        let failed = |fault| Error::new("impact", fault).about("app", self.summary.app.as_str());
        let closed = || Fault::new(Code::Closed, "the engine is closed");
        let engine = self.engine.upgrade().map(|shared| Engine { shared }).ok_or_else(|| failed(closed()));
        let removals = self.removals.take();
        let page = engine.and_then(|engine| {
            let brakes = engine.shared.brake;
            engine.view(|tx| self.look(tx, removals, brakes)).map_err(failed)
        });
        let Looked { users, accounts, affected, after, removals, held, is_last } =
            page.inspect_err(|_| self.ended = true)?;
        self.removals = removals;
        self.summary.users += users;
        self.summary.accounts += accounts;
        affected.iter().for_each(|user| count(&mut self.summary, user));
        self.summary.share = share(&self.summary);
        self.summary.held = held;
        self.summary.finished = is_last;
        self.after = after;
        let goes_on = self.progress.as_ref().is_none_or(|tell| tell(self.summary.users, self.summary.total));
        self.ended = is_last || !goes_on;
        Ok(Some(affected))
    }

    fn look(&self, tx: &Tx<'_>, removals: Option<RemovalCount>, brakes: bool) -> std::result::Result<Looked, Fault> {
        let mut looked = Looked { after: self.after.clone(), is_last: true, ..Looked::default() };
        let Some(change) = &self.change else { return Ok(looked) };
        let (new, old) = (&self.new.definition, self.old.as_ref().map(|old| &old.definition));
        let replacement = Replacement { new, old, text: change };
        let trigger = Trigger { text: change, by: None, is_definition: true };
        looked.removals = match removals {
            None if brakes => Some(RemovalCount::begin(tx, new)?),
            removals => removals,
        };
        for _ in 0..PAGE {
            let Some(stored) = tx.next_user(&looked.after)? else {
                // Whether it is too much is known of the whole alone; memberships are counted when all users were looked at.
                let is_last = looked.removals.as_mut().map_or(Ok(true), |count| count.add_members(tx, &replacement))?;
                if let Some(count) = looked.removals.take_if(|_| is_last) {
                    looked.held = count.finish(tx, &replacement)?.held();
                }
                return Ok(Looked { is_last, ..looked });
            };
            looked.after = stored.user.id.to_string();
            if let Some(count) = &mut looked.removals {
                count.add_user(tx, &replacement, &stored)?;
            }
            let account = tx.linked_account(&self.new.definition.app.id, &stored.user.id, &stored.key)?;
            let has_account = self.compare(tx, &Subject { stored, account }, trigger, &mut looked.affected)?;
            looked.users += 1;
            looked.accounts += u64::from(has_account);
        }
        looked.is_last = false;
        Ok(looked)
    }

    /// Compares the definitions for one user, and notes what would change. Gives whether there is an account, or is about
    /// to be.
    fn compare(
        &self,
        tx: &Tx<'_>,
        subject: &Subject,
        trigger: Trigger<'_>,
        affected: &mut Vec<UserImpact>,
    ) -> std::result::Result<bool, Fault> {
        let mut user = UserImpact {
            user: subject.stored.user.id.clone(),
            operations: Vec::new(),
            withheld: Vec::new(),
            cancelled: Vec::new(),
            attributes: Vec::new(),
            memberships: self.memberships(tx, subject)?,
            faults: Vec::new(),
        };
        let mut has_account = false;
        match plan_lane(tx, &self.new.definition, &subject.stored, trigger)? {
            LanePlan::Undecided(fault) => user.faults.push(fault),
            LanePlan::Nothing => {}
            LanePlan::Steps(steps) => {
                has_account = steps.projected.exists;
                foretell(steps, &mut user);
            }
        }
        let before = self.old.as_ref().map(|old| Wanted::of(old, subject, tx)).transpose()?.unwrap_or_default();
        // Of what was not stored nothing can be said; the operations say so.
        if not_stored(&self.new.definition, &subject.stored).is_none() {
            let after = Wanted::of(&self.new, subject, tx)?;
            self.differences(&before, &after, &mut user);
            user.faults.extend(after.faults);
        }
        user.faults.dedup();
        let is_touched = !(user.operations.is_empty() && user.cancelled.is_empty() && user.attributes.is_empty())
            || user.faults.iter().any(|fault| !before.faults.contains(fault))
            || !user.withheld.is_empty() && user.withheld != self.withheld_now(tx, subject, trigger)?;
        if is_touched {
            affected.push(user);
        }
        Ok(has_account)
    }

    /// The memberships that the new definition would have given or taken away.
    fn memberships(&self, tx: &Tx<'_>, subject: &Subject) -> std::result::Result<Vec<GroupMembership>, Fault> {
        let definition = &self.new.definition;
        let Ok(standing) = definition.standing(subject.present(), tx.now) else { return Ok(Vec::new()) };
        let mut found = memberships_of(tx, definition, subject.account.as_ref(), subject.present(), &standing)?;
        found.retain(GroupMembership::would_change);
        Ok(found)
    }

    /// What the stored definition holds back as well.
    fn withheld_now(
        &self,
        tx: &Tx<'_>,
        subject: &Subject,
        trigger: Trigger<'_>,
    ) -> std::result::Result<Vec<WithheldOperation>, Fault> {
        let Some(old) = &self.old else { return Ok(Vec::new()) };
        Ok(match plan_lane(tx, &old.definition, &subject.stored, trigger)? {
            LanePlan::Steps(steps) => steps.steps.into_iter().filter_map(withheld).collect(),
            LanePlan::Nothing | LanePlan::Undecided(_) => Vec::new(),
        })
    }

    fn differences(&self, before: &Wanted, after: &Wanted, user: &mut UserImpact) {
        let paths: BTreeSet<&String> = before.values.keys().chain(after.values.keys()).collect();
        for path in paths.into_iter().filter(|_| after.is_wanted) {
            let (old, new) = (before.values.get(path), after.values.get(path));
            if old == new {
                continue;
            }
            let definitions = [Some(&self.new), self.old.as_ref()];
            let sensitive = definitions.into_iter().flatten().any(|live| live.definition.mapping.is_sensitive(path));
            let shown = |value: Option<&Value>| value.filter(|_| self.options.values && !sensitive).cloned();
            user.attributes.push(ImpactAttribute {
                path: path.clone(),
                sensitive,
                before: shown(old),
                after: shown(new),
            });
        }
    }
}

impl Iterator for Impact {
    type Item = Result<UserImpact>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(user) = self.buffer.next() {
                return Some(Ok(user));
            }
            match self.next_page() {
                Ok(page) => self.buffer = page?.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What a page of users came to.
#[derive(Default)]
struct Looked {
    users: u64,
    accounts: u64,
    affected: Vec<UserImpact>,
    after: String,
    removals: Option<RemovalCount>,
    held: ImpactHeld,
    is_last: bool,
}

/// What a definition wants of a user's account, by path; `null` is a value that is taken away.
#[derive(Default)]
struct Wanted {
    is_wanted: bool,
    values: BTreeMap<String, Value>,
    faults: Vec<Fault>,
}

impl Wanted {
    fn of(live: &LiveApp, subject: &Subject, tx: &Tx<'_>) -> std::result::Result<Self, Fault> {
        let mut wanted = Self::default();
        match live.definition.standing(subject.present(), tx.now) {
            Err(fault) => wanted.faults.push(fault),
            Ok(standing) => wanted.is_wanted = standing.wants_account(),
        }
        if !wanted.is_wanted {
            return Ok(wanted);
        }
        let mapping = &live.definition.mapping;
        let terms = Terms::find(tx, live, subject)?;
        match terms.render(subject, &live.definition, subject.account.is_none(), tx.now) {
            Err(faults) => wanted.faults = faults,
            Ok(rendered) => {
                let value = |target: &crate::path::Path| target.get(&rendered.attributes).cloned();
                let values = mapping.targets().filter_map(|target| Some((target.as_str().to_owned(), value(target)?)));
                wanted.values = values.collect();
                for change in rendered.changes.into_iter().filter(|change| change.kind == ChangeKind::Remove) {
                    wanted.values.entry(change.path).or_insert(Value::Null);
                }
            }
        }
        Ok(wanted)
    }
}

fn foretell(steps: LaneSteps, user: &mut UserImpact) {
    user.cancelled = steps.superseded.iter().map(|row| row.request.operation).collect();
    for step in steps.steps {
        match step {
            // What is held now is counted anew with every definition.
            LaneStep::Make(decision) | LaneStep::Hold(decision, _) => user.operations.push(ImpactOperation {
                operation: decision.operation,
                why: decision.why,
                not_before: decision.not_before,
            }),
            step => user.withheld.extend(withheld(step)),
        }
    }
}

fn withheld(step: LaneStep) -> Option<WithheldOperation> {
    match step {
        LaneStep::Withhold(decision, withheld) => {
            Some(WithheldOperation { operation: decision.operation, why: decision.why, withheld })
        }
        LaneStep::Make(_) | LaneStep::Hold(..) | LaneStep::Keep(..) => None,
    }
}

fn empty_summary(app: AppId, changed: bool, total: u64) -> ImpactSummary {
    ImpactSummary {
        app,
        changed,
        total: if changed { total } else { 0 },
        users: 0,
        affected: 0,
        accounts: 0,
        operations: BTreeMap::new(),
        withheld: BTreeMap::new(),
        cancelled: BTreeMap::new(),
        attributes: BTreeMap::new(),
        faults: BTreeMap::new(),
        destructive: 0,
        share: 0.0,
        held: ImpactHeld::default(),
        finished: false,
    }
}

fn count(summary: &mut ImpactSummary, user: &UserImpact) {
    let add = |counts: &mut BTreeMap<String, u64>, name: &str| *counts.entry(name.to_owned()).or_default() += 1;
    summary.affected += 1;
    user.operations.iter().for_each(|one| add(&mut summary.operations, one.operation.name()));
    user.withheld.iter().for_each(|one| add(&mut summary.withheld, one.operation.name()));
    user.cancelled.iter().for_each(|one| add(&mut summary.cancelled, one.name()));
    user.attributes.iter().for_each(|one| add(&mut summary.attributes, &one.path));
    user.faults.iter().for_each(|one| add(&mut summary.faults, one.code.name()));
    let takes =
        |one: &ImpactOperation| matches!(one.operation, Operation::Deactivate | Operation::Delete | Operation::Freeze);
    summary.destructive += u64::from(user.operations.iter().any(takes));
}

/// The share of the destructive, with four digits.
fn share(summary: &ImpactSummary) -> f64 {
    if summary.accounts == 0 {
        return 0.0;
    }
    let ten_thousandths = summary.destructive.saturating_mul(10_000) / summary.accounts;
    u32::try_from(ten_thousandths).map_or(1.0, |share| f64::from(share) / 10_000.0)
}
