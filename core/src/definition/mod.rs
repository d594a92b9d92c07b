//! An app's definition, parsed and checked once: a [`Definition`] that exists can be used.

mod auth;
mod connection;
mod settings;

use crate::expression::{Expression, Reads, Tables, Variable};
use crate::fault::Fault;
use crate::mapping::Mapping;
use crate::matching::Matching;
use crate::model::{App, ExpressionReport, SchemaAttribute, User};
use crate::planning::entitlement::{WantedGroup, wanted_groups};
use crate::scope::{Standing, in_scope, standing, standing_by};
use crate::time::Timestamp;
use crate::value::{Attributes, at_path, canonical, canonical_object, sha256_hex};
use std::collections::BTreeSet;

/// Everything that an app's definition says, ready for use.
pub(crate) struct Definition {
    pub(crate) app: App,
    pub(crate) mapping: Mapping,
    pub(crate) matching: Matching,
    scope: Option<Expression>,
    reads: Reads,
    watched: Reads,
    mapping_text: String,
}

/// What only matters for whether an account is wanted, not for its attributes.
const STANDING_KEYS: [&str; 5] = ["id", "active", "frozen", "valid_from", "valid_until"];

const SCOPE_VARIABLES: [Variable; 3] = [Variable::User, Variable::App, Variable::Now];

impl Definition {
    /// Checks a definition against what is known of the target's attributes.
    pub(crate) fn compile(app: App, schema: Option<&[SchemaAttribute]>) -> Result<Self, Vec<Fault>> {
        let mut faults = settings::faults(&app);
        let tables = Tables::from(&app.tables);
        let mapping = collect(Mapping::compile_with(&app.mapping, schema, &tables), &mut faults);
        let matching = collect(Matching::compile(&app.matching), &mut faults);
        let scope = app.scope.as_ref().map(|text| {
            Expression::compile_condition(text, &SCOPE_VARIABLES, &tables)
                .map_err(|found| found.into_iter().map(|fault| fault.at("scope")).collect())
        });
        let scope = match scope {
            None => None,
            Some(scope) => collect(scope, &mut faults),
        };
        let (Some(mapping), Some(matching), true) = (mapping, matching, faults.is_empty()) else {
            return Err(faults);
        };
        let read = mapping.reads();
        let watched = match &app.update_on {
            None => read.clone(),
            Some(update_on) => watched(update_on, read),
        };
        let mut reads = read.clone().and(&matching.reads()).and(&watched);
        if let Some(scope) = &scope {
            reads = reads.and(scope.reads());
        }
        let mut mapping_text = serde_json::to_value(&app.mapping).map(|value| canonical(&value)).unwrap_or_default();
        // A value that a rule finds in a table is part of what the rule says.
        for (name, table) in &app.tables {
            mapping_text.push_str(&format!("\n{name:?} {}", canonical_object(table)));
        }
        Ok(Self { app, mapping, matching, scope, reads, watched, mapping_text })
    }

    /// What the expressions of scope and mapping name, read, give and cost.
    pub(crate) fn expressions(&self) -> Vec<ExpressionReport> {
        let scope = self.scope.iter().map(|scope| ExpressionReport { place: "scope".to_owned(), ..scope.report() });
        scope.chain(self.mapping.expressions()).collect()
    }

    /// Where a user stands with the app.
    pub(crate) fn standing(&self, user: Option<&User>, now: Timestamp) -> Result<Standing, Fault> {
        standing(&self.app, self.scope.as_ref(), user, now)
    }

    /// As [`Definition::standing`] of an existing user who is entitled without a grant.
    pub(crate) fn standing_of_anybody(&self, user: &User, now: Timestamp) -> Result<Standing, Fault> {
        let granted = vec!["everybody is entitled".to_owned()];
        standing_by(&self.app, self.scope.as_ref(), user, granted, now)
    }

    /// The user attributes that the scope reads, and whether the user is inside; none where there is no scope.
    pub(crate) fn scope(&self, user: &User, now: Timestamp) -> Option<(&Reads, Result<bool, Fault>)> {
        let scope = self.scope.as_ref()?;
        Some((scope.reads(), in_scope(&self.app, Some(scope), user, now)))
    }

    /// The names of the top-level user attributes that the scope reads; `None` = all.
    pub(crate) fn scope_reads(&self) -> Option<BTreeSet<String>> {
        match &self.scope {
            None => Some(BTreeSet::new()),
            Some(scope) => scope.reads().roots().map(|roots| roots.into_iter().map(str::to_owned).collect()),
        }
    }

    /// The names of the top-level user attributes that anything in the definition reads; `None` = all.
    pub(crate) fn reads(&self) -> Option<BTreeSet<&str>> {
        self.reads.roots()
    }

    /// The bytes of everything whose change asks for an Update: the watched attributes and the mapping itself.
    pub(crate) fn watched_bytes(&self, user: &User) -> Vec<u8> {
        self.bytes(&self.watched, user)
    }

    /// The bytes of everything that a request depends on: what mapping, matching and scope read, the mapping itself, and the
    /// groups that are asked for. An approval is for these, and what failed is not tried again by itself while they stay.
    pub(crate) fn asked_bytes(&self, user: &User) -> Vec<u8> {
        let mut bytes = self.bytes(&self.reads, user);
        for group in self.wanted_groups(user) {
            bytes.extend_from_slice(serde_json::json!(group.reference).to_string().as_bytes());
        }
        bytes
    }

    /// The groups of the target that the user's grants ask for.
    pub(crate) fn wanted_groups(&self, user: &User) -> Vec<WantedGroup<'_>> {
        wanted_groups(&self.app.entitlements, user)
    }

    /// The target of a rule, and a mark of how it is written now and what the target's schema says of it. Where the mark
    /// differs, what was learnt about the attribute no longer holds.
    pub(crate) fn rule_mark(&self, rule: usize) -> (String, String) {
        let target = self.app.mapping.get(rule).map(|rule| rule.target.clone()).unwrap_or_default();
        let rules: Vec<_> = self.app.mapping.iter().filter(|rule| rule.target == target).collect();
        let known = serde_json::json!([rules, self.mapping.schema_of(rule)]);
        let mark = sha256_hex(canonical(&known).as_bytes());
        (target, mark)
    }

    fn bytes(&self, reads: &Reads, user: &User) -> Vec<u8> {
        let mut text = match reads {
            Reads::All => {
                let mut record = user.record.clone();
                STANDING_KEYS.iter().for_each(|key| drop(record.remove(*key)));
                canonical_object(&record)
            }
            Reads::Paths(paths) => {
                let values: Attributes = paths
                    .iter()
                    .filter_map(|path| Some((path.clone(), at_path(&user.record, path)?.clone())))
                    .collect();
                canonical_object(&values)
            }
        };
        text.push('\n');
        text.push_str(&self.mapping_text);
        text.into_bytes()
    }
}

fn collect<T>(result: Result<T, Vec<Fault>>, faults: &mut Vec<Fault>) -> Option<T> {
    result.map_err(|found| faults.extend(found)).ok()
}

/// The attributes listed, and the roles that the mapping reads.
fn watched(update_on: &[String], reads: &Reads) -> Reads {
    let roles = ["profile", "permission_sets", "permission_set_groups"];
    let mut paths: BTreeSet<String> = update_on.iter().cloned().collect();
    match reads {
        Reads::All => paths.extend(roles.map(str::to_owned)),
        Reads::Paths(read) => paths.extend(read.iter().filter(|path| roles.contains(&path.as_str())).cloned()),
    }
    Reads::Paths(paths)
}
