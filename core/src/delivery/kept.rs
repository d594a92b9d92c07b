//! Learning what a target does not keep of what it is sent, from the accounts that it shows.

use crate::fault::Fault;
use crate::intake::LiveApp;
use crate::mapping::RenderedChange;
use crate::model::{Change, TargetAccount};
use crate::store::{AccountRow, LogEvent, RequestRow, Tx};
use crate::value::Attributes;
use serde_json::json;

/// Compares what was sent with what the target shows of it. An attribute that is seen lost for the first time is logged.
pub(super) fn note_kept(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &RequestRow,
    sent: &Attributes,
    changes: Option<&[Change]>,
    shown: &TargetAccount,
) -> Result<(), Fault> {
    let id = &app.definition.app.id;
    let mut lost = Vec::new();
    // Of most targets nothing is known to be lost, and there is nothing to be taken back.
    let mut any_lost = tx.has_not_kept(id)?;
    for (rule, kept) in app.definition.mapping.kept(sent, changes, shown) {
        if kept && !any_lost {
            continue;
        }
        let (attribute, mark) = app.definition.rule_mark(rule);
        if kept {
            tx.note_kept(id, &attribute)?;
            continue;
        }
        any_lost = true;
        if tx.note_not_kept(id, &attribute, &mark)? {
            lost.push(attribute);
        }
    }
    if lost.is_empty() {
        return Ok(());
    }
    tx.log(LogEvent {
        app: Some(id),
        user: row.request.user.as_ref(),
        request: Some(&row.request.id),
        ..LogEvent::new("not_kept", json!({"attributes": lost}))
    })
}

/// Whether a change would send once more what the target did not keep when it was sent last.
pub(crate) fn is_in_vain(
    tx: &Tx<'_>,
    app: &LiveApp,
    account: Option<&AccountRow>,
    wanted: &Attributes,
    change: &RenderedChange,
) -> Result<bool, Fault> {
    let Some(last) = account.and_then(|row| row.applied.as_ref()) else { return Ok(false) };
    if !app.definition.mapping.repeats(change, wanted, last) {
        return Ok(false);
    }
    let (attribute, mark) = app.definition.rule_mark(change.rule);
    tx.is_not_kept(&app.definition.app.id, &attribute, &mark)
}
