//! Users, accounts and links read for joining: hashes, flags and a fingerprint, taken from the text in one or two passes. A
//! record that is out of the ordinary is read whole, and comes to the same.

use super::hash::Hasher;
use super::record::{Link, read_account, user};
use super::{Rules, Terms};
use crate::fault::{Code, Fault};
use crate::id::UserId;
use crate::mapping::{Comparable, RenderInputs, root};
use crate::matching::OnlyPair;
use crate::model::{LinkState, TargetAccount, User};
use crate::value::{Attributes, Field, Keys, Raw, Record, each_member, write, write_text};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many keys a record may have under one rule.
const MOST_KEYS: usize = 4096;

/// How many different standings are remembered.
const MOST_STANDINGS: usize = 1 << 14;

/// An active account is wanted.
pub(super) const WANTS: u8 = 1;
/// The user is frozen.
pub(super) const FROZEN: u8 = 2;
/// The scope could not be evaluated.
pub(super) const FAULTY: u8 = 4;
/// The fingerprint can be compared.
pub(super) const COMPARABLE: u8 = 8;
/// The account can be used.
pub(super) const ACTIVE: u8 = 16;
/// The account is protected.
pub(super) const PROTECTED: u8 = 32;

/// A user or an account, as it is joined.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) id: u128,
    pub(super) fingerprint: u128,
    pub(super) flags: u8,
    /// The keys under each rule.
    pub(super) keys: Vec<Vec<u128>>,
}

impl Seen {
    fn clear(&mut self, rules: usize) {
        (self.id, self.fingerprint, self.flags) = (0, 0, 0);
        self.keys.resize_with(rules, Vec::new);
        self.keys.iter_mut().for_each(Vec::clear);
    }
}

/// The reserved keys on which a standing rests, with the name.
const STANDING: [&str; 7] =
    ["active", "frozen", "profile", "permission_sets", "permission_set_groups", "valid_from", "valid_until"];

/// The other reserved keys, which are checked.
const CHECKED: [&str; 3] = ["id", "username", "manager"];

/// Reads users.
pub(super) struct UserReader<'r> {
    rules: &'r Rules<'r>,
    hasher: Hasher,
    inputs: RenderInputs<'r>,
    /// None where a record must be read whole.
    keys: Option<&'r Keys>,
    comparable: Option<Comparable>,
    /// The members that are given to the standing besides those that everybody has.
    standing_reads: Vec<String>,
    standings: HashMap<String, u8>,
    /// The only pairs of rules, with the member where the user's text stands.
    direct: Vec<Option<(OnlyPair<'r>, &'r str)>>,
    text: String,
}

/// The members of users that are read; `None` where all of them are.
pub(super) fn user_keys(rules: &Rules<'_>) -> Option<Keys> {
    let mut names: BTreeSet<&str> = STANDING.into_iter().chain(CHECKED).collect();
    names.extend(rules.standing_reads?.iter().map(String::as_str));
    let matching = (0..rules.matching.rules()).flat_map(|rule| rules.matching.user_attributes(rule));
    names.extend(matching.filter_map(|path| path.split('.').next()));
    if let Some(mapping) = rules.mapping.user_members() {
        names.extend(mapping);
    }
    Some(Keys::new(names))
}

impl<'r> UserReader<'r> {
    pub(super) fn new(
        rules: &'r Rules<'r>,
        terms: &Terms,
        keys: Option<&'r Keys>,
        account: &Keys,
        nobody: &'r Attributes,
    ) -> Self {
        let comparable = keys.and_then(|keys| rules.mapping.comparable(keys, account));
        let direct = (0..rules.matching.rules()).map(|rule| {
            let pair = rules.matching.only_pair(rule)?;
            (!pair.user().contains('.')).then(|| (pair, pair.user()))
        });
        let known = |name: &&String| !STANDING.contains(&name.as_str());
        Self {
            rules,
            hasher: Hasher::new(&terms.key),
            inputs: RenderInputs {
                app_id: rules.app_id,
                app_label: rules.app_label,
                creating: false,
                ..RenderInputs::create(nobody, terms.now)
            },
            keys,
            comparable,
            standing_reads: rules.standing_reads.into_iter().flatten().filter(known).cloned().collect(),
            standings: HashMap::new(),
            direct: direct.collect(),
            text: String::new(),
        }
    }

