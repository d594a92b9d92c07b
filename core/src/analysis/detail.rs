//! Single records looked at closely: whether a linked account is as wanted, and what a finding says beyond its situation.

use super::outcome::{Decided, Found};
use super::record::{Link, again, changed, read_account, user};
use super::{Inputs, Records, Rules};
use crate::fault::{Code, Fault};
use crate::mapping::{References, RenderInputs};
use crate::matching::Confidence;
use crate::model::{Drift, DriftVerdict, Finding, MatchCandidate, Situation, TargetAccount, User};
use crate::scope::Standing;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde_json::Value;
use std::cmp::Reverse;

/// Where a user stands, as far as an account is concerned.
pub(super) struct Claim {
    /// Whether an active account is wanted. So it is where the scope cannot be evaluated: nothing is taken away for a
    /// mistake in an expression.
    pub(super) wants_account: bool,
    pub(super) frozen: bool,
    /// What is wrong with the scope.
    pub(super) fault: Option<Fault>,
}

impl Claim {
    pub(super) fn of(user: &User, standing: Result<Standing, Fault>) -> Self {
        match standing {
            Ok(standing) => Self { wants_account: standing.wants_account(), frozen: standing.frozen, fault: None },
            Err(fault) => Self { wants_account: true, frozen: user.frozen, fault: Some(fault) },
        }
    }
}

/// A linked account, looked at closely.
pub(super) struct Linked {
    pub(super) situation: Situation,
    pub(super) drift: Vec<Drift>,
    pub(super) faults: Vec<Fault>,
}

impl Rules<'_> {
    pub(super) fn claim(&self, user: &User) -> Claim {
        Claim::of(user, (self.standing)(user))
    }

    /// The situation of an account that is linked to an existing user.
    pub(super) fn linked(
        &self,
        user: &User,
        account: &TargetAccount,
        link: &Link,
        references: Option<&References>,
        now: Timestamp,
    ) -> Linked {
        let claim = self.claim(user);
        if !claim.wants_account {
            let situation = if account.active { Situation::Unqualified } else { Situation::Confirmed };
            return Linked { situation, drift: Vec::new(), faults: Vec::new() };
        }
        let actual = account.named();
        let inputs = RenderInputs {
            current: Some(&actual),
            last: link.last.as_ref(),
            app_id: self.app_id,
            app_label: self.app_label,
            references,
            creating: false,
            ..RenderInputs::create(&user.record, now)
        };
        let mut faults: Vec<Fault> = claim.fault.into_iter().collect();
        let mut drift = self.mapping.drift(&inputs).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        drift.retain(|one| !self.not_kept.contains(&one.attribute));
        if !account.active && !claim.frozen {
            drift.push(flag("active", link.active, true, account.active));
        }
        // Who is frozen may have a disabled account instead.
        if (claim.frozen && account.active && !account.frozen) || (!claim.frozen && account.frozen) {
            drift.push(flag("frozen", link.frozen, claim.frozen, account.frozen));
        }
        let differs = drift.iter().any(|one| one.verdict != DriftVerdict::InStep);
        let situation = if differs { Situation::Drifted } else { Situation::Confirmed };
        Linked { situation, drift, faults }
    }
}

fn flag(name: &str, last: Option<bool>, wanted: bool, actual: bool) -> Drift {
    let verdict = if last == Some(wanted) { DriftVerdict::Theirs } else { DriftVerdict::Ours };
    Drift {
        attribute: name.to_owned(),
        last: last.map(Value::from),
        wanted: Some(Value::from(wanted)),
        actual: Some(Value::from(actual)),
        verdict,
    }
}

/// The records of one finding, read again.
struct Reading<'r, 'i, 'a> {
    inputs: &'r mut Inputs<'i>,
    rules: &'r Rules<'a>,
    now: Timestamp,
}

