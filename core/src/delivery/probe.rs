//! Asking a target whether unique values are free, before they are sent.

use super::perform::Call;
use crate::connector::{ConnectorError, Outcome, TargetAccount};
use crate::mapping::UniqueValue;

/// What a target shows of unique values.
pub(super) enum Probe {
    /// Nobody else has any of them, as far as the target tells.
    Free,
    /// The user's own account has one of them.
    Own(TargetAccount),
    /// Somebody else has these.
    Taken(Vec<UniqueValue>),
}

impl Call<'_> {
    /// Looks for the holders of each value. What the target answers is compared again here. A target that cannot search by
    /// an attribute tells nothing about it.
    pub(super) fn probe(
        &self,
        values: &[UniqueValue],
        is_own: impl Fn(&TargetAccount) -> bool,
    ) -> Result<Probe, ConnectorError> {
        let mut taken = Vec::new();
        for value in values {
            let found = match self.read(|connector| connector.find(&value.attribute, &value.value)) {
                Ok(found) => found,
                Err(error) if error.outcome == Outcome::Rejected => continue,
                Err(error) => return Err(error),
            };
            let mut holders = found.into_iter().filter(|account| value.is_held_by(&account.named()));
            match holders.next() {
                Some(account) if is_own(&account) => return Ok(Probe::Own(account)),
                Some(_) => taken.push(value.clone()),
                None => {}
            }
        }
        Ok(if taken.is_empty() { Probe::Free } else { Probe::Taken(taken) })
    }
}
