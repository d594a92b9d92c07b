//! The apps of a simulated world, how their targets are, and the disk images that worlds begin with.

use super::people::Person;
use super::target::{Nature, Surroundings, Target};
use super::time::Time;
use super::transcript::Transcript;
use crate::disk::{Disk, Image};
use crate::lossy_vfs::LossyStore;
use crate::snapshots::Chance;
use rollkeeper::model::{App, User};
use rollkeeper::{Engine, Period};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// The apps. Who has the profile `Employees` is entitled to the first, who has the permission set `Wiki` to the second.
pub(super) const APPS: [&str; 2] = ["crm", "wiki"];

/// The key of every store.
pub(super) const KEY: [u8; 32] = [7; 32];

/// How the apps of a world are defined. Each shape is an image of its own; the second half are the shapes of wide worlds.
pub(super) const SHAPES: u64 = 2 * PLAIN;
pub(super) const PLAIN: u64 = 4;

/// How many people a world begins with.
pub(super) const BEGINNERS: u64 = 3;

/// The definition of an app in a shape.
pub(super) fn definition(app: &str, shape: u64, enabled: bool) -> Value {
    let matches = json!([{"all": [{"user": "username", "account": "userName"}]}]);
    let assigned = match app {
        "crm" => json!({"profiles": ["Employees"]}),
        _ => json!({"permission_sets": ["Wiki"]}),
    };
    let mut document = json!({
        "id": app,
        "enabled": enabled,
        "connector": {"kind": "custom", "name": app},
        "assigned_to": assigned,
        "mapping": [
            {"target": "userName", "source": "username", "required": true},
            {"target": "title", "source": "title"},
            {"target": "version", "source": "version", "required": true},
        ],
    });
    let more = match shape % PLAIN {
        0 => json!({"matching": matches, "reconcile": {"reactions": {"unqualified": "deactivate"}}}),
        1 => json!({
            "create_without_match": true,
            "operations": {"delete": true},
            "deprovision": {"deleted": {"action": "delete"}},
        }),
        2 => json!({
            "matching": matches,
            "operations": {"delete": true},
            "deprovision": {"deleted": {"action": "disable_then_delete", "after": "P5D"}},
            "rate": {"per_second": 2.0},
        }),
        _ => json!({
            "create_without_match": true,
            "retry": {"attempts": 3, "first": "PT10S", "cap": "PT10M"},
            "settle": {"life": "PT60S", "visible": "PT20S"},
            "rate": {"concurrency": 1},
        }),
    };
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    if shape >= PLAIN {
        widen(&mut document, app, shape);
    }
    document
}

/// Everybody wants the same login, has a manager, and waits for a person in one of the apps.
fn widen(document: &mut Value, app: &str, shape: u64) {
    if let Some(mapping) = document.get_mut("mapping").and_then(Value::as_array_mut) {
        mapping.push(json!({"target": "manager", "source": "manager"}));
        mapping.push(json!({"target": "login", "expression": "'smith' + token", "required": true, "unique": true}));
    }
    // What is only linked keeps its values until the next record.
    let mut reactions = json!({"found": "update", "drifted": "update"});
    let own = document.pointer("/reconcile/reactions").and_then(Value::as_object).cloned();
    reactions.as_object_mut().into_iter().for_each(|reactions| reactions.extend(own.clone().unwrap_or_default()));
    let Some(document) = document.as_object_mut() else { return };
    document.insert("reconcile".to_owned(), json!({"reactions": reactions}));
    if needs_approval(app, shape) {
        document.insert("approval".to_owned(), json!({"operations": ["create"]}));
    }
}

/// Whether a person has to agree before an account is made.
pub(super) fn needs_approval(app: &str, shape: u64) -> bool {
    shape >= PLAIN && app == "wiki"
}

/// As [`definition`], read.
pub(super) fn app(id: &str, shape: u64, enabled: bool) -> Result<App, String> {
    App::from_json(definition(id, shape, enabled).to_string().as_bytes()).map_err(|fault| fault.to_string())
}

/// How the target of an app in a shape is, the rest by chance.
pub(super) fn nature(shape: u64, chance: &mut Chance) -> Nature {
    let (life, visible) = if shape % PLAIN == 3 { (60, 20) } else { (120, 60) };
    let unique = chance.percent(40);
    let key = !unique && chance.percent(30);
    Nature {
        unique,
        key,
        search: !key || chance.percent(60),
        freeze: chance.percent(50),
        life: Period::from_seconds(life),
        visible: Period::from_seconds(visible),
    }
}

/// A folder in memory where there is one, for the empty files and locks that engines make.
pub(super) fn folder() -> Result<PathBuf, String> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = base.join(format!("rollkeeper-simulation-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map(|()| folder).map_err(|error| error.to_string())
    });
    made.clone()
}

/// The image of a shape, made once in this process: apps, and people for whom nothing was sent yet.
pub(super) fn image(shape: u64) -> Result<Image, String> {
    static IMAGES: OnceLock<Vec<Result<Image, String>>> = OnceLock::new();
    let images = IMAGES.get_or_init(|| (0..SHAPES).map(make_image).collect());
    let found = usize::try_from(shape).ok().and_then(|shape| images.get(shape));
    found.cloned().unwrap_or_else(|| Err(format!("there is no shape {shape}")))
}

fn make_image(shape: u64) -> Result<Image, String> {
    let failed = |error: rollkeeper::Error| error.to_string();
    let time = Time::new();
    let store = new_store(&folder()?, Disk::default())?;
    let around = Surroundings {
        time: time.clone(),
        disk: store.share(),
        transcript: Arc::new(Mutex::new(Transcript::new(false))),
    };
    let builder = Engine::builder().path(store.path()).clock(Arc::new(time.clock)).seed(shape).key(KEY);
    let engine = builder.open().map_err(failed)?;
    for id in APPS {
        let target = Target::new(id, nature(shape, &mut Chance::new(shape)), &around, Chance::new(0));
        engine.register_connector(id, Arc::new(target)).map_err(failed)?;
        engine.put_app(app(id, shape, true)?, None).map_err(failed)?;
    }
    for number in 1..=BEGINNERS {
        let user = User::from_value(Person::new(number).record()).map_err(|fault| fault.to_string())?;
        engine.put_user(user, None).map_err(failed)?;
    }
    drop(engine);
    let image = store.disk().image();
    Ok(image)
}

pub(super) fn new_store(folder: &Path, disk: Disk) -> Result<LossyStore, String> {
    LossyStore::new(folder, disk).map_err(|code| format!("SQLite refuses the VFS: {code}"))
}
