//! The stub's users: those that were created, and before them those that are only generated when somebody looks.

use serde_json::{Map, Value, json};
use std::collections::HashMap;

type User = Map<String, Value>;

/// Another user has this `userName`.
pub(super) struct Taken;

#[derive(Debug)]
pub(super) struct Users {
    generated: usize,
    unique: bool,
    /// Created users by order of creation; a removed one leaves a gap, so that ids stay positions.
    created: Vec<Option<User>>,
    removed: usize,
    by_name: HashMap<String, Vec<usize>>,
    by_external_id: HashMap<String, Vec<usize>>,
}

impl Users {
    pub(super) fn new(generated: usize, unique: bool) -> Self {
        Self {
            generated,
            unique,
            created: Vec::new(),
            removed: 0,
            by_name: HashMap::new(),
            by_external_id: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.generated + self.created.len() - self.removed
    }

    /// Adds a user and gives its text.
    pub(super) fn add(&mut self, user: User) -> Result<String, Taken> {
        let holders = self.by_name.get(&name(&user));
        if self.unique && holders.is_some_and(|holders| !holders.is_empty()) {
            return Err(Taken);
        }
        let position = self.created.len();
        let user = complete(user, position);
        let text = text(&user);
        self.index(position, &user);
        self.created.push(Some(user));
        Ok(text)
    }

    pub(super) fn read(&self, id: &str) -> Option<String> {
        match generated_position(id) {
            Some(position) => (position < self.generated).then(|| generated(position)),
            None => self.created.get(position(id)?)?.as_ref().map(text),
        }
    }

    /// Users from `start` on, generated ones first.
    pub(super) fn page(&self, start: usize, size: usize) -> Vec<String> {
        let created = self.created.iter().flatten().skip(start.saturating_sub(self.generated)).map(text);
        (start..self.generated).map(generated).chain(created).take(size).collect()
    }

    /// The created users whose attribute has this value.
    pub(super) fn find(&self, attribute: &str, value: &Value) -> Vec<String> {
        let positions = match (attribute.to_ascii_lowercase().as_str(), value.as_str()) {
            ("username", Some(value)) => self.by_name.get(&value.to_lowercase()),
            ("externalid", Some(value)) => self.by_external_id.get(value),
            ("id", Some(value)) => return self.read(value).into_iter().collect(),
            _ => {
                let (name, part) = attribute.split_once('.').unwrap_or((attribute, ""));
                let holds = |user: &&User| match user.get(name) {
                    Some(Value::Object(object)) => object.get(part) == Some(value),
                    held => held == Some(value),
                };
                return self.created.iter().flatten().filter(holds).map(text).collect();
            }
        };
        let user = |position: &usize| self.created.get(*position)?.as_ref().map(text);
        positions.into_iter().flatten().filter_map(user).collect()
    }

    /// Puts a user in the place of what is there.
    pub(super) fn replace(&mut self, id: &str, user: User) -> Option<String> {
        let position = position(id)?;
        let before = self.created.get_mut(position)?.take()?;
        self.forget(position, &before);
        Some(self.keep(position, complete(user, position)))
    }

    /// Applies the operations on whole attributes, with the attribute as `path` or inside `value`.
    pub(super) fn patch(&mut self, id: &str, message: &Map<String, Value>) -> Option<String> {
        let position = position(id)?;
        let mut user = self.created.get_mut(position)?.take()?;
        self.forget(position, &user);
        for operation in message.get("Operations").and_then(Value::as_array).into_iter().flatten() {
            let removes =
                operation.get("op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case("remove"));
            match (operation.get("path").and_then(Value::as_str), operation.get("value")) {
                (Some(path), _) if removes => drop(user.remove(path)),
                (Some(path), Some(value)) if !path.contains(['.', '[', ':']) => {
                    user.insert(path.to_owned(), value.clone());
                }
                (None, Some(Value::Object(values))) => user.extend(values.clone()),
                _ => {}
            }
        }
        Some(self.keep(position, user))
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Some(position) = position(id) else { return false };
        let Some(user) = self.created.get_mut(position).and_then(Option::take) else { return false };
        self.forget(position, &user);
        self.removed += 1;
        true
    }

    fn keep(&mut self, position: usize, user: User) -> String {
        let text = text(&user);
        self.index(position, &user);
        if let Some(place) = self.created.get_mut(position) {
            *place = Some(user);
        }
        text
    }

    fn index(&mut self, position: usize, user: &User) {
        self.by_name.entry(name(user)).or_default().push(position);
        if let Some(external_id) = external_id(user) {
            self.by_external_id.entry(external_id).or_default().push(position);
        }
    }

    fn forget(&mut self, position: usize, user: &User) {
        let others = |holders: &mut Vec<usize>| holders.retain(|holder| *holder != position);
        self.by_name.entry(name(user)).and_modify(others);
        if let Some(external_id) = external_id(user) {
            self.by_external_id.entry(external_id).and_modify(others);
        }
    }
}

fn complete(mut user: User, position: usize) -> User {
    user.insert("id".to_owned(), format!("u{position}").into());
    user.insert("meta".to_owned(), json!({"resourceType": "User", "location": format!("/Users/u{position}")}));
    user
}

fn name(user: &User) -> String {
    user.get("userName").and_then(Value::as_str).unwrap_or_default().to_lowercase()
}

fn external_id(user: &User) -> Option<String> {
    user.get("externalId").and_then(Value::as_str).map(str::to_owned)
}

fn position(id: &str) -> Option<usize> {
    id.strip_prefix('u')?.parse().ok()
}

fn generated_position(id: &str) -> Option<usize> {
    id.strip_prefix('g')?.parse().ok()
}

/// The text of the generated user at a position, always the same.
fn generated(position: usize) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"g{position}","externalId":"e{position}","userName":"user{position}@example.com","active":true,"displayName":"Given{position} Family{position}","name":{{"givenName":"Given{position}","familyName":"Family{position}"}},"emails":[{{"value":"user{position}@example.com","type":"work","primary":true}}],"meta":{{"resourceType":"User","location":"/Users/g{position}"}}}}"#
    )
}

fn text(user: &User) -> String {
    serde_json::to_string(user).unwrap_or_default()
}
