//! Time as a value. Nothing below the engine reads a clock: `now` is an argument.

mod boot;
mod calendar;

pub(crate) use calendar::is_form;

use crate::fault::{Code, Fault};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

const MICROS: i64 = 1_000_000;

/// A moment, in microseconds since 1970-01-01T00:00:00Z; RFC 3339 in UTC as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 text with any offset.
    ///
    /// ```
    /// let time = rollkeeper::Timestamp::parse("2026-11-20T10:00:00+01:00")?;
    /// assert_eq!(time.to_string(), "2026-11-20T09:00:00Z");
    /// # Ok::<(), rollkeeper::Fault>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_time` where the text is no RFC 3339 date and time.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        text.parse::<jiff::Timestamp>()
            .map(|time| Self(time.as_microsecond()))
            .ok()
            .or_else(|| Self::read_late(text))
            .ok_or_else(|| Fault::new(Code::InvalidTime, "a time must be RFC 3339, such as `2026-11-20T09:00:00Z`"))
    }

    /// This moment and `period` later, at the end of representable time where it would be beyond.
    pub const fn plus(self, period: Period) -> Self {
        Self(self.0.saturating_add(period.0))
    }

    /// The time from `earlier` to this moment, zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Period {
        let micros = self.0.saturating_sub(earlier.0);
        Period(if micros < 0 { 0 } else { micros })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(formatter, "{time}"),
            Err(_) => match self.clock() {
                Some(clock) => write!(formatter, "{clock}Z"),
                None => write!(formatter, "{}us", self.0),
            },
        }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// A length of time, never negative; ISO 8601 as text (`PT30S`, `P30D`; a day is 24 hours, no months or years).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(i64);

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From whole seconds.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds as i64 * MICROS)
    }

    /// From microseconds; negative ones become zero.
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 { 0 } else { micros })
    }

    /// In microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This period and another.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// As the standard library has it.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }

    /// Reads an ISO 8601 duration of weeks, days, hours, minutes and seconds.
    ///
    /// # Errors
    /// `invalid_time` where the text is something else, is negative, or counts months or years.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault =
            || Fault::new(Code::InvalidTime, "a duration must be ISO 8601 in days or less, such as `PT30S` or `P30D`");
        // The reader would take `10 minutes` as well, which other readers of the same document do not.
        let text = Some(text).filter(|text| text.starts_with(['P', 'p'])).ok_or_else(fault)?;
        let span: jiff::Span = text.parse().map_err(|_| fault())?;
        let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| fault())?;
        let micros = i64::try_from(duration.as_micros()).map_err(|_| fault())?;
        if micros < 0 { Err(fault()) } else { Ok(Self(micros)) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400 * MICROS;
        if self.0 != 0 && self.0 % DAY == 0 {
            return write!(formatter, "P{}D", self.0 / DAY);
        }
        write!(formatter, "{}", jiff::SignedDuration::from_micros(self.0))
    }
}

impl TryFrom<String> for Period {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        Self::parse(&text)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// A moment that nobody can set: how long the machine has run since it was started. Moments of different boots cannot be
/// compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Moment {
    /// Which start of the machine it is counted from.
    pub boot: u64,
    /// Microseconds since then, the time asleep included.
    pub micros: i64,
}

impl Moment {
    /// This moment and `period` later.
    #[must_use]
    pub const fn plus(self, period: Period) -> Self {
        Self { boot: self.boot, micros: self.micros.saturating_add(period.0) }
    }

    /// The time from `earlier` to this moment, zero where `earlier` is later; none where it is of another boot.
    pub const fn since(self, earlier: Self) -> Option<Period> {
        if self.boot == earlier.boot {
            Some(Period::from_micros(self.micros.saturating_sub(earlier.micros)))
        } else {
            None
        }
    }

    /// Whether this moment is after `other`. Of another boot, it counts as after: whoever asks may no longer act.
    pub const fn is_after(self, other: Self) -> bool {
        self.boot != other.boot || self.micros > other.micros
    }
}

/// Where the engine takes the time from. Hosts may supply their own; tests use [`VirtualClock`].
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// The same moment on a clock that nobody can set, for everything that is waited for: the settle time after a doubtful
    /// answer, the end of a lease. A clock that has none is believed never to be set.
    fn moment(&self) -> Moment {
        Moment { boot: 0, micros: self.now().0 }
    }

    /// Waits for a while, as a reconciliation does before it asks a target again.
    fn pause(&self, period: Period) {
        std::thread::sleep(period.to_std());
    }
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }

    fn moment(&self) -> Moment {
        boot::moment()
    }
}

/// A clock that moves only when told to. Clones show the same time.
///
/// ```
/// use rollkeeper::{Clock, Period, Timestamp, testing::VirtualClock};
/// let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z")?);
/// clock.advance(Period::from_seconds(90));
/// assert_eq!(clock.now().to_string(), "2026-01-01T00:01:30Z");
/// # Ok::<(), rollkeeper::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Hands>);

/// What a virtual clock shows.
#[derive(Debug)]
struct Hands {
    now: AtomicI64,
    boot: AtomicU64,
    running: AtomicI64,
}

impl VirtualClock {
    /// A clock that shows `start`. Of two that begin at different times, the later one stands for the same machine later.
    pub fn new(start: Timestamp) -> Self {
        let (now, running) = (AtomicI64::new(start.0), AtomicI64::new(start.0));
        Self(Arc::new(Hands { now, boot: AtomicU64::new(1), running }))
    }

    /// Lets time pass.
    pub fn advance(&self, period: Period) {
        self.0.now.fetch_add(period.0, Ordering::SeqCst);
        self.0.running.fetch_add(period.0, Ordering::SeqCst);
    }

    /// Sets the clock. Forwards, time passes; backwards, somebody turned the clock, and no time passes.
    pub fn set(&self, time: Timestamp) {
        let before = self.0.now.swap(time.0, Ordering::SeqCst);
        self.0.running.fetch_add(time.since(Timestamp(before)).0, Ordering::SeqCst);
    }

    /// Turns the clock, in either direction, without any time passing: what an administrator or a time server does.
    pub fn turn(&self, time: Timestamp) {
        self.0.now.store(time.0, Ordering::SeqCst);
    }

    /// Starts the machine again: moments are counted anew.
    pub fn reboot(&self) {
        self.0.boot.fetch_add(1, Ordering::SeqCst);
        self.0.running.store(0, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.now.load(Ordering::SeqCst))
    }

    fn moment(&self) -> Moment {
        let (boot, micros) = (self.0.boot.load(Ordering::SeqCst), self.0.running.load(Ordering::SeqCst));
        Moment { boot, micros }
    }

    /// Nobody waits: the clock moves forward.
    fn pause(&self, period: Period) {
        self.advance(period);
    }
}
