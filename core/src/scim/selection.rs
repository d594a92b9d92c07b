//! Asking for a part of a resource (RFC 7644 §3.9). Some targets refuse that, and some leave out more than they were told to.
//! What was left out must never be taken for empty: an answer counts only where it shows what it has to, and else the whole is
//! asked for.

use super::exchange::Exchange;
use super::patience;
use super::url::encode;
use crate::connector::ConnectorError;
use crate::http::Response;

/// What is asked for of a resource, besides its id.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// These attributes alone.
    Of(&'a [&'a str]),
    /// All but this one.
    Without(&'a str),
}

impl Part<'_> {
    /// The URL that asks for this part of what is at `url`.
    pub(super) fn of(self, url: &str) -> String {
        let separator = if url.contains('?') { '&' } else { '?' };
        match self {
            Self::Of(names) => {
                let names: Vec<String> = names.iter().map(|name| encode(name)).collect();
                format!("{url}{separator}attributes={}", names.join(","))
            }
            Self::Without(name) => format!("{url}{separator}excludedAttributes={}", encode(name)),
        }
    }
}

impl Exchange {
    /// Reads a part of what is at `url`; the whole where the part is refused, is said not to be there, or does not show what it has
    /// to by `shows`. That the whole shows it, and the part did not, is learnt.
    pub(super) fn get_part(
        &self,
        url: &str,
        part: Part<'_>,
        shows: impl Fn(&Response) -> bool,
    ) -> Result<Response, ConnectorError> {
        if !self.knowledge.selects() {
            return self.get(url);
        }
        let answer = self.get(&part.of(url))?;
        let is_good = |answer: &Response| is_done(answer) && shows(answer);
        if is_good(&answer) || says_nothing(&answer) {
            return Ok(answer);
        }
        let whole = self.get(url)?;
        if is_good(&whole) && self.is_of_the_target(&answer) {
            self.knowledge.learn_no_selection();
        }
        Ok(whole)
    }
}

/// Whether an answer is of the moment, or of the credentials, and not of what was asked. 403 may be either: some take a question that
/// they do not know for an attack.
pub(super) fn says_nothing(answer: &Response) -> bool {
    match answer.status {
        401 | 408 | 429 | 502..=504 => true,
        403 => patience::asked(answer).is_some(),
        _ => false,
    }
}

pub(super) fn is_done(response: &Response) -> bool {
    (200..300).contains(&response.status)
}
