//! How a server of the zoo differs from the standard, as data: `tests/data/zoo/personalities.json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A server that behaves like some that are out there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Personality {
    /// Its name.
    pub name: String,
    /// What it does, in one line.
    pub about: String,
    /// Where such servers were met: products and issues.
    pub seen: String,
    /// How it behaves.
    #[serde(default)]
    pub bends: Bends,
    /// What the app's definition says besides the usual.
    #[serde(default)]
    pub app: Map<String, Value>,
    /// Whether it is probed before its story begins.
    #[serde(default)]
    pub probed: bool,
    /// What is done by hand in the story of its groups.
    #[serde(default)]
    pub by_hand: super::ByHand,
}

/// How a story ends; what is left out is empty or as usual.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct End {
    /// What is not as wanted, as `user: attribute`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// The codes of what failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<String>,
    /// What the engine knows the target not to keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<String>,
    /// What the engine learnt the target not to do, or to do otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learnt: Vec<String>,
    /// Who has two accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub twice: Vec<String>,
    /// How many changes were sent in the end though nothing had changed.
    #[serde(skip_serializing_if = "is_none")]
    pub rewrites: u64,
    /// How the listing was judged where it was not complete, or what it failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<String>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl End {
    /// In words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        let mut tell = |what: &str, list: &[String]| {
            if !list.is_empty() {
                words.push(format!("{what} {}", list.join(", ")));
            }
        };
        let code = |list: &[String]| list.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>();
        tell("stops:", &code(&self.stops));
        tell("learnt:", &code(&self.learnt));
        tell("not kept:", &code(&self.not_kept));
        tell("listing:", self.listing.as_slice());
        tell("two accounts:", &self.twice);
        let unknown: Vec<String> =
            self.differs.iter().filter_map(|text| text.strip_suffix(" (unknown)")).map(str::to_owned).collect();
        tell("not seen:", &unknown);
        if self.rewrites > 0 && self.stops.is_empty() {
            words.push(format!("sent again by each reconciliation: {}", self.rewrites));
        }
        if self.differs.is_empty() {
            words.insert(0, "as wanted".to_owned());
        }
        words.join("; ")
    }
}

/// Everything in which a server may be different. The default is the standard.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bends {
    /// Answers that do not come from the directory.
    pub rules: Vec<Rule>,
    /// What becomes of what is stored.
    pub store: Store,
    /// How accounts are searched.
    pub filter: Filter,
    /// How lists are given.
    pub paging: Paging,
    /// How PATCH is understood.
    pub patch: Patch,
    /// How PUT is understood.
    pub put: Put,
    /// How what was made is answered.
    pub create: Create,
    /// How what was changed is answered.
    pub update: Shown,
    /// How refusals are told.
    pub errors: Errors,
    /// How versions are told and asked for.
    pub etag: Etag,
    /// How resources are written, one after the other.
    pub shapes: Vec<Shape>,
    /// How the documents about the server itself are.
    pub discovery: Discovery,
    /// What `meta.lastModified` tells.
    pub dates: Dates,
    /// What comes of the question for a part of a resource.
    pub parts: super::Selecting,
    /// How groups are.
    pub groups: super::Groups,
}

/// An answer to requests of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The method and the beginning of the path, as `PATCH /Users/`; a `$` at the end means the whole path.
    pub on: String,
    /// A query parameter that there must be.
    #[serde(default)]
    pub parameter: Option<String>,
    /// A text that must stand in the body.
    #[serde(default)]
    pub body: Option<String>,
    /// A header and what must stand in it.
    #[serde(default)]
    pub header: Option<(String, String)>,
    /// So many such requests are let through first.
    #[serde(default)]
    pub skip: u64,
    /// So many are answered; all where it is left out.
    #[serde(default)]
    pub times: Option<u64>,
    /// Every so many-th alone is answered.
    #[serde(default)]
    pub every: Option<u64>,
    /// Whether what was asked for is done all the same.
    #[serde(default)]
    pub done: bool,
    /// The status; the connection ends without an answer where it is left out.
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// The body as text; `huge` stands for nine million bytes.
    #[serde(default)]
    pub text: String,
    /// Half of the real answer is sent.
    #[serde(default)]
    pub cut: bool,
}

