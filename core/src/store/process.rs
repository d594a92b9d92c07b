//! Which process a store belongs to. SQLite's connections and the locks behind them do not survive a fork
//! (sqlite.org/howtocorrupt.html §2.6): a child that used one, closed it, or opened the same file beside it would work
//! without the locks that it believes to hold.

use crate::fault::{Code, Fault};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The files that are open, each with the process that opened it. A child has its parent's list, and by it knows what it
/// must not touch.
static OPEN: Mutex<Vec<(PathBuf, u32)>> = Mutex::new(Vec::new());

/// The process that opened a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl Owner {
    /// This process.
    pub(crate) fn here() -> Self {
        Self(std::process::id())
    }

    /// Whether this is a child of the process that opened the store, made by a fork.
    pub(crate) fn is_gone(self) -> bool {
        self != Self::here()
    }

    /// # Errors
    /// `forked` in a child.
    pub(crate) fn check(self) -> Result<(), Fault> {
        if self.is_gone() {
            return Err(forked(
                "the engine was opened before this process was forked; open another one in this process",
            ));
        }
        Ok(())
    }
}

fn forked(message: &str) -> Fault {
    Fault::new(Code::Forked, message)
}

/// Notes that a file is open, as long as it lives.
pub(super) struct Noted(PathBuf);

impl Noted {
    /// # Errors
    /// `forked` where the file was open when this process was forked: what SQLite knows of its locks was copied, the locks
    /// themselves were not.
    pub(super) fn new(path: &Path) -> Result<Self, Fault> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let here = std::process::id();
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if open.iter().any(|(other, process)| *other == path && *process != here) {
            return Err(forked("the file was open when this process was forked; open it after the fork alone"));
        }
        open.push((path.clone(), here));
        Ok(Self(path))
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = open.iter().position(|(path, _)| *path == self.0) {
            open.swap_remove(place);
        }
    }
}
