//! Reconciliations: what a target really holds, what would be done about it, and doing exactly that.

use crate::boundary::{document, guard, optional_document, optional_text, output, text};
use crate::context::Listener;
use crate::failure::Failure;
use crate::filter::{PLAN_NAMES, REVIEW_NAMES, read_document, read_filter, read_named};
use crate::handle::{EngineHandle, Entered, enter};
use crate::iterator::IteratorHandle;
use crate::status::Status;
use crate::table::{Table, read_table};
use engine::model::{PlanFilter, Reconciliation, ReconciliationFilter};
use std::ffi::{c_char, c_void};
use std::mem::offset_of;

/// Reads the target of an app, compares it with the users, and makes a plan; goes on with a reconciliation that was
/// interrupted. Nothing is changed. Gives the reconciliation as JSON: `id`, `state`, `verdict`, `counts` by situation,
/// `digest`, `brake` and more. `by` says who asked for it, as the host asserts, or is NULL. It may take long;
/// rollkeeper_engine_cancel_run from another thread ends it after the page it is at, as far as it came.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNKNOWN_CONNECTOR, ROLLKEEPER_READ_ONLY or the codes of the store. What the
/// target does is no failure of this function: it is in `faults` of a reconciliation that is `Failed`.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `by` is NULL or ends with NUL; `reconciliation` may be written; `error` is
/// NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_reconcile(
    engine: *mut EngineHandle,
    app: *const c_char,
    by: *const c_char,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("reconcile", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let by = optional_text(by, "by")?;
            reconciliation.put_record(&entered.reconcile(app, by)?)
        })
    }
}

/// Who is told how a reconciliation goes. Set everything to zero and `struct_size` to `sizeof(rollkeeper_watch)`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Watch {
    /// The size of this struct.
    pub struct_size: usize,
    /// Given to `told`.
    pub context: *mut c_void,
    /// Is given the reconciliation as it is after each page and step, as JSON text that lives until it returns; 0 goes on,
    /// anything else stops it as rollkeeper_engine_cancel_run does. It comes from the thread that called.
    pub told: Option<
        unsafe extern "C" fn(context: *mut c_void, reconciliation: *const c_char, reconciliation_length: usize) -> i32,
    >,
}

// SAFETY: `repr(C)`, the size first, and only a pointer and an optional function.
unsafe impl Table for Watch {}

/// Does what rollkeeper_engine_reconcile does, and tells how it goes. `watch` is NULL where nobody asks.
///
/// Fails as rollkeeper_engine_reconcile, and with ROLLKEEPER_INVALID_ARGUMENT for a `watch` of a size that does not exist.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `by` is NULL or ends with NUL; `watch` is NULL or filled in as its fields say;
/// `reconciliation` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_reconcile_watched(
    engine: *mut EngineHandle,
    app: *const c_char,
    by: *const c_char,
    watch: *const Watch,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called. The host keeps the context of
    // `watch` until this returns, and the listener is gone then.
    unsafe {
        guard("reconcile", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let by = optional_text(by, "by")?;
            let watch = if watch.is_null() { None } else { Some(read_table(watch, offset_of!(Watch, told), "watch")?) };
            let number = entered.shared().number();
            let listener = watch.and_then(|watch| watch.told.map(|told| Listener::new(watch.context, told, number)));
            let tell = |made: &Reconciliation| listener.as_ref().is_none_or(|listener| listener.tell(made));
            reconciliation.put_record(&entered.reconcile_watched(app, by, &tell)?)
        })
    }
}

/// Does the same with accounts that the host collected: `accounts` is a JSON list or one JSON object a line, each as a
/// connector gives it. `complete` says whether these are all accounts of the target; where it is false, nothing is
/// concluded from absence. Gives the reconciliation as JSON. `by` as for rollkeeper_engine_reconcile.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_JSON, ROLLKEEPER_RECONCILIATION_OPEN or ROLLKEEPER_READ_ONLY.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `accounts` leads to `accounts_length` bytes; `by` is NULL or ends with NUL;
/// `reconciliation` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_stage_accounts(
    engine: *mut EngineHandle,
    app: *const c_char,
    accounts: *const c_char,
    accounts_length: usize,
    complete: bool,
    by: *const c_char,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("stage_accounts", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let accounts = document(accounts, accounts_length, "accounts")?;
            let by = optional_text(by, "by")?;
            reconciliation.put_record(&entered.stage_accounts(app, accounts, complete, by)?)
        })
    }
}

/// Gives one reconciliation as JSON.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `reconciliation` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_reconciliation(
    engine: *const EngineHandle,
    id: *const c_char,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("reconciliation", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            reconciliation.put_record(&entered.reconciliation(id)?)
        })
    }
}

/// Gives reconciliations by id, which is by time of making, as an iterator of JSON records. `filter` is NULL or a JSON
/// object with any of `app`, `kind`, `state`, `limit`, `after`.
///
/// Fails as rollkeeper_engine_requests.
///
/// # Safety
/// `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `reconciliations` may be written; `error` is
/// NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_reconciliations(
    engine: *const EngineHandle,
    filter: *const c_char,
    filter_length: usize,
    reconciliations: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("reconciliations", error, || {
            let reconciliations = output(reconciliations, "reconciliations")?;
            let entered = enter(engine)?;
            let filter = optional_document(filter, filter_length, "filter")?;
            let filter: ReconciliationFilter = read_filter(filter)?;
            reconciliations.put_object(reconciliations_of(&entered, filter));
            Ok(())
        })
    }
}

