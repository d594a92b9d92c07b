//! What a server of the zoo answers from its directory.

use super::directory::{Kept, Record, ago};
use super::patch::{self, Refusal};
use super::personality::{Deletes, Discovery, ErrorBody, Etag, Location, Shown};
use super::selection::part;
use super::shape::{version, written};
use super::{Shared, State};
use crate::http::{Request, Response, decode};
use serde_json::{Value, json};

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
pub(super) const MISSING: Refusal = Refusal { status: 404, kind: None, detail: "no such account" };

impl Shared {
    pub(super) fn handle(&self, state: &mut State, request: &Request) -> Response {
        let path = request.path.strip_prefix("/moved").unwrap_or(&request.path);
        let path = path.strip_prefix("/scim/v2").unwrap_or(path);
        let body = || serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        if let Some(place) = path.strip_prefix("/Groups") {
            return self.about_groups(state, request, place).unwrap_or_else(|refusal| self.refused(&refusal));
        }
        let answered = match (request.method.as_str(), path, path.strip_prefix("/Users/").map(decode)) {
            ("GET", "/Users", _) => self.list(state, &|name| request.parameter(name)),
            ("POST", "/Users/.search", _) => {
                let body = body();
                self.list(state, &|name| match body.get(name)? {
                    Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                })
            }
            ("POST", "/Users", _) => self.make(state, &body()),
            ("GET", _, Some(id)) => self.read(state, &id, request),
            ("PUT", _, Some(id)) => self.put(state, &id, body(), request),
            ("PATCH", _, Some(id)) => self.patch(state, &id, &body(), request),
            ("DELETE", _, Some(id)) => self.delete(state, &id),
            ("GET", place, _) => self.about(place),
            _ => Err(MISSING),
        };
        answered.unwrap_or_else(|refusal| self.refused(&refusal))
    }

    pub(super) fn refused(&self, refusal: &Refusal) -> Response {
        let Refusal { status, kind, detail } = refusal;
        let missing = self.bends.errors.missing.filter(|_| *status == 404);
        let duplicate = self.bends.create.duplicate.filter(|_| *status == 409);
        let status = missing.or(duplicate).unwrap_or(*status);
        let text = status.to_string();
        let page = "<!DOCTYPE html><html><body><h1>Error</h1></body></html>";
        let body = match self.bends.errors.body {
            ErrorBody::Standard => match kind {
                Some(kind) => json!({"schemas": [ERROR], "status": text, "scimType": kind, "detail": detail}),
                None => json!({"schemas": [ERROR], "status": text, "detail": detail}),
            },
            ErrorBody::NumberWithoutType => json!({"schemas": [ERROR], "status": status, "detail": detail}),
            ErrorBody::Absent => return Response::text(status, String::new()),
            ErrorBody::Page => {
                return Response { content_type: "text/html".into(), ..Response::text(status, page.to_owned()) };
            }
            ErrorBody::Wrong => {
                json!({"schemas": format!("[\"{ERROR}\"]"), "status": text, "scimType": "invalidSyntax", "detail": detail})
            }
            ErrorBody::Own => json!({"error": {"code": "E-17", "messages": [detail]}}),
        };
        Response::new(status, body)
    }

    pub(super) fn written(&self, kept: &Kept, record: &Record) -> Value {
        written(kept, record, &self.base, &self.bends)
    }

    fn make(&self, state: &mut State, body: &Value) -> Result<Response, Refusal> {
        let (store, bends) = (&self.bends.store, &self.bends.create);
        let record = body.as_object().cloned().unwrap_or_default();
        self.check(&record)?;
        let kept = state.directory.make(record, store, (self.now)())?;
        let whole = self.written(&kept, &kept.record);
        let body = match bends.shown {
            Shown::Whole | Shown::Stale => whole.to_string(),
            Shown::Nothing | Shown::Blank => String::new(),
            Shown::IdAlone => json!({"id": kept.id}).to_string(),
            Shown::WithoutId => {
                let mut whole = whole;
                whole.as_object_mut().into_iter().for_each(|whole| drop(whole.remove("id")));
                whole.to_string()
            }
        };
        let answer = Response::text(bends.status.unwrap_or(201), body);
        let id = crate::http::encode(&kept.id);
        let path = self.base.find("/scim").and_then(|start| self.base.get(start..)).unwrap_or_default();
        Ok(match bends.location {
            Location::Whole => answer.with_header("Location", format!("{}/Users/{id}", self.base)),
            Location::Relative => answer.with_header("Location", format!("{path}/Users/{id}")),
            Location::Elsewhere => answer.with_header("Location", format!("https://other.example/scim/Users/{id}")),
            Location::Undefined => answer.with_header("Location", format!("{}/Users/undefined", self.base)),
            Location::Absent => answer,
        })
    }

    /// What no account may be without, and what it may not have.
    fn check(&self, record: &Record) -> Result<(), Refusal> {
        let store = &self.bends.store;
        let has = |name: &String| match name.split_once('.') {
            Some((name, part)) => record.get(name).is_some_and(|value| value.get(part).is_some()),
            None => record.contains_key(name),
        };
        let wrong = |detail| Refusal { status: 400, kind: Some("invalidValue"), detail };
        if !store.requires.iter().all(has) {
            return Err(wrong("an attribute is missing"));
        }
        if store.refuses.iter().any(has) {
            return Err(wrong("an attribute is not known"));
        }
        Ok(())
    }

    /// The account, where it is shown at all.
    fn find(&self, state: &State, id: &str) -> Result<Kept, Refusal> {
        let kept = state.directory.find(id).ok_or(MISSING)?;
        if self.bends.store.inactive_is_gone && !kept.is_active() { Err(MISSING) } else { Ok(kept.clone()) }
    }

