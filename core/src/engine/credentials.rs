//! Credentials: where secrets are had from, what is known of them, and the verbs that put them.

use super::http_client::pem_of;
use super::{Engine, Error, Result, Shared, no_app};
use crate::authorization::{OAuthAuthorization, Secrets};
use crate::delivery::{Host, lock};
use crate::fault::{Code, Fault};
use crate::http::{Authorization, FixedAuthorization, Http};
use crate::id::{AppId, is_sound};
use crate::model::{
    App, Auth, CertificateSource, ClientAuthentication, ConnectorDefinition, Credentials, GrantType, OAuth,
    SecretSource, SecretState,
};
use crate::oauth;
use crate::renewal::ends_soon;
use crate::secret::Secret;
use crate::store::{LogEvent, TokenRow};
use crate::time::Timestamp;
use serde_json::json;
use std::sync::{Arc, Weak};
use zeroize::Zeroizing;

impl Engine {
    /// Puts a secret of an app into the store, for `{"sealed": name}` in its definition; without a value it is erased. It is
    /// sealed under the engine's key, bound to app and name. An app may be put after its secrets.
    ///
    /// # Errors
    /// `key_required` where the engine has no key; `invalid_id` and `invalid_argument` where app, name or value is empty or
    /// too long; store errors.
    pub fn set_secret(&self, app: &str, name: &str, value: Option<&Secret>, by: Option<&str>) -> Result<()> {
        let failed = |fault| Error::new("set_secret", fault).about("app", app);
        let id = AppId::new(app).map_err(failed)?;
        if !is_sound(name) {
            let message = "the name of a secret must have 1 to 256 bytes and no control character";
            return Err(failed(Fault::new(Code::InvalidArgument, message).at("name")));
        }
        if value.is_some_and(|value| value.reveal().is_empty() || value.reveal().len() > 65_536) {
            let message = "a secret must have 1 to 65,536 bytes; leave it out to erase the one that is there";
            return Err(failed(Fault::new(Code::InvalidArgument, message).at("value")));
        }
        self.transact(|tx, _| {
            let kind = match value {
                Some(value) => tx.put_secret(&id, name, value, by).map(|()| "secret_set")?,
                None if tx.drop_secret(&id, name)? => "secret_erased",
                None => return Ok(()),
            };
            tx.log(LogEvent { app: Some(&id), by, ..LogEvent::new(kind, json!({"name": name})) })
        })
        .map_err(failed)?;
        self.shared.connect_again(&id);
        Ok(())
    }

    /// What is known of an app's credentials: their kind, which secrets they need and whether these can be had, how old the
    /// token in use is, and when what a person has to renew ends. Nobody is asked, and no secret is in it.
    ///
    /// # Errors
    /// `not_found` where there is no such app; store errors.
    pub fn credentials(&self, app: &str) -> Result<Credentials> {
        let failed = |fault| Error::new("credentials", fault).about("app", app);
        self.shared.refresh_apps().map_err(failed)?;
        let (apps, _) = self.shared.apps();
        let live = apps.values().find(|live| live.definition.app.id.as_str() == app);
        let live = live.ok_or_else(|| failed(no_app()))?;
        Ok(self.shared.credentials_of(&live.definition.app))
    }

    /// Gives the file another key: everything that the old one seals is sealed under the new one, in one transaction. A file
    /// that had no key gets one with `old` as `None`. Other processes that have the file open must open it anew. Backups
    /// that were made before still need the old key.
    ///
    /// # Errors
    /// `key_missing` where `old` is not the file's key; `read_only`; store errors. The file is as it was then.
    pub fn rotate_key(&self, old: Option<[u8; 32]>, new: [u8; 32], by: Option<&str>) -> Result<()> {
        let failed = |fault| Error::new("rotate_key", fault);
        self.writable("rotate_key")?;
        let (old, new) = (old.map(Zeroizing::new), Zeroizing::new(new));
        let now = self.now();
        let entries =
            self.shared.store().and_then(|mut store| store.rotate_key(now, old.as_ref(), &new, by)).map_err(failed)?;
        self.shared.tell(entries);
        Ok(())
    }