/// What becomes of what is stored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// A second account with the same name is taken.
    pub not_unique: bool,
    /// Names that differ in letter case alone are two names.
    pub exact_names: bool,
    /// Names are stored in lower case.
    pub lower_names: bool,
    /// A second account with a name that is taken gets another name.
    pub renames: bool,
    /// Who makes an account that there is gets the one that there is.
    pub answers_existing: bool,
    /// Attributes that are not stored.
    pub drops: Vec<String>,
    /// Attributes that an account keeps as it was made with them.
    pub keeps_first: Vec<String>,
    /// Attributes without which no account is made.
    pub requires: Vec<String>,
    /// Attributes with which nothing is taken.
    pub refuses: Vec<String>,
    /// Texts are cut to so many characters.
    pub truncates: Option<usize>,
    /// Of a list the first element alone is kept.
    pub single_valued: bool,
    /// How ids look.
    pub ids: Ids,
    /// What DELETE does.
    pub deletes: Deletes,
    /// An account that is disabled answers 404.
    pub inactive_is_gone: bool,
    /// Disabling is answered with success and not done, so many times.
    pub ignores_disabling: u64,
    /// Searches and lists show what was so many seconds ago.
    pub index_lag: i64,
    /// Reads show what was so many seconds ago.
    pub read_lag: i64,
}

/// How ids look.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Ids {
    /// As `a1`.
    #[default]
    Text,
    /// As `1`.
    Number,
    /// The name of the account.
    Username,
    /// With characters that a URL has no room for.
    Odd,
    /// The `externalId`.
    External,
}

/// What DELETE does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// It deletes.
    #[default]
    Really,
    /// It disables.
    Disables,
    /// It is refused.
    Refused,
}

/// How accounts are searched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Whether filters work at all.
    pub mode: Filtering,
    /// The status of a refused filter.
    pub status: Option<u16>,
    /// The attributes that can be searched; all where it is empty.
    pub only: Vec<String>,
    /// What a filter of another attribute finds.
    pub unknown: Filtering,
    /// Letter case counts.
    pub exact: bool,
    /// A filter with a backslash is refused.
    pub refuses_escapes: bool,
    /// What comes of a filter by `meta.lastModified`.
    pub dates: Filtering,
}

/// What comes of a filter.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Filtering {
    /// It finds what it asks for.
    #[default]
    Works,
    /// Everybody is answered.
    Ignored,
    /// Nobody is answered.
    Empty,
    /// It is refused.
    Refused,
}

/// How lists are given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paging {
    /// How one gets from page to page.
    pub mode: Pages,
    /// The most rows on a page.
    pub cap: Option<usize>,
    /// One row fewer than asked for on each page.
    pub short: bool,
    /// Each list begins one row later than the one before.
    pub drifts: bool,
    /// What is said to be the number of all.
    pub total: Total,
    /// What is said to be the number of rows on the page.
    pub says_asked: bool,
    /// How a list without rows looks.
    pub empty: Empty,
    /// Attributes that lists do not show.
    pub hides: Vec<String>,
}

/// How one gets from page to page.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Pages {
    /// By the number of the first row, from 1.
    #[default]
    Index,
    /// By the number of the first row, from 0.
    ZeroBased,
    /// Every page is the first.
    FirstAlways,
    /// There is one page with everybody.
    Unpaged,
    /// Behind the last page comes the last one again.
    LastAgain,
    /// By cursors (RFC 9865), whether they were asked for or not.
    Cursor,
    /// By cursors, where one was asked for; the first by an empty one.
    CursorWhereAsked,
    /// By cursors, of which one leads back to the first page.
    CursorRound,
    /// By cursors, with a page without rows in the middle.
    CursorGap,
    /// By cursors, of which the second is not taken any more once.
    CursorExpires,
    /// By cursors, none of which is taken.
    CursorNeverHolds,
}

/// What is said to be the number of all.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Total {
    /// It is.
    #[default]
    Right,
    /// It is not said.
    Missing,
    /// None at all.
    Zero,
    /// The number of rows on the page.
    Page,
    /// One fewer than there are.
    Small,
    /// Three more than there are.
    Large,
    /// The right number as text.
    Text,
}

/// How a list without rows looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// `Resources` is empty.
    #[default]
    List,
    /// There is no `Resources`.
    Absent,
    /// `Resources` is null.
    Null,
    /// It is answered with 404.
    Missing,
}

