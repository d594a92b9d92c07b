//! How a target is told who we are: a fixed header, or the access token of an authorization server, which is kept, renewed and
//! shared. The order of effects is here; when what is done says [`renewal`](crate::renewal).
//!
//! * One asks for a token, the others wait: within a process at the [`Desk`], between processes by a row of the store.
//! * A refresh token is stored before the access token that came with it is used. What cannot be stored is not used.
//! * Nothing is locked and no transaction open while the server is asked.

mod desk;
mod renew;

pub(crate) use desk::Desk;

use crate::connector::ConnectorError;
use crate::delivery::Host;
use crate::fault::Fault;
use crate::http::{Authorization, Http};
use crate::id::AppId;
use crate::model::{OAuth, Outcome, SecretSource};
use crate::secret::Secret;
use crate::time::Period;
use crate::value::{canonical, sha256_hex};
use desk::Turn;
use std::sync::{Arc, Weak};

/// What tokens need of the engine beside a run's needs.
pub(crate) trait Secrets: Host + Send {
    /// A secret of an app; none where it cannot be had.
    ///
    /// # Errors
    /// Store errors.
    fn secret(&self, app: &AppId, source: &SecretSource) -> Result<Option<Secret>, Fault>;

    /// Whether tokens are kept in the store: there is a key, and the store is not only read.
    ///
    /// # Errors
    /// Store errors.
    fn keeps_tokens(&self) -> Result<bool, Fault>;
}

/// The access token of one app.
pub(crate) struct OAuthAuthorization {
    app: AppId,
    oauth: OAuth,
    /// Which definition tokens are had by; those of another one are not used.
    definition: String,
    http: Arc<dyn Http>,
    timeout: Period,
    desk: Arc<Desk>,
    /// The engine, as long as it lives: it holds the connector that holds this.
    host: Weak<dyn Secrets>,
}

impl OAuthAuthorization {
    pub(crate) fn new(
        app: &AppId,
        oauth: &OAuth,
        http: Arc<dyn Http>,
        timeout: Period,
        desk: Arc<Desk>,
        host: Weak<dyn Secrets>,
    ) -> Self {
        let definition = serde_json::to_value(OAuth { expires_at: None, ..oauth.clone() }).unwrap_or_default();
        let definition = sha256_hex(canonical(&definition).as_bytes());
        Self { app: app.clone(), oauth: oauth.clone(), definition, http, timeout, desk, host }
    }

    /// The header with a token that is not the refused one.
    fn token(&self, refused: Option<&Secret>) -> Result<Secret, ConnectorError> {
        let closed = || not_applied(Fault::new(crate::fault::Code::Closed, "the engine is closed"));
        let host = self.host.upgrade().ok_or_else(closed)?;
        let refused = refused.and_then(|header| self.desk.serial_of(header));
        let clock = host.clock();
        match self.desk.turn(&self.definition, refused, || (clock.now(), clock.moment())) {
            Turn::Use(header) => Ok(header),
            Turn::Failed(error) => Err(error),
            Turn::Renew(ticket) => {
                let renewed = self.renew(host.as_ref(), refused);
                let renewed = self.desk.keep(renewed, clock.now());
                drop(ticket);
                renewed
            }
        }
    }
}

impl Authorization for OAuthAuthorization {
    fn header(&self) -> Result<Option<Secret>, ConnectorError> {
        self.token(None).map(Some)
    }

    fn renewed(&self, refused: &Secret) -> Result<Option<Secret>, ConnectorError> {
        self.token(Some(refused)).map(|token| Some(token).filter(|token| token != refused))
    }
}

/// Nothing was sent to the target, because of something on our side.
fn not_applied(fault: Fault) -> ConnectorError {
    ConnectorError::new(Outcome::NotApplied, fault.code.name(), fault.message)
}
