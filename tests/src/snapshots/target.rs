//! What a target shows that is not so.

use super::{Answers, Chance, Kind, Play};
use rollkeeper::connector::{ConnectorError, Outcome, Page, TargetAccount};
use serde_json::Value;

const PAGE: usize = 10;

type Accounts = Vec<TargetAccount>;

const fn kind(name: &'static str, lesson: &'static str, play: fn(&[TargetAccount], &mut Chance) -> Answers) -> Kind {
    Kind { name, lesson, play: Play::Target(play) }
}

/// The kinds.
pub(super) const KINDS: &[Kind] = &[
    kind("empty", "a target that answers 200 and nobody is not one without anybody", |_, _| paged(&[], Some(0))),
    kind("empty, with the right total", "the count is right and the rows are gone", |all, _| paged(&[], total(all))),
    kind("cut after some pages", "only the first 50 users are listed, and the rest made again", |all, chance| {
        paged(some(all, PAGE * (1 + chance.below(2))), None)
    }),
    kind("cut at half, with the right total", "a read that broke off is told by the count", |all, _| {
        paged(some(all, all.len() / 2), total(all))
    }),
    kind("cut, with a total that agrees", "a server caps its listing and counts what it shows", |all, chance| {
        let shown = some(all, all.len() * (30 + chance.below(50)) / 100);
        paged(shown, total(shown))
    }),
    kind(
        "many rows at the end are lost",
        "the end of the list is cut off, and the total is that of before",
        |all, chance| paged(some(all, all.len().saturating_sub(6 + chance.below(3))), total(all)),
    ),
    kind("an error is swallowed as the end", "a page that failed looks like the last one", |all, chance| {
        let mut pages = paged(some(all, PAGE * (1 + chance.below(2))), None);
        if let Some(Ok(last)) = pages.last_mut() {
            last.complete = false;
        }
        pages
    }),
    kind("an error after some pages", "what was read before an error is not all", |all, chance| {
        let mut pages = paged(all, total(all));
        pages.truncate(1 + chance.below(2));
        pages.push(Err(ConnectorError::new(Outcome::NotApplied, "target_failed", "the target failed")));
        pages
    }),
    kind("rows shift between pages", "an account deleted while pages are read moves others out of sight", shifted),
    kind(
        "rows shift, and nobody counts",
        "a membership is lost once in nine months: what is gone in one read is there in the next",
        |all, chance| paged(&without(all, 7, chance), None),
    ),
    kind("the total is too high", "the count is of another list", |all, chance| {
        paged(some(all, all.len() * 2 / 3), Some(all.len() as u64 + 1 + chance.below(100) as u64))
    }),
    kind("the total is too low", "the count is of another list", |all, _| {
        paged(some(all, all.len() / 2), Some(all.len() as u64 / 4))
    }),
    kind("the total is zero", "servers that do not count say zero", |all, _| paged(some(all, all.len() / 2), Some(0))),
    kind("ids are there twice", "a page that is repeated hides the one that is not read", |all, chance| {
        let kept = some(all, all.len().div_ceil(2));
        let mut rows = kept.to_vec();
        while rows.len() < all.len() {
            rows.extend(chance.one(kept).cloned());
        }
        paged(&rows, total(all))
    }),
    kind("ids are renumbered", "a target that was restored has new ids for everybody", |all, _| {
        paged(&each(all, |number, account| account.external_id = format!("new-{number}")), total(all))
    }),
    kind("ids are in another letter case", "a new version of the target writes ids in small letters", |all, _| {
        paged(&each(all, |_, account| account.external_id = account.external_id.to_lowercase()), total(all))
    }),
    kind("everybody is inactive", "a field that was renamed reads as false", |all, _| {
        paged(&each(all, |_, account| account.active = false), total(all))
    }),
    kind("everybody is active", "a field that is left out reads as true", |all, _| {
        paged(&each(all, |_, account| account.active = true), total(all))
    }),
    kind("active is turned round", "`disabled` is taken for `enabled`", |all, _| {
        paged(&each(all, |_, account| account.active = !account.active), total(all))
    }),
    kind("names are blank", "a token that may no longer see personal data gets empty texts", |all, _| {
        paged(&each(all, |_, account| texts(account, |_| String::new())), total(all))
    }),
    kind("names are swapped", "columns of a join went out of step", |all, _| {
        let mut rows = all.to_vec();
        for (row, other) in rows.iter_mut().zip(all.iter().cycle().skip(1)) {
            (row.attributes, row.username) = (other.attributes.clone(), other.username.clone());
        }
        paged(&rows, total(all))
    }),
    kind("everything is in small letters", "an index gives keys as it has folded them", |all, _| {
        paged(&each(all, |_, account| texts(account, |text| text.to_lowercase())), total(all))
    }),
    kind("texts are cut off", "a column became narrower", |all, _| {
        paged(&each(all, |_, account| texts(account, |text| text.chars().take(3).collect())), total(all))
    }),
    kind("the same page for ever", "a cursor that does not move", |all, _| {
        let mut pages = paged(all, total(all));
        pages.truncate(1);
        cursor(&mut pages, 0, 0);
        pages
    }),
    kind("the cursor goes round", "page tokens that come again", |all, _| {
        let mut pages = paged(all, total(all));
        pages.truncate(3);
        let last = pages.len() - 1;
        cursor(&mut pages, last, last.min(1));
        pages
    }),
    kind("the same page under new cursors", "a server that does not know `startIndex`", |all, _| {
        let first = some(all, PAGE).to_vec();
        let rows: Accounts = (0..12).flat_map(|_| first.clone()).collect();
        paged(&rows, None)
    }),
    kind("of last month", "a replica that no longer gets changes answers gladly", |all, _| {
        let rows = each(some(all, all.len() * 3 / 5), |_, account| texts(account, |text| format!("old {text}")));
        paged(&rows, total(&rows))
    }),
    kind("of another tenant", "credentials of another customer work too", |all, _| {
        let rows = each(all, |number, account| {
            account.external_id = format!("other-{number}");
            texts(account, |text| format!("other {text}"));
        });
        paged(&rows, total(&rows))
    }),
    kind("active accounts alone", "a target hides what is disabled unless it is asked", |all, _| {
        let rows: Accounts = all.iter().filter(|account| account.active).cloned().collect();
        paged(&rows, total(&rows))
    }),
    kind("one department alone", "a target applies a filter that nobody asked for", |all, chance| {
        let shown = chance.one(&["IT", "HR", "Sales", "Care"]).copied();
        let is_shown = |account: &&TargetAccount| account.attributes.get("department").and_then(Value::as_str) == shown;
        let rows: Accounts = all.iter().filter(is_shown).cloned().collect();
        paged(&rows, total(&rows))
    }),
    kind("letters are damaged", "UTF-8 that was read as Latin-1", |all, _| {
        paged(&each(all, |_, account| texts(account, damaged)), total(all))
    }),
    kind("every second page is empty", "a shard that is down answers 200 with nothing", |all, _| {
        let mut pages = paged(all, None);
        for page in pages.iter_mut().skip(1).step_by(2).flatten() {
            page.accounts.clear();
        }
        pages
    }),
    kind("ids are blank", "a row without an id is nobody's", |all, _| {
        let blank = |number: usize, account: &mut TargetAccount| {
            if number.is_multiple_of(3) {
                account.external_id = String::new();
            }
        };
        paged(&each(all, blank), total(all))
    }),
];