    /// Tells once of each end of credentials that comes soon, and that only a person can put off.
    pub(super) fn tell_of_ends(&self) -> std::result::Result<(), Fault> {
        let (apps, _) = self.shared.apps();
        let now = self.now();
        for live in apps.values() {
            let app = &live.definition.app;
            let Some(auth) = auth_of(app) else { continue };
            let (row, _) = self.shared.token_of(&app.id)?;
            let end = earliest(auth, row.as_ref()).filter(|end| ends_soon(*end, now));
            let Some(end) = end.filter(|end| row.as_ref().and_then(|row| row.told_of) != Some(*end)) else { continue };
            self.transact(|tx, _| {
                if tx.token(&app.id)?.and_then(|row| row.told_of) == Some(end) {
                    return Ok(());
                }
                tx.note_told_of(&app.id, end)?;
                let details = json!({"kind": auth.kind(), "expires_at": end});
                tx.log(LogEvent { app: Some(&app.id), ..LogEvent::new("credentials_expire", details) })
            })?;
        }
        Ok(())
    }
}

/// How an app proves who it is.
pub(super) fn auth_of(app: &App) -> Option<&Auth> {
    match &app.connector {
        ConnectorDefinition::Scim(scim) => scim.auth.as_ref(),
        ConnectorDefinition::Mock { .. } | ConnectorDefinition::Custom { .. } => None,
    }
}

/// When what a person has to renew ends.
pub(super) fn earliest(auth: &Auth, row: Option<&TokenRow>) -> Option<Timestamp> {
    let refresh = row.and_then(|row| row.refresh_expires_at);
    auth.expires_at().into_iter().chain(refresh).min()
}

impl Secrets for Shared {
    fn keeps_tokens(&self) -> std::result::Result<bool, Fault> {
        let now = self.clock.now();
        let has_key = self.store()?.read(now, |tx| Ok(tx.keeps_secrets()))?;
        Ok(has_key && !self.read_only)
    }

    fn secret(&self, app: &AppId, source: &SecretSource) -> std::result::Result<Option<Secret>, Fault> {
        Ok(match source {
            SecretSource::Secret(name) => self.secrets.as_ref().and_then(|secrets| secrets(name)),
            SecretSource::Env(name) => std::env::var(name).ok().filter(|text| !text.is_empty()).map(Secret::new),
            SecretSource::File(path) => {
                let text = std::fs::read_to_string(path).ok().map(Zeroizing::new);
                text.and_then(|text| secret_of_file(&text))
            }
            SecretSource::Sealed(name) => {
                let now = self.clock.now();
                self.store()?.read(now, |tx| tx.secret(app, name))?
            }
        })
    }
}

/// The first line of a file, or the whole of it where that begins a key in PEM.
fn secret_of_file(text: &str) -> Option<Secret> {
    let first = text.lines().next().filter(|line| !line.is_empty())?;
    Some(Secret::new(if first.starts_with("-----BEGIN ") { text } else { first }))
}

impl Shared {
    /// A secret, none also where the store cannot be asked: whoever needs it comes again.
    pub(super) fn secret_or_none(&self, app: &AppId, source: &SecretSource) -> Option<Secret> {
        self.secret(app, source).ok().flatten()
    }

