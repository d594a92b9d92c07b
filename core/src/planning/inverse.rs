//! What puts back what a request did: the inverse of one change of one account, from the values that were kept before it.

use crate::model::{Before, Change, ChangeKind, Reaction};
use crate::operation::Operation;
use crate::path::Path;
use crate::value::Attributes;
use serde_json::Value;

/// What a completed request did.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// Its operation.
    pub operation: Operation,
    /// What there was before.
    pub before: Option<&'a Before>,
    /// The values that the account had just after, of the same attributes.
    pub after: Option<&'a Attributes>,
    /// Whether a Create found the account and linked it instead of making one.
    pub adopted: bool,
}

/// How the account is now, as last seen.
#[derive(Clone, Copy, Debug)]
pub struct Present<'a> {
    /// Whether it can be used.
    pub active: bool,
    /// Whether it is suspended.
    pub frozen: bool,
    /// Its attributes.
    pub attributes: &'a Attributes,
}

/// What is done to undo one thing, and what cannot be undone of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inverse {
    /// What is done; nothing where nothing is left to put back.
    pub reaction: Option<Reaction>,
    /// What is sent, for an update.
    pub changes: Vec<Change>,
    /// What is overwritten by it, as it is now: null where there is no value.
    pub overwritten: Attributes,
    /// What else is to be known of it.
    pub notes: Vec<String>,
    /// Why something cannot be undone: in words, and for an update with the attribute.
    pub refused: Vec<Refusal>,
}

/// Something that cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The attribute, where it is one value of an update.
    pub attribute: Option<String>,
    /// Why.
    pub reason: String,
}

impl Inverse {
    fn refuse(reason: &str) -> Self {
        Self { refused: vec![Refusal { attribute: None, reason: reason.to_owned() }], ..Self::default() }
    }

    fn of(reaction: Reaction, note: Option<&str>) -> Self {
        Self { reaction: Some(reaction), notes: note.map(str::to_owned).into_iter().collect(), ..Self::default() }
    }

    fn nothing(note: &str) -> Self {
        Self { notes: vec![note.to_owned()], ..Self::default() }
    }
}

/// The attribute that is kept whole for a change: the list where the change is about an element of one, the path itself
/// elsewhere. None for a path that is none.
fn kept_path(path: &str, holders: &[&Attributes]) -> Option<Path> {
    let path = Path::parse(path).ok()?;
    if let Some(list) = path.list() {
        return Some(list);
    }
    // `emails.value` without a filter means every element of the list.
    let first = path.steps().next()?.0;
    let root = path.schema().map_or_else(|| first.to_owned(), |schema| format!("{schema}:{first}"));
    let root = Path::parse(&root).ok()?;
    let is_list = holders.iter().any(|holder| root.get(holder).is_some_and(Value::is_array));
    Some(if is_list { root } else { path })
}

/// The values that changes overwrite in what is known of an account: null where there is none. What lies within another one
/// of them is in that one.
///
/// ```
/// use rollkeeper::{model::Change, planning::inverse::values_at, value::Attributes};
/// use serde_json::json;
/// let changes: Vec<Change> = serde_json::from_value(json!([{"op": "replace", "path": "title", "value": "Nurse"}])).unwrap();
/// assert_eq!(values_at(&changes, &Attributes::new())["title"], json!(null));
/// ```
pub fn values_at(changes: &[Change], known: &Attributes) -> Attributes {
    let mut after = known.clone();
    // A path that is none changes nothing that is known.
    let _ = Change::apply_all(changes, &mut after);
    let mut paths: Vec<Path> = Vec::new();
    for path in changes.iter().filter_map(|change| kept_path(&change.path, &[known, &after])) {
        if !paths.iter().any(|other| covers(other, &path)) {
            paths.retain(|other| !covers(&path, other));
            paths.push(path);
        }
    }
    paths.iter().map(|path| (path.as_str().to_owned(), path.get(known).cloned().unwrap_or_default())).collect()
}

/// Whether everything at `inner` lies within `outer`.
fn covers(outer: &Path, inner: &Path) -> bool {
    outer.overlaps(inner) && outer.steps().count() <= inner.steps().count()
}

/// The values at the same places in what is known of an account now.
pub fn values_again(values: &Attributes, known: &Attributes) -> Attributes {
    let value = |path: &String| Path::parse(path).ok().and_then(|path| path.get(known).cloned()).unwrap_or_default();
    values.keys().map(|path| (path.clone(), value(path))).collect()
}

/// Whether the account still has these values.
pub fn still_has(values: &Attributes, known: &Attributes) -> bool {
    values_again(values, known) == *values
}

