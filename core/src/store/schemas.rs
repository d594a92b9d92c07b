//! What targets said about themselves.

use super::Tx;
use crate::fault::{Code, Fault};
use crate::id::AppId;
use crate::model::{App, ConnectorDefinition, TargetDescription};
use crate::value::canonical;
use rusqlite::{Row, params};
use std::collections::BTreeMap;

impl Tx<'_> {
    /// What the app's target said when it was last asked; none where it never was, or the app has another target now.
    pub(crate) fn target_schema(&self, app: &App) -> Result<Option<TargetDescription>, Fault> {
        let text = "SELECT app_id, target, description FROM target_schema WHERE app_id = $1";
        let found = self.row(text, [app.id.as_str()], parts)?;
        Ok(found.and_then(|(_, target, description)| description_of(app, &target, &description)))
    }

    /// The same for each of these apps.
    pub(crate) fn target_schemas(&self, apps: &[App]) -> Result<BTreeMap<AppId, TargetDescription>, Fault> {
        let rows = self.rows("SELECT app_id, target, description FROM target_schema ORDER BY app_id", [], parts)?;
        let read = |(id, target, description): (String, String, String)| {
            let app = apps.iter().find(|app| app.id.as_str() == id)?;
            Some((app.id.clone(), description_of(app, &target, &description)?))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Stores what the app's target said. What was wrong with it is for whoever asked, and is not kept.
    pub(crate) fn put_target_schema(&self, app: &App, description: &TargetDescription) -> Result<(), Fault> {
        let description = TargetDescription { findings: Vec::new(), ..description.clone() };
        let mut value = serde_json::to_value(description)
            .map_err(|_| Fault::new(Code::Internal, "a target's schema could not be written"))?;
        if let Some(object) = value.as_object_mut() {
            object.remove("findings");
        }
        self.execute(
            "INSERT INTO target_schema (app_id, target, description, discovered_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (app_id) DO UPDATE SET target = excluded.target, description = excluded.description,
             discovered_at = excluded.discovered_at",
            params![app.id.as_str(), target_of(app), canonical(&value), self.now.as_micros()],
        )?;
        self.raise_apps_revision()
    }
}

fn parts(row: &Row<'_>) -> rusqlite::Result<(String, String, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// A description of another target says nothing, nor does one in a form that a later version stored; asking again helps.
fn description_of(app: &App, target: &str, description: &str) -> Option<TargetDescription> {
    if target != target_of(app) {
        return None;
    }
    serde_json::from_str(description).ok()
}

/// Which target a definition leads to; other settings may change without it becoming another.
pub(crate) fn target_of(app: &App) -> String {
    match &app.connector {
        ConnectorDefinition::Scim(scim) => format!("scim {}", scim.base_url),
        ConnectorDefinition::Mock { .. } => "mock".to_owned(),
        ConnectorDefinition::Custom { name, .. } => format!("custom {name}"),
    }
}