    /// How an app's target is told who we are; none where a secret cannot be had at present.
    pub(super) fn authorization(
        &self,
        app: &App,
        auth: Option<&Auth>,
        http: &Arc<dyn Http>,
    ) -> std::result::Result<Option<Arc<dyn Authorization>>, Fault> {
        let secret = |source| self.secret_or_none(&app.id, source);
        let header = match auth {
            None => None,
            Some(Auth::Bearer { token, .. }) => {
                let Some(token) = secret(token) else { return Ok(None) };
                if !token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
                    let message = "the connector's token has characters that cannot stand in a header";
                    return Err(Fault::new(Code::InvalidArgument, message).at("connector.auth"));
                }
                Some(Secret::new(format!("Bearer {}", token.reveal())))
            }
            Some(Auth::Basic { username, password, .. }) => {
                let Some(password) = secret(password) else { return Ok(None) };
                Some(oauth::basic(username, password.reveal()))
            }
            Some(Auth::OAuth(definition)) => return Ok(self.oauth(app, definition, http)),
        };
        Ok(Some(Arc::new(FixedAuthorization(header))))
    }

    fn oauth(&self, app: &App, definition: &OAuth, http: &Arc<dyn Http>) -> Option<Arc<dyn Authorization>> {
        if self.missing(app, definition).is_some() {
            return None;
        }
        let desk = Arc::clone(lock(&self.desks).entry(app.id.clone()).or_default());
        let me: Weak<Self> = Weak::clone(&self.me);
        let http = Arc::clone(http);
        Some(Arc::new(OAuthAuthorization::new(&app.id, definition, http, app.timeouts.request, desk, me)))
    }

    /// What keeps an app from having any token.
    fn missing(&self, app: &App, oauth: &OAuth) -> Option<Fault> {
        let has = |source: &Option<SecretSource>| {
            source.as_ref().is_none_or(|source| self.secret_or_none(&app.id, source).is_some())
        };
        let missing =
            |field: &str| Some(Fault::new(Code::SecretMissing, format!("the secret of `{field}` cannot be had")));
        let (field, proof) = match oauth.client_authentication {
            ClientAuthentication::PrivateKeyJwt => ("private_key", &oauth.private_key),
            _ => ("client_secret", &oauth.client_secret),
        };
        if oauth.client_authentication != ClientAuthentication::None && !has(proof) {
            return missing(field);
        }
        if oauth.grant_type == GrantType::ClientCredentials {
            return None;
        }
        let (row, keeps) = self.token_of(&app.id).ok()?;
        if !keeps {
            let message = "a refresh token is kept under the host's key alone; open the engine with a `key`";
            return Some(Fault::new(Code::KeyRequired, message));
        }
        let goes_on = row.is_some_and(|row| row.serial > 0);
        if goes_on || has(&oauth.refresh_token) { None } else { missing("refresh_token") }
    }

    /// Whether the private key of a definition is none; one that cannot be had now is not looked at.
    pub(super) fn unusable_key(&self, app: &App) -> Option<Fault> {
        let Some(Auth::OAuth(oauth)) = auth_of(app) else { return None };
        let source = oauth.private_key.as_ref()?;
        self.secret_or_none(&app.id, source).and_then(|key| oauth::check_key(&key).err())
    }

    /// What is stored of an app's token, and whether the store keeps any.
    pub(super) fn token_of(&self, app: &AppId) -> std::result::Result<(Option<TokenRow>, bool), Fault> {
        let now = self.clock.now();
        self.store()?.read(now, |tx| Ok((tx.token(app)?, tx.keeps_secrets())))
    }

    /// When the token in use was given, and when what a person has to renew ends.
    pub(super) fn times_of(&self, app: &App) -> (Option<Timestamp>, Option<Timestamp>) {
        let Some(auth) = auth_of(app) else { return (None, None) };
        let row = self.token_of(&app.id).ok().and_then(|(row, _)| row);
        (self.token_times(&app.id, row.as_ref()).map(|(issued, _)| issued), earliest(auth, row.as_ref()))
    }

    /// When the token in use was given, and when it ends: by the store, or by memory where nothing is stored.
    fn token_times(&self, app: &AppId, row: Option<&TokenRow>) -> Option<(Timestamp, Option<Timestamp>)> {
        let stored = row.and_then(|row| Some((row.issued_at?, row.expires_at)));
        stored.or_else(|| lock(&self.desks).get(app)?.times())
    }

    /// What is known of an app's credentials.
    pub(super) fn credentials_of(&self, app: &App) -> Credentials {
        let secrets = self.secret_states(app);
        let Some(auth) = auth_of(app) else {
            let ready = secrets.iter().all(|secret| secret.available);
            return Credentials { kind: "none".to_owned(), ready, secrets, ..Credentials::default() };
        };
        let now = self.clock.now();
        let row = self.token_of(&app.id).ok().and_then(|(row, _)| row);
        let times = self.token_times(&app.id, row.as_ref());
        let issued_at = times.map(|(issued, _)| issued);
        let expires_at = earliest(auth, row.as_ref());
        let fault = match auth {
            _ if expires_at.is_some_and(|end| end <= now) => {
                Some(Fault::new(Code::Unauthorized, "the credentials have ended; give others"))
            }
            Auth::OAuth(oauth) => self.missing(app, oauth).or_else(|| self.lost(app, oauth, row.as_ref())),
            Auth::Bearer { .. } | Auth::Basic { .. } => None,
        };
        // Whether a token can be had is more than whether its secrets can.
        let by_token = |secret: &SecretState| matches!(auth, Auth::OAuth(_)) && !secret.field.contains('.');
        let available = secrets.iter().all(|secret| secret.available || by_token(secret));
        Credentials {
            kind: auth.kind().to_owned(),
            ready: available && fault.is_none(),
            secrets,
            issued_at,
            age: issued_at.map(|issued| now.since(issued)),
            token_expires_at: times.and_then(|(_, end)| end),
            expires_at,
            fault,
        }
    }

    /// Whether a person has to authorise the app anew, and has not given another refresh token yet.
    fn lost(&self, app: &App, oauth: &OAuth, row: Option<&TokenRow>) -> Option<Fault> {
        row?.failure.as_ref()?;
        let first = oauth.refresh_token.as_ref().and_then(|source| self.secret_or_none(&app.id, source));
        let now = self.clock.now();
        let value = self.store().ok()?.read(now, |tx| tx.token_value(&app.id)).ok()?.unwrap_or_default();
        let is_new = first.is_some_and(|first| value.new_chain(&first).is_some());
        let message = "the refresh token is no longer accepted; authorise the app anew";
        (!is_new).then(|| Fault::new(Code::ReauthorizationNeeded, message))
    }

    /// What is known of everything that an app's connection needs: its secrets, and the files of its certificates.
    fn secret_states(&self, app: &App) -> Vec<SecretState> {
        let ConnectorDefinition::Scim(scim) = &app.connector else { return Vec::new() };
        let secrets = scim.secrets();
        let secrets = secrets.iter().map(|(field, source)| self.secret_state(app, field, source));
        let certificates = [
            ("tls.ca_certificates", scim.tls.ca_certificates.as_ref()),
            ("tls.client_certificate", scim.tls.client_certificate.as_ref()),
        ];
        let files = certificates.into_iter().filter_map(|(field, source)| match source? {
            CertificateSource::Pem(_) => None,
            source @ CertificateSource::File(path) => Some(SecretState {
                field: field.to_owned(),
                source: "file".to_owned(),
                name: path.clone(),
                available: pem_of(source).is_some(),
                set_at: None,
            }),
        });
        secrets.chain(files).collect()
    }

    fn secret_state(&self, app: &App, field: &str, source: &SecretSource) -> SecretState {
        let (place, name) = source.place();
        let now = self.clock.now();
        let set_at = match source {
            SecretSource::Sealed(name) => {
                self.store().and_then(|mut store| store.read(now, |tx| tx.secret_set_at(&app.id, name))).ok().flatten()
            }
            _ => None,
        };
        SecretState {
            field: field.to_owned(),
            source: place.to_owned(),
            name: name.to_owned(),
            available: self.secret_or_none(&app.id, source).is_some(),
            set_at,
        }
    }

    /// Forgets the token of an app that was deleted.
    pub(super) fn forget_token(&self, app: &str) {
        lock(&self.desks).iter().filter(|(id, _)| id.as_str() == app).for_each(|(_, desk)| desk.forget());
    }
}
