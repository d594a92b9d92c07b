//! The checks, each a sentence and a function.

use super::{Checked, Suite, Verdict, is_unsupported, require, skipped, value_at};
use crate::connector::{Change, ChangeKind, Connector, ConnectorError, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeSet;

type CheckFunction = fn(&mut Suite<'_>) -> Checked;

/// Every check, in the order in which it runs.
pub(super) const ALL: &[(&str, CheckFunction)] = &[
    ("answers a test of the connection", answers_a_test),
    ("creates an account and shows it", creates_and_shows),
    ("keeps quotes, backslashes and any script in values", keeps_any_text),
    ("shows nothing for an unknown id", shows_nothing_for_an_unknown_id),
    ("takes an id as one name, not as a path", takes_an_id_as_one_name),
    ("finds an account by its user name alone", finds_by_user_name),
    ("finds an account by its external id", finds_by_external_id),
    ("finds user names with quotes and backslashes", finds_any_text),
    ("refuses a second account of a user name as a conflict", refuses_a_second_account),
    ("takes a repeated create with the same key for one", takes_repeated_create_for_one),
    ("updates attributes, twice without harm", updates),
    ("removes an attribute", removes_an_attribute),
    ("calls a missing account missing", calls_a_missing_account_missing),
    ("deactivates and activates, twice without harm", deactivates_and_activates),
    ("freezes and unfreezes", freezes),
    ("lists every account once, to a proved end", lists_every_account_once),
    ("puts an account into a group and takes it out, twice without harm", changes_members),
    ("refuses members for a group that does not exist", refuses_members_for_no_group),
    ("answers unsupported for what it cannot do", answers_unsupported),
    ("deletes an account, twice without harm", deletes),
];

fn answers_a_test(suite: &mut Suite<'_>) -> Checked {
    match suite.connector.test() {
        Err(error) if is_unsupported(&error) => skipped("the connector has no `test`"),
        other => other.map(|()| Verdict::Held).map_err(|error| format!("test: {error}")),
    }
}

fn creates_and_shows(suite: &mut Suite<'_>) -> Checked {
    let record = suite.record();
    let made = suite.make(&record)?;
    require(made.active, "a fresh account is not active")?;
    let account = match suite.connector.read(&made.external_id) {
        Err(error) if is_unsupported(&error) => return skipped("the connector has no `read`"),
        Err(error) => return Err(format!("read: {error}")),
        Ok(account) => account.ok_or("read does not show an account that was just made")?,
    };
    require(account.external_id == made.external_id, "read gives another external id than create")?;
    require(account.active, "a fresh account is not active when it is read")?;
    for path in ["userName", "name.familyName", "name.givenName", "displayName"] {
        let wanted = crate::value::at_path(&record, path);
        require(value_at(&account, path) == wanted, &format!("`{path}` is not as it was created"))?;
    }
    let wanted = record.get("userName").and_then(Value::as_str);
    require(account.username.as_deref() == wanted, "`username` of the account is not its `userName`")?;
    let email = record.get("emails").and_then(|emails| emails.pointer("/0/value"));
    require(value_at(&account, "emails.value") == email, "`emails` is not as it was created")?;
    Ok(Verdict::Held)
}

const ANY_TEXT: &str = "Zoë \"Zo\" O'Neil \\ 漢字 😀 & + % / ; =";

fn keeps_any_text(suite: &mut Suite<'_>) -> Checked {
    let mut record = suite.record();
    record.insert("displayName".to_owned(), Value::from(ANY_TEXT));
    let made = suite.make(&record)?;
    if !can(suite.connector.read(&made.external_id))? {
        return skipped("the connector has no `read`");
    }
    let account = suite.shown(&made.external_id)?;
    require(value_at(&account, "displayName") == Some(&Value::from(ANY_TEXT)), "`displayName` came back altered")?;
    Ok(Verdict::Held)
}

fn shows_nothing_for_an_unknown_id(suite: &mut Suite<'_>) -> Checked {
    match suite.connector.read(&suite.unknown_id()) {
        Ok(None) => Ok(Verdict::Held),
        Ok(Some(_)) => Err("read shows an account for an id that nobody has".to_owned()),
        Err(error) if is_unsupported(&error) => skipped("the connector has no `read`"),
        Err(error) => Err(format!("read of an unknown id must give none: {error}")),
    }
}

fn takes_an_id_as_one_name(suite: &mut Suite<'_>) -> Checked {
    let made = suite.make_one()?;
    for id in [format!("../Users/{}", made.external_id), format!("{}?x=1", made.external_id), "..".to_owned()] {
        if let Ok(Some(_)) = suite.connector.read(&id) {
            return Err("read follows an id that is a path".to_owned());
        }
    }
    Ok(Verdict::Held)
}

fn finds_by_user_name(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.search {
        return skipped("the connector cannot search");
    }
    let made = suite.make_one()?;
    let name = made.username.clone().ok_or("create shows no user name")?;
    finds_exactly(suite, "userName", &Value::from(name), &made.external_id)?;
    let nobody = Value::from(format!("{}-nobody", suite.options.prefix));
    let found = suite.connector.find("userName", &nobody).map_err(|error| format!("find: {error}"))?;
    require(found.is_empty(), "find shows an account for a user name that nobody has")?;
    Ok(Verdict::Held)
}

fn finds_by_external_id(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.search {
        return skipped("the connector cannot search");
    }
    let record = suite.record();
    let made = suite.make(&record)?;
    if value_at(&made, "externalId").is_none() {
        return skipped("the target does not keep `externalId`");
    }
    let external = record.get("externalId").cloned().unwrap_or_default();
    finds_exactly(suite, "externalId", &external, &made.external_id)
}

fn finds_any_text(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.search {
        return skipped("the connector cannot search");
    }
    let mut record = suite.record();
    let name = format!("{}-o'neil\"\\zoë&x=1%41+", suite.options.prefix);
    record.insert("userName".to_owned(), Value::from(name.as_str()));
    for leftover in suite.connector.find("userName", &Value::from(name.as_str())).unwrap_or_default() {
        // What an earlier run left would make the create below a conflict.
        let _ = suite.connector.delete(&leftover.external_id);
    }
    match suite.connector.create(&record, "any-text") {
        Ok(made) => {
            suite.made.push(made.external_id.clone());
            finds_exactly(suite, "userName", &Value::from(name), &made.external_id)
        }
        Err(error) if error.outcome == Outcome::Rejected => skipped("the target refuses such user names"),
        Err(error) => Err(format!("create: {error}")),
    }
}

fn finds_exactly(suite: &Suite<'_>, attribute: &str, value: &Value, external_id: &str) -> Checked {
    let found = suite.connector.find(attribute, value).map_err(|error| format!("find: {error}"))?;
    let holders: Vec<_> = found.iter().filter(|account| value_at(account, attribute) == Some(value)).collect();
    require(!holders.is_empty(), &format!("find by `{attribute}` does not show the account"))?;
    require(holders.len() == 1, &format!("find by `{attribute}` shows more than one account"))?;
    let id = holders.first().map(|account| account.external_id.as_str());
    require(id == Some(external_id), &format!("find by `{attribute}` shows another account"))?;
    Ok(Verdict::Held)
}

fn refuses_a_second_account(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.unique_keys.iter().any(|key| key == "userName") {
        return skipped("the connector does not say that `userName` is unique");
    }
    let record = suite.record();
    suite.make(&record)?;
    let mut second = record.clone();
    second.insert("externalId".to_owned(), Value::from(format!("{}-second", suite.options.prefix)));
    match suite.connector.create(&second, "second") {
        Ok(account) => {
            suite.made.push(account.external_id);
            Err("a second account of the same user name was made".to_owned())
        }
        Err(error) if error.outcome == Outcome::Conflict => Ok(Verdict::Held),
        Err(error) => Err(format!("a second account must be refused as a conflict: {error}")),
    }
}

fn takes_repeated_create_for_one(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.idempotency_key {
        return skipped("the connector takes no idempotency key");
    }
    let record = suite.record();
    let create =
        |suite: &Suite<'_>| suite.connector.create(&record, "the-same-key").map_err(|error| format!("create: {error}"));
    let first = create(suite)?;
    suite.made.push(first.external_id.clone());
    let second = create(suite)?;
    require(first.external_id == second.external_id, "the same key made two accounts")?;
    Ok(Verdict::Held)
}

fn change(kind: ChangeKind, path: &str, value: Option<Value>) -> Change {
    Change { kind, path: path.to_owned(), value }
}

fn updates(suite: &mut Suite<'_>) -> Checked {
    let made = suite.make_one()?;
    let changes = [
        change(ChangeKind::Replace, "displayName", Some(Value::from(ANY_TEXT))),
        change(ChangeKind::Replace, "name.familyName", Some(json!("Renamed"))),
    ];
    for _ in 0..2 {
        match suite.connector.update(&made.external_id, &changes, None) {
            Err(error) if is_unsupported(&error) => return skipped("the connector has no `update`"),
            Err(error) => return Err(format!("update: {error}")),
            Ok(_) => {}
        }
        let account = suite.shown(&made.external_id)?;
        for change in &changes {
            let shown = value_at(&account, &change.path);
            require(shown == change.value.as_ref(), &format!("`{}` was not updated", change.path))?;
        }
        require(value_at(&account, "name.givenName") == Some(&json!("Given")), "update touched `name.givenName`")?;
        require(account.active, "update touched `active`")?;
    }
    Ok(Verdict::Held)
}

fn removes_an_attribute(suite: &mut Suite<'_>) -> Checked {
    let made = suite.make_one()?;
    let changes = [change(ChangeKind::Remove, "displayName", None)];
    match suite.connector.update(&made.external_id, &changes, None) {
        Err(error) if is_unsupported(&error) => return skipped("the connector has no `update`"),
        Err(error) => return Err(format!("update: {error}")),
        Ok(_) => {}
    }
    let account = suite.shown(&made.external_id)?;
    let left = value_at(&account, "displayName").filter(|value| value.as_str() != Some(""));
    require(left.is_none(), "`displayName` was not removed")?;
    require(value_at(&account, "name.familyName").is_some(), "the removal touched `name.familyName`")?;
    Ok(Verdict::Held)
}

fn calls_a_missing_account_missing(suite: &mut Suite<'_>) -> Checked {
    let id = suite.unknown_id();
    let changes = [change(ChangeKind::Replace, "displayName", Some(json!("Nobody")))];
    let connector = suite.connector;
    let calls: [(&str, Result<(), ConnectorError>); 3] = [
        ("update", connector.update(&id, &changes, None).map(drop)),
        ("deactivate", connector.deactivate(&id)),
        ("activate", connector.activate(&id)),
    ];
    for (method, result) in calls {
        match result {
            Ok(()) => return Err(format!("{method} of an unknown account succeeded")),
            Err(error) if error.code == "account_missing" || is_unsupported(&error) => {}
            Err(error) => {
                return Err(format!("{method} of an unknown account must fail as `account_missing`: {error}"));
            }
        }
    }
    Ok(Verdict::Held)
}

fn deactivates_and_activates(suite: &mut Suite<'_>) -> Checked {
    let made = suite.make_one()?;
    type Switch = fn(&dyn Connector, &str) -> Result<(), ConnectorError>;
    let steps: [(&str, Switch, bool); 2] = [
        ("deactivate", |connector, id| connector.deactivate(id), false),
        ("activate", |connector, id| connector.activate(id), true),
    ];
    for (method, switch, active) in steps {
        for _ in 0..2 {
            match switch(suite.connector, &made.external_id) {
                Err(error) if is_unsupported(&error) => return skipped(&format!("the connector has no `{method}`")),
                Err(error) => return Err(format!("{method}: {error}")),
                Ok(()) => {}
            }
            let account = suite.shown(&made.external_id)?;
            require(account.active == active, &format!("{method} did not take effect"))?;
        }
    }
    let account = suite.shown(&made.external_id)?;
    require(value_at(&account, "displayName").is_some(), "deactivate lost `displayName`")?;
    Ok(Verdict::Held)
}

fn freezes(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.freeze {
        return skipped("the connector cannot freeze");
    }
    let made = suite.make_one()?;
    suite.connector.freeze(&made.external_id).map_err(|error| format!("freeze: {error}"))?;
    let account = suite.shown(&made.external_id)?;
    require(account.frozen, "freeze did not take effect")?;
    require(account.active, "freeze changed `active`")?;
    suite.connector.unfreeze(&made.external_id).map_err(|error| format!("unfreeze: {error}"))?;
    require(!suite.shown(&made.external_id)?.frozen, "unfreeze did not take effect")?;
    Ok(Verdict::Held)
}

const MOST_PAGES: usize = 10_000;

fn lists_every_account_once(suite: &mut Suite<'_>) -> Checked {
    for _ in 0..3 {
        suite.make_one()?;
    }
    let mut seen = BTreeSet::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page = match suite.connector.list(cursor.as_deref(), None) {
            Err(error) if is_unsupported(&error) => return skipped("the connector has no `list`"),
            other => other.map_err(|error| format!("list: {error}"))?,
        };
        for account in page.accounts {
            require(seen.insert(account.external_id), "list shows an account twice")?;
        }
        cursor = page.next;
        if cursor.is_none() {
            require(page.complete, "the listing ended without being proved whole")?;
            let missed = suite.made.iter().any(|made| !seen.contains(made));
            require(!missed, "list does not show an account that exists")?;
            return Ok(Verdict::Held);
        }
    }
    Err(format!("the listing did not end within {MOST_PAGES} pages"))
}

/// Who is in a group, where the target shows it.
fn members_of(suite: &Suite<'_>, group: &str) -> Result<Option<BTreeSet<String>>, String> {
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let (page, next) = match suite.connector.list_groups(cursor.as_deref()) {
            Err(error) if is_unsupported(&error) => return Ok(None),
            page => page.map_err(|error| format!("list_groups: {error}"))?,
        };
        if let Some(found) = page.iter().find(|shown| shown.get("id").and_then(Value::as_str) == Some(group)) {
            let members = found.get("members").and_then(Value::as_array);
            let id = |member: &Value| member.as_str().map(str::to_owned);
            return Ok(members.map(|members| members.iter().filter_map(id).collect()));
        }
        cursor = next;
        if cursor.is_none() {
            return Err("list_groups does not show the group that is to be changed".to_owned());
        }
    }
    Err(format!("the listing of groups did not end within {MOST_PAGES} pages"))
}

