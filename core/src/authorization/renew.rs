//! Having a token renewed: who asks is noted first, what was given is stored before it is used.

use super::desk::{Token, Unsaved};
use super::{OAuthAuthorization, Secrets, not_applied};
use crate::connector::{ConnectorError, Outcome};
use crate::fault::{Code, Fault};
use crate::model::{ClientAuthentication, GrantType};
use crate::oauth::{self, Granted, Question};
use crate::protocol::Guard;
use crate::renewal::{self, Held, Next};
use crate::secret::Secret;
use crate::store::{Asking, LogEvent, TokenRow, TokenValue, Tx};
use crate::time::{Period, Timestamp};
use crate::value::hex;
use serde_json::json;
use std::time::{Duration, Instant};

/// How often it is looked whether another process has a token by now.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// So much longer than a question may take, nobody else asks.
const MARGIN: Period = Period::from_seconds(30);

/// What is to be done, as the store says.
enum Decided {
    Have(Token),
    /// Another process is asking.
    Wait,
    Ask(Box<Asked>),
}

/// Who asks, and with what.
struct Asked {
    holder: String,
    row: TokenRow,
    refresh: Option<Secret>,
    chains: Vec<String>,
    /// The one at hand, which does for a while.
    spare: Option<Token>,
    /// Nobody knows what came of the question before.
    interrupted: bool,
    at: Timestamp,
}

impl OAuthAuthorization {
    /// A token that is not the refused one, from the store or from the server.
    pub(super) fn renew(&self, host: &dyn Secrets, refused: Option<u64>) -> Result<Token, ConnectorError> {
        // What was given before and could not be stored is lost with this process; it comes first.
        if let Some(unsaved) = self.desk.unsaved() {
            self.save(host, unsaved)?;
        }
        let proof = self.proof(host)?;
        let first = self.oauth.refresh_token.as_ref().map(|source| host.secret(&self.app, source));
        let first = first.transpose().map_err(not_applied)?.flatten();
        let asked = match self.asking(host, refused, first.as_ref())? {
            Ok(asked) => asked,
            Err(token) => return Ok(token),
        };
        let question = Question {
            oauth: &self.oauth,
            proof: proof.as_ref(),
            refresh_token: asked.refresh.as_ref(),
            id: &asked.holder,
            now: asked.at,
            timeout: self.timeout,
        };
        match oauth::ask(self.http.as_ref(), &question) {
            Ok(granted) => self.save(host, self.unsaved(asked, granted)),
            Err(error) => self.failed(host, asked, error),
        }
    }

    fn proof(&self, host: &dyn Secrets) -> Result<Option<Secret>, ConnectorError> {
        let source = match self.oauth.client_authentication {
            ClientAuthentication::Basic | ClientAuthentication::Post => &self.oauth.client_secret,
            ClientAuthentication::PrivateKeyJwt => &self.oauth.private_key,
            ClientAuthentication::None => return Ok(None),
        };
        let proof = source.as_ref().map(|source| host.secret(&self.app, source)).transpose().map_err(not_applied)?;
        let missing = || not_applied(Fault::new(Code::SecretMissing, "the client's secret cannot be had"));
        proof.flatten().map(Some).ok_or_else(missing)
    }