/// What undoes a deed on an account that is `now` so; none where the account is gone.
pub fn inverse(deed: &Deed<'_>, now: Option<&Present<'_>>) -> Inverse {
    if deed.operation == Operation::Delete {
        return Inverse::refuse(
            "the account was deleted; an account that is made anew has other rights and another history",
        );
    }
    let Some(before) = deed.before else {
        return Inverse::refuse("what there was before was not kept");
    };
    let Some(now) = now else { return Inverse::refuse("the account is gone since") };
    match deed.operation {
        Operation::Create if deed.adopted => Inverse::of(Reaction::Unlink, Some("the account was there before")),
        Operation::Create if now.active => {
            Inverse::of(Reaction::Deactivate, Some("the account is disabled and stays; it is not deleted"))
        }
        Operation::Create => Inverse::nothing("the account is disabled already"),
        Operation::Deactivate => switch(before.active, !now.active, Reaction::Activate, "enabled"),
        Operation::Activate => switch(!before.active, now.active, Reaction::Deactivate, "disabled"),
        // Where the target has no freeze, the account is disabled instead; taking that back is the same operation.
        Operation::Freeze => switch(!before.frozen, now.frozen, Reaction::Unfreeze, "freed"),
        Operation::Unfreeze => switch(before.frozen, !now.frozen, Reaction::Freeze, "suspended"),
        Operation::Update => put_back(before, deed.after, now.attributes),
        Operation::Delete | Operation::Read | Operation::Reconcile | Operation::Linking => {
            Inverse::nothing("it changed nothing at the target")
        }
    }
}

/// The inverse of a switch, where it had an effect and the account is as it was left.
fn switch(had_effect: bool, as_left: bool, reaction: Reaction, word: &str) -> Inverse {
    match (had_effect, as_left) {
        (false, _) => Inverse::nothing("the account was so before"),
        (true, true) => Inverse::of(reaction, None),
        (true, false) => Inverse::nothing(&format!("the account is {word} again already")),
    }
}

/// What was overwritten is put back where the account still has what was written.
fn put_back(before: &Before, after: Option<&Attributes>, known: &Attributes) -> Inverse {
    let (Some(values), Some(after)) = (&before.values, after) else {
        return Inverse::refuse("the values before were never seen");
    };
    let mut inverse = Inverse::default();
    let now = values_again(values, known);
    for (path, value) in values {
        let current = now.get(path).unwrap_or(&Value::Null);
        let left = after.get(path).unwrap_or(&Value::Null);
        let reason = match () {
            () if is_never_shown(path) => Some("its value is never shown, so that it was never seen"),
            () if current == value => continue,
            () if current != left => Some("its value is no longer the one that was written"),
            () => None,
        };
        match reason {
            Some(reason) => {
                let reason = format!("`{path}`: {reason}");
                inverse.refused.push(Refusal { attribute: Some(path.clone()), reason });
            }
            None => {
                let kind = if value.is_null() { ChangeKind::Remove } else { ChangeKind::Replace };
                let value = Some(value.clone()).filter(|value| !value.is_null());
                inverse.changes.push(Change { kind, path: path.clone(), value });
                inverse.overwritten.insert(path.clone(), current.clone());
            }
        }
    }
    if !inverse.changes.is_empty() {
        inverse.reaction = Some(Reaction::Update);
    } else if inverse.refused.is_empty() {
        inverse.notes.push("every value is as it was before".to_owned());
    }
    inverse
}

