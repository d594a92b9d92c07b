//! Which connector serves an app, and how: a target that speaks SCIM, the mock target, or a connector of the host's.

use super::app::is_default;
use super::{Auth, Proxy, SecretSource, Tls};
use crate::value::Attributes;
use serde::{Deserialize, Serialize};

/// Which connector serves the app, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ConnectorDefinition {
    /// The built-in SCIM 2.0 connector.
    Scim(Box<ScimDefinition>),
    /// The built-in mock target, in memory.
    Mock {
        /// How it behaves, as [`MockOptions`](crate::connector::mock::MockOptions) has it.
        #[serde(default, skip_serializing_if = "Attributes::is_empty")]
        settings: Attributes,
    },
    /// A connector that the host registered.
    Custom {
        /// The name under which it was registered.
        name: String,
        /// Settings for the connector; we do not read them.
        #[serde(default, skip_serializing_if = "Attributes::is_empty")]
        settings: Attributes,
    },
}

/// Settings of the SCIM 2.0 connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScimDefinition {
    /// The base URL, such as `https://crm.example.com/scim/v2`. `https` unless the host is a loopback address.
    pub base_url: String,
    /// The name of the quirk profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How we prove who we are; nothing is sent where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What the target is known to support or not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub features: ScimFeatures,
    /// Whether addresses in private networks may be called.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_private_addresses: bool,
    /// How TLS is spoken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls: Tls,
    /// The proxy through which connections go; none where it is left out, whatever the environment says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
}

impl ScimDefinition {
    /// Every secret that it needs, by the name of its field in the definition.
    pub fn secrets(&self) -> Vec<(String, &SecretSource)> {
        let auth = self.auth.iter().flat_map(Auth::sources).map(|(field, source)| (field.to_owned(), source));
        let key = self.tls.private_key.iter().map(|source| ("tls.private_key".to_owned(), source));
        let password = self.proxy.iter().filter_map(|proxy| proxy.password.as_ref());
        auth.chain(key).chain(password.map(|source| ("proxy.password".to_owned(), source))).collect()
    }
}

/// What a SCIM target is known to do; what is left out is tried and learnt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScimFeatures {
    /// Whether PATCH works; PUT is used where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<bool>,
    /// How many accounts to ask for in one page, 1 to 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// Attributes of which the target refuses a second holder, in addition to `userName`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_keys: Vec<String>,
    /// Whether the target means by 403 that it is asked too often, as some do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forbidden_is_rate_limit: bool,
    /// Whether groups can be listed and their members changed; tried where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<bool>,
    /// How many members of a group are changed by one PATCH, 1 to 10,000; 100 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_per_patch: Option<u32>,
    /// How members are removed; in the standard's form where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_removal: Option<MemberRemoval>,
    /// Whether PATCH takes paths with a filter, such as `emails[type eq "work"].value`; whole lists are replaced where it
    /// does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_paths: Option<bool>,
    /// Whether bodies are to be called `application/json` instead of `application/scim+json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_json: Option<bool>,
    /// Whether changes name the version that they are for, by `If-Match` (RFC 7644 §3.14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<bool>,
    /// How one gets from page to page of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paging: Option<Paging>,
    /// Attributes that are changed by PUT, since PATCH does not take them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put_attributes: Vec<String>,
    /// Whether a text is taken away by an empty one in its place, since `remove` does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_with_empty: Option<bool>,
    /// Whether the target refuses a second account with the same `userName`; it is taken to where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_user_name: Option<bool>,
    /// What filters find; the list is looked through where they do not find all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Filters>,
    /// Whether the target may be asked for a part of a resource, by `attributes` and `excludedAttributes` (RFC 7644 §3.9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute_selection: Option<bool>,
    /// Whether `meta.lastModified` moves with every change of an account and filters by it find those that were changed; it is
    /// not relied on where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<bool>,
}

/// What filters find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filters {
    /// What is asked for, in any letter case (RFC 7643 §4.1.1).
    AnyCase,
    /// What is asked for to the letter alone.
    ExactCase,
    /// Nothing.
    None,
}

/// How one gets from page to page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// By the number of the first row (RFC 7644 §3.4.2.4).
    Index,
    /// By cursors that the target gives (RFC 9865).
    Cursor,
}

/// How members are removed from a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRemoval {
    /// Each by a path that selects it: `members[value eq "2819c223"]` (RFC 7644 §3.5.2.2).
    Filter,
    /// All by one list of values at the path `members`, as Microsoft Entra sends it. To a target that goes by the standard that
    /// says to remove everybody.
    Values,
    /// By the list of those that stay, in the place of the one that was read right before: for a target that takes out members in
    /// no other way. It must show all members. Who is added by somebody else between reading and writing is put out, unless
    /// the target minds the version that is named.
    Replace,
}
