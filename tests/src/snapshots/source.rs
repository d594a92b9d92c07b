//! Lists of all users that are none.

use super::{Chance, Kind, Play};
use serde_json::{Value, json};

const fn kind(name: &'static str, lesson: &'static str, play: fn(&[Value], &mut Chance) -> Vec<u8>) -> Kind {
    Kind { name, lesson, play: Play::Source(play) }
}

/// The kinds. One in which everybody is inactive is none of them: a record that says so of its own user is an order, which is
/// obeyed and told, since nobody who was dismissed may keep access because many were.
pub(super) const KINDS: &[Kind] = &[
    kind("source: empty", "no users are seen, and all are deleted", |_, _| list(&[])),
    kind("source: cut at half", "an API gives incomplete data and calls it a success", |all, _| {
        list(all.get(..all.len() / 2).unwrap_or(all))
    }),
    kind("source: broken lines", "half of an export is written while it is read", |all, chance| {
        let line = |user: &Value| {
            let text = user.to_string();
            if chance.percent(50) { text.chars().take(9).collect() } else { text }
        };
        all.iter().map(line).collect::<Vec<String>>().join("\n").into_bytes()
    }),
    kind("source: ids are there twice", "a page that is repeated hides the one that is not read", |all, _| {
        let half = all.get(..all.len() / 2).unwrap_or(all);
        list(&[half, half].concat())
    }),
    kind("source: ids are in another letter case", "a new HR system writes ids in small letters", |all, _| {
        list(&each(all, |user| user["id"] = Value::from(text(user, "id").to_lowercase())))
    }),
    kind("source: ids are renumbered", "a new HR system numbers everybody anew", |all, _| {
        list(&each(all, |user| user["id"] = Value::from(format!("new-{}", text(user, "id")))))
    }),
    kind("source: one department is missing", "a second directory's users look deleted", |all, _| {
        list(&all.iter().filter(|user| text(user, "department") != "Care").cloned().collect::<Vec<_>>())
    }),
    kind("source: of last month", "a file that nobody wrote anew", |all, _| {
        list(all.get(..all.len() * 3 / 5).unwrap_or(all))
    }),
    kind("source: of another tenant", "the file of another customer", |all, _| {
        list(&each(all, |user| {
            user["id"] = Value::from(format!("other-{}", text(user, "id")));
            user["username"] = Value::from(format!("other.{}", text(user, "username")));
        }))
    }),
    kind("source: an error page", "a proxy answers 200 with its login page", |_, _| {
        b"<html><body>Sign in</body></html>".to_vec()
    }),
    kind("source: an error as JSON", "an error that is read as a list of nobody", |_, _| {
        json!({"error": "token expired"}).to_string().into_bytes()
    }),
    kind("source: ids are blank", "a column was renamed", |all, _| {
        list(&each(all, |user| {
            user.as_object_mut().map(|user| user.remove("id"));
        }))
    }),
    kind("source: nobody has a grant", "the column of the entitlements is empty", |all, _| {
        list(&each(all, |user| {
            user.as_object_mut().map(|user| user.remove("profile"));
        }))
    }),
    kind("source: everybody's contract ended", "a date without a year reads as long ago", |all, _| {
        list(&each(all, |user| user["valid_until"] = Value::from("1970-01-01T00:00:00Z")))
    }),
];

fn text(user: &Value, key: &str) -> String {
    user.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// These users as a list.
pub(super) fn list(users: &[Value]) -> Vec<u8> {
    Value::from(users.to_vec()).to_string().into_bytes()
}

fn each(all: &[Value], change: impl Fn(&mut Value)) -> Vec<Value> {
    let mut users = all.to_vec();
    users.iter_mut().for_each(change);
    users
}
