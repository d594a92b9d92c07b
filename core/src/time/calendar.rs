//! Calendar dates in the forms that source systems write them, and steps of months. Times are in UTC; another zone is a
//! fixed offset, because which offset a city has is not told by a library that knows no clock and no files.

use super::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Unit};

/// From 1601-01-01, where Windows counts from, to 1970-01-01.
const FILE_TIME_EPOCH: i64 = 11_644_473_600_000_000;

impl Timestamp {
    /// Reads a time, a date, or a date with an offset (`2020-03-16-07:00`); without an offset it is in UTC.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d%:z", "%Y-%m-%dZ"];
        let text = text.trim();
        Self::parse(text).ok().or_else(|| forms.iter().find_map(|form| Self::read_as(text, form)))
    }

    /// Reads a time of that form, which [`is_form`] accepts; without an offset it is in UTC.
    pub(crate) fn read_as(text: &str, form: &str) -> Option<Self> {
        let parts = BrokenDownTime::parse(form, text).ok()?;
        let time = match parts.offset() {
            None if parts.timestamp().is_some() => Self(parts.to_timestamp().ok()?.as_microsecond()),
            offset => Self::of_clock(parts.to_datetime().ok()?, offset.unwrap_or(Offset::UTC))?,
        };
        Some(time)
    }

    /// Reads RFC 3339 text of the last hours of the year 9999, by which source systems say *never* and which
    /// [`jiff::Timestamp`] does not hold.
    pub(super) fn read_late(text: &str) -> Option<Self> {
        let parts = Pieces::parse(text).ok()?;
        let offset = parts.to_numeric_offset().filter(|_| parts.time_zone_annotation().is_none())?;
        Self::of_clock(parts.date().to_datetime(parts.time()?), offset)
    }

    /// Writes the time in that form, which [`is_form`] accepts, as clocks at that offset (`+02:00`, `Z`) show it.
    pub(crate) fn write_as(self, form: &str, offset: Option<&str>) -> Option<String> {
        let offset = match offset {
            None | Some("Z") => Offset::UTC,
            Some(text) => BrokenDownTime::parse("%:z", text).ok()?.offset()?,
        };
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => strtime::format(form, &time.to_zoned(TimeZone::fixed(offset))).ok(),
            Err(_) => {
                let shift = SignedDuration::from_secs(i64::from(offset.seconds()));
                strtime::format(form, self.clock()?.checked_add(shift).ok()?).ok()
            }
        }
    }

    /// This many months later, on the last day of the month where it has not that many days.
    pub(crate) fn plus_months(self, months: i64) -> Option<Self> {
        let span = Span::new().try_months(months).ok()?;
        Self::of_clock(self.clock()?.checked_add(span).ok()?, Offset::UTC)
    }

    /// Whole months from this time to the other, below zero where the other is earlier.
    pub(crate) fn months_until(self, other: Self) -> Option<i64> {
        let (from, to) = (self.clock()?, other.clock()?);
        Some(i64::from(from.until((Unit::Month, to)).ok()?.get_months()))
    }

    /// From the number of 100-nanosecond steps since 1601 that Windows and Active Directory count.
    pub(crate) const fn from_file_time(number: i64) -> Self {
        Self(number.div_euclid(10) - FILE_TIME_EPOCH)
    }

    /// The number of 100-nanosecond steps since 1601.
    pub(crate) fn file_time(self) -> Option<i64> {
        self.0.checked_add(FILE_TIME_EPOCH)?.checked_mul(10)
    }

    /// What clocks in UTC show; none beyond the years -9999 to 9999.
    pub(super) fn clock(self) -> Option<DateTime> {
        DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_micros(self.0)).ok()
    }

    /// The time at which clocks at that offset show this.
    fn of_clock(clock: DateTime, offset: Offset) -> Option<Self> {
        let since = clock.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
        let since = since.checked_sub(SignedDuration::from_secs(i64::from(offset.seconds())))?;
        let time = Self(i64::try_from(since.as_micros()).ok()?);
        time.clock().map(|_| time)
    }
}

/// Whether a form is one that [`Timestamp::read_as`] and [`Timestamp::write_as`] know: `%` and a letter, perhaps with `-`
/// (no padding) or `_` (spaces) between them, `%.f` and `%3f` for fractions, `%:z` for offsets. What depends on a
/// language or on a list of time zones is left out.
pub(crate) fn is_form(form: &str) -> bool {
    let mut directives = form.replace("%%", "").into_bytes().into_iter().peekable();
    while let Some(byte) = directives.next() {
        if byte != b'%' {
            continue;
        }
        let plain = directives.next_if(|flag| b"-_".contains(flag)).is_none();
        let known = match directives.next() {
            Some(b':') => plain && directives.next() == Some(b'z'),
            Some(b'.') => {
                directives.next_if(|digit| (b'1'..=b'9').contains(digit));
                plain && directives.next() == Some(b'f')
            }
            Some(b'1'..=b'9') => plain && directives.next() == Some(b'f'),
            Some(letter) => b"AaBbdeFfGgHIjklMmNPpRSsTuUVWwYyz".contains(&letter),
            None => false,
        };
        if !known {
            return false;
        }
    }
    true
}
