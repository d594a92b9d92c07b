//! Lists as iterators: each page is read from the engine when the one before is used up, so that a list of any length
//! takes the memory of one page.

use crate::boundary::{Problem, guard_status, handle, json_text, output};
use crate::failure::Failure;
use crate::handle::Shared;
use crate::status::{ROLLKEEPER_DONE, ROLLKEEPER_OK, Status};
use engine::{Engine, Error};
use serde::Serialize;
use std::collections::VecDeque;
use std::ffi::c_char;
use std::sync::{Arc, Mutex, PoisonError};

/// How many records are read at a time.
const PAGE: u32 = 256;

/// Gives the next record as JSON text, nothing after the last.
type Next = dyn FnMut() -> Result<Option<String>, Problem> + Send;

/// A list of records. It is used from one thread at a time.
pub struct IteratorHandle(Mutex<Box<Next>>);

impl IteratorHandle {
    /// A list that is there already.
    pub(crate) fn of<T: Serialize + Send + 'static>(records: Vec<T>) -> Self {
        let mut records = records.into_iter();
        Self::new(move || Ok(records.next().map(|record| json_text(&record)).transpose()?))
    }

    /// A list that is read page by page. `fetch` reads at most so many records, after those it gave before.
    pub(crate) fn paged<T, F>(engine: Arc<Shared>, limit: Option<u32>, mut fetch: F) -> Self
    where
        T: Serialize + Send + 'static,
        F: FnMut(&Engine, u32) -> Result<Vec<T>, Error> + Send + 'static,
    {
        let mut left = limit;
        let mut more = true;
        let mut page: VecDeque<T> = VecDeque::new();
        Self::new(move || {
            if page.is_empty() && more {
                let wanted = left.map_or(PAGE, |left| left.min(PAGE));
                if wanted > 0 {
                    page = fetch(&*engine.enter()?, wanted)?.into();
                }
                let got = u32::try_from(page.len()).unwrap_or(u32::MAX);
                left = left.map(|left| left.saturating_sub(got));
                more = wanted > 0 && got >= wanted;
            }
            Ok(page.pop_front().map(|record| json_text(&record)).transpose()?)
        })
    }

    fn new(next: impl FnMut() -> Result<Option<String>, Problem> + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(next)))
    }
}

/// Gives the next record as JSON text, to be freed with rollkeeper_string_free. Returns ROLLKEEPER_DONE after the last,
/// and again whenever asked. After a failure the same record may be asked for again.
///
/// # Safety
/// `iterator` is valid and used by one thread at a time; `record` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_iterator_next(
    iterator: *mut IteratorHandle,
    record: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard_status("iterator_next", error, || {
            let record = output(record, "record")?;
            let mut next = handle(iterator, "iterator")?.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(match next()? {
                Some(text) => {
                    record.put_text(&text);
                    ROLLKEEPER_OK
                }
                None => ROLLKEEPER_DONE,
            })
        })
    }
}

/// Frees an iterator, at its end or before. NULL is fine.
///
/// # Safety
/// `iterator` is NULL or valid; it is not valid afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_iterator_free(iterator: *mut IteratorHandle) {
    if !iterator.is_null() {
        // SAFETY: a valid iterator came from `Box::into_raw` and is given back once.
        drop(unsafe { Box::from_raw(iterator) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::{EngineHandle, next_number};

    fn all_of(limit: Option<u32>, total: u32) -> (Vec<String>, u32) {
        let engine = EngineHandle::new(next_number(), Engine::builder().open().unwrap());
        let fetches = Arc::new(Mutex::new(0));
        let counter = Arc::clone(&fetches);
        let mut given = 0;
        // SAFETY: the handle is valid.
        let shared = unsafe { crate::handle::enter(&raw const engine) }.ok().unwrap().shared();
        let iterator = IteratorHandle::paged(shared, limit, move |_, wanted| {
            *counter.lock().unwrap() += 1;
            let page: Vec<u32> = (given..total.min(given + wanted)).collect();
            given += u32::try_from(page.len()).unwrap();
            Ok(page)
        });
        let mut next = iterator.0.lock().unwrap();
        let mut all = Vec::new();
        while let Some(text) = next().ok().unwrap() {
            all.push(text);
        }
        assert!(next().ok().unwrap().is_none());
        let fetches = *fetches.lock().unwrap();
        (all, fetches)
    }

    #[test]
    fn pages_follow_each_other_without_gap_and_stop_at_the_end() {
        let (all, fetches) = all_of(None, 600);
        assert_eq!(all, (0..600).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(fetches, 3);
    }

    #[test]
    fn a_limit_ends_the_list_within_a_page_and_across_pages() {
        assert_eq!(all_of(Some(300), 600).0.len(), 300);
        assert_eq!(all_of(Some(3), 600).0.len(), 3);
        assert_eq!(all_of(Some(0), 600), (Vec::new(), 0));
        assert_eq!(all_of(Some(700), 600).0.len(), 600);
    }
}
