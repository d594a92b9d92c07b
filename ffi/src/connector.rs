//! Connectors written in C: a table of functions, and the [`Connector`] that calls them.

use crate::boundary::{guard, text};
use crate::context::{Context, serve};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter};
use crate::reply::{Answer, Reply};
use crate::status::Status;
use crate::table::{Table, read_table};
use engine::Fault;
use engine::connector::{
    Capabilities, Change, Connector, ConnectorError, Outcome, Page, SchemaAttribute, TargetAccount,
};
use engine::value::{Attributes, canonical};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::ffi::{c_char, c_void};
use std::mem::offset_of;
use std::sync::Arc;

/// One method of a connector. `request` is a JSON object with the method's arguments and lives until the call returns.
/// The answer goes into `reply`, by rollkeeper_reply_set_json or rollkeeper_reply_fail. Calls may come from several
/// threads at once.
pub type ConnectorMethod = Option<
    unsafe extern "C" fn(context: *mut c_void, request: *const c_char, request_length: usize, reply: *mut Reply),
>;

/// A connector. Set everything to zero and `struct_size` to `sizeof(rollkeeper_connector)`; what is NULL is not
/// supported. An account is `{"external_id", "username", "active", "frozen", "attributes", "version"}`, a change
/// `{"op": "add" | "replace" | "remove", "path", "value"}`. A method that answers nothing where an answer is needed, or
/// one that cannot be read, has failed: ambiguously where it writes, without effect where it reads.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ConnectorTable {
    /// The size of this struct.
    pub struct_size: usize,
    /// Given to every call.
    pub context: *mut c_void,
    /// Called once when the context is no longer needed; may be NULL.
    pub free_context: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// `{}` → `{"search", "idempotency_key", "conditional_write", "unique_keys", "freeze", "groups", "changes"}`.
    pub capabilities: ConnectorMethod,
    /// `{}` → nothing: the target can be reached and accepts the credentials.
    pub test: ConnectorMethod,
    /// `{}` → list of `{"path", "type", "multi_valued", "required", "case_exact", "read_only", "canonical_values"}`.
    pub schema: ConnectorMethod,
    /// `{"attribute", "value"}` → list of accounts.
    pub find: ConnectorMethod,
    /// `{"external_id"}` → account, or null where it does not exist.
    pub read: ConnectorMethod,
    /// `{"attributes", "idempotency_key"}` → account.
    pub create: ConnectorMethod,
    /// `{"external_id", "changes", "version"}` (version may be null) → account as it is afterwards, or null.
    pub update: ConnectorMethod,
    /// `{"external_id"}` → nothing.
    pub activate: ConnectorMethod,
    /// `{"external_id"}` → nothing.
    pub deactivate: ConnectorMethod,
    /// `{"external_id"}` → nothing.
    pub freeze: ConnectorMethod,
    /// `{"external_id"}` → nothing.
    pub unfreeze: ConnectorMethod,
    /// `{"external_id"}` → nothing. An account that does not exist counts as removed.
    pub delete_account: ConnectorMethod,
    /// `{"cursor", "filter"}` (each may be null) → `{"accounts", "next", "complete", "total"}`; `total` may be left out.
    pub list: ConnectorMethod,
    /// `{"token"}` (may be null) → `{"accounts", "token"}`.
    pub changes: ConnectorMethod,
    /// `{"cursor"}` (may be null) → `{"groups", "next"}`.
    pub list_groups: ConnectorMethod,
    /// `{"group", "add", "remove"}` → nothing.
    pub change_members: ConnectorMethod,
}

// SAFETY: `repr(C)`, the size first, and only integers, pointers and optional functions.
unsafe impl Table for ConnectorTable {}

/// Makes a connector known under a name, before the app that names it is put.
///
/// The context belongs to the engine from now on, whether the call succeeds or not: `free_context` is called exactly
/// once, except where `struct_size` is too small.
///
/// # Safety
/// `engine` is valid; `name` ends with NUL; `connector` is filled in as its fields say, and its functions may be called
/// from any thread until its context is freed; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_register_connector(
    engine: *mut EngineHandle,
    name: *const c_char,
    connector: *const ConnectorTable,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("register_connector", error, || {
            let mut connector = HostConnector::take(connector)?;
            let entered = enter(engine)?;
            connector.engine = entered.shared().number();
            Ok(entered.register_connector(text(name, "name")?, Arc::new(connector))?)
        })
    }
}

/// A connector of the host.
pub(crate) struct HostConnector {
    context: Context,
    table: ConnectorTable,
    /// The number of the engine it serves; 0 where it serves none.
    engine: u64,
}

// SAFETY: the header tells the host that the functions and the context are used from any thread.
unsafe impl Send for HostConnector {}
// SAFETY: as above; calls may come from several threads at once.
unsafe impl Sync for HostConnector {}

