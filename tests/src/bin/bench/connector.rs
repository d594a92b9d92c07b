//! The SCIM connector alone, nothing stored, one call at a time: accounts are made, and then everybody at the target is listed.

use crate::workload::resource;
use crate::{Arguments, timed};
use rollkeeper::Period;
use rollkeeper::connector::Connector;
use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper::transport::{Transport, TransportOptions};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How long it takes to make `n` accounts at `--url` and to list those that are there then, of which there must be `--listed`
/// and these.
pub(crate) fn made_and_listed(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let features = json!({"page_size": arguments.number("page", 500)?});
    let definition: ScimDefinition =
        serde_json::from_value(json!({"base_url": arguments.text("url")?, "features": features}))?;
    let transport = Arc::new(Transport::new(TransportOptions::default())?);
    let connector = ScimConnector::new(&definition, None, transport, Period::from_seconds(30))?;
    let users: Vec<Value> = (0..n).map(resource).collect();
    let expected = n + arguments.number("listed", 0)?;
    timed(|| {
        for user in &users {
            connector.create(user.as_object().ok_or("a user is an object")?, "")?;
        }
        let (mut listed, mut cursor) = (0, None);
        loop {
            let page = connector.list(cursor.as_deref(), None)?;
            listed += page.accounts.len();
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if listed == expected { Ok(()) } else { Err(format!("{listed} were listed instead of {expected}").into()) }
    })
}
