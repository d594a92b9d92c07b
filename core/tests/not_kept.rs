//! What a target does not keep of what it is sent is learnt from its answers, told once, and not sent for ever.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, TargetAccount, mock::MockTarget};
use rollkeeper::model::{LogFilter, User};
use rollkeeper::value::Attributes;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A target that answers with what `show` makes of an account.
struct Showing {
    target: MockTarget,
    show: Arc<Mutex<Show>>,
}

type Show = Box<dyn Fn(&mut Attributes) + Send>;

impl Showing {
    fn shown(&self, mut account: TargetAccount) -> TargetAccount {
        (self.show.lock().unwrap())(&mut account.attributes);
        account
    }
}

impl Connector for Showing {
    fn capabilities(&self) -> Capabilities {
        Capabilities { search: true, ..Capabilities::default() }
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.target.create(attributes, key).map(|account| self.shown(account))
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let account = self.target.update(external_id, changes, version)?;
        Ok(account.map(|account| self.shown(account)))
    }
}

struct Stage {
    world: World,
    target: MockTarget,
    show: Arc<Mutex<Show>>,
}

/// One user whose title is enforced, at a target that shows accounts in its own way.
fn stage(show: impl Fn(&mut Attributes) + Send + 'static) -> Stage {
    let world = World::new(&json!({}));
    let target = MockTarget::new();
    let show: Arc<Mutex<Show>> = Arc::new(Mutex::new(Box::new(show)));
    let connector = Showing { target: target.clone(), show: Arc::clone(&show) };
    world.engine.register_connector("showing", Arc::new(connector) as Arc<dyn Connector>).unwrap();
    let stage = Stage { world, target, show };
    stage.put_app(&json!({"target": "title", "source": "title", "strength": "strong"}));
    stage
}

impl Stage {
    fn put_app(&self, rule: &Value) {
        self.world.put_app(&json!({
            "connector": {"kind": "custom", "name": "showing"},
            "mapping": [{"target": "userName", "source": "username"}, {"target": "nickName", "source": "nick"}, rule],
        }));
        self.world.run();
    }

    fn put(&self, keys: &Value) {
        self.world.put(keys);
        self.world.run();
    }

    fn show(&self, show: impl Fn(&mut Attributes) + Send + 'static) {
        *self.show.lock().unwrap() = Box::new(show);
    }

    /// How often it was told that something is not kept.
    fn told(&self) -> usize {
        let entries = self.world.engine.log(&LogFilter::default()).unwrap();
        entries.iter().filter(|entry| entry.kind == "not_kept").count()
    }

    /// What the last update changed.
    fn changed(&self) -> Vec<String> {
        let calls = self.target.calls();
        let last = calls.last().and_then(|call| call.changes.clone()).unwrap_or_default();
        last.into_iter().map(|change| change.path).collect()
    }

    /// What an update would change, as the preview and as the explanation have it.
    fn foretold(&self) -> (Vec<Change>, Value) {
        let explanation = self.world.engine.explain("crm", "u1").unwrap();
        let evaluate = explanation.steps.into_iter().find(|step| step.step == "evaluate").unwrap();
        let preview = self.world.engine.preview("crm", "u1").unwrap();
        (preview.update.changes, evaluate.found.get("changes").cloned().unwrap_or_default())
    }

    fn not_kept(&self) -> Vec<String> {
        self.world.engine.explain("crm", "u1").unwrap().not_kept
    }
}

fn loses(attribute: &'static str) -> impl Fn(&mut Attributes) + Send {
    move |attributes| drop(attributes.remove(attribute))
}

#[test]
fn what_the_answer_lacks_is_told_once_and_not_sent_again_by_itself() {
    let stage = stage(loses("title"));
    stage.put(&json!({"title": "nurse"}));
    assert_eq!((stage.told(), stage.not_kept()), (1, vec!["title".to_owned()]));
    assert_eq!(stage.foretold(), (Vec::new(), json!([])), "it would not be sent again");
    stage.put(&json!({"title": "nurse", "nick": "annie"}));
    assert_eq!(stage.changed(), ["nickName"], "the title was sent before, and in vain");
    stage.put(&json!({"title": "doctor", "nick": "annie"}));
    assert_eq!(stage.changed(), ["title"], "what changed in the record is sent");
    stage.put(&json!({"title": "doctor", "nick": "ann"}));
    assert_eq!(stage.changed(), ["nickName"]);
    let next = json!({"id": "u1", "username": "ann", "profile": "Employees", "title": "doctor", "nick": "annie"});
    let preview = stage.world.engine.preview("crm", User::from_json(next.to_string().as_bytes()).unwrap()).unwrap();
    let paths: Vec<&str> = preview.update.changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["nickName"], "a preview shows what would be sent");
    stage.put(&json!({"id": "u2", "username": "bea", "title": "nurse"}));
    assert_eq!(stage.told(), 1);
    assert!(!stage.world.logged("not_kept", "nurse"), "names are told, and no values");
}