    /// Waits until it is ours to ask, or somebody else has a token.
    fn asking(
        &self,
        host: &dyn Secrets,
        refused: Option<u64>,
        first: Option<&Secret>,
    ) -> Result<Result<Asked, Token>, ConnectorError> {
        let began = Instant::now();
        loop {
            match self.decide(host, refused, first).map_err(not_applied)? {
                Decided::Ask(asked) => return Ok(Ok(*asked)),
                Decided::Have(token) => return Ok(Err(token)),
                Decided::Wait if began.elapsed() > self.timeout.to_std() => {
                    let fault = Fault::new(Code::TokenPending, "another process is having the token renewed");
                    return Err(not_applied(fault));
                }
                Decided::Wait => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    fn decide(&self, host: &dyn Secrets, refused: Option<u64>, first: Option<&Secret>) -> Result<Decided, Fault> {
        let (now, moment) = (host.clock().now(), host.clock().moment());
        let random = host.store()?.read(now, |tx| tx.random_key())?;
        let holder = hex(random.get(..16).unwrap_or_default());
        if !host.keeps_tokens()? {
            return self.decide_in_memory(host, refused, holder);
        }
        let (decided, _) = host.store()?.write(now, |tx| {
            let row = tx.token(&self.app)?.unwrap_or_default();
            let value = tx.token_value(&self.app)?.unwrap_or_default();
            let token = self.token_of(&row, &value);
            let guard = row.asking.as_ref().map(|asking| &asking.guard);
            match (renewal::next(token.as_ref().map(|token| &token.held), refused, guard, now, moment), token) {
                (Next::Use, Some(token)) => Ok(Decided::Have(token)),
                (Next::Use | Next::Wait, _) => Ok(Decided::Wait),
                (Next::Renew { spare }, token) => {
                    let guard = Guard::new(moment, self.timeout.plus(MARGIN));
                    self.take(tx, row, value, token.filter(|_| spare), first, Asking { holder, guard })
                }
            }
        })?;
        Ok(decided)
    }

    /// Without a key, or where the store is only read: a token lives in this process alone, and a refresh token nowhere.
    fn decide_in_memory(&self, host: &dyn Secrets, refused: Option<u64>, holder: String) -> Result<Decided, Fault> {
        let (now, moment) = (host.clock().now(), host.clock().moment());
        let stored = host.store()?.read(now, |tx| {
            let (row, value) =
                (tx.token(&self.app)?.unwrap_or_default(), tx.token_value(&self.app)?.unwrap_or_default());
            Ok((tx.keeps_secrets(), self.token_of(&row, &value)))
        })?;
        let (has_key, token) = stored;
        if let Some(token) = token
            && renewal::next(Some(&token.held), refused, None, now, moment) == Next::Use
        {
            return Ok(Decided::Have(token));
        }
        if self.oauth.grant_type == GrantType::RefreshToken {
            return Err(if has_key {
                Fault::new(Code::ReadOnly, "a refresh token is used by an engine alone that may write")
            } else {
                let message = "a refresh token is kept under the host's key alone; open the engine with a `key`";
                Fault::new(Code::KeyRequired, message)
            });
        }
        let row = TokenRow { serial: self.desk.serial(), ..TokenRow::default() };
        let (chains, interrupted) = (Vec::new(), false);
        let asked = Asked { holder, row, refresh: None, chains, spare: None, interrupted, at: now };
        Ok(Decided::Ask(Box::new(asked)))
    }

    /// Notes that this process asks, where there is anything to ask with.
    fn take(
        &self,
        tx: &mut Tx<'_>,
        row: TokenRow,
        value: TokenValue,
        spare: Option<Token>,
        first: Option<&Secret>,
        asking: Asking,
    ) -> Result<Decided, Fault> {
        let mut refresh = None;
        let begins = first.and_then(|first| value.new_chain(first));
        let mut chains = value.chains.clone();
        if self.oauth.grant_type == GrantType::RefreshToken {
            let is_lost = begins.is_none() && row.failure.is_some();
            refresh = if begins.is_some() { first.cloned() } else { value.refresh.clone().filter(|_| !is_lost) };
            if begins.is_some() {
                // Noted before it is shown to anybody: it begins one chain, once.
                chains.extend(begins);
                let begun = TokenValue { refresh: refresh.clone(), chains: chains.clone(), ..value };
                tx.put_token(&self.app, &TokenRow { failure: None, ..row.clone() }, &begun)?;
            }
            match (&refresh, &spare) {
                (Some(_), _) => {}
                (None, Some(spare)) => return Ok(Decided::Have(spare.clone())),
                (None, None) if is_lost => return Err(lost(false)),
                (None, None) => {
                    return Err(Fault::new(Code::SecretMissing, "the first refresh token cannot be had"));
                }
            }
        }
        let interrupted = row.asking.is_some();
        tx.ask_token(&self.app, &asking)?;
        let holder = asking.holder;
        let asked = Asked { holder, row, refresh, chains, spare, interrupted, at: tx.now };
        Ok(Decided::Ask(Box::new(asked)))
    }

    fn token_of(&self, row: &TokenRow, value: &TokenValue) -> Option<Token> {
        let access = value.access.as_ref().filter(|_| value.definition == self.definition)?;
        let held = Held { serial: row.serial, issued_at: row.issued_at?, expires_at: row.expires_at };
        let header = Secret::new(format!("Bearer {}", access.reveal()));
        Some(Token { held, definition: self.definition.clone(), header })
    }

    fn unsaved(&self, asked: Asked, granted: Granted) -> Unsaved {
        let rotated = granted.refresh.is_some();
        let kept = asked.row.refresh_expires_at.filter(|_| !rotated);
        let row = TokenRow {
            serial: asked.row.serial + 1,
            issued_at: Some(asked.at),
            // Counted from before the question, so that nothing is used after its end.
            expires_at: granted.life.map(|life| asked.at.plus(life)),
            refresh_expires_at: granted.refresh_life.map(|life| asked.at.plus(life)).or(kept),
            failure: None,
            asking: None,
            told_of: asked.row.told_of,
        };
        // Without a new refresh token the old one stays (RFC 6749 §6).
        let refresh = granted.refresh.or(asked.refresh);
        let definition = self.definition.clone();
        let value = TokenValue { access: Some(granted.access), refresh, definition, chains: asked.chains };
        Unsaved { row, value, rotated }
    }

    /// Stores a token, and gives it for use once it is durable.
    fn save(&self, host: &dyn Secrets, unsaved: Unsaved) -> Result<Token, ConnectorError> {
        let now = host.clock().now();
        self.desk.set_unsaved(Some(unsaved.clone()));
        let (row, value) = (&unsaved.row, &unsaved.value);
        let keeps = host.keeps_tokens().map_err(not_applied)?;
        let stored = host.store().and_then(|mut store| {
            if !keeps {
                return Ok((self.token_of(row, value), Vec::new()));
            }
            store.write(now, |tx| {
                let Some(known) = tx.token(&self.app)? else { return Ok(None) };
                if known.serial >= row.serial {
                    // This process was away for so long that another one took over.
                    let value = tx.token_value(&self.app)?.unwrap_or_default();
                    return Ok(self.token_of(&known, &value));
                }
                tx.put_token(&self.app, row, value)?;
                let details = json!({
                    "serial": row.serial, "expires_at": row.expires_at, "rotated": unsaved.rotated,
                    "refresh_expires_at": row.refresh_expires_at,
                });
                tx.log(LogEvent { app: Some(&self.app), ..LogEvent::new("token_issued", details) })?;
                Ok(self.token_of(row, value))
            })
        });
        let (token, entries) = stored.map_err(not_applied)?;
        self.desk.set_unsaved(None);
        host.tell(entries);
        let gone = || not_applied(Fault::new(Code::NotFound, "the app was deleted or changed meanwhile"));
        token.ok_or_else(gone)
    }

    /// Notes that no token was given. The one at hand is used until it ends.
    fn failed(&self, host: &dyn Secrets, asked: Asked, error: ConnectorError) -> Result<Token, ConnectorError> {
        let now = host.clock().now();
        let refreshes = self.oauth.grant_type == GrantType::RefreshToken;
        let is_lost = refreshes && error.code == Code::ReauthorizationNeeded.name();
        let in_doubt = refreshes && error.outcome == Outcome::Ambiguous;
        let noted = host.keeps_tokens().and_then(|keeps| {
            if !keeps {
                return Ok(((), Vec::new()));
            }
            host.store()?.write(now, |tx| {
                if in_doubt {
                    return tx.leave_asking(&self.app, &asked.holder);
                }
                tx.end_asking(&self.app, &asked.holder, is_lost.then_some(error.code.as_str()))?;
                if is_lost {
                    let details = json!({"code": error.code, "answer_lost": asked.interrupted});
                    tx.log(LogEvent { app: Some(&self.app), ..LogEvent::new("reauthorization_needed", details) })?;
                }
                Ok(())
            })
        });
        match (noted, asked.spare) {
            (Ok(((), entries)), spare) => {
                host.tell(entries);
                spare.map_or_else(|| Err(told(error, is_lost && asked.interrupted)), Ok)
            }
            (Err(_), Some(spare)) => Ok(spare),
            (Err(_), None) => Err(told(error, is_lost && asked.interrupted)),
        }
    }
}

/// What the failure is for the request that needed the token: it was not sent.
fn told(error: ConnectorError, answer_lost: bool) -> ConnectorError {
    let lost = answer_lost.then(|| lost(true).message);
    ConnectorError { outcome: Outcome::NotApplied, message: lost.unwrap_or(error.message), ..error }
}

fn lost(answer_lost: bool) -> Fault {
    let message = if answer_lost {
        "the answer with the next refresh token was lost, and the one before is not accepted; authorise the app anew"
    } else {
        "the refresh token is no longer accepted; authorise the app anew"
    };
    Fault::new(Code::ReauthorizationNeeded, message)
}
