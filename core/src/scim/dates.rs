//! When accounts were changed, by the target's own clock (RFC 7643 §3.1, `meta.lastModified`). Nothing is guessed: an account
//! that does not say so in the standard's spelling was changed nobody knows when.

use crate::time::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
struct Listing {
    #[serde(rename = "Resources")]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default, rename = "lastModified")]
    last_modified: Option<String>,
}

impl Row {
    fn date(&self) -> Option<Timestamp> {
        Timestamp::parse(self.meta.as_ref()?.last_modified.as_ref()?).ok()
    }
}

/// What the accounts of a listing say of when they were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dates {
    /// There is no account yet.
    Nothing,
    /// From the one to the other.
    Between(Timestamp, Timestamp),
    /// One of them does not say it.
    Unknown,
}

impl Dates {
    /// Of a page, as it was answered.
    pub(super) fn of_page(body: &[u8]) -> Self {
        let Ok(listing) = serde_json::from_slice::<Listing>(body) else { return Self::Unknown };
        let of_row = |row: &Row| row.date().map_or(Self::Unknown, |date| Self::Between(date, date));
        listing.rows.iter().map(of_row).fold(Self::Nothing, Self::and)
    }

    /// Of an account, as it was answered.
    pub(super) fn of_account(body: &[u8]) -> Option<Timestamp> {
        serde_json::from_slice::<Row>(body).ok()?.date()
    }

    /// Of both.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Nothing, known) | (known, Self::Nothing) => known,
            (Self::Between(first, last), Self::Between(from, to)) => Self::Between(first.min(from), last.max(to)),
        }
    }

    /// The last of them.
    pub(super) fn newest(self) -> Option<Timestamp> {
        if let Self::Between(_, newest) = self { Some(newest) } else { None }
    }

    /// Whether each is known and none is before `since`.
    pub(super) fn are_since(self, since: Timestamp) -> bool {
        match self {
            Self::Nothing => true,
            Self::Between(oldest, _) => oldest >= since,
            Self::Unknown => false,
        }
    }

    /// As a cursor has it, without a colon.
    pub(super) fn text(self) -> String {
        match self {
            Self::Nothing => "-".to_owned(),
            Self::Between(oldest, newest) => format!("{},{}", oldest.as_micros(), newest.as_micros()),
            Self::Unknown => String::new(),
        }
    }

    /// What [`Dates::text`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text == "-" {
            return Some(if text.is_empty() { Self::Unknown } else { Self::Nothing });
        }
        let (oldest, newest) = text.split_once(',')?;
        let moment = |text: &str| text.parse().ok().map(Timestamp::from_micros);
        Some(Self::Between(moment(oldest)?, moment(newest)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn one_account_without_its_date_makes_all_of_them_unknown() {
        let page = |rows: &str| Dates::of_page(format!(r#"{{"totalResults":2,"Resources":[{rows}]}}"#).as_bytes());
        let row = |date: &str| format!(r#"{{"id":"1","meta":{{"lastModified":{date}}}}}"#);
        let (one, other) = (row(r#""1970-01-01T00:00:07Z""#), row(r#""1970-01-01T01:00:09+01:00""#));
        assert_eq!(page(&format!("{one},{other}")), Dates::Between(at(7), at(9)));
        assert_eq!(page(""), Dates::Nothing);
        for unknown in
            [r#"{"id":"1"}"#, &row("7"), &row("null"), &row(r#""yesterday""#), r#"{"meta":{"LASTMODIFIED":"x"}}"#]
        {
            assert_eq!(page(&format!("{one},{unknown}")), Dates::Unknown, "{unknown}");
        }
        assert_eq!(Dates::of_page(b"<html>"), Dates::Unknown);
    }

    #[test]
    fn dates_survive_a_cursor() {
        for dates in [Dates::Nothing, Dates::Unknown, Dates::Between(at(-3), at(9))] {
            assert_eq!(Dates::parse(&dates.text()), Some(dates));
        }
        assert_eq!((Dates::parse("7"), Dates::parse("a,b")), (None, None));
        assert!(Dates::Between(at(3), at(9)).are_since(at(3)) && !Dates::Between(at(3), at(9)).are_since(at(4)));
        assert!(!Dates::Unknown.are_since(at(0)));
    }
}
