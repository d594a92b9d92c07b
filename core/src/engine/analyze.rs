//! The pure function `analyze`: users and accounts in, what reconciliation would find out. No engine and no store.

use super::rows::{Rows, Text};
use crate::analysis::{self, Findings, Inputs, Terms};
use crate::definition::Definition;
use crate::fault::{Code, Fault};
use crate::id::Random;
use crate::model::{App, Grants, MatchingDefinition, Protected, Situation, SituationCounts, User};
use crate::model::{read_json, read_part, read_rules};
use crate::scratch::TempScratch;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::value::{Attributes, canonical};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::thread::available_parallelism;

/// How many bytes of memory are used where nobody says.
const MEMORY: usize = 32 << 20;

/// How many threads there are at the most where nobody says: more than these would wait for the one that reads the text.
const MOST_THREADS: usize = 4;

/// The options of [`analyze`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(default)]
    matching: MatchingDefinition,
    #[serde(default)]
    mapping: Option<Value>,
    assigned_to: Option<Grants>,
    scope: Option<String>,
    links: Option<Vec<Value>>,
    #[serde(default)]
    protected: Protected,
    #[serde(default)]
    tables: BTreeMap<String, Attributes>,
    now: Option<Timestamp>,
    #[serde(default = "yes")]
    complete: bool,
    memory: Option<usize>,
    threads: Option<usize>,
    findings: Option<Vec<Situation>>,
}

fn yes() -> bool {
    true
}

/// Finds how users and accounts stand to each other, as `core/docs/reconciliation.md` has it, without an engine.
///
/// `users` are records as [`Engine::put_user`](crate::Engine::put_user) takes them. `accounts` are objects with
/// `external_id` as connectors show them (`username`, `active`, `frozen`, `attributes`, `version`); or any other objects
/// with `id`, which is then the external id, and which are their own attributes: SCIM resources, rows of a table. `active`
/// is true where it is left out. Accounts may also come as SCIM answers with `Resources`.
///
/// `links` says which account belongs to whom: objects `{user, account, state, known, last, deleted, active, frozen}`, of
/// which `account` is required and `state` is `Linked` where it is left out.
///
/// `options` is a JSON object; every key may be left out:
///
/// * `matching`, `mapping`, `scope`, `tables`, `protected`: as an app has them;
/// * `assigned_to`: as an app has it; everybody is entitled where it is left out;
/// * `links`: a list, instead of the argument;
/// * `now`: the time for validity and expressions, the clock's where it is left out;
/// * `complete`: whether the accounts are the whole listing, true where it is left out;
/// * `memory`: how many bytes may be used before temporary files are, 32 MiB where it is left out; each input that comes as
///   objects one by one may take as much again;
/// * `threads`: how many threads read records, as many as the machine has but no more than 4 where it is left out; what is
///   found does not depend on it, and each but the first takes about 2 MiB of memory;
/// * `findings`: the situations that are iterated; all where it is left out.
///
/// ```
/// let users = r#"{"id": "u1", "email": "Ada@example.com"}"#;
/// let accounts = r#"[{"id": "7", "userName": "ada@example.com"}, {"id": "8", "userName": "eve"}]"#;
/// let options = br#"{"matching": [{"all": [{"user": "email", "account": "userName", "normalize": ["casefold"]}]}]}"#;
/// let mut analysis = rollkeeper::analyze(users, accounts, None, options).unwrap();
/// assert!(analysis.counts_json().contains(r#""found":1,"#));
/// let found = analysis.next_json().unwrap();
/// assert_eq!(found.as_deref(), Some(r#"{"account":"7","rule":0,"situation":"found","user":"u1"}"#));
/// ```
///
/// # Errors
/// Every fault of the options at its place; `invalid_argument` at `users`, `accounts` or `links` where a file cannot be
/// read, `invalid_json` where a list does not end. A record that cannot be read is no error: the counts tell of it.
pub fn analyze(
    users: impl Into<Rows>,
    accounts: impl Into<Rows>,
    links: Option<Rows>,
    options: &[u8],
) -> Result<Analysis, Vec<Fault>> {
    let options = read_options(options).map_err(|fault| vec![fault])?;
    let compared = Compared::compile(&options)?;
    let inside = || -> Result<Analysis, Fault> {
        let memory = options.memory.unwrap_or(MEMORY);
        let open = |rows: Rows, side: &'static str| Text::open(rows, memory, side);
        let links = match (links, options.links) {
            (Some(_), Some(_)) => {
                let message = "links are given twice; leave them out of the options";
                return Err(Fault::new(Code::InvalidArgument, message).at("links"));
            }
            (links, listed) => links.unwrap_or_else(|| listed.unwrap_or_default().into()),
        };
        let mut sources = Sources {
            users: open(users.into(), "users")?,
            accounts: open(accounts.into(), "accounts")?,
            links: open(links, "links")?,
        };
        let mut key = [0; 32];
        Random::new(None).fill(&mut key)?;
        let now = options.now.unwrap_or_else(|| SystemClock.now());
        let threads =
            options.threads.unwrap_or_else(|| available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS));
        let terms = Terms { complete: options.complete, now, memory, threads, key };
        let mut scratch = TempScratch::new(memory / 2);
        let analysis =
            compared.with_rules(now, |rules| analysis::analyze(&mut sources.inputs(), rules, &terms, &mut scratch))?;
        let findings = analysis.findings(options.findings.as_deref());
        Ok(Analysis { compared, sources, scratch, analysis, findings, now })
    };
    inside().map_err(|fault| vec![fault])
}

