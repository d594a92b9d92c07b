//! Memberships of groups, three ways: what grants ask for, what we gave, and what the target shows. Each that is told or acted
//! on becomes an item of the plan.

use super::item::Builder;
use super::{Work, read, write_ahead};
use crate::connector::{Connector, ConnectorError, Outcome};
use crate::delivery::ask;
use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::model::{
    AccountFilter, AccountStatus, LeftMemberships, LinkState, Reaction, ReconciliationKind, Situation, SnapshotVerdict,
};
use crate::planning::brake::GroupAround;
use crate::planning::groups::{Group, GroupRules, GroupSummary, Holder, Members, Membership, compare_groups};
use crate::planning::reaction::reaction_to;
use crate::store::{Tx, UserState};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

/// How many rows are read at once.
const PAGE: u32 = 500;

/// How many items are stored in one transaction.
const BATCH: usize = 200;

/// The most pages of groups that are read.
const MOST_PAGES: u32 = 10_000;

/// How many groups are told one by one.
const TOLD: usize = 50;

impl Work<'_> {
    /// Compares the memberships of the groups that the app's entitlements name, and of those that we gave; nothing where there
    /// are none. A target that does not tell its groups fails nothing else.
    pub(super) fn plan_memberships(&mut self, builder: &Builder<'_>, after: u64) -> Result<(), Fault> {
        self.row.shown.groups.clear();
        let (live, app) = (builder.live, &builder.live.definition.app);
        let given_groups = read(self.host, |tx| tx.given_groups(&self.app))?;
        let has_groups = !(app.entitlements.is_empty() && given_groups.is_empty());
        if !has_groups || self.row.shown.kind != ReconciliationKind::Target {
            return Ok(());
        }
        let mut groups = match self.named_groups(live, &given_groups)? {
            Ok(groups) => groups,
            Err(why) => {
                self.group_notes = vec![format!("memberships were not compared: {why}")];
                return Ok(());
            }
        };
        let (holders, logins) = self.holders(live, &groups)?;
        groups.iter_mut().for_each(|group| group.resolve(&logins));
        let untouched = self.untouched(live)?;
        let rules = GroupRules {
            entitlements: &app.entitlements,
            authoritative: app.authoritative,
            keeps: app.deprovision.memberships == LeftMemberships::Keep,
            untouched: &untouched,
            given_groups: &given_groups,
        };
        let host = self.host;
        let id = &self.app;
        let mut given = |group: &str| read(host, |tx| tx.given_in(id, group));
        let mut planned = Planned { work: self, builder, listed: Listed::default(), number: after, batch: Vec::new() };
        let summary = compare_groups(rules, holders, groups, &mut given, &mut |found| planned.take(found))?;
        planned.store()?;
        self.note_groups(summary);
        Ok(())
    }

    /// What a comparison came to: each situation is counted, and groups that are not there or not shown are told.
    fn note_groups(&mut self, summary: GroupSummary) {
        let shown = &mut self.row.shown;
        for situation in Situation::of_memberships() {
            shown.counts.0.insert(situation, summary.counts.get(&situation).copied().unwrap_or(0));
        }
        let unread = summary.groups.iter().filter(|group| group.members.is_none()).take(TOLD);
        self.group_notes = unread.map(|group| format!("group `{}` does not show its members", group.group)).collect();
        self.group_notes.extend(summary.unknown.iter().take(TOLD).map(|unknown| format!("group {unknown}")));
        shown.groups = summary.groups;
    }

    /// The groups that are looked into, or why none can be. Of others nothing is kept.
    fn named_groups(&self, live: &LiveApp, given: &BTreeSet<String>) -> Result<Result<Vec<Group>, String>, Fault> {
        let Some(connector) = &live.connector else { return Ok(Err("no connector is registered".to_owned())) };
        let mut groups = Vec::new();
        let entitlements = &live.definition.app.entitlements;
        let read = self.each_group(live, connector.as_ref(), &mut |group| {
            if group.is_named(entitlements) || given.contains(&group.id) {
                groups.push(group);
            }
        })?;
        Ok(match read {
            Some(Ok(())) => Ok(groups),
            Some(Err(error)) if error.code == Code::Unsupported.name() => {
                Err("the connector does not tell the target's groups".to_owned())
            }
            Some(Err(error)) => Err(format!("the target's groups cannot be read (`{}`)", error.code)),
            None => Err("the work was stopped".to_owned()),
        })
    }

    /// Shows every group that the target tells, page by page; none where the work was stopped.
    fn each_group(
        &self,
        live: &LiveApp,
        connector: &dyn Connector,
        visit: &mut dyn FnMut(Group),
    ) -> Result<Option<Result<(), ConnectorError>>, Fault> {
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            if !self.wait_for_room(live)? {
                return Ok(None);
            }
            if read(self.host, |tx| tx.is_kept_back(&self.app))? {
                let message = "the app is held, or its target is in maintenance";
                return Ok(Some(Err(ConnectorError::new(Outcome::NotApplied, Code::AppDisabled.name(), message))));
            }
            let answer = ask(self.host, &live.definition.app, || connector.list_groups(cursor.as_deref()))?;
            let (page, next) = match answer {
                Ok(page) => page,
                Err(error) => return Ok(Some(Err(error))),
            };
            for group in page {
                match Group::from_object(&group) {
                    Ok(group) => visit(group),
                    Err(fault) => {
                        let error = ConnectorError::new(Outcome::NotApplied, fault.code.name(), fault.message);
                        return Ok(Some(Err(error)));
                    }
                }
            }
            if next.is_none() {
                return Ok(Some(Ok(())));
            }
            cursor = next;
        }
        let message = "the listing of groups does not end";
        Ok(Some(Err(ConnectorError::new(Outcome::NotApplied, Code::InvalidAnswer.name(), message))))
    }

    /// The linked accounts whose users may be wanted in a group, that are in one, or that we put into one. Of the others
    /// nothing is kept, so that memory is bounded by the memberships. And the accounts whose logins stand in the place of their
    /// ids in a group, by the login.
    fn holders(&self, live: &LiveApp, groups: &[Group]) -> Result<(Vec<Holder>, Logins), Fault> {
        let app = &live.definition.app;
        let now = self.host.clock().now();
        let members: Members =
            groups.iter().filter_map(|group| group.members.as_ref()).flat_map(Members::iter).collect();
        let (mut holders, mut logins) = (Vec::new(), Logins::new());
        let mut after = String::new();
        loop {
            let rows = read(self.host, |tx| tx.accounts_after(&self.app, &after, PAGE))?;
            let Some(last) = rows.last() else { return Ok((holders, self.without_ids(logins)?)) };
            after.clone_from(&last.account.external_id);
            for row in &rows {
                let account = &row.account;
                let is_there = account.status != AccountStatus::Deleted;
                let login = account.username.as_ref().filter(|login| is_there && members.contains(login));
                if let Some(login) = login {
                    let of_several = logins.contains_key(login);
                    logins.insert(login.clone(), (!of_several).then(|| account.external_id.clone()));
                }
                let is_linked = account.link_state == LinkState::Linked && is_there;
                let Some(id) = account.user.as_ref().filter(|_| is_linked) else { continue };
                let (stored, was_given) = read(self.host, |tx| {
                    Ok((tx.user(id.as_str())?, !tx.memberships(&self.app, &account.external_id)?.is_empty()))
                })?;
                let Some(stored) = stored else { continue };
                let present = (stored.state == UserState::Present).then_some(&stored.user);
                // For a mistake in an expression nothing is taken away.
                let entitled = live.definition.standing(present, now).map_or(true, |one| one.wants_account());
                let holder = Holder::new(&app.entitlements, &stored.user, &account.external_id, entitled);
                if holder.has_grants() || was_given || login.is_some() || members.contains(&account.external_id) {
                    holders.push(holder);
                }
            }
        }
    }

    /// The logins that are no account's id as well: where both could be meant, it is the id.
    fn without_ids(&self, logins: Logins) -> Result<Logins, Fault> {
        let mut only = Logins::new();
        for (login, account) in logins {
            if read(self.host, |tx| tx.account_at(&self.app, &login))?.is_none() {
                only.insert(login, account);
            }
        }
        Ok(only)
    }

    /// The accounts that are protected or ignored.
    fn untouched(&self, live: &LiveApp) -> Result<BTreeSet<String>, Fault> {
        let app = &live.definition.app;
        let mut untouched: BTreeSet<String> = app.protected.external_ids.iter().cloned().collect();
        let mut filter = AccountFilter {
            app: Some(app.id.to_string()),
            link_state: Some(LinkState::Ignored),
            ..AccountFilter::default()
        };
        loop {
            let page = read(self.host, |tx| tx.accounts(&filter))?;
            let Some(last) = page.last() else { return Ok(untouched) };
            filter.after = Some((last.app.to_string(), last.external_id.clone()));
            untouched.extend(page.into_iter().map(|account| account.external_id));
        }
    }

    /// The groups about which the brake is asked: as they were compared, or, where nothing was, as the ledger has them.
    pub(super) fn group_sizes(&self, tx: &Tx<'_>, since: Timestamp) -> Result<BTreeMap<String, GroupAround>, Fault> {
        let mut around = BTreeMap::new();
        if self.row.shown.kind == ReconciliationKind::Target {
            for group in &self.row.shown.groups {
                let (display_name, left) =
                    (group.display_name.clone(), tx.left_group_since(&self.app, &group.group, since)?);
                around.insert(group.group.clone(), GroupAround { display_name, members: group.members, left });
            }
            return Ok(around);
        }
        for group in tx.given_groups(&self.app)? {
            let members = Some(tx.count_given(&self.app, &group)?);
            let left = tx.left_group_since(&self.app, &group, since)?;
            around.insert(group, GroupAround { display_name: None, members, left });
        }
        Ok(around)
    }
}

