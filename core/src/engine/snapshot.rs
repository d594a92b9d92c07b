//! Whole lists of users: who is not in one has left.

use super::{Engine, Error, Result};
use crate::fault::{Code, Fault};
use crate::model::PutUsers;

impl Engine {
    /// [`Engine::put_users`] with the list of all users there are.
    pub fn put_users_snapshot(&self, json: &[u8], by: Option<&str>) -> Result<PutUsers> {
        let _ = (json, by);
        Err(Error::new("put_users", Fault::new(Code::Internal, "not built")))
    }
}
