//! From what was collected to a plan: the analysis, an item for each finding that calls for one, the brake, the digest.

use super::sources::{Staged, StoredLinks, StoredUsers};
use super::subject::{Subject, seen_account};
use super::update::{before, wanted};
use super::{Work, definition_mark, read, write, write_ahead};
use crate::analysis::{Analysis, Found, Inputs, Records, Rules, Terms, analyze};
use crate::fault::{Code, Fault};
use crate::id::AppId;
use crate::intake::{LiveApp, advance};
use crate::lifecycle::Event;
use crate::model::{
    AccountStatus, ApprovalStatus, BrakeSettings, Change, ChangeKind, FreezeFallback, ItemState, LinkState, PlanFilter,
    PlanItem, Reaction, ReconcileSettings, Situation, SnapshotVerdict, TargetAccount, User,
};
use crate::operation::Operation;
use crate::planning::brake::{Brake, Hold, Surroundings, Taken, can_be_released, is_confirmed};
use crate::planning::digest::{PlanDigest, item_digest};
use crate::planning::reaction::{Circumstances, Decided, decide_reaction, reaction_to, suppressed};
use crate::store::{AccountRow, PlanRow, ReconciliationRow, RequestRow, Tx};
use crate::time::{Period, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many items are stored in one transaction.
const BATCH: usize = 200;

/// About how many bytes the analysis may use.
const MEMORY: usize = 48 << 20;

impl Work<'_> {
    /// Compares and plans. Where it is interrupted, it begins anew: what was collected is still there.
    pub(super) fn analyze(&mut self) -> Result<(), Fault> {
        let live = self.live()?;
        if self.row.definition.as_deref() != Some(definition_mark(&live)?.as_str()) {
            let message = "the app's definition changed after the target was read";
            return self.fail(Fault::new(Code::ItemChanged, message));
        }
        let now = self.host.clock().now();
        let (analyzed, key) = read(self.host, |tx| Ok((tx.log_head()?, tx.random_key()?)))?;
        let definition = &live.definition;
        let standing = |user: &User| definition.standing(Some(user), now);
        // Where only some members count, a user is not read whole and an account need not be looked at closely.
        let standing_reads = definition.scope_reads();
        let protected: BTreeSet<String> = definition.app.protected.external_ids.iter().cloned().collect();
        let not_kept = read(self.host, |tx| not_kept(tx, &live))?;
        let rules = Rules {
            matching: &definition.matching,
            mapping: &definition.mapping,
            not_kept: &not_kept,
            protected: &protected,
            standing: &standing,
            standing_reads: standing_reads.as_ref(),
            app_id: definition.app.id.as_str(),
            app_label: definition.app.display_label(),
        };
        let complete = self.row.shown.verdict.is_some_and(|verdict| verdict != SnapshotVerdict::Incomplete);
        let terms = Terms { complete, now, memory: MEMORY, threads: 1, key };
        let (mut users, mut links) = (StoredUsers::new(self)?, StoredLinks::new(self)?);
        let (mut accounts, mut shown) = (Staged::new(self), Staged::new(self));
        let mut inputs = Inputs { users: &mut users, accounts: &mut accounts, links: &mut links };
        let mut scratch = crate::scratch::TempScratch::new(MEMORY / 4);
        let analysis = match analyze(&mut inputs, &rules, &terms, &mut scratch) {
            Err(fault) if fault.code == Code::Internal => return self.fail(fault),
            analysis => analysis?,
        };
        self.note(&analysis);
        let builder = Builder { live: &live, row: self.row.clone(), settings: settings(&live), analyzed, chosen: None };
        let mut findings = analysis.findings(Some(&builder.told()));
        self.clear()?;
        let mut number = 0;
        let mut batch = Vec::new();
        loop {
            let found = findings.next(&analysis, &mut inputs, &rules, &mut scratch)?;
            let is_last = found.is_none();
            if let Some(found) = found {
                let seen = found.account.map(|place| account_at(&mut shown, place)).transpose()?;
                batch.push((found, seen));
            }
            if is_last || batch.len() >= BATCH {
                if self.is_stopped() {
                    return Ok(());
                }
                number = self.store_items(&builder, number, &batch)?;
                batch.clear();
            }
            if is_last {
                self.plan_memberships(&builder, number)?;
                return self.finish(&live);
            }
        }
    }

    /// What the analysis came to. A record that it could not read may be the one that matters: nothing is concluded from
    /// absence then.
    fn note(&mut self, analysis: &Analysis) {
        let shown = &mut self.row.shown;
        shown.counts = analysis.counts().clone();
        if self.host.brakes() && !analysis.is_complete() && shown.verdict != Some(SnapshotVerdict::Incomplete) {
            shown.verdict = Some(SnapshotVerdict::Incomplete);
            let count = analysis.unreadable_count() + analysis.repeated();
            shown.verdict_why.push(format!("{count} records cannot be read, or are there twice"));
        }
        shown.faults = analysis.unreadable().iter().take(MOST_FAULTS).map(|one| one.fault.clone()).collect();
    }

    pub(super) fn clear(&mut self) -> Result<(), Fault> {
        let row = self.row.clone();
        write(self.host, |tx, _| {
            tx.clear_items(&row.shown.id)?;
            tx.save_reconciliation(&row)
        })
    }

    fn store_items(
        &self,
        builder: &Builder<'_>,
        after: u64,
        batch: &[(Found, Option<TargetAccount>)],
    ) -> Result<u64, Fault> {
        write_ahead(self.host, |tx, _| {
            let mut number = after;
            // Whoever took the work up since writes the items now.
            tx.save_reconciliation(&self.row)?;
            for (found, seen) in batch {
                if let Some(row) = builder.item(tx, number + 1, found, seen.as_ref())? {
                    let inferred = row.item.reaction.is_destructive() && !row.item.explicit;
                    if inferred && self.row.shown.verdict != Some(SnapshotVerdict::Incomplete) {
                        let listed_at = self.row.shown.created_at;
                        tx.observe(&builder.live.definition.app.id, &row.item, listed_at)?;
                    }
                    tx.put_item(&self.row.shown.id, &self.key, &row)?;
                    number += 1;
                }
            }
            Ok(number)
        })
    }

    /// Asks the brake about the whole plan, gives each item its digest, and the plan its own.
    pub(super) fn finish(&mut self, live: &LiveApp) -> Result<(), Fault> {
        let verdict = self.row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
        let settings = live.definition.app.brake.clone().unwrap_or_default();
        let around = self.surroundings(live, &settings, verdict)?;
        // What is undone was not inferred.
        let undoes = self.is_undo();
        let mut brake = Brake::new(&settings, &around);
        self.each_page(|tx, page| {
            for one in page {
                let confirmed = undoes || is_confirmed_item(tx, &live.definition.app.id, &settings, &one.item)?;
                brake.add(&one.item, confirmed);
            }
            Ok(())
        })?;
        let braked = brake.decide();
        let mut digest = PlanDigest::new(self.row.definition.as_deref().unwrap_or_default(), verdict);
        let id = self.row.shown.id.clone();
        let mut waits = false;
        self.each_page(|tx, page| {
            for one in page {
                let confirmed = undoes || is_confirmed_item(tx, &live.definition.app.id, &settings, &one.item)?;
                if self.host.brakes() {
                    waits |= braked.apply(&mut one.item, confirmed) == Hold::UntilReleased;
                }
                one.digest = item_digest(&one.item, &one.planned_for);
                tx.judge_item(&id, one)?;
                digest.add(one.item.number, &one.digest, one.item.state == ItemState::Held);
            }
            Ok(())
        })?;
        let not_kept = if undoes { BTreeSet::new() } else { read(self.host, |tx| not_kept(tx, live))? };
        let shown = &mut self.row.shown;
        shown.digest = Some(digest.finish());
        let group_notes = std::mem::take(&mut self.group_notes);
        shown.notes.retain(|_| undoes);
        shown.notes.extend(braked.notes.iter().cloned());
        shown.notes.extend(not_kept.iter().map(|one| format!("the target does not keep `{one}`: it is not compared")));
        shown.notes.extend(group_notes);
        let row = self.row.clone();
        self.row = write(self.host, |tx, _| {
            let mut row = row.clone();
            let held = tx.item_counts(&id)?.get(&ItemState::Held).copied().unwrap_or(0) > 0;
            row.shown.brake = if held { braked.reasons.clone() } else { Vec::new() };
            let release = waits && can_be_released(&row.shown.brake);
            row.shown.approval = if release { ApprovalStatus::Required } else { ApprovalStatus::NotRequired };
            if verdict != SnapshotVerdict::Incomplete && !undoes {
                tx.forget_observations(&live.definition.app.id, row.shown.created_at)?;
            }
            let details = analyzed(tx, &row)?;
            advance(tx, &mut row, Event::Analyzed, None, details)?;
            Ok(row)
        })?;
        Ok(())
    }

    /// Shows the plan page by page, each in a transaction of its own.
    fn each_page(&self, mut visit: impl FnMut(&mut Tx<'_>, &mut [PlanRow]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut after = 0;
        loop {
            let filter = PlanFilter { after: Some(after), limit: u32::try_from(BATCH).ok(), ..PlanFilter::default() };
            let mut page = read(self.host, |tx| tx.plan_items(&self.row.shown.id, &filter))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.item.number;
            let now = self.host.clock().now();
            // What is shown here logs nothing, and apps that change meanwhile make another plan necessary anyway.
            self.host.store()?.write_ahead(now, |tx| {
                tx.save_reconciliation(&self.row)?;
                visit(tx, &mut page)
            })?;
        }
    }

    pub(super) fn surroundings(
        &self,
        live: &LiveApp,
        settings: &BrakeSettings,
        verdict: SnapshotVerdict,
    ) -> Result<Surroundings, Fault> {
        let app = &live.definition.app;
        let mut active_admins = BTreeSet::new();
        if !settings.admins.is_empty() {
            let mut staged = Staged::new(self);
            for number in 1..=staged.pages() {
                let accounts = staged.accounts(number)?.into_iter();
                let usable = accounts.filter(|one| one.active && settings.admins.contains(&one.external_id));
                active_admins.extend(usable.map(|one| one.external_id));
            }
        }
        read(self.host, |tx| {
            let ago = |seconds| Timestamp::from_micros(tx.now.as_micros() - Period::from_seconds(seconds).as_micros());
            let (deactivations, deletes) = tx.taken_since(&app.id, ago(86_400), false)?;
            let explicit = tx.taken_since(&app.id, ago(3_600), true)?;
            Ok(Surroundings {
                verdict,
                delete_allowed: app.operations.allows(Operation::Delete),
                linked: tx.count_linked(&app.id)?,
                groups: self.group_sizes(tx, ago(86_400))?,
                taken: Taken { deactivations, deletes, explicit: explicit.0 + explicit.1 },
                protected: app.protected.external_ids.iter().cloned().collect(),
                active_admins,
            })
        })
    }
}

/// Whether what would be taken away and was only inferred was found before, long enough ago. What a person decided needs no
/// second observation.
pub(super) fn is_confirmed_item(
    tx: &Tx<'_>,
    app: &AppId,
    settings: &BrakeSettings,
    item: &PlanItem,
) -> Result<bool, Fault> {
    if !item.reaction.is_destructive() || item.explicit || item.by.is_some() {
        return Ok(true);
    }
    let seen = tx.observation(app, item)?;
    Ok(seen.is_some_and(|seen| is_confirmed(seen.first_at, seen.last_at, settings.observed_apart)))
}

/// The attributes of which the target is known not to keep what their rules send.
fn not_kept(tx: &Tx<'_>, live: &LiveApp) -> Result<BTreeSet<String>, Fault> {
    let definition = &live.definition;
    let mut found = BTreeSet::new();
    for rule in 0..definition.app.mapping.len() {
        let (attribute, mark) = definition.rule_mark(rule);
        if tx.is_not_kept(&definition.app.id, &attribute, &mark)? {
            found.insert(attribute);
        }
    }
    Ok(found)
}

/// How many faults of records a reconciliation tells.
const MOST_FAULTS: usize = 20;

fn analyzed(tx: &Tx<'_>, row: &ReconciliationRow) -> Result<Value, Fault> {
    let shown = &row.shown;
    let brake: Vec<&str> = shown.brake.iter().map(|reason| reason.name.as_str()).collect();
    Ok(json!({"counts": shown.counts, "items": tx.item_counts(&shown.id)?, "digest": shown.digest, "brake": brake,
        "verdict": shown.verdict}))
}

pub(super) fn settings(live: &LiveApp) -> ReconcileSettings {
    live.definition.app.reconcile.clone().unwrap_or_default()
}

fn account_at(staged: &mut Staged<'_>, place: u64) -> Result<TargetAccount, Fault> {
    let mut found = None;
    staged.again(place, &mut |line| {
        found = serde_json::from_slice(line).ok();
        Ok(())
    })?;
    found.ok_or_else(|| Fault::new(Code::Internal, "an account that was read cannot be read again"))
}

/// Makes items of findings.
pub(super) struct Builder<'b> {
    pub(super) live: &'b LiveApp,
    pub(super) row: ReconciliationRow,
    pub(super) settings: ReconcileSettings,
    /// The last log entry before the analysis.
    pub(super) analyzed: u64,
    /// What a person decided, in the place of what the settings say.
    pub(super) chosen: Option<Reaction>,
}

