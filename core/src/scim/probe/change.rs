//! How an account is changed: the forms of PATCH, PUT, versions, and what becomes of `active`.

use super::super::body::{self, PathChange};
use super::super::schema::ENTERPRISE_USER;
use super::Probe;
use super::conclude::Effect;
use crate::connector::{Change, ChangeKind, Connector, ConnectorError};
use crate::http::{Method, Response};
use serde_json::{Value, json};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Texts that an account may keep, the one first that is tried with.
const TEXTS: [&str; 4] = ["title", "displayName", "name.familyName", "name.givenName"];

/// One change of an attribute; a value of none takes it away.
fn change(path: &str, value: Option<Value>) -> Option<PathChange> {
    let kind = if value.is_some() { ChangeKind::Replace } else { ChangeKind::Remove };
    PathChange::read_all(&[Change { kind, path: path.to_owned(), value }]).ok()?.pop()
}

impl Probe<'_> {
    fn is_kept(&self, path: &str) -> bool {
        let wanted = change(path, None).map(|change| change.path);
        wanted.is_some_and(|path| self.kept.iter().any(|kept| kept.path.as_str() == path.as_str()))
    }

    /// The first text that the account shows.
    pub(super) fn text(&self) -> Option<&'static str> {
        TEXTS.into_iter().find(|path| self.is_kept(path))
    }

    fn patch(&self, id: &str, body: &Value) -> Result<Response, ConnectorError> {
        self.connector.send_change(Method::Patch, id, Some(body))
    }

    fn effect(&self, id: &str, answer: &Result<Response, ConnectorError>, change: &PathChange) -> Effect {
        let status = answer.as_ref().ok().map(|response| response.status);
        Effect::of(status, self.shows(id, change))
    }

    fn put(&self, id: &str, change: &PathChange) -> Effect {
        match self.connector.put(id, std::slice::from_ref(change)) {
            _ if self.shows(id, change) => Effect::Works,
            Ok(_) => Effect::Ignored,
            Err(_) => Effect::Refused,
        }
    }

    /// The forms of PATCH, and PUT for what none of them changed.
    pub(super) fn change(&mut self, id: &str) {
        let Some(text) = self.text() else {
            return self.note("patch", "there is no text to change that the account shows", "unknown");
        };
        let mut forms = vec![("patch", text)];
        let others = [
            ("patch_part", "name.familyName"),
            ("patch_extension", &format!("{ENTERPRISE_USER}:department")),
            ("patch_filter_path", "emails[type eq \"work\"].value"),
        ];
        forms.extend(others.into_iter().filter(|(_, path)| *path != text && self.is_kept(path)));
        for (step, path) in forms {
            self.change_at(id, step, path);
        }
        self.patch_without_path(id, text);
        self.put_alone(id, text);
        self.clear(id, text);
    }

    fn change_at(&mut self, id: &str, step: &str, path: &str) {
        let value = match step {
            "patch_filter_path" => json!(format!("{}-new@example.com", self.name)),
            _ => json!(self.fresh()),
        };
        let Some(change) = change(path, Some(value)) else { return };
        let shown = if step == "patch_filter_path" { self.read(id) } else { None };
        let Some(body) = body::of_part(std::slice::from_ref(&change), shown.as_ref(), true) else { return };
        let answer = self.patch(id, &body);
        let mut effect = self.effect(id, &answer, &change);
        self.note(step, &format!("`{path}` is replaced by PATCH"), effect.word());
        if let Some(shown) = shown {
            self.found.features.remove("filter_paths");
            if effect == Effect::Works {
                self.found.learn("filter_paths", true);
            } else if let Some(body) = body::of_whole_patch(std::slice::from_ref(&change), &shown) {
                let answer = self.patch(id, &body);
                effect = self.effect(id, &answer, &change);
                self.note("patch_list", "the whole list `emails` is replaced by PATCH", effect.word());
                if effect == Effect::Works {
                    self.found.learn("filter_paths", false);
                }
            }
        }
        let by_put = (!matches!(effect, Effect::Works | Effect::Unknown)).then(|| self.put(id, &change));
        if let Some(effect) = by_put {
            self.note(&format!("{step}_by_put"), &format!("`{path}` is changed by PUT"), effect.word());
        }
        let attribute = change.path.list().unwrap_or(change.path).attribute();
        self.tries.add(attribute, effect, by_put);
    }

    /// An object of values in the place of a path, as Microsoft Entra and Okta send it. It is told, and we do not send it.
    fn patch_without_path(&mut self, id: &str, text: &str) {
        let value = self.fresh();
        let Some(change) = change(text, Some(json!(value))).filter(|_| !text.contains('.')) else { return };
        let body = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "value": {text: value}}]});
        let answer = self.patch(id, &body);
        let effect = self.effect(id, &answer, &change);
        self.note("patch_without_path", &format!("`{text}` is replaced by PATCH without a path"), effect.word());
    }

    fn put_alone(&mut self, id: &str, text: &str) {
        let value = json!(self.fresh());
        let Some(change) = change(text, Some(value)) else { return };
        let effect = self.put(id, &change);
        self.note("put", &format!("the account is read, `{text}` changed, and put as a whole"), effect.word());
    }

    /// Whether a text goes away, and if not whether an empty one does instead.
    fn clear(&mut self, id: &str, text: &str) {
        let Some(removal) = change(text, None).filter(|_| text == "title") else { return };
        let answer = match body::of_patch(std::slice::from_ref(&removal), Default::default()) {
            Some(body) => self.patch(id, &body),
            None => return,
        };
        let effect = self.effect(id, &answer, &removal);
        self.note("patch_remove", &format!("`{text}` is removed by PATCH"), effect.word());
        match (effect, removal.with_empty()) {
            (Effect::Works, _) => self.found.learn("clear_with_empty", false),
            (Effect::Ignored, Some(empty)) => {
                let body = body::of_patch(std::slice::from_ref(&empty), Default::default()).unwrap_or_default();
                let answer = self.patch(id, &body);
                let effect = self.effect(id, &answer, &removal);
                self.note("patch_empty", &format!("an empty text takes the place of `{text}`"), effect.word());
                if effect == Effect::Works {
                    self.found.learn("clear_with_empty", true);
                }
            }
            _ => {}
        }
    }

    /// Whether a change is refused that names a version which is past (RFC 7644 §3.14).
    pub(super) fn versions(&mut self, id: &str) {
        let tried = "a change names the version before the last, and one the last";
        let Some(text) = self.text() else { return };
        let Some(before) = self.version(id) else { return self.note("version", "the account is read", "none") };
        let (first, second, third) = (self.fresh(), self.fresh(), self.fresh());
        let _ = self.change_version(id, text, &first, None);
        let Some(now) = self.version(id).filter(|now| *now != before) else {
            return self.note("version", "the account is changed and read", "does_not_move");
        };
        let stale = self.change_version(id, text, &second, Some(&before));
        let current = match stale {
            Some(412) => self.change_version(id, text, &third, Some(&now)),
            _ => None,
        };
        let conclusion = match (stale, current) {
            (Some(412), Some(200..=299)) => "heeded",
            (Some(412), Some(412)) => "always_refused",
            (Some(200..=299), _) => "not_heeded",
            _ => "unknown",
        };
        self.note("version", tried, conclusion);
        match conclusion {
            "heeded" => self.found.learn("if_match", true),
            "always_refused" | "not_heeded" => self.found.learn("if_match", false),
            _ => {}
        }
    }

    fn version(&self, id: &str) -> Option<String> {
        self.connector.seen(id).ok().flatten()?.1
    }

    /// The status of a change that names a version.
    fn change_version(&self, id: &str, text: &str, value: &str, version: Option<&str>) -> Option<u16> {
        let change = change(text, Some(json!(value)))?;
        let url = self.connector.url_of(id).ok()?;
        let (method, body) = match self.tries.patches() {
            true => (Method::Patch, body::of_patch(std::slice::from_ref(&change), Default::default())?),
            false => {
                (Method::Put, body::of_put(self.connector.resource(id).ok().flatten()?, std::slice::from_ref(&change)))
            }
        };
        let needed = if version.is_none() && self.connector.exchange.knowledge.names_versions() {
            self.version(id)
        } else {
            None
        };
        let answer = self.connector.exchange.send_for(method, &url, Some(&body), version.or(needed.as_deref()));
        answer.ok().map(|response| response.status)
    }

    /// Whether an account that is disabled stays so, and in which form that is taken; then it is enabled again.
    pub(super) fn disable(&mut self, id: &str) {
        let Some(change) = change("active", Some(json!(false))) else { return };
        if !self.is_kept("active") {
            return self.note("active", "the account does not show whether it is active", "hidden");
        }
        let body = |value: Value| json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": value}]});
        let answer = self.patch(id, &body(json!(false)));
        let is_gone = matches!(self.connector.read(id), Ok(None));
        let is_done = answer.as_ref().is_ok_and(|response| (200..300).contains(&response.status));
        let by_patch = if is_gone && is_done { Effect::Works } else { self.effect(id, &answer, &change) };
        let mut conclusion = if by_patch == Effect::Works { "kept" } else { by_patch.word() };
        let by_put = (!matches!(by_patch, Effect::Works | Effect::Unknown)).then(|| self.put(id, &change));
        if by_put == Some(Effect::Works) {
            conclusion = "by_put";
        } else if by_put.is_some() && self.effect(id, &self.patch(id, &body(json!("False"))), &change) == Effect::Works
        {
            conclusion = "as_text";
        } else if is_gone {
            conclusion = "not_shown_any_more";
        }
        self.note("active", "the account is disabled by `active`, by PATCH, else by PUT, else as a text", conclusion);
        self.tries.add("active".to_owned(), by_patch, by_put);
        let enabled = self.connector.update(id, &[enable()], None);
        let is_back = PathChange::read_all(&[enable()]).is_ok_and(|one| one.iter().all(|one| self.shows(id, one)));
        let conclusion = if is_back {
            "works"
        } else if enabled.is_ok() {
            "ignored"
        } else {
            "refused"
        };
        self.note("enable", "the account is enabled again", conclusion);
        if is_gone && !is_back {
            self.made.iter_mut().filter(|made| made.id == id).for_each(|made| made.hidden = true);
        }
    }
}

fn enable() -> Change {
    Change { kind: ChangeKind::Replace, path: "active".to_owned(), value: Some(json!(true)) }
}
