//! The analysis with everything in memory, as the rules are told: what the other one must come to.

use super::detail::references_of;
use super::linked::repeated;
use super::outcome::{Decided, MOST_CANDIDATES, MOST_TOLD};
use super::record::{Link, Side, Unreadable, read_account, user};
use super::{Inputs, Records, Rules, Terms, Visit};
use crate::fault::Fault;
use crate::matching::Confidence;
use crate::model::{LinkState, Situation, TargetAccount, User};
use crate::value::Attributes;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A record, and its place.
struct Row<T> {
    place: u64,
    record: T,
}

#[derive(Default)]
struct Whole {
    users: Vec<Row<User>>,
    user_by_id: HashMap<String, usize>,
    accounts: Vec<Row<TargetAccount>>,
    account_by_id: HashMap<String, usize>,
    links: Vec<Row<Link>>,
    link_of_account: HashMap<String, usize>,
    /// The links of a user that count.
    links_of_user: HashMap<String, Vec<usize>>,
    repeated: u64,
    unreadable: Vec<Unreadable>,
    unreadable_count: u64,
}

/// Who comes into question for an account.
#[derive(Default)]
struct Choice {
    candidates: Vec<(usize, Confidence)>,
    is_certain: bool,
    rule: Option<usize>,
}

pub(super) struct Outcome {
    pub(super) decided: Vec<Decided>,
    pub(super) repeated: u64,
    pub(super) unreadable: Vec<Unreadable>,
}

pub(super) fn analyze(inputs: &mut Inputs<'_>, rules: &Rules<'_>, terms: &Terms) -> Result<Outcome, Fault> {
    let mut whole = Whole::default();
    whole.read(inputs)?;
    let complete = terms.complete && whole.repeated == 0 && whole.unreadable_count == 0;
    let mut accounts_of = BTreeMap::new();
    if rules.mapping.has_references() {
        let linked = whole.links.iter().filter_map(|link| Some((link.record.linked_user()?, &link.record.account)));
        accounts_of.extend(linked.map(|(user, account)| (user.to_owned(), account.clone())));
    }
    let decided = whole.decide(rules, terms, complete, &accounts_of)?;
    whole.unreadable.sort_by_key(|one| (one.side, one.index));
    Ok(Outcome { decided, repeated: whole.repeated, unreadable: whole.unreadable })
}

impl Whole {
    fn read(&mut self, inputs: &mut Inputs<'_>) -> Result<(), Fault> {
        let mut index = 0;
        inputs.links.each(&mut |place, json| {
            match Link::read(json) {
                Ok(record) if self.link_of_account.contains_key(&record.account) => {
                    self.refuse(Side::Links, index, repeated("account"));
                }
                Ok(record) => self.link(place, record),
                Err(fault) => self.refuse(Side::Links, index, fault),
            }
            index += 1;
            Ok(())
        })?;
        index = 0;
        inputs.users.each(&mut |place, json| {
            match user(json) {
                Ok(record) if self.user_by_id.contains_key(record.id.as_str()) => {
                    self.refuse(Side::Users, index, repeated("id"));
                }
                Ok(record) => {
                    self.user_by_id.insert(record.id.as_str().to_owned(), self.users.len());
                    self.users.push(Row { place, record });
                }
                Err(fault) => self.refuse(Side::Users, index, fault),
            }
            index += 1;
            Ok(())
        })?;
        index = 0;
        inputs.accounts.each(&mut |place, json| {
            match read_account(json) {
                Ok(record) if self.account_by_id.contains_key(&record.external_id) => self.repeated += 1,
                Ok(record) => {
                    self.account_by_id.insert(record.external_id.clone(), self.accounts.len());
                    self.accounts.push(Row { place, record });
                }
                Err(fault) => self.refuse(Side::Accounts, index, fault),
            }
            index += 1;
            Ok(())
        })
    }

    fn link(&mut self, place: u64, record: Link) {
        let number = self.links.len();
        self.link_of_account.insert(record.account.clone(), number);
        if let Some(user) = record.linked_user() {
            self.links_of_user.entry(user.to_owned()).or_default().push(number);
        }
        self.links.push(Row { place, record });
    }

    fn refuse(&mut self, side: Side, index: u64, fault: Fault) {
        self.unreadable_count += 1;
        if self.unreadable.len() < MOST_TOLD {
            self.unreadable.push(Unreadable { side, index, fault });
        }
    }

