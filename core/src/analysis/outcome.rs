//! What an analysis comes to, and the way through its findings.

use super::collect::Troubles;
use super::hash::Hasher;
use super::partition::Places;
use super::record::{Link, Unreadable, again};
use super::settled::{Kind, Settled};
use super::{Inputs, Records, Rules, Scratch, Terms};
use crate::fault::Fault;
use crate::model::{Finding, Situation, SituationCounts};
use std::collections::{BTreeSet, HashMap};

/// How many records that take no part are told one by one; all of them are counted.
pub(super) const MOST_TOLD: usize = 1000;

/// How many candidates a finding tells at the most.
pub(super) const MOST_CANDIDATES: usize = 64;

/// What was decided of one account, or of one user without one. Places are those of [`super::Records`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) situation: Situation,
    pub(super) account: Option<u64>,
    pub(super) user: Option<u64>,
    pub(super) link: Option<u64>,
    pub(super) rule: Option<usize>,
    /// The users who come into question.
    pub(super) candidates: Vec<u64>,
    /// Other accounts of which the user is a candidate, each with the rule that decided.
    pub(super) rivals: Vec<(u64, Option<usize>)>,
}

/// What was found. It has some bytes for each record, and the places in scratch where the rest is.
#[derive(Clone, Debug)]
pub struct Analysis {
    pub(super) counts: SituationCounts,
    pub(super) troubles: Troubles,
    pub(super) complete: bool,
    pub(super) terms: Terms,
    pub(super) settled: Settled,
    pub(super) user_places: Places,
    pub(super) account_places: Places,
    pub(super) link_places: Places,
    /// The links of users, by the hash of the user, for references.
    pub(super) links_of: HashMap<u128, u32>,
}

/// A finding, and the places of its records.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The finding.
    pub finding: Finding,
    /// The place of its user among the users.
    pub user: Option<u64>,
    /// The place of its account among the accounts.
    pub account: Option<u64>,
    /// The place of the link that joins them among the links.
    pub link: Option<u64>,
}

impl Analysis {
    /// How many findings there are of each situation.
    pub fn counts(&self) -> &SituationCounts {
        &self.counts
    }

    /// How many accounts have the external id of one before them. They are in no situation.
    pub fn repeated(&self) -> u64 {
        self.settled.repeated
    }