/// Whose a login is; none where it is several accounts'.
type Logins = BTreeMap<String, Option<String>>;

/// The external ids of the listing, as keyed hashes. They are read when somebody may be given a membership, or lose one.
#[derive(Default)]
struct Listed {
    hasher: RandomState,
    ids: Option<HashSet<u64>>,
}

impl Listed {
    fn read(&mut self, work: &Work<'_>) -> Result<(), Fault> {
        if self.ids.is_none() {
            let mut ids = HashSet::new();
            work.each_listed(&mut |id| {
                ids.insert(self.hasher.hash_one(id));
            })?;
            self.ids = Some(ids);
        }
        Ok(())
    }

    fn has(&self, account: &str) -> bool {
        self.ids.as_ref().is_some_and(|ids| ids.contains(&self.hasher.hash_one(account)))
    }
}

/// Memberships on their way into the plan, some in one transaction.
struct Planned<'p> {
    work: &'p Work<'p>,
    builder: &'p Builder<'p>,
    listed: Listed,
    number: u64,
    batch: Vec<Membership>,
}

impl Planned<'_> {
    fn take(&mut self, found: Membership) -> Result<(), Fault> {
        if reaction_to(&self.builder.settings, found.situation) == Reaction::None {
            return Ok(());
        }
        self.batch.push(found);
        if self.batch.len() >= BATCH { self.store() } else { Ok(()) }
    }

    fn store(&mut self) -> Result<(), Fault> {
        let (work, builder, after) = (self.work, self.builder, self.number);
        if self.batch.is_empty() || work.is_stopped() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let changes = |found: &Membership| {
            matches!(reaction_to(&builder.settings, found.situation), Reaction::Update | Reaction::Remove)
        };
        if batch.iter().any(changes) {
            self.listed.read(work)?;
        }
        self.number = write_ahead(work.host, |tx, _| {
            let mut number = after;
            tx.save_reconciliation(&work.row)?;
            for found in &batch {
                let is_listed = self.listed.has(&found.account);
                let row = builder.membership(tx, number + 1, found, is_listed)?;
                if row.item.reaction.is_destructive() && work.row.shown.verdict != Some(SnapshotVerdict::Incomplete) {
                    tx.observe(&work.app, &row.item, work.row.shown.created_at)?;
                }
                tx.put_item(&work.row.shown.id, &work.key, &row)?;
                number += 1;
            }
            Ok(number)
        })?;
        Ok(())
    }
}