    /// Reads one user.
    ///
    /// # Errors
    /// As [`User::from_json`]; `too_large` for one with too many keys.
    pub(super) fn read(&mut self, json: &[u8], seen: &mut Seen) -> Result<(), Fault> {
        seen.clear(self.rules.matching.rules());
        if self.read_in_part(json, seen).is_some() {
            return Ok(());
        }
        seen.clear(self.rules.matching.rules());
        let user = user(json)?;
        seen.id = self.hasher.hash(user.id.as_str().as_bytes());
        seen.flags = self.standing(&user);
        for (rule, keys) in seen.keys.iter_mut().enumerate() {
            join_keys(&self.hasher, self.rules.matching.user_keys(rule, &user.record), keys)?;
        }
        Ok(())
    }

    fn read_in_part(&mut self, json: &[u8], seen: &mut Seen) -> Option<()> {
        let record = Record::read(self.keys?, std::str::from_utf8(json).ok()?)?;
        let Field::Text(id) = record.member("id")? else { return None };
        UserId::new(id.as_ref()).ok()?;
        let is_text = |name: &str| matches!(record.member(name), Some(Field::Text(_) | Field::Absent));
        if !is_text("username") || !is_text("manager") {
            return None;
        }
        seen.id = self.hasher.hash(id.as_bytes());
        seen.flags = self.standing_in_part(&record)?;
        for (rule, keys) in seen.keys.iter_mut().enumerate() {
            if let Some((pair, name)) = self.direct.get(rule)? {
                match record.member(name)? {
                    Field::Absent => continue,
                    Field::Text(text) => {
                        keys.extend(pair.key(text).map(|key| self.hasher.hash(key.as_bytes())));
                        continue;
                    }
                    _ => {}
                }
            }
            let part = partly(&record, roots(self.rules.matching.user_attributes(rule)));
            join_keys(&self.hasher, self.rules.matching.user_keys(rule, &part), keys).ok()?;
        }
        self.text.clear();
        if let Some(comparable) = &self.comparable
            && comparable.wanted(self.rules.mapping, &record, &self.inputs, &mut self.text)
        {
            seen.fingerprint = self.hasher.hash(self.text.as_bytes());
            seen.flags |= COMPARABLE;
        }
        Some(())
    }

    fn standing(&self, user: &User) -> u8 {
        let claim = self.rules.claim(user);
        let flag = |is_so: bool, flag: u8| if is_so { flag } else { 0 };
        flag(claim.wants_account, WANTS) | flag(claim.frozen, FROZEN) | flag(claim.fault.is_some(), FAULTY)
    }

    /// The standing by those members that count; where nothing else does, it is that of others with the same.
    fn standing_in_part(&mut self, record: &Record<'_>) -> Option<u8> {
        self.text.clear();
        for name in STANDING {
            match record.member(name)? {
                Field::Absent => {}
                Field::Text(text) => write_text(text, &mut self.text),
                Field::Bool(truth) => self.text.push_str(if *truth { "true" } else { "false" }),
                Field::Number(_) => return None,
                Field::Tree(tree) => write(tree, &mut self.text),
            }
            self.text.push('\n');
        }
        let is_shared = self.standing_reads.is_empty();
        if let (true, Some(flags)) = (is_shared, self.standings.get(&self.text)) {
            return Some(*flags);
        }
        let names = STANDING.into_iter().chain(["id"]).chain(self.standing_reads.iter().map(String::as_str));
        let user = User::from_value(Value::Object(partly(record, names))).ok()?;
        let flags = self.standing(&user);
        if is_shared && self.standings.len() < MOST_STANDINGS {
            self.standings.insert(self.text.clone(), flags);
        }
        Some(flags)
    }
}

