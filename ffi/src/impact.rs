//! What a new definition would change, user by user.

use crate::boundary::{Problem, document, guard, guard_status, handle, json_text, optional_document, output};
use crate::failure::Failure;
use crate::filter::read_filter;
use crate::handle::{EngineHandle, Shared, enter};
use crate::status::{ROLLKEEPER_DONE, ROLLKEEPER_OK, Status};
use engine::model::{App, ImpactOptions, ImpactSummary, UserImpact};
use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::IntoIter;

/// The impact of a definition. One thread goes through it; the summary and the end may be asked for from any.
pub struct ImpactHandle {
    walk: Mutex<Walk>,
    summary: Mutex<ImpactSummary>,
    cancelled: AtomicBool,
    engine: Arc<Shared>,
}

struct Walk {
    impact: engine::Impact,
    page: IntoIter<UserImpact>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ImpactHandle {
    fn next(&self) -> Result<Option<String>, Problem> {
        let mut walk = lock(&self.walk);
        while !self.cancelled.load(Ordering::Relaxed) {
            if let Some(user) = walk.page.next() {
                return Ok(Some(json_text(&user)?));
            }
            // The engine is entered for each page, so that it can be freed in between.
            let entered = self.engine.enter()?;
            let page = walk.impact.next_page();
            drop(entered);
            lock(&self.summary).clone_from(walk.impact.summary());
            match page? {
                Some(page) => walk.page = page.into_iter(),
                None => break,
            }
        }
        Ok(None)
    }
}

/// Compares a definition with the one that is stored, or with nothing where there is none, over all users: whom would
/// storing it touch? `options` is NULL or a JSON object with `values` (true to be told the attributes' values, old and
/// new; those of sensitive rules never are). Nothing is stored, nothing is sent, and no connector is asked. Users are read
/// in pages while the impact is gone through; what others store meanwhile is seen where it is still to come.
///
/// Fails as rollkeeper_engine_put_app where the definition is at fault.
///
/// # Safety
/// `engine` is valid; `app` leads to `app_length` bytes; `options` is NULL or leads to `options_length` bytes; `impact`
/// may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_impact(
    engine: *const EngineHandle,
    app: *const c_char,
    app_length: usize,
    options: *const c_char,
    options_length: usize,
    impact: *mut *mut ImpactHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("impact", error, || {
            let impact = output(impact, "impact")?;
            let entered = enter(engine)?;
            let app = document(app, app_length, "app")?;
            let options = optional_document(options, options_length, "options")?;
            let options: ImpactOptions = read_filter(options)?;
            let made = entered.impact(App::from_json(app)?, options)?;
            impact.put_object(ImpactHandle {
                summary: Mutex::new(made.summary().clone()),
                walk: Mutex::new(Walk { impact: made, page: Vec::new().into_iter() }),
                cancelled: AtomicBool::new(false),
                engine: entered.shared(),
            });
            Ok(())
        })
    }
}

/// Gives the next user for whom something would change, as JSON, to be freed with rollkeeper_string_free. Returns
/// ROLLKEEPER_DONE after the last, and when it was cancelled. May take long where few users are touched.
///
/// # Safety
/// `impact` is valid and gone through by one thread at a time; `user` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_impact_next(
    impact: *const ImpactHandle,
    user: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard_status("impact_next", error, || {
            let user = output(user, "user")?;
            Ok(match handle(impact, "impact")?.next()? {
                Some(text) => {
                    user.put_text(&text);
                    ROLLKEEPER_OK
                }
                None => ROLLKEEPER_DONE,
            })
        })
    }
}

/// Gives the totals so far as JSON, of all users once `finished` is true; `users` of `total` tells how far it is. From any
/// thread, also while another waits for the next user.
///
/// # Safety
/// `impact` is valid; `summary` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_impact_summary(
    impact: *const ImpactHandle,
    summary: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("impact_summary", error, || {
            let summary = output(summary, "summary")?;
            let so_far = lock(&handle(impact, "impact")?.summary).clone();
            summary.put_record(&so_far)
        })
    }
}

/// Ends an impact: the thread that goes through it is given ROLLKEEPER_DONE after the page it is at. From any thread.
///
/// # Safety
/// `impact` is valid; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_impact_cancel(impact: *const ImpactHandle, error: *mut *mut Failure) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("impact_cancel", error, || {
            handle(impact, "impact")?.cancelled.store(true, Ordering::Relaxed);
            Ok(())
        })
    }
}

/// Frees an impact, at its end or before. NULL is fine.
///
/// # Safety
/// `impact` is NULL or valid; it is not valid afterwards, and no other function is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_impact_free(impact: *mut ImpactHandle) {
    if !impact.is_null() {
        // SAFETY: a valid impact came from `Box::into_raw` and is given back once.
        drop(unsafe { Box::from_raw(impact) });
    }
}
