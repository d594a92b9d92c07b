//! What is known of targets of a kind before any of them is asked: a profile, as data with its sources. What an app says of
//! its own target goes before it.

use super::{App, ConnectorDefinition, Rate, ScimDefinition, ScimFeatures};
use crate::value::Attributes;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Something that is known, and from where.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The number, word or list.
    pub value: Value,
    /// Where it is said: a page, an issue, a section of a standard.
    pub source: String,
}

/// What is known of targets of one kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name, as `connector.profile` has it.
    pub name: String,
    /// What they are, in one line.
    pub about: String,
    /// What stands for `connector.features`.
    pub features: BTreeMap<String, Known>,
    /// How many requests they take in a second.
    #[serde(default)]
    pub requests_per_second: Option<Known>,
    /// How many in a minute.
    #[serde(default)]
    pub requests_per_minute: Option<Known>,
    /// How many in an hour.
    #[serde(default)]
    pub requests_per_hour: Option<Known>,
    /// How many together.
    #[serde(default)]
    pub burst: Option<Known>,
    /// Attributes without which they make no account.
    #[serde(default)]
    pub required: Option<Known>,
    /// How access is taken away.
    #[serde(default)]
    pub removal: Option<Known>,
    /// Numbers of known quirks, for people.
    #[serde(default)]
    pub quirks: Option<Known>,
    /// How much they are sent; made from the numbers above.
    #[serde(skip)]
    pub rate: Option<Rate>,
}

/// Every profile.
pub fn profiles() -> &'static [Profile] {
    static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        // A test reads the file; there is no way to go on without it that would be better than going on without profiles.
        let mut profiles: Vec<Profile> = serde_json::from_str(include_str!("profiles.json")).unwrap_or_default();
        profiles.iter_mut().for_each(|profile| profile.rate = profile.own_rate());
        profiles
    });
    &PROFILES
}

impl Profile {
    /// The profile of that name.
    pub fn of_name(name: &str) -> Option<&'static Self> {
        profiles().iter().find(|profile| profile.name == name)
    }

    fn own_rate(&self) -> Option<Rate> {
        let number = |known: &Option<Known>| known.as_ref().and_then(|known| known.value.as_f64());
        let per_second = number(&self.requests_per_second)
            .or_else(|| number(&self.requests_per_minute).map(|minute| minute / 60.0))
            .or_else(|| number(&self.requests_per_hour).map(|hour| hour / 3600.0))?;
        let burst =
            self.burst.as_ref().and_then(|known| known.value.as_u64()).and_then(|most| u32::try_from(most).ok());
        Some(Rate { per_second: Some(per_second), burst, ..Rate::default() })
    }

    /// The attributes without which no account is made.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        let list = self.required.iter().filter_map(|known| known.value.as_array());
        list.flatten().filter_map(Value::as_str)
    }
}

impl ScimDefinition {
    /// The profile, where one is named that exists.
    pub fn known_profile(&self) -> Option<&'static Profile> {
        self.profile.as_deref().and_then(Profile::of_name)
    }

    /// How many members one PATCH changes at the most, as the definition says, or as its profile does.
    pub(crate) fn members_per_patch(&self) -> Option<u32> {
        let known = || self.known_profile()?.features.get("members_per_patch")?.value.as_u64();
        self.features.members_per_patch.or_else(|| known().and_then(|most| u32::try_from(most).ok()))
    }

    /// The features with those of the profile where the definition says nothing.
    pub fn effective_features(&self) -> ScimFeatures {
        let Some(profile) = self.known_profile() else { return self.features.clone() };
        let mut features: Attributes =
            profile.features.iter().map(|(name, known)| (name.clone(), known.value.clone())).collect();
        if let Ok(Value::Object(own)) = serde_json::to_value(&self.features) {
            features.extend(own);
        }
        serde_json::from_value(Value::Object(features)).unwrap_or_else(|_| self.features.clone())
    }
}