fn roots<'p>(paths: impl Iterator<Item = &'p str>) -> impl Iterator<Item = &'p str> {
    paths.filter_map(|path| path.split('.').next())
}

/// The members of those names.
fn partly<'n>(record: &Record<'_>, names: impl Iterator<Item = &'n str>) -> Attributes {
    let value = |field: &Field<'_>| match field {
        Field::Absent => None,
        Field::Bool(truth) => Some(Value::from(*truth)),
        Field::Number(number) => Some(Value::Number(number.clone())),
        Field::Text(text) => Some(Value::from(text.as_ref())),
        Field::Tree(tree) => Some(tree.clone()),
    };
    names.filter_map(|name| Some((name.to_owned(), value(record.member(name)?)?))).collect()
}

/// The hashes of all ways to take one value of each pair.
fn join_keys(hasher: &Hasher, values: Option<Vec<Vec<String>>>, keys: &mut Vec<u128>) -> Result<(), Fault> {
    let Some(values) = values else { return Ok(()) };
    let ways = values.iter().try_fold(1_usize, |ways, values| ways.checked_mul(values.len()));
    if ways.is_none_or(|ways| ways > MOST_KEYS) {
        return Err(Fault::new(Code::TooLarge, format!("the record has more than {MOST_KEYS} keys to be matched by")));
    }
    let mut begun: Vec<Vec<&str>> = vec![Vec::new()];
    for values in &values {
        let longer = begun.iter().flat_map(|begun| {
            values.iter().map(move |value| begun.iter().copied().chain([value.as_str()]).collect::<Vec<_>>())
        });
        begun = longer.collect();
    }
    keys.extend(begun.into_iter().map(|way| match way.as_slice() {
        [one] => hasher.hash(one.as_bytes()),
        several => hasher.hash_all(several),
    }));
    keys.sort_unstable();
    keys.dedup();
    Ok(())
}

/// The members of accounts that are read.
pub(super) struct AccountMembers {
    pub(super) keys: Keys,
    /// The same names in small letters, to notice other spellings.
    lower: Vec<(String, usize)>,
    names: Vec<String>,
    /// Whether what stands there is looked into.
    is_tree: Vec<bool>,
}

/// The name that a target shows beside the attributes.
const USER_NAME: &str = "userName";

impl AccountMembers {
    pub(super) fn new(rules: &Rules<'_>) -> Self {
        let mut names: BTreeMap<String, (String, bool)> = BTreeMap::new();
        let matching = (0..rules.matching.rules()).flat_map(|rule| {
            let is_direct = rules.matching.only_pair(rule).is_some();
            rules.matching.account_attributes(rule).map(move |path| (root(path), is_direct))
        });
        let mapped = rules.mapping.account_members().map(|name| (name, true));
        let own = [(USER_NAME, true), ("id", true), ("active", true), ("frozen", true)];
        for (name, is_direct) in own.into_iter().chain(mapped).chain(matching) {
            let known = names.entry(name.to_ascii_lowercase()).or_insert_with(|| (name.to_owned(), false));
            known.1 |= !is_direct || known.0 != name;
        }
        let lower = names.keys().enumerate().map(|(number, name)| (name.clone(), number)).collect();
        let (names, is_tree): (Vec<String>, Vec<bool>) = names.into_values().unzip();
        Self { keys: Keys::new(names.iter().map(String::as_str)), lower, names, is_tree }
    }

    /// Whether a member is no attribute alone where the account is its own attributes.
    fn is_own(&self, number: usize) -> bool {
        self.names.get(number).is_some_and(|name| ["id", "active", "frozen"].contains(&name.as_str()))
    }

