//! Accounts read for joining.

use super::{ACTIVE, COMPARABLE, FROZEN, KEYLESS, MOST_KEYS, PROTECTED, Seen, join_keys};
use crate::analysis::gather::Read;
use crate::analysis::hash::Hasher;
use crate::analysis::record::read_account;
use crate::analysis::sieve::Sieve;
use crate::analysis::{Rules, Terms};
use crate::fault::Fault;
use crate::mapping::{Comparable, root};
use crate::matching::OnlyPair;
use crate::model::TargetAccount;
use crate::value::{Attributes, Keys, Order, Raw, each_member, each_member_in_order};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The members of accounts that are read.
pub(in crate::analysis) struct AccountMembers {
    pub(in crate::analysis) keys: Keys,
    /// The same names in small letters, to notice other spellings.
    lower: Vec<(String, usize)>,
    names: Vec<String>,
    /// Whether what stands there is looked into.
    is_tree: Vec<bool>,
    id: usize,
    username: usize,
    active: usize,
    frozen: usize,
}

/// The name that a target shows beside the attributes.
const USER_NAME: &str = "userName";

impl AccountMembers {
    pub(in crate::analysis) fn new(rules: &Rules<'_>) -> Self {
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
        let keys = Keys::new(names.iter().map(String::as_str));
        let number = |name: &str| keys.number(name.as_bytes()).unwrap_or(usize::MAX);
        let (id, username) = (number("id"), number(USER_NAME));
        let (active, frozen) = (number("active"), number("frozen"));
        Self { keys, lower, names, is_tree, id, username, active, frozen }
    }

    /// Whether a member is no attribute alone where the account is its own attributes.
    fn is_own(&self, number: usize) -> bool {
        [self.id, self.active, self.frozen].contains(&number)
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
pub(in crate::analysis) struct AccountReader<'r> {
    rules: &'r Rules<'r>,
    hasher: Hasher,
    members: &'r AccountMembers,
    /// What links lead to. Whoever is linked is not matched, and needs no keys.
    linked: &'r Sieve,
    comparable: Option<Comparable>,
    direct: Vec<Option<(OnlyPair<'r>, usize)>>,
    /// In which order the members of accounts come that are their own attributes, and those of attributes that stand apart.
    own_order: Order<Option<Wanted>>,
    attributes_order: Order<Option<Wanted>>,
    /// The room for members, used again.
    room: Vec<Option<Raw<'static>>>,
    text: String,
}

/// The number of a member that is read, and whether its name is spelled as it is wanted; nothing where an account is no longer
/// taken for its own attributes.
type Wanted = Option<(usize, bool)>;

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

impl Read for AccountReader<'_> {
    /// Reads one account.
    ///
    /// # Errors
    /// As [`read_account`]; `too_large` for one with too many keys.
    fn read(&mut self, json: &[u8], seen: &mut Seen) -> Result<(), Fault> {
        seen.clear(self.rules.matching.rules());
        if self.read_in_part(json, seen).is_some() {
            return Ok(());
        }
        seen.clear(self.rules.matching.rules());
        let account: TargetAccount = read_account(json)?;
        self.own(seen, &account.external_id, account.active, account.frozen);
        if seen.flags & KEYLESS != 0 {
            return Ok(());
        }
        let attributes = account.named();
        for (rule, keys) in seen.keys.iter_mut().enumerate() {
            join_keys(&self.hasher, self.rules.matching.account_keys(rule, &attributes), keys)?;
        }
        Ok(())
    }
}

impl<'r> AccountReader<'r> {
    pub(in crate::analysis) fn new(
        rules: &'r Rules<'r>,
        terms: &Terms,
        user: Option<&Keys>,
        members: &'r AccountMembers,
        linked: &'r Sieve,
    ) -> Self {
        let direct = (0..rules.matching.rules()).map(|rule| {
            let pair = rules.matching.only_pair(rule)?;
            Some((pair, members.keys.number(root(pair.account()).as_bytes())?))
        });
        Self {
            rules,
            hasher: Hasher::new(&terms.key),
            members,
            linked,
            comparable: user.and_then(|user| rules.mapping.comparable(user, &members.keys)),
            direct: direct.collect(),
            own_order: Order::new(),
            attributes_order: Order::new(),
            room: Vec::new(),
            text: String::new(),
        }
    }

    fn own(&self, seen: &mut Seen, external_id: &str, active: bool, frozen: bool) {
        seen.id = self.hasher.hash(external_id.as_bytes());
        let flag = |is_so: bool, flag: u8| if is_so { flag } else { 0 };
        seen.flags = flag(active, ACTIVE)
            | flag(frozen, FROZEN)
            | flag(self.rules.protected.contains(external_id), PROTECTED)
            | flag(self.linked.may_have(seen.id), KEYLESS);
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
        let own = |number: usize| fields.get(number)?.as_ref();
        let members = self.members;
        if outer.is_shaped {
            self.own(seen, outer.external_id.as_deref()?, outer.active.unwrap_or(true), outer.frozen);
        } else {
            let Some(Raw::Text(id)) = own(members.id) else { return None };
            let (active, frozen) = (flag(own(members.active))?, flag(own(members.frozen))?);
            if id.is_empty() {
                return None;
            }
            self.own(seen, id, active.unwrap_or(true), frozen.unwrap_or(false));
        }
        let name = fields.get_mut(members.username)?;
        if let (None, Some(username)) = (&name, outer.username) {
            *name = Some(Raw::Text(username));
        }
        let tree = self.tree(&fields)?;
        if seen.flags & KEYLESS == 0 {
            self.keys(&fields, &tree, seen)?;
        }
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
        self.room = emptied(fields);
        Some(())
    }

    /// The members that are read. Without `outer` the account must be its own attributes.
    fn fields<'t>(&mut self, attributes: &'t str, outer: Option<&Outer<'_>>) -> Option<Vec<Option<Raw<'t>>>> {
        let mut fields: Vec<Option<Raw<'t>>> = emptied(std::mem::take(&mut self.room));
        fields.resize_with(self.members.names.len(), || None);
        let order = if outer.is_none() { &mut self.own_order } else { &mut self.attributes_order };
        each_member_in_order(
            attributes,
            order,
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

/// No members, in the room of those. Collecting an iterator over a list into a list of the same size keeps its place.
fn emptied<'t>(mut fields: Vec<Option<Raw<'_>>>) -> Vec<Option<Raw<'t>>> {
    fields.clear();
    fields.into_iter().map(|_| None).collect()
}

/// A flag that may be left out; nothing where it is none.
fn flag(value: Option<&Raw<'_>>) -> Option<Option<bool>> {
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
