//! The one public error.

use crate::fault::{Blame, Code, Fault, Retry};
use crate::value::canonical;
use serde_json::{Value, json};
use std::fmt;

/// Why a verb failed: a stable code, whose fault it is, whether trying again can help, and every fault found. It never
/// holds an attribute value or a secret.
#[derive(Debug)]
pub struct Error {
    operation: &'static str,
    faults: Vec<Fault>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What every verb gives.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of one fault in the verb `operation`.
    pub fn new(operation: &'static str, fault: Fault) -> Self {
        Self { operation, faults: vec![fault], context: Vec::new(), source: None }
    }

    /// An error of several faults in the verb `operation`; the first gives the code.
    pub fn of_faults(operation: &'static str, mut faults: Vec<Fault>) -> Self {
        if faults.is_empty() {
            faults.push(Fault::new(Code::Internal, "an error without a fault"));
        }
        Self { operation, faults, context: Vec::new(), source: None }
    }

    /// Adds what the error concerns: an app, a user, a request, by id.
    #[must_use]
    pub fn about(mut self, kind: &'static str, id: impl Into<String>) -> Self {
        self.context.push((kind, id.into()));
        self
    }

    /// Keeps the error of a library or of the host that caused this one.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.faults.first().map_or(Code::Internal, |fault| fault.code)
    }

    /// Whose fault it is.
    pub fn kind(&self) -> Blame {
        self.code().blame()
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        self.code().retry()
    }

    /// The verb that failed.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Everything that is wrong.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What it concerns, as pairs of kind and id.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// The error as a JSON object with `code`, `number`, `kind`, `retry`, `operation`, `message`, `details`.
    pub fn to_json(&self) -> String {
        let context: serde_json::Map<String, Value> =
            self.context.iter().map(|(kind, id)| ((*kind).to_owned(), Value::from(id.as_str()))).collect();
        canonical(&json!({
            "code": self.code().name(),
            "number": self.code().number(),
            "kind": self.kind().name(),
            "retry": self.retry().name(),
            "operation": self.operation,
            "message": self.to_string(),
            "details": {"context": context, "faults": self.faults},
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, id) in &self.context {
            write!(formatter, "{kind} `{id}`: ")?;
        }
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "{}", fault.message)?;
            if let (Some(place), false) = (&fault.attribute, fault.message.contains('`')) {
                write!(formatter, " (`{place}`)")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}