    fn decide(
        &self,
        rules: &Rules<'_>,
        terms: &Terms,
        complete: bool,
        accounts_of: &BTreeMap<String, String>,
    ) -> Result<Vec<Decided>, Fault> {
        let index = Index::new(rules, &self.users);
        let mut mentioned: BTreeSet<usize> = BTreeSet::new();
        let mut choices: Vec<Option<Choice>> = Vec::with_capacity(self.accounts.len());
        let mut decided: Vec<Option<Decided>> = Vec::with_capacity(self.accounts.len());
        for row in &self.accounts {
            let one = self.by_link(row, rules, terms, accounts_of)?;
            let choice = one.is_none().then(|| index.choice(rules, &self.users, &row.record));
            let own = one.as_ref().and_then(|one| one.1);
            let candidates = choice.iter().flat_map(|choice| choice.candidates.iter().map(|(user, _)| *user));
            mentioned.extend(own.into_iter().chain(candidates));
            decided.push(one.map(|one| one.0));
            choices.push(choice);
        }
        let mut claimants: HashMap<usize, Vec<(u64, Option<usize>)>> = HashMap::new();
        for (row, choice) in self.accounts.iter().zip(&choices) {
            if let Some(choice) = choice {
                for (user, _) in &choice.candidates {
                    claimants.entry(*user).or_default().push((row.place, choice.rule));
                }
            }
        }
        let accounts = self.accounts.iter().zip(&choices).zip(decided);
        let mut all: Vec<Decided> = accounts
            .map(|((row, choice), decided)| match (decided, choice) {
                (Some(decided), _) => decided,
                (None, choice) => self.by_matching(row, choice.as_ref(), &claimants, rules),
            })
            .collect();
        all.extend(
            self.users
                .iter()
                .enumerate()
                .filter(|(number, _)| !mentioned.contains(number))
                .map(|(_, row)| self.without_account(row, rules, complete)),
        );
        Ok(all)
    }

    /// Rules 1 to 3: what is decided without matching, and the user who is linked.
    fn by_link(
        &self,
        row: &Row<TargetAccount>,
        rules: &Rules<'_>,
        terms: &Terms,
        accounts_of: &BTreeMap<String, String>,
    ) -> Result<Option<(Decided, Option<usize>)>, Fault> {
        let account = &row.record;
        let link = self.link_of_account.get(&account.external_id).and_then(|number| self.links.get(*number));
        let linked = link.and_then(|link| link.record.linked_user());
        let user = linked.and_then(|user| self.user_by_id.get(user)).copied();
        let record = user.and_then(|number| self.users.get(number));
        let situation = if rules.protected.contains(&account.external_id) {
            Situation::Protected
        } else if link.is_some_and(|link| link.record.state == LinkState::Ignored) {
            Situation::Ignored
        } else if linked.is_none() {
            return Ok(None);
        } else {
            match (record, link) {
                (Some(user), Some(link)) => {
                    let mut account_of = |user: &str, _: &mut dyn Records| Ok(accounts_of.get(user).cloned());
                    let record = &user.record.record;
                    let references = references_of(rules, record, terms.now, &mut Nothing, &mut account_of)?;
                    rules.linked(&user.record, account, &link.record, references.as_ref(), terms.now).situation
                }
                _ => Situation::SourceGone,
            }
        };
        let decided = Decided {
            situation,
            account: Some(row.place),
            user: record.map(|record| record.place),
            link: link.map(|link| link.place),
            rule: None,
            candidates: Vec::new(),
            rivals: Vec::new(),
        };
        Ok(Some((decided, user)))
    }

    /// Rule 4.
    fn by_matching(
        &self,
        row: &Row<TargetAccount>,
        choice: Option<&Choice>,
        claimants: &HashMap<usize, Vec<(u64, Option<usize>)>>,
        rules: &Rules<'_>,
    ) -> Decided {
        let nobody = Choice::default();
        let choice = choice.unwrap_or(&nobody);
        let place = |number: usize| self.users.get(number).map(|user| user.place);
        let mut decided = Decided {
            situation: Situation::Orphaned,
            account: Some(row.place),
            user: None,
            link: self.link_of_account.get(&row.record.external_id).and_then(|at| self.links.get(*at)).map(|l| l.place),
            rule: choice.rule,
            candidates: Vec::new(),
            rivals: Vec::new(),
        };
        let [(number, _)] = choice.candidates.as_slice() else {
            if !choice.candidates.is_empty() {
                decided.situation = Situation::Ambiguous;
                decided.candidates =
                    choice.candidates.iter().filter_map(|(user, _)| place(*user)).take(MOST_CANDIDATES).collect();
            }
            return decided;
        };
        let Some(user) = self.users.get(*number) else { return decided };
        if !choice.is_certain {
            decided.situation = Situation::Ambiguous;
            decided.candidates = vec![user.place];
            return decided;
        }
        decided.user = Some(user.place);
        let rivals = claimants.get(number).map(Vec::as_slice).unwrap_or_default();
        decided.situation = if self.links_of_user.contains_key(user.record.id.as_str()) {
            Situation::Taken
        } else if rivals.len() > 1 {
            decided.rivals =
                rivals.iter().filter(|(place, _)| *place != row.place).take(MOST_CANDIDATES).copied().collect();
            Situation::Ambiguous
        } else if row.record.active && !rules.claim(&user.record).wants_account {
            Situation::Unqualified
        } else {
            Situation::Found
        };
        decided
    }