impl App {
    /// How many calls the target may be sent: what the app leaves out is as its profile says. The profile's `burst` belongs to
    /// its own rate.
    pub fn effective_rate(&self) -> Rate {
        let known = match &self.connector {
            ConnectorDefinition::Scim(scim) => scim.known_profile().and_then(|profile| profile.rate.as_ref()),
            ConnectorDefinition::Mock { .. } | ConnectorDefinition::Custom { .. } => None,
        };
        let Some(known) = known.filter(|_| self.rate.per_second.is_none()) else { return self.rate };
        Rate { per_second: known.per_second, burst: self.rate.burst.or(known.burst), ..self.rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MemberRemoval;

    #[test]
    fn every_profile_loads_and_everything_in_it_has_a_source() {
        let profiles: Vec<Profile> = serde_json::from_str(include_str!("profiles.json")).unwrap();
        assert_eq!(profiles.len(), 13);
        for profile in &profiles {
            let facts = [
                &profile.requests_per_second,
                &profile.requests_per_minute,
                &profile.requests_per_hour,
                &profile.burst,
                &profile.required,
                &profile.removal,
                &profile.quirks,
            ];
            for known in facts.into_iter().flatten().chain(profile.features.values()) {
                assert!(known.source.len() > 10 && !known.value.is_null(), "{}: {known:?}", profile.name);
            }
            let features: Attributes =
                profile.features.iter().map(|(name, known)| (name.clone(), known.value.clone())).collect();
            let read: ScimFeatures = serde_json::from_value(Value::Object(features)).unwrap();
            assert!(read.page_size.is_none_or(|size| (1..=10_000).contains(&size)), "{}", profile.name);
        }
    }

    fn app(profile: &str, more: &Value) -> App {
        let mut document = serde_json::json!({"id": "crm", "connector":
            {"kind": "scim", "base_url": "https://crm.example.com", "profile": profile}});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if let Some(features) = more.get("features") {
            document["connector"]["features"] = features.clone();
            document.as_object_mut().unwrap().remove("features");
        }
        serde_json::from_value(document).unwrap()
    }

    fn features(app: &App) -> ScimFeatures {
        match &app.connector {
            ConnectorDefinition::Scim(scim) => scim.effective_features(),
            _ => ScimFeatures::default(),
        }
    }

    /// Profile, page, requests in a second, together, members in one PATCH, how they are removed, what is required.
    type Row = (&'static str, Option<u32>, Option<f64>, Option<u32>, u32, Option<MemberRemoval>, &'static str);

    const TABLE: [Row; 13] = [
        ("rfc", Some(100), None, None, 100, None, ""),
        ("entra", Some(100), Some(25.0), None, 100, None, ""),
        ("okta", Some(100), None, None, 100, None, ""),
        (
            "aws",
            Some(100),
            None,
            None,
            100,
            Some(MemberRemoval::Values),
            "userName name.givenName name.familyName displayName",
        ),
        ("slack", Some(1000), Some(3.0), Some(20), 100, None, "userName emails"),
        ("salesforce", None, None, None, 100, None, "userName entitlements"),
        ("github", Some(100), Some(1000.0 / 3600.0), None, 1000, None, "userName displayName emails"),
        ("gitlab", Some(20), None, None, 100, None, "userName emails name"),
        ("atlassian", Some(100), None, None, 100, None, ""),
        ("zoom", Some(100), Some(1.0), None, 100, None, "userName emails"),
        ("databricks", Some(100), None, None, 100, None, ""),
        ("snowflake", None, None, None, 100, None, ""),
        ("servicenow", None, None, None, 100, None, ""),
    ];

    #[test]
    fn what_a_profile_says_holds_where_the_app_says_nothing() {
        assert_eq!(TABLE.len(), profiles().len());
        for (name, page, per_second, burst, members, removal, required) in TABLE {
            let app = app(name, &serde_json::json!({}));
            let (features, rate) = (features(&app), app.effective_rate());
            assert_eq!((features.page_size, features.member_removal), (page, removal), "{name}");
            assert_eq!((rate.per_second, rate.burst, rate.concurrency), (per_second, burst, 4), "{name}");
            assert_eq!(app.members_per_call(), members, "{name}");
            let all: Vec<&str> = Profile::of_name(name).unwrap().required().collect();
            assert_eq!(all.join(" "), required, "{name}");
        }
    }

    #[test]
    fn what_an_app_says_goes_before_each_profile() {
        let own = serde_json::json!({"rate": {"per_second": 9.0, "concurrency": 2},
            "features": {"page_size": 7, "members_per_patch": 5, "member_removal": "filter"}});
        for (name, ..) in TABLE {
            let app = app(name, &own);
            let (features, rate) = (features(&app), app.effective_rate());
            assert_eq!((features.page_size, features.member_removal), (Some(7), Some(MemberRemoval::Filter)), "{name}");
            assert_eq!((rate.per_second, rate.burst, rate.concurrency), (Some(9.0), None, 2), "{name}");
            assert_eq!(app.members_per_call(), 5, "{name}");
        }
        // What the app leaves out of a part stays as the profile has it.
        let part = app("slack", &serde_json::json!({"rate": {"concurrency": 2}, "features": {"members_per_patch": 5}}));
        let rate = part.effective_rate();
        assert_eq!((rate.per_second, rate.burst, rate.concurrency), (Some(3.0), Some(20), 2));
        assert_eq!((features(&part).page_size, part.members_per_call()), (Some(1000), 5));
    }
}