fn changes_members(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.groups {
        return skipped("the connector has no groups");
    }
    let Some(group) = suite.options.group.clone() else { return skipped("no group was named that may be changed") };
    let made = [suite.make_one()?.external_id];
    let before = members_of(suite, &group)?;
    for (add, remove) in [(&made[..], &[][..]), (&[][..], &made[..])] {
        for _ in 0..2 {
            let changed = suite.connector.change_members(&group, add, remove);
            changed.map_err(|error| format!("change_members: {error}"))?;
        }
        if let (Some(before), Some(mut after)) = (&before, members_of(suite, &group)?) {
            let is_member = made.iter().all(|id| after.remove(id));
            require(is_member != add.is_empty(), "the account is not as it was to be in the group")?;
            require(after == *before, "somebody else was put into the group or out of it")?;
        }
    }
    Ok(Verdict::Held)
}

fn refuses_members_for_no_group(suite: &mut Suite<'_>) -> Checked {
    if !suite.capabilities.groups {
        return skipped("the connector has no groups");
    }
    let (made, unknown) = (suite.make_one()?.external_id, suite.unknown_id());
    match suite.connector.change_members(&unknown, &[made], &[]) {
        Err(error) if is_unsupported(&error) => skipped("the connector has no `change_members`"),
        Err(error) if error.outcome == Outcome::Rejected => Ok(Verdict::Held),
        Err(error) => Err(format!("a group that does not exist must be rejected: {error}")),
        Ok(()) => Err("a group that does not exist took a member".to_owned()),
    }
}

