//! Users read for joining.

use super::{COMPARABLE, FAULTY, FROZEN, Seen, WANTS, join_keys};
use crate::analysis::gather::Read;
use crate::analysis::hash::Hasher;
use crate::analysis::record::user;
use crate::analysis::sieve::Sieve;
use crate::analysis::{Rules, Terms};
use crate::fault::Fault;
use crate::id::is_sound;
use crate::mapping::{Comparable, RenderInputs};
use crate::matching::OnlyPair;
use crate::model::User;
use crate::value::{Attributes, Field, Keys, Record, RecordReader, write, write_text};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// How many different standings are remembered.
const MOST_STANDINGS: usize = 1 << 14;

/// The reserved keys on which a standing rests, with the name.
const STANDING: [&str; 7] =
    ["active", "frozen", "profile", "permission_sets", "permission_set_groups", "valid_from", "valid_until"];

/// The other reserved keys, which are checked.
const CHECKED: [&str; 3] = ["id", "username", "manager"];

/// Reads users.
pub(in crate::analysis) struct UserReader<'r> {
    rules: &'r Rules<'r>,
    hasher: Hasher,
    inputs: RenderInputs<'r>,
    /// None where a record must be read whole.
    members: Option<Members<'r>>,
    comparable: Option<Comparable>,
    /// The members that are given to the standing besides those that everybody has.
    standing_reads: Vec<String>,
    standings: HashMap<String, u8>,
    /// By what the last one was told, and what it was: most are like the one before.
    last_standing: (String, u8),
    /// The only pairs of rules, with the member where the user's text stands.
    direct: Vec<Option<(OnlyPair<'r>, usize)>>,
    text: String,
    /// The keys under each rule for which somebody asks; all where there is nothing.
    asked: Option<&'r [Sieve]>,
}

/// Reads those members that count, which have numbers.
struct Members<'r> {
    reader: RecordReader<'r>,
    id: usize,
    username: usize,
    manager: usize,
    standing: [usize; STANDING.len()],
}

impl<'r> Members<'r> {
    fn new(keys: &'r Keys) -> Option<Self> {
        let number = |name: &str| keys.number(name.as_bytes());
        let mut standing = [0; STANDING.len()];
        for (to, name) in standing.iter_mut().zip(STANDING) {
            *to = number(name)?;
        }
        let (id, username, manager) = (number("id")?, number("username")?, number("manager")?);
        Some(Self { reader: RecordReader::new(keys), id, username, manager, standing })
    }
}

/// The members of users that are read; `None` where all of them are.
pub(in crate::analysis) fn user_keys(rules: &Rules<'_>) -> Option<Keys> {
    let mut names: BTreeSet<&str> = STANDING.into_iter().chain(CHECKED).collect();
    names.extend(rules.standing_reads?.iter().map(String::as_str));
    let matching = (0..rules.matching.rules()).flat_map(|rule| rules.matching.user_attributes(rule));
    names.extend(matching.filter_map(|path| path.split('.').next()));
    if let Some(mapping) = rules.mapping.user_members() {
        names.extend(mapping);
    }
    Some(Keys::new(names))
}

impl Read for UserReader<'_> {
    /// Reads one user.
    ///
    /// # Errors
    /// As [`User::from_json`]; `too_large` for one with too many keys.
    fn read(&mut self, json: &[u8], seen: &mut Seen) -> Result<(), Fault> {
        seen.clear(self.rules.matching.rules());
        if self.read_in_part(json, seen).is_some() {
            self.sift(seen);
            return Ok(());
        }
        seen.clear(self.rules.matching.rules());
        let user = user(json)?;
        seen.id = self.hasher.hash(user.id.as_str().as_bytes());
        seen.flags = self.standing(&user);
        for (rule, keys) in seen.keys.iter_mut().enumerate() {
            join_keys(&self.hasher, self.rules.matching.user_keys(rule, &user.record), keys)?;
        }
        self.sift(seen);
        Ok(())
    }
}

impl<'r> UserReader<'r> {
    pub(in crate::analysis) fn new(
        rules: &'r Rules<'r>,
        terms: &Terms,
        keys: Option<&'r Keys>,
        account: &Keys,
        nobody: &'r Attributes,
        asked: Option<&'r [Sieve]>,
    ) -> Self {
        let comparable = keys.and_then(|keys| rules.mapping.comparable(keys, account));
        let direct = (0..rules.matching.rules()).map(|rule| {
            let pair = rules.matching.only_pair(rule)?;
            let number = keys?.number(pair.user().as_bytes())?;
            (!pair.user().contains('.')).then_some((pair, number))
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
            members: keys.and_then(Members::new),
            comparable,
            standing_reads: rules.standing_reads.into_iter().flatten().filter(known).cloned().collect(),
            standings: HashMap::new(),
            last_standing: (String::new(), 0),
            direct: direct.collect(),
            text: String::new(),
            asked,
        }
    }

    /// Drops the keys for which nobody asks.
    fn sift(&self, seen: &mut Seen) {
        for (keys, sieve) in seen.keys.iter_mut().zip(self.asked.into_iter().flatten()) {
            keys.retain(|key| sieve.may_have(*key));
        }
    }

    fn read_in_part(&mut self, json: &[u8], seen: &mut Seen) -> Option<()> {
        let record = self.members.as_mut()?.reader.read(std::str::from_utf8(json).ok()?)?;
        self.see(&record, seen)?;
        self.members.as_mut()?.reader.done(record);
        Some(())
    }

    fn see(&mut self, record: &Record<'_>, seen: &mut Seen) -> Option<()> {
        let members = self.members.as_ref()?;
        let Field::Text(id) = record.field(members.id)? else { return None };
        let is_text = |number: usize| matches!(record.field(number), Some(Field::Text(_) | Field::Absent));
        if !is_sound(id) || !is_text(members.username) || !is_text(members.manager) {
            return None;
        }
        seen.id = self.hasher.hash(id.as_bytes());
        seen.flags = self.standing_in_part(record)?;
        for (rule, keys) in seen.keys.iter_mut().enumerate() {
            if let Some((pair, number)) = self.direct.get(rule)? {
                match record.field(*number)? {
                    Field::Absent => continue,
                    Field::Text(text) => {
                        keys.extend(pair.key(text).map(|key| self.hasher.hash(key.as_bytes())));
                        continue;
                    }
                    _ => {}
                }
            }
            let part = partly(record, roots(self.rules.matching.user_attributes(rule)));
            join_keys(&self.hasher, self.rules.matching.user_keys(rule, &part), keys).ok()?;
        }
        self.text.clear();
        if let Some(comparable) = &self.comparable
            && comparable.wanted(self.rules.mapping, record, &self.inputs, &mut self.text)
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
        for number in self.members.as_ref()?.standing {
            match record.field(number)? {
                Field::Absent => {}
                Field::Text(text) => write_text(text, &mut self.text),
                Field::Bool(truth) => self.text.push_str(if *truth { "true" } else { "false" }),
                Field::Number(_) => return None,
                Field::Tree(tree) => write(tree, &mut self.text),
            }
            self.text.push('\n');
        }
        let is_shared = self.standing_reads.is_empty();
        if is_shared && self.text == self.last_standing.0 {
            return Some(self.last_standing.1);
        }
        if let (true, Some(flags)) = (is_shared, self.standings.get(&self.text)) {
            self.last_standing.0.clone_from(&self.text);
            self.last_standing.1 = *flags;
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