/// How PATCH is understood.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patch {
    /// PATCH is refused with this status.
    pub refused: Option<u16>,
    /// An operation with a path is refused with this status.
    pub paths_refused: Option<u16>,
    /// A path with a filter is refused with this status.
    pub filters_refused: Option<u16>,
    /// A path into an extension is refused with this status.
    pub extensions_refused: Option<u16>,
    /// A path with a dot is refused with this status.
    pub parts_refused: Option<u16>,
    /// `remove` is refused with this status.
    pub removal_refused: Option<u16>,
    /// Anything but `active` is refused with this status.
    pub other_than_active_refused: Option<u16>,
    /// More than one operation is refused with this status.
    pub several_refused: Option<u16>,
    /// `active` must be `"True"` or `"False"`; a truth is refused with this status.
    pub truths_refused: Option<u16>,
    /// `active` stays as it is, with success.
    pub active_ignored: bool,
    /// `active` is refused with this status.
    pub active_refused: Option<u16>,
    /// The operations before a refused one stay.
    pub half_done: bool,
    /// Nothing is done, with success.
    pub ignored: bool,
    /// `remove` does nothing, with success.
    pub removal_ignored: bool,
    /// What `add` adds to a list that has it already is there twice.
    pub adds_twice: bool,
    /// A path with a filter that finds nothing is refused with 400 `noTarget`.
    pub no_target: bool,
}

/// How PUT is understood.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Put {
    /// PUT is refused with this status.
    pub refused: Option<u16>,
    /// What is not sent stays.
    pub partial: bool,
    /// A body without `id` is refused.
    pub needs_id: bool,
}

/// How what was made is answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Create {
    /// The status instead of 201.
    pub status: Option<u16>,
    /// The body.
    pub shown: Shown,
    /// The `Location`.
    pub location: Location,
    /// A duplicate is refused so.
    pub duplicate: Option<u16>,
}

/// What an answer shows of the account.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// All of it.
    #[default]
    Whole,
    /// Nothing, with 204 for a change.
    Nothing,
    /// Nothing, with a status of success.
    Blank,
    /// All but the id.
    WithoutId,
    /// The id alone.
    IdAlone,
    /// As it was before.
    Stale,
}

/// The `Location` of what was made.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// The whole URL.
    #[default]
    Whole,
    /// The path.
    Relative,
    /// Another host's.
    Elsewhere,
    /// None.
    Absent,
    /// With `undefined` for the id.
    Undefined,
}

/// How refusals are told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Errors {
    /// The body.
    pub body: ErrorBody,
    /// The status of an account that is not there.
    pub missing: Option<u16>,
}

/// The body of a refusal.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// As RFC 7644 §3.12 has it.
    #[default]
    Standard,
    /// The status as a number, without `scimType`.
    NumberWithoutType,
    /// None.
    Absent,
    /// A web page.
    Page,
    /// `schemas` as one text, and `scimType` always `invalidSyntax`.
    Wrong,
    /// JSON of its own.
    Own,
}

/// What `meta.lastModified` tells.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Dates {
    /// It is not there.
    #[default]
    Absent,
    /// When the account was changed last.
    Moves,
    /// When the account was made.
    Stays,
    /// When it was changed last, by a clock that is two hours behind.
    Behind,
    /// As it should, but for every third account, which does not show it.
    Some,
}

/// How versions are told and asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Etag {
    /// Not at all.
    #[default]
    None,
    /// They are told, and `If-Match` is heeded.
    Heeded,
    /// As before, and a change without `If-Match` is refused with 428.
    Required,
    /// They are told, and any `If-Match` is refused with 412.
    Refuses,
    /// They are told in `meta.version` alone, without quotes.
    Bare,
}

/// How resources are written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Ids are numbers.
    NumberIds,
    /// Names of attributes are in lower case.
    LowerKeys,
    /// Names of attributes begin with a capital.
    CapitalKeys,
    /// Truths are `"True"` and `"False"`.
    TextTruths,
    /// Truths are 1 and 0.
    NumberTruths,
    /// Parts of `name` and of extensions stand at the top.
    FlatKeys,
    /// URNs are in lower case.
    LowerUrns,
    /// Attributes that are not there are null.
    Nulls,
    /// Attributes that are not there are empty.
    Empties,
    /// Lists of objects are lists of texts.
    TextLists,
    /// Lists with one element are that element.
    SingleLists,
    /// There are no `schemas`.
    NoSchemas,
    /// There is no `meta`.
    NoMeta,
    /// There are attributes of its own.
    Extras,
    /// The enterprise extension has another URN.
    OwnExtension,
    /// `externalId` is not shown.
    NoExternalId,
    /// `active` is not shown.
    NoActive,
    /// The `primary` of the first element of each list is set.
    Primaries,
    /// Everybody is in twenty groups.
    ManyGroups,
}

/// How the documents about the server itself are.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Discovery {
    /// As they should be.
    #[default]
    Standard,
    /// There are none.
    Absent,
    /// They say that nothing is supported.
    Denies,
    /// They say that cursors are to be used.
    Cursors,
}