fn answers_unsupported(suite: &mut Suite<'_>) -> Checked {
    let id = suite.unknown_id();
    let (connector, can) = (suite.connector, &suite.capabilities);
    let nobody = Value::from("nobody");
    let mut calls: Vec<(&str, Option<ConnectorError>)> = Vec::new();
    if !can.search {
        calls.push(("find", connector.find("userName", &nobody).err()));
    }
    if !can.freeze {
        calls.push(("freeze", connector.freeze(&id).err()));
        calls.push(("unfreeze", connector.unfreeze(&id).err()));
    }
    if !can.changes {
        calls.push(("changes", connector.changes(None).err()));
    }
    if !can.groups {
        calls.push(("change_members", connector.change_members("nobody", &[], &[]).err()));
    }
    if calls.is_empty() {
        return skipped("the connector can do everything");
    }
    for (method, error) in calls {
        let right = error.is_some_and(|error| is_unsupported(&error) && error.outcome == Outcome::Rejected);
        require(right, &format!("`{method}` must be rejected as `unsupported`"))?;
    }
    Ok(Verdict::Held)
}

fn deletes(suite: &mut Suite<'_>) -> Checked {
    let made = suite.make_one()?;
    for _ in 0..2 {
        match suite.connector.delete(&made.external_id) {
            Err(error) if is_unsupported(&error) => return skipped("the connector has no `delete`"),
            other => other.map_err(|error| format!("delete: {error}"))?,
        }
    }
    if can(suite.connector.read(&made.external_id))? {
        let left = suite.connector.read(&made.external_id).map_err(|error| format!("read: {error}"))?;
        require(left.is_none_or(|account| !account.active), "the account is still there and active")?;
    }
    Ok(Verdict::Held)
}

/// Whether the connector has the method that gave this result.
fn can<T>(result: Result<T, ConnectorError>) -> Result<bool, String> {
    match result {
        Err(error) if is_unsupported(&error) => Ok(false),
        Err(error) => Err(error.to_string()),
        Ok(_) => Ok(true),
    }
}