fn total(accounts: &[TargetAccount]) -> Option<u64> {
    Some(accounts.len() as u64)
}

fn some(accounts: &[TargetAccount], count: usize) -> &[TargetAccount] {
    accounts.get(..count).unwrap_or(accounts)
}

/// Honest pages of these rows.
pub(super) fn paged(rows: &[TargetAccount], total: Option<u64>) -> Answers {
    let mut pages: Vec<Page> =
        rows.chunks(PAGE).map(|rows| Page { accounts: rows.to_vec(), total, ..Page::default() }).collect();
    if pages.is_empty() {
        pages.push(Page { total, ..Page::default() });
    }
    let last = pages.len() - 1;
    for (number, page) in pages.iter_mut().enumerate() {
        page.complete = number == last;
        page.next = (number < last).then(|| (number + 1).to_string());
    }
    pages.into_iter().map(Ok).collect()
}

/// Lets a page say that another one follows.
fn cursor(pages: &mut Answers, page: usize, next: usize) {
    if let Some(Ok(page)) = pages.get_mut(page) {
        (page.next, page.complete) = (Some(next.to_string()), false);
    }
}

fn each(accounts: &[TargetAccount], mut change: impl FnMut(usize, &mut TargetAccount)) -> Accounts {
    let mut rows = accounts.to_vec();
    rows.iter_mut().enumerate().for_each(|(number, account)| change(number, account));
    rows
}

/// Changes every text of an account but its id.
fn texts(account: &mut TargetAccount, change: impl Fn(&str) -> String) {
    account.username = account.username.as_deref().map(&change);
    for value in account.attributes.values_mut() {
        if let Some(text) = value.as_str() {
            *value = Value::from(change(text));
        }
    }
}

fn damaged(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// At each page's end a row is skipped, and one of the page is shown again.
fn shifted(all: &[TargetAccount], _: &mut Chance) -> Answers {
    let mut pages = paged(all, total(all));
    for page in pages.iter_mut().flatten() {
        if let [first, .., last] = page.accounts.as_mut_slice() {
            *last = first.clone();
        }
    }
    pages
}

/// Without so many rows, each time others.
fn without(all: &[TargetAccount], count: usize, chance: &mut Chance) -> Accounts {
    let start = chance.below(all.len()) + chance.round * count;
    let gone = |number: usize| (number + all.len() - start % all.len()) % all.len() < count;
    all.iter().enumerate().filter(|(number, _)| !gone(*number)).map(|(_, account)| account.clone()).collect()
}
