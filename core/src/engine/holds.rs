//! The verbs that hold back: a person holds and resumes, a target is in maintenance.

use super::{Engine, Error, Result};
use crate::governance;
use crate::model::{Hold, HoldScope};

impl Engine {
    /// Holds an app, a user, one user in one app, or one request: nothing of it is sent until it is resumed, removals of
    /// access neither. They stay open, and the log tells of them. What was sent already is answered. What is held already
    /// stays as it was, and its hold is given.
    ///
    /// # Errors
    /// `invalid_argument` where nothing is named, a request together with something else, or no reason; `not_found` for
    /// what is named; `invalid_transition` where the request is finished; store errors.
    pub fn hold(&self, scope: &HoldScope, by: &str, reason: &str) -> Result<Hold> {
        let held = self.transact(|tx, apps| governance::hold(tx, apps, scope, by, reason));
        self.shared.run.recall();
        held.map_err(|fault| about("hold", fault, scope))
    }

    /// Ends the hold of exactly that scope, and gives it; `None` where that is not held. What another hold names stays held:
    /// a request goes on when nobody holds it, its user or its app any more.
    ///
    /// # Errors
    /// `invalid_argument` and `not_found` as of [`Engine::hold`]; store errors.
    pub fn resume(&self, scope: &HoldScope, by: &str) -> Result<Option<Hold>> {
        self.transact(|tx, apps| governance::resume(tx, apps, scope, by)).map_err(|fault| about("resume", fault, scope))
    }

    /// Everything that is held, the longest held first.
    ///
    /// # Errors
    /// Store errors.
    pub fn holds(&self) -> Result<Vec<Hold>> {
        self.view(|tx| tx.holds()).map_err(|fault| Error::new("holds", fault))
    }

    /// Begins or ends the maintenance of an app's target. While it lasts nothing is sent, and requests wait. Said twice, it
    /// changes nothing.
    ///
    /// # Errors
    /// `not_found` for the app; store errors.
    pub fn set_maintenance(&self, app: &str, on: bool, by: &str) -> Result<()> {
        let set = self.transact(|tx, apps| governance::set_maintenance(tx, apps, app, on, by));
        self.shared.run.recall();
        set.map_err(|fault| Error::new("set_maintenance", fault).about("app", app))
    }
}

/// The error with what the scope names.
fn about(operation: &'static str, fault: crate::fault::Fault, scope: &HoldScope) -> Error {
    let named = [("app", &scope.app), ("user", &scope.user), ("request", &scope.request)];
    let error = Error::new(operation, fault);
    named.into_iter().fold(error, |error, (kind, id)| match id {
        Some(id) => error.about(kind, id),
        None => error,
    })
}