    /// The number of a name, and whether it is spelled so.
    fn number(&self, name: &[u8]) -> Option<(usize, bool)> {
        if let Some(number) = self.keys.number(name) {
            return Some((number, true));
        }
        // Few names begin and end like one that is read.
        let is_like = |known: &String| {
            known.len() == name.len() && name.first().map(u8::to_ascii_lowercase) == known.bytes().next()
        };
        let mut alike = self.lower.iter().filter(|(known, _)| is_like(known));
        let found = alike.find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map(|(_, number)| (*number, false))
    }
}

/// Reads accounts.
pub(super) struct AccountReader<'r> {
    rules: &'r Rules<'r>,
    hasher: Hasher,
    members: &'r AccountMembers,
    comparable: Option<Comparable>,
    direct: Vec<Option<(OnlyPair<'r>, usize)>>,
    text: String,
}

/// What an account's own members are, beside its attributes.
#[derive(Default)]
struct Outer<'t> {
    external_id: Option<Cow<'t, str>>,
    username: Option<Cow<'t, str>>,
    active: Option<bool>,
    frozen: bool,
    attributes: Option<&'t str>,
    is_shaped: bool,
    has_others: bool,
    seen: u8,
}

impl<'r> AccountReader<'r> {
    pub(super) fn new(rules: &'r Rules<'r>, terms: &Terms, user: Option<&Keys>, members: &'r AccountMembers) -> Self {
        let direct = (0..rules.matching.rules()).map(|rule| {
            let pair = rules.matching.only_pair(rule)?;
            Some((pair, members.keys.number(root(pair.account()).as_bytes())?))
        });
        Self {
            rules,
            hasher: Hasher::new(&terms.key),
            members,
            comparable: user.and_then(|user| rules.mapping.comparable(user, &members.keys)),
            direct: direct.collect(),
            text: String::new(),
        }
    }

    /// Reads one account.
    ///
    /// # Errors
    /// As [`read_account`]; `too_large` for one with too many keys.
    pub(super) fn read(&mut self, json: &[u8], seen: &mut Seen) -> Result<(), Fault> {
        seen.clear(self.rules.matching.rules());
        if self.read_in_part(json, seen).is_some() {
            return Ok(());
        }
        seen.clear(self.rules.matching.rules());
        let account: TargetAccount = read_account(json)?;
        self.own(seen, &account.external_id, account.active, account.frozen);
        let attributes = account.named();
        for (rule, keys) in seen.keys.iter_mut().enumerate() {
            join_keys(&self.hasher, self.rules.matching.account_keys(rule, &attributes), keys)?;
        }
        Ok(())
    }

    fn own(&self, seen: &mut Seen, external_id: &str, active: bool, frozen: bool) {
        seen.id = self.hasher.hash(external_id.as_bytes());
        let flag = |is_so: bool, flag: u8| if is_so { flag } else { 0 };
        seen.flags =
            flag(active, ACTIVE) | flag(frozen, FROZEN) | flag(self.rules.protected.contains(external_id), PROTECTED);
    }

    fn read_in_part(&mut self, json: &[u8], seen: &mut Seen) -> Option<()> {
        let json = std::str::from_utf8(json).ok()?;
        // Most accounts are their own attributes, and one pass tells.
        let (outer, mut fields) = match self.fields(json, None) {
            Some(fields) => (Outer::default(), fields),
            None => {
                let outer = Outer::read(json)?;
                let attributes = if outer.is_shaped { outer.attributes.unwrap_or("{}") } else { json };
                let fields = self.fields(attributes, Some(&outer))?;
                (outer, fields)
            }
        };
        let own = |name: &str| fields.get(self.members.keys.number(name.as_bytes())?)?.clone();
        if outer.is_shaped {
            self.own(seen, outer.external_id.as_deref()?, outer.active.unwrap_or(true), outer.frozen);
        } else {
            let Some(Raw::Text(id)) = own("id") else { return None };
            let (active, frozen) = (flag(own("active"))?, flag(own("frozen"))?);
            if id.is_empty() {
                return None;
            }
            self.own(seen, &id, active.unwrap_or(true), frozen.unwrap_or(false));
        }
        let name = self.members.keys.number(USER_NAME.as_bytes()).and_then(|number| fields.get_mut(number))?;
        if let (None, Some(username)) = (&name, outer.username) {
            *name = Some(Raw::Text(username));
        }
        let tree = self.tree(&fields)?;
        self.keys(&fields, &tree, seen)?;
        if let Some(comparable) = &self.comparable {
            self.text.clear();
            comparable.actual(
                self.rules.mapping,
                |number| fields.get(number).and_then(Option::as_ref),
                &tree,
                &mut self.text,
            )?;
            seen.fingerprint = self.hasher.hash(self.text.as_bytes());
            seen.flags |= COMPARABLE;
        }
        Some(())
    }