/// Whether a call that went wrong may have changed something.
#[derive(Clone, Copy)]
enum Effect {
    Reads,
    Writes,
}

impl HostConnector {
    /// Takes the table over.
    ///
    /// # Safety
    /// As [`read_table`]; the functions may be called from any thread until the context is freed.
    pub(crate) unsafe fn take(table: *const ConnectorTable) -> Result<Self, Fault> {
        // SAFETY: the promise is handed on.
        let table = unsafe { read_table(table, offset_of!(ConnectorTable, capabilities), "connector") }?;
        Ok(Self { context: Context::new(table.context, table.free_context), table, engine: 0 })
    }

    fn call(&self, name: &str, method: ConnectorMethod, request: &Value) -> Result<Answer, ConnectorError> {
        let Some(method) = method else { return Err(ConnectorError::unsupported(name)) };
        let request = canonical(request);
        let mut reply = Reply::default();
        serve(self.engine, || {
            // SAFETY: request and reply live until the call returns; the host promised that the function may be called.
            unsafe { method(self.context.pointer(), request.as_ptr().cast(), request.len(), &raw mut reply) }
        });
        match reply.into_answer() {
            Answer::Failure(error) => Err(error),
            answer @ (Answer::Nothing | Answer::Text(_) | Answer::Response(_)) => Ok(answer),
        }
    }

    /// A call whose answer does not matter once it has not failed.
    fn order(&self, name: &str, method: ConnectorMethod, request: &Value) -> Result<(), ConnectorError> {
        self.call(name, method, request).map(|_| ())
    }

    /// A call with an answer. Nothing is read as null, which is an answer where one may be left out.
    fn ask<T: DeserializeOwned>(
        &self,
        name: &str,
        method: ConnectorMethod,
        effect: Effect,
        request: &Value,
    ) -> Result<T, ConnectorError> {
        let answer = self.call(name, method, request)?;
        let read = match &answer {
            Answer::Text(text) => serde_json::from_str(text.reveal()),
            Answer::Nothing | Answer::Failure(_) | Answer::Response(_) => T::deserialize(Value::Null),
        };
        read.map_err(|_| {
            let outcome = match effect {
                Effect::Reads => Outcome::NotApplied,
                Effect::Writes => Outcome::Ambiguous,
            };
            ConnectorError::new(outcome, "invalid_answer", format!("the connector's answer to `{name}` cannot be read"))
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    accounts: Vec<TargetAccount>,
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Groups {
    groups: Vec<Attributes>,
    #[serde(default)]
    next: Option<String>,
}

impl Connector for HostConnector {
    fn capabilities(&self) -> Capabilities {
        self.ask("capabilities", self.table.capabilities, Effect::Reads, &json!({})).unwrap_or_default()
    }

    fn test(&self) -> Result<(), ConnectorError> {
        self.order("test", self.table.test, &json!({}))
    }

    fn schema(&self) -> Result<Vec<SchemaAttribute>, ConnectorError> {
        self.ask("schema", self.table.schema, Effect::Reads, &json!({}))
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.ask("find", self.table.find, Effect::Reads, &json!({"attribute": attribute, "value": value}))
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.ask("read", self.table.read, Effect::Reads, &json!({"external_id": external_id}))
    }

    fn create(&self, attributes: &Attributes, idempotency_key: &str) -> Result<TargetAccount, ConnectorError> {
        let request = json!({"attributes": attributes, "idempotency_key": idempotency_key});
        self.ask("create", self.table.create, Effect::Writes, &request)
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let request = json!({"external_id": external_id, "changes": changes, "version": version});
        self.ask("update", self.table.update, Effect::Writes, &request)
    }

    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.order("activate", self.table.activate, &json!({"external_id": external_id}))
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.order("deactivate", self.table.deactivate, &json!({"external_id": external_id}))
    }

    fn freeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.order("freeze", self.table.freeze, &json!({"external_id": external_id}))
    }

    fn unfreeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.order("unfreeze", self.table.unfreeze, &json!({"external_id": external_id}))
    }

    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.order("delete", self.table.delete_account, &json!({"external_id": external_id}))
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        self.ask("list", self.table.list, Effect::Reads, &json!({"cursor": cursor, "filter": filter}))
    }

    fn changes(&self, token: Option<&str>) -> Result<(Vec<TargetAccount>, String), ConnectorError> {
        let changed: Changed = self.ask("changes", self.table.changes, Effect::Reads, &json!({"token": token}))?;
        Ok((changed.accounts, changed.token))
    }

    fn list_groups(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        let groups: Groups =
            self.ask("list_groups", self.table.list_groups, Effect::Reads, &json!({"cursor": cursor}))?;
        Ok((groups.groups, groups.next))
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        let request = json!({"group": group, "add": add, "remove": remove});
        self.order("change_members", self.table.change_members, &request)
    }
}
