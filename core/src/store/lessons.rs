//! What connectors learnt of their targets.

use super::Tx;
use super::schemas::target_of;
use crate::fault::Fault;
use crate::model::App;
use crate::value::{Attributes, canonical_object};
use rusqlite::params;

impl Tx<'_> {
    /// What was learnt of the app's target; nothing where the app has another target now.
    pub(crate) fn lessons(&self, app: &App) -> Result<Attributes, Fault> {
        let learnt: Option<String> = self.row(
            "SELECT learnt FROM lesson WHERE app_id = $1 AND target = $2",
            params![app.id.as_str(), target_of(app)],
            |row| row.get(0),
        )?;
        // What cannot be read is learnt again.
        Ok(learnt.and_then(|learnt| serde_json::from_str(&learnt).ok()).unwrap_or_default())
    }

    /// Which of the lessons were taught by something else than use, and by what.
    pub(crate) fn lesson_origins(&self, app: &App) -> Result<Attributes, Fault> {
        let origins: Option<String> = self.row(
            "SELECT origins FROM lesson WHERE app_id = $1 AND target = $2",
            params![app.id.as_str(), target_of(app)],
            |row| row.get(0),
        )?;
        Ok(origins.and_then(|origins| serde_json::from_str(&origins).ok()).unwrap_or_default())
    }

    /// Stores what was learnt of the app's target, and what taught it. Gives whether that is new.
    pub(crate) fn put_lessons(&self, app: &App, learnt: &Attributes, origins: &Attributes) -> Result<bool, Fault> {
        let changed = self.execute(
            "INSERT INTO lesson (app_id, target, learnt, origins, learnt_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (app_id) DO UPDATE SET target = excluded.target, learnt = excluded.learnt,
             origins = excluded.origins, learnt_at = excluded.learnt_at
             WHERE target <> excluded.target OR learnt <> excluded.learnt OR origins <> excluded.origins",
            params![
                app.id.as_str(),
                target_of(app),
                canonical_object(learnt),
                canonical_object(origins),
                self.now.as_micros()
            ],
        )?;
        Ok(changed > 0)
    }
}
