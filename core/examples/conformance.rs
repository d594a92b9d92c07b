//! Runs the conformance suite against a SCIM target: `conformance BASE_URL [TOKEN [OPTIONS]]`, with the suite's options as
//! a JSON object. Prints every check; exits with 1 where one failed and with 2 where the arguments are wrong.
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
        eprintln!("usage: conformance BASE_URL [TOKEN [OPTIONS]]");
        return ExitCode::from(2);
    };
    let token = arguments.next().map(Secret::new);
    let options = match serde_json::from_str(arguments.next().as_deref().unwrap_or("{}")) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("the options are not as they must be: {error}");
            return ExitCode::from(2);
        }
    };
    match connect(url, token) {
        Ok(connector) => report(&connector, &options),
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
        tls: Default::default(),
        proxy: None,
    };
    let transport = Transport::new(TransportOptions { timeout, ..TransportOptions::default() })?;
    ScimConnector::new(&definition, token, Arc::new(transport), timeout)
}

fn report(connector: &ScimConnector, options: &Options) -> ExitCode {
    let report = conformance::check(connector, options);
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
