//! The snapshot verdict: whether a listing may be concluded from.

use crate::model::SnapshotVerdict;

/// What is known of a listing once its last page was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// How many accounts it has, repeated ones once.
    pub accounts: u64,
    /// How many rows repeat an id that was there before.
    pub repeated: u64,
    /// How many rows cannot be read.
    pub unreadable: u64,
    /// Whether the cursor moved at every page.
    pub cursor_moved: bool,
    /// Whether whoever listed them says that these are all.
    pub proved: bool,
    /// Whether accounts went away while it was read: where pages are counted from the start, others may have been passed over.
    pub shrank: bool,
    /// How many accounts the target itself counts, where it says so.
    pub total: Option<u64>,
    /// Whether only a part was asked for: by a filter, or what changed alone.
    pub partial: bool,
}

/// Whether the listing may be concluded from, and every reason why not. `accepted` is how many accounts the last accepted
/// whole listing had; the listing is suspect where it is empty, or more than `smaller_percent` in a hundred smaller.
///
/// ```
/// use rollkeeper::model::SnapshotVerdict;
/// use rollkeeper::planning::verdict::{Listing, verdict};
/// let whole = Listing { accounts: 90, cursor_moved: true, proved: true, total: Some(90), ..Listing::default() };
/// assert_eq!(verdict(&whole, Some(100), 10), (SnapshotVerdict::Complete, vec![]));
/// let (word, why) = verdict(&Listing { total: Some(91), ..whole }, Some(100), 10);
/// assert_eq!((word, why.len()), (SnapshotVerdict::Incomplete, 1));
/// assert_eq!(verdict(&whole, Some(101), 10).0, SnapshotVerdict::Suspect);
/// ```
pub fn verdict(listing: &Listing, accepted: Option<u64>, smaller_percent: u8) -> (SnapshotVerdict, Vec<String>) {
    let mut why = Vec::new();
    if listing.partial {
        why.push("only a part of the target was asked for".to_owned());
    }
    if !listing.cursor_moved {
        why.push("the target gave a cursor that it had given before".to_owned());
    }
    if listing.shrank {
        why.push("accounts went away while it was read, so that others may have been passed over".to_owned());
    }
    if !listing.proved {
        why.push("it is not said that the listing is whole".to_owned());
    }
    if listing.repeated > 0 {
        why.push(format!("{} rows repeat an id that was there before", listing.repeated));
    }
    if listing.unreadable > 0 {
        why.push(format!("{} rows cannot be read", listing.unreadable));
    }
    if let Some(total) = listing.total.filter(|total| *total != listing.accounts) {
        why.push(format!("the target counts {total} accounts and showed {}", listing.accounts));
    }
    if !why.is_empty() {
        return (SnapshotVerdict::Incomplete, why);
    }
    let (now, before) = (u128::from(listing.accounts), u128::from(accepted.unwrap_or(0)));
    if now == 0 {
        return (SnapshotVerdict::Suspect, vec!["the listing is empty".to_owned()]);
    }
    if now * 100 < before * u128::from(100_u8.saturating_sub(smaller_percent)) {
        let why =
            format!("the listing has {now} accounts, more than {smaller_percent} % fewer than the {before} before");
        return (SnapshotVerdict::Suspect, vec![why]);
    }
    (SnapshotVerdict::Complete, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SnapshotVerdict::{Complete, Incomplete, Suspect};

    const WHOLE: Listing = Listing {
        accounts: 100,
        repeated: 0,
        unreadable: 0,
        cursor_moved: true,
        proved: true,
        shrank: false,
        total: Some(100),
        partial: false,
    };

    #[test]
    fn each_thing_that_is_missing_makes_it_incomplete_by_itself() {
        let faulty = [
            Listing { repeated: 1, ..WHOLE },
            Listing { unreadable: 1, ..WHOLE },
            Listing { cursor_moved: false, ..WHOLE },
            Listing { proved: false, ..WHOLE },
            Listing { shrank: true, ..WHOLE },
            Listing { total: Some(99), ..WHOLE },
            Listing { total: Some(101), ..WHOLE },
            Listing { partial: true, ..WHOLE },
        ];
        for listing in faulty {
            let (word, why) = verdict(&listing, None, 10);
            assert_eq!((word, why.len()), (Incomplete, 1), "{listing:?}");
            // It is incomplete whatever there was before.
            assert_eq!(verdict(&listing, Some(100_000), 10).0, Incomplete);
        }
    }

    #[test]
    fn a_whole_listing_is_suspect_where_it_is_empty_or_too_much_smaller() {
        let of = |accounts| Listing { accounts, total: None, ..WHOLE };
        let cases = [
            (0, None, 10, Suspect),
            (0, Some(0), 10, Suspect),
            (1, None, 10, Complete),
            (90, Some(100), 10, Complete),
            (89, Some(100), 10, Suspect),
            (900, Some(1_001), 10, Suspect),
            (1, Some(100), 100, Complete),
            (99, Some(100), 0, Suspect),
            (1_000, Some(10), 10, Complete),
        ];
        for (accounts, before, percent, expected) in cases {
            assert_eq!(verdict(&of(accounts), before, percent).0, expected, "{accounts} of {before:?}, {percent} %");
        }
    }
}
