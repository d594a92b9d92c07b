//! The end of an analysis: what two texts did not decide is looked at closely, the rest follows, and everything is counted.

use super::collect::Collected;
use super::detail::references_of;
use super::outcome::Analysis;
use super::partition::{PARTS, Parts, Row};
use super::record::{Link, again, read_account, user};
use super::settled::Settled;
use super::{Inputs, Rules, Scratch, Terms};
use crate::fault::{Code, Fault};
use crate::model::SituationCounts;

pub(super) fn finish(
    inputs: &mut Inputs<'_>,
    rules: &Rules<'_>,
    terms: &Terms,
    scratch: &mut dyn Scratch,
    (mut collected, mut settled, close): (Collected, Settled, Parts),
) -> Result<Analysis, Fault> {
    for parts in collected.users.keys.iter_mut().chain(&mut collected.accounts.keys) {
        parts.close(scratch);
    }
    settled.settle_claims(scratch)?;
    let mut troubles = collected.troubles;
    troubles.told.sort_by_key(|one| (one.side, one.index));
    let mut analysis = Analysis {
        counts: SituationCounts::default(),
        complete: terms.complete && troubles.count == 0 && settled.repeated == 0,
        troubles,
        terms: *terms,
        settled,
        user_places: collected.users.places,
        account_places: collected.accounts.places,
        link_places: collected.links.places,
        links_of: collected.links_of,
    };
    analysis.look_closely(close, inputs, rules, scratch)?;
    for account in 0..analysis.settled.accounts() {
        analysis.settled.conclude(account)?;
    }
    analysis.settled.sort();
    analysis.count()?;
    Ok(analysis)
}

impl Analysis {
    /// Compares linked accounts by their whole records.
    fn look_closely(
        &mut self,
        mut close: Parts,
        inputs: &mut Inputs<'_>,
        rules: &Rules<'_>,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        for part in 0..PARTS {
            let mut rows: Vec<Row> = close.take(scratch, part)?;
            rows.sort_unstable_by_key(|row| row.number);
            for row in rows {
                let of_user = self.settled.user_of(row.number).ok_or_else(lost)?;
                let account = again(inputs.accounts, self.account_places.get(scratch, row.number)?, read_account)?;
                let user = again(inputs.users, self.user_places.get(scratch, of_user)?, user)?;
                let link = again(inputs.links, self.link_places.get(scratch, row.link)?, Link::read)?;
                let now = self.terms.now;
                let mut account_of = |user: &str, links: &mut dyn super::Records| self.account_of(user, links, scratch);
                let references = references_of(rules, &user.record, now, inputs.links, &mut account_of)?;
                let linked = rules.linked(&user, &account, &link, references.as_ref(), now);
                self.settled.decide(row.number, linked.situation)?;
            }
        }
        Ok(())
    }

    /// Counts, and checks that every account is in one finding.
    fn count(&mut self) -> Result<(), Fault> {
        let (mut counts, gone) = self.settled.counted().ok_or_else(lost)?;
        let accounts: u64 = counts.values().sum();
        let mut mentioned = 0;
        for user in 0..self.settled.users() {
            match self.settled.without_account(user, self.complete) {
                Some(situation) => *counts.entry(situation).or_default() += 1,
                None => mentioned += 1,
            }
        }
        let all: u64 = counts.values().sum();
        let read = u64::from(self.settled.accounts()) + u64::from(self.settled.users());
        if accounts + gone != u64::from(self.settled.accounts()) || all + gone + mentioned != read {
            return Err(Fault::new(Code::Internal, "what was found does not add up to what was read"));
        }
        self.counts = SituationCounts(counts);
        Ok(())
    }
}

fn lost() -> Fault {
    Fault::new(Code::Internal, "an account was not decided on")
}