impl Reading<'_, '_, '_> {
    fn user(&mut self, place: u64) -> Result<User, Fault> {
        again(self.inputs.users, place, user)
    }

    fn account(&mut self, place: u64) -> Result<TargetAccount, Fault> {
        again(self.inputs.accounts, place, read_account)
    }

    fn link(&mut self, place: u64) -> Result<Link, Fault> {
        again(self.inputs.links, place, Link::read)
    }

    /// Users who come into question, and accounts for which the user does, the surest first, equally sure ones by id.
    fn candidates(
        &mut self,
        decided: &Decided,
        user: Option<&User>,
        account: Option<&TargetAccount>,
    ) -> Result<Vec<MatchCandidate>, Fault> {
        let mut candidates = Vec::with_capacity(decided.candidates.len() + decided.rivals.len());
        let number = |sure: Confidence| f64::from(sure.thousandths()) / 1000.0;
        for place in &decided.candidates {
            let user = self.user(*place)?;
            let sure = account.map(|account| self.sure(&user, account, decided.rule)).unwrap_or_default();
            let user = Some(user.id.as_str().to_owned());
            candidates.push((Reverse(sure), MatchCandidate { user, account: None, confidence: number(sure) }));
        }
        for (place, rule) in &decided.rivals {
            let account = self.account(*place)?;
            let sure = user.map(|user| self.sure(user, &account, *rule)).unwrap_or_default();
            let account = Some(account.external_id);
            candidates.push((Reverse(sure), MatchCandidate { user: None, account, confidence: number(sure) }));
        }
        candidates.sort_by(|(sure, one), (other_sure, other)| {
            (sure, &one.user, &one.account).cmp(&(other_sure, &other.user, &other.account))
        });
        Ok(candidates.into_iter().map(|(_, candidate)| candidate).collect())
    }

    /// How sure the rules are, up to those that are asked together with the one that decided.
    fn sure(&self, user: &User, account: &TargetAccount, decided_by: Option<usize>) -> Confidence {
        let matching = self.rules.matching;
        let mut tiers = (0..matching.tiers()).map(|tier| matching.tier(tier));
        let last = tiers.find(|tier| decided_by.is_some_and(|rule| tier.contains(&rule)));
        let count = last.map_or(matching.rules(), |tier| tier.end);
        let account = account.named();
        let all = (0..count).map(|rule| matching.confidence(rule, &user.record, &account));
        all.fold(Confidence::default(), Confidence::plus)
    }

    /// What was believed by hashes is tried by the values before anything follows from it.
    fn verify(
        &self,
        decided: &Decided,
        user: Option<&User>,
        account: Option<&TargetAccount>,
        link: Option<&Link>,
    ) -> Result<(), Fault> {
        if let Some(link) = link {
            let is_its_account = account.is_none_or(|account| account.external_id == link.account);
            // Whom a rule found is not the user of the link.
            let is_its_user = decided.rule.is_some() || user.is_none_or(|user| link.owner() == Some(user.id.as_str()));
            if !is_its_account || !is_its_user {
                return Err(changed());
            }
        }
        let (Some(rule), Some(user), Some(account)) = (decided.rule, user, account) else { return Ok(()) };
        match self.sure(user, account, Some(rule)) >= self.rules.matching.certain() {
            true => Ok(()),
            false => Err(Fault::new(Code::Internal, "a user and an account that were matched do not match")),
        }
    }

    /// The drift and the faults, for the situations that have them.
    fn closely(
        &mut self,
        decided: &Decided,
        user: Option<&User>,
        account: Option<&TargetAccount>,
        link: Option<&Link>,
        references: Option<&References>,
    ) -> Result<(Vec<Drift>, Vec<Fault>), Fault> {
        let none = Ok((Vec::new(), Vec::new()));
        let Some(user) = user else { return none };
        match (decided.situation, account, link) {
            (Situation::Drifted | Situation::Confirmed, Some(account), Some(link)) => {
                let linked = self.rules.linked(user, account, link, references, self.now);
                match linked.situation == decided.situation {
                    true => Ok((linked.drift, linked.faults)),
                    false => Err(changed()),
                }
            }
            (Situation::Found | Situation::Absent | Situation::Missing | Situation::Unseen, _, _) => {
                Ok((Vec::new(), self.rules.claim(user).fault.into_iter().collect()))
            }
            _ => none,
        }
    }
}

impl Decided {
    /// The whole finding, from the records read again.
    pub(super) fn found(
        &self,
        inputs: &mut Inputs<'_>,
        rules: &Rules<'_>,
        now: Timestamp,
        account_of: &mut AccountOf<'_>,
    ) -> Result<Found, Fault> {
        let mut reading = Reading { inputs, rules, now };
        let user = self.user.map(|place| reading.user(place)).transpose()?;
        let account = self.account.map(|place| reading.account(place)).transpose()?;
        let link = self.link.map(|place| reading.link(place)).transpose()?;
        reading.verify(self, user.as_ref(), account.as_ref(), link.as_ref())?;
        let candidates = reading.candidates(self, user.as_ref(), account.as_ref())?;
        let references = match &user {
            Some(user) => references_of(rules, &user.record, now, reading.inputs.links, account_of)?,
            None => None,
        };
        let (drift, faults) =
            reading.closely(self, user.as_ref(), account.as_ref(), link.as_ref(), references.as_ref())?;
        let named = |link: &Link| link.account.clone();
        let finding = Finding {
            situation: self.situation,
            // Who is no longer there is named by the link.
            user: user
                .map(|user| user.id.as_str().to_owned())
                .or_else(|| link.as_ref().and_then(Link::owner).map(str::to_owned)),
            account: account.map(|account| account.external_id).or_else(|| link.as_ref().map(named)),
            rule: self.rule,
            candidates,
            drift,
            faults,
        };
        Ok(Found { finding, user: self.user, account: self.account, link: self.link })
    }
}

/// Tells the external id of the account that is linked to a user.
pub(super) type AccountOf<'a> = dyn FnMut(&str, &mut dyn Records) -> Result<Option<String>, Fault> + 'a;

/// The accounts of the users to whom the record refers; `None` where no rule refers to anybody.
pub(super) fn references_of(
    rules: &Rules<'_>,
    user: &Attributes,
    now: Timestamp,
    links: &mut dyn Records,
    account_of: &mut AccountOf<'_>,
) -> Result<Option<References>, Fault> {
    if !rules.mapping.has_references() {
        return Ok(None);
    }
    let inputs = RenderInputs {
        app_id: rules.app_id,
        app_label: rules.app_label,
        creating: false,
        ..RenderInputs::create(user, now)
    };
    let mut references = References::new();
    for id in rules.mapping.referenced(&inputs) {
        if let Some(account) = account_of(&id, links)? {
            references.insert(id, account);
        }
    }
    Ok(Some(references))
}
