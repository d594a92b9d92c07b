//! A process that dies around a change of a group's members: the file as it lies at each call, before the target did it and
//! after, is opened again beside a target as it was then, and everybody ends where they belong.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::mock::MockOptions;
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, RequestFilter, User};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// More than one call takes.
const USERS: usize = 104;

/// A file as a dead process leaves it, with the target as it was then.
struct Image {
    file: PathBuf,
    members: Vec<String>,
    at: Timestamp,
}

/// A target that takes an image around each change of members.
struct Camera {
    target: MockTarget,
    clock: VirtualClock,
    folder: PathBuf,
    images: Arc<Mutex<Vec<Image>>>,
}

impl Camera {
    fn shoot(&self) {
        let mut images = self.images.lock().unwrap();
        let file = self.folder.join(format!("image-{}.db", images.len()));
        fs::copy(self.folder.join("state.db"), &file).unwrap();
        let log = |file: &Path| PathBuf::from(format!("{}-wal", file.display()));
        fs::copy(log(&self.folder.join("state.db")), log(&file)).unwrap();
        images.push(Image { file, members: self.target.members("g"), at: self.clock.now() });
    }
}

impl Connector for Camera {
    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.target.read(external_id)
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.target.create(attributes, key)
    }

    fn update(&self, id: &str, changes: &[Change], _: Option<&str>) -> Result<Option<TargetAccount>, ConnectorError> {
        self.target.update(id, changes, None)
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        self.shoot();
        let changed = self.target.change_members(group, add, remove);
        self.shoot();
        changed
    }
}

fn user(number: usize, sets: &Value) -> User {
    User::from_value(json!({"id": format!("u{number}"), "profile": "P", "permission_sets": sets})).unwrap()
}

fn options() -> MockOptions {
    MockOptions { groups: BTreeMap::from([("g".to_owned(), "Staff".to_owned())]), ..MockOptions::default() }
}

fn open(file: &Path, clock: &VirtualClock, connector: Arc<dyn Connector>) -> Engine {
    let engine = Engine::builder().path(file).clock(Arc::new(clock.clone())).seed(7).open().unwrap();
    engine.register_connector("shared", connector).unwrap();
    engine
}

#[test]
fn a_process_that_dies_around_a_batch_leaves_nobody_out_and_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(Timestamp::from_micros(0));
    let (target, images) = (MockTarget::with_options(options()), Arc::new(Mutex::new(Vec::new())));
    let camera = Camera {
        target: target.clone(),
        clock: clock.clone(),
        folder: folder.path().to_owned(),
        images: Arc::clone(&images),
    };
    let engine = open(&folder.path().join("state.db"), &clock, Arc::new(camera));
    let app = json!({"id": "crm", "connector": {"kind": "custom", "name": "shared"}, "create_without_match": true,
        "assigned_to": {"profiles": ["P"]}, "mapping": [{"target": "userName", "source": "id"}],
        "entitlements": [{"grant": "permission_set", "name": "Staff", "group": {"id": "g"}}]});
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    (0..USERS).for_each(|number| drop(engine.put_user(user(number, &json!(["Staff"])), None).unwrap()));
    engine.run(&RunOptions::default()).unwrap();
    let given = images.lock().unwrap().len();
    // Every third leaves the group again.
    (0..USERS).step_by(3).for_each(|number| drop(engine.put_user(user(number, &json!([])), None).unwrap()));
    engine.run(&RunOptions::default()).unwrap();
    let stay = target.members("g");
    assert_eq!(stay.len(), USERS - USERS.div_ceil(3));
    let accounts = target.accounts();
    let images = images.lock().unwrap();
    assert!(given >= 4 && images.len() >= given + 2, "two calls and one, each twice: {given}, {}", images.len());
    for (number, image) in images.iter().enumerate() {
        let clock = VirtualClock::new(image.at);
        let members = BTreeMap::from([("g".to_owned(), image.members.clone())]);
        let target = MockTarget::with_options(MockOptions { accounts: accounts.clone(), members, ..options() });
        let engine = open(&image.file, &clock, Arc::new(target.clone()));
        for _ in 0..4 {
            engine.run(&RunOptions::default()).unwrap();
            clock.advance(Period::from_seconds(200));
        }
        let expected = if number < given { USERS } else { stay.len() };
        assert_eq!(target.members("g").len(), expected, "image {number}");
        let all = engine.requests(&RequestFilter { limit: Some(2_000), ..RequestFilter::default() }).unwrap();
        assert!(all.iter().all(|request| request.state.is_finished()), "image {number}");
        assert!(engine.verify_log().unwrap().whole, "image {number}");
    }
}