    /// The records that take no part, the first thousand of them: those that cannot be read, and users or links that are
    /// there twice.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.troubles.told
    }

    /// How many records take no part.
    pub fn unreadable_count(&self) -> u64 {
        self.troubles.count
    }

    /// Whether absence was concluded from: the listing was whole, every record could be read, and none came twice.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The way through the findings: accounts in their order, then users in theirs. Only those of the situations asked for;
    /// all of them where `None`.
    pub fn findings(&self, wanted: Option<&[Situation]>) -> Findings {
        let wanted = wanted.unwrap_or(Situation::ALL).iter().copied().collect();
        Findings { wanted, next: 0 }
    }

    /// Shows every finding of those situations, in order.
    ///
    /// # Errors
    /// As [`Findings::next`], and what `visit` gives.
    pub fn each(
        &self,
        wanted: Option<&[Situation]>,
        inputs: &mut Inputs<'_>,
        rules: &Rules<'_>,
        scratch: &mut dyn Scratch,
        visit: &mut dyn FnMut(Found) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut findings = self.findings(wanted);
        while let Some(found) = findings.next(self, inputs, rules, scratch)? {
            visit(found)?;
        }
        Ok(())
    }

    /// What was decided of an account; nothing where it takes no part.
    fn of_account(&self, account: u32, scratch: &mut dyn Scratch) -> Result<Option<Decided>, Fault> {
        let settled = &self.settled;
        let Kind::Decided(situation) = settled.kind(account) else { return Ok(None) };
        let user = settled.user_of(account);
        let link = settled.link_of(account).map(|link| self.link_places.get(scratch, link)).transpose()?;
        let mut decided = Decided {
            situation,
            account: Some(self.account_places.get(scratch, account)?),
            user: user.map(|user| self.user_places.get(scratch, user)).transpose()?,
            link,
            rule: settled.rule_of(account),
            candidates: Vec::new(),
            rivals: Vec::new(),
        };
        match (situation, user) {
            (Situation::Ambiguous, Some(user)) => {
                for rival in settled.rivals(account, user).take(MOST_CANDIDATES) {
                    decided.rivals.push((self.account_places.get(scratch, rival)?, settled.rule_of(rival)));
                }
            }
            (Situation::Ambiguous, None) => {
                for told in settled.told_of(account).iter().take(MOST_CANDIDATES) {
                    decided.candidates.push(self.user_places.get(scratch, told.user)?);
                }
            }
            _ => {}
        }
        Ok(Some(decided))
    }

    /// What was decided of a user without an account; nothing where it has one, or takes no part.
    fn of_user(&self, user: u32, situation: Situation, scratch: &mut dyn Scratch) -> Result<Decided, Fault> {
        let link = self.settled.link_elsewhere(user);
        Ok(Decided {
            situation,
            account: None,
            user: Some(self.user_places.get(scratch, user)?),
            link: link.map(|link| self.link_places.get(scratch, link)).transpose()?,
            rule: None,
            candidates: Vec::new(),
            rivals: Vec::new(),
        })
    }

    /// The external id of the account that is linked to a user.
    pub(super) fn account_of(
        &self,
        user: &str,
        links: &mut dyn Records,
        scratch: &mut dyn Scratch,
    ) -> Result<Option<String>, Fault> {
        let hash = Hasher::new(&self.terms.key).hash(user.as_bytes());
        let Some(number) = self.links_of.get(&hash) else { return Ok(None) };
        let link = again(links, self.link_places.get(scratch, *number)?, Link::read)?;
        Ok((link.linked_user() == Some(user)).then_some(link.account))
    }

    pub(super) fn found(
        &self,
        decided: &Decided,
        inputs: &mut Inputs<'_>,
        rules: &Rules<'_>,
        scratch: &mut dyn Scratch,
    ) -> Result<Found, Fault> {
        let mut account_of = |user: &str, links: &mut dyn Records| self.account_of(user, links, scratch);
        decided.found(inputs, rules, self.terms.now, &mut account_of)
    }
}

/// Where somebody is who goes through the findings. It borrows nothing, so that it can be kept.
#[derive(Clone, Debug)]
pub struct Findings {
    wanted: BTreeSet<Situation>,
    next: u64,
}

impl Findings {
    /// The next finding. `inputs`, `rules` and `scratch` are those of the analysis.
    ///
    /// # Errors
    /// What reading the records comes to; `internal` where they are no longer those that were analysed.
    pub fn next(
        &mut self,
        analysis: &Analysis,
        inputs: &mut Inputs<'_>,
        rules: &Rules<'_>,
        scratch: &mut dyn Scratch,
    ) -> Result<Option<Found>, Fault> {
        match self.decided(analysis, scratch)? {
            Some(decided) => analysis.found(&decided, inputs, rules, scratch).map(Some),
            None => Ok(None),
        }
    }

    /// What was decided next of what is asked for.
    pub(super) fn decided(&mut self, analysis: &Analysis, scratch: &mut dyn Scratch) -> Result<Option<Decided>, Fault> {
        let settled = &analysis.settled;
        let accounts = u64::from(settled.accounts());
        while let Ok(number) = u32::try_from(self.next)
            && self.next < accounts
        {
            self.next += 1;
            if let Kind::Decided(situation) = settled.kind(number)
                && self.wanted.contains(&situation)
            {
                return analysis.of_account(number, scratch);
            }
        }
        while let Ok(number) = u32::try_from(self.next - accounts)
            && number < settled.users()
        {
            self.next += 1;
            if let Some(situation) = settled.without_account(number, analysis.complete)
                && self.wanted.contains(&situation)
            {
                return analysis.of_user(number, situation, scratch).map(Some);
            }
        }
        Ok(None)
    }
}
