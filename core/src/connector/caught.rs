//! A call of a connector that may panic. A host's code that fails takes nothing else with it.

use super::{ConnectorError, Outcome};
use crate::fault::Code;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Makes the call. A panic is the connector's own failure (`connector_failed`) with this outcome: `not_applied` for what only
/// reads, `ambiguous` for a write, which the target may have done before.
pub(crate) fn caught<T>(
    outcome: Outcome,
    call: impl FnOnce() -> Result<T, ConnectorError>,
) -> Result<T, ConnectorError> {
    let panicked = |_| Err(ConnectorError::new(outcome, Code::ConnectorFailed.name(), "the connector panicked"));
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer_with_the_outcome_that_was_named() {
        for outcome in [Outcome::NotApplied, Outcome::Ambiguous] {
            let error = caught::<()>(outcome, || std::panic::resume_unwind(Box::new("a connector's own mistake")));
            let error = error.unwrap_err();
            assert_eq!((error.outcome, error.code.as_str()), (outcome, "connector_failed"));
            assert_eq!(error.message, "the connector panicked");
        }
        assert_eq!(caught(Outcome::NotApplied, || Ok(7)).ok(), Some(7));
    }
}
