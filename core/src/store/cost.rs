//! What statements cost, for tests: how SQLite plans each, and how many steps its machine takes. Neither depends on the
//! machine or the minute, as times do.

use rusqlite::{Connection, Statement, StatementStatus};
use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static COST: RefCell<Cost> = RefCell::default();
}

/// What the statements of a thread cost.
#[derive(Default)]
pub(crate) struct Cost {
    /// Each statement's text, with its plan.
    pub(crate) plans: BTreeMap<String, Vec<String>>,
    /// The steps of all of them together.
    pub(crate) steps: i64,
    /// How often a plan was made again.
    pub(crate) planned_again: i32,
}

/// Gives what this thread's statements cost so far, and starts anew.
pub(crate) fn take() -> Cost {
    COST.take()
}

/// Counts a statement that was carried out.
pub(super) fn count(sql: &Connection, text: &str, statement: &Statement<'_>) {
    let steps = i64::from(statement.reset_status(StatementStatus::VmStep));
    let planned_again = statement.reset_status(StatementStatus::RePrepare);
    COST.with_borrow_mut(|cost| {
        cost.steps += steps;
        cost.planned_again += planned_again;
        if !cost.plans.contains_key(text) {
            cost.plans.insert(text.to_owned(), plan(sql, text).unwrap_or_default());
        }
    });
}

/// How the rows are found, and the tables that the statement builds for itself.
fn plan(sql: &Connection, text: &str) -> rusqlite::Result<Vec<String>> {
    let column = |explain: &str, name: &str| -> rusqlite::Result<Vec<String>> {
        sql.prepare(&format!("{explain} {text}"))?.raw_query().mapped(|row| row.get(name)).collect()
    };
    let mut lines = column("EXPLAIN QUERY PLAN", "detail")?;
    lines.extend(column("EXPLAIN", "opcode")?.into_iter().filter(|opcode| opcode == "OpenEphemeral"));
    Ok(lines)
}

/// Puts `count` finished requests of one user into the store, each with its attempt and its log entry, as they lie behind
/// an engine that has run for long.
pub(crate) fn put_finished(store: &super::Store, app: &str, user: &str, count: u32) -> rusqlite::Result<()> {
    let numbers =
        format!("WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})");
    let id = format!("'{app}-{user}-' || n");
    store.connection.execute_batch(&format!(
        "{numbers} INSERT INTO request (id, app_id, user_id, operation, state, approval, urgent, head, by_hand, sending,
             unsettled, verifying, why, created_at, finished_at, attempts, retry_count, faults)
         SELECT {id}, '{app}', '{user}', 'Update', 'Completed', 'NotRequired', 0, 0, 0, 0, 0, 0, 'long ago', n, n, 1, 0, '[]'
         FROM number;
         {numbers} INSERT INTO attempt (request_id, number, app_id, user_id, started_at, send_by, ended_at, outcome)
         SELECT {id}, 1, '{app}', '{user}', n, n, n, 'applied' FROM number;
         {numbers} INSERT INTO log (sequence, at, kind, app_id, user_id, request_id, details, hash)
         SELECT (SELECT max(sequence) FROM log) + n, n, 'completed', '{app}', '{user}', {id}, '{{}}', 'long ago' FROM number;",
    ))
}

/// Puts `count` requests of as many users into the queue of an app, all due at `due`.
pub(crate) fn put_queued(store: &super::Store, app: &str, due: i64, count: u32) -> rusqlite::Result<()> {
    store.connection.execute_batch(&format!(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})
         INSERT INTO request (id, app_id, user_id, operation, state, approval, urgent, head, by_hand, sending,
             unsettled, verifying, why, created_at, due_at, attempts, retry_count, faults)
         SELECT '{app}-queued-' || n, '{app}', 'queued-' || n, 'Update', 'New', 'NotRequired', 0, 1, 0, 0, 0, 0, 'queued', 0,
             {due}, 0, 0, '[]'
         FROM number;",
    ))
}
