//! Runs the conformance suite against a SCIM target: `conformance BASE_URL [TOKEN]`. Prints every check; exits with 1 where
//! one failed and with 2 where the arguments are wrong.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports on the terminal")]

use rollkeeper::connector::conformance::{self, Options};
use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper::transport::{Transport, TransportOptions};
use rollkeeper::{Fault, Period, Secret};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        eprintln!("usage: conformance BASE_URL [TOKEN]");
        return ExitCode::from(2);
    };
    match connect(url, arguments.next().map(Secret::new)) {
        Ok(connector) => report(&connector),
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(2)
        }
    }
}

fn connect(base_url: String, token: Option<Secret>) -> Result<ScimConnector, Fault> {
    let timeout = Period::from_seconds(30);
    let definition = ScimDefinition {
        base_url,
        profile: None,
        auth: None,
        features: Default::default(),
        allow_private_addresses: false,
    };
    let transport = Transport::new(TransportOptions { timeout, ..TransportOptions::default() })?;
    ScimConnector::new(&definition, token, Arc::new(transport), timeout)
}

fn report(connector: &ScimConnector) -> ExitCode {
    let report = conformance::check(connector, &Options::default());
    for check in &report.checks {
        let verdict = match (check.passed, check.skipped) {
            (false, _) => "FAILED ",
            (true, true) => "skipped",
            (true, false) => "passed ",
        };
        println!("{verdict} {} {}", check.name, check.message);
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
