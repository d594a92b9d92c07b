//! Links read for joining.

use super::Seen;
use crate::analysis::Terms;
use crate::analysis::gather::Read;
use crate::analysis::hash::Hasher;
use crate::analysis::record::Link;
use crate::fault::Fault;
use crate::model::LinkState;
use crate::value::{Raw, each_member};
use std::borrow::Cow;

/// A link that says that its account is left alone.
pub(in crate::analysis) const IGNORED: u8 = 1;
/// A link to a user that counts.
pub(in crate::analysis) const LINKED: u8 = 2;

/// Reads links: of what is seen, the id is that of the account, and the fingerprint the hash of the user, where the account is
/// linked to one, or was until it was ignored.
pub(in crate::analysis) struct LinkReader {
    hasher: Hasher,
}

impl LinkReader {
    pub(in crate::analysis) fn new(terms: &Terms) -> Self {
        Self { hasher: Hasher::new(&terms.key) }
    }
}

impl Read for LinkReader {
    /// Reads one link.
    ///
    /// # Errors
    /// As [`Link::read`].
    fn read(&mut self, json: &[u8], seen: &mut Seen) -> Result<(), Fault> {
        let mut see = |account: &str, user: Option<&str>, state: LinkState| {
            seen.id = self.hasher.hash(account.as_bytes());
            seen.fingerprint = user.map(|user| self.hasher.hash(user.as_bytes())).unwrap_or_default();
            let ignored = if state == LinkState::Ignored { IGNORED } else { 0 };
            seen.flags = ignored | if user.is_some() { LINKED } else { 0 };
        };
        if let Some((account, user, state)) = link_in_part(json) {
            see(&account, user.as_deref(), state);
        } else {
            let link = Link::read(json)?;
            see(&link.account, link.owner(), link.state);
        }
        Ok(())
    }
}

type PartOfLink<'t> = (Cow<'t, str>, Option<Cow<'t, str>>, LinkState);

fn link_in_part(json: &[u8]) -> Option<PartOfLink<'_>> {
    const NAMES: [&str; 8] = ["account", "user", "state", "deleted", "known", "active", "frozen", "last"];
    let (mut account, mut user, mut state, mut deleted) = (None, None, LinkState::Linked, false);
    let mut seen = 0_u8;
    each_member(
        std::str::from_utf8(json).ok()?,
        |name| Some(NAMES.iter().position(|known| known.as_bytes() == name)),
        |number, value| {
            let bit = 1_u8 << number?;
            let is_new = seen & bit == 0;
            seen |= bit;
            match (number?, value) {
                (0, Raw::Text(text)) if !text.is_empty() => account = Some(text),
                (1, Raw::Text(text)) => user = Some(text),
                (2, Raw::Text(text)) => state = LinkState::from_name(&text)?,
                (3, Raw::Other(truth @ ("true" | "false"))) => deleted = truth == "true",
                (4, Raw::Other("true" | "false")) | (1 | 5..=7, Raw::Other("null")) => {}
                (5 | 6, Raw::Other("true" | "false")) => {}
                (7, Raw::Other(json)) if json.starts_with('{') => {}
                _ => return None,
            }
            is_new.then_some(())
        },
    )?;
    let is_linked = matches!(state, LinkState::Linked | LinkState::Ignored) && !deleted;
    Some((account?, user.filter(|user| is_linked && !user.is_empty()), state))
}