    /// Rule 5.
    fn without_account(&self, row: &Row<User>, rules: &Rules<'_>, complete: bool) -> Decided {
        let links = self.links_of_user.get(row.record.id.as_str());
        let link = links.and_then(|links| self.links.get(*links.first()?)).map(|link| link.place);
        let situation = match (link, complete) {
            (Some(_), true) => Situation::Missing,
            (None, _) if !rules.claim(&row.record).wants_account => Situation::OutOfScope,
            (None, true) => Situation::Absent,
            (_, false) => Situation::Unseen,
        };
        let user = Some(row.place);
        Decided { situation, account: None, user, link, rule: None, candidates: Vec::new(), rivals: Vec::new() }
    }
}

/// No records at all.
struct Nothing;

impl Records for Nothing {
    fn each(&mut self, _: &mut Visit<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn again(&mut self, _: u64, _: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Users by the keys of each rule.
struct Index {
    by_key: Vec<HashMap<Vec<String>, BTreeSet<usize>>>,
}

impl Index {
    fn new(rules: &Rules<'_>, users: &[Row<User>]) -> Self {
        let by_key = (0..rules.matching.rules()).map(|rule| {
            let mut users_of: HashMap<Vec<String>, BTreeSet<usize>> = HashMap::new();
            for (number, row) in users.iter().enumerate() {
                for key in combinations(rules.matching.user_keys(rule, &row.record.record)) {
                    users_of.entry(key).or_default().insert(number);
                }
            }
            users_of
        });
        Self { by_key: by_key.collect() }
    }

    fn choice(&self, rules: &Rules<'_>, users: &[Row<User>], account: &TargetAccount) -> Choice {
        let attributes: Attributes = account.named();
        let matching = rules.matching;
        let mut sums: BTreeMap<usize, Confidence> = BTreeMap::new();
        for tier in 0..matching.tiers() {
            let mut first_of: BTreeMap<usize, usize> = BTreeMap::new();
            for rule in matching.tier(tier) {
                let Some(by_key) = self.by_key.get(rule) else { continue };
                let keys = combinations(matching.account_keys(rule, &attributes));
                let met: BTreeSet<usize> = keys.iter().filter_map(|key| by_key.get(key)).flatten().copied().collect();
                for number in met {
                    let Some(user) = users.get(number) else { continue };
                    let sure = matching.confidence(rule, &user.record.record, &attributes);
                    if !sure.is_none() {
                        let sum = sums.entry(number).or_default();
                        *sum = sum.plus(sure);
                        first_of.entry(number).or_insert(rule);
                    }
                }
            }
            let certain: Vec<(usize, Confidence)> =
                sums.iter().filter(|(_, sum)| **sum >= matching.certain()).map(|(user, sum)| (*user, *sum)).collect();
            if !certain.is_empty() {
                let rule = certain.iter().filter_map(|(user, _)| first_of.get(user)).min().copied();
                return Choice { candidates: certain, is_certain: true, rule };
            }
        }
        let candidates = sums.into_iter().filter(|(_, sum)| *sum >= matching.candidate()).collect();
        Choice { candidates, is_certain: false, rule: None }
    }
}

/// Every way to take one value of each pair.
fn combinations(keys: Option<Vec<Vec<String>>>) -> BTreeSet<Vec<String>> {
    let Some(keys) = keys else { return BTreeSet::new() };
    keys.into_iter().fold(BTreeSet::from([Vec::new()]), |begun, values| {
        let longer = begun.iter().flat_map(|begun| {
            values.iter().map(move |value| begun.iter().cloned().chain([value.clone()]).collect::<Vec<_>>())
        });
        longer.collect()
    })
}
