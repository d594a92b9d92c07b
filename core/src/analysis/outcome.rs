//! What an analysis comes to, and the way through its findings.

use super::record::Unreadable;
use super::{Inputs, Rules, Scratch, Terms};
use crate::fault::Fault;
use crate::matching::Confidence;
use crate::model::{Finding, Situation, SituationCounts};
use std::collections::{BTreeMap, BTreeSet};

/// How many records that take no part are told one by one; all of them are counted.
pub(super) const MOST_TOLD: usize = 1000;

/// What was decided of one account, or of one user without one. Places are those of [`super::Records`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) situation: Situation,
    pub(super) account: Option<u64>,
    pub(super) user: Option<u64>,
    pub(super) link: Option<u64>,
    pub(super) rule: Option<usize>,
    /// The users who come into question, and how sure each is.
    pub(super) candidates: Vec<(u64, Confidence)>,
    /// Other accounts of which the user is a candidate.
    pub(super) rivals: Vec<(u64, Confidence)>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Analysis {
    pub(super) counts: SituationCounts,
    pub(super) repeated: u64,
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) unreadable_count: u64,
    pub(super) complete: bool,
    pub(super) terms: Terms,
    /// The accounts in their order, then the users in theirs.
    pub(super) decided: Vec<Decided>,
    /// The accounts of the users, for references.
    pub(super) accounts_of: BTreeMap<String, String>,
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
        self.repeated
    }

    /// The records that take no part, the first thousand of them: those that cannot be read, and users or links that are
    /// there twice.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// How many records take no part.
    pub fn unreadable_count(&self) -> u64 {
        self.unreadable_count
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

    pub(super) fn count(decided: &[Decided]) -> SituationCounts {
        let mut counts: BTreeMap<Situation, u64> = Situation::ALL.iter().map(|one| (*one, 0)).collect();
        for one in decided {
            *counts.entry(one.situation).or_default() += 1;
        }
        SituationCounts(counts)
    }
}

/// Where somebody is who goes through the findings. It borrows nothing, so that it can be kept.
#[derive(Clone, Debug)]
pub struct Findings {
    wanted: BTreeSet<Situation>,
    next: usize,
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
        let _ = scratch;
        while let Some(decided) = analysis.decided.get(self.next) {
            self.next += 1;
            if self.wanted.contains(&decided.situation) {
                let mut account_of = |user: &str| Ok(analysis.accounts_of.get(user).cloned());
                return decided.found(inputs, rules, analysis.terms.now, &mut account_of).map(Some);
            }
        }
        Ok(None)
    }
}
