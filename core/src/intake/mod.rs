//! A change comes in: what it means is decided, and user, requests and log rows are stored in one transaction. Nothing is
//! ever sent from here.

mod access;
mod apps;
mod insert;
mod lane;
mod losses;
mod membership;
mod reconciliation;
mod reference;
mod removal_count;
mod removal_plan;
mod removals;
mod snapshot;
mod taking;
mod users;

pub(crate) use access::{access_held, held_back, held_by, planned_for, still_holds, taken};
pub(crate) use apps::{definition_change, delete_app, put_app};
pub(crate) use insert::{NewRequest, insert, insert_for_account};
pub(crate) use lane::{
    LanePlan, LaneStep, LaneSteps, Trigger, cancel, decide_lane, elect, elect_for, not_stored, plan_lane,
};
pub(crate) use losses::{Loss, loss};
pub(crate) use membership::{Gap, asked_reference, difference_of, gap, membership_print, memberships_of};
pub(crate) use reconciliation::{
    advance, begin_reconciliation, definition_mark, end_reconciliation, expire_items, log as log_step, plan_digest,
};
pub(crate) use reference::{wake, watched_print};
pub(crate) use removal_count::{RemovalCount, Replacement};
pub(crate) use removals::Removals;
pub(crate) use snapshot::{Leaver, begin_leavers, item_of, let_leavers_go, observe, seal_leavers, supersede};
pub(crate) use users::{begin_and_end, delete_user, put_user};

use crate::connector::{Capabilities, Connector};
use crate::definition::Definition;
use crate::id::AppId;
use crate::model::{SchemaAttribute, TargetDescription};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An app in use: its definition, and the connector where there is one.
pub(crate) struct LiveApp {
    pub(crate) definition: Definition,
    pub(crate) connector: Option<Arc<dyn Connector>>,
    pub(crate) capabilities: Capabilities,
    /// What the target said about itself when it was last asked.
    pub(crate) described: Option<TargetDescription>,
    /// The target's attributes, as far as anything is known of them.
    pub(crate) attributes: Option<Vec<SchemaAttribute>>,
}

/// Every app in use, by id.
pub(crate) type LiveApps = BTreeMap<AppId, Arc<LiveApp>>;