/// Passwords are taken and never shown (RFC 7643 §4.1.1).
fn is_never_shown(path: &str) -> bool {
    Path::parse(path).is_ok_and(|path| path.is("password"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Attributes {
        value.as_object().unwrap().clone()
    }

    fn changes(value: Value) -> Vec<Change> {
        serde_json::from_value(value).unwrap()
    }

    fn before(active: bool, frozen: bool) -> Before {
        Before { existed: true, active, frozen, values: None }
    }

    fn undo(operation: Operation, before: &Before, active: bool, frozen: bool) -> Inverse {
        let attributes = Attributes::new();
        let now = Present { active, frozen, attributes: &attributes };
        inverse(&Deed { operation, before: Some(before), after: None, adopted: false }, Some(&now))
    }

    #[test]
    fn switches_are_thrown_back_where_they_had_an_effect_and_stand_as_they_were_left() {
        use Operation::{Activate, Create, Deactivate, Freeze, Unfreeze};
        // Operation; active and frozen before; active and frozen now; what is done.
        let cases = [
            (Deactivate, (true, false), (false, false), Some(Reaction::Activate)),
            (Deactivate, (false, false), (false, false), None),
            (Deactivate, (true, false), (true, false), None),
            (Activate, (false, false), (true, false), Some(Reaction::Deactivate)),
            (Activate, (true, false), (true, false), None),
            (Activate, (false, false), (false, false), None),
            (Freeze, (true, false), (true, true), Some(Reaction::Unfreeze)),
            (Freeze, (true, true), (true, true), None),
            (Unfreeze, (true, true), (true, false), Some(Reaction::Freeze)),
            (Unfreeze, (true, true), (true, true), None),
            (Create, (false, false), (true, false), Some(Reaction::Deactivate)),
            (Create, (false, false), (false, false), None),
        ];
        for (operation, was, is, expected) in cases {
            let found = undo(operation, &before(was.0, was.1), is.0, is.1);
            assert_eq!(found.reaction, expected, "{operation} {was:?} {is:?}");
            assert!(found.refused.is_empty());
        }
    }

    #[test]
    fn what_is_gone_or_was_not_kept_is_refused() {
        let was = before(true, false);
        let deed = Deed { operation: Operation::Deactivate, before: Some(&was), after: None, adopted: false };
        assert_eq!(inverse(&deed, None).refused.len(), 1);
        assert_eq!(undo(Operation::Delete, &was, true, false).refused.len(), 1);
        assert_eq!(undo(Operation::Update, &was, true, false).refused.len(), 1);
        let attributes = Attributes::new();
        let now = Present { active: false, frozen: false, attributes: &attributes };
        assert_eq!(inverse(&Deed { before: None, ..deed }, Some(&now)).refused.len(), 1);
    }

    #[test]
    fn an_account_that_was_found_is_unlinked_and_not_disabled() {
        let attributes = Attributes::new();
        let now = Present { active: true, frozen: false, attributes: &attributes };
        let was = Before::default();
        let deed = Deed { operation: Operation::Create, before: Some(&was), after: None, adopted: true };
        assert_eq!(inverse(&deed, Some(&now)).reaction, Some(Reaction::Unlink));
    }

    #[test]
    fn overwritten_values_are_put_back_each_list_whole_and_what_had_none_is_removed() {
        let known = object(json!({
            "title": "Nurse", "name": {"givenName": "Ada"}, "emails": [{"type": "work", "value": "a@example.com"}],
        }));
        let sent = changes(json!([
            {"op": "replace", "path": "title", "value": "Doctor"},
            {"op": "replace", "path": "name.familyName", "value": "Lovelace"},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@example.com"},
            {"op": "add", "path": "emails", "value": [{"type": "home", "value": "c@example.com"}]},
            {"op": "remove", "path": "name.givenName"},
        ]));
        let values = values_at(&sent, &known);
        let expected = object(json!({
            "title": "Nurse", "name.familyName": null, "name.givenName": "Ada",
            "emails": [{"type": "work", "value": "a@example.com"}],
        }));
        assert_eq!(values, expected);
        let mut now = known.clone();
        Change::apply_all(&sent, &mut now).unwrap();
        let after = values_again(&values, &now);
        let was = Before { values: Some(values), ..before(true, false) };
        let deed = Deed { operation: Operation::Update, before: Some(&was), after: Some(&after), adopted: false };
        let back = inverse(&deed, Some(&Present { active: true, frozen: false, attributes: &now }));
        assert_eq!((back.reaction, back.refused.len()), (Some(Reaction::Update), 0));
        assert_eq!(back.overwritten, after);
        Change::apply_all(&back.changes, &mut now).unwrap();
        assert_eq!(now, known);
    }

    #[test]
    fn what_changed_since_is_refused_and_the_rest_put_back() {
        let known = object(json!({"title": "Nurse", "nickName": "A", "password": "x"}));
        let sent = changes(json!([
            {"op": "replace", "path": "title", "value": "Doctor"}, {"op": "replace", "path": "nickName", "value": "B"},
            {"op": "replace", "path": "password", "value": "y"},
        ]));
        let values = values_at(&sent, &known);
        let after = object(json!({"title": "Doctor", "nickName": "B", "password": null}));
        let was = Before { values: Some(values), ..before(true, false) };
        let deed = Deed { operation: Operation::Update, before: Some(&was), after: Some(&after), adopted: false };
        let now = object(json!({"title": "Professor", "nickName": "B"}));
        let back = inverse(&deed, Some(&Present { active: true, frozen: false, attributes: &now }));
        assert_eq!(back.changes, changes(json!([{"op": "replace", "path": "nickName", "value": "A"}])));
        let refused: Vec<_> = back.refused.iter().filter_map(|one| one.attribute.as_deref()).collect();
        assert_eq!(refused, ["password", "title"]);
    }

    #[test]
    fn what_is_as_before_already_needs_nothing() {
        let values = object(json!({"title": "Nurse"}));
        let after = object(json!({"title": "Doctor"}));
        let was = Before { values: Some(values.clone()), ..before(true, false) };
        let deed = Deed { operation: Operation::Update, before: Some(&was), after: Some(&after), adopted: false };
        let back = inverse(&deed, Some(&Present { active: true, frozen: false, attributes: &values }));
        assert_eq!((back.reaction, back.changes.len(), back.refused.len(), back.notes.len()), (None, 0, 0, 1));
    }

    #[test]
    fn what_lies_within_another_is_kept_once() {
        let known = object(json!({"name": {"givenName": "Ada"}}));
        let sent = changes(json!([
            {"op": "replace", "path": "name.givenName", "value": "A"}, {"op": "replace", "path": "name", "value": {"familyName": "L"}},
        ]));
        assert_eq!(values_at(&sent, &known), object(json!({"name": {"givenName": "Ada"}})));
    }
}
