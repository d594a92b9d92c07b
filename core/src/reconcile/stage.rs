//! Accounts that the host collected, in the place of a listing.

use super::collect::{Seen, conclude, selection, told};
use super::{Watch, definition_mark, find, go_on, start_over, unfinished, write, write_ahead};
use crate::connector::{AttributeSelection, TargetAccount};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApps, advance, begin_reconciliation, end_reconciliation};
use crate::lifecycle::Event;
use crate::model::State;
use crate::planning::verdict::Listing;
use crate::store::Tx;
use crate::value::Attributes;
use serde_json::Value;

/// How many accounts a page has.
const PAGE: usize = 500;

/// Stages accounts that the host collected, compares, and makes a plan. An unfinished reconciliation that still reads the
/// target is taken back.
pub(crate) fn stage_accounts(
    host: &dyn Host,
    app: &str,
    accounts: &[u8],
    complete: bool,
    by: Option<&str>,
    watch: Option<&Watch<'_>>,
) -> Result<RequestId, Fault> {
    let (id, read) = write(host, |tx, apps| {
        let live = find(apps, app)?;
        let why = "the target's accounts, which the host collected, are compared with the directory";
        if let Some(id) = unfinished(tx, &live.definition.app.id, by)? {
            if tx.reconciliation(id.as_str())?.is_some_and(|row| row.shown.state == State::Committing) {
                return Err(Fault::new(Code::ReconciliationOpen, "a plan of the app is being carried out"));
            }
            end_reconciliation(tx, &id, Event::Cancel, by, "accounts that the host collected take its place")?;
        }
        let mut row = begin_reconciliation(tx, live, by, why, None)?;
        start_over(tx, live, &mut row)?;
        row.partial = false;
        tx.save_reconciliation(&row)?;
        Ok((row.shown.id, selection(&live.definition)))
    })?;
    let mut seen = Seen::default();
    let mut page = Vec::new();
    let mut count = 0;
    let mut store = |page: &mut Vec<u8>, count: &mut u64, last: bool| {
        seen.count(page);
        let listing = Listing { proved: complete, ..seen.listing() };
        let put = |tx: &mut Tx<'_>, apps: &LiveApps| {
            let live = find(apps, app)?;
            let ended = || Fault::new(Code::Cancelled, "the reconciliation was finished by somebody else");
            let mut row = tx.reconciliation(id.as_str())?.ok_or_else(ended)?;
            let key = tx.reconciliation_key(&id)?.ok_or_else(ended)?;
            if row.definition.as_deref() != Some(definition_mark(live)?.as_str()) {
                return Err(Fault::new(Code::ItemChanged, "the app's definition changed while accounts were staged"));
            }
            row.shown.pages += 1;
            row.shown.collected += *count;
            tx.put_page(&id, &key, row.shown.pages, page, *count)?;
            if !last {
                return tx.save_reconciliation(&row);
            }
            conclude(host, tx, live, &mut row, &listing)?;
            let details = told(&row);
            advance(tx, &mut row, Event::Analyze, by, details)
        };
        if last {
            write(host, put)?
        } else {
            write_ahead(host, put)?
        }
        page.clear();
        *count = 0;
        Ok::<(), Fault>(())
    };
    each(accounts, &mut |record| {
        page.extend(line(record, read.as_ref()));
        page.push(b'\n');
        count += 1;
        if count as usize >= PAGE { store(&mut page, &mut count, false) } else { Ok(()) }
    })?;
    store(&mut page, &mut count, true)?;
    go_on(host, &id, watch)?;
    Ok(id)
}

/// Shows every record of a JSON list, or of lines with one each. `None` is one that cannot be read.
fn each(accounts: &[u8], visit: &mut dyn FnMut(Option<Value>) -> Result<(), Fault>) -> Result<(), Fault> {
    let start = accounts.iter().find(|byte| !byte.is_ascii_whitespace());
    if start == Some(&b'[') {
        let Value::Array(records) = crate::model::read_json(accounts)? else { return Ok(()) };
        return records.into_iter().try_for_each(|record| visit(Some(record)));
    }
    let lines = accounts.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(|line| serde_json::from_slice(line).ok()).try_for_each(visit)
}

/// The line that is staged of a record. One that is no account gives a line that counts as unreadable.
fn line(record: Option<Value>, read: Option<&AttributeSelection>) -> Vec<u8> {
    let account = record.and_then(account);
    let account = account.map(|mut account| {
        if let Some(read) = read {
            account.attributes.retain(|name, _| read.holds(name));
        }
        account
    });
    account.and_then(|account| serde_json::to_vec(&account).ok()).unwrap_or_else(|| b"{}".to_vec())
}

/// An account as connectors show it; or any other object with `id`, which is then the account's id, the object being its
/// attributes.
fn account(record: Value) -> Option<TargetAccount> {
    let Value::Object(object) = record else { return None };
    if object.contains_key("external_id") {
        return serde_json::from_value(Value::Object(object)).ok();
    }
    let text =
        |object: &Attributes, name: &str| crate::path::member(object, name).and_then(Value::as_str).map(str::to_owned);
    let truth = |name: &str| match crate::path::member(&object, name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::Bool(truth)) => Some(Some(*truth)),
        Some(_) => None,
    };
    let (active, frozen) = (truth("active")?.unwrap_or(true), truth("frozen")?.unwrap_or(false));
    Some(TargetAccount {
        external_id: text(&object, "id").filter(|id| !id.is_empty())?,
        username: text(&object, "userName"),
        active,
        frozen,
        version: None,
        attributes: object,
    })
}
