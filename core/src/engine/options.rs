//! How an engine is opened.

use super::Engine;
use super::error::Result;
use crate::http::Http;
use crate::model::{Alert, LogEntry, Progress};
use crate::secret::Secret;
use crate::time::{Clock, Period, SystemClock};
use std::path::PathBuf;
use std::sync::Arc;

/// Gives the secret of a name, or none where there is no such secret.
pub type SecretsCallback = Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>;

/// Is told every log entry once it is durable.
pub type LogCallback = Arc<dyn Fn(&LogEntry) + Send + Sync>;

/// Is told what needs a person, once it is durable.
pub type AlertCallback = Arc<dyn Fn(&Alert) + Send + Sync>;

/// Is told how a run goes; false cancels the run.
pub type ProgressCallback = Arc<dyn Fn(&Progress) -> bool + Send + Sync>;

/// Opens an [`Engine`]. The default is an in-memory store, the system's clock and randomness.
#[derive(Clone)]
pub struct Builder {
    pub(super) path: Option<PathBuf>,
    pub(super) key: Option<[u8; 32]>,
    pub(super) secrets: Option<SecretsCallback>,
    pub(super) transport: Option<Arc<dyn Http>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: Option<u64>,
    pub(super) log: Option<LogCallback>,
    pub(super) alerts: Option<AlertCallback>,
    pub(super) read_only: bool,
    pub(super) look_up: bool,
    pub(super) brake: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            path: None,
            key: None,
            secrets: None,
            transport: None,
            clock: Arc::new(SystemClock),
            seed: None,
            log: None,
            alerts: None,
            read_only: false,
            look_up: true,
            brake: true,
        }
    }
}

impl Builder {
    /// The database file; made with mode 0600 where it does not exist. On a local disk, not on a network file system.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The key that seals the keys per user. The same key must be given at every opening.
    #[must_use]
    pub fn key(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }

    /// Where secrets named in app definitions are had from.
    #[must_use]
    pub fn secrets(mut self, secrets: SecretsCallback) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// The HTTP client for every SCIM target and authorization server, in place of ours. `connector.tls` and `connector.proxy`
    /// of apps are refused then, and which addresses may be called is the host's to say; the size and the depth of answers
    /// stay bounded.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Http>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Where the time is had from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes ids, keys and jitter reproducible. For tests: keys made from a seed protect nothing.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Who is told every log entry.
    #[must_use]
    pub fn log(mut self, log: LogCallback) -> Self {
        self.log = Some(log);
        self
    }

    /// Who is told what needs a person: an approval, a conflict, a held plan, a target that is gone. Told once, by the engine
    /// that did it; [`Alert::of`] finds the same in the log.
    #[must_use]
    pub fn alerts(mut self, alerts: AlertCallback) -> Self {
        self.alerts = Some(alerts);
        self
    }

    /// Opens for reading: every verb that would change something fails with `read_only`.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Switches off the look-up before a create is sent again. Only for showing that duplicates appear without it.
    #[doc(hidden)]
    #[must_use]
    pub fn without_look_up(mut self) -> Self {
        self.look_up = false;
        self
    }

    /// Switches off the verdict on listings and the brake. Only for showing what happens without them.
    #[doc(hidden)]
    #[must_use]
    pub fn without_brake(mut self) -> Self {
        self.brake = false;
        self
    }

    /// Opens the engine.
    ///
    /// # Errors
    /// `store_newer`, `store_damaged`, `store_unwritable`, `store_busy`, `store_full`, `key_missing`; `store_missing` with
    /// `read_only` where there is no file.
    pub fn open(self) -> Result<Engine> {
        Engine::open_with(self)
    }
}

/// How [`Engine::run`] works.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// How many calls to targets at the same time, 1 to 256; 0 counts as 1.
    pub workers: usize,
    /// How long to wait for work that becomes due later; without it the run ends when nothing is due now.
    pub timeout: Option<Period>,
    /// Who is told how it goes, after each transaction.
    pub progress: Option<ProgressCallback>,
}
