//! The items of memberships: what is said of one, and what follows.

use super::item::Builder;
use super::subject::Subject;
use crate::fault::{Code, Fault};
use crate::intake::membership_print;
use crate::model::{Drift, DriftVerdict, Finding, ItemState, PlanItem, Reaction, Situation, SnapshotVerdict};
use crate::operation::Operation;
use crate::planning::groups::{Group, Membership, UNTOUCHED, membership_before, membership_change, membership_path};
use crate::planning::reaction::{Circumstances, reaction_to, suppressed};
use crate::store::{PlanRow, Tx};
use serde_json::Value;

impl Builder<'_> {
    /// The item of a membership. `is_listed` says whether the account is among those that were read.
    pub(super) fn membership(
        &self,
        tx: &mut Tx<'_>,
        number: u64,
        found: &Membership,
        is_listed: bool,
    ) -> Result<PlanRow, Fault> {
        let subject = Subject::find(tx, self.live, found.user.as_deref(), Some(&found.account))?;
        let mut reaction = self.chosen.unwrap_or_else(|| reaction_to(&self.settings, found.situation));
        let mut why = found.why.clone();
        if let Some(against) = self.against(tx, found, &subject, reaction, is_listed)? {
            if self.chosen.is_some() {
                return Err(Fault::new(Code::InvalidArgument, format!("this cannot be done: {against}")));
            }
            reaction = Reaction::Report;
            why.extend((against != UNTOUCHED).then_some(against));
        }
        let state = match reaction {
            Reaction::None | Reaction::Report => ItemState::Reported,
            Reaction::Review => ItemState::Review,
            _ => ItemState::Planned,
        };
        let item = PlanItem {
            number,
            finding: finding_of(found),
            group: Some(found.group.clone()),
            reaction,
            state,
            destructive: reaction.is_destructive(),
            explicit: false,
            changes: membership_change(reaction, &found.group).into_iter().collect(),
            before: membership_before(reaction, &found.group),
            why,
            request: None,
            fault: None,
            by: None,
        };
        let planned_for = membership_print(tx, &self.live.definition, &found.account, &found.group, None)?;
        Ok(PlanRow { item, planned_for, digest: String::new(), done_at: None })
    }

    /// Why a reaction may not follow; none where it may, or does nothing. Before somebody is in a group there is an account.
    fn against(
        &self,
        tx: &Tx<'_>,
        found: &Membership,
        subject: &Subject,
        reaction: Reaction,
        is_listed: bool,
    ) -> Result<Option<String>, Fault> {
        let around = Circumstances {
            verdict: self.row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete),
            known_link: false,
            linked: found.user.is_some(),
            faulty: found.user.is_some() && subject.standing.is_err(),
            explicit: false,
        };
        if let Some(why) = suppressed(found.situation, reaction, around) {
            return Ok(Some(why.to_owned()));
        }
        if !matches!(reaction, Reaction::Update | Reaction::Remove) {
            return Ok(None);
        }
        if found.why.iter().any(|why| why == UNTOUCHED) {
            return Ok(Some(UNTOUCHED.to_owned()));
        }
        let app = &self.live.definition.app;
        let text = |text: &str| Ok(Some(text.to_owned()));
        if !app.operations.allows(Operation::Update) {
            return text("the app does not allow Update");
        }
        let is_known = match reaction {
            Reaction::Remove => found.user.is_some() || subject.row.is_some(),
            _ => around.verdict == SnapshotVerdict::Incomplete,
        };
        let is_unmanaged = found.situation == Situation::MembershipUnmanaged;
        if reaction == Reaction::Remove && is_unmanaged && !found.authoritative {
            return text("the group is not `authoritative`");
        }
        if !is_known && !is_listed {
            return text("the target shows no account of that id");
        }
        if reaction == Reaction::Update && found.user.is_some() {
            match &subject.standing {
                Ok(standing) if !standing.in_pilot => return text("the user does not take part in the pilot"),
                Ok(standing) if standing.frozen => return text("a frozen user gets nothing new"),
                _ => {}
            }
        }
        self.moving(tx, subject, found.user.as_deref(), None, &|_| false)
    }
}

/// What was found of a membership, as one attribute three ways: given, wanted, there.
fn finding_of(found: &Membership) -> Finding {
    let verdict = match (found.given, found.wanted, found.there) {
        (_, wanted, Some(there)) if wanted == there => Some(DriftVerdict::InStep),
        (given, _, Some(there)) if given == there => Some(DriftVerdict::Ours),
        (_, _, Some(_)) => Some(DriftVerdict::Theirs),
        (_, _, None) => None,
    };
    let drift = verdict.map(|verdict| Drift {
        attribute: membership_path(&found.group),
        last: Some(found.given.into()),
        wanted: Some(found.wanted.into()),
        actual: found.there.map(Value::from),
        verdict,
    });
    Finding {
        situation: found.situation,
        user: found.user.clone(),
        account: Some(found.account.clone()),
        rule: None,
        candidates: Vec::new(),
        drift: drift.into_iter().collect(),
        faults: Vec::new(),
    }
}

/// What was found of a membership, out of its item.
pub(super) fn found_of(builder: &Builder<'_>, item: &PlanItem) -> Option<Membership> {
    let (group, app) = (item.group.clone()?, &builder.live.definition.app);
    let drift = item.finding.drift.first();
    let says = |value: Option<&Value>| value.and_then(Value::as_bool);
    let sizes = &builder.row.shown.groups;
    let display_name = sizes.iter().find(|size| size.group == group).and_then(|size| size.display_name.clone());
    let shown = Group { id: group.clone(), display_name, members: None };
    let named = app.entitlements.iter().filter(|one| shown.is_named(std::slice::from_ref(one)));
    let authoritative = named.into_iter().any(|one| app.authoritative || one.authoritative);
    Some(Membership {
        group,
        account: item.finding.account.clone()?,
        user: item.finding.user.clone(),
        situation: item.finding.situation,
        wanted: says(drift.and_then(|drift| drift.wanted.as_ref())).unwrap_or(true),
        given: says(drift.and_then(|drift| drift.last.as_ref())).unwrap_or(false),
        there: says(drift.and_then(|drift| drift.actual.as_ref())),
        authoritative,
        why: item.why.clone(),
    })
}