#[test]
fn without_that_a_strong_rule_is_sent_each_time() {
    let stage = stage(|_| {});
    stage.put(&json!({"title": "nurse"}));
    stage.show(loses("title"));
    stage.put(&json!({"title": "nurse", "nick": "annie"}));
    assert_eq!((stage.told(), stage.not_kept().len()), (0, 0), "an update tells of nothing but what it sent");
    stage.put(&json!({"title": "nurse", "nick": "ann"}));
    assert_eq!(stage.changed(), ["nickName", "title"]);
    assert_eq!(stage.told(), 1);
    stage.put(&json!({"title": "nurse", "nick": "annie"}));
    assert_eq!(stage.changed(), ["nickName"]);
}

#[test]
fn what_the_answer_shows_otherwise_is_not_kept_either() {
    let stage = stage(|attributes| drop(attributes.insert("title".to_owned(), json!("NUR"))));
    stage.put(&json!({"title": "nurse"}));
    assert_eq!(stage.not_kept(), ["title"]);
}

#[test]
fn what_the_target_adds_is_no_loss() {
    let stage = stage(|attributes| {
        attributes.insert("title".to_owned(), json!("nurse"));
        attributes.insert("locale".to_owned(), json!("de"));
    });
    stage.put(&json!({"title": "nurse"}));
    assert_eq!((stage.told(), stage.not_kept().len()), (0, 0));
}

#[test]
fn an_answer_that_shows_nothing_tells_nothing() {
    let stage = stage(Attributes::clear);
    stage.put(&json!({"title": "nurse"}));
    stage.show(|attributes| attributes.retain(|name, _| name == "externalId"));
    stage.put(&json!({"title": "doctor"}));
    stage.put(&json!({"id": "u2", "username": "bea", "title": "nurse"}));
    assert_eq!((stage.told(), stage.not_kept().len()), (0, 0));
}

#[test]
fn what_is_kept_later_is_sent_as_ever_and_not_news_when_it_is_lost_again() {
    let stage = stage(loses("title"));
    stage.put(&json!({"title": "nurse"}));
    stage.show(|_| {});
    stage.put(&json!({"title": "doctor"}));
    assert!(stage.not_kept().is_empty());
    stage.show(loses("title"));
    stage.put(&json!({"title": "nurse"}));
    assert_eq!((stage.told(), stage.not_kept()), (1, vec!["title".to_owned()]));
}

#[test]
fn a_changed_rule_is_tried_afresh() {
    let stage = stage(loses("title"));
    stage.put(&json!({"title": "nurse"}));
    stage.put_app(&json!({"target": "title", "source": "title", "strength": "strong", "default": {"value": "x"}}));
    assert_eq!(stage.changed(), ["title"]);
    assert_eq!(stage.told(), 2);
}

#[test]
fn passwords_and_sensitive_values_are_taken_and_not_shown() {
    let stage = stage(|attributes| attributes.retain(|name, _| name == "userName"));
    stage.put_app(&json!({"target": "password", "source": "title"}));
    stage.put(&json!({"title": "secret"}));
    stage.put_app(&json!({"target": "pin", "source": "title", "sensitive": true}));
    stage.put(&json!({"id": "u2", "username": "bea", "title": "secret"}));
    assert_eq!(stage.told(), 0);
}

#[test]
fn a_name_that_is_shown_beside_the_attributes_is_kept() {
    let stage = stage(loses("userName"));
    stage.put(&json!({"title": "nurse"}));
    stage.put(&json!({"username": "anna", "title": "nurse"}));
    assert_eq!((stage.told(), stage.not_kept().len()), (0, 0));
}
