//! Reading the accounts alone that were changed since a moment of the target's own clock (`meta.lastModified`, RFC 7643 §3.1).

use super::exchange::Exchange;
use super::listing;
use crate::connector::{AttributeSelection, ConnectorError, Outcome, PageLines};
use crate::fault::Code;
use crate::time::Timestamp;

const SECOND: i64 = 1_000_000;

/// One page of them, to the second. Where one was changed before, or does not say when, the filter was not heeded: nobody knows what
/// else it did, and nothing is read so any more.
pub(super) fn page(
    exchange: &Exchange,
    size: u32,
    since: Timestamp,
    cursor: Option<&str>,
    selection: Option<&AttributeSelection>,
) -> Result<PageLines, ConnectorError> {
    let knowledge = &exchange.knowledge;
    if !knowledge.tells_changes() {
        return Err(ConnectorError::unsupported("list_changed"));
    }
    let since = Timestamp::from_micros(since.as_micros().div_euclid(SECOND) * SECOND);
    let filter = format!("meta.lastModified ge \"{since}\"");
    match listing::dated_lines(exchange, size, cursor, Some(&filter), selection) {
        Ok((page, dates)) if dates.are_since(since) => Ok(page),
        Ok(_) => {
            knowledge.learn_no_changes();
            let message = "the target shows accounts that were not changed since the moment that was asked for";
            Err(ConnectorError::new(Outcome::Rejected, Code::InvalidAnswer.name(), message))
        }
        Err(error) => {
            if [Code::Rejected, Code::Unsupported].iter().any(|code| error.code == code.name()) {
                knowledge.learn_no_changes();
            }
            Err(error)
        }
    }
}
