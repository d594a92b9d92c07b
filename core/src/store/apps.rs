//! App definitions.

use super::{Tx, time_of};
use crate::fault::{Code, Fault};
use crate::id::AppId;
use crate::model::App;
use crate::time::Timestamp;
use crate::value::canonical;
use rusqlite::params;

impl Tx<'_> {
    /// The definition and whether the app was deleted.
    pub(crate) fn app(&self, id: &str) -> Result<Option<(App, Option<Timestamp>)>, Fault> {
        let row = self.row("SELECT definition, deleted_at FROM app WHERE id = $1", [id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?))
        })?;
        row.map(|(definition, deleted)| Ok((parse(&definition)?, time_of(deleted)))).transpose()
    }

    /// Every app that was not deleted, by id.
    pub(crate) fn apps(&self) -> Result<Vec<App>, Fault> {
        let texts = self.rows("SELECT definition FROM app WHERE deleted_at IS NULL ORDER BY id", [], |row| {
            row.get::<_, String>(0)
        })?;
        texts.iter().map(|text| parse(text)).collect()
    }

    /// A number that grows with every change of an app's definition, so that engines notice what others changed.
    pub(crate) fn apps_revision(&self) -> Result<u64, Fault> {
        Ok(self.meta("apps_revision")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    pub(super) fn raise_apps_revision(&self) -> Result<(), Fault> {
        self.put_meta("apps_revision", &(self.apps_revision()? + 1).to_string())
    }

    /// Stores a definition; an app that was deleted lives again.
    pub(crate) fn put_app(&self, app: &App) -> Result<(), Fault> {
        self.raise_apps_revision()?;
        let now = self.now.as_micros();
        self.execute(
            "INSERT INTO app (id, definition, created_at, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE SET definition = excluded.definition, updated_at = excluded.updated_at,
             deleted_at = NULL",
            params![app.id.as_str(), definition_text(app)?, now, now],
        )?;
        Ok(())
    }

    /// Marks an app as deleted. Its secrets and tokens are gone with it.
    pub(crate) fn delete_app(&self, id: &AppId) -> Result<(), Fault> {
        self.raise_apps_revision()?;
        self.execute("DELETE FROM secret WHERE app_id = $1", [id.as_str()])?;
        self.execute("DELETE FROM token WHERE app_id = $1", [id.as_str()])?;
        self.execute("UPDATE app SET deleted_at = $1 WHERE id = $2", params![self.now.as_micros(), id.as_str()])?;
        Ok(())
    }
}

/// The definition as canonical JSON, the form that is stored and exported.
pub(crate) fn definition_text(app: &App) -> Result<String, Fault> {
    let value = serde_json::to_value(app).map_err(|_| Fault::new(Code::Internal, "an app could not be written"))?;
    Ok(canonical(&value))
}

fn parse(definition: &str) -> Result<App, Fault> {
    App::from_json(definition.as_bytes())
        .map_err(|_| Fault::new(Code::StoreDamaged, "a stored app definition cannot be read"))
}
