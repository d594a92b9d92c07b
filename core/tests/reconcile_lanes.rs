//! Deliveries go on while a target is read: what we did ourselves meanwhile is never taken for a difference.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::mock::{MockOptions, MockTarget};
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, Page, TargetAccount};
use rollkeeper::model::{AccountFilter, App, ItemState, PlanFilter, PlanItem, User};
use rollkeeper::value::Attributes;
use rollkeeper::{Engine, RunOptions};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A target that lets something happen after its first page was read.
struct Busy {
    target: MockTarget,
    meanwhile: Meanwhile,
}

impl Connector for Busy {
    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.target.create(attributes, key)
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        self.target.update(external_id, changes, version)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.target.deactivate(external_id)
    }

    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.target.delete(external_id)
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.target.find(attribute, value)
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.target.read(external_id)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        let page = self.target.list(cursor, filter);
        let happens = self.meanwhile.lock().unwrap().take();
        if let Some(happens) = happens {
            happens();
        }
        page
    }
}

struct Office {
    engine: Engine,
    target: MockTarget,
    meanwhile: Meanwhile,
}

impl Office {
    fn new() -> Self {
        let target = MockTarget::with_options(MockOptions { page_size: 2, ..MockOptions::default() });
        let meanwhile = Meanwhile::default();
        let engine = Engine::builder().seed(3).open().unwrap();
        let busy = Busy { target: target.clone(), meanwhile: Arc::clone(&meanwhile) };
        engine.register_connector("busy", Arc::new(busy)).unwrap();
        let app = json!({
            "id": "crm", "connector": {"kind": "custom", "name": "busy"}, "assigned_to": {"profiles": ["Employees"]},
            "mapping": [{"target": "userName", "source": "username", "required": true},
                {"target": "title", "source": "title", "strength": "strong"}],
            "matching": [{"all": [{"user": "username", "account": "userName"}]}],
            "operations": {"delete": true},
            "deprovision": {"unassigned": {"action": "delete"}},
            "reconcile": {"reactions": {"absent": "create", "missing": "create", "orphaned": "delete", "drifted": "update",
                "unqualified": "deactivate", "found": "link"}},
        });
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
        let office = Self { engine, target, meanwhile };
        for id in ["u0", "u1", "u2", "u3"] {
            office.put(id, &json!({}));
        }
        office.run();
        office
    }

    fn put(&self, id: &str, more: &Value) {
        put(&self.engine, id, more);
    }

    fn run(&self) {
        self.engine.run(&RunOptions::default()).unwrap();
    }

    /// The items of a plan for which something happens after the first of its pages was read.
    fn plan(&self, happens: impl FnOnce(&Engine, &MockTarget) + Send + 'static) -> Vec<PlanItem> {
        let (engine, target) = (self.engine.clone(), self.target.clone());
        *self.meanwhile.lock().unwrap() = Some(Box::new(move || happens(&engine, &target)));
        let found = self.engine.reconcile("crm", None).unwrap();
        let items = self.engine.plan(found.id.as_str(), &PlanFilter::default()).unwrap();
        let before = self.engine.accounts(&AccountFilter::default()).unwrap();
        self.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap();
        // What was read before the change does not take the place of what came of it.
        assert_eq!(self.engine.accounts(&AccountFilter::default()).unwrap(), before);
        items
    }
}

fn put(engine: &Engine, id: &str, more: &Value) {
    let mut user = json!({"id": id, "username": id, "profile": "Employees", "title": "Dr"});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

/// Nothing is done; what is said of the user says why.
fn told_only(items: &[PlanItem]) {
    for item in items {
        assert_eq!(item.state, ItemState::Reported, "{item:?}");
        let says = |why: &String| why.contains("while the target was read") || why.contains("incomplete");
        assert!(item.why.iter().any(says), "{item:?}");
    }
}

#[test]
fn an_account_made_after_its_page_was_read_is_not_missing() {
    let office = Office::new();
    let items = office.plan(|engine, target| {
        put(engine, "u9", &json!({}));
        engine.run(&RunOptions::default()).unwrap();
        // A target that shows new accounts first: this one stands on a page that was read before.
        let made = target.accounts().last().unwrap().clone();
        assert!(target.remove_account(&made.external_id));
    });
    assert_eq!(items.len(), 1, "{items:#?}");
    told_only(&items);
}

#[test]
fn an_account_deleted_after_its_page_was_read_is_neither_found_nor_linked_again() {
    let office = Office::new();
    let items = office.plan(|engine, _| {
        put(engine, "u0", &json!({"profile": "Guests"}));
        engine.run(&RunOptions::default()).unwrap();
    });
    assert!(!items.is_empty());
    told_only(&items);
    assert_eq!(office.target.accounts().len(), 3);
}

#[test]
fn an_account_changed_after_its_page_was_read_has_not_drifted() {
    let office = Office::new();
    let items = office.plan(|engine, _| {
        put(engine, "u1", &json!({"title": "Prof"}));
        engine.run(&RunOptions::default()).unwrap();
    });
    assert_eq!(items.len(), 1, "{items:#?}");
    told_only(&items);
    let account = office.target.accounts().into_iter().find(|one| one.username.as_deref() == Some("u1")).unwrap();
    assert_eq!(account.attributes.get("title"), Some(&json!("Prof")));
}

#[test]
fn what_is_still_to_be_sent_is_not_planned_a_second_time() {
    let office = Office::new();
    let items = office.plan(|engine, _| put(engine, "u2", &json!({"title": "Prof"})));
    assert_eq!(items.len(), 1, "{items:#?}");
    told_only(&items);
    let open = office.engine.requests(&rollkeeper::model::RequestFilter::default()).unwrap();
    let updates = open.iter().filter(|one| one.operation == rollkeeper::Operation::Update).count();
    assert_eq!(updates, 1);
}
