//! A look at an account that a listing did not show, before another one is made for its user: a listing may be wrong, and a
//! target that cannot search would not find the first.

use super::act::about;
use super::release::same_item;
use super::{Work, find};
use crate::delivery::ask;
use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::model::{PlanItem, Reaction, Situation};
use crate::store::PlanRow;

/// What a look showed.
pub(super) enum Look {
    /// Nothing had to be looked at.
    None,
    /// The target says that the account does not exist.
    Gone,
    /// The account is there: in words.
    There(String),
    /// Nobody knows.
    Unknown(Fault),
}

impl Work<'_> {
    /// Asks for the account of an item that makes another in its place. Nothing where the work was stopped.
    pub(super) fn look(&self, row: &PlanRow) -> Result<Option<Look>, Fault> {
        let item = &row.item;
        let replaces = (item.finding.situation, item.reaction) == (Situation::Missing, Reaction::Create);
        // One that somebody changed is refused by itself, and asks for nothing.
        let Some(account) = item.finding.account.as_deref().filter(|_| replaces && same_item(row).is_ok()) else {
            return Ok(Some(Look::None));
        };
        let (apps, _) = self.host.apps();
        let live = find(&apps, self.app.as_str())?;
        if !self.wait_for_room(live)? {
            return Ok(None);
        }
        Ok(Some(self.ask_for(live, item, account)))
    }

    fn ask_for(&self, live: &LiveApp, item: &PlanItem, account: &str) -> Look {
        let app = &live.definition.app;
        let unknown = |code| {
            let what = "it cannot be read, so that nobody knows whether it is gone";
            Look::Unknown(Fault::new(code, format!("item {} is about {}: {what}", item.number, about(item))))
        };
        let Some(connector) = &live.connector else { return unknown(Code::UnknownConnector) };
        match super::read(self.host, |tx| tx.is_kept_back(&app.id)) {
            Ok(false) => {}
            Ok(true) => return unknown(Code::AppDisabled),
            Err(fault) => return unknown(fault.code),
        }
        let answer = match ask(self.host, app, || connector.read(account)) {
            Ok(answer) => answer,
            Err(fault) => return unknown(fault.code),
        };
        match answer {
            Ok(None) => Look::Gone,
            Ok(Some(found)) => {
                let state = if found.active { "active" } else { "disabled" };
                Look::There(format!(
                    "the listing did not show the account, but it is there when it is read, and {state}"
                ))
            }
            Err(error) => match Code::from_name(&error.code) {
                Some(Code::AccountMissing) => Look::Gone,
                code => unknown(code.unwrap_or(Code::TargetFailed)),
            },
        }
    }
}