    /// The members that are read. Without `outer` the account must be its own attributes.
    fn fields<'t>(&self, attributes: &'t str, outer: Option<&Outer<'_>>) -> Option<Vec<Option<Raw<'t>>>> {
        let mut fields: Vec<Option<Raw<'t>>> = vec![None; self.members.names.len()];
        each_member(
            attributes,
            |name| match outer {
                None if matches!(name, b"external_id" | b"attributes") => Some(None),
                _ => self.members.number(name).map(Some),
            },
            |found, value| {
                let (number, is_exact) = found?;
                // What other spellings come to beside the name that is shown apart is for the whole record to tell.
                let is_own = outer.is_none_or(|outer| !outer.is_shaped) && self.members.is_own(number);
                if !is_exact && (outer.is_some_and(|outer| outer.username.is_some()) || is_own) {
                    return None;
                }
                let field = fields.get_mut(number)?;
                // So it is with two members of one name.
                field.is_none().then(|| *field = Some(value))
            },
        )?;
        Some(fields)
    }

    /// The members that are looked into.
    fn tree(&self, fields: &[Option<Raw<'_>>]) -> Option<Attributes> {
        let mut tree = Attributes::new();
        for ((name, field), is_tree) in self.members.names.iter().zip(fields).zip(&self.members.is_tree) {
            if let (true, Some(field)) = (is_tree, field) {
                let value = match field {
                    Raw::Text(text) => Value::from(text.as_ref()),
                    Raw::Other(json) => serde_json::from_str(json).ok()?,
                };
                tree.insert(name.clone(), value);
            }
        }
        Some(tree)
    }

    fn keys(&self, fields: &[Option<Raw<'_>>], tree: &Attributes, seen: &mut Seen) -> Option<()> {
        for (rule, keys) in seen.keys.iter_mut().enumerate() {
            if let Some((pair, number)) = self.direct.get(rule)? {
                if let Some(root) = fields.get(*number)? {
                    pair.account_keys(root, &mut |key| keys.push(self.hasher.hash(key.as_bytes())))?;
                }
                keys.sort_unstable();
                keys.dedup();
                if keys.len() > MOST_KEYS {
                    return None;
                }
            } else {
                join_keys(&self.hasher, self.rules.matching.account_keys(rule, tree), keys).ok()?;
            }
        }
        Some(())
    }
}

/// A flag that may be left out; nothing where it is none.
fn flag(value: Option<Raw<'_>>) -> Option<Option<bool>> {
    match value {
        None | Some(Raw::Other("null")) => Some(None),
        Some(Raw::Other("true")) => Some(Some(true)),
        Some(Raw::Other("false")) => Some(Some(false)),
        Some(_) => None,
    }
}

impl<'t> Outer<'t> {
    const NAMES: [&'static str; 6] = ["external_id", "username", "active", "frozen", "attributes", "version"];

    /// Reads what stands around the attributes, of an account in its own shape; nothing where that is out of order.
    fn read(json: &'t str) -> Option<Self> {
        let mut outer = Self::default();
        let mut others = false;
        each_member(
            json,
            |name| Some(Self::NAMES.iter().position(|known| known.as_bytes() == name)),
            |number, value| outer.take(number, value, &mut others),
        )?;
        outer.has_others = others;
        match outer.is_shaped {
            true if outer.has_others || outer.seen & 128 != 0 => None,
            true if outer.external_id.as_deref().is_none_or(str::is_empty) => None,
            true => Some(outer),
            false => Some(Self::default()),
        }
    }

    fn take(&mut self, number: Option<usize>, value: Raw<'t>, others: &mut bool) -> Option<()> {
        let Some(number) = number else {
            *others = true;
            return Some(());
        };
        let bit = 1_u8 << number;
        let is_wrong = self.seen & bit != 0;
        self.seen |= bit;
        let mut is_right = true;
        match (number, value) {
            (0, Raw::Text(text)) => self.external_id = Some(text),
            (1, Raw::Text(text)) => self.username = Some(text),
            (2, Raw::Other("true")) => self.active = Some(true),
            (2, Raw::Other("false")) => self.active = Some(false),
            (3, Raw::Other("true")) => self.frozen = true,
            (3, Raw::Other("false")) | (1 | 5, Raw::Other("null")) | (5, Raw::Text(_)) => {}
            (4, Raw::Other(json)) if json.starts_with('{') => self.attributes = Some(json),
            _ => is_right = false,
        }
        self.is_shaped |= number == 0;
        if is_wrong || !is_right {
            self.seen |= 128;
        }
        Some(())
    }
}

/// A link, as it is joined.
#[derive(Debug, Default)]
pub(super) struct SeenLink {
    pub(super) account: u128,
    /// The user, where the account is linked to one, or was until it was ignored.
    pub(super) user: Option<u128>,
    pub(super) is_ignored: bool,
}

/// Reads a link.
///
/// # Errors
/// As [`Link::read`].
pub(super) fn read_link(hasher: &Hasher, json: &[u8]) -> Result<SeenLink, Fault> {
    let seen = |account: &str, user: Option<&str>, state: LinkState| SeenLink {
        account: hasher.hash(account.as_bytes()),
        user: user.map(|user| hasher.hash(user.as_bytes())),
        is_ignored: state == LinkState::Ignored,
    };
    if let Some((account, user, state)) = link_in_part(json) {
        return Ok(seen(&account, user.as_deref(), state));
    }
    let link = Link::read(json)?;
    Ok(seen(&link.account, link.owner(), link.state))
}

type PartOfLink<'t> = (Cow<'t, str>, Option<Cow<'t, str>>, LinkState);

fn link_in_part(json: &[u8]) -> Option<PartOfLink<'_>> {
    const NAMES: [&str; 8] = ["account", "user", "state", "deleted", "known", "active", "frozen", "last"];
    let (mut account, mut user, mut state, mut deleted) = (None, None, LinkState::Linked, false);
    let mut seen = 0_u8;
    each_member(
        std::str::from_utf8(json).ok()?,
        |name| Some(NAMES.iter().position(|known| known.as_bytes() == name)),
        |number, value| {
            let bit = 1_u8 << number?;
            let is_new = seen & bit == 0;
            seen |= bit;
            match (number?, value) {
                (0, Raw::Text(text)) if !text.is_empty() => account = Some(text),
                (1, Raw::Text(text)) => user = Some(text),
                (2, Raw::Text(text)) => state = LinkState::from_name(&text)?,
                (3, Raw::Other(truth @ ("true" | "false"))) => deleted = truth == "true",
                (4, Raw::Other("true" | "false")) | (1 | 5..=7, Raw::Other("null")) => {}
                (5 | 6, Raw::Other("true" | "false")) => {}
                (7, Raw::Other(json)) if json.starts_with('{') => {}
                _ => return None,
            }
            is_new.then_some(())
        },
    )?;
    let is_linked = matches!(state, LinkState::Linked | LinkState::Ignored) && !deleted;
    Some((account?, user.filter(|user| is_linked && !user.is_empty()), state))
}
