//! The conformance suite: what every connector must do, tried on a real one. It makes a few accounts whose names begin with
//! [`Options::prefix`], and takes them away again.

mod checks;

use super::{Capabilities, Connector, ConnectorError, TargetAccount};
use crate::path::Path;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the suite needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The beginning of every `userName` and `externalId` that the suite makes. Two runs at the same time need two.
    pub prefix: String,
    /// Attributes that the target asks for besides the usual ones; they are put on every account.
    pub attributes: Attributes,
    /// The id of a group into which an account of the suite may be put, and taken out of it again; nobody else in it is
    /// touched. Where it is left out no group is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { prefix: "rollkeeper-check".to_owned(), attributes: Attributes::new(), group: None }
    }
}

/// What the suite found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The checks, in the order in which they ran.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether no check failed. What was skipped did not fail.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// The checks that failed.
    pub fn failures(&self) -> Vec<&Check> {
        self.checks.iter().filter(|check| !check.passed).collect()
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What the connector must do.
    pub name: String,
    /// Whether it does. True for a skipped check.
    pub passed: bool,
    /// Whether the check could not be made because the connector says that it cannot do this.
    pub skipped: bool,
    /// Why it failed or was skipped; empty where it passed.
    pub message: String,
}

/// Tries `connector`. A failing check does not stop the others.
///
/// ```
/// use rollkeeper::connector::{conformance, mock::MockTarget};
/// let report = conformance::check(&MockTarget::new(), &conformance::Options::default());
/// assert!(report.passed());
/// ```
pub fn check(connector: &dyn Connector, options: &Options) -> Report {
    let mut suite = Suite { connector, capabilities: connector.capabilities(), options, made: Vec::new(), next: 0 };
    suite.clear_leftovers();
    let checks = checks::ALL.iter().map(|(name, check)| {
        let (passed, skipped, message) = match check(&mut suite) {
            Ok(Verdict::Held) => (true, false, String::new()),
            Ok(Verdict::Skipped(why)) => (true, true, why),
            Err(message) => (false, false, message),
        };
        Check { name: (*name).to_owned(), passed, skipped, message }
    });
    let mut checks: Vec<Check> = checks.collect();
    let (passed, message) = match suite.clean_up() {
        Ok(()) => (true, String::new()),
        Err(message) => (false, message),
    };
    checks.push(Check { name: "takes its accounts away again".to_owned(), passed, skipped: false, message });
    Report { checks }
}

/// How a check that did not fail ended.
enum Verdict {
    Held,
    Skipped(String),
}

type Checked = Result<Verdict, String>;

struct Suite<'a> {
    connector: &'a dyn Connector,
    capabilities: Capabilities,
    options: &'a Options,
    made: Vec<String>,
    next: u32,
}

impl Suite<'_> {
    /// The attributes of an account that was not made yet.
    fn record(&mut self) -> Attributes {
        self.next += 1;
        let name = format!("{}-{}", self.options.prefix, self.next);
        let usual = json!({
            "userName": name,
            "externalId": format!("{name}-external"),
            "name": {"givenName": "Given", "familyName": "Family"},
            "displayName": "Given Family",
            "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
            "active": true,
        });
        let mut record = usual.as_object().cloned().unwrap_or_default();
        record.extend(self.options.attributes.clone());
        record
    }

    fn make(&mut self, record: &Attributes) -> Result<TargetAccount, String> {
        let key = format!("{}-key-{}", self.options.prefix, self.made.len());
        let account = self.connector.create(record, &key).map_err(|error| format!("create: {error}"))?;
        if account.external_id.is_empty() {
            return Err("create gave an empty external id".to_owned());
        }
        if !self.made.contains(&account.external_id) {
            self.made.push(account.external_id.clone());
        }
        Ok(account)
    }

    fn make_one(&mut self) -> Result<TargetAccount, String> {
        let record = self.record();
        self.make(&record)
    }

    /// The account as it is now; an error where it is not to be seen.
    fn shown(&self, external_id: &str) -> Result<TargetAccount, String> {
        let found = self.connector.read(external_id).map_err(|error| format!("read: {error}"))?;
        found.ok_or_else(|| "read does not show an account that exists".to_owned())
    }

    /// An id that no account has, of the shape that the target uses.
    fn unknown_id(&self) -> String {
        match self.made.last() {
            Some(id) if id.bytes().all(|byte| byte.is_ascii_digit()) => "987654321".to_owned(),
            _ => "00000000-0000-4000-8000-000000000000".to_owned(),
        }
    }

    /// Accounts of an earlier run that was cut off would make this one fail.
    fn clear_leftovers(&self) {
        for number in 1..=40 {
            let name = Value::from(format!("{}-{number}", self.options.prefix));
            for account in self.connector.find("userName", &name).unwrap_or_default() {
                // What cannot be taken away shows in the checks themselves.
                let _ = self.connector.delete(&account.external_id);
            }
        }
    }

    fn clean_up(&mut self) -> Result<(), String> {
        for external_id in std::mem::take(&mut self.made) {
            match self.connector.delete(&external_id) {
                Err(error) if is_unsupported(&error) => {
                    // An account that cannot be deleted is at least left disabled.
                    let _ = self.connector.deactivate(&external_id);
                }
                other => other.map_err(|error| format!("delete: {error}"))?,
            }
        }
        Ok(())
    }
}

fn is_unsupported(error: &ConnectorError) -> bool {
    error.code == "unsupported"
}

fn skipped(why: &str) -> Checked {
    Ok(Verdict::Skipped(why.to_owned()))
}

fn require(holds: bool, message: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message.to_owned()) }
}

/// The first value at a path of the account's attributes.
fn value_at<'a>(account: &'a TargetAccount, path: &str) -> Option<&'a Value> {
    Path::parse(path).ok()?.values(&account.attributes).first().copied()
}
