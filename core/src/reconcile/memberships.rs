//! Memberships of groups, compared with what the target shows. Those that we gave and that somebody took away are given again;
//! everything else is told in the notes.

use super::{Work, read};
use crate::connector::{Connector, ConnectorError, Outcome};
use crate::delivery::ask;
use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::model::{
    AccountFilter, AccountStatus, Change, ChangeKind, LinkState, MembershipState, PlanItem, ReconciliationKind, User,
};
use crate::planning::groups::{
    Group, GroupRules, GroupSummary, Holder, MembershipVerdict, compare_groups, named_members,
};
use crate::store::UserState;
use crate::value::Attributes;
use std::collections::{BTreeMap, BTreeSet};

/// How many rows are read at once.
const PAGE: u32 = 500;

/// The most pages of groups that are read.
const MOST_PAGES: u32 = 10_000;

/// How many groups are told one by one.
const TOLD: usize = 50;

/// What a comparison came to.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) notes: Vec<String>,
    /// The groups in which an account was and is no more, by its user and the account.
    pub(super) lost: BTreeMap<(String, String), Vec<String>>,
}

/// The attribute under which a plan tells memberships (RFC 7643 §4.1.2).
const GROUPS: &str = "groups";

/// The change that puts an account into a group again.
pub(super) fn restoring(group: &str) -> Change {
    let value = serde_json::json!([{"value": group}]);
    Change { kind: ChangeKind::Add, path: GROUPS.to_owned(), value: Some(value) }
}

/// The groups into which an item of a plan puts its account again; nothing where it is about something else.
pub(super) fn restored(item: &PlanItem) -> Vec<&str> {
    let group = |change: &'_ Change| -> bool { change.kind == ChangeKind::Add && change.path == GROUPS };
    let values = item.changes.iter().filter(|change| group(change)).filter_map(|change| change.value.as_ref());
    values.filter_map(|value| value.pointer("/0/value")?.as_str()).collect()
}