/// Gives the items of a reconciliation's plan by their numbers, as an iterator of JSON records. `filter` is NULL or a JSON
/// object with any of `situation`, `reaction`, `state`, `user`, `limit`, `after` (a number).
///
/// Fails with ROLLKEEPER_NOT_FOUND, and with the codes of filters; a name that does not exist gives
/// ROLLKEEPER_INVALID_ARGUMENT.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `filter` is NULL or leads to `filter_length` bytes; `items` may be written;
/// `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_plan(
    engine: *const EngineHandle,
    id: *const c_char,
    filter: *const c_char,
    filter_length: usize,
    items: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("plan", error, || {
            let items = output(items, "items")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let filter = optional_document(filter, filter_length, "filter")?;
            let filter: PlanFilter = read_named(filter, PLAN_NAMES)?;
            // So that an id that does not exist is told here, and not by the first step of the iterator.
            entered.plan(id, &PlanFilter { limit: Some(0), ..PlanFilter::default() })?;
            items.put_object(items_of(&entered, id.to_owned(), filter));
            Ok(())
        })
    }
}

/// Carries out exactly the plan with that digest. What the brake holds waits for rollkeeper_engine_release; an item whose
/// user, account or app changed since is refused and named. Gives the reconciliation as JSON. `by` says who.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION, or ROLLKEEPER_PLAN_CHANGED where the plan has another
/// digest by now.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `digest` ends with NUL; `by` ends with NUL; `reconciliation` may be written;
/// `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_commit(
    engine: *mut EngineHandle,
    id: *const c_char,
    digest: *const c_char,
    by: *const c_char,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("commit", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let digest = text(digest, "digest")?;
            let by = text(by, "by")?;
            reconciliation.put_record(&entered.commit(id, digest, by)?)
        })
    }
}

/// Says that a second person agrees to what the brake holds of the plan with that digest: it is let through once, within
/// 24 hours, and of what a definition or a list would take away at any time. Gives the reconciliation as JSON. `by` says who.
///
/// Fails as rollkeeper_engine_commit, and with ROLLKEEPER_FOUR_EYES where the same person asked for the reconciliation or
/// committed it.
///
/// # Safety
/// As for rollkeeper_engine_commit.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_release(
    engine: *mut EngineHandle,
    id: *const c_char,
    digest: *const c_char,
    by: *const c_char,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("release", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let digest = text(digest, "digest")?;
            let by = text(by, "by")?;
            reconciliation.put_record(&entered.release(id, digest, by)?)
        })
    }
}

/// Says what a person decides about the item of that number, which waits for it. `decision` is a JSON object with
/// `reaction` and, where one of several users is meant, `user`. The plan has another digest then. Gives the reconciliation
/// as JSON. `by` says who.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION, ROLLKEEPER_INVALID_DOCUMENT or
/// ROLLKEEPER_INVALID_ARGUMENT.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `decision` leads to `decision_length` bytes; `by` ends with NUL;
/// `reconciliation` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_review(
    engine: *mut EngineHandle,
    id: *const c_char,
    item: u64,
    decision: *const c_char,
    decision_length: usize,
    by: *const c_char,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("review", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let decision = document(decision, decision_length, "decision")?;
            let by = text(by, "by")?;
            let decision = read_document(decision, "decision", REVIEW_NAMES)?;
            reconciliation.put_record(&entered.review(id, item, &decision, by)?)
        })
    }
}

/// Makes a plan that puts back what a reconciliation or a request changed, from the values that were stored before. `id` is
/// that of the reconciliation or of the request. It is committed, held and released as any other plan. Gives the new
/// reconciliation as JSON; `notes` says first what cannot be undone. `by` says who.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION or ROLLKEEPER_CANNOT_BE_UNDONE.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` ends with NUL; `reconciliation` may be written; `error` is NULL or may be
/// written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_undo(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    reconciliation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("undo", error, || {
            let reconciliation = output(reconciliation, "reconciliation")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = text(by, "by")?;
            reconciliation.put_record(&entered.undo(id, by)?)
        })
    }
}

fn reconciliations_of(entered: &Entered, mut filter: ReconciliationFilter) -> IteratorHandle {
    IteratorHandle::paged(entered.shared(), filter.limit, move |engine, wanted| {
        filter.limit = Some(wanted);
        let page = engine.reconciliations(&filter)?;
        if let Some(last) = page.last() {
            filter.after = Some(last.id.as_str().to_owned());
        }
        Ok(page)
    })
}

fn items_of(entered: &Entered, id: String, mut filter: PlanFilter) -> IteratorHandle {
    IteratorHandle::paged(entered.shared(), filter.limit, move |engine, wanted| {
        filter.limit = Some(wanted);
        let page = engine.plan(&id, &filter)?;
        if let Some(last) = page.last() {
            filter.after = Some(last.number);
        }
        Ok(page)
    })
}
