//! The verbs that tell and change nothing: log, launcher.

use super::{Engine, Error, Result};
use crate::delivery::Host;
use crate::model::{Account, AccountFilter, AccountStatus, LinkState, LogEntry, LogFilter, LogVerdict, Tile};

impl Engine {
    /// Log entries by number.
    ///
    /// # Errors
    /// Store errors.
    pub fn log(&self, filter: &LogFilter) -> Result<Vec<LogEntry>> {
        self.view(|tx| tx.log_entries(filter)).map_err(|fault| Error::new("log", fault))
    }

    /// Whether every log entry follows from the one before. Entries cut off the end are missed only by comparing the
    /// verdict's `head` with one kept elsewhere.
    ///
    /// # Errors
    /// Store errors. A broken chain is an answer, not an error.
    pub fn verify_log(&self) -> Result<LogVerdict> {
        self.view(|tx| tx.verify_log()).map_err(|fault| Error::new("verify_log", fault))
    }

    /// The tiles of a user: every linked, active account of an app that has a `launch_url`.
    ///
    /// # Errors
    /// Store errors.
    pub fn launcher(&self, user: &str) -> Result<Vec<Tile>> {
        let filter = AccountFilter {
            user: Some(user.to_owned()),
            status: Some(AccountStatus::Active),
            link_state: Some(LinkState::Linked),
            ..AccountFilter::default()
        };
        let accounts =
            self.view(|tx| tx.accounts(&filter)).map_err(|fault| Error::new("launcher", fault).about("user", user))?;
        let (apps, _) = self.shared.apps();
        let tile = |account: Account| {
            let app = &apps.get(&account.app)?.definition.app;
            Some(Tile {
                app: app.id.clone(),
                label: app.display_label().to_owned(),
                url: app.launch_url.clone()?,
                icon: app.icon.clone(),
                state: if account.frozen { "frozen" } else { "active" }.to_owned(),
            })
        };
        Ok(accounts.into_iter().filter_map(tile).collect())
    }
}