impl Builder<'_> {
    /// The situations of which something is said or done.
    fn told(&self) -> Vec<Situation> {
        let told = |one: &Situation| reaction_to(&self.settings, *one) != Reaction::None;
        Situation::ALL.iter().copied().filter(told).collect()
    }

    /// The item of a finding; none where nothing is said or done.
    pub(super) fn item(
        &self,
        tx: &mut Tx<'_>,
        number: u64,
        found: &Found,
        seen: Option<&TargetAccount>,
    ) -> Result<Option<PlanRow>, Fault> {
        let mut finding = found.finding.clone();
        let subject = Subject::find(tx, self.live, finding.user.as_deref(), finding.account.as_deref())?;
        let wished = self.chosen.unwrap_or_else(|| reaction_to(&self.settings, finding.situation));
        let explicit = finding.user.is_some() && subject.is_explicit(finding.situation, wished, seen);
        let around = Circumstances {
            verdict: self.row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete),
            known_link: subject.is_known_link(),
            linked: has_link(subject.row.as_ref()),
            faulty: !finding.faults.is_empty(),
            explicit,
        };
        let decided = match self.chosen {
            None => decide_reaction(&self.settings, finding.situation, around),
            Some(chosen) => Decided { reaction: chosen, why: suppressed(finding.situation, chosen, around) },
        };
        if let (Some(_), Some(why)) = (self.chosen, decided.why) {
            return Err(Fault::new(Code::InvalidArgument, why));
        }
        let mut reaction = decided.reaction;
        let mut why: Vec<String> = decided.why.iter().map(|why| (*why).to_owned()).collect();
        if reaction == Reaction::Deactivate && seen.is_some_and(|seen| !seen.active) {
            reaction = Reaction::Report;
            why.push("the account is disabled already".to_owned());
        }
        let (mut changes, mut values) = (Vec::new(), std::collections::BTreeMap::new());
        if acts(reaction) {
            let links = finding.situation == Situation::Found || reaction == Reaction::Link;
            let gives_way = |row: &RequestRow| (links && is_superseded(row)) || is_later(reaction, row);
            let against = match self.moving(tx, &subject, finding.user.as_deref(), seen, &gives_way)? {
                None => self.switched_off(reaction, finding.situation, &subject),
                moving => moving,
            };
            if let Some(against) = against {
                reaction = Reaction::Report;
                why.push(against);
            }
        }
        if reaction == Reaction::Update
            && let Some(seen) = seen
        {
            match self.update(tx, &subject, seen, finding.situation)? {
                Ok(found) if found.is_empty() && finding.situation == Situation::Found => reaction = Reaction::Link,
                Ok(found) if found.is_empty() => {
                    reaction = Reaction::Report;
                    why.push("an Update would send nothing: the rules leave alone what the target changed".to_owned());
                }
                Ok(found) => {
                    values = before(&found, &shown_attributes(seen));
                    changes = found;
                }
                Err(faults) => {
                    reaction = Reaction::Report;
                    why.push("what would be sent cannot be rendered".to_owned());
                    finding.faults.extend(faults);
                }
            }
        }
        let state = match reaction {
            Reaction::None | Reaction::Report => ItemState::Reported,
            Reaction::Review => ItemState::Review,
            _ => ItemState::Planned,
        };
        let item = PlanItem {
            number,
            finding,
            group: None,
            reaction,
            state,
            destructive: reaction.is_destructive(),
            explicit: explicit && reaction.is_destructive(),
            changes,
            before: values,
            why,
            request: None,
            fault: None,
            by: None,
        };
        let planned_for = subject.print();
        Ok(Some(PlanRow { item, planned_for, digest: String::new(), done_at: None }))
    }

    /// Why nothing is concluded of a user or an account: we ourselves are at it, or were while the target was read.
    pub(super) fn moving(
        &self,
        tx: &Tx<'_>,
        subject: &Subject,
        user: Option<&str>,
        seen: Option<&TargetAccount>,
        gives_way: &dyn Fn(&RequestRow) -> bool,
    ) -> Result<Option<String>, Fault> {
        let app = &self.live.definition.app.id;
        let owner = subject.row.as_ref().and_then(|row| row.account.user.as_ref()).map(|user| user.as_str());
        // An account that was being made names its user, whether or not anybody knows yet that it was made.
        let marked = seen.and_then(|seen| crate::path::member(&seen.attributes, "externalId")?.as_str());
        let people: BTreeSet<&str> = [user, owner, marked].into_iter().flatten().collect();
        for person in people {
            let changed =
                tx.logged_since(Some(app), person, self.row.began)? || tx.logged_since(None, person, self.analyzed)?;
            if changed {
                let why = "something happened to the user or its account in the app while the target was read";
                return Ok(Some(why.to_owned()));
            }
            let open = match crate::id::UserId::new(person) {
                Ok(id) => tx.lane(app, &id)?,
                Err(_) => Vec::new(),
            };
            if let Some(request) = open.iter().find(|row| !gives_way(row)) {
                return Ok(Some(format!("the request {} of the user is open", request.request.id)));
            }
        }
        if let Some(row) = &subject.row {
            if row.account.updated_at > self.row.shown.created_at {
                return Ok(Some("what is known of the account changed while the target was read".to_owned()));
            }
            let open = tx.lane_of_account(app, &row.account.external_id)?;
            if let Some(request) = open.first() {
                return Ok(Some(format!("the request {} for the account is open", request.request.id)));
            }
        }
        Ok(None)
    }

    /// Why the app does not let this be done. Whether accounts may be deleted is the brake's.
    fn switched_off(&self, reaction: Reaction, situation: Situation, subject: &Subject) -> Option<String> {
        let operation = match reaction {
            Reaction::Create => Operation::Create,
            Reaction::Update => Operation::Update,
            Reaction::Deactivate => Operation::Deactivate,
            _ => return None,
        };
        let linking = reaction == Reaction::Update && situation == Situation::Found;
        if !linking && !self.live.definition.app.operations.allows(operation) {
            return Some(format!("the app does not allow {operation}"));
        }
        match &subject.standing {
            Ok(standing) if !standing.in_pilot && operation != Operation::Deactivate => {
                Some("the user does not take part in the pilot".to_owned())
            }
            Ok(standing) if reaction == Reaction::Create && standing.frozen => {
                Some("a frozen user gets nothing new".to_owned())
            }
            Ok(standing) if operation != Operation::Deactivate && !standing.wants_account() => {
                Some("the user may not have an account in the app".to_owned())
            }
            Err(fault) => Some(fault.message.clone()),
            Ok(_) => None,
        }
    }

    /// What an Update would send, and what makes the account one that can be used.
    fn update(
        &self,
        tx: &Tx<'_>,
        subject: &Subject,
        seen: &TargetAccount,
        situation: Situation,
    ) -> Result<Result<Vec<Change>, Vec<Fault>>, Fault> {
        let Some(stored) = &subject.stored else { return Ok(Ok(Vec::new())) };
        let row = as_seen(tx, self.live, subject, seen);
        let wanted = match wanted(tx, self.live, stored, &row, false)? {
            Ok(wanted) => wanted,
            Err(faults) => return Ok(Err(faults)),
        };
        let mut changes = if wanted.waits { Vec::new() } else { wanted.changes };
        if situation == Situation::Drifted {
            changes.extend(switches(self.live, seen, subject.is_frozen()));
        }
        Ok(Ok(changes))
    }
}