fn read_options(options: &[u8]) -> Result<Options, Fault> {
    let options = read_json(options)?;
    if !options.is_object() {
        return Err(Fault::new(Code::InvalidDocument, "`options` must be a JSON object").at("options"));
    }
    read_part(&options, "")
}

/// What the options say, compiled.
struct Compared {
    definition: Definition,
    /// Whether nobody needs a grant.
    everybody: bool,
    scope_reads: Option<BTreeSet<String>>,
    protected: BTreeSet<String>,
}

impl Compared {
    fn compile(options: &Options) -> Result<Self, Vec<Fault>> {
        let one = |fault| vec![fault];
        let mut app: App = read_part(&json!({"id": "analysis", "connector": {"kind": "mock"}}), "").map_err(one)?;
        app.matching = options.matching.clone();
        app.mapping = options.mapping.as_ref().map_or(Ok(Vec::new()), read_rules).map_err(one)?;
        app.assigned_to = options.assigned_to.clone().unwrap_or_default();
        app.scope.clone_from(&options.scope);
        app.tables.clone_from(&options.tables);
        app.protected = options.protected.clone();
        let definition = Definition::compile(app, None)?;
        Ok(Self {
            everybody: options.assigned_to.is_none(),
            scope_reads: definition.scope_reads(),
            protected: options.protected.external_ids.iter().cloned().collect(),
            definition,
        })
    }

    fn with_rules<T>(&self, now: Timestamp, work: impl FnOnce(&analysis::Rules<'_>) -> T) -> T {
        let standing = |user: &User| match self.everybody {
            true => self.definition.standing_of_anybody(user, now),
            false => self.definition.standing(Some(user), now),
        };
        work(&analysis::Rules {
            matching: &self.definition.matching,
            mapping: &self.definition.mapping,
            not_kept: &std::collections::BTreeSet::new(),
            protected: &self.protected,
            standing: &standing,
            standing_reads: self.scope_reads.as_ref(),
            app_id: self.definition.app.id.as_str(),
            app_label: self.definition.app.display_label(),
        })
    }
}

/// Texts, each telling which one it is where it cannot be read.
struct Sources {
    users: Text,
    accounts: Text,
    links: Text,
}

impl Sources {
    fn inputs(&mut self) -> Inputs<'_> {
        Inputs { users: &mut self.users, accounts: &mut self.accounts, links: &mut self.links }
    }
}

/// What [`analyze`] found: the counts, and the findings one after the other, accounts in their order, then users in theirs.
pub struct Analysis {
    compared: Compared,
    sources: Sources,
    scratch: TempScratch,
    analysis: analysis::Analysis,
    findings: Findings,
    now: Timestamp,
}

impl Analysis {
    /// How many findings there are of each situation.
    pub fn counts(&self) -> &SituationCounts {
        self.analysis.counts()
    }

    /// What was decided, without the findings.
    pub fn outcome(&self) -> &analysis::Analysis {
        &self.analysis
    }

    /// The counts and what took no part, as canonical JSON: `counts` by situation, `complete`, `repeated` (accounts with the
    /// id of one before), `unreadable` (how many records take no part), and `faults`, the first thousand of those, each with
    /// `side`, `index` from 0, `code`, `message` and, where there is one, `attribute`.
    pub fn counts_json(&self) -> String {
        let faults: Vec<Value> = self.analysis.unreadable().iter().map(fault_json).collect();
        canonical(&json!({
            "counts": self.analysis.counts(),
            "complete": self.analysis.is_complete(),
            "repeated": self.analysis.repeated(),
            "unreadable": self.analysis.unreadable_count(),
            "faults": faults,
        }))
    }

    /// The next finding as canonical JSON; `None` after the last.
    ///
    /// # Errors
    /// `invalid_argument` where a file can no longer be read, `internal` where it changed meanwhile.
    pub fn next_json(&mut self) -> Result<Option<String>, Fault> {
        let Self { compared, sources, scratch, analysis, findings, now } = self;
        let found =
            compared.with_rules(*now, |rules| findings.next(analysis, &mut sources.inputs(), rules, scratch))?;
        let Some(found) = found else { return Ok(None) };
        let written = serde_json::to_value(&found.finding);
        let written = written.map_err(|_| Fault::new(Code::Internal, "a finding cannot be written as JSON"))?;
        Ok(Some(canonical(&written)))
    }
}

/// Findings as canonical JSON. After a fault there is nothing more.
impl Iterator for Analysis {
    type Item = Result<String, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_json().transpose();
        if matches!(next, Some(Err(_))) {
            self.findings = self.analysis.findings(Some(&[]));
        }
        next
    }
}

fn fault_json(one: &analysis::Unreadable) -> Value {
    let mut told = json!({"side": one.side, "index": one.index, "code": one.fault.code, "message": one.fault.message});
    if let (Some(object), Some(attribute)) = (told.as_object_mut(), &one.fault.attribute) {
        object.insert("attribute".to_owned(), Value::from(attribute.as_str()));
    }
    told
}
