//! What an Update would send to an account as it was seen: the same rendering as delivery's.

use crate::delivery::{Rendering, is_in_vain};
use crate::fault::Fault;
use crate::intake::LiveApp;
use crate::model::Change;
use crate::path::Path;
use crate::store::{AccountRow, StoredUser, Tx};
use crate::value::Attributes;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is wanted of an account, and what has to change for that.
pub(super) struct Wanted {
    pub(super) attributes: Attributes,
    pub(super) changes: Vec<Change>,
    /// Whether an account has to exist first to which the record refers.
    pub(super) waits: bool,
}

/// Renders the mapping for an account with the attributes that were seen; `notes` also stores to whom the record refers. The
/// inner fault list says what of the record cannot be rendered.
pub(super) fn wanted(
    tx: &Tx<'_>,
    live: &LiveApp,
    stored: &StoredUser,
    row: &AccountRow,
    notes: bool,
) -> Result<Result<Wanted, Vec<Fault>>, Fault> {
    let rendering = Rendering::new(tx, live, stored, Some(row))?;
    let candidate = match rendering.candidate(tx, None)? {
        Ok(candidate) => candidate,
        Err(faults) => return Ok(Err(faults)),
    };
    let rendered = candidate.rendered;
    let mut changes = Vec::with_capacity(rendered.changes.len());
    for change in &rendered.changes {
        if !is_in_vain(tx, live, Some(row), &rendered.attributes, change)? {
            changes.push(change.change());
        }
    }
    if notes {
        rendering.note_references(tx)?;
    }
    let waits = live.definition.mapping.awaits(&rendered);
    Ok(Ok(Wanted { attributes: rendered.attributes, changes, waits }))
}

/// The values that changes would overwrite, by their paths.
pub(super) fn before(changes: &[Change], seen: &Attributes) -> BTreeMap<String, Value> {
    let value = |change: &Change| Some((change.path.clone(), Path::parse(&change.path).ok()?.get(seen)?.clone()));
    changes.iter().filter_map(value).collect()
}