/// What makes an account one that can be used, or, where its user is frozen, one that cannot; as changes. They are sent as
/// Activate, Unfreeze and Freeze.
pub(super) fn switches(live: &LiveApp, seen: &TargetAccount, is_frozen: bool) -> Vec<Change> {
    let operations = &live.definition.app.operations;
    let change = |path: &str, value: bool| Change {
        kind: ChangeKind::Replace,
        path: path.to_owned(),
        value: Some(Value::Bool(value)),
    };
    if is_frozen {
        let freezes = live.capabilities.freeze || live.definition.app.freeze_fallback == FreezeFallback::Disable;
        let freeze = seen.active && !seen.frozen && freezes && operations.allows(Operation::Freeze);
        return freeze.then(|| change(FROZEN, true)).into_iter().collect();
    }
    let activate = (!seen.active && operations.allows(Operation::Activate)).then(|| change(ACTIVE, true));
    let unfreeze = (seen.frozen && operations.allows(Operation::Unfreeze)).then(|| change(FROZEN, false));
    activate.into_iter().chain(unfreeze).collect()
}

pub(super) const ACTIVE: &str = "active";
pub(super) const FROZEN: &str = "frozen";

/// The account as it was seen, with what is known of its link.
pub(super) fn as_seen(tx: &Tx<'_>, live: &LiveApp, subject: &Subject, seen: &TargetAccount) -> AccountRow {
    let user = subject.stored.as_ref().map(|stored| &stored.user);
    match &subject.row {
        Some(row) if subject.is_linked() => {
            let mut row = row.clone();
            row.account.attributes = seen.named();
            row.account.username = seen.username.clone().or(row.account.username);
            row.account.version.clone_from(&seen.version);
            row
        }
        known => {
            let mut account = seen_account(live, user, seen, tx);
            if let Some(known) = known {
                account.created_at = known.account.created_at;
                account.known_link = known.account.known_link;
            }
            AccountRow { account, applied: None, fingerprint: None }
        }
    }
}

/// Everything that was seen, by attribute: with the two that stand beside the attributes.
fn shown_attributes(seen: &TargetAccount) -> crate::value::Attributes {
    let mut attributes = seen.named();
    for (name, value) in [(ACTIVE, seen.active), (FROZEN, seen.frozen)] {
        attributes.entry(name).or_insert(Value::Bool(value));
    }
    attributes
}

/// Whether a request is no longer needed once an account is linked: one to make it, of which nothing was sent.
pub(super) fn is_superseded(row: &RequestRow) -> bool {
    row.request.operation == Operation::Create && !row.is_under_way()
}

/// Whether a request does not keep an account from being disabled now: one to delete it that still waits for its time.
pub(super) fn is_later(reaction: Reaction, row: &RequestRow) -> bool {
    reaction == Reaction::Deactivate && row.request.operation == Operation::Delete && !row.is_under_way()
}

fn acts(reaction: Reaction) -> bool {
    !matches!(reaction, Reaction::None | Reaction::Report | Reaction::Review)
}

fn has_link(row: Option<&AccountRow>) -> bool {
    row.is_some_and(|row| {
        let account = &row.account;
        account.user.is_some() && account.link_state == LinkState::Linked && account.status != AccountStatus::Deleted
    })
}