impl Work<'_> {
    /// What is to be known of the memberships that the app's entitlements ask for; nothing where it has none. A target that
    /// does not tell its groups fails nothing else.
    pub(super) fn memberships(&self, live: &LiveApp) -> Result<Compared, Fault> {
        let app = &live.definition.app;
        if app.entitlements.is_empty() || self.row.shown.kind != ReconciliationKind::Target {
            return Ok(Compared::default());
        }
        let not_compared = |why: &str| {
            Ok(Compared { notes: vec![format!("memberships were not compared: {why}")], ..Compared::default() })
        };
        let Some(connector) = &live.connector else { return not_compared("no connector is registered") };
        let groups = match self.groups(live, connector.as_ref())? {
            Some(Ok(groups)) => groups,
            Some(Err(error)) if error.code == Code::Unsupported.name() => {
                return not_compared("the connector does not tell the target's groups");
            }
            Some(Err(error)) => return not_compared(&format!("the target's groups cannot be read (`{}`)", error.code)),
            None => return not_compared("the work was stopped"),
        };
        let people = self.people(live, &groups)?;
        let holders: Vec<Holder<'_>> =
            people.iter().map(|(user, account, entitled)| Holder { user, account, entitled: *entitled }).collect();
        let untouched = self.untouched(live)?;
        let given = self.given()?;
        let rules = GroupRules {
            entitlements: &app.entitlements,
            authoritative: app.authoritative,
            untouched: &untouched,
            given: &given,
        };
        let mut lost: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        let summary = compare_groups(rules, &holders, groups, &mut |found| {
            let key = (found.group, found.account);
            if let (MembershipVerdict::ToAdd, Some(user), true) = (found.verdict, found.user, given.contains(&key)) {
                lost.entry((user, key.1)).or_default().push(key.0);
            }
            Ok(())
        })?;
        Ok(Compared { notes: told(&summary), lost })
    }

    /// Every group that the target shows; none where the work was stopped.
    fn groups(
        &self,
        live: &LiveApp,
        connector: &dyn Connector,
    ) -> Result<Option<Result<Vec<Group>, ConnectorError>>, Fault> {
        let (mut groups, mut cursor) = (Vec::new(), None);
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
            let read: Result<Vec<Group>, Fault> = page.iter().map(Group::from_object).collect();
            match read {
                Ok(read) => groups.extend(read),
                Err(fault) => {
                    return Ok(Some(Err(ConnectorError::new(Outcome::NotApplied, fault.code.name(), fault.message))));
                }
            }
            if next.is_none() {
                return Ok(Some(Ok(groups)));
            }
            cursor = next;
        }
        let message = "the listing of groups does not end";
        Ok(Some(Err(ConnectorError::new(Outcome::NotApplied, Code::InvalidAnswer.name(), message))))
    }

    /// The linked users who may be wanted in a group that is named, or are in one, with their accounts and whether they are
    /// entitled. Others are not kept, so that memory is bounded by the memberships.
    fn people(&self, live: &LiveApp, groups: &[Group]) -> Result<Vec<(User, String, bool)>, Fault> {
        let app = &live.definition.app;
        let now = self.host.clock().now();
        let members = named_members(&app.entitlements, groups);
        let mut people = Vec::new();
        let mut after = String::new();
        loop {
            let rows = read(self.host, |tx| tx.accounts_after(&self.app, &after, PAGE))?;
            let Some(last) = rows.last() else { return Ok(people) };
            after.clone_from(&last.account.external_id);
            for row in &rows {
                let account = &row.account;
                let is_linked = account.link_state == LinkState::Linked && account.status != AccountStatus::Deleted;
                let Some(id) = account.user.as_ref().filter(|_| is_linked) else { continue };
                let stored = read(self.host, |tx| tx.user(id.as_str()))?;
                let Some(stored) = stored.filter(|stored| stored.state == UserState::Present) else { continue };
                let mut user = stored.user;
                let wants = app.entitlements.iter().any(|one| one.is_for(&user));
                if !wants && !members.contains(account.external_id.as_str()) {
                    continue;
                }
                // For a mistake in an expression nothing is taken away.
                let entitled = live.definition.standing(Some(&user), now).map_or(true, |one| one.wants_account());
                user.record = Attributes::new();
                people.push((user, account.external_id.clone(), entitled));
            }
        }
    }

    /// The memberships that we gave, as the ledger has them.
    fn given(&self) -> Result<BTreeSet<(String, String)>, Fault> {
        let (mut given, mut after) = (BTreeSet::new(), (String::new(), String::new()));
        loop {
            let rows = read(self.host, |tx| tx.ledger_after(&self.app, (&after.0, &after.1), PAGE))?;
            let Some(last) = rows.last() else { return Ok(given) };
            after = (last.external_id.clone(), last.entry.group.clone());
            let held = rows.into_iter().filter(|row| row.entry.state != MembershipState::Refused);
            given.extend(held.map(|row| (row.entry.group, row.external_id)));
        }
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
}

/// What is told of a comparison.
fn told(summary: &GroupSummary) -> Vec<String> {
    let count = |verdict| summary.counts.get(&verdict).copied().unwrap_or(0);
    let mut notes = vec![format!(
        "memberships: {} in step, {} to add, {} to remove, {} unmanaged, {} in unknown groups, {} unreadable",
        count(MembershipVerdict::InStep),
        count(MembershipVerdict::ToAdd),
        count(MembershipVerdict::ToRemove),
        count(MembershipVerdict::Unmanaged),
        count(MembershipVerdict::UnknownGroup),
        count(MembershipVerdict::Unreadable),
    )];
    let differing = summary.groups.iter().filter(|group| group.added + group.removed > 0);
    notes.extend(differing.take(TOLD).map(|group| {
        let name = group.display_name.as_deref().unwrap_or(&group.group);
        let emptied = if group.is_emptied() { ": nobody would be left" } else { "" };
        let members = group.members.unwrap_or(0);
        format!("group `{name}` of {members} members: {} to add, {} to remove{emptied}", group.added, group.removed)
    }));
    let unread = summary.groups.iter().filter(|group| group.members.is_none()).take(TOLD);
    notes.extend(unread.map(|group| format!("group `{}` does not show its members", group.group)));
    notes.extend(summary.unknown.iter().take(TOLD).map(|unknown| format!("group {unknown}")));
    notes
}
