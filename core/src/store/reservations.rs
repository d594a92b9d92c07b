//! Values that are unique in an app: who holds each, or is about to. Values are never stored; they are told apart by
//! fingerprints under one key of the file, so that those of two users compare.

use super::{Tx, UserKey, fingerprint, unhex};
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId, UserId};
use rusqlite::params;

/// Where the key of the file stands in `meta`, and what it is bound to.
pub(super) const KEY: &str = "reservation_key";
pub(super) const KEY_PLACE: &str = "rollkeeper reservation key";

/// A value of an attribute, as reservations tell it apart: the path in lower case, and the fingerprint.
pub(crate) type Mark = (String, String);

/// A reservation of one user.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) mark: Mark,
    /// The open request that reserved it; none where the account holds it.
    pub(crate) request: Option<String>,
    /// Which candidate it was.
    pub(crate) iteration: u32,
    /// The target has it already, and not for this user.
    pub(crate) refused: bool,
}

impl Tx<'_> {
    /// How reservations tell a normalised value apart; none where nothing was ever reserved in this file.
    pub(crate) fn mark(&self, app: &AppId, attribute: &str, normalized: &str) -> Result<Option<Mark>, Fault> {
        Ok(self.reservation_key()?.map(|key| marked(&key, app, attribute, normalized)))
    }

    /// [`Tx::mark`], making the key of the file where there is none yet.
    pub(crate) fn make_mark(&mut self, app: &AppId, attribute: &str, normalized: &str) -> Result<Mark, Fault> {
        let key = match self.reservation_key()? {
            Some(key) => key,
            None => {
                let key = self.vault.new_user_key()?;
                let stored = self.wrap(KEY_PLACE, &key)?;
                self.put_meta(KEY, &crate::value::hex(&stored))?;
                key
            }
        };
        Ok(marked(&key, app, attribute, normalized))
    }

    fn reservation_key(&self) -> Result<Option<UserKey>, Fault> {
        let Some(stored) = self.meta(KEY)? else { return Ok(None) };
        let stored = unhex(&stored)
            .ok_or_else(|| Fault::new(Code::StoreDamaged, "the key of the reservations cannot be read"))?;
        self.vault.unwrap(KEY_PLACE, &stored).map(Some)
    }

    /// Whether another user of the app has the value reserved.
    pub(crate) fn is_reserved_by_other(&self, app: &AppId, user: &UserId, mark: &Mark) -> Result<bool, Fault> {
        let holder = self.row(
            "SELECT user_id FROM reservation WHERE app_id = $1 AND attribute = $2 AND hash = $3",
            params![app.as_str(), mark.0, mark.1],
            |row| row.get::<_, String>(0),
        )?;
        Ok(holder.is_some_and(|holder| holder != user.as_str()))
    }

    /// What is reserved for a user in an app.
    pub(crate) fn reservations(&self, app: &AppId, user: &UserId) -> Result<Vec<Reservation>, Fault> {
        self.rows(
            "SELECT attribute, hash, request_id, iteration, refused FROM reservation
             WHERE app_id = $1 AND user_id = $2",
            params![app.as_str(), user.as_str()],
            |row| {
                Ok(Reservation {
                    mark: (row.get(0)?, row.get(1)?),
                    request: row.get(2)?,
                    iteration: row.get(3)?,
                    refused: row.get(4)?,
                })
            },
        )
    }

    /// Reserves a value for a request, or without one for the user's account. What another user has stays theirs; what the
    /// account holds stays the account's.
    pub(crate) fn reserve(
        &self,
        app: &AppId,
        user: &UserId,
        request: Option<&RequestId>,
        mark: &Mark,
        iteration: u32,
    ) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO reservation (app_id, attribute, hash, user_id, request_id, iteration, refused, reserved_at)
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7)
             ON CONFLICT (app_id, attribute, hash) DO UPDATE SET request_id = excluded.request_id,
             iteration = excluded.iteration, refused = 0
             WHERE reservation.user_id = excluded.user_id
             AND (reservation.request_id IS NOT NULL OR excluded.request_id IS NULL)",
            params![
                app.as_str(),
                mark.0,
                mark.1,
                user.as_str(),
                request.map(RequestId::as_str),
                iteration,
                self.now.as_micros()
            ],
        )?;
        Ok(())
    }

    /// Notes that the target has a value that a request wanted.
    pub(crate) fn refuse(&self, request: &RequestId, mark: &Mark) -> Result<(), Fault> {
        self.execute(
            "UPDATE reservation SET refused = 1 WHERE request_id = $1 AND attribute = $2 AND hash = $3",
            params![request.as_str(), mark.0, mark.1],
        )?;
        Ok(())
    }

    /// Lets go of what was refused to a request before: it is further than that.
    pub(crate) fn release_refused(&self, request: &RequestId) -> Result<(), Fault> {
        self.execute("DELETE FROM reservation WHERE request_id = $1 AND refused = 1", [request.as_str()])?;
        Ok(())
    }

    /// Lets go of one value of a user.
    pub(crate) fn release_mark(&self, app: &AppId, user: &UserId, mark: &Mark) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM reservation WHERE app_id = $1 AND attribute = $2 AND hash = $3 AND user_id = $4",
            params![app.as_str(), mark.0, mark.1, user.as_str()],
        )?;
        Ok(())
    }

    /// Lets go of what a request reserved and no account holds.
    pub(crate) fn release(&self, request: &RequestId) -> Result<(), Fault> {
        self.execute("DELETE FROM reservation WHERE request_id = $1", [request.as_str()])?;
        Ok(())
    }

    /// What a request reserved is the account's now that a person linked to its user.
    pub(crate) fn hold_reserved(&self, request: &RequestId) -> Result<(), Fault> {
        self.execute(
            "UPDATE reservation SET request_id = NULL WHERE request_id = $1 AND refused = 0",
            [request.as_str()],
        )?;
        self.release(request)
    }

    /// A request that takes over from another has what that one reserved.
    pub(crate) fn pass_on(&self, from: &RequestId, to: &RequestId) -> Result<(), Fault> {
        self.execute("UPDATE reservation SET request_id = $1 WHERE request_id = $2", [to.as_str(), from.as_str()])?;
        Ok(())
    }

    /// Lets go of what requests of a user left that were given up in doubt.
    pub(crate) fn release_finished(&self, app: &AppId, user: &UserId) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM reservation WHERE app_id = $1 AND user_id = $2 AND EXISTS
             (SELECT 1 FROM request WHERE request.id = reservation.request_id AND finished_at IS NOT NULL)",
            params![app.as_str(), user.as_str()],
        )?;
        Ok(())
    }

    /// Lets go of what an account held that is gone.
    pub(crate) fn release_held(&self, app: &AppId, user: &UserId) -> Result<(), Fault> {
        self.release_finished(app, user)?;
        self.execute(
            "DELETE FROM reservation WHERE app_id = $1 AND user_id = $2 AND request_id IS NULL",
            params![app.as_str(), user.as_str()],
        )?;
        Ok(())
    }
}

fn marked(key: &UserKey, app: &AppId, attribute: &str, normalized: &str) -> Mark {
    let attribute = attribute.to_lowercase();
    let place = format!("{app}\n{attribute}\n{normalized}");
    let hash = fingerprint(key, place.as_bytes());
    (attribute, hash)
}