    fn read(&self, state: &State, id: &str, request: &Request) -> Result<Response, Refusal> {
        let kept = self.find(state, id)?;
        let record = kept.at(ago((self.now)(), self.bends.store.read_lag)).ok_or(MISSING)?;
        let shown = part(self.written(&kept, record), self.bends.parts, &|name| request.parameter(name))?;
        Ok(self.with_version(Response::new(200, shown), &kept))
    }

    fn with_version(&self, answer: Response, kept: &Kept) -> Response {
        match version(kept, self.bends.etag) {
            Some(version) if self.bends.etag != Etag::Bare => answer.with_header("ETag", version),
            _ => answer,
        }
    }

    /// Whether a change may be made to the version that the client knows (RFC 7644 §3.14).
    fn heed(&self, kept: &Kept, request: &Request) -> Result<(), Refusal> {
        let asked = request.header("if-match");
        let stale = Refusal { status: 412, kind: None, detail: "another version" };
        match self.bends.etag {
            Etag::None | Etag::Bare => Ok(()),
            Etag::Refuses => asked.map_or(Ok(()), |_| Err(stale)),
            Etag::Required if asked.is_none() => Err(Refusal { status: 428, kind: None, detail: "which version?" }),
            Etag::Heeded | Etag::Required => {
                let is_other = asked.is_some_and(|asked| version(kept, self.bends.etag).as_deref() != Some(asked));
                if is_other { Err(stale) } else { Ok(()) }
            }
        }
    }

    fn put(&self, state: &mut State, id: &str, body: Value, request: &Request) -> Result<Response, Refusal> {
        let kept = self.find(state, id)?;
        if let Some(status) = self.bends.put.refused {
            return Err(Refusal { status, kind: None, detail: "no PUT here" });
        }
        self.heed(&kept, request)?;
        let sent = body.as_object().cloned().unwrap_or_default();
        if self.bends.put.needs_id && !sent.contains_key("id") {
            return Err(Refusal { status: 400, kind: Some("invalidValue"), detail: "the id is missing" });
        }
        self.check(&sent)?;
        let record = match self.bends.put.partial {
            true => kept.record.clone().into_iter().chain(sent).collect(),
            false => sent,
        };
        self.change(state, &kept, record, 200)
    }

    fn patch(&self, state: &mut State, id: &str, body: &Value, request: &Request) -> Result<Response, Refusal> {
        let bends = &self.bends.patch;
        let kept = self.find(state, id)?;
        if let Some(status) = bends.refused {
            return Err(Refusal { status, kind: None, detail: "no PATCH here" });
        }
        self.heed(&kept, request)?;
        let mut record = kept.record.clone();
        let done = if bends.ignored { Ok(()) } else { patch::apply(body, bends, &mut record) };
        match done {
            Ok(()) => self.change(state, &kept, record, 200),
            Err(refusal) => {
                if bends.half_done {
                    self.change(state, &kept, record, 200)?;
                }
                Err(refusal)
            }
        }
    }

    fn change(&self, state: &mut State, kept: &Kept, mut record: Record, status: u16) -> Result<Response, Refusal> {
        let disables = kept.is_active() && record.get("active") == Some(&json!(false));
        if disables && state.ignored_disablings < self.bends.store.ignores_disabling {
            state.ignored_disablings += 1;
            record.insert("active".to_owned(), json!(true));
        }
        let changed = state.directory.put(&kept.id, record, &self.bends.store, (self.now)())?;
        let answer = match self.bends.update {
            Shown::Whole => Response::new(status, self.written(&changed, &changed.record)),
            Shown::WithoutId | Shown::IdAlone => Response::new(status, json!({"id": kept.id})),
            Shown::Stale => Response::new(status, self.written(kept, &kept.record)),
            Shown::Blank => Response::text(status, String::new()),
            Shown::Nothing => Response::text(204, String::new()),
        };
        Ok(self.with_version(answer, &changed))
    }

    fn delete(&self, state: &mut State, id: &str) -> Result<Response, Refusal> {
        let kept = self.find(state, id)?;
        match self.bends.store.deletes {
            Deletes::Really => drop(state.directory.remove(id)),
            Deletes::Disables => {
                let mut record = kept.record;
                record.insert("active".to_owned(), json!(false));
                state.directory.put(id, record, &self.bends.store, (self.now)())?;
            }
            Deletes::Refused => return Err(Refusal { status: 405, kind: None, detail: "nobody is deleted here" }),
        }
        Ok(Response::text(204, String::new()))
    }

    /// The documents about the server itself.
    fn about(&self, place: &str) -> Result<Response, Refusal> {
        let supported = |is: bool| json!({"supported": is});
        match (self.bends.discovery, place) {
            (Discovery::Absent, _) => Err(MISSING),
            (kind, "/ServiceProviderConfig") => {
                let works = kind != Discovery::Denies;
                let mut document = json!({
                    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                    "patch": supported(works), "bulk": supported(false), "filter": supported(works),
                    "changePassword": supported(false), "sort": supported(false), "etag": supported(false),
                    "authenticationSchemes": [],
                });
                if let (Discovery::Cursors, Some(document)) = (kind, document.as_object_mut()) {
                    let paging = json!({"cursor": true, "index": false, "defaultPaginationMethod": "cursor"});
                    document.insert("pagination".to_owned(), paging);
                }
                Ok(Response::new(200, document))
            }
            _ => Err(MISSING),
        }
    }
}
