//! Calendar dates in the forms that source systems write them, and steps of months. Times are in UTC; another zone is a
//! fixed offset, because which offset a city has is not told by a library that knows no clock and no files.

use super::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Unit, Zoned};

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
            None if parts.timestamp().is_none() => Offset::UTC.to_timestamp(parts.to_datetime().ok()?).ok()?,
            _ => parts.to_timestamp().ok()?,
        };
        Some(Self(time.as_microsecond()))
    }

    /// Writes the time in that form, which [`is_form`] accepts, as clocks at that offset (`+02:00`, `Z`) show it.
    pub(crate) fn write_as(self, form: &str, offset: Option<&str>) -> Option<String> {
        let offset = match offset {
            None | Some("Z") => Offset::UTC,
            Some(text) => BrokenDownTime::parse("%:z", text).ok()?.offset()?,
        };
        strtime::format(form, &self.zoned(TimeZone::fixed(offset))?).ok()
    }

    /// This many months later, on the last day of the month where it has not that many days.
    pub(crate) fn plus_months(self, months: i64) -> Option<Self> {
        let span = Span::new().try_months(months).ok()?;
        Some(Self(self.zoned(TimeZone::UTC)?.checked_add(span).ok()?.timestamp().as_microsecond()))
    }

    /// Whole months from this time to the other, below zero where the other is earlier.
    pub(crate) fn months_until(self, other: Self) -> Option<i64> {
        let (from, to) = (self.zoned(TimeZone::UTC)?, other.zoned(TimeZone::UTC)?);
        Some(i64::from(from.until((Unit::Month, &to)).ok()?.get_months()))
    }

    /// From the number of 100-nanosecond steps since 1601 that Windows and Active Directory count.
    pub(crate) const fn from_file_time(number: i64) -> Self {
        Self(number.div_euclid(10) - FILE_TIME_EPOCH)
    }

    /// The number of 100-nanosecond steps since 1601.
    pub(crate) fn file_time(self) -> Option<i64> {
        self.0.checked_add(FILE_TIME_EPOCH)?.checked_mul(10)
    }

    fn zoned(self, zone: TimeZone) -> Option<Zoned> {
        Some(jiff::Timestamp::from_microsecond(self.0).ok()?.to_zoned(zone))
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
