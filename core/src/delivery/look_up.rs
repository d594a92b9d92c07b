//! Looking for the account of a user who may have one: by `externalId`, then by the matching rules, tier by tier. What the
//! target answers is compared again here, since some targets answer more than they were asked.

use super::perform::{Call, Wanted};
use crate::connector::{ConnectorError, Outcome, TargetAccount};
use crate::matching::{Candidate, Decision, Judgement};
use serde_json::Value;

/// What a look-up found.
pub(super) enum Found {
    Nothing,
    One { account: TargetAccount, ours: bool, by: Option<Candidate> },
    Foreign,
    Several(Vec<Candidate>),
    Unsure(Vec<Candidate>),
}

/// Looks for the user's account.
pub(super) fn look_up(call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Found, ConnectorError> {
    let ours = Value::from(wanted.external_id);
    let by_id = match call.read(|connector| connector.find("externalId", &ours)) {
        Ok(accounts) => accounts,
        // A target that cannot search by externalId may still search by other attributes.
        Err(error) if error.outcome == Outcome::Rejected && finds(call, wanted) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut hits: Vec<TargetAccount> =
        by_id.into_iter().filter(|account| external_id_of(account) == Some(wanted.external_id)).collect();
    match (hits.pop(), hits.is_empty()) {
        (Some(account), true) => Ok(Found::One { account, ours: true, by: None }),
        (Some(_), false) => Ok(Found::Several(Vec::new())),
        (None, _) => by_rules(call, wanted),
    }
}

/// Whether the rules alone tell enough: where the account may have been made, one of them must be able to find it.
fn finds(call: &Call<'_>, wanted: &Wanted<'_>) -> bool {
    let (matching, user) = (call.matching, wanted.user);
    let Some(made) = wanted.made else { return matching.rules() > 0 };
    (0..matching.rules()).any(|rule| !matching.queries(rule, user).is_empty() && matching.matches(rule, user, made))
}

/// Asks for the accounts that each tier is about, until one is certain.
fn by_rules(call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Found, ConnectorError> {
    let (matching, user) = (call.matching, wanted.user);
    let mut accounts: Vec<TargetAccount> = Vec::new();
    let mut judgement = Judgement::default();
    for tier in 0..matching.tiers() {
        for query in matching.tier(tier).flat_map(|rule| matching.queries(rule, user)) {
            let found = call.read(|connector| connector.find(&query.attribute, &query.value))?;
            for account in found {
                if !accounts.iter().any(|known| known.external_id == account.external_id) {
                    accounts.push(account);
                }
            }
        }
        judgement = matching.judge_tiers(tier + 1, user, &accounts);
        if matches!(judgement.decision, Decision::Linked | Decision::Ambiguous) {
            break;
        }
    }
    let Judgement { decision, mut candidates } = judgement;
    Ok(match decision {
        Decision::None => Found::Nothing,
        Decision::Candidates => Found::Unsure(candidates),
        Decision::Ambiguous => Found::Several(candidates),
        Decision::Linked => {
            candidates.truncate(1);
            let is_it = |account: &TargetAccount| candidates.iter().any(|one| one.external_id == account.external_id);
            let Some(account) = accounts.into_iter().find(is_it) else { return Ok(Found::Nothing) };
            let marked = external_id_of(&account);
            let ours = marked == Some(wanted.external_id);
            if marked.is_some() && !ours {
                return Ok(Found::Foreign);
            }
            Found::One { account, ours, by: candidates.pop() }
        }
    })
}

/// The account's `externalId`, which is our user's id where we made the account.
pub(super) fn external_id_of(account: &TargetAccount) -> Option<&str> {
    account.attributes.get("externalId").and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// The message with the first candidates, by their ids at the target.
pub(super) fn told(message: &str, candidates: &[Candidate]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> =
        candidates.iter().take(SHOWN).map(|one| format!("`{}` ({})", one.external_id, one.confidence)).collect();
    let more = if candidates.len() > SHOWN { ", …" } else { "" };
    if shown.is_empty() { message.to_owned() } else { format!("{message}: {}{more}", shown.join(", ")) }
}
